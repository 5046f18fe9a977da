"""XML: the rows as elements, named as the columns of the table.

.. code-block:: xml

    <?xml version="1.0" encoding="UTF-8"?>
    <document id="4012" type="deed_of_conveyance">
      <field status="accepted">
        <field_key>grantor_name</field_key>
        <value>Josiah A. Greaves</value>
        <confidence>0.973</confidence>
        <page_number>1</page_number>
        <bbox x="0.142" y="0.331" w="0.268" h="0.041"/>
        <source>accepted</source>
      </field>
    </document>

`type` is absent where no document type fits; `confidence`, `page_number` and `bbox` where nothing is known.
With all columns, `status`, `reasons` (slugs with spaces between them), `content` and `version` follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from alma.presentation.exports.rows import MORE_COLUMNS, Row, writable


def write(rows: Iterable[Row], *, document_id: int, doc_type: str | None, all_columns: bool = False) -> bytes:
    """Return the rows as an XML document."""
    return "".join(_parts(rows, document_id, doc_type, all_columns=all_columns)).encode()


def _parts(
    rows: Iterable[Row], document_id: int, doc_type: str | None, *, all_columns: bool
) -> Iterator[str]:
    type_attribute = "" if doc_type is None else f' type="{_text(doc_type)}"'
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<document id="{document_id}"{type_attribute}>\n'
    for row in rows:
        yield f'  <field status="{row.status.value}">\n'
        yield f"    <field_key>{_text(row.field_key)}</field_key>\n"
        yield f"    <value>{_text(row.value)}</value>\n"
        if row.confidence is not None:
            yield f"    <confidence>{row.confidence}</confidence>\n"
        if row.page_number is not None:
            yield f"    <page_number>{row.page_number}</page_number>\n"
        if row.bbox is not None:
            sides = " ".join(f'{name}="{side}"' for name, side in row.bbox.to_dict().items())
            yield f"    <bbox {sides}/>\n"
        yield f"    <source>{_text(row.source)}</source>\n"
        if all_columns:
            for name, cell in zip(MORE_COLUMNS, row.more_cells(), strict=True):
                yield f"    <{name}>{_text(str(cell))}</{name}>\n"
        yield "  </field>\n"
    yield "</document>\n"


def _text(text: str) -> str:
    return escape(writable(text))
