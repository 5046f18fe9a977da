"""Where the value of a label stands."""

import pytest

from alma.datamodel.geometry import Box, Word, regions_of
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType, shipped_schemas
from alma.extraction.candidates.generation import Candidate, candidates
from alma.extraction.candidates.label_search import lexicon_of
from alma.extraction.page.labels import Label, Lexicon, squash
from alma.extraction.page.layout import arrange
from alma.extraction.values.locales import Locale
from tests.unit.written import page

ORDER = DocumentSchema(
    doc_type="order",
    fields=(
        FieldSchema(key="number", aliases=("order no",), type=FieldType.IDENTIFIER),
        FieldSchema(key="customer", aliases=("customer",), type=FieldType.NAME),
        FieldSchema(key="total", aliases=("total",), type=FieldType.AMOUNT),
        FieldSchema(key="start", aliases=("period",), type=FieldType.DATE),
        FieldSchema(key="end", aliases=("period",), type=FieldType.DATE, nth=1),
        FieldSchema(key="place", type=FieldType.TEXT, patterns=(r"laws\s+of\s+(?P<value>{PLACE})",)),
    ),
    other_labels=("phone", "gln"),
    closing_labels=("tax summary",),
)


def voted(text: str, key: str) -> list[Candidate]:
    """Return the candidates rules vote for, the best first."""
    found = candidates([arrange(page(text))], ORDER, Locale()).by_field[key]
    return sorted((c for c in found if c.votes), key=lambda c: -max(v.score for v in c.votes))


def best(text: str, key: str) -> str | None:
    found = voted(text, key)
    return found[0].value if found else None


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("Order No: A-17", "number", "A-17"),
        ("Order #        A-17", "number", "A-17"),
        ("ORDER NUMBER=A-17", "number", "A-17"),
        ("OrderNo.:A-17", "number", "A-17"),
        ("Ordar No. A-17", "number", "A-17"),
        ("Order No      Total\n  A-17         9.00", "number", "A-17"),
        ("Order No      Total\n  A-17         9.00", "total", "9.00"),
        ("Customer: Ann Baker     Phone: 555 0100", "customer", "Ann Baker"),
        ("Customer     Name:    Ann Baker", "customer", "Ann Baker"),
        ("Customer:\nGLN 4333741000005\nBaker Ltd\n12 Mill Lane", "customer", "Baker Ltd"),
        ("Customer:\nHerrn\nMax Baker\n12 Mill Lane", "customer", "Herrn Max Baker"),
        ("Customer:\nUnited Bakers\nof Ohio Ltd\n12 Mill Lane", "customer", "United Bakers of Ohio Ltd"),
        ("Customer: N/A", "customer", None),
        ("Period 01/02/2020 - 05/02/2020", "start", "2020-02-01"),
        ("Period 01/02/2020 - 05/02/2020", "end", "2020-02-05"),
        ("Total    18    $15,000.00", "total", "15000.00"),
        ("Total    5.00\n\nTax summary\nTotal    4.50", "total", "5.00"),
        ("under the laws of New\nYork without", "place", "New York"),
        ("The weather is fine.", "total", None),
    ],
)
def test_what_the_rules_say(text: str, key: str, value: str | None) -> None:
    assert best(text, key) == value


def test_a_candidate_carries_the_regions_of_exactly_its_words() -> None:
    text = page("Customer:   Ann Baker     Phone: 555 0100")
    (candidate, *_) = voted("Customer:   Ann Baker     Phone: 555 0100", "customer")
    ann, baker = text.words[1:3]
    assert candidate.regions == regions_of(1, [ann, baker])
    assert candidate.content == "Ann Baker"


def test_a_word_glued_to_its_label_is_divided_by_characters() -> None:
    word = Word("NO=1234", Box(0.1, 0.1, 0.7, 0.1), 0)
    layout = arrange(PageText(1, 100, 100, Track.TEXT, (word,)))
    assert [(w.text, round(w.box.x, 6), round(w.box.w, 6)) for w in layout.words] == [
        ("NO=", 0.1, 0.3),
        ("1234", 0.4, 0.4),
    ]


@pytest.mark.parametrize("text", ["10:30", "http://example.org/a", "a@b=c", "12:5"])
def test_a_time_or_an_address_is_not_divided(text: str) -> None:
    layout = arrange(PageText(1, 100, 100, Track.TEXT, (Word(text, Box(0.1, 0.1, 0.5, 0.1), 0),)))
    assert [w.text for w in layout.words] == [text]


def test_pieces_of_one_row_given_as_lines_are_one_row() -> None:
    words = (
        Word("left", Box(0.1, 0.100, 0.1, 0.02), 0),
        Word("below", Box(0.1, 0.150, 0.1, 0.02), 1),
        Word("right", Box(0.6, 0.103, 0.1, 0.02), 2),
    )
    layout = arrange(PageText(1, 100, 100, Track.TEXT, words))
    assert [[w.text for w in layout.words[a:b]] for a, b in layout.rows] == [["left", "right"], ["below"]]
    assert [layout.text(c.start, c.end) for c in layout.cells] == ["left", "right", "below"]


def test_a_page_without_words_has_no_rows() -> None:
    layout = arrange(PageText(1, 100, 100, Track.TEXT, ()))
    assert layout.rows == []
    assert candidates([layout], ORDER, Locale()).by_field["total"] == []


@pytest.mark.parametrize(
    ("word", "squashed"),
    [("Rechnungs-Nr.:", "rechnungsno"), ("N°", "no"), ("#", "no"), ("Straße", "strasse"), ("É.", "e")],
)
def test_labels_are_compared_without_case_accents_and_signs(word: str, squashed: str) -> None:
    assert squash(word) == squashed


def test_one_wrong_character_is_forgiven_in_a_long_label_only() -> None:
    lexicon = Lexicon.of({"invoice date": [Label("date", 0)], "tax": [Label("tax", 0)]})
    assert lexicon.look_up("lnvoicedate") == ((Label("date", 0),), True)
    assert lexicon.look_up("invoicedat") == ((Label("date", 0),), True)
    assert lexicon.look_up("invoiceddate") == ((Label("date", 0),), True)
    assert lexicon.look_up("lnvoicebate") is None
    assert lexicon.look_up("tux") is None


def test_the_longest_label_wins() -> None:
    lexicon = Lexicon.of({"order": [Label("a", 0)], "alt order no": [Label("b", 0)]})
    hits = lexicon.hits(arrange(page("Alt Order #: 9   Order 7")))
    assert [(h.start, h.end, h.labels[0].key, h.closed) for h in hits] == [
        (0, 3, "b", True),
        (4, 5, "a", False),
    ]


def test_the_lexicon_of_a_schema_is_built_once() -> None:
    assert lexicon_of(ORDER) is lexicon_of(ORDER)


@pytest.mark.parametrize(
    "word", ["1" * 3000, "A" * 3000, "agreement term ", "one ", "Ann & Bob ", "1.1 ", "(“"]
)
def test_a_page_made_to_be_slow_is_read(word: str) -> None:
    text = "\n".join([word * max(1, 100 // len(word))] * 60)
    for schema in shipped_schemas().values():
        found = candidates([arrange(page(text))], schema, Locale()).by_field
        assert set(found) == {f.key for f in schema.fields}
