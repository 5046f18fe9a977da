"""Tools about document types."""

from __future__ import annotations

from pydantic import BaseModel

from alma.access.scopes import Scope
from alma.api.document_types import SchemaList
from alma.mcp.services import Services
from alma.mcp.tool import Outcome, Tool


class ListSchemas(Tool):
    """See which document types there are."""

    name = "list_schemas"
    title = "List document types"
    description = (
        "List the document types that the archive knows, with what each is and the keys of the fields that "
        "are read from it. Use it to learn what docType and field keys mean before you filter or answer; "
        "line_items.amount is a column of a table. The list is complete."
    )
    scope = Scope.MCP_READ

    def run(self, services: Services) -> Outcome:
        return Outcome(SchemaList.of(services.document_types()).to_json())

    @classmethod
    def result(cls) -> type[BaseModel]:
        return SchemaList
