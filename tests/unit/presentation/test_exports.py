"""A document as csv, xlsx, xml, json and jsonl."""

import csv
import io
import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from xml.etree import ElementTree

import openpyxl
import pytest

from alma.datamodel.fields import Field, Reading, Status
from alma.datamodel.geometry import Box, Region
from alma.datamodel.schemas import FieldType
from alma.errors import BadRequestError
from alma.presentation.document import DocumentContent
from alma.presentation.exports import Format, export
from alma.presentation.exports import csv as csv_writer
from alma.presentation.exports import xlsx as xlsx_writer

GRANTOR_BOX = Box(0.142, 0.331, 0.268, 0.041)
ACREAGE_BOX = Box(0.557, 0.214, 0.083, 0.029)


def reading(value: str, confidence: float | None = 0.9, *regions: Region, track: str = "vision") -> Reading:
    return Reading(track, value, value, confidence, regions)


def field(value: str, key: str = "note", status: Status = Status.UNREVIEWED) -> Field:
    return Field(key, 0, (reading(value, None),), status)


#: The two fields of the documented example.
GRANTOR = Field(
    "grantor_name",
    0,
    (reading("Josiah A. Graves", 0.7, Region(1, GRANTOR_BOX)),),
    Status.ACCEPTED,
    reviewed=reading("Josiah A. Greaves", 0.973, Region(1, GRANTOR_BOX)),
)
ACREAGE = Field("parcel_acreage", 0, (reading("12.5", 0.61, Region(2, ACREAGE_BOX)),), Status.ESCALATED)
REJECTED = Field("grantee_name", 0, (reading("Nobody", 0.2, Region(1, GRANTOR_BOX)),), Status.REJECTED)
DEED = [GRANTOR, ACREAGE, REJECTED]


def exported(fields: list[Field], format: str) -> str:  # noqa: A002
    return export(DocumentContent(4012, "deed_of_conveyance", fields), format).body.decode()


def csv_rows(fields: list[Field]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(exported(fields, "csv"), newline="")))[1:]


def test_the_csv_of_the_documented_deed_is_the_documented_one_without_what_was_rejected() -> None:
    assert exported(DEED, "csv") == (
        "field_key,value,confidence,page_number,bbox,source\n"
        "grantor_name,Josiah A. Greaves,0.973,1,"
        '"{""x"":0.142,""y"":0.331,""w"":0.268,""h"":0.041}",accepted\n'
        'parcel_acreage,12.5,0.61,2,"{""x"":0.557,""y"":0.214,""w"":0.083,""h"":0.029}",vision\n'
    )


LINES = [
    Field("line_items.description", 3, (reading("Flour", None, Region(2, GRANTOR_BOX)),)),
    Field(
        "line_items.amount",
        3,
        (reading("120.00", None, Region(2, ACREAGE_BOX)),),
        Status.ACCEPTED,
        reviewed=reading("120.00", None, Region(2, ACREAGE_BOX)),
    ),
]


def test_a_column_of_a_group_is_exported_with_its_row() -> None:
    assert [(row[0], row[1]) for row in csv_rows(LINES)] == [
        ("line_items[3].description", "Flour"),
        ("line_items[3].amount", "120.00"),
    ]
    assert [row[0] for row in worksheet(LINES)[1:]] == ["line_items[3].description", "line_items[3].amount"]
    keys = ElementTree.fromstring(exported(LINES, "xml")).iterfind("field/field_key")
    assert [key.text for key in keys] == ["line_items[3].description", "line_items[3].amount"]
    assert json.loads(exported(LINES, "json"))["fields"][1] == {
        "key": "line_items.amount",
        "group": "line_items",
        "row": 3,
        "value": "120.00",
        "confidence": None,
        "status": "accepted",
        "evidence": {"page": 2, "bbox": {"x": 0.557, "y": 0.214, "w": 0.083, "h": 0.029}},
    }


def test_a_training_example_names_the_column_and_not_its_row() -> None:
    [line] = exported(LINES, "jsonl").splitlines()
    assert json.loads(line)["field_key"] == "line_items.amount"


def test_a_document_without_fields_is_a_csv_with_a_header_only() -> None:
    assert exported([], "csv") == "field_key,value,confidence,page_number,bbox,source\n"


def test_an_unknown_confidence_and_an_unknown_place_are_empty_cells() -> None:
    assert exported([field("x")], "csv").splitlines()[1] == "note,x,,,,vision"


def test_csv_quotes_what_would_break_a_row_and_keeps_letters_of_all_scripts() -> None:
    value = 'Müller, "Söhne" & Co\nКиїв 東京'
    assert csv_rows([field(value)]) == [["note", value, "", "", "", "vision"]]


@pytest.mark.parametrize("value", ["=1+1", "+49 30 1234", "-1+1", "@SUM(A1)", "＝1+1", "-"])
def test_csv_disarms_cells_that_a_spreadsheet_would_run(value: str) -> None:
    [[_, cell, *_]] = csv_rows([field(value)])
    assert cell == "'" + value


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\n'=1"),
        ('a;=HYPERLINK("http://x")', 'a;\'=HYPERLINK("http://x")'),
        ("a,=1", "a,'=1"),
        ("a|@SUM(A1)", "a|'@SUM(A1)"),
        ("a\t+1", "a\t'+1"),
        ("a\r\n-1", "a\n'-1"),
        ("a\x85=1", "a\x85'=1"),
        ('a;"=1', "a;\"'=1"),
        ("a; \u00a0＝1", "a; \u00a0'＝1"),
        ("=1;=2;;=3", "'=1;'=2;;'=3"),
        ("-5;cmd|' /C calc'!A0", "'-5;cmd|' /C calc'!A0"),
    ],
)
def test_csv_disarms_what_would_begin_a_cell_if_lists_were_separated_otherwise(value: str, cell: str) -> None:
    assert csv_rows([field(value)])[0][1] == cell


def test_a_hundred_thousand_separators_take_no_time() -> None:
    for separator in ("\n", "; ", '"', " "):
        assert csv_writer.inert("a" + separator * 100_000).endswith(separator)


@pytest.mark.parametrize("value", ["-12.5", "-1,234.50", "-0", "0", "2026-05-14", "a=b", "a;b=c", "1 - 2; 3"])
def test_csv_leaves_negative_numbers_and_ordinary_values_alone(value: str) -> None:
    [[_, cell, *_]] = csv_rows([field(value)])
    assert cell == value


def test_csv_disarms_keys_and_sources_as_well() -> None:
    assert csv_writer.inert("=cmd|' /C calc'!A0") == "'=cmd|' /C calc'!A0"
    odd = Field("=key", 0, (reading("v", None, track="@model"),))
    assert exported([odd], "csv").splitlines()[1] == "'=key,v,,,,'@model"


def test_control_characters_and_lone_surrogates_do_not_reach_any_file() -> None:
    value = "a\x00b\x0bc\x1fd\ud800e\ufffef\tg"
    assert csv_rows([field(value)])[0][1] == "abcdef\tg"
    assert ElementTree.fromstring(exported([field(value)], "xml")).findtext("field/value") == "abcdef\tg"
    assert worksheet([field(value)])[1][1] == "abcdef\tg"
    assert json.loads(exported([field(value)], "json"))["fields"][0]["value"] == value


def worksheet(fields: list[Field]) -> list[tuple[object, ...]]:
    body = export(DocumentContent(4012, "deed_of_conveyance", fields), "xlsx").body
    sheet = openpyxl.load_workbook(io.BytesIO(body))["document-4012"]
    return list(sheet.iter_rows(values_only=True))


def test_the_worksheet_has_the_columns_of_the_csv_and_numbers_where_they_are_numbers() -> None:
    assert worksheet(DEED) == [
        ("field_key", "value", "confidence", "page_number", "bbox", "source"),
        (
            "grantor_name",
            "Josiah A. Greaves",
            0.973,
            1,
            '{"x":0.142,"y":0.331,"w":0.268,"h":0.041}',
            "accepted",
        ),
        ("parcel_acreage", "12.5", 0.61, 2, '{"x":0.557,"y":0.214,"w":0.083,"h":0.029}', "vision"),
    ]


def test_the_header_of_the_worksheet_is_bold_and_stays_in_sight() -> None:
    body = export(DocumentContent(4012, None, DEED), "xlsx").body
    sheet = openpyxl.load_workbook(io.BytesIO(body))["document-4012"]
    assert sheet.freeze_panes == "A2"
    assert [cell.font.b for cell in sheet[1]] == [True] * 6
    assert not sheet["A2"].font.b


@pytest.mark.parametrize("value", ["=1+1", "=cmd|' /C calc'!A0", "#REF!", "00123", "+1", "@x"])
def test_a_value_in_the_worksheet_is_text_whatever_it_looks_like(value: str) -> None:
    body = export(DocumentContent(1, None, [field(value)]), "xlsx").body
    cell = openpyxl.load_workbook(io.BytesIO(body))["document-1"]["B2"]
    assert (cell.value, cell.data_type) == (value, "s")


def test_a_value_longer_than_a_cell_is_cut_between_characters_and_says_so() -> None:
    assert xlsx_writer.shortened("x" * 32_767) == "x" * 32_767
    assert xlsx_writer.shortened("x" * 32_768) == "x" * 32_766 + "…"
    # Two UTF-16 units each: 16 383 of them leave room for one unit, the ellipsis.
    assert xlsx_writer.shortened("😀" * 20_000) == "😀" * 16_383 + "…"
    assert worksheet([field("😀" * 20_000)])[1][1] == "😀" * 16_383 + "…"


def test_more_fields_than_a_worksheet_has_rows_are_refused_with_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(xlsx_writer, "MAX_ROWS", 2)
    with pytest.raises(BadRequestError, match="export them as csv"):
        export(DocumentContent(4012, None, [field("a"), field("b")]), "xlsx")


def test_the_xml_names_its_elements_as_the_columns() -> None:
    assert exported(DEED, "xml") == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<document id="4012" type="deed_of_conveyance">\n'
        '  <field status="accepted">\n'
        "    <field_key>grantor_name</field_key>\n"
        "    <value>Josiah A. Greaves</value>\n"
        "    <confidence>0.973</confidence>\n"
        "    <page_number>1</page_number>\n"
        '    <bbox x="0.142" y="0.331" w="0.268" h="0.041"/>\n'
        "    <source>accepted</source>\n"
        "  </field>\n"
        '  <field status="escalated">\n'
        "    <field_key>parcel_acreage</field_key>\n"
        "    <value>12.5</value>\n"
        "    <confidence>0.61</confidence>\n"
        "    <page_number>2</page_number>\n"
        '    <bbox x="0.557" y="0.214" w="0.083" h="0.029"/>\n'
        "    <source>vision</source>\n"
        "  </field>\n"
        "</document>\n"
    )


def test_the_xml_leaves_out_what_is_not_known_and_escapes_the_rest() -> None:
    body = export(DocumentContent(1, None, [field('<b> & "c"')]), "xml").body.decode()
    assert '<document id="1">' in body
    assert "confidence" not in body
    assert "bbox" not in body
    assert ElementTree.fromstring(body).findtext("field/value") == '<b> & "c"'


def test_the_json_is_the_body_of_the_documents_api_with_every_status() -> None:
    assert json.loads(exported(DEED, "json")) == {
        "documentId": 4012,
        "docType": "deed_of_conveyance",
        "fields": [
            {
                "key": "grantor_name",
                "value": "Josiah A. Greaves",
                "confidence": 0.973,
                "status": "accepted",
                "evidence": {"page": 1, "bbox": {"x": 0.142, "y": 0.331, "w": 0.268, "h": 0.041}},
            },
            {
                "key": "parcel_acreage",
                "value": "12.5",
                "confidence": 0.61,
                "status": "escalated",
                "evidence": {"page": 2, "bbox": {"x": 0.557, "y": 0.214, "w": 0.083, "h": 0.029}},
            },
            {
                "key": "grantee_name",
                "value": "Nobody",
                "confidence": 0.2,
                "status": "rejected",
                "evidence": {"page": 1, "bbox": {"x": 0.142, "y": 0.331, "w": 0.268, "h": 0.041}},
            },
        ],
    }


def test_jsonl_has_the_verified_fields_only_as_the_documented_line() -> None:
    assert exported(DEED, "jsonl") == (
        '{"text":"Josiah A. Greaves","field_key":"grantor_name","doc_type":"deed_of_conveyance",'
        '"page_number":1,"bbox":{"x":0.142,"y":0.331,"w":0.268,"h":0.041},'
        '"image_key":"pages/4012/p1.png","status":"accepted"}\n'
    )


def test_jsonl_takes_edited_values_and_leaves_out_what_has_no_place_on_a_page() -> None:
    edited = Field(
        "term",
        0,
        (reading("5 y", 0.4, Region(3, ACREAGE_BOX)),),
        Status.EDITED,
        reviewed=reading("5 years", None, Region(3, ACREAGE_BOX), track="review"),
    )
    placeless = Field("note", 0, (), Status.EDITED, reviewed=reading("by hand", None))
    lines = exported([edited, placeless], "jsonl").splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["5 years"]


def test_a_document_without_verified_fields_is_an_empty_jsonl() -> None:
    assert export(DocumentContent(4012, None, [ACREAGE]), "jsonl").body == b""


def test_a_value_over_two_lines_is_exported_with_the_box_around_both() -> None:
    lines = (Region(1, Box(0.1, 0.1, 0.2, 0.1)), Region(1, Box(0.2, 0.3, 0.5, 0.1)))
    [row] = csv_rows([Field("address", 0, (reading("two lines", 0.5, *lines),))])
    assert row[3:5] == ["1", '{"x":0.1,"y":0.1,"w":0.6,"h":0.3}']


@pytest.mark.parametrize(
    ("format_name", "media_type"),
    [
        ("csv", "text/csv; charset=utf-8"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("xml", "application/xml"),
        ("json", "application/json"),
        ("jsonl", "application/x-ndjson"),
    ],
)
def test_every_format_has_its_media_type_and_a_file_name(format_name: str, media_type: str) -> None:
    file = export(DocumentContent(4012, "deed_of_conveyance", DEED), format_name)
    assert (file.media_type, file.file_name) == (media_type, f"document-4012.{format_name}")


@pytest.mark.parametrize("format_name", ["pdf", "CSV", ""])
def test_an_unknown_format_is_refused_with_the_five_there_are(format_name: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        export(DocumentContent(4012, None, DEED), format_name)
    assert caught.value.detail == "format is one of csv, xlsx, xml, json, jsonl."


def test_twenty_thousand_fields_are_all_exported_in_order() -> None:
    many = [
        Field("item", n, (reading(str(n), 0.5, Region(1 + n // 50, ACREAGE_BOX)),)) for n in range(20_000)
    ]
    rows = csv_rows(many)
    assert [row[1] for row in rows] == [str(n) for n in range(20_000)]
    assert rows[-1][3] == "400"


def test_a_workbook_is_written_line_by_line_and_not_held() -> None:
    place = (Region(1, ACREAGE_BOX),)
    columns = ("line_items.description", "line_items.amount")
    cells = [
        Field(column, row, (reading("12.50", 0.5, *place),)) for row in range(2500) for column in columns
    ]
    document = DocumentContent(4012, "invoice", cells, types={"line_items.amount": FieldType.AMOUNT})
    export(replace(document, fields=[]), "xlsx")  # what is imported is not what is held

    tracemalloc.start()
    body = export(document, "xlsx").body
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 4 * 2**20
    rows = list(openpyxl.load_workbook(io.BytesIO(body), read_only=True)["line_items"].values)
    assert (len(rows), rows[-1]) == (2501, (2499, 12.5, "12.50"))


def test_nothing_but_an_xlsx_export_imports_openpyxl() -> None:
    code = (
        "import sys; from alma.presentation.exports import export\n"
        "from alma.presentation.document import DocumentContent\n"
        "for name in ('csv', 'xlsx'):\n"
        "    export(DocumentContent(1, None, []), name); print(name, 'openpyxl' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.split() == ["csv", "False", "xlsx", "True"]


def test_the_formats_are_the_documented_five() -> None:
    assert list(Format) == ["csv", "xlsx", "xml", "json", "jsonl"]
