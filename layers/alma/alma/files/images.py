"""Pages of image files: decoded by Pillow, turned upright by their EXIF note, brought to 8 bits on white."""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import ExifTags, Image, TiffImagePlugin

from alma.errors import UnreadableFileError
from alma.files.content import PageContent
from alma.files.ink import is_blank
from alma.files.kinds import Kind

# The header's size is checked against a setting before anything is decoded; Pillow's own limit would warn
# at one place and raise at another.
Image.MAX_IMAGE_PIXELS = None

# What Pillow's decoders raise on damaged data, besides UnidentifiedImageError, an OSError.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, ArithmeticError, LookupError, EOFError, struct.error)

# What undoes each value of the EXIF orientation note.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

#: Pixels that are converted at a time.
_STRIP = 4_000_000
#: Bytes that decoding takes for each pixel, where it is more than an image and its copy: WebP's has two
#: canvases, JPEG 2000's works on 32 bits a sample (19 in colour, AVIF 10, measured at 20 million pixels; and
#: a copy of both).
_PIXEL_BYTES = {Kind.WEBP: 24, Kind.JPEG_2000: 24, Kind.AVIF: 16}
#: Pillow's names of formats, where they are not ours.
_FORMATS = {Kind.JPEG: ["JPEG", "MPO"], Kind.JPEG_2000: ["JPEG2000"]}
_NEW_SUBFILE_TYPE = 254
_REDUCED = 1


class ImageParser:
    """An opened image file; every frame of a TIFF is a page, of an animation only the first.

    Parameters
    ----------
    path : Path
        The file.
    kind : Kind
        What it is.
    side : int
        Longer side of the page images in pixels; smaller images keep their size.
    max_pixels : int
        Largest image that is decoded.
    memory : int
        Bytes there are for it, which allow fewer pixels of WebP, JPEG 2000 and AVIF.

    Raises
    ------
    UnreadableFileError
        `damaged_file`.
    """

    attachments: tuple[str, ...] = ()

    def __init__(
        self, path: Path, kind: Kind, *, side: int, max_pixels: int, memory: int = 1200 * 2**20
    ) -> None:
        self._side = side
        bytes_each = _PIXEL_BYTES.get(kind)
        self._max_pixels = max_pixels if bytes_each is None else min(max_pixels, memory // bytes_each)
        self._stream = path.open("rb")
        try:
            # Only the decoder of the kind found: no other may be tempted by a crafted file.
            formats = _FORMATS.get(kind, [kind.value])
            self._image = Image.open(self._stream, formats=formats)
            self._frames = _frames(self._image) if kind is Kind.TIFF else [0]
        except _DAMAGE as error:
            self.close()
            raise _damaged() from error
        self.pages = len(self._frames)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def read(self, number: int) -> PageContent:
        """Return one page.

        Raises
        ------
        UnreadableFileError
            `damaged_file` or `image_too_large`.
        """
        try:
            if self.pages > 1:
                self._image.seek(self._frames[number - 1])
            width, height = self._image.size
            if width * height > self._max_pixels:
                raise UnreadableFileError(
                    f"The image has {width} x {height} pixels and the limit is "
                    f"{self._max_pixels / 1e6:.3g} million; send it at a lower resolution.",
                    code="image_too_large",
                )
            if not width or not height:
                raise _damaged()
            image = _page_image(self._image, self._side)
        except _DAMAGE as error:
            raise _damaged() from error
        return PageContent(image, None, needs_vision=not is_blank(image))


def _damaged() -> UnreadableFileError:
    return UnreadableFileError("The image is damaged or incomplete; send the original again.")


def _frames(image: Image.Image) -> list[int]:
    """Return the frames of a TIFF that are pages; the others are previews of their neighbours."""
    pages = []
    for frame in range(getattr(image, "n_frames", 1)):
        image.seek(frame)
        tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
        kind = tags.get(_NEW_SUBFILE_TYPE, 0)
        if not (isinstance(kind, int) and kind & _REDUCED):
            pages.append(frame)
    return pages or [0]


def _page_image(source: Image.Image, side: int) -> Image.Image:
    """Return a decoded image as displayed: upright, `L` or `RGB`, at most `side` pixels."""
    width, height = source.size
    if max(width, height) > 2 * side:
        # A JPEG can be decoded at a half, a quarter or an eighth; other formats ignore this.
        share = side / max(width, height)
        source.draft(None, (max(1, int(width * share)), max(1, int(height * share))))
    source.load()
    # After loading: Pillow turns a TIFF itself, as it loads, and then forgets the note.
    turn = _UPRIGHT.get(source.getexif().get(ExifTags.Base.Orientation, 1))
    image = _eight_bits(source)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image if turn is None else image.transpose(turn)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image as `L` or `RGB`, transparency on white.

    Strip by strip: what the steps in between take of memory does not grow with the image.
    """
    extremes = image.getextrema() if image.mode.startswith("I") or image.mode == "F" else None
    width, height = image.size
    rows = max(1, _STRIP // width)
    if rows >= height:
        return _plain(image, extremes)
    first = _plain(image.crop((0, 0, width, rows)), extremes)
    whole = Image.new(first.mode, image.size)
    whole.paste(first, (0, 0))
    for top in range(rows, height, rows):
        whole.paste(_plain(image.crop((0, top, width, min(top + rows, height))), extremes), (0, top))
    return whole


def _plain(image: Image.Image, extremes: object) -> Image.Image:
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image.copy()
    if extremes is not None:
        plain = _stretched(image, extremes)
    elif image.mode == "LAB":
        # Lightness is what print is read by; Pillow has no direct way to RGB.
        plain = image.getchannel(0)
    elif image.has_transparency_data:
        shown = image.convert("RGBA")
        plain = Image.new("RGB", image.size, "white")
        plain.paste(shown, mask=shown.getchannel("A"))
    else:
        plain = image.convert("L" if image.mode == "1" else "RGB")
    return plain


def _stretched(image: Image.Image, extremes: object) -> Image.Image:
    """Return samples of more than 8 bits as `L`, by the darkest and the lightest of the whole page.

    Unsigned 16-bit samples keep black at 0 and get as white the least power of two that holds them, since
    cameras and scanners store 10, 12 or 14 bits in them. Signed and floating ones have no agreed range: the
    darkest becomes black, the lightest white.
    """
    low, high = extremes if isinstance(extremes, tuple) and len(extremes) == 2 else (None, None)
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        raise ValueError("an image of single samples has single extremes")
    if image.mode.startswith("I") and low >= 0 and high < 2**16:
        low, high = 0, max(255, 2 ** int(high).bit_length() - 1)
    scale = 255 / (high - low) if high > low else 0.0
    return image.convert("F").point(lambda v: v * scale + (-low * scale)).convert("L")
