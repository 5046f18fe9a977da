"""Pages as pictures to look at: whole if they are small, else smaller, or a part of one for its detail.

The stored image of a page (PNG, as displayed) is too large for most answers if it is a scan. A view of it is
a JPEG of at most so many bytes; whoever needs every pixel takes the stored one.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alma.datamodel.geometry import Box

if TYPE_CHECKING:
    from alma.presentation.files import FileLink

#: Longer side of a view in pixels; models scale down what is larger before they look at it.
_SIDE = 1568
#: What is shown beside a part, and above and below, as shares of the page: a value is read with its label.
_BESIDE, _ABOVE = 0.15, 0.03
#: Tried in turn until the view is small enough; then it is made smaller.
_QUALITIES = (85, 70, 50)
_PNG = "image/png"


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page, or a part of it, as a picture."""

    body: bytes
    """The file."""
    media_type: str
    """`image/png` or `image/jpeg`."""
    width: int
    """Pixels."""
    height: int
    shown: Box
    """What of the page it shows."""
    original: FileLink | None = None
    """Where the whole page is in all its detail, where this is less."""


def view(png: bytes, part: Box | None, *, max_bytes: int, original: FileLink) -> PageImage:
    """Return what can be shown of a page within so many bytes.

    Parameters
    ----------
    png : bytes
        The stored image of the page.
    part : Box, optional
        What to show, with a little of what is around it; without, the whole page.
    max_bytes : int
        Most bytes of the picture.
    original : FileLink
        Where the stored image is; part of the answer if that is something less.
    """
    from PIL import Image  # only those who look at pages have it

    with Image.open(io.BytesIO(png), formats=["PNG"]) as page:
        whole = Box(0.0, 0.0, 1.0, 1.0)
        if part is None and len(png) <= max_bytes:
            return PageImage(png, _PNG, page.width, page.height, whole)
        shown, image = whole, page.convert("L" if page.mode in ("1", "L") else "RGB")
    if part is not None:
        around = Box.from_corners(
            part.x - _BESIDE, part.y - _ABOVE, part.right + _BESIDE, part.bottom + _ABOVE
        )
        left, top = math.floor(around.x * image.width), math.floor(around.y * image.height)
        right, bottom = math.ceil(around.right * image.width), math.ceil(around.bottom * image.height)
        shown = Box.from_pixels(left, top, right, bottom, width=image.width, height=image.height)
        image = image.crop((left, top, right, bottom))
    side = min(_SIDE, max(image.size))
    while True:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        for quality in _QUALITIES:
            body = io.BytesIO()
            image.save(body, "JPEG", quality=quality)
            if body.tell() <= max_bytes or side < 64:
                return PageImage(body.getvalue(), "image/jpeg", *image.size, shown, original)
        side = side * 3 // 4
