"""What was used in a month.

====  =================  ================================================
pk    sk                 item
====  =================  ================================================
ORG   quota#2026-11      QuotaItem: pages counted for the quota
ORG   usage#2026-11#KEY  UsageItem: what a key used; `inbox` for no key
====  =================  ================================================
"""

from __future__ import annotations

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from alma.storage.table import Item


class QuotaItem(Item, discriminator="quota"):
    """The pages that were counted in a month."""

    pages = NumberAttribute()


class UsageItem(Item, discriminator="usage"):
    """What a key used in a month; without `key_id`, what came through the inbox."""

    key_id = UnicodeAttribute(null=True)
    pages = NumberAttribute()
    fields = NumberAttribute()
    model_runs = NumberAttribute()
    file_bytes = NumberAttribute()
