"""Scores of extractions against labels: pure functions over plain dicts.

A *label document* has the shape of a line of `labels.jsonl` in a labelled data folder; a *result* that of
`GET /api/v1/documents/{id}`: `{"docType", "fields": [{"key", "value", "confidence", "status", "evidence"}]}`.

How values are compared (`canonical`): the label's `normalized` where it has one, else its `value` read by
the type of the field (dates to ISO, amounts to plain decimals). Dates and numbers then compare as such;
everything else as NFKC text in lower case, letters and digits only, `&` as "and". Labels marked `weak` and
checkboxes are not scored, nor is anything predicted under their keys. Repeated keys compare as multisets. A
value predicted for a key without label counts as wrong only where the set of labels is complete for the type
(`COMPLETE`) or the document (`complete`), or the document has a label under that key; elsewhere it is left
out, because nobody looked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alma.datamodel.geometry import Box, Region
from alma.datamodel.schemas import FieldType, shipped_schemas
from alma.extraction.values.locales import Locale
from alma.extraction.values.parsers import parse
from alma.learning.evaluation import LabelledValue, canonical, points_at
from alma.learning.metrics import Tally, auroc, calibration_error, coverage_at, rounded

#: Types and keys that labelled data names otherwise.
TYPE_NAMES = {"deed": "deed_of_conveyance"}
KEY_NAMES = {("deed", "grantor"): "grantor_name", ("deed", "grantee"): "grantee_name"}
#: Labelled types alma does not claim to read: no type is the right answer.
NO_TYPE = frozenset({"handwritten_will", "handwritten_letter", "notary_register"})
#: Keys whose absence among the labels says that the document has no such value.
COMPLETE: Mapping[str, frozenset[str]] = {
    "receipt": frozenset({"company", "date", "address", "total"}),
    "ad_buy_form": frozenset({"contract_num", "advertiser", "gross_amount", "flight_from", "flight_to"}),
    "contract": frozenset({"party", "jurisdiction", "effective_date", "term"}),
}
#: Of these types only the labels of one subtype are complete.
COMPLETE_SUBTYPE = {"contract": "nda"}
#: Labelled types that write the month first where a date can be read both ways.
MONTH_FIRST = frozenset(
    {"tax_form", "ad_buy_form", "registration_form", "contract", "deed", "deed_of_conveyance"}
)
#: Origin of boxes that are those of the text lines a value stands in.
HOLDING = "annotated OCR box(es) holding the value"


# --- values ---------------------------------------------------------------------------------------------


def expected(doc_type: str, label: Mapping[str, Any], kind: FieldType | None) -> str:
    """Return what a label expects, canonical."""
    if label.get("normalized") is not None:
        return canonical(str(label["normalized"]))
    value = str(label["value"])
    if kind in (FieldType.DATE, FieldType.AMOUNT, FieldType.NUMBER):
        read = parse(value, kind, Locale(day_first=doc_type not in MONTH_FIRST))
        return canonical(read) if read is not None else canonical(value)
    return canonical(value)


def complete_keys(labels: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys whose absence among a document's labels says that it has no such value."""
    named = str(labels["doc_type"])
    if labels.get("complete") is True:
        schema = shipped_schemas().get(TYPE_NAMES.get(named, named))
        return frozenset(field.key for field in schema.fields) if schema else frozenset()
    subtype = COMPLETE_SUBTYPE.get(named)
    if subtype is not None and labels.get("subtype") not in (None, subtype):
        return frozenset()
    return COMPLETE.get(named, frozenset())


# --- one document ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class DocumentScore:
    """Scores of one document."""

    doc_type: str
    """Labelled type, under alma's name."""
    type_right: bool
    """The right type was found, or none where none is right."""
    fields: dict[str, Tally] = field(default_factory=dict)
    """Counts by key."""
    judged: list[tuple[float | None, bool]] = field(default_factory=list)
    """Confidence of every scored value, and whether it is right."""
    read_as: str | None = None
    """Type that was found."""


def label_of(value: str, label: Mapping[str, Any], *, holding: bool = False) -> LabelledValue:
    """Return a row of a labelled document as a label.

    Parameters
    ----------
    value : str
        What it expects, canonical.
    label : mapping
        The row.
    holding : bool
        All boxes of the data set only hold the value.
    """
    places = [label, *label.get("also_at", ())] if label.get("bbox") else []
    return LabelledValue(
        value,
        tuple(Region(p["page"], Box.from_dict(p["bbox"])) for p in places if p.get("bbox")),
        holding or label.get("bbox_scope") == "line",
    )


def evidence_hits(
    evidence: Mapping[str, Any] | None, label: Mapping[str, Any], *, holding: bool = False
) -> bool:
    """Return whether evidence, as the API gives it, points at a labelled place (`points_at`)."""
    if not evidence:
        return False
    parts = evidence.get("regions") or [evidence]
    regions = [Region(int(part["page"]), Box.from_dict(part["bbox"])) for part in parts]
    return points_at(regions, label_of("", label, holding=holding))


def score_document(labels: Mapping[str, Any], result: Mapping[str, Any]) -> DocumentScore:
    """Return the score of one result against the labels of its document."""
    named = str(labels["doc_type"])
    doc_type = TYPE_NAMES.get(named, named)
    schema = shipped_schemas().get(doc_type)
    got_type = result.get("docType")
    right = got_type is None if named in NO_TYPE else got_type == doc_type
    score = DocumentScore(doc_type, right, read_as=got_type)

    wanted: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    unscored: set[str] = set()
    for label in labels["fields"]:
        key = KEY_NAMES.get((named, label["key"]), label["key"])
        if label.get("weak") or label.get("field_type") == "checkbox":
            unscored.add(key)
            continue
        kind = schema.field(key) if schema else None
        wanted.setdefault(key, []).append((expected(named, label, kind.type if kind else None), label))

    got: dict[str, list[Mapping[str, Any]]] = {}
    for item in result.get("fields", ()):
        got.setdefault(item["key"], []).append(item)

    complete = complete_keys(labels)
    holding = labels.get("bbox_origin") == HOLDING
    for key in sorted((set(wanted) | (set(got) & complete)) - unscored):
        score.fields[key] = _score_key(wanted.get(key, []), got.get(key, []), score.judged, holding=holding)
    return score


def _score_key(
    wanted: Sequence[tuple[str, Mapping[str, Any]]],
    got: Sequence[Mapping[str, Any]],
    judged: list[tuple[float | None, bool]],
    *,
    holding: bool,
) -> Tally:
    tally = Tally(predicted=len(got), labelled=len(wanted))
    left = list(wanted)
    for item in got:
        value = canonical(str(item["value"]))
        matches = [pair for pair in left if pair[0] == value]
        judged.append((item.get("confidence"), bool(matches)))
        if not matches:
            continue
        tally.right += 1
        # Of several labels with this value, the one the evidence points at.
        best = next(
            (m for m in matches if evidence_hits(item.get("evidence"), m[1], holding=holding)), matches[0]
        )
        left.remove(best)
        if best[1].get("bbox"):
            tally.located += 1
            tally.hits += evidence_hits(item.get("evidence"), best[1], holding=holding)
    return tally


# --- many documents -------------------------------------------------------------------------------------


def _block(scores: Sequence[DocumentScore], seconds_per_page: float | None) -> dict[str, Any]:
    total = Tally()
    for score in scores:
        for tally in score.fields.values():
            total.add(tally)
    judged = [(c, r) for score in scores for c, r in score.judged if c is not None]
    measure: Callable[[float], float | None] = lambda p: rounded(coverage_at(judged, p))  # noqa: E731
    return {
        "documents": len(scores),
        "doctype_accuracy": rounded(sum(s.type_right for s in scores) / len(scores)) if scores else None,
        "micro_f1": rounded(total.f1),
        "evidence": rounded(total.evidence),
        "seconds_per_page": rounded(seconds_per_page),
        "ece": rounded(calibration_error(judged)),
        "auroc": rounded(auroc(judged)),
        "errors": sum(not right for _, right in judged) if judged else None,
        "coverage_at_99": measure(0.99),
        "coverage_at_95": measure(0.95),
    }


def summarise(
    scores: Sequence[DocumentScore],
    seconds_per_page: float | None = None,
    seconds_by_type: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the summary over documents: the measures, overall and per type, and each field's.

    `errors` is the number of wrong values among those with a confidence: what AUROC and coverage rest on.
    """
    summary = _block(scores, seconds_per_page)
    summary["types"] = {}
    for doc_type in sorted(Counter(s.doc_type for s in scores)):
        of_type = [s for s in scores if s.doc_type == doc_type]
        block = _block(of_type, (seconds_by_type or {}).get(doc_type))
        tallies: dict[str, Tally] = {}
        for score in of_type:
            for key, tally in score.fields.items():
                tallies.setdefault(key, Tally()).add(tally)
        block["fields"] = {
            key: {
                "precision": rounded(t.precision),
                "recall": rounded(t.recall),
                "f1": rounded(t.f1),
                "n": t.labelled,
            }
            for key, t in sorted(tallies.items())
        }
        summary["types"][doc_type] = block
    return summary
