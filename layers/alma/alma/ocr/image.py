"""Any Pillow image as an RGB image of a bounded size, without a full-size copy in between."""

from __future__ import annotations

import numpy as np
from PIL import Image

#: Pixels converted at once: the memory of a conversion is a few times this.
STRIP_PIXELS = 4_000_000


def working_image(image: Image.Image, side: int) -> Image.Image:
    """Return `image` in RGB, its longer side reduced by a whole factor so as not to fall below `side`.

    Transparency is laid on white, 16-bit and floating-point values are stretched to 8 bits. An image of
    100 megapixels is reduced strip by strip: only the caller's own pixels are ever held at full size.

    Parameters
    ----------
    image : PIL.Image.Image
        In any mode. EXIF orientation is the caller's business.
    side : int
        Pixels the longer side keeps, where it has them.
    """
    factor = max(1, max(image.size) // side)
    # A JPEG that is not decoded yet can be decoded at 1/2, 1/4 or 1/8.
    if factor > 1 and image.format == "JPEG":
        image.draft("RGB", (image.width // factor, image.height // factor))
        factor = max(1, max(image.size) // side)
    if factor == 1 and image.width * image.height <= STRIP_PIXELS:
        return _rgb(image, _range(image))
    levels = _range(image)
    width, height = -(-image.width // factor), -(-image.height // factor)
    rows = max(factor, STRIP_PIXELS // max(1, image.width) // factor * factor)
    reduced = Image.new("RGB", (width, height))
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        reduced.paste(_rgb(strip, levels).reduce(factor), (0, top // factor))
    return reduced


def _range(image: Image.Image) -> tuple[float, float] | None:
    """Return the values to show as black and white, None for modes that have 8 bits a channel."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return None
    low, high = image.getextrema()
    if isinstance(low, tuple) or isinstance(high, tuple):  # pragma: no cover - single-band modes only
        raise TypeError(f"mode {image.mode} has one band")
    # Values of an 8-bit image kept in a wider mode are what they are.
    return (0.0, 255.0) if low >= 0 and high <= 255 else (float(low), float(high))


def _rgb(image: Image.Image, levels: tuple[float, float] | None) -> Image.Image:
    """Return `image` in RGB on white."""
    if levels is not None:
        low, high = levels
        values = np.asarray(image, np.float32)
        image = Image.fromarray(
            np.clip((values - low) * (255.0 / max(high - low, 1.0)), 0, 255).astype(np.uint8)
        )
    if image.mode == "RGB":
        return image
    if image.mode in ("RGBa", "La"):
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    return image.convert("RGB")
