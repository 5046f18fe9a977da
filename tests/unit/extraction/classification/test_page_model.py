"""The page model and what it looks at."""

from importlib import resources

import pytest

from alma.datamodel.schemas import shipped_schemas
from alma.extraction.classification.page_features import PageNumber, page_features, printed_number
from alma.extraction.classification.page_model import MODEL, NONE, facts, judge
from alma.extraction.page.layout import arrange
from tests.unit.extraction.classification.test_document_type import TEXTS
from tests.unit.written import page


def test_every_page_gets_a_probability_for_each_class_and_for_beginning_a_document() -> None:
    judged = judge([page_features(arrange(page(text))) for text in TEXTS.values()])

    assert len(judged) == len(TEXTS)
    for each in judged:
        assert set(each.types) == set(facts()["classes"])
        assert sum(each.types.values()) == pytest.approx(1, abs=1e-5)
        assert 0 <= each.begins <= 1
    assert judge([]) == []


def test_the_model_knows_shipped_types_and_nothing_else() -> None:
    assert set(facts()["classes"]) - {NONE} <= set(shipped_schemas())
    assert NONE in facts()["classes"]


def test_the_model_is_small_and_says_how_good_it_is() -> None:
    assert len(resources.files("alma.data").joinpath(MODEL).read_bytes()) < 1_500_000
    assert facts()["out_of_fold"]["accuracy"] >= 0.98
    assert facts()["out_of_fold"]["splitting"]["joined"]["precision"] >= 0.98


@pytest.mark.parametrize(
    ("text", "number", "total"),
    [
        ("ACME\nPage 2 of 5\nx\ny", 2, 5),
        ("x\ny\nz\nSeite 3 von 4", 3, 4),
        ("x\ny\nPágina 1 de 2", 1, 2),
        ("x\ny\nz\n2/3", 2, 3),
        ("x\ny\nz\n- 7 -", 7, None),
        ("x\ny\nPage 4", 4, None),
        ("TOTAL\n9.00\nx\nTHANK YOU", None, None),
    ],
)
def test_the_number_a_page_says_it_has(text: str, number: int | None, total: int | None) -> None:
    assert printed_number(arrange(page(text))) == PageNumber(number, total)
