"""Bulk correction of documents from a list of ground truth: `alma correct FILE`.

What a reviewer does field by field, for somebody who has the truth elsewhere: an archive that was typed in
once, an annotation tool, another system.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from alma.cli.client import ApiError, Client
from alma.datamodel.geometry import Box, enclosing
from alma.errors import BadRequestError

# Decimal point and sign change a number; in other values punctuation is ignored.
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
VERIFIED = ("accepted", "edited")
"""Statuses of fields that a person has confirmed."""
OVERLAP = 0.5
"""IoU of two boxes, or share of the shown box in the stated one, from which on they are the same place."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The true value of a field, and its place on the page where that is known."""

    key: str
    value: str
    """As it is to be stored."""
    page: int | None = None
    """1-based."""
    box: Box | None = None

    @classmethod
    def of(cls, label: Mapping[str, Any]) -> Truth:
        """Parse a label: `key`, `value`, `normalized`?, `page`?, `bbox`?.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is malformed.
        """
        box = label.get("bbox")
        value = label.get("normalized")
        return cls(
            str(label["key"]),
            str(label["value"] if value is None else value),
            label.get("page") if box else None,
            Box.from_dict(box) if box else None,
        )

    def body(self) -> dict[str, Any]:
        """Return value and evidence as a request has them."""
        place = {"evidence": {"page": self.page, "bbox": self.box.to_dict()}} if self.box else {}
        return {"value": self.value, **place}


def read_list(path: Path) -> list[tuple[str, list[Truth]]]:
    """Parse a list of corrections: a file's name and the values of its document, line by line.

    Raises
    ------
    BadRequestError
        A line is malformed; the sentence says which.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append((str(row["file"]).rpartition("/")[2], [Truth.of(label) for label in row["fields"]]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadRequestError(
                f"{path}, line {number}, is no list of a document's values: {error!r}."
            ) from None
    return found


def same_text(shown: Mapping[str, Any], truth: Truth) -> bool:
    """Compare values: the same number, or the same letters and digits."""
    value = shown["value"]
    return value is not None and _squeezed(value) == _squeezed(truth.value)


def _squeezed(text: str) -> str | Decimal:
    plain = text.strip()
    if _NUMBER.fullmatch(plain):
        return Decimal(plain)
    return "".join(c for c in plain.casefold() if c.isalnum()) or plain


def same_spot(shown: Mapping[str, Any], truth: Truth) -> bool:
    """Compare places: true as well if the truth has none."""
    if truth.box is None:
        return True
    evidence = shown["evidence"]
    if not evidence:
        return False
    boxes = [
        Box.from_dict(part["bbox"])
        for part in evidence.get("regions") or [evidence]
        if part["page"] == truth.page
    ]
    if not boxes:
        return False
    found = enclosing(boxes)
    return found.iou(truth.box) >= OVERLAP or found.overlap(truth.box) >= OVERLAP * found.area > 0


Compare = Callable[[Mapping[str, Any], Truth], bool]


def correct(
    client: Client,
    document_id: int,
    truths: Sequence[Truth],
    *,
    complete: frozenset[str] | None = None,
    left_out: frozenset[str] = frozenset(),
    same: Compare = same_text,
    there: Compare = same_spot,
) -> Counter[str]:
    """Decide a document's fields by ground truth; return how often each action was taken.

    A right field is accepted, a field with another value or place edited, a missing one added. A field
    without a truth is rejected if its key is in `complete`, and left to a person otherwise. What the API
    refuses (400: no value of its type, 409: somebody is working on the document) is counted as `refused`.

    Parameters
    ----------
    client : Client
        Whose key does it.
    document_id : int
        The document.
    truths : sequence of Truth
        True values; several of one key for a repeated field.
    complete : frozenset of str, optional
        Keys whose values are all in `truths`; None for all keys.
    left_out : frozenset of str
        Keys that are not touched.
    same, there : callable
        Compare a field with a truth: its value, and its place.
    """
    decisions = _Decisions(client, document_id)
    left: dict[str, list[Truth]] = {}
    for truth in truths:
        if truth.key not in left_out:
            left.setdefault(truth.key, []).append(truth)
    known, several = set(left), {key for key, each in left.items() if len(each) > 1}

    wrong = []
    for field in client.call("GET", f"/documents/{document_id}", tracks="all")["fields"]:
        if "group" in field or field["key"] in left_out:
            continue
        match = _matching(field, left.get(field["key"], ()), same, there)
        if match is None:
            wrong.append(field)
            continue
        left[field["key"]].remove(match)
        decisions.confirm(field, match, right=there(field, match))
    for field in wrong:
        key = field["key"]
        if left.get(key) and key not in several:
            decisions.decide(field, "edit", left[key].pop(0))
        # A person's decision stays, unless the list has a truth for the field.
        elif key in known or (
            (complete is None or key in complete) and field["status"] not in (*VERIFIED, "rejected")
        ):
            decisions.decide(field, "reject")
    for truth in (truth for truths_left in left.values() for truth in truths_left):
        decisions.send("add", "POST", "", {"key": truth.key, **truth.body()})
    return decisions.counts


def _matching(
    field: Mapping[str, Any], truths: Sequence[Truth], same: Compare, there: Compare
) -> Truth | None:
    """Return the truth that a field says, one at its place if there is one."""
    equal = [truth for truth in truths if same(field, truth)]
    return next((truth for truth in equal if there(field, truth)), equal[0] if equal else None)


class _Decisions:
    """Decisions on a document's fields, sent one by one and counted by action."""

    def __init__(self, client: Client, document_id: int) -> None:
        self._client, self._document_id = client, document_id
        self.counts: Counter[str] = Counter()

    def confirm(self, field: Mapping[str, Any], truth: Truth, *, right: bool) -> None:
        """Accept a field that is right and nobody has verified, or give it its place."""
        if not right:
            self.decide(field, "edit", truth)
        elif field["status"] not in VERIFIED:
            self.decide(field, "accept")

    def decide(self, field: Mapping[str, Any], action: str, truth: Truth | None = None) -> None:
        """Decide a field in the version it was shown in."""
        body = {"action": action, "version": field["version"], **(truth.body() if truth else {})}
        self.send(action, "PATCH", f"/{field['id']}", body)

    def send(self, action: str, method: str, path: str, body: dict[str, Any]) -> None:
        """Send a request; what the API refuses for the document's state or the value is counted as such."""
        try:
            self._client.call(method, f"/documents/{self._document_id}/fields{path}", body)
            self.counts[action] += 1
        except ApiError as error:
            if error.status not in (400, 409):
                raise
            self.counts["refused"] += 1
