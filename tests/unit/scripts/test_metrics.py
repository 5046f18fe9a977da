"""What the benchmark counts, and how."""

from typing import Any

import pytest

from alma.learning.evaluation import canonical
from alma.learning.metrics import auroc, calibration_error, coverage_at
from scripts.labelled.metrics import evidence_hits, score_document, summarise

BOX = {"x": 0.1, "y": 0.1, "w": 0.2, "h": 0.02}
ELSEWHERE = {"x": 0.6, "y": 0.6, "w": 0.2, "h": 0.02}


def label(key: str, value: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "value": value, "page": 1, "bbox": BOX, **more}


def read(key: str, value: str, confidence: float | None = None, **evidence: Any) -> dict[str, Any]:
    return {
        "key": key,
        "value": value,
        "confidence": confidence,
        "status": "unreviewed",
        "evidence": {"page": 1, "bbox": BOX, **evidence},
    }


def counts(doc_type: str, labels: list[dict[str, Any]], fields: list[dict[str, Any]]) -> dict[str, Any]:
    scored = score_document({"doc_type": doc_type, "fields": labels}, {"docType": doc_type, "fields": fields})
    return {k: (t.right, t.predicted, t.labelled) for k, t in scored.fields.items()}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Baker & Sons, Ltd.", "BAKER AND SONS LTD"),
        ("12.50", "12.5"),
        ("0", "0.00"),
        ("ﬁnance", "FINANCE"),
        ("950658-1", "9506581"),
    ],
)
def test_values_that_are_the_same(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), [("12.5", "125"), ("2020-01-02", "2020-02-01"), ("007", "7")])
def test_values_that_are_not_the_same(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


def test_the_normalised_label_counts_where_there_is_one() -> None:
    labels = [label("gross_amount", "$5,625.00", normalized="5625.00")]
    assert counts("ad_buy_form", labels, [read("gross_amount", "5625.00")]) == {"gross_amount": (1, 1, 1)}


def test_a_label_without_normalised_value_is_read_by_its_type() -> None:
    labels = [label("date", "12-01-19"), label("total", "RM 57.40")]
    fields = [read("date", "2019-01-12"), read("total", "57.40")]
    assert counts("receipt", labels, fields) == {"date": (1, 1, 1), "total": (1, 1, 1)}


def test_a_wrong_value_costs_precision_and_a_missing_one_recall() -> None:
    labels = [label("company", "ABC"), label("total", "9.00")]
    assert counts("receipt", labels, [read("company", "XYZ")]) == {"company": (0, 1, 1), "total": (0, 0, 1)}


def test_a_value_without_label_counts_only_where_the_labels_are_complete() -> None:
    assert counts("receipt", [], [read("total", "9.00")]) == {"total": (0, 1, 0)}
    assert counts("invoice", [], [read("total_gross", "9.00")]) == {}
    assert counts("contract", [], [read("contract_title", "AGREEMENT")]) == {}


def test_repeated_keys_are_multisets() -> None:
    labels = [label("party", "Ann"), label("party", "Bob"), label("party", "Bob")]
    fields = [read("party", "Bob"), read("party", "Ann"), read("party", "Ann")]
    assert counts("contract", labels, fields) == {"party": (2, 3, 3)}


def test_weak_labels_and_checkboxes_are_not_scored() -> None:
    labels = [label("rents", "1.00", weak=True), label("royalties", "selected", field_type="checkbox")]
    assert counts("tax_form", labels, [read("rents", "2.00")]) == {}


def test_deeds_are_scored_under_their_names_in_alma() -> None:
    scored = score_document(
        {"doc_type": "deed", "fields": [label("grantor", "Ann")]},
        {"docType": "deed_of_conveyance", "fields": [read("grantor_name", "Ann")]},
    )
    assert (scored.doc_type, scored.type_right) == ("deed_of_conveyance", True)
    assert scored.fields["grantor_name"].right == 1


@pytest.mark.parametrize(("got", "right"), [(None, True), ("receipt", False)])
def test_no_type_is_right_for_handwriting(got: str | None, right: bool) -> None:
    scored = score_document({"doc_type": "handwritten_will", "fields": []}, {"docType": got, "fields": []})
    assert scored.type_right is right


@pytest.mark.parametrize(
    ("evidence", "hit"),
    [
        ({"page": 1, "bbox": BOX}, True),
        ({"page": 2, "bbox": BOX}, False),
        ({"page": 1, "bbox": ELSEWHERE}, True),
        ({"page": 1, "bbox": {"x": 0.1, "y": 0.1, "w": 0.09, "h": 0.02}}, False),
        (None, False),
        (
            {
                "page": 1,
                "bbox": ELSEWHERE,
                "regions": [
                    {"page": 1, "bbox": {"x": 0.1, "y": 0.1, "w": 0.2, "h": 0.009}},
                    {"page": 1, "bbox": {"x": 0.1, "y": 0.111, "w": 0.2, "h": 0.009}},
                ],
            },
            True,
        ),
    ],
)
def test_evidence_hits_a_labelled_place_or_another_where_the_value_stands(evidence: Any, hit: bool) -> None:
    wanted = label("total", "9.00", also_at=[{"page": 1, "bbox": ELSEWHERE}])
    assert evidence_hits(evidence, wanted) is hit


def test_evidence_inside_a_labelled_line_is_a_hit() -> None:
    line = {"x": 0.0, "y": 0.1, "w": 1.0, "h": 0.02}
    assert evidence_hits({"page": 1, "bbox": BOX}, {"page": 1, "bbox": line, "bbox_scope": "line"})
    assert not evidence_hits({"page": 1, "bbox": BOX}, {"page": 1, "bbox": line})


def test_the_calibration_error_is_the_mean_gap_between_confidence_and_truth() -> None:
    assert calibration_error([(0.9, True), (0.9, True), (0.9, False), (0.9, True)]) == pytest.approx(0.15)
    assert calibration_error([(1.0, True), (0.0, False)]) == 0
    assert calibration_error([]) is None


def test_auroc_is_the_chance_that_a_right_value_ranks_first() -> None:
    assert auroc([(0.9, True), (0.8, False), (0.7, True), (0.1, False)]) == 0.75
    assert auroc([(0.5, True), (0.5, False)]) == 0.5
    assert auroc([(0.5, True)]) is None


def test_coverage_is_the_share_above_the_lowest_good_threshold() -> None:
    judged = [(0.9, True), (0.8, True), (0.7, False), (0.6, True)]
    assert coverage_at(judged, 0.99) == 0.5
    assert coverage_at(judged, 0.75) == 1.0
    assert coverage_at([(0.5, True), (0.5, False)], 0.99) == 0.0
    assert coverage_at([], 0.99) is None


def test_the_summary_has_the_documented_shape() -> None:
    labels = {"doc_type": "receipt", "fields": [label("total", "9.00"), label("company", "ABC")]}
    result = {"docType": "receipt", "fields": [read("total", "9.00", 0.9), read("company", "X", 0.2)]}
    assert summarise([score_document(labels, result)], 0.25, {"receipt": 0.25}) == {
        "documents": 1,
        "doctype_accuracy": 1.0,
        "micro_f1": 0.5,
        "evidence": 1.0,
        "seconds_per_page": 0.25,
        "ece": 0.15,
        "auroc": 1.0,
        "errors": 1,
        "coverage_at_99": 0.5,
        "coverage_at_95": 0.5,
        "types": {
            "receipt": {
                "documents": 1,
                "doctype_accuracy": 1.0,
                "micro_f1": 0.5,
                "evidence": 1.0,
                "seconds_per_page": 0.25,
                "ece": 0.15,
                "auroc": 1.0,
                "errors": 1,
                "coverage_at_99": 0.5,
                "coverage_at_95": 0.5,
                "fields": {
                    "company": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "n": 1},
                    "total": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "n": 1},
                },
            }
        },
    }


def test_nothing_measured_is_null() -> None:
    summary = summarise([])
    assert summary["documents"] == 0
    assert {summary[k] for k in ("micro_f1", "evidence", "ece", "auroc", "coverage_at_99")} == {None}
