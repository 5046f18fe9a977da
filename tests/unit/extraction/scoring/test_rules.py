"""Rules between fields: what fits together, and what contradicts."""

import math

import pytest

from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType, Rule, shipped_schemas
from alma.extraction.resolve import extract
from alma.extraction.scoring.rules import best_together, broken, holds
from tests.unit.written import page

SUM = Rule(kind="sum", keys=("net", "tax", "gross"))
ORDER = Rule(kind="order", keys=("from", "to"))
BILL = DocumentSchema(
    doc_type="bill",
    fields=tuple(FieldSchema(key=key, type=FieldType.AMOUNT) for key in SUM.keys),
    rules=(SUM,),
)


@pytest.mark.parametrize(
    ("rule", "values", "verdict"),
    [
        (SUM, {"net": "129.00", "tax": "25.80", "gross": "154.80"}, True),
        (SUM, {"net": "129.00", "tax": "25.79", "gross": "154.80"}, True),  # each addend was rounded
        (SUM, {"net": "129.00", "tax": "20.00", "gross": "154.80"}, False),
        (SUM, {"net": "-10.00", "tax": "-2.00", "gross": "-12.00"}, True),
        (SUM, {"net": "129.00", "tax": "0.00", "gross": "129.00"}, True),
        (SUM, {"net": "129.00", "gross": "154.80"}, None),
        (ORDER, {"from": "2020-02-07", "to": "2020-02-13"}, True),
        (ORDER, {"from": "2020-02-07", "to": "2020-02-07"}, True),
        (ORDER, {"from": "2020-02-13", "to": "2020-02-07"}, False),
    ],
)
def test_a_rule_holds_or_not(rule: Rule, values: dict[str, str | None], verdict: bool | None) -> None:
    assert holds(rule, values) is verdict


def test_values_that_add_up_win_over_slightly_better_ones_that_do_not() -> None:
    options = {
        "net": [("154.80", math.log(0.5)), ("129.00", math.log(0.4))],
        "tax": [("25.80", math.log(0.9))],
        "gross": [("154.80", math.log(0.9))],
    }
    assert best_together(BILL, options) == {"net": "129.00", "tax": "25.80", "gross": "154.80"}


def test_values_that_are_much_better_win_over_a_rule() -> None:
    options = {
        "net": [("130.00", math.log(0.98)), ("129.00", math.log(0.01))],
        "tax": [("25.80", math.log(0.9))],
        "gross": [("154.80", math.log(0.9))],
    }
    assert best_together(BILL, options) == {}


def test_a_rule_says_nothing_where_a_value_is_missing() -> None:
    assert best_together(BILL, {"net": [("1.00", -0.1)], "tax": [], "gross": [("1.00", -0.1)]}) == {}
    assert broken(BILL, {"net": "1.00", "gross": "1.00"}) == (set(), set())


def test_a_contradiction_is_the_reason_a_field_is_escalated() -> None:
    text = "INVOICE\n\nSubtotal   129.00\nVAT         20.00\nTotal      154.80\n"
    found = {f.key: f for f in extract([page(text)], shipped_schemas(), "invoice").fields}
    assert {k: found[k].best.value for k in ("total_net", "total_tax", "total_gross")} == {
        "total_net": "129.00",
        "total_tax": "20.00",
        "total_gross": "154.80",
    }
    for key in ("total_net", "total_tax", "total_gross"):
        assert "rule_violated" in found[key].reasons
        assert found[key].status == "escalated"
