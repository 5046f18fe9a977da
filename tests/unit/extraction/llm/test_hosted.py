"""What is left of a language model's answer once it has to stand on the page."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from alma.datamodel.fields import Extraction, Field, Reading, Status
from alma.datamodel.geometry import Box, Region
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType
from alma.extraction.llm.grounding import Grounded, ground
from alma.extraction.llm.merging import merge
from alma.extraction.llm.question import question_for
from tests.unit.written import page

LEASE = DocumentSchema(
    doc_type="lease",
    description="A contract that lets a place.",
    fields=(
        FieldSchema(key="landlord", type=FieldType.NAME, description="Who lets.", aliases=("lessor",)),
        FieldSchema(key="tenant", type=FieldType.NAME, repeated=True),
        FieldSchema(key="address", type=FieldType.ADDRESS),
        FieldSchema(key="begins", type=FieldType.DATE),
        FieldSchema(key="rent", type=FieldType.AMOUNT),
        FieldSchema(key="acreage", type=FieldType.NUMBER),
        FieldSchema(key="number", type=FieldType.IDENTIFIER),
        FieldSchema(key="clerk", type=FieldType.NAME, name_order="last_first"),
    ),
)
PAGE = page(
    """
Lease No. BB 1897/44                     begins on the 3rd of March
Lessor: Josiah A. Greaves,               1897
Spinster                                 Rent     1.250,00

Send letters to          or to
Hill House               The Agent
12, Quay Street          P.O. Box 9
Bridge-                  Speightstown
town

12,5 acres. Clerk: Domingo, Roquena R.   Deposit  1.250,00
"""
)


def read(pages: list[PageText], **answers: Any) -> Grounded:
    """Return what is left of answers given as text, or as the whole list."""
    asked = question_for(LEASE, pages, max_pages=20, max_words=1000)
    assert asked is not None
    given = {key: each if isinstance(each, list) else [{"value": each}] for key, each in answers.items()}
    return ground(asked, LEASE, given)


def value(pages: list[PageText], key: str, answer: str) -> str | None:
    """Return the value that an answer leads to."""
    found = read(pages, **{key: answer}).readings.get(key)
    return found[0].value if found else None


# --- the question


def test_the_question_shows_the_pages_and_asks_for_every_field_of_the_type() -> None:
    asked = question_for(LEASE, [PAGE, page("Signed", 2)], max_pages=20, max_words=1000)

    assert asked is not None
    assert [text.splitlines()[:2] for text in asked.texts] == [
        ["Page 1", "Lease No. BB 1897/44   begins on the 3rd of March"],
        ["Page 2", "Signed"],
    ]
    jsonschema.Draft202012Validator.check_schema(asked.answer)
    assert list(asked.answer["properties"]) == [field.key for field in LEASE.fields]
    assert asked.answer["properties"]["landlord"]["description"] == (
        "Who lets. A name. Labels seen beside it: lessor. At most one entry."
    )


def test_no_more_pages_and_words_are_shown_than_allowed() -> None:
    pages = [page("one two three", 1), page("four five six", 2), page("seven", 3)]

    by_words = question_for(LEASE, pages, max_pages=20, max_words=5)
    by_pages = question_for(LEASE, pages, max_pages=1, max_words=1000)

    assert by_words is not None
    assert by_pages is not None
    assert by_words.texts == ("Page 1\none two three", "Page 2\nfour five")
    assert by_pages.texts == ("Page 1\none two three",)


def test_of_a_page_that_two_tracks_read_the_fuller_one_is_shown() -> None:
    stamp, scan = page("Received", track=Track.TEXT), page("Lease of a house", track=Track.VISION)

    asked = question_for(LEASE, [stamp, scan], max_pages=20, max_words=1000)

    assert asked is not None
    assert asked.texts == ("Page 1\nLease of a house",)


def test_a_document_without_words_is_not_asked_about() -> None:
    assert question_for(LEASE, [page("")], max_pages=20, max_words=1000) is None


# --- grounding


@pytest.mark.parametrize(
    ("key", "answer", "expected"),
    [
        ("landlord", "JOSIAH A GREAVES", "Josiah A. Greaves"),
        ("landlord", "Josiah A. Greaves, Spinster", "Josiah A. Greaves, Spinster"),
        ("begins", "1897-03-03", "1897-03-03"),
        ("begins", "3rd of March 1897", "1897-03-03"),
        ("rent", "1250.00", "1250.00"),
        ("rent", "EUR 1.250,00", "1250.00"),
        ("acreage", "12.5", "12.5"),
        ("number", "BB 1897/44", "BB 1897/44"),
        ("address", "Hill House\n12 Quay Street\nBridgetown", "Hill House 12, Quay Street Bridge- town"),
        ("clerk", "Domingo, Roquena R.", "Roquena R. Domingo"),
    ],
)
def test_the_value_is_the_pages_own_where_the_answer_says_the_same(
    key: str, answer: str, expected: str
) -> None:
    assert value([PAGE], key, answer) == expected


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("landlord", "Josiah B. Greaves"),
        ("landlord", "Greaves Josiah A."),
        ("landlord", "osiah A. Greaves"),
        ("rent", "1250.01"),
        ("rent", "free of charge"),
        ("begins", "1897-03-04"),
        ("number", "44"),
        ("address", "The Agent Quay Street"),
        ("address", "x" * 2000),
        ("landlord", ""),
    ],
)
def test_an_answer_that_stands_nowhere_is_dropped_and_counted(key: str, answer: str) -> None:
    left = read([PAGE], **{key: answer})

    assert (left.readings, left.kept, left.dropped) == ({}, 0, 1)


@pytest.mark.parametrize(
    "answer",
    [
        {"landlord": None, "rent": []},
        {"landlord": [None]},
        {"landlord": [{"value": {"a": 1}}]},
        {"landlord": [["Josiah"]]},
        {"landlord": True},
        {"nobody": [{"value": "Josiah A. Greaves"}]},
        {"landlord": [{"value": "Nobody", "quote": 5, "page": "one"}]},
    ],
)
def test_an_answer_of_any_other_shape_leads_to_nothing(answer: dict[str, Any]) -> None:
    asked = question_for(LEASE, [PAGE], max_pages=20, max_words=1000)
    assert asked is not None

    assert ground(asked, LEASE, answer).readings == {}


def test_evidence_is_exactly_the_words_and_confidence_is_unknown() -> None:
    [reading] = read([PAGE], landlord="Josiah A. Greaves").readings["landlord"]
    first, last = (next(w for w in PAGE.words if w.text == t) for t in ("Josiah", "Greaves,"))

    assert (reading.track, reading.content, reading.confidence) == ("hosted", "Josiah A. Greaves,", None)
    assert [(r.page, r.box.to_dict()) for r in reading.regions] == [(1, first.box.union(last.box).to_dict())]


def test_a_value_down_a_column_has_a_region_for_each_line() -> None:
    [reading] = read([PAGE], address="Hill House, 12 Quay Street, Bridgetown").readings["address"]

    assert len(reading.regions) == 4
    assert all(region.box.right < 0.3 for region in reading.regions)


@pytest.mark.parametrize(("quote", "row"), [("Spinster Rent 1.250,00", 2), ("Deposit 1.250,00", 10), ("", 2)])
def test_of_several_places_the_quoted_one_is_taken_and_else_the_first(quote: str, row: int) -> None:
    [reading] = read([PAGE], rent=[{"value": "1.250,00", "quote": quote, "page": 1}]).readings["rent"]

    assert reading.regions[0].box.y == pytest.approx((20 + row * 16) / 800)


def test_without_a_telling_quote_the_page_that_is_named_decides() -> None:
    pages = [page("Rent 90.00", 1), page("Rent 90.00", 2)]

    [reading] = read(pages, rent=[{"value": "90.00", "quote": "Rent 90.00", "page": 2}]).readings["rent"]

    assert reading.regions[0].page == 2


def test_a_page_lying_on_its_side_keeps_its_boxes_as_displayed() -> None:
    turned = page("Lessor: Josiah A. Greaves", turned=90)

    [reading] = read([turned], landlord="Josiah A. Greaves").readings["landlord"]

    words = [w for w in turned.words if w.text != "Lessor:"]
    box = words[0].box.union(words[1].box).union(words[2].box)
    assert reading.regions[0].box.to_dict() == box.to_dict()


def test_a_repeated_field_takes_each_place_once_and_a_single_one_only_one() -> None:
    twice = page("Tenant: Ada Byron\nTenant: Ada Byron")
    answers = [{"value": "Ada Byron"}] * 3

    assert len(read([twice], tenant=answers).readings["tenant"]) == 2
    assert read([twice], tenant=answers).dropped == 1
    assert len(read([twice], landlord=answers).readings["landlord"]) == 1


def test_a_page_made_to_be_slow_is_given_up_and_not_searched_for_ever() -> None:
    lines = page("\n".join(["a " * 100] * 40))

    assert read([lines], landlord="a" * 900 + "b", address="a" * 900 + "b").dropped == 2


# --- merging


HERE = (Region(1, Box(0.1, 0.1, 0.2, 0.02)),)
THERE = (Region(1, Box(0.1, 0.5, 0.2, 0.02)),)


def known(key: str, text: str, confidence: float | None = 0.9, occurrence: int = 0) -> Field:
    """Return a field that the text track reads."""
    return Field(key, occurrence, (Reading("text", text, text, confidence, HERE),))


def said(text: str, regions: tuple[Region, ...] = THERE) -> Reading:
    """Return a reading of the hosted track."""
    return Reading("hosted", text, text, None, regions)


def shown(extraction: Extraction) -> list[tuple[str, int, str, str, tuple[str, ...], list[str]]]:
    """Return what matters of an extraction's fields."""
    return [
        (f.key, f.occurrence, f.best.value, f.status, f.reasons, [r.track for r in f.readings])
        for f in extraction.fields
    ]


def test_an_agreeing_reading_is_added_and_shares_the_confidence_of_the_same_value() -> None:
    merged = merge(Extraction("lease", 0.9, [known("rent", "90.00")]), {"rent": [said("90.00")]}, LEASE)

    assert shown(merged) == [("rent", 0, "90.00", "unreviewed", (), ["text", "hosted"])]
    assert [reading.confidence for reading in merged.fields[0].readings] == [0.9, 0.9]
    assert (merged.doc_type, merged.doc_type_confidence) == ("lease", 0.9)


@pytest.mark.parametrize("confidence", [0.9, None])
def test_a_disagreeing_reading_escalates_and_never_becomes_the_best(confidence: float | None) -> None:
    merged = merge(
        Extraction("lease", None, [known("rent", "90.00", confidence)]), {"rent": [said("80.00")]}, LEASE
    )

    assert shown(merged) == [
        ("rent", 0, "90.00", "escalated", ("tracks_disagree",), ["text", "hosted"]),
    ]


def test_a_field_that_only_the_hosted_track_reads_is_escalated_at_its_place_in_the_schema() -> None:
    merged = merge(
        Extraction("lease", None, [known("landlord", "A B"), known("rent", "90.00")]),
        {"begins": [said("1897-03-03")], "acreage": [said("12.5")]},
        LEASE,
    )

    assert [(key, status, reasons) for key, _, _, status, reasons, _ in shown(merged)] == [
        ("landlord", "unreviewed", ()),
        ("begins", "escalated", ("confidence_unknown", "only_hosted")),
        ("rent", "unreviewed", ()),
        ("acreage", "escalated", ("confidence_unknown", "only_hosted")),
    ]


def test_values_of_a_repeated_field_meet_by_value_then_by_place_and_else_stand_alone() -> None:
    merged = merge(
        Extraction("lease", None, [known("tenant", "Ada Byron"), known("tenant", "Mary", occurrence=1)]),
        {"tenant": [said("ADA BYRON"), said("Mary Shelley", HERE), said("Jane Austen")]},
        LEASE,
    )

    assert shown(merged) == [
        ("tenant", 0, "Ada Byron", "unreviewed", (), ["text", "hosted"]),
        ("tenant", 1, "Mary", "escalated", ("tracks_disagree",), ["text", "hosted"]),
        ("tenant", 2, "Jane Austen", "escalated", ("confidence_unknown", "only_hosted"), ["hosted"]),
    ]


def test_a_reason_is_named_once_and_earlier_ones_stay() -> None:
    doubted = Field(
        "rent",
        0,
        known("rent", "90.00").readings,
        Status.ESCALATED,
        reasons=("low_confidence", "tracks_disagree"),
    )

    merged = merge(Extraction("lease", None, [doubted]), {"rent": [said("80.00")]}, LEASE)

    assert merged.fields[0].reasons == ("low_confidence", "tracks_disagree")
