"""Decision counts: how often what was read of a type's fields turned out right, by what people decided.

One small row for each field, counted up (`ADD`) beside the decision and not with it: a decision never waits
for another one's, and one that is cut off in between counts for nothing. It says how many, not what or whose.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from alma.datamodel.fields import DecisionCount
from alma.storage.failures import TableError
from alma.storage.items.document_types import DecisionCountItem, decision_count_prefix

_log = logging.getLogger(__name__)


def count(organisation: str, doc_type: str, key: str, *, right: bool) -> None:
    """Count one decision on a value that was read. What fails here is logged: the decision itself stands."""
    item = DecisionCountItem(organisation, decision_count_prefix(doc_type) + key)
    counted = DecisionCountItem.right if right else DecisionCountItem.wrong
    try:
        item.update(
            actions=[
                DecisionCountItem.kind.set(DecisionCountItem),
                DecisionCountItem.key.set(key),
                counted.add(1),
            ]
        )
    except TableError as error:
        _log.warning("a decision of %s on %s.%s was not counted: %s", organisation, doc_type, key, error)


def counts_of(organisation: str, doc_type: str) -> Mapping[str, DecisionCount]:
    """Return the counts of a type's fields by key; only of those with a decision."""
    return {
        item.key: DecisionCount(int(item.right or 0), int(item.wrong or 0))
        for item in _rows(organisation, doc_type)
    }


def delete(organisation: str, doc_type: str) -> None:
    """Remove the counts of a type. Idempotent."""
    for item in _rows(organisation, doc_type):
        item.delete()


def _rows(organisation: str, doc_type: str) -> list[DecisionCountItem]:
    prefix = decision_count_prefix(doc_type)
    return list(DecisionCountItem.query(organisation, DecisionCountItem.sk.startswith(prefix)))
