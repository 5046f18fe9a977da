"""The tools of the MCP endpoint."""

import base64
import io
import json
from typing import Any

import jsonschema
import openpyxl
import pytest

from alma.documents import MAX_LIMIT, DocumentStatus
from alma.mcp import tools
from alma.mcp.tools import InvalidArgumentsError, ToolBox
from tests.unit.mcp_archive import DEED_BODY, SUMMARY, MemoryArchive

DEFINITIONS = {tool["name"]: tool for tool in ToolBox(MemoryArchive()).definitions()}


def call(name: str, **arguments: object) -> dict[str, Any]:
    """Return the structured result, checked as a client checks it."""
    result = ToolBox(MemoryArchive()).call(name, arguments)
    assert "isError" not in result
    jsonschema.validate(result["structuredContent"], DEFINITIONS[name]["outputSchema"])
    [content] = result["content"]
    assert json.loads(content["text"]) == result["structuredContent"]
    structured: dict[str, Any] = result["structuredContent"]
    return structured


def failure(name: str, **arguments: object) -> dict[str, str]:
    """Return what a failed call tells the model."""
    result = ToolBox(MemoryArchive()).call(name, arguments)
    assert result["isError"] is True
    assert "structuredContent" not in result
    [content] = result["content"]
    told: dict[str, str] = json.loads(content["text"])
    return told


def test_every_tool_is_described_and_marked_as_reading_only() -> None:
    for tool in DEFINITIONS.values():
        assert len(tool["description"]) > 100
        assert tool["title"]
        assert tool["annotations"]["readOnlyHint"] is True
        assert tool["annotations"]["openWorldHint"] is False


def test_every_schema_is_a_valid_json_schema_of_an_object() -> None:
    for tool in DEFINITIONS.values():
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object"


def test_every_argument_is_described_and_others_are_refused() -> None:
    for tool in DEFINITIONS.values():
        assert tool["inputSchema"]["additionalProperties"] is False
        for argument in tool["inputSchema"]["properties"].values():
            assert argument["description"]


def test_the_input_of_get_document_fields_is_one_number() -> None:
    assert DEFINITIONS["get_document_fields"]["inputSchema"]["required"] == ["documentId"]
    assert DEFINITIONS["get_document_fields"]["inputSchema"]["properties"] == {
        "documentId": {
            "description": "Number of the document, as list_documents gives it.",
            "minimum": 1,
            "exclusiveMaximum": 10**12,
            "type": "integer",
        }
    }


def test_get_document_fields_gives_the_body_of_the_documents_api() -> None:
    assert call("get_document_fields", documentId=4012) == DEED_BODY


def test_list_documents_gives_the_body_of_the_listing() -> None:
    assert call("list_documents") == {"documents": [SUMMARY], "nextCursor": None}


def test_list_documents_hands_its_filters_on() -> None:
    archive = MemoryArchive()
    box = ToolBox(archive)
    box.call("list_documents", {"limit": 5, "docType": "invoice", "status": "ready"})
    box.call("list_documents", {"cursor": None, "docType": None})
    assert archive.asked == [
        {"cursor": None, "limit": 5, "doc_type": "invoice", "status": "ready"},
        {"cursor": None, "limit": 50, "doc_type": None, "status": None},
    ]


def test_list_documents_offers_the_statuses_and_the_limit_there_are() -> None:
    properties = DEFINITIONS["list_documents"]["inputSchema"]["properties"]
    assert properties["status"]["anyOf"][0]["enum"] == list(DocumentStatus)
    assert properties["limit"]["maximum"] == MAX_LIMIT


def test_a_csv_export_is_text() -> None:
    assert call("export_document", documentId=4012, format="csv") == {
        "documentId": 4012,
        "format": "csv",
        "fileName": "document-4012.csv",
        "mediaType": "text/csv; charset=utf-8",
        "encoding": "utf-8",
        "data": "field_key,value,confidence,page_number,bbox,source\n"
        'grantor_name,Josiah A. Greaves,0.973,1,"{""x"":0.142,""y"":0.331,""w"":0.268,""h"":0.041}",vision\n'
        'parcel_acreage,12.5,0.61,2,"{""x"":0.557,""y"":0.214,""w"":0.083,""h"":0.029}",vision\n',
    }


def test_an_export_is_json_if_nothing_else_is_asked() -> None:
    result = call("export_document", documentId=4012)
    assert (result["format"], result["mediaType"]) == ("json", "application/json")
    assert json.loads(result["data"]) == DEED_BODY


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
    monkeypatch.setattr(tools, "MAX_INLINE_EXPORT", 10)
    assert call("export_document", documentId=4012, format="csv") == {
        "documentId": 4012,
        "format": "csv",
        "fileName": "document-4012.csv",
        "mediaType": "text/csv; charset=utf-8",
        "url": "https://archive.test/file",
        "expiresIn": 300,
    }


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


def test_a_result_too_large_for_an_answer_points_to_the_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "MAX_RESULT", 100)
    told = failure("get_document_fields", documentId=4012)
    assert told["error"] == "result_too_large"
    assert "export_document" in told["detail"]


def test_a_flood_of_wrong_arguments_is_reported_in_short() -> None:
    flood = {"x" * 1000 + str(n): n for n in range(1000)}
    with pytest.raises(InvalidArgumentsError) as caught:
        ToolBox(MemoryArchive()).call("list_documents", flood)
    assert len(str(caught.value)) < 1000
