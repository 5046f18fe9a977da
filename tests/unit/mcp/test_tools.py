"""The tools of the MCP endpoint."""

import base64
import io
import json
from dataclasses import replace
from typing import Any

import jsonschema
import openpyxl
import pytest
from pydantic import BaseModel, create_model

from alma.access.rate_limit_classes import RateLimitClass
from alma.access.scopes import Scope
from alma.datamodel.geometry import Box
from alma.documents.listing import MAX_LIMIT, Criteria, Listing
from alma.documents.records import DocumentStatus
from alma.documents.text_search import SearchPage
from alma.errors import RateLimitedError
from alma.mcp import toolbox as box_module
from alma.mcp import tools
from alma.mcp.services import Services
from alma.mcp.tool import Outcome, Tool
from alma.mcp.toolbox import ToolBox
from alma.mcp.tools import documents as document_tools
from alma.review.queue import Queue
from tests.unit.mcp.archive import (
    DEED_BODY,
    HIT,
    MODELS,
    PAGE_TEXT,
    PNG,
    SCHEMAS,
    SUMMARY,
    MemoryDocuments,
    MemoryReview,
    services,
    toolbox,
)

DEFINITIONS = {tool["name"]: tool for tool in toolbox().definitions()}


def call(name: str, **arguments: object) -> dict[str, Any]:
    """Return the structured result, checked as a client checks it."""
    structured, _ = call_with_content(name, **arguments)
    return structured


def call_with_content(name: str, **arguments: object) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the structured result and the content beside its text."""
    result = toolbox().call(name, arguments)
    assert "isError" not in result, result
    jsonschema.validate(result["structuredContent"], DEFINITIONS[name]["outputSchema"])
    content, *more = result["content"]
    assert json.loads(content["text"]) == result["structuredContent"]
    return result["structuredContent"], more


def failure(name: str, **arguments: object) -> dict[str, str]:
    """Return what a failed call tells the model."""
    result = toolbox().call(name, arguments)
    assert result["isError"] is True
    assert "structuredContent" not in result
    [content] = result["content"]
    told: dict[str, str] = json.loads(content["text"])
    return told


def test_every_tool_is_described_and_marked_as_what_it_does() -> None:
    for name, tool in DEFINITIONS.items():
        assert len(tool["description"]) > 100
        assert tool["title"]
        assert tool["annotations"] == {
            "title": tool["title"],
            "readOnlyHint": name not in ("digitize_with_model", "propose_correction"),
            "destructiveHint": False,
            "idempotentHint": name != "propose_correction",
            "openWorldHint": False,
        }


def test_every_schema_is_a_valid_json_schema_of_an_object() -> None:
    for tool in DEFINITIONS.values():
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"


#: What clients that check schemas strictly know; others refuse a tool for a word of its library's own.
KEYWORDS = {
    "$defs", "$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum", "items",
    "maximum", "maxLength", "minimum", "minLength", "pattern", "properties", "required", "title", "type",
}  # fmt: skip


def keywords_of(schema: Any) -> set[str]:
    found = set(schema)
    for name in ("properties", "$defs"):
        found = found.union(*(keywords_of(each) for each in schema.get(name, {}).values()))
    inner = [schema[name] for name in ("items", "additionalProperties") if isinstance(schema.get(name), dict)]
    return found.union(*(keywords_of(each) for each in [*inner, *schema.get("anyOf", [])]))


def test_schemas_hold_no_word_that_is_not_json_schemas() -> None:
    for tool in DEFINITIONS.values():
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            assert keywords_of(schema) <= KEYWORDS


def test_bounds_are_published_where_they_are_enforced() -> None:
    for name, arguments in (
        ("review_queue", {"maxConfidence": 7}),
        ("get_page_image", {"documentId": 4012, "bbox": {"x": -5, "y": 0, "w": 1, "h": 1}}),
        ("get_document_fields", {"documentId": 0}),
    ):
        assert failure(name, **arguments)["error"] == "invalid_arguments"
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(arguments, DEFINITIONS[name]["inputSchema"])


def test_a_whole_number_may_be_written_as_one_with_a_fraction_of_nothing() -> None:
    assert call("get_document_fields", documentId=4012.0) == DEED_BODY
    for wrong in (4012.5, True, "4012.0", 1e300):
        assert failure("get_document_fields", documentId=wrong)["error"] == "invalid_arguments"


def test_fields_come_in_parts_if_there_are_more() -> None:
    first = call("get_document_fields", documentId=4012, limit=1)
    assert (first["fields"], first["nextCursor"]) == (DEED_BODY["fields"][:1], "1")
    rest = call("get_document_fields", documentId=4012, limit=1, cursor="1")
    assert rest == DEED_BODY | {"fields": DEED_BODY["fields"][1:]}
    assert failure("get_document_fields", documentId=4012, cursor="x")["error"] == "bad_request"


@pytest.mark.parametrize(
    ("name", "arguments", "of"),
    [
        ("list_documents", {}, "documents"),
        ("search_documents", {"text": "Greaves"}, "documents"),
        ("review_queue", {}, "items"),
    ],
)
def test_a_type_that_is_none_is_told_and_not_taken_for_one_without_documents(
    name: str, arguments: dict[str, Any], of: str
) -> None:
    class NoDocuments(MemoryDocuments):
        def list_documents(self, *_: Any, **__: Any) -> Listing:
            return Listing([], None)

        def search(self, text: str, **_: Any) -> SearchPage:
            return SearchPage([], 0, None)

    class NoReview(MemoryReview):
        def queue(self, **_: Any) -> Queue:
            return Queue([], None)

    empty = replace(services(), documents=NoDocuments([]), review=NoReview([]))
    box = ToolBox(empty, frozenset(Scope))
    known = SCHEMAS["schemas"][0]["docType"]
    assert box.call(name, arguments | {"docType": known})["structuredContent"][of] == []
    told = json.loads(box.call(name, arguments | {"docType": "Invoice"})["content"][0]["text"])
    assert (told["error"], told["detail"]) == (
        "bad_request",
        f"There is no document type of that name; those known: {known}.",
    )


def test_every_argument_is_described_and_others_are_refused() -> None:
    for tool in DEFINITIONS.values():
        assert tool["inputSchema"]["additionalProperties"] is False
        for argument in tool["inputSchema"]["properties"].values():
            assert argument["description"]


def test_the_input_of_get_document_fields_is_a_number_and_how_much_to_tell() -> None:
    assert DEFINITIONS["get_document_fields"]["inputSchema"]["required"] == ["documentId"]
    assert DEFINITIONS["get_document_fields"]["inputSchema"]["properties"] == {
        "documentId": {
            "description": "Number of the document, as list_documents gives it.",
            "minimum": 1,
            "maximum": 10**12 - 1,
            "type": "integer",
        },
        "cursor": {
            "anyOf": [{"maxLength": 200, "type": "string"}, {"type": "null"}],
            "default": None,
            "description": "nextCursor of the result before.",
        },
        "limit": {
            "default": 500,
            "description": "At most this many fields.",
            "maximum": 1000,
            "minimum": 1,
            "type": "integer",
        },
        "tracks": {
            "default": False,
            "description": "Whether each field comes with its id and version, why it waits, and what each "
            "track reads.",
            "type": "boolean",
        },
    }


def test_get_document_fields_gives_the_body_of_the_documents_api() -> None:
    assert call("get_document_fields", documentId=4012) == DEED_BODY


def test_list_documents_gives_the_body_of_the_listing() -> None:
    assert call("list_documents") == {"documents": [SUMMARY], "nextCursor": None}


def test_list_documents_hands_its_filters_on() -> None:
    asked: list[dict[str, Any]] = []
    box = ToolBox(services(asked), frozenset(Scope))
    box.call(
        "list_documents",
        {"limit": 5, "docType": "invoice", "status": "ready", "name": "Deed No. 7", "to": "2026-05-14"},
    )
    box.call("list_documents", {"cursor": None, "docType": None})
    assert asked == [
        {
            "cursor": None,
            "limit": 5,
            "wanted": Criteria(
                doc_type="invoice",
                status=DocumentStatus.READY,
                name="deed no 7",
                arrived_to="2026-05-14T23:59:59Z",
            ),
        },
        {"cursor": None, "limit": 50, "wanted": Criteria()},
    ]


def test_list_documents_offers_the_statuses_and_the_limit_there_are() -> None:
    properties = DEFINITIONS["list_documents"]["inputSchema"]["properties"]
    assert properties["status"]["anyOf"][0]["enum"] == list(DocumentStatus)
    assert properties["limit"]["maximum"] == MAX_LIMIT


CSV = (
    "field_key,value,confidence,page_number,bbox,source\n"
    'grantor_name,Josiah A. Greaves,0.973,1,"{""x"":0.142,""y"":0.331,""w"":0.268,""h"":0.041}",vision\n'
    'parcel_acreage,12.5,0.61,2,"{""x"":0.557,""y"":0.214,""w"":0.083,""h"":0.029}",vision\n'
)


def test_an_export_is_the_bytes_of_the_file_as_base64() -> None:
    assert call("export_document", documentId=4012, format="csv") == {
        "documentId": 4012,
        "format": "csv",
        "fileName": "document-4012.csv",
        "mediaType": "text/csv; charset=utf-8",
        "encoding": "base64",
        "data": base64.b64encode(CSV.encode()).decode(),
    }


def test_an_export_that_is_text_comes_as_text_if_that_is_asked() -> None:
    as_text = call("export_document", documentId=4012, format="csv", encoding="utf-8")
    assert (as_text["encoding"], as_text["data"]) == ("utf-8", CSV)
    assert failure("export_document", documentId=4012, format="xlsx", encoding="utf-8") == {
        "error": "bad_request",
        "detail": "xlsx is no text; leave encoding out, or ask for csv.",
    }


def test_an_export_is_json_if_nothing_else_is_asked() -> None:
    result = call("export_document", documentId=4012)
    assert (result["format"], result["mediaType"]) == ("json", "application/json")
    assert json.loads(base64.b64decode(result["data"], validate=True)) == DEED_BODY


def test_an_xlsx_export_is_base64() -> None:
    result = call("export_document", documentId=4012, format="xlsx")
    assert result["encoding"] == "base64"
    book = openpyxl.load_workbook(io.BytesIO(base64.b64decode(result["data"], validate=True)))
    assert book.active is not None
    assert [cell.value for cell in book.active["A"]] == [
        "field_key",
        "grantor_name",
        "parcel_acreage",
    ]


def test_a_large_export_is_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_tools, "MAX_INLINE_EXPORT", 10)
    structured, content = call_with_content("export_document", documentId=4012, format="csv")
    assert structured == {
        "documentId": 4012,
        "format": "csv",
        "fileName": "document-4012.csv",
        "mediaType": "text/csv; charset=utf-8",
        "url": "https://archive.test/file",
        "expiresIn": 300,
    }
    assert content == [
        {
            "type": "resource_link",
            "uri": "https://archive.test/file",
            "name": "document-4012.csv",
            "mimeType": "text/csv; charset=utf-8",
        }
    ]


def test_search_gives_documents_with_the_places_and_the_values() -> None:
    assert call("search_documents", text="Greaves") == {
        "documents": [HIT],
        "searched": 1,
        "nextCursor": None,
    }


def test_a_page_comes_as_lines_with_their_boxes() -> None:
    assert call("get_page_text", documentId=4012, page=1) == PAGE_TEXT


def test_a_page_image_is_an_image_beside_what_it_shows() -> None:
    structured, content = call_with_content("get_page_image", documentId=4012, page=2)
    assert structured == {
        "documentId": 4012,
        "page": 2,
        "mediaType": "image/png",
        "width": 850,
        "height": 1100,
        "shown": {"x": 0.0, "y": 0.0, "w": 1.0, "h": 1.0},
    }
    assert content == [{"type": "image", "data": base64.b64encode(PNG).decode(), "mimeType": "image/png"}]


def test_a_large_page_image_is_a_smaller_one_and_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_tools, "MAX_IMAGE", 10)
    structured, content = call_with_content("get_page_image", documentId=4012)
    assert (structured["mediaType"], structured["url"]) == ("image/jpeg", "https://archive.test/page")
    assert content == [
        {"type": "image", "data": base64.b64encode(b"a jpeg").decode(), "mimeType": "image/jpeg"},
        {
            "type": "resource_link",
            "uri": "https://archive.test/page",
            "name": "document-4012-p1.png",
            "mimeType": "image/png",
        },
    ]


def test_a_part_of_a_page_is_asked_for_by_the_box_of_a_value() -> None:
    box = {"x": 0.142, "y": 0.331, "w": 0.268, "h": 0.041}
    asked: list[dict[str, Any]] = []
    found = ToolBox(services(asked), frozenset(Scope)).call(
        "get_page_image", {"documentId": 4012, "bbox": box}
    )
    assert asked == [{"page": 1, "part": Box(0.142, 0.331, 0.268, 0.041)}]
    assert found["structuredContent"]["shown"] == box
    assert failure("get_page_image", documentId=4012, bbox=box | {"w": 2})["error"] == "invalid_arguments"


def test_types_and_models_come_as_the_api_lists_them() -> None:
    assert call("list_schemas") == SCHEMAS
    assert call("list_models") == MODELS


class Stamp(Tool):
    """A tool that changes something."""

    name = "stamp"
    title = "Stamp"
    description = "Stamp a document."
    scope = Scope.MCP_WRITE
    idempotent = False

    def run(self, services: Services) -> Outcome:
        return Outcome({"stamped": True})

    @classmethod
    def result(cls) -> type[BaseModel]:
        return create_model("Stamped", stamped=(bool, ...))


def test_a_key_without_the_scope_neither_sees_a_tool_nor_may_call_it() -> None:
    reader = ToolBox(services(), {Scope.MCP_READ}, tools=[*tools.TOOLS, Stamp])
    assert "stamp" not in [tool["name"] for tool in reader.definitions()]
    refused = reader.call("stamp", {})
    assert refused["isError"] is True
    assert json.loads(refused["content"][0]["text"]) == {
        "error": "forbidden",
        "detail": "stamp needs a key with the scope mcp:write; ask an administrator for one.",
    }


def test_a_tool_that_writes_is_marked_and_open_to_a_key_with_the_scope() -> None:
    writer = ToolBox(services(), {Scope.MCP_READ, Scope.MCP_WRITE}, tools=[*tools.TOOLS, Stamp])
    assert writer.definitions()[-1]["annotations"] == {
        "title": "Stamp",
        "readOnlyHint": False,
        "destructiveHint": False,
        "idempotentHint": False,
        "openWorldHint": False,
    }
    assert writer.call("stamp", {})["structuredContent"] == {"stamped": True}


def test_every_tool_names_the_scopes_it_needs() -> None:
    assert {tool.name: tool.scopes() for tool in tools.TOOLS} == {
        "list_documents": {Scope.MCP_READ},
        "get_document_fields": {Scope.MCP_READ},
        "export_document": {Scope.MCP_READ},
        "search_documents": {Scope.MCP_READ},
        "get_page_text": {Scope.MCP_READ},
        "get_page_image": {Scope.MCP_READ},
        "list_schemas": {Scope.MCP_READ},
        "list_models": {Scope.MCP_READ},
        "review_queue": {Scope.MCP_READ},
        "digitize_with_model": {Scope.MCP_WRITE, Scope.MODELS_READ},
        "propose_correction": {Scope.MCP_WRITE},
    }


def test_a_tool_that_says_no_scope_is_open_to_nobody() -> None:
    class Unsaid(Tool):
        name = "unsaid"
        title = "Unsaid"
        description = "Nobody said who may call it."

        def run(self, services: Services) -> Outcome:
            return Outcome({})

        @classmethod
        def result(cls) -> type[BaseModel]:
            return create_model("Nothing")

    with pytest.raises(AttributeError, match="scope"):
        ToolBox(services(), frozenset(Scope), tools=[Unsaid]).definitions()


def test_a_tool_takes_from_the_bucket_of_what_it_does_too() -> None:
    taken: list[RateLimitClass] = []

    def admit(family: RateLimitClass) -> None:
        taken.append(family)
        if len(taken) > 2:
            raise RateLimitedError("Too many requests with this key; try again in 2 seconds.", 2)

    box = ToolBox(services(), frozenset(Scope), admit)
    box.call("list_documents", {})
    box.call("export_document", {"documentId": 4012})
    box.call("digitize_with_model", {"modelId": "mdl_x", "documentId": 4012})
    refused = box.call("export_document", {"documentId": 4012})

    assert taken == [RateLimitClass.EXPORT, RateLimitClass.MODELS, RateLimitClass.EXPORT]
    assert json.loads(refused["content"][0]["text"]) == {
        "error": "rate_limited",
        "detail": "Too many requests with this key; try again in 2 seconds.",
    }


def test_a_tool_that_uses_models_needs_the_scope_of_models_too() -> None:
    writer = ToolBox(services(), {Scope.MCP_READ, Scope.MCP_WRITE})
    assert "digitize_with_model" not in [tool["name"] for tool in writer.definitions()]
    refused = writer.call("digitize_with_model", {"modelId": "mdl_x", "documentId": 4012})
    assert json.loads(refused["content"][0]["text"]) == {
        "error": "forbidden",
        "detail": "digitize_with_model needs a key with the scope models:read; ask an administrator for one.",
    }


def test_a_proposal_without_a_reason_or_with_invisible_characters_is_refused() -> None:
    arguments: dict[str, Any] = {"documentId": 4012, "field": "parcel_acreage", "version": 1}
    for more in ({"value": "13"}, {"value": "13", "comment": " "}, {"value": "1\u200b3", "comment": "x"}):
        assert failure("propose_correction", **arguments, **more)["error"] == "invalid_arguments"
    with_nul = failure("propose_correction", **arguments, value="1\u00003", comment="x")
    assert with_nul["error"] == "invalid_arguments"


@pytest.mark.parametrize("name", ["get_document_fields", "export_document"])
def test_an_absent_document_is_a_result_the_model_can_act_on(name: str) -> None:
    assert failure(name, documentId=9) == {
        "error": "not_found",
        "detail": "There is no document 9.",
    }


def test_a_document_that_is_still_being_read_is_a_result_the_model_can_act_on() -> None:
    assert failure("get_document_fields", documentId=4013) == {
        "error": "still_processing",
        "detail": "Document 4013 is still being read; ask again.",
    }


def test_a_foreign_cursor_is_a_result_the_model_can_act_on() -> None:
    assert failure("list_documents", cursor="x")["error"] == "bad_request"


def test_a_result_too_large_for_an_answer_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(json.dumps(toolbox().call("get_document_fields", {"documentId": 4012})))
    monkeypatch.setattr(box_module, "MAX_RESULT", size)
    assert call("get_document_fields", documentId=4012) == DEED_BODY
    monkeypatch.setattr(box_module, "MAX_RESULT", size - 1)
    assert failure("get_document_fields", documentId=4012) == {
        "error": "result_too_large",
        "detail": "That is too much for one answer; ask for less of it with limit.",
    }


def test_a_flood_of_wrong_arguments_is_reported_in_short() -> None:
    flood = {"x" * 1000 + str(n): n for n in range(1000)}
    assert len(failure("list_documents", **flood)["detail"]) < 1000
