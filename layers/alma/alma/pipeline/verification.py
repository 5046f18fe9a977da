"""Stage: values that stand on an earlier recogniser's words are compared with the picture of the page.

What lies unseen under a scan is somebody's reading of it. To read all of it again takes ten times as long as
the page takes otherwise; what is answered, and a few words more, takes little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from alma.datamodel.fields import Extraction, Field, Reason, Status
from alma.datamodel.geometry import Word
from alma.datamodel.pages import PageText, Track

if TYPE_CHECKING:
    from PIL import Image

    from alma.ocr.completion import Reader

#: Words of a document that are compared at least, those with digits, wherever they stand.
SAMPLE = 6

#: Other values may be chosen once words are replaced; how often those are compared in turn.
ROUNDS = 3

#: Confidence of a word below which its value is for a person.
DOUBTFUL = 0.5


def verified(
    pages: Sequence[PageText],
    read: Callable[[Sequence[PageText]], Extraction],
    image_of: Callable[[int], Image.Image],
    reader: Callable[[], Reader],
    keep: Callable[[PageText], None],
) -> tuple[list[PageText], Extraction]:
    """Return the words of a document and its fields, after those on unprinted words are compared.

    Parameters
    ----------
    pages : sequence of PageText
        Its words.
    read : callable
        Returns the fields of words.
    image_of : callable
        Returns the image of a page, by its number.
    reader : callable
        Returns what recognises words.
    keep : callable
        Is told of each page whose words were compared.
    """
    pages = list(pages)
    extraction = read(pages)
    compared_before = False
    for _ in range(ROUNDS):
        chosen = _chosen(pages, extraction, 0 if compared_before else SAMPLE)
        if not any(chosen.values()):
            break
        from alma.ocr.completion import compared

        compared_before = True
        changed = False
        for index, positions in chosen.items():
            before = pages[index]
            pages[index] = compared(reader(), image_of(before.page), before, positions)
            changed |= pages[index].words != before.words
            keep(pages[index])
        if not changed:
            break
        extraction = read(pages)
    doubtful = [(page.page, word) for page in pages for word in _doubtful(page)]
    return pages, replace(extraction, fields=[_escalated(field, doubtful) for field in extraction.fields])


def _doubtful(page: PageText) -> list[Word]:
    """Return the words of a text layer that the picture contradicts, or that stand on nothing in it."""
    if page.astray:
        return [page.words[position] for position in page.unprinted]
    if page.track is not Track.TEXT:
        return []
    return [word for word in page.words if word.confidence is not None and word.confidence < DOUBTFUL]


def _chosen(pages: Sequence[PageText], extraction: Extraction, least: int) -> dict[int, set[int]]:
    """Return the positions of the words to compare, by the index of their page."""
    chosen: dict[int, set[int]] = {}
    for index, page in enumerate(pages):
        if page.unprinted and not page.astray:
            own = [field for field in extraction.fields if _stands_on(field, page)]
            found = {
                position
                for position in page.unprinted
                if any(_covers(field, page.page, page.words[position]) for field in own)
            }
            if found:
                chosen[index] = found
    missing = least - sum(map(len, chosen.values()))
    for index, page in enumerate(pages):
        if page.astray:
            continue
        others = [
            position
            for position in page.unprinted
            if position not in chosen.get(index, ()) and any(map(str.isdigit, page.words[position].text))
        ]
        if missing > 0 and others:
            step = max(1, len(others) // missing)
            more = others[::step][:missing]
            chosen.setdefault(index, set()).update(more)
            missing -= len(more)
    return chosen


def _stands_on(field: Field, page: PageText) -> bool:
    return any(region.page == page.page for reading in field.readings for region in reading.regions)


def _covers(field: Field, page: int, word: Word) -> bool:
    return any(
        region.page == page and region.box.holds(word.box.centre)
        for reading in field.readings
        for region in reading.regions
    )


def _escalated(field: Field, doubtful: Sequence[tuple[int, Word]]) -> Field:
    """Return a field, for a person where its value stands on a doubtful word."""
    shown = replace(field, readings=tuple(r for r in field.readings[:1] if r.track == Track.TEXT))
    if Reason.TRACKS_DISAGREE in field.reasons or not any(_covers(shown, *each) for each in doubtful):
        return field
    return replace(field, status=Status.ESCALATED, reasons=(*field.reasons, Reason.TRACKS_DISAGREE))
