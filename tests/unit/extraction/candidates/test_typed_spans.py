"""What a page offers before anybody asks for a field: every span that looks like a value, with its words."""

import pytest

from alma.datamodel.schemas import FieldType
from alma.extraction.candidates.typed_spans import shape, typed_spans
from alma.extraction.page.layout import arrange
from alma.extraction.values.locales import Locale
from tests.unit.written import page


def found(text: str, kind: FieldType, ends: frozenset[int] = frozenset()) -> dict[str, list[str]]:
    """Return by value the words it is made of."""
    layout = arrange(page(text))
    return {
        p.value: [layout.words[i].text for i in p.words] for p in typed_spans(layout, kind, Locale(), ends)
    }


def test_an_amount_is_its_digits_and_not_the_currency_beside_them() -> None:
    assert found("TOTAL  RM 33.90", FieldType.AMOUNT) == {"33.90": ["33.90"]}
    assert found("TOTAL  $33.90", FieldType.AMOUNT) == {"33.90": ["$33.90"]}
    assert found("TOTAL  - RM 33.90", FieldType.AMOUNT)["-33.90"] == ["-", "RM", "33.90"]


def test_a_date_may_go_on_in_the_next_line() -> None:
    assert found("made this 4th day of\nMarch, 1952 between", FieldType.DATE)["1952-03-04"] == [
        "4th", "day", "of", "March,", "1952",
    ]  # fmt: skip


def test_a_name_is_a_cell_a_part_of_it_or_several_lines() -> None:
    names = found("RESTAURANT SIN DU\nSDN BHD (519537-X)\nTEL: 07-355 2616", FieldType.NAME)
    assert "RESTAURANT SIN DU" in names
    assert "RESTAURANT SIN DU SDN BHD" in names
    assert names["SDN BHD"] == ["SDN", "BHD"]


def test_a_name_may_be_wanted_without_its_article() -> None:
    assert {"The Harbour Group LLC", "Harbour Group LLC"} <= set(
        found("The Harbour Group LLC", FieldType.NAME)
    )


def test_a_name_begins_behind_a_label() -> None:
    layout_words = "Registrant name Harbour Group"
    assert "Harbour Group" in found(layout_words, FieldType.NAME, frozenset({2}))
    assert "Harbour Group" not in found(layout_words, FieldType.NAME)


def test_an_address_is_a_block_of_lines() -> None:
    blocks = found("12, JALAN ROS 3,\nTAMAN ROS\n81100 JOHOR BAHRU", FieldType.ADDRESS)
    assert "12, JALAN ROS 3, TAMAN ROS 81100 JOHOR BAHRU" in blocks
    assert "TAMAN ROS" not in blocks  # neither a number nor a comma


@pytest.mark.parametrize("kind", list(FieldType))
def test_a_page_made_to_be_slow_gives_a_bounded_number(kind: FieldType) -> None:
    layout = arrange(page("\n".join(["1.00 A, " * 40] * 60)))
    assert len(typed_spans(layout, kind, Locale(), frozenset())) <= 1500


@pytest.mark.parametrize(
    ("text", "kind"), [("INV-0042", "A-9"), ("Total:", "Aa:"), ("12.50", "9.9"), ("É1", "A9")]
)
def test_the_shape_of_a_text(text: str, kind: str) -> None:
    assert shape(text) == kind
