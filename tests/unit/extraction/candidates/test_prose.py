"""Names, sums and descriptions in sentences: where they begin and end, over lines and past margins."""

import pytest

from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType
from alma.extraction.candidates.generation import Candidate, candidates
from alma.extraction.page.layout import arrange
from alma.extraction.page.reading_order import reading_order
from alma.extraction.values.locales import Locale
from tests.unit.written import page

LEASE = DocumentSchema(
    doc_type="lease",
    fields=(
        FieldSchema(key="party", type=FieldType.NAME, repeated=True),
        FieldSchema(key="signed", type=FieldType.DATE),
        FieldSchema(key="rent", type=FieldType.AMOUNT),
        FieldSchema(key="plot", type=FieldType.IDENTIFIER),
        FieldSchema(key="premises", type=FieldType.TEXT, extent="paragraph"),
    ),
)


def offered(text: str, key: str = "party") -> dict[str, Candidate]:
    """Return the candidates of a field by value."""
    return {c.value: c for c in candidates([arrange(page(text))], LEASE, Locale()).by_field[key]}


@pytest.mark.parametrize(
    ("sentence", "names"),
    [
        (
            "This lease is granted by Orla Quist and Bram Quist, her husband,\n"
            "of Tarnmouth to the Pell Valley Creamery, Inc., a Vermont corporation,\n"
            "for a term of nine years from the date of its signing hereunder.",
            ["Orla Quist", "Bram Quist", "Pell Valley Creamery, Inc."],
        ),
        (
            "I hereby let to the persons who are named in the schedule, ODDNY P.\n"
            "HALVARD, JR., as Trustee of the Halvard Family Trust, and to no other\n"
            "person whatever, the premises that are described in this writing.",
            ["ODDNY P. HALVARD, JR.", "Halvard Family Trust"],
        ),
        (
            "and it was agreed between the said persons that Messrs. Tove, Lund and\n"
            "Strand, LLP should hold the deposit until the Bank of Upper Calder has\n"
            "paid out whatever is due to them under the terms of this agreement.",
            ["Tove, Lund and Strand, LLP", "Bank of Upper Calder"],
        ),
        (
            "the tenant shall give notice to Mirela van der Aart residing at nine\n"
            "Quay Street before the end of the month in which the rent was due and\n"
            "to Dunstan Okoro-\nlund if she cannot be found there by the bearer.",
            ["Mirela van der Aart", "Dunstan Okorolund"],
        ),
    ],
)
def test_a_name_ends_where_the_sentence_goes_on(sentence: str, names: list[str]) -> None:
    found = offered(sentence)
    assert [name for name in names if name not in found] == []


def test_no_name_is_a_sentence() -> None:
    found = offered(
        "KNOW ALL MEN BY THESE PRESENTS THAT WE, ORLA QUIST AND BRAM QUIST, DO\n"
        "HEREBY LET UNTO THE SAID TENANT ALL OF THE PREMISES, TO HAVE AND TO HOLD\n"
        "THE SAME FOR THE TERM OF NINE YEARS FROM THE DATE OF THIS WRITING."
    )
    assert {"ORLA QUIST", "BRAM QUIST"} <= found.keys()
    inside = [value for value, c in found.items() if c.words[0] not in (0, 13, 26) and "HAVE" in value]
    assert inside == []


def test_a_name_over_a_line_end_has_the_boxes_of_its_words_one_a_line() -> None:
    found = offered(
        "the keeper of the keys shall be for the whole of this term Oddny\n"
        "Halvard who may appoint another person to keep them in her place."
    )
    first, second = found["Oddny Halvard"].regions
    assert (first.page, second.page) == (1, 1)
    assert first.box.x > 0.5 > second.box.right
    assert first.box.bottom < second.box.y


MARGIN = """
LEASE BOOK 9      This lease witnesses that for the rent that is
                  reserved below Orla Quist does let and demise to
Orla Quist        the tenant who has signed it the house that Bram
To                Halvard built beside the weir, to hold it for nine
B. Halvard        years from this day and no longer than that time.
"""


def test_a_sentence_goes_on_past_what_stands_in_the_margin() -> None:
    layout = arrange(page(MARGIN))
    order = reading_order(layout)
    words = [layout.words[i].text for i in order.order]
    at = words.index("Bram")
    assert words[at : at + 3] == ["Bram", "Halvard", "built"]
    assert words[words.index("To") - 2 : words.index("To") + 3] == ["Orla", "Quist", "To", "B.", "Halvard"]
    assert "Bram Halvard" in offered(MARGIN)


def test_a_sum_in_brackets_behind_its_words_is_not_negative() -> None:
    sentence = (
        "paying for it every year the sum of six hundred and forty\n"
        "dollars ($640.00) on the first day of May in each year."
    )
    assert "640.00" in offered(sentence, "rent")
    assert "-640.00" not in offered(sentence, "rent")


def test_a_date_is_read_over_a_line_end() -> None:
    sentence = "this lease was signed by both of them on the fourteenth day of\nMarch, 1931 and sealed."
    assert "1931-03-14" in offered(sentence, "signed")


def test_a_letter_that_numbers_something_is_an_identifier() -> None:
    assert "D" in offered("the ground known as Block D of the garden on the hill", "plot")


def test_a_description_goes_over_lines_from_its_beginning_to_its_end() -> None:
    found = offered(
        "They let the following premises:\n\n"
        "All that house beside the weir at Tarnmouth with the garden\n"
        "behind it, bounded on the east by the mill race and on the\n"
        "west by the lane.\n\n"
        "TO HOLD the same for nine years.",
        "premises",
    )
    whole = (
        "All that house beside the weir at Tarnmouth with the garden behind it, bounded on the east "
        "by the mill race and on the west by the lane."
    )
    assert whole in found
    assert len(found[whole].regions) == 3
