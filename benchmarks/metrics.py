"""Scores of extractions against labels: pure functions over plain dicts.

A *label document* has the shape of a line of `labels.jsonl` in a labelled data folder; a *result* that of
`GET /api/v1/documents/{id}`: `{"docType", "fields": [{"key", "value", "confidence", "status", "evidence"}]}`.

How values are compared (`canonical`): the label's `normalized` where it has one, else its `value` read by
the type of the field (dates to ISO, amounts to plain decimals). Dates and numbers then compare as such;
everything else as NFKC text in lower case, letters and digits only, `&` as "and". Labels marked `weak` and
checkboxes are not scored, nor is anything predicted under their keys. Repeated keys compare as multisets. A
value predicted for a key without label counts as wrong only where the set of labels is complete for the type
(`COMPLETE`) or the document has a label under that key; elsewhere it is left out, because nobody looked.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from alma.evidence import Box, enclosing
from alma.extraction.parsers import Locale, parse
from alma.schemas import FieldType, shipped_schemas

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
MONTH_FIRST = frozenset({"tax_form", "ad_buy_form", "registration_form", "contract", "deed"})
#: An evidence box hits a labelled one from this intersection over union on.
HIT_IOU = 0.5
#: Origin of boxes that are those of the text lines a value stands in.
HOLDING = "annotated OCR box(es) holding the value"


# --- values ---------------------------------------------------------------------------------------------


def canonical(value: str) -> str:
    """Return a value as values are compared: ISO dates and numbers as such, other text squeezed.

    >>> canonical("1,Jalan Ros & Co."), canonical("12.50"), canonical("2020-01-02")
    ('1jalanrosandco', '12.5', '2020-01-02')
    """
    text = unicodedata.normalize("NFKC", value).strip()
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 10 else _decimal(text)
    except ValueError:
        return re.sub(r"[\W_]+", "", text.replace("&", " and ").casefold()) or text


def _decimal(text: str) -> str:
    if not re.fullmatch(r"-?\d{1,15}(\.\d+)?", text) or re.match(r"-?0\d", text):
        raise ValueError(text)
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    return format(number.normalize() if number else Decimal(0), "f")


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
    subtype = COMPLETE_SUBTYPE.get(named)
    if subtype is not None and labels.get("subtype") not in (None, subtype):
        return frozenset()
    return COMPLETE.get(named, frozenset())


# --- one document ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Tally:
    """Counts of one field, or of many."""

    right: int = 0
    predicted: int = 0
    labelled: int = 0
    located: int = 0
    hits: int = 0

    def add(self, other: Tally) -> None:
        """Add another tally's counts to this one."""
        self.right += other.right
        self.predicted += other.predicted
        self.labelled += other.labelled
        self.located += other.located
        self.hits += other.hits

    @property
    def precision(self) -> float | None:
        """Share of the predicted values that are right."""
        return self.right / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Share of the labelled values that were found."""
        return self.right / self.labelled if self.labelled else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        total = self.predicted + self.labelled
        return 2 * self.right / total if total else None

    @property
    def evidence(self) -> float | None:
        """Share of the right values with a labelled place whose evidence points there."""
        return self.hits / self.located if self.located else None


@dataclass(slots=True)
class DocumentScore:
    """How one document was read.

    Attributes
    ----------
    doc_type : str
        Labelled type, under alma's name.
    type_right : bool
        The type was found, or none where none is right.
    fields : dict of str to Tally
        By key.
    judged : list of (float or None, bool)
        Confidence of every scored value and whether it is right.
    read_as : str or None
        Type that was found.
    """

    doc_type: str
    type_right: bool
    fields: dict[str, Tally] = field(default_factory=dict)
    judged: list[tuple[float | None, bool]] = field(default_factory=list)
    read_as: str | None = None


def _boxes(evidence: Mapping[str, Any] | None) -> dict[int, Box]:
    """Return one box a page: a value over several lines is compared by the box around all of them."""
    if not evidence:
        return {}
    parts = evidence.get("regions") or [evidence]
    pages: dict[int, list[Box]] = {}
    for part in parts:
        pages.setdefault(int(part["page"]), []).append(Box.from_dict(part["bbox"]))
    return {page: enclosing(boxes) for page, boxes in pages.items()}


def evidence_hits(
    evidence: Mapping[str, Any] | None, label: Mapping[str, Any], *, holding: bool = False
) -> bool:
    """Return whether evidence points at a labelled place.

    The box around all regions on a page must have an intersection over union of at least `HIT_IOU` with the
    labelled box, or with any of `also_at`, on that page. Where the label gives the box of the whole text line
    (`bbox_scope`), or all boxes of the data set only hold the value (`holding`), lying inside it for the most
    part is enough.
    """
    boxes = _boxes(evidence)
    places = [label, *label.get("also_at", ())]
    for place in places:
        if not place.get("bbox") or place.get("page") not in boxes:
            continue
        found, wanted = boxes[place["page"]], Box.from_dict(place["bbox"])
        if found.iou(wanted) >= HIT_IOU:
            return True
        if (holding or label.get("bbox_scope") == "line") and found.overlap(
            wanted
        ) >= HIT_IOU * found.area > 0:
            return True
    return False


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


# --- confidence -----------------------------------------------------------------------------------------


def calibration_error(judged: Iterable[tuple[float, bool]], bins: int = 10) -> float | None:
    """Return the expected calibration error over equally wide bins (Guo et al. 2017); None without values."""
    each = list(judged)
    if not each:
        return None
    grouped: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in each:
        grouped.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, right))
    return sum(
        abs(sum(c for c, _ in group) - sum(r for _, r in group)) / len(each) for group in grouped.values()
    )


def auroc(judged: Iterable[tuple[float, bool]]) -> float | None:
    """Return the probability that a right value is more confident than a wrong one, ties as one half.

    None where there are only right or only wrong values.
    """
    each = sorted(judged)
    right = sum(r for _, r in each)
    wrong = len(each) - right
    if not right or not wrong:
        return None
    ranks = 0.0
    at = 0
    while at < len(each):
        end = at
        while end < len(each) and each[end][0] == each[at][0]:
            end += 1
        ranks += (at + end + 1) / 2 * sum(r for _, r in each[at:end])
        at = end
    return (ranks - right * (right + 1) / 2) / (right * wrong)


def coverage_at(judged: Iterable[tuple[float, bool]], precision: float) -> float | None:
    """Return the largest share of values, most confident first, among which `precision` is right.

    Values of equal confidence are taken together: a threshold cannot part them.
    """
    each = sorted(judged, key=lambda j: -j[0])
    if not each:
        return None
    covered, right, at = 0, 0, 0
    while at < len(each):
        end = at
        while end < len(each) and each[end][0] == each[at][0]:
            right += each[end][1]
            end += 1
        if right >= precision * end:
            covered = end
        at = end
    return covered / len(each)


# --- many documents -------------------------------------------------------------------------------------


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _block(scores: Sequence[DocumentScore], seconds_per_page: float | None) -> dict[str, Any]:
    total = Tally()
    for score in scores:
        for tally in score.fields.values():
            total.add(tally)
    judged = [(c, r) for score in scores for c, r in score.judged if c is not None]
    measure: Callable[[float], float | None] = lambda p: _rounded(coverage_at(judged, p))  # noqa: E731
    return {
        "documents": len(scores),
        "doctype_accuracy": _rounded(sum(s.type_right for s in scores) / len(scores)) if scores else None,
        "micro_f1": _rounded(total.f1),
        "evidence": _rounded(total.evidence),
        "seconds_per_page": _rounded(seconds_per_page),
        "ece": _rounded(calibration_error(judged)),
        "auroc": _rounded(auroc(judged)),
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
                "precision": _rounded(t.precision),
                "recall": _rounded(t.recall),
                "f1": _rounded(t.f1),
                "n": t.labelled,
            }
            for key, t in sorted(tallies.items())
        }
        summary["types"][doc_type] = block
    return summary
