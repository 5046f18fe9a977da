"""The body of a document in the API."""

import json

import jsonschema
import pytest

from alma.datamodel.fields import Field, Reading, Status
from alma.datamodel.geometry import Box, Region
from alma.presentation.document import DocumentContent, DocumentView, project

BOX = Box(0.142, 0.331, 0.268, 0.041)
NAME = Reading("vision", "Josiah A. Greaves", "Josiah A. Greaves", 0.973, (Region(1, BOX),))
DEED = Field("grantor_name", 0, (NAME,))


def test_the_body_has_the_documented_keys_in_the_documented_order() -> None:
    assert json.dumps(project(DocumentContent(4012, "deed_of_conveyance", [DEED]))) == (
        '{"documentId": 4012, "docType": "deed_of_conveyance", "fields": [{"key": "grantor_name", '
        '"value": "Josiah A. Greaves", "confidence": 0.973, "status": "unreviewed", '
        '"evidence": {"page": 1, "bbox": {"x": 0.142, "y": 0.331, "w": 0.268, "h": 0.041}}}]}'
    )


def test_the_model_that_was_asked_stands_between_type_and_fields() -> None:
    body = project(DocumentContent(4012, "deed_of_conveyance", [], "mdl_barbados_deeds_v3"))
    assert list(body) == ["documentId", "docType", "model", "fields"]
    assert body["model"] == "mdl_barbados_deeds_v3"


def test_the_reviewed_value_comes_before_a_more_confident_reading() -> None:
    reviewed = Reading("review", "12.5", "12.5", None, (Region(2, BOX),))
    acreage = Field("acreage", 0, (Reading("text", "125", "125", 0.99, ()),), Status.EDITED, reviewed)
    [shown] = project(DocumentContent(1, None, [acreage]))["fields"]
    assert (shown["value"], shown["confidence"], shown["status"]) == ("12.5", None, "edited")
    assert shown["evidence"]["page"] == 2


def test_confidences_have_four_places_and_an_unknown_one_is_null() -> None:
    fields = [
        Field("a", 0, (Reading("text", "1", "1", confidence, ()),)) for confidence in (0.123456, 1.0, None)
    ]
    assert [f["confidence"] for f in project(DocumentContent(1, None, fields))["fields"]] == [
        0.1235,
        1.0,
        None,
    ]


def test_a_value_over_two_pages_lists_its_regions() -> None:
    regions = (Region(1, Box(0.1, 0.9, 0.5, 0.05)), Region(2, Box(0.1, 0.1, 0.3, 0.05)))
    term = Field("term", 0, (Reading("text", "x", "x", 0.5, regions),))
    [shown] = project(DocumentContent(1, None, [term]))["fields"]
    assert shown["evidence"] == {
        "page": 1,
        "bbox": {"x": 0.1, "y": 0.9, "w": 0.5, "h": 0.05},
        "regions": [
            {"page": 1, "bbox": {"x": 0.1, "y": 0.9, "w": 0.5, "h": 0.05}},
            {"page": 2, "bbox": {"x": 0.1, "y": 0.1, "w": 0.3, "h": 0.05}},
        ],
    }


@pytest.mark.parametrize("model", [None, "mdl_1"])
def test_bodies_fit_the_schema_that_openapi_and_the_tools_publish(model: str | None) -> None:
    two_lines = Field("a", 0, (Reading("text", "1", "1", None, (Region(1, BOX), Region(2, BOX))),))
    placeless = Field("b", 0, (Reading("text", "1", "1", 0.5, ()),), Status.REJECTED)
    content = DocumentContent(4012, None, [DEED, two_lines, placeless], model)
    body = project(content)
    schema = DocumentView.model_json_schema(mode="serialization")
    jsonschema.validate(body, schema)
    jsonschema.validate(project(content, tracks=True), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body | {"documentId": "4012"}, schema)
