"""Learning a model of one's own: what verified documents teach, and what is said of it."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import pytest

from alma.datamodel.examples import Example, LabelledDocument
from alma.datamodel.fields import Status
from alma.datamodel.geometry import enclosing
from alma.datamodel.pages import PageText
from alma.datamodel.schemas import DocumentSchema
from alma.errors import ConflictError
from alma.extraction.resolve import extract
from alma.extraction.scoring.confidence import shipped_calibration
from alma.extraction.scoring.scorer import Scorer, base_model
from alma.learning.training import Learned, learn
from tests.unit.written import page

#: No label of the type announces the reference: it stands after a word the schema does not name.
SCHEMA = DocumentSchema.model_validate(
    {
        "doc_type": "packing_slip",
        "keywords": ["packing slip"],
        "fields": [
            {"key": "reference", "type": "identifier"},
            {"key": "packed", "type": "date", "aliases": ["packed on"]},
        ],
    }
)
SLIP = """
            PACKING SLIP
Harbour Mills, {shelf} Mill Lane

Carton     KX-{carton}-7
Our mark   QR-{mark}-2          Pallet   PL-{pallet}-4
Packed on  {date}
{goods}
"""
GOODS = ("Flour 10 bags", "Yeast 2 boxes", "Sugar 6 bags", "Salt 1 sack", "Oats 3 bags")


def slip(number: int) -> PageText:
    text = SLIP.format(
        shelf=number % 90 + 3,
        carton=1000 + 37 * number,
        mark=2000 + 53 * number,
        pallet=3000 + 71 * number,
        date=f"2024-0{number % 9 + 1}-1{number % 8}",
        goods="\n".join(GOODS[: number % 5 + 1]),
    )
    return page(text)


def example(number: int, key: str, text: str) -> Example:
    """Return what a person says stands on a slip, with the place of these words."""
    box = enclosing(word.box for word in slip(number).words if word.text == text)
    return Example(text, key, "packing_slip", 1, box, f"pages/{number}/p1.png", Status.EDITED)


def document(number: int, *, complete: bool = True, reference: bool = True) -> LabelledDocument:
    examples = [example(number, "packed", f"2024-0{number % 9 + 1}-1{number % 8}")]
    if reference:
        examples.append(example(number, "reference", f"QR-{2000 + 53 * number}-2"))
    return LabelledDocument(number, (slip(number),), tuple(examples), complete)


def learnt(documents: list[LabelledDocument], **more: Any) -> Learned:
    return learn(
        documents,
        SCHEMA,
        base_model(),
        name="mdl_slips",
        base_name="alma-base",
        calibration=shipped_calibration(),
        **more,
    )


@cache
def from_twelve() -> Learned:
    return learnt([document(number) for number in range(1, 13)])


def read(model: bytes, number: int) -> dict[str, tuple[str, float | None]]:
    scorer = Scorer(model)
    found = extract([slip(number)], {"packing_slip": SCHEMA}, "packing_slip", scorer=scorer)
    return {field.key: (field.best.value, field.best.confidence) for field in found.fields}


def test_a_value_no_label_announces_is_learnt_from_documents() -> None:
    assert "reference" not in read(base_model(), 40)
    for number in (40, 41, 42):
        found = read(from_twelve().model, number)
        assert found["reference"][0] == f"QR-{2000 + 53 * number}-2"
        assert found["packed"][0] == f"2024-0{number % 9 + 1}-1{number % 8}"


def test_the_model_is_better_and_says_so_of_documents_it_had_not_seen() -> None:
    learned = from_twelve()
    card = json.loads(json.dumps(learned.card))
    assert learned.better
    assert learned.examples == 24
    assert card.pop("seconds") > 0
    figures = card.pop("calibration")
    assert sorted(figures) == ["auroc", "coverage_at_95", "coverage_at_99", "ece", "errors", "values"]
    assert figures["values"] == 24
    assert card == {
        "name": "mdl_slips",
        "doc_type": "packing_slip",
        "base_model": "alma-base",
        "data": {"documents": 12, "examples": 24, "complete_documents": 12},
        "holdout": {
            "method": "each part of the documents is read by a model that learnt from the others",
            "documents": 12,
            "folds": 5,
        },
        "before": {
            "micro_f1": 0.6667,
            "precision": 1.0,
            "recall": 0.5,
            "fields": {
                "reference": {"f1": 0.0, "precision": None, "recall": 0.0, "n": 12},
                "packed": {"f1": 1.0, "precision": 1.0, "recall": 1.0, "n": 12},
            },
        },
        "after": {
            "micro_f1": 1.0,
            "precision": 1.0,
            "recall": 1.0,
            "fields": {
                "reference": {"f1": 1.0, "precision": 1.0, "recall": 1.0, "n": 12},
                "packed": {"f1": 1.0, "precision": 1.0, "recall": 1.0, "n": 12},
            },
        },
        "seed": 0,
    }


def test_the_file_knows_its_type_and_how_sure_it_may_be() -> None:
    scorer = Scorer(from_twelve().model)
    about = scorer.about
    assert scorer.doc_type == "packing_slip"
    assert scorer.calibration is not None
    assert about["name"] == "mdl_slips"
    assert about["base"] == "alma-base"
    assert about["fields"] == ["packing_slip.packed", "packing_slip.reference"]
    assert (about["documents"], about["examples"]) == (12, 24)
    assert sorted(scorer.calibration.biases) == [
        "packing_slip",
        "packing_slip.packed",
        "packing_slip.reference",
    ]


def test_a_model_that_does_not_say_how_sure_it_is_has_no_confidence() -> None:
    for _, confidence in read(base_model(), 40).values():
        assert confidence is None


def test_twelve_documents_do_not_make_it_certain() -> None:
    for number in range(40, 50):
        for _, confidence in read(from_twelve().model, number).values():
            assert confidence is not None
            assert 0.5 < confidence < 0.99


def test_where_nothing_is_left_to_learn_the_model_is_no_better() -> None:
    known = [document(number, complete=False, reference=False) for number in range(1, 7)]
    learned = learnt(known)
    assert not learned.better
    assert learned.card["before"]["micro_f1"] == learned.card["after"]["micro_f1"] == 1.0
    assert sorted(learned.card["after"]["fields"]) == ["packed"]


def test_a_field_that_complete_documents_lack_is_learnt_as_absent() -> None:
    learned = learnt([document(number, reference=number % 2 == 0) for number in range(1, 9)])
    assert learned.card["before"]["fields"]["reference"]["n"] == 4
    lacking = learnt([document(number, reference=False) for number in range(1, 7)])
    assert "reference" not in read(lacking.model, 40)


def test_the_same_documents_in_any_order_give_the_same_file() -> None:
    documents = [document(number) for number in range(1, 5)]
    once, again = learnt(documents), learnt(documents[::-1])
    assert once.model == again.model
    assert {**once.card, "seconds": 0} == {**again.card, "seconds": 0}


def test_few_documents_are_left_out_one_by_one() -> None:
    assert learnt([document(number) for number in range(1, 5)]).card["holdout"]["folds"] == 4


def test_too_few_documents_are_told_how_many_more_are_needed() -> None:
    without = LabelledDocument(3, (slip(3),), (), complete=False)
    with pytest.raises(ConflictError, match=r"needs 4 documents .* are 2: verify fields of 2 more") as told:
        learnt([document(1), document(2), without])
    assert told.value.code == "too_few_documents"


def test_pages_without_any_value_teach_nothing() -> None:
    blank = [LabelledDocument(n, (page("Salt"),), document(n).examples, complete=True) for n in range(1, 6)]
    with pytest.raises(ConflictError, match="check the types of the fields") as told:
        learnt(blank)
    assert told.value.code == "nothing_to_learn"


def test_a_base_is_not_judged_on_documents_it_has_learnt_from() -> None:
    first = learnt([document(number) for number in range(1, 9)])
    again: dict[str, Any] = {
        "name": "mdl_again",
        "base_name": "mdl_slips",
        "calibration": shipped_calibration(),
    }

    with pytest.raises(ConflictError, match=r"mdl_slips has learnt from all but 2 .* verify 2 more") as told:
        learn([document(number) for number in range(1, 11)], SCHEMA, first.model, **again)
    assert told.value.code == "too_few_new_documents"

    second = learn([document(number) for number in range(1, 13)], SCHEMA, first.model, **again)
    assert (second.card["data"]["documents"], second.card["holdout"]["documents"]) == (12, 4)
    assert Scorer(second.model).about["learnt_from"] == list(range(1, 13))


def test_more_documents_than_there_is_time_for_are_refused_while_they_are_read() -> None:
    told: list[str] = []
    with pytest.raises(ConflictError, match="alma train"):
        learnt(
            [document(number) for number in range(1, 41)],
            deadline=time.monotonic(),
            report=lambda what, share: told.append(what),
        )
    assert told == ["reading"] * 20


def test_columns_of_a_table_are_not_learnt() -> None:
    rows = [
        LabelledDocument(n, (slip(n),), (example(n, "goods.what", "Flour"),), complete=False)
        for n in range(1, 9)
    ]
    with pytest.raises(ConflictError, match="there are 0"):
        learnt(rows)


def test_what_cannot_be_done_in_time_is_not_begun() -> None:
    with pytest.raises(ConflictError, match="alma train") as told:
        learnt([document(number) for number in range(1, 9)], deadline=time.monotonic())
    assert told.value.code == "too_much_to_train"


def test_progress_is_told_and_ends_at_the_whole() -> None:
    told: list[tuple[str, float]] = []
    learnt(
        [document(number) for number in range(1, 5)], report=lambda what, share: told.append((what, share))
    )
    assert list(dict.fromkeys(what for what, _ in told)) == ["reading", "training", "measuring"]
    assert [share for _, share in told] == sorted(share for _, share in told)
    assert told[-1][1] == 1.0


def test_a_base_of_another_network_gives_way_to_nothing() -> None:
    from onnx import load_from_string

    other = load_from_string(base_model())
    for constant in other.graph.initializer:
        if constant.name.startswith("embedding_"):
            constant.name = "table" + constant.name
    for node in other.graph.node:
        for n, name in enumerate(node.input):
            if name.startswith("embedding_"):
                node.input[n] = "table" + name
    learned = learn(
        [document(number) for number in range(1, 13)],
        SCHEMA,
        other.SerializeToString(),
        name="mdl_slips",
        base_name="other",
        calibration=shipped_calibration(),
    )
    assert learned.card["before"]["micro_f1"] == 0.6667
    assert learned.better
