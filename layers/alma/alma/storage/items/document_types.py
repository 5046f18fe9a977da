"""Document types of an organisation's own.

====  ==============  ==========
pk    sk              item
====  ==============  ==========
ORG   schema#DOCTYPE  SchemaItem
====  ==============  ==========
"""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from alma.storage.table import Item


class SchemaItem(Item, discriminator="schema"):
    """A document type of the organisation's own."""

    doc_type = UnicodeAttribute()
    definition = UnicodeAttribute()
    updated_at = UnicodeAttribute()
