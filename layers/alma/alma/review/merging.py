"""Merging: a document's fields with what re-extraction or one more track reads; what people said stays.

Pure rules over lists of fields. Occurrences of a repeated field and rows of a group have no name but their
number, so what was read anew is first matched with what is there, by place and by value; a number that a
person's decision stands on is not given to anything else.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate

from alma.datamodel.fields import Field, Reading, Reason, Status, doubt, ranked
from alma.datamodel.geometry import same_place
from alma.datamodel.pages import Track
from alma.datamodel.schemas import DocumentSchema
from alma.extraction.embedded_data import differs
from alma.extraction.values.text import comparison_key

#: Reasons of escalation that a confident reading of one more track settles.
SETTLED = frozenset(
    {
        Reason.LOW_CONFIDENCE,
        Reason.CONFIDENCE_UNKNOWN,
        Reason.TRACKS_DISAGREE,
        Reason.REQUIRED_MISSING,
        Reason.ONLY_HOSTED,
        Reason.ONLY_XML,
    }
)

#: Cells of the grid on a page, each way; rows that one blocking key may stand for, else it tells nothing.
_GRID, _COMMON = 20, 30


@dataclass
class _Row:
    """One occurrence: the cells of a row by column, or a field alone."""

    number: int
    cells: dict[str, Field] = field(default_factory=dict)

    @property
    def touched(self) -> bool:
        return any(cell.touched for cell in self.cells.values())

    @cached_property
    def values(self) -> dict[str, set[str]]:
        """What tracks and people say, by column."""
        return {key: {comparison_key(each.value) for each in _said(cell)} for key, cell in self.cells.items()}

    @property
    def blocking_keys(self) -> Iterator[tuple[object, ...]]:
        """Keys of which rows that match have at least one in common: a value, a cell of the page's grid."""
        for key, cell in self.cells.items():
            yield from ((key, value) for value in self.values[key])
            for region in (region for each in _said(cell) for region in each.regions):
                box = region.box
                for x in range(int(box.x * _GRID), int(box.right * _GRID) + 1):
                    for y in range(int(box.y * _GRID), int(box.bottom * _GRID) + 1):
                        yield key, region.page, x, y


def merge_re_extraction(
    existing: Sequence[Field], found: Sequence[Field], schema: DocumentSchema | None
) -> list[Field]:
    """Return the fields of a document that was read anew, as a whole.

    Fields a person decided, added or asked about keep what the person said and their numbers; their readings
    are the new ones, where there are any. All others are replaced.

    Parameters
    ----------
    existing : sequence of Field
        What the document has.
    found : sequence of Field
        What reading it again gave, missing ones included, in order.
    schema : DocumentSchema or None
        Its type now.

    Returns
    -------
    list of Field
        In the order to show them; `version` is what `existing` says or 1, to be counted on by who keeps them.
    """
    before, after = _rows(existing), _rows(field for field in found if not field.missing)
    numbers: dict[tuple[str, int], int] = {}
    for name, rows in after.items():
        kept = [row for row in before.get(name, []) if row.touched]
        pairs = _matched(kept, rows, single=_occurs_once(name, schema))
        taken = {row.number for row in kept}
        free = (number for number in range(len(taken) + len(rows)) if number not in taken)
        for row in rows:
            match = pairs.get(row.number)
            numbers[name, row.number] = next(free) if match is None else match.number
    known = {(field.key, field.occurrence): field for field in existing if field.touched}
    said = {key for key, _ in known}
    merged: list[Field] = []
    for new in found:
        number = new.occurrence if new.missing else numbers[_name(new), new.occurrence]
        decided = known.pop((new.key, number), None)
        if decided is None:
            if new.missing and new.key in said:
                continue  # somebody has said what there is to say of it
            merged.append(replace(new, occurrence=number))
        else:
            merged.append(replace(decided, readings=_read_anew(decided, new)))
    return _with(merged, [*known.values()])


def merge_track(
    existing: Sequence[Field],
    found: Sequence[Field],
    track: str,
    schema: DocumentSchema | None,
    review_below: float,
) -> list[Field]:
    """Return the fields of a document merged with the readings of one more track; the others' stay.

    A field nobody has decided follows its best reading: it is no longer escalated for doubts that a reading
    of the track with at least `review_below` settles. What only this track had read before and does not read
    any more goes.

    Parameters
    ----------
    existing : sequence of Field
        What the document has, readings of the track from before included.
    found : sequence of Field
        With readings of the track alone.
    track : str
        Whose readings are new.
    schema : DocumentSchema or None
        The document's type.
    review_below : float
        A field less sure than this goes to a person.

    Returns
    -------
    list of Field
        In the order to show them.
    """
    found = [field for field in found if not field.missing]
    before, after = _rows(existing), _rows(found)
    readings: dict[tuple[str, int], Field] = {}
    new: list[Field] = []
    for name, rows in after.items():
        there = before.get(name, [])
        pairs = _matched(there, rows, single=_occurs_once(name, schema))
        following = max((row.number for row in there), default=-1) + 1
        for row in rows:
            match = pairs.get(row.number)
            number = following if match is None else match.number
            following += match is None
            for column, cell in row.cells.items():
                if match is not None and column in match.cells:
                    readings[cell.key, number] = cell
                else:
                    new.append(replace(cell, occurrence=number))
    merged: list[Field] = []
    for old in existing:
        fresh = readings.get((old.key, old.occurrence))
        others = [reading for reading in old.readings if reading.track != track]
        each = ranked([*others, *(fresh.readings if fresh else ())])
        updated = replace(old, readings=each)
        if not old.touched:
            if not each and not old.missing and not _required(old.key, schema):
                continue
            updated = _reconsidered(updated, track, review_below)
        merged.append(updated)
    return _with(merged, new)


def _read_anew(field: Field, new: Field) -> tuple[Reading, ...]:
    """Return the new readings of a field that people or agents said something of: proposals stay."""
    proposed = (reading for reading in field.readings if reading.proposed)
    return (*new.readings, *proposed) if new.readings else field.readings


def _reconsidered(field: Field, track: str, review_below: float) -> Field:
    """Return an undecided field with the reasons to look at it that its readings give."""
    if not field.readings:
        return replace(field, status=Status.ESCALATED, reasons=(Reason.REQUIRED_MISSING,))
    best, others = field.readings[0], [reading for reading in field.readings if reading.track != track]
    unsure = doubt(best.confidence, review_below)
    if best.track == track and best.confidence is not None and unsure is None:
        reasons = [reason for reason in field.reasons if reason not in SETTLED]
    else:
        of_before = (Reason.LOW_CONFIDENCE, Reason.CONFIDENCE_UNKNOWN, Reason.REQUIRED_MISSING)
        reasons = [reason for reason in field.reasons if reason not in of_before]
        if unsure is not None:
            reasons.insert(0, unsure)
        read = {comparison_key(reading.value) for reading in others if reading.track != Track.XML}
        disagree = len(read) > 1
        if disagree and field.group is None and Reason.TRACKS_DISAGREE not in reasons:
            reasons.append(Reason.TRACKS_DISAGREE)
    # What the file's own data says is compared with whatever is best now.
    different = differs(field.readings)
    if different is not None:
        of_data = (Reason.ONLY_XML, Reason.XML_DIFFERS)
        reasons = [reason for reason in reasons if reason not in of_data]
        if different:
            reasons.append(Reason.XML_DIFFERS)
    status = Status.ESCALATED if reasons else Status.UNREVIEWED
    return replace(field, status=status, reasons=tuple(reasons))


def _name(field: Field) -> str:
    return field.group or field.key


def _rows(fields: Iterable[Field]) -> dict[str, list[_Row]]:
    """Return the occurrences of each field, and the rows of each group, in order."""
    rows: dict[str, dict[int, _Row]] = defaultdict(dict)
    for each in fields:
        row = rows[_name(each)].setdefault(each.occurrence, _Row(each.occurrence))
        row.cells[each.key] = each
    return {name: [by[number] for number in sorted(by)] for name, by in rows.items()}


def _occurs_once(name: str, schema: DocumentSchema | None) -> bool:
    known = schema.field(name) if schema is not None else None
    return known is not None and not known.repeated


def _required(key: str, schema: DocumentSchema | None) -> bool:
    known = schema.field(key) if schema is not None else None
    return known is not None and known.required and not known.repeated


def _matched(there: Sequence[_Row], rows: Sequence[_Row], *, single: bool) -> Mapping[int, _Row]:
    """Greedy matching, the best first: return the existing row by number of a new row, each at most once."""
    if single and there and rows:
        return {rows[0].number: there[0]}
    # The same words give the same rows: most are where they were, and need not be compared with all others.
    by_number = {old.number: old for old in there}
    found = {
        new.number: by_number[new.number]
        for new in rows
        if new.number in by_number and _in_one_place(by_number[new.number], new)
    }
    used = set(found)
    pairs = sorted(
        ((_likeness(old, new), old, new) for old, new in _candidates(there, rows, used)),
        key=lambda pair: (-pair[0], pair[1].number, pair[2].number),
    )
    for likeness, old, new in pairs:
        if likeness > 0 and new.number not in found and old.number not in used:
            found[new.number] = old
            used.add(old.number)
    return found


def _candidates(there: Sequence[_Row], rows: Sequence[_Row], used: Set[int]) -> Iterator[tuple[_Row, _Row]]:
    """Blocking: yield the pairs of rows not used yet that may match."""
    by_key: dict[tuple[object, ...], list[_Row]] = defaultdict(list)
    empty: list[_Row] = []
    for old in there:
        if old.number in used:
            continue
        if _is_missing(old):
            empty.append(old)
        for key in set(old.blocking_keys):
            by_key[key].append(old)
    for new in rows:
        if new.number in used:
            continue
        alike = {old.number: old for old in empty}
        for key in set(new.blocking_keys):
            # What many rows have tells none of them.
            if len(by_key.get(key, ())) <= _COMMON:
                alike |= {old.number: old for old in by_key.get(key, ())}
        yield from ((old, new) for old in alike.values())


def _is_missing(row: _Row) -> bool:
    return all(cell.missing and not cell.touched for cell in row.cells.values())


def _likeness(old: _Row, new: _Row) -> float:
    """Return the similarity of two rows; 0 where they do not match.

    A common place says it. Equal values alone do where most of what can be compared is equal: one of several
    rows may well have the quantity of another.
    """
    if _is_missing(old):
        return 0.01  # kept because nothing was found: whatever is found now
    common = _common(old, new)
    places = sum(_one_place(a, b) for a, b in common)
    values = sum(bool(old.values[a.key] & new.values[a.key]) for a, _ in common)
    return places + values / (len(common) + 1) if places or 2 * values > len(common) else 0.0


def _common(old: _Row, new: _Row) -> list[tuple[Field, Field]]:
    return [(old.cells[key], new.cells[key]) for key in old.cells.keys() & new.cells.keys()]


def _in_one_place(old: _Row, new: _Row) -> bool:
    return any(_one_place(a, b) for a, b in _common(old, new))


def _one_place(a: Field, b: Field) -> bool:
    return any(same_place(x.regions, y.regions) for x in _said(a) for y in _said(b))


def _said(field: Field) -> list[Reading]:
    """Return all that tracks and people say of a field."""
    return [*field.readings, *([field.reviewed] if field.reviewed is not None else [])]


def _with(fields: Sequence[Field], added: Sequence[Field]) -> list[Field]:
    """Return fields with others put beside those they belong to: of their row, of their name, else last."""
    own: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for at, each in enumerate(fields):
        own[_name(each)].append((each.occurrence, at))
    after: dict[str, tuple[list[int], list[int]]] = {}
    for name, places in own.items():
        places.sort()
        after[name] = ([number for number, _ in places], [*accumulate((at for _, at in places), max)])
    placed = [(at, 1, each) for at, each in enumerate(fields)]
    for each in sorted(added, key=lambda field: field.occurrence):
        numbers, last = after.get(_name(each), ([], []))
        before = bisect_right(numbers, each.occurrence)
        at = last[before - 1] + 1 if before else min(last) if last else len(fields)
        placed.append((at, 0, each))
    return [each for *_, each in sorted(placed, key=lambda place: place[:2])]
