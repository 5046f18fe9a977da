"""Document types of an organisation's own, and what people's decisions say of any type.

====  =====================  =================================================
pk    sk                     item
====  =====================  =================================================
ORG   schema#DOCTYPE         SchemaItem
ORG   decisions#DOCTYPE#KEY  DecisionCountItem: how often what was read was right
====  =====================  =================================================
"""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from alma.storage.table import Item


class SchemaItem(Item, discriminator="schema"):
    """A document type of the organisation's own."""

    doc_type = UnicodeAttribute()
    definition = UnicodeAttribute()
    updated_at = UnicodeAttribute()


class DecisionCountItem(Item, discriminator="decisions"):
    """How many values that were read of a field turned out right, and how many wrong."""

    key = UnicodeAttribute()
    right = NumberAttribute(null=True)
    wrong = NumberAttribute(null=True)


def decision_count_prefix(doc_type: str) -> str:
    """Return what the sort keys of the counts of a document type begin with."""
    return f"decisions#{doc_type}#"
