"""What a text layer leaves to the picture: words that it does not print are compared with it, pictures of
words are read."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from PIL import Image

from alma.datamodel.geometry import Box, Word, enclosing
from alma.datamodel.pages import PageText

#: Confidence from which a reading of the picture stands against what somebody else's recogniser said.
SURE = 0.9

#: Share of compared words with digits that are contradicted, and their number, from which the rest of the
#: layer is compared too.
DOUBTFUL = 0.5
LEAST_CONTRADICTED = 3

#: White space, in heights of a line, that ends what is read in one go.
_GAP = 2.0

#: How far beyond its box the ink of a line is looked for, and the white that ends it, in heights of the
#: line; the difference from paper that a column with ink has.
_LONGER = 4
_WORD_GAP = 0.5
_INK = 12

#: White around a picture, as a share of the page.
_FRAME = 0.004

#: What turns a page upright.
_UPRIGHT = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


class Reader(Protocol):
    """What recognises words, as `page_reader.Recognizer` does."""

    def read_picture(self, image: Image.Image) -> PageText:
        """Return the words of a picture."""
        ...

    def read_lines(self, image: Image.Image, boxes: Sequence[Box]) -> list[list[Word]]:
        """Return the words of lines that stand in boxes."""
        ...


def with_pictures(reader: Reader, image: Image.Image, text: PageText) -> PageText:
    """Return a text layer joined by the words of its pictures.

    Parameters
    ----------
    reader : Reader
        Recognises words.
    image : PIL.Image.Image
        The page as displayed.
    text : PageText
        Its text layer.
    """
    upright, image = _upright(text, image)
    lines = [[(i, upright.words[i]) for i in line] for line in _numbered(upright.words)]
    for line in _pictured(reader, image, upright):
        lines.insert(_place(line, lines), [(-1, word) for word in line])
    joined = _joined(text, lines, set(upright.unprinted))
    return replace(joined, pictures=(), completed=True)


def compared(reader: Reader, image: Image.Image, text: PageText, positions: Iterable[int]) -> PageText:
    """Return a text layer some of whose unprinted words were compared with the picture.

    Where many of those are contradicted, all are compared and replaced. Otherwise a word is replaced whose
    digits are contradicted for sure; of letters either reading may be wrong, and the word has the confidence
    that the other one leaves it. What was compared is no longer `unprinted`.

    Parameters
    ----------
    reader : Reader
        Recognises words.
    image : PIL.Image.Image
        The page as displayed.
    text : PageText
        Its text layer.
    positions : iterable of int
        Of the words to compare.
    """
    upright, image = _upright(text, image)
    chosen = sorted(positions)
    replaced, wrong, count = _compared(reader, image, upright.words, _segments(upright, chosen), SURE)
    if wrong >= LEAST_CONTRADICTED and wrong > DOUBTFUL * count:
        chosen = sorted(upright.unprinted)
        replaced, _, _ = _compared(reader, image, upright.words, _segments(upright, chosen), least=0.0)
    lines = [
        [(i, word) for i in line for word in replaced.get(i, [upright.words[i]])]
        for line in _numbered(upright.words)
    ]
    return _joined(text, lines, set(upright.unprinted) - set(chosen))


def _upright(text: PageText, image: Image.Image) -> tuple[PageText, Image.Image]:
    return text.upright(), image.transpose(_UPRIGHT[text.turned]) if text.turned else image


def _joined(text: PageText, lines: Iterable[list[tuple[int, Word]]], unprinted: Container[int]) -> PageText:
    """Return a page with the words of lines, each with the position it had, or -1."""
    words: list[Word] = []
    positions: list[int] = []
    for number, line in enumerate(filter(None, lines)):
        for position, word in line:
            if position in unprinted:
                positions.append(len(words))
            words.append(Word(word.text, word.box.turned(-text.turned % 360), number, word.confidence))
    return replace(text, words=tuple(words), unprinted=tuple(positions))


def _segments(page: PageText, positions: Iterable[int]) -> list[list[int]]:
    """Return positions of words in groups that stand next to each other on a line."""
    segments: list[list[int]] = []
    segment: list[int] = []
    for index in positions:
        if segment:
            last, word = page.words[segment[-1]], page.words[index]
            height = max(last.box.h, word.box.h) * page.height
            gap = (word.box.x - last.box.right) * page.width
            if index != segment[-1] + 1 or word.line != last.line or not -height < gap < _GAP * height:
                segments.append(segment)
                segment = []
        segment.append(index)
    return [*segments, segment] if segment else segments


def _compared(
    reader: Reader, image: Image.Image, words: Sequence[Word], segments: Sequence[list[int]], least: float
) -> tuple[dict[int, list[Word]], int, int]:
    """Return what contradicted words are replaced by, by position; of words with digits, how many are
    contradicted and how many there are."""
    replaced: dict[int, list[Word]] = {}
    wrong = count = 0
    grey = image.convert("L")
    boxes = [
        _grown(grey, enclosing(words[i].box for i in segment), _limit(words, segment[-1]))
        for segment in segments
    ]
    readings = reader.read_lines(image, boxes)
    for segment, reading in zip(segments, readings, strict=True):
        said = [_key(words[i].text) for i in segment]
        read = [_key(word.text) for word in reading]
        together = said if len(said) != len(read) else map("".join, zip(said, read, strict=True))
        numbers = [index for index, key in zip(segment, together, strict=True) if _digits(key)]
        count += len(numbers)
        if not reading or "".join(said) == "".join(read):
            continue
        sure = min(word.confidence or 0.0 for word in reading)
        if len(said) == len(read):
            for index, word, was, now in zip(segment, reading, said, read, strict=True):
                if was != now:
                    stands = (word.confidence or 0.0) >= least and (not least or _digits(was) != _digits(now))
                    replaced[index] = [word if stands else _left(words[index], word.confidence or 0.0)]
        elif sure >= least and (not least or _digits("".join(said)) != _digits("".join(read))):
            replaced.update((index, []) for index in segment[1:])
            replaced[segment[0]] = reading
        else:
            replaced.update((index, [_left(words[index], sure)]) for index in segment)
        wrong += sum(index in replaced for index in numbers)
    return replaced, wrong, count


def _left(word: Word, sure: float) -> Word:
    """Return a word that is contradicted: no more is known of it than what the other reading leaves."""
    return replace(word, confidence=1 - sure)


def _digits(key: str) -> str:
    return "".join(filter(str.isdigit, key))


def _pictured(reader: Reader, image: Image.Image, page: PageText) -> Iterator[list[Word]]:
    """Yield the lines of the pictures, without what the page says there in text."""
    for picture in page.pictures:
        left, top = max(0.0, picture.x - _FRAME), max(0.0, picture.y - _FRAME)
        right, bottom = min(1.0, picture.right + _FRAME), min(1.0, picture.bottom + _FRAME)
        sides = (
            int(left * image.width),
            int(top * image.height),
            max(int(right * image.width), int(left * image.width) + 1),
            max(int(bottom * image.height), int(top * image.height) + 1),
        )
        part = image.crop(sides)
        for line in reader.read_picture(part).lines():
            placed = [
                replace(
                    word,
                    box=Box(
                        (sides[0] + word.box.x * part.width) / image.width,
                        (sides[1] + word.box.y * part.height) / image.height,
                        word.box.w * part.width / image.width,
                        word.box.h * part.height / image.height,
                    ),
                )
                for word in line
            ]
            new = [word for word in placed if not any(_covers(w.box, word.box) for w in page.words)]
            if new:
                yield new


def _numbered(words: Sequence[Word]) -> list[list[int]]:
    """Return the positions of the words of each line."""
    lines: dict[int, list[int]] = {}
    for index, word in enumerate(words):
        lines.setdefault(word.line, []).append(index)
    return list(lines.values())


def _place(line: list[Word], lines: Sequence[Sequence[tuple[int, Word]]]) -> int:
    """Return where a line belongs among others: before the first that stands lower."""
    middle = enclosing(word.box for word in line).centre[1]
    return next(
        (n for n, other in enumerate(lines) if enclosing(word.box for _, word in other).y > middle),
        len(lines),
    )


def _covers(box: Box, other: Box) -> bool:
    """Tell whether the middle of a word lies in the box of another, or a little beside it."""
    return box.holds(other.centre, slack=0.3 * box.h)


def _limit(words: Sequence[Word], index: int) -> float:
    """Return where the next word of a line begins, or the page ends."""
    after = words[index + 1] if index + 1 < len(words) else None
    return (
        1.0 if after is None or after.line != words[index].line else max(after.box.x, words[index].box.right)
    )


def _grown(grey: Image.Image, box: Box, limit: float) -> Box:
    """Return a line's box as far to the right as its ink goes: unprinted words are often narrower than what
    they stand for."""
    width, height = grey.size
    left, top, bottom = int(box.right * width), int(box.y * height), math.ceil(box.bottom * height)
    right = min(int(limit * width), left + _LONGER * (bottom - top))
    if right <= left or bottom <= top:
        return box
    columns = grey.crop((left, top, right, bottom)).resize((right - left, 1), Image.Resampling.BOX).tobytes()
    paper, end = max(columns), 0
    for number, column in enumerate(columns):
        if number - end > _WORD_GAP * (bottom - top):
            break
        if column < paper - _INK:
            end = number + 1
    return Box(box.x, box.y, (left + end) / width - box.x, box.h)


def _key(text: str) -> str:
    """Return what two readings of a word are compared by: letters, without their accents, and digits."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text)))
