"""Searching one page: what stands beside a label, and what a pattern matches in the running text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from alma.datamodel.geometry import Box, enclosing
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType
from alma.extraction.page.labels import CLOSES, Label, LabelMatch, Lexicon, phrase_key
from alma.extraction.page.layout import CELL_GAP, Layout
from alma.extraction.values.companies import continues_name, is_company, starts_with_legal_form
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsed_spans import Span
from alma.extraction.values.parsers import TYPED, spans
from alma.extraction.values.patterns import Matcher
from alma.extraction.values.text import fold, squeeze

#: How far below a label its value may stand, in line heights.
BELOW = 5.0
#: Characters of a page in which patterns are searched: several times a full page, so that a page made to
#: be slow is not.
PATTERN_CHARACTERS = 30_000
#: Characters a value in a sentence may have.
MAX_MATCH = 2000
#: Rank of a label that opens the closing part of a document.
CLOSING = -1
#: Rank of a label in another language.
SYNONYM = 3
#: How far above a label its value may stand, where the schema says so, in line heights.
ABOVE = 2.5
#: Rows below a label that are looked at.
ROWS_BELOW = 7
#: Lines an address below a label may have.
ADDRESS_LINES = 5
#: Values after one label that are looked at.
MAX_SPANS = 12
#: Words a text beside a label may have.
MAX_TEXT_WORDS = 24

_ENUMERATOR = re.compile(r"^\(?[\dA-Za-z]{1,2}[.)]$")
_TITLES = frozenset(
    {"herrn", "herr", "frau", "firma", "mr", "mr.", "mrs", "mrs.", "ms", "monsieur", "madame", "herrn."}
)
_CONNECTORS = frozenset(
    {"name", "nom", "naam", "nombre", "nome", "is", "are", "von", "vom", "du", "van", ":"}
)


@dataclass(frozen=True, slots=True)
class Vote:
    """What a rule says: these words may be the value of that field."""

    key: str
    """Field it may belong to."""
    value: str
    """Normalised."""
    content: str
    """As on the page."""
    words: tuple[int, ...]
    """Exactly the words of the page it was cut from."""
    origin: str
    """`right`, `below` or `above` a label, `pattern` or `top`."""
    score: float
    """Sum of weights; higher is better."""


def lexicon_of(schema: DocumentSchema) -> Lexicon:
    """Return the labels of a document type, cached by schema."""
    return _lexicon_of(schema)


@lru_cache(maxsize=64)
def _lexicon_of(schema: DocumentSchema) -> Lexicon:
    phrases: dict[str, list[Label]] = {}
    for field in schema.fields:
        # A field that names neither labels nor patterns is looked for under its own name.
        own = () if field.patterns else (field.key.replace("_", " "),)
        for rank, alias in enumerate((*field.aliases, *own)):
            phrases.setdefault(alias, []).append(Label(field.key, rank))
        known = {phrase_key(alias) for alias in field.aliases}
        for synonym in field.synonyms:
            if phrase_key(synonym) not in known:
                known.add(phrase_key(synonym))
                phrases.setdefault(synonym, []).append(Label(field.key, SYNONYM))
    for other in schema.other_labels:
        phrases.setdefault(other, []).append(Label("", 0))
    for closing in schema.closing_labels:
        phrases.setdefault(closing, []).append(Label("", CLOSING))
    return Lexicon.of(phrases)


def _without_signs(layout: Layout, hits: list[LabelMatch]) -> list[LabelMatch]:
    """Return labels without a `No.` behind one: it opens the value, or is Norway's (`NO 987 654 321`)."""
    ends = {hit.end for hit in hits if hit.closed}
    return [
        hit
        for hit in hits
        if not (
            layout.text(hit.start, hit.end).strip(".").lower() in ("no", "nr")
            and hit.start in ends
            and hit.end < len(layout.words)
            and layout.words[hit.end].text[0].isdigit()
        )
    ]


class PageSearch:
    """One page being searched: its layout, its labels, and what is shared by all fields."""

    def __init__(self, layout: Layout, schema: DocumentSchema, locale: Locale) -> None:
        self.layout = layout
        self.schema = schema
        self.fields = {field.key: field for field in schema.fields}
        self.locale = locale
        self.hits = _without_signs(layout, lexicon_of(schema).hits(layout))
        self.label_at = {hit.start: hit for hit in self.hits}
        self.in_label = {i for hit in self.hits for i in range(hit.start, hit.end)}
        closing = [h.start for h in self.hits if any(label.rank == CLOSING for label in h.labels)]
        self.closing = min(closing, default=len(layout.words))

    # A value ends where the next label starts; a label word inside a text (`Total Wine Ltd`) does not
    # end it unless it opens a cell or is closed by a colon.
    def _ends(self, index: int, start: int) -> bool:
        hit = self.label_at.get(index)
        if hit is None:
            return False
        several = hit.end - hit.start > 1 and self.layout.words[index].text[:1].isupper()
        return hit.closed or index == start or several or self._opens_cell(index)

    def _opens_cell(self, index: int) -> bool:
        return self.layout.cells[self.layout.cell_of[index]].start == index

    def _is_label(self, start: int, end: int) -> bool:
        """Return whether a cell is a label or starts with one; `Lieferant GmbH` is a name."""
        hit = self.label_at.get(start)
        return hit is not None and (hit.closed or hit.end >= end)

    def _connects(self, index: int) -> bool:
        """Return whether a word only leads from a label to its value: `Advertiser  Name:  Bernie`."""
        return fold(self.layout.words[index].text).strip(" :.") in _CONNECTORS

    def _after_connectors(self, start: int, end: int) -> int:
        """Return the first word of a range that does not only lead to a value; the end if there is none."""
        while start < end and self._connects(start):
            start += 1
        return start

    def vote(
        self, field: FieldSchema, words: Sequence[int], span: Span, text: str, origin: str, score: float
    ) -> Vote:
        """Return the vote for a span of `text`, which is these words joined by spaces."""
        return Vote(
            field.key,
            span.value,
            text[span.start : span.end].strip(),
            self.layout.touched(words, span.start, span.end) or (words[0],),
            origin,
            score + span.quality,
        )

    def label_score(self, hit: LabelMatch, label: Label) -> float:
        """Return how surely a hit is the label of a field, rather than the same words in a sentence."""
        layout = self.layout
        score = 1.0 - 0.1 * min(label.rank, 15)
        if hit.fuzzy:
            score -= 0.5
        if hit.start >= self.closing:
            score -= 1.5
        if hit.closed:
            score += 0.6
        before = hit.start - 1
        opens = self._opens_cell(hit.start) or before in self.in_label
        if not opens and _ENUMERATOR.match(layout.words[before].text):
            opens = self._opens_cell(before)
        if opens:
            score += 0.4
        elif not layout.words[before].text.endswith((*CLOSES, ".", "|", "*", "-")):
            score -= 1.0
        if layout.words[hit.start].text[:1].islower() and not hit.closed:
            score -= 0.5
        return score

    def right_of(self, hit: LabelMatch, label: Label) -> Iterable[Vote]:
        """Yield what stands to the right of a label in its row."""
        layout, field = self.layout, self.fields[label.key]
        end_of_row = layout.rows[layout.row_of[hit.start]][1]
        start = hit.end if field.type in TYPED else self._after_connectors(hit.end, end_of_row)
        if start >= end_of_row:
            return
        base = self.label_score(hit, label) + 1.0 - min(max(layout.gap(start - 1, start), 0.0), 40.0) * 0.02
        stop = start
        while stop < end_of_row and not self._ends(stop, start):
            stop += 1
        if field.type in TYPED:
            yield from self._typed(field, start, stop, "right", base)
            return
        end = start + 1
        while end < min(stop, start + MAX_TEXT_WORDS) and layout.gap(end - 1, end) <= CELL_GAP:
            end += 1
        if end > stop:
            return
        if not hit.closed and layout.cell_of[start] == layout.cell_of[hit.start]:
            base -= 0.4
        yield from self._whole(field, start, end, "right", base)

    def below(self, hit: LabelMatch, label: Label) -> Iterable[Vote]:
        """Yield the first thing of the right type below a label, in its column."""
        layout, field = self.layout, self.fields[label.key]
        box = enclosing(layout.words[i].box for i in range(hit.start, hit.end))
        base = self.label_score(hit, label) + 0.5
        cell = layout.cells[layout.cell_of[hit.end - 1]]
        if hit.end < cell.end and not hit.closed and hit.end not in self.label_at:
            base -= 0.8  # its value more likely follows in the same cell, or it is no label
        start = layout.row_of[hit.start] + 1
        rows = range(start, min(start + ROWS_BELOW, len(layout.rows)))
        if field.type in TYPED:
            yield from self._typed_below(field, box, rows, base)
        else:
            yield from self._text_below(field, box, rows, base)

    def _typed_below(self, field: FieldSchema, box: Box, rows: range, base: float) -> Iterable[Vote]:
        """Yield the values in the first cell below a label that has any of the type."""
        layout = self.layout
        height = max(layout.line_height, box.h)
        for row in rows:
            first, last = layout.rows[row]
            top = layout.words[first].box.y
            if top - box.bottom > BELOW * height:
                return
            piece = self._column(first, last, box)
            if piece is None:
                continue
            if self._is_label(*piece):
                return
            gap = (top - box.bottom) / max(height, 1e-6)
            found = list(self._typed(field, *piece, "below", base - 0.15 * max(gap, 0.0)))
            yield from found
            if found:
                return

    def _text_below(self, field: FieldSchema, box: Box, rows: range, base: float) -> Iterable[Vote]:
        """Yield the first text below a label; of an address all its lines."""
        layout = self.layout
        lines: list[tuple[int, int]] = []
        bottom = box.bottom
        for row in rows:
            first, last = layout.rows[row]
            if layout.words[first].box.y - bottom > BELOW * max(layout.line_height, box.h):
                break
            piece = self._column(first, last, box)
            if piece is None:
                continue
            start, end = piece
            if self._connects(start):
                start = self._after_connectors(start, last - 1)
                end = layout.cells[layout.cell_of[start]].end
            elif self._is_label(start, end) and not lines:
                # Another label's row: a party's name may stand below its number (`GLN: 4333741000005`).
                if any(label.key for label in self.label_at[start].labels):
                    break
                bottom = layout.words[start].box.bottom
                continue
            bottom = layout.words[start].box.bottom
            if layout.words[end - 1].text.endswith(CLOSES):
                continue
            if field.type is FieldType.ADDRESS:
                lines.append((start, end))
                if len(lines) == ADDRESS_LINES:
                    break
                continue
            found = list(self._whole(field, start, end, "below", base))
            yield from found
            if found:
                return
            base -= 0.2
        if lines:
            yield from self.block(field, lines, "below", base)

    def above(self, hit: LabelMatch, label: Label) -> Iterable[Vote]:
        """Yield what stands on the line over a label, as on forms with a rule to write on."""
        layout, field = self.layout, self.fields[label.key]
        box = enclosing(layout.words[i].box for i in range(hit.start, hit.end))
        base = self.label_score(hit, label) + 1.0
        for row in range(layout.row_of[hit.start] - 1, -1, -1):
            first, last = layout.rows[row]
            if box.y - layout.words[first].box.bottom > ABOVE * max(layout.line_height, box.h):
                return
            piece = self._column(first, last, box)
            if piece is None:
                continue
            if field.type in TYPED:
                yield from self._typed(field, *piece, "above", base)
            else:
                yield from self._whole(field, *piece, "above", base)
            return

    def _column(self, first: int, last: int, box: Box) -> tuple[int, int] | None:
        """Return the cell of a row that stands under `box`, cut at the labels inside it."""
        layout = self.layout
        index, other = first, None
        while index < last:
            cell = layout.cells[layout.cell_of[index]]
            overlap = min(cell.box.right, box.right) - max(cell.box.x, box.x)
            if overlap > 0.2 * min(cell.box.w, box.w):
                start, end = cell.start, cell.end
                edge = box.x - layout.line_height / layout.ratio
                while start < end - 1 and layout.words[start].box.right < edge:
                    start += 1
                for at in range(start + 1, end):
                    if self._ends(at, start) and self.label_at[at].closed:
                        end = at
                        break
                if start not in self.label_at or self._connects(start):
                    return start, end
                other = other or (start, end)
            index = cell.end
        return other

    def _typed(self, field: FieldSchema, start: int, stop: int, origin: str, base: float) -> Iterable[Vote]:
        if start >= stop:
            return
        text = self.layout.text(start, min(stop, start + 60))
        found = spans(text, field.type, self.locale)[:MAX_SPANS]
        solid = [s for s in found if s.quality >= 0.5] or found
        if field.type is FieldType.IDENTIFIER:
            solid = solid[:2]
        wanted = field.nth if field.nth >= 0 else len(solid) + field.nth
        for number, span in enumerate(solid):
            lead = text[: span.start].strip() if number == 0 else ""
            score = base - 0.7 * abs(number - wanted) - 0.05 * min(len(lead), 20)
            yield self.vote(field, range(start, min(stop, start + 60)), span, text, origin, score)

    def _whole(self, field: FieldSchema, start: int, end: int, origin: str, base: float) -> Iterable[Vote]:
        start = self._after_connectors(start, end)
        if start >= end:
            return
        words = tuple(range(start, end))
        if field.type is FieldType.NAME:
            words += self._line_below(start, end)
        text = " ".join(self.layout.words[i].text for i in words)
        for span in spans(text, field.type, self.locale):
            if field.type is FieldType.NAME and (
                span.quality < 0.5 or span.value.islower() or starts_with_legal_form(span.value)
            ):
                continue
            prose = sum(self.layout.words[i].text[:1].islower() for i in words)
            penalty = 0.15 * prose + (0.4 if len(words) > 10 and field.type is FieldType.NAME else 0.0)
            yield self.vote(field, words, span, text, origin, base - penalty)

    def block(
        self, field: FieldSchema, lines: Sequence[tuple[int, int]], origin: str, base: float
    ) -> Iterable[Vote]:
        """Yield the lines of a column as one value, one region a line."""
        indices = [i for start, end in lines for i in range(start, end)]
        content = " ".join(self.layout.words[i].text for i in indices)
        for span in spans(content, field.type, self.locale):
            yield Vote(field.key, span.value, content, tuple(indices), origin, base + span.quality)

    def _line_below(self, start: int, end: int) -> tuple[int, ...]:
        """Return the words of the next row that continue a name, where that is plain.

        It is where the first line is only a title (`Herrn`), or where the second has the same left edge
        and brings the legal form that the first lacks; other columns may stand beside both.
        """
        layout = self.layout
        row = layout.row_of[start] + 1
        if row == len(layout.rows) or end != layout.cells[layout.cell_of[end - 1]].end:
            return ()
        edge = layout.line_height / layout.ratio
        under = (layout.cells[n] for n in dict.fromkeys(layout.cell_of[slice(*layout.rows[row])]))
        cell = next((c for c in under if abs(c.box.x - layout.words[start].box.x) <= edge), None)
        if cell is None or cell.start in self.label_at:
            return ()
        first, second = layout.text(start, end), layout.text(cell.start, cell.end)
        if any(c.isdigit() for c in first + second):
            return ()
        titled = fold(first) in _TITLES
        formed = continues_name(second) or (is_company(second) and not is_company(first))
        return tuple(range(cell.start, cell.end)) if titled or formed else ()

    def matching(self, field: FieldSchema, matcher: Matcher) -> Iterable[Vote]:
        """Yield what the patterns of a field match in the running text."""
        text, starts = self.layout.running_text()
        text = text[:PATTERN_CHARACTERS]
        for rank, pattern in enumerate(field.patterns):
            for number, match in enumerate(matcher.find(pattern, text, most=8)):
                begin, end = match.span("value")
                if not 0 < end - begin <= MAX_MATCH:
                    continue
                first = bisect_right(starts, begin) - 1
                last = bisect_right(starts, end - 1)
                piece = text[begin:end]
                for span in spans(piece, field.type, self.locale)[:1]:
                    if any(matcher.find(reject, span.value) for reject in field.rejects):
                        continue
                    yield Vote(
                        field.key,
                        squeeze(span.value) if field.type not in TYPED else span.value,
                        piece.strip(),
                        tuple(range(first, last)),
                        "pattern",
                        1.8 - 0.25 * rank - 0.1 * number + span.quality,
                    )
