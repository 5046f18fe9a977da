"""Models of an organisation's own.

====  ==================  =====================================
pk    sk                  item
====  ==================  =====================================
ORG   model#ID            ModelItem
ORG   modelversions#STEM  CounterItem: last version of a name
====  ==================  =====================================
"""

from __future__ import annotations

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from alma.storage.table import Item


class ModelItem(Item, discriminator="model"):
    """A model of the organisation's own."""

    model_id = UnicodeAttribute()
    name = UnicodeAttribute()
    base_model = UnicodeAttribute()
    doc_type = UnicodeAttribute(null=True)
    origin = UnicodeAttribute(null=True)
    status = UnicodeAttribute()
    trained_examples = NumberAttribute(default=0)
    attempts = NumberAttribute(default=0)
    etag = UnicodeAttribute(null=True)  # of the upload that is checked
    error_code = UnicodeAttribute(null=True, attr_name="error")
    detail = UnicodeAttribute(null=True)
    card = JSONAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute(null=True)
    finished_at = UnicodeAttribute(null=True)


class CounterItem(Item, discriminator="counter"):
    """A number that only grows."""

    last = NumberAttribute(default=0)
