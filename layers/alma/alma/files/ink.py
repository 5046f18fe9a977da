"""What of a page's ink its text layer does not account for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from alma.datamodel.geometry import Word

Point = tuple[float, float]

# Strokes of 6 point type are still seen at this size, and noise of the paper is not.
_SIDE = 600
_STROKE = 60

#: Ink below this share of a page's pixels is dust: a page number alone has about 0.0003.
MIN_INK = 0.0002


def is_blank(image: Image.Image) -> bool:
    """Tell whether a page shows nothing at all."""
    strokes = _strokes(image)
    return _share(strokes) < MIN_INK / 4


def zone_share(zones: Iterable[Sequence[Point]]) -> float:
    """Return the share of the page that polygons (corners in the unit square) cover together."""
    return _share(_mask_of(zones, (200, 200)))


def unread_share(
    image: Image.Image, words: Iterable[Word], zones: Iterable[Sequence[Point]] | None = None
) -> float:
    """Return the share of ink that stands beside all words, 0..1.

    Parameters
    ----------
    image : PIL.Image.Image
        The page as displayed.
    words : iterable of Word
        What the text layer says.
    zones : iterable of polygons, optional
        Corners in the unit square; ink outside them is left out of the count. All of the page by default.

    Returns
    -------
    float
        0 where there is no ink to speak of.
    """
    strokes = _strokes(image)
    if zones is not None:
        strokes = ImageChops.multiply(strokes, _mask_of(zones, strokes.size))
    total = _share(strokes)
    if total < MIN_INK:
        return 0.0
    width, height = strokes.size
    mask = Image.new("L", strokes.size, 255)
    draw = ImageDraw.Draw(mask)
    for word in words:
        # Recognised text under a scan often sits a little beside its ink.
        slack = 2 + 0.3 * word.box.h * height
        draw.rectangle(
            (
                word.box.x * width - slack,
                word.box.y * height - slack,
                word.box.right * width + slack,
                word.box.bottom * height + slack,
            ),
            fill=0,
        )
    return _share(ImageChops.multiply(strokes, mask)) / total


def _strokes(image: Image.Image) -> Image.Image:
    """Return a small picture that is 255 where light and dark meet within a stroke's width."""
    small = image.convert("L")
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=None)
    spread = ImageChops.difference(
        small.filter(ImageFilter.MaxFilter(3)), small.filter(ImageFilter.MinFilter(3))
    )
    return spread.point([255 if v >= _STROKE else 0 for v in range(256)])


def _mask_of(zones: Iterable[Sequence[Point]], size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    for zone in zones:
        draw.polygon([(x * size[0], y * size[1]) for x, y in zone], fill=255)
    return mask


def _share(mask: Image.Image) -> float:
    """Return the share of a mask's pixels that are set."""
    return mask.histogram()[255] / (mask.width * mask.height)
