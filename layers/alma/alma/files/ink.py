"""What of a page's ink its text layer does not account for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import groupby

from PIL import Image, ImageChops, ImageDraw

from alma.datamodel.geometry import Box, Word

Point = tuple[float, float]

# Strokes of 6 point type are still seen at this size, and noise of the paper is not.
_SIDE = 600
_STROKE = 60

#: Least difference of light and dark that a reader sees, of 255.
_FAINT = 10
#: Pixels of a word's longer side below which its picture says nothing.
_LEAST_PIXELS = 3

#: Least width and height of a picture that may hold a line of text, as shares of the page.
_LEAST_PICTURE = (0.03, 0.007)
#: Pictures this near to each other are one.
_TOUCH = 0.002
#: Pixels of strokes that a few letters have.
_LEAST_INK = 40
#: Share of the page below which a picture is looked at as a whole.
_SMALL_PICTURE = 0.25
#: Share of a page's ink beside all words from which a larger picture is searched for words left out: .08 to
#: .26 on forms whose recognised words are all there.
_PATCHY = 0.28
#: Side of the cells, in pixels, by which ink that stands together is found, and the mean of one that has
#: some.
_CELL = 8
_CELL_INK = 24
#: Share of a picture's ink that may stand beside all words.
_UNREAD = 0.4
#: Pictures of a page that are recognised one by one, those with most ink.
MAX_PICTURES = 4
#: Height of a line of text at most, as a share of the page's longer side (18 points of A4), and its width at
#: least, in heights of it. Logos are higher, boxes to tick narrower.
_LINE = 0.022
_WORDS = 4.0
#: Share of a picture's ink that stands in such lines where it is one of words, and of the mean of its inked
#: rows that a row of a line has: descenders alone have less.
_IN_LINES = 0.5
_ROW = 0.25

#: Ink below this share of a page's pixels is dust: a page number alone has about 0.0003.
MIN_INK = 0.0002


def is_blank(image: Image.Image) -> bool:
    """Tell whether a page shows nothing at all."""
    return PageInk(image).blank


def zone_share(zones: Iterable[Sequence[Point]]) -> float:
    """Return the share of the page that polygons (corners in the unit square) cover together."""
    return _share(_mask_of(zones, (200, 200)))


def unread_share(
    page: PageInk, words: Iterable[Word], zones: Iterable[Sequence[Point]] | None = None
) -> float:
    """Return the share of ink that stands beside all words, 0..1.

    Parameters
    ----------
    page : PageInk
        Of the page as displayed.
    words : iterable of Word
        What the text layer says.
    zones : iterable of polygons, optional
        Corners in the unit square; ink outside them is left out of the count. All of the page by default.

    Returns
    -------
    float
        0 where there is no ink to speak of.
    """
    strokes = page.strokes
    if zones is not None:
        strokes = ImageChops.multiply(strokes, _mask_of(zones, strokes.size))
    total = _share(strokes)
    if total < MIN_INK:
        return 0.0
    return _share(_beside(strokes, words)) / total


def unread_pictures(
    page: PageInk, words: Iterable[Word], zones: Iterable[Sequence[Point]]
) -> tuple[Box, ...]:
    """Return the pictures, as boxes on the page, whose ink the words do not account for.

    Pictures that touch each other are one; those too small for a line of text are none, nor are logos,
    signatures and other drawings: to recognise one takes as long as all else that is done to a page.
    """
    boxes = _joined([_clipped(zone) for zone in zones])
    boxes = [box for box in boxes if box.w >= _LEAST_PICTURE[0] and box.h >= _LEAST_PICTURE[1]]
    # Small pictures are looked at as a whole.
    boxes = [box for box in boxes if box.area >= _SMALL_PICTURE or _in_lines(page.grey, box)]
    if not boxes:
        return ()
    strokes = page.strokes
    unread = _beside(strokes, words)
    # Rules, boxes to tick and stamps are a tenth to a quarter of what a scan with all its words leaves
    # unread.
    patchy = _pixels(unread) > _PATCHY * _pixels(strokes)
    found: list[tuple[int, Box]] = []
    for box in boxes:
        # Of a scan with words under it, the parts that they leave out.
        parts = [box] if box.area < _SMALL_PICTURE else _patches(unread, box) if patchy else []
        for part in parts:
            ink, left = (
                _pixels(strokes.crop(_sides(part, strokes))),
                _pixels(unread.crop(_sides(part, unread))),
            )
            if left >= _LEAST_INK and left > _UNREAD * ink and (part is box or _in_lines(page.grey, part)):
                found.append((left, part))
    found.sort(key=lambda each: -each[0])
    return tuple(box for _, box in found[:MAX_PICTURES])


def _in_lines(grey: Image.Image, box: Box) -> bool:
    """Tell whether most of a picture's ink stands in lines of text, and not in a drawing."""
    part = grey.crop(_sides(box, grey))
    levels = part.histogram()
    paper = levels.index(max(levels))
    ink = part.point([255 if abs(value - paper) >= _STROKE else 0 for value in range(256)])
    rows = ink.resize((1, part.height), Image.Resampling.BOX).tobytes()
    inked = [row for row in rows if row]
    least = _ROW * sum(inked) / max(len(inked), 1)
    in_lines, top = 0, 0
    for dense, group in groupby(rows, key=lambda row: row > least):
        height = len(list(group))
        sides = ink.crop((0, top, part.width, top + height)).getbbox() if dense else None
        if sides and height <= _LINE * max(grey.size) and sides[2] - sides[0] >= _WORDS * height:
            in_lines += sum(rows[top : top + height])
        top += height
    return in_lines > _IN_LINES * sum(rows)


def _sides(box: Box, image: Image.Image) -> tuple[int, int, int, int]:
    width, height = image.size
    return (
        int(box.x * width),
        int(box.y * height),
        math.ceil(box.right * width),
        math.ceil(box.bottom * height),
    )


def _patches(unread: Image.Image, picture: Box) -> list[Box]:
    """Return boxes around the ink of a picture that stands together and beside all words."""
    left, top, right, bottom = _sides(picture, unread)
    size = math.ceil((right - left) / _CELL), math.ceil((bottom - top) / _CELL)
    cells = unread.crop((left, top, left + size[0] * _CELL, top + size[1] * _CELL)).reduce(_CELL)
    open_cells = {
        (n % size[0], n // size[0]) for n, value in enumerate(cells.tobytes()) if value >= _CELL_INK
    }
    found = []
    while open_cells:
        patch, edge = [], [open_cells.pop()]
        while edge:
            x, y = edge.pop()
            patch.append((x, y))
            # Words of a line stand up to two cells apart, lines of a block less.
            near = [(x + dx, y + dy) for dx in (-2, -1, 0, 1, 2) for dy in (-1, 0, 1)]
            edge += [cell for cell in near if cell in open_cells]
            open_cells.difference_update(near)
        xs, ys = [x for x, _ in patch], [y for _, y in patch]
        box = Box.from_pixels(
            left + min(xs) * _CELL,
            top + min(ys) * _CELL,
            min(left + (max(xs) + 1) * _CELL, unread.width),
            min(top + (max(ys) + 1) * _CELL, unread.height),
            width=unread.width,
            height=unread.height,
        )
        if box.w >= _LEAST_PICTURE[0]:
            found.append(box)
    return found


def _clipped(zone: Sequence[Point]) -> Box:
    xs, ys = [min(max(x, 0.0), 1.0) for x, _ in zone], [min(max(y, 0.0), 1.0) for _, y in zone]
    return Box.from_corners(min(xs), min(ys), max(xs), max(ys))


def _joined(boxes: list[Box]) -> list[Box]:
    """Return boxes with those that touch united; strips of one picture are one."""
    joined: list[Box] = []
    for box in sorted(boxes, key=lambda b: (b.y, b.x)):
        united = box
        while True:
            touching = [
                other
                for other in joined
                if other.x <= united.right + _TOUCH
                and united.x <= other.right + _TOUCH
                and other.y <= united.bottom + _TOUCH
                and united.y <= other.bottom + _TOUCH
            ]
            if not touching:
                break
            joined = [other for other in joined if other not in touching]
            for other in touching:
                united = united.union(other)
        joined.append(united)
    return joined


def _beside(strokes: Image.Image, words: Iterable[Word]) -> Image.Image:
    """Return the strokes that stand beside all words."""
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
    return ImageChops.multiply(strokes, mask)


class PageInk:
    """The ink of a page.

    Parameters
    ----------
    image : PIL.Image.Image
        The page as displayed.
    """

    def __init__(self, image: Image.Image) -> None:
        self.grey = image.convert("L")
        """The page in shades of grey."""
        self.grey.load()
        self._pixels = self.grey.im

    @cached_property
    def strokes(self) -> Image.Image:
        """A small picture that is 255 where light and dark meet within a stroke's width."""
        return _strokes(self.grey)

    @property
    def blank(self) -> bool:
        """The page shows nothing at all."""
        return _share(self.strokes) < MIN_INK / 4

    def shows(self, box: tuple[float, float, float, float], *, stroke: bool = False) -> bool:
        """Tell whether light and dark meet within a box (left, top, right, bottom in the unit square).

        With `stroke`, as strongly as strokes do, which noise of the paper does not. Of what is too small for
        its picture to be judged, it is taken that it does.
        """
        width, height = self.grey.size
        left, top, right, bottom = box[0] * width, box[1] * height, box[2] * width, box[3] * height
        if min(right - left, bottom - top) < 1 and max(right - left, bottom - top) < _LEAST_PIXELS:
            return True
        # A pixel more on each side: a stem alone is one colour.
        sides = (
            max(0, int(left) - 1),
            max(0, int(top) - 1),
            min(width, int(right) + 2),
            min(height, int(bottom) + 2),
        )
        if sides[0] >= sides[2] or sides[1] >= sides[3]:
            return False
        # The picture's own methods: a new one for each word takes most of the time.
        low, high = self._pixels.crop(sides).getextrema()
        return bool(high - low >= (_STROKE if stroke else _FAINT))


def within(point: Point, zones: Iterable[Sequence[Point]]) -> bool:
    """Tell whether a point lies in one of several convex polygons."""
    x, y = point
    for zone in zones:
        sides = [
            (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            for (ax, ay), (bx, by) in zip(zone, [*zone[1:], zone[0]], strict=True)
        ]
        if all(side >= 0 for side in sides) or all(side <= 0 for side in sides):
            return True
    return False


def _strokes(image: Image.Image) -> Image.Image:
    """Return a small picture that is 255 where light and dark meet within a stroke's width."""
    small = image.convert("L")
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=None)
    # The lightest neighbour, and the darkest as the lightest of the negative; rank filters take ten times as
    # long.
    spread = ImageChops.add(_lightest(small), _lightest(ImageChops.invert(small)), offset=-255)
    return spread.point([255 if v >= _STROKE else 0 for v in range(256)])


def _lightest(image: Image.Image) -> Image.Image:
    """Return the lightest of each pixel and its eight neighbours."""
    width, height = image.size
    for dx, dy in ((1, 0), (0, 1)):
        before, after = (
            image.crop((sign * dx, sign * dy, width + sign * dx, height + sign * dy)) for sign in (-1, 1)
        )
        image = ImageChops.lighter(ImageChops.lighter(before, after), image)
    return image


def _mask_of(zones: Iterable[Sequence[Point]], size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    for zone in zones:
        draw.polygon([(x * size[0], y * size[1]) for x, y in zone], fill=255)
    return mask


def _pixels(mask: Image.Image) -> int:
    return mask.histogram()[255]


def _share(mask: Image.Image) -> float:
    """Return the share of a mask's pixels that are set."""
    return _pixels(mask) / (mask.width * mask.height)
