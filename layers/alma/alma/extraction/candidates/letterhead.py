"""Values found by their place: the name that heads a page, the address below it, whom a letter is sent to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from alma.datamodel.schemas import FieldSchema
from alma.extraction.candidates.label_search import PageSearch, Vote
from alma.extraction.page.layout import Layout
from alma.extraction.values.companies import continues_name, is_company, starts_with_legal_form
from alma.extraction.values.parsers import spans
from alma.extraction.values.text import fold

#: Rows and cells at the top of a page among which its heading is, and how many of them are candidates.
HEAD_ROWS, HEAD_CELLS, MOST_HEADINGS = 14, 10, 3

_STREET_WORDS = re.compile(
    r"\b(?:no|lot|jalan|jln|lorong|taman|tmn|street|st|road|rd|avenue|ave|lane|drive|blvd|floor|level|unit|"
    r"suite|block|blok|kampung|bandar|kawasan|persiaran|lebuh|mukim|off|plaza|mall|building|city|strasse|"
    r"str|platz|weg|rue|place|selangor|johor|kuala|lumpur|penang|perak|melaka|sabah|sarawak|darul|wilayah|"
    r"batu|malaysia|seksyen|section|park|centre|center|p\.?o\.? box)\b|\d{5}|^\d+[a-z]?[,-]"
)
_PHONE = re.compile(r"(?<!\d)\+?\d{2,3}[- ]\d{3,4}[- ]?\d{4}(?!\d)")
_NOT_HEAD = re.compile(
    r"\b(?:tel|fax|phone|gst|reg|roc|co\.?\s?reg|company\s?no|tax|invoice|receipt|cash|bill|date|time|www|http|"
    r"email|e-mail|cashier|welcome|copy|page|thank|original|table|member|doc|no\.?:|id|rechnung(?:en)?|facture|factuur|fattura|factura)\b|@|\d{6,}",
)
_REGISTRATION = re.compile(r"\(?\b\d{4,7}\s?-\s?[a-z]\b\)?|\(\s*\d{4,7}\s*-?\s*[a-z]\s*\)")
_POSTCODE = re.compile(
    r"^(?:[A-Z]{1,2}[- ])?\d{4,5}(?:\s[A-Z]{2})?\s+[^\W\d_]{2,}|\b[A-Z]{2},?\s+\d{5}(?:-\d{4})?$"
)


def by_position(page: PageSearch) -> Iterable[Vote]:
    """Yield the name that heads the page, the address below it, and whom a letter is sent to."""
    layout = page.layout
    if not layout.rows:
        return
    for field in page.schema.fields:
        if field.position == "addressee":
            yield from _addressee(page, field)
    top = next((f for f in page.schema.fields if f.position == "top"), None)
    if top is None:
        return
    rows = [(cell.start, cell.end) for cell in layout.cells if cell.row < HEAD_ROWS]
    scored = [
        (_heading_score(page, start, end), number)
        for number, (start, end) in enumerate(rows[:HEAD_CELLS])
        if sum(c.isalpha() for c in layout.text(start, end)) >= 3
    ]
    if not scored:
        return
    for score, number in sorted(scored, reverse=True)[:MOST_HEADINGS]:
        start, end = rows[number]
        start = _with_line_above(layout, start, rows, number)
        end = _without_registration(layout, start, end)
        text = layout.text(start, end)
        for span in spans(text, top.type, page.locale):
            yield page.vote(top, range(start, end), span, text, "top", score)
    below = next((f for f in page.schema.fields if f.position == "below_top"), None)
    if below is not None:
        _, name_row = max(scored)
        yield from _address_below(page, below, rows, name_row)


def _heading_score(page: PageSearch, start: int, end: int) -> float:
    """Return how surely a cell near the top is the name that heads the page."""
    layout = page.layout
    text = layout.text(start, end)
    lowered = fold(text)
    score = 0.4 - 0.25 * layout.row_of[start]
    if start in page.label_at:
        score -= 1.5
    if is_company(text):
        score += 1.4
    if _NOT_HEAD.search(_REGISTRATION.sub("", lowered)):
        score -= 1.5
    if _STREET_WORDS.search(lowered) and not is_company(text):
        score -= 0.8
    if sum(c.isdigit() for c in text) > 0.3 * len(text):
        score -= 1.0
    height = max(w.box.h for w in layout.words[start:end])
    return score + min(max(height / layout.line_height - 1.0, 0.0), 1.0) * 0.6


def _addressee(page: PageSearch, field: FieldSchema) -> Iterable[Vote]:
    """Yield the first line of an address block in the upper half: two to six cells with one left edge.

    The last line has a postcode. A block at the very top is a letterhead, not an addressee.
    """
    layout = page.layout
    for cell in layout.cells:
        if cell.box.y > 0.5 or not _POSTCODE.search(layout.text(cell.start, cell.end)):
            continue
        block = [cell]
        for above in reversed(layout.cells[: layout.cell_of[cell.start]]):
            gap = (block[-1].box.y - above.box.bottom) / layout.line_height
            if gap > 2.5 or len(block) == 6:
                break
            if abs(above.box.x - cell.box.x) * layout.ratio < layout.line_height and gap > -0.5:
                if above.start in page.label_at or layout.words[above.end - 1].text.endswith(":"):
                    break
                block.append(above)
        name = block[-1]
        if len(block) < 3 or name.box.y < 0.1:
            continue
        words = list(range(name.start, name.end))
        if len(block) > 3 and continues_name(layout.text(block[-2].start, block[-2].end)):
            words += range(block[-2].start, block[-2].end)
        text = " ".join(layout.words[i].text for i in words)
        score = 0.5 - (0.6 if cell.box.x > 0.5 else 0.0) - 0.4 * cell.box.y
        for span in spans(text, field.type, page.locale):
            if span.quality >= 0.5:
                yield page.vote(field, words, span, text, "top", score)


def _with_line_above(layout: Layout, start: int, rows: Sequence[tuple[int, int]], number: int) -> int:
    """Return the start of a company's name: a line that begins with a legal form continues the last."""
    if number and starts_with_legal_form(layout.words[start].text) and rows[number - 1][1] == start:
        return rows[number - 1][0]
    return start


def _without_registration(layout: Layout, start: int, end: int) -> int:
    """Return the end of a company's name: a registration number behind it is not part of it."""
    for index in range(start + 1, end):
        if _REGISTRATION.fullmatch(layout.text(index, end).lower().strip()):
            return index
    return end


def _address_below(
    page: PageSearch, field: FieldSchema, rows: Sequence[tuple[int, int]], name_row: int
) -> Iterable[Vote]:
    layout = page.layout
    lines: list[tuple[int, int]] = []
    strength = 0.0
    for start, end in rows[name_row + 1 :]:
        text = fold(layout.text(start, end))
        if len(lines) == 6:
            break
        alike = len(_STREET_WORDS.findall(text)) + 0.5 * text.count(",")
        if _REGISTRATION.search(text) and not re.search(r"jalan|jln|lot\b", text):
            continue
        if _PHONE.search(text) and lines:
            break
        if _NOT_HEAD.search(text) and not re.search(r"\bno\b.*\b(?:jalan|jln)", text):
            if lines:
                break
            continue
        if not lines and (alike < 1.0 or is_company(text) or not re.search(r"\d", text)):
            continue
        if lines and alike == 0 and not re.search(r"[a-z]{3}", text):
            break
        lines.append((start, end))
        strength += min(alike, 3.0)
    # The address ends with its last line that looks like one.
    while len(lines) > 1:
        text = fold(layout.text(*lines[-1]))
        if _STREET_WORDS.search(text) or text.rstrip().endswith((".", ",")):
            break
        lines.pop()
    if lines:
        yield from page.block(field, lines, "top", min(strength * 0.3, 2.0))
