"""Exports as clients ask for them: columns, marks, workbooks, and the command."""

import base64
import csv
import datetime
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

import openpyxl
import pytest

from alma.cli import main
from alma.datamodel.fields import Field, Reading, Status
from alma.datamodel.geometry import Box, Region
from alma.documents.records import Document
from alma.settings import settings
from tests.cloud import Answer, Tenant, client, seed_fields

pytestmark = pytest.mark.usefixtures("aws")

SIX = ["field_key", "value", "confidence", "page_number", "bbox", "source"]
BOX = Box(0.142, 0.331, 0.268, 0.041)


@pytest.fixture
def greaves() -> Tenant:
    """An organisation."""
    return Tenant.create("greaves")


def read(key: str, value: str, occurrence: int = 0, content: str | None = None) -> Field:
    """Return a field as it was read."""
    reading = Reading("text", value, content or value, 0.9, (Region(1, BOX),))
    return Field(key, occurrence, (reading,))


def get(tenant: Tenant, document: Document, **query: str) -> Answer:
    """Ask for an export."""
    path = {"documentId": str(document.id)}
    return tenant.call("export", "GET", "/v1/export/{documentId}", path=path, query=query)


def body(answer: Answer) -> bytes:
    """Return the file that was answered."""
    assert answer.status == 200, answer.body
    return base64.b64decode(answer.body) if answer.encoded else answer.body.encode()


def table(answer: Answer) -> list[list[str]]:
    """Return the rows of a csv."""
    return list(csv.reader(io.StringIO(body(answer).decode(), newline="")))


def workbook(tenant: Tenant, document: Document, **query: str) -> openpyxl.Workbook:
    """Return an export as a spreadsheet opens it."""
    return openpyxl.load_workbook(io.BytesIO(body(get(tenant, document, format="xlsx", **query))))


def sheet(tenant: Tenant, document: Document, **query: str) -> Any:
    """Return the first sheet of the export."""
    return workbook(tenant, document, **query).worksheets[0]


# --- columns ---------------------------------------------------------------


def test_the_header_of_a_csv_is_the_seeds_to_the_letter(greaves: Tenant) -> None:
    document = greaves.seed_document(seed_fields())

    lines = body(get(greaves, document, format="csv")).decode().splitlines()

    assert lines[0] == "field_key,value,confidence,page_number,bbox,source"
    assert body(get(greaves, document, format="csv", columns="all")).decode().splitlines()[0] == (
        "field_key,value,confidence,page_number,bbox,source,status,reasons,content,version"
    )


def deed(tenant: Tenant) -> Document:
    """Return a deed with an accepted, an escalated and a rejected field."""
    acreage = Reading("vision", "12.5", "12,5 acres", 0.61, (Region(2, BOX),))
    reasons = ("low_confidence", "tracks_disagree")
    fields = [
        seed_fields()[0],
        Field("parcel_acreage", 0, (acreage,), Status.ESCALATED, reasons=reasons, version=3),
        Field("grantee_name", 0, (acreage,), Status.REJECTED),
    ]
    return tenant.seed_document(fields)


def test_all_columns_of_a_csv_say_status_reasons_content_and_version(greaves: Tenant) -> None:
    rows = table(get(greaves, deed(greaves), format="csv", columns="all"))

    assert rows[0] == [*SIX, "status", "reasons", "content", "version"]
    assert [(row[0], *row[5:]) for row in rows[1:]] == [
        ("grantor_name", "accepted", "accepted", "", "Josiah A. Greaves", "1"),
        ("parcel_acreage", "vision", "escalated", "low_confidence tracks_disagree", "12,5 acres", "3"),
    ]


def test_all_columns_of_an_xlsx_are_those_of_the_csv(greaves: Tenant) -> None:
    rows = list(sheet(greaves, deed(greaves), columns="all").iter_rows(values_only=True))

    assert list(rows[0]) == [*SIX, "status", "reasons", "content", "version"]
    assert rows[2][5:] == ("vision", "escalated", "low_confidence tracks_disagree", "12,5 acres", 3)
    assert len(rows) == 3


def test_all_columns_of_an_xml_are_elements_of_each_field(greaves: Tenant) -> None:
    document = deed(greaves)
    plain = ElementTree.fromstring(body(get(greaves, document, format="xml")))
    every = ElementTree.fromstring(body(get(greaves, document, format="xml", columns="all")))

    assert [element.tag for element in plain[1]] == SIX
    assert [element.tag for element in every[1]] == [*SIX, "status", "reasons", "content", "version"]
    assert [element.text for element in every[1]][6:] == [
        "escalated",
        "low_confidence tracks_disagree",
        "12,5 acres",
        "3",
    ]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            {"format": "csv", "columns": "some"},
            "columns is all, for status, reasons, content and version as well; or leave it out.",
        ),
        (
            {"format": "csv", "columns": ""},
            "columns is all, for status, reasons, content and version as well; or leave it out.",
        ),
        ({"format": "csv", "bom": "yes"}, "bom is one of 0 and 1."),
        ({"format": "doc"}, "format is one of csv, xlsx, xml, json and jsonl."),
        (
            {"format": "csv", "column": "all"},
            "There is no query parameter column; this route takes format, columns and bom.",
        ),
        (
            {"format": "jsonl", "columns": "all"},
            "columns is for csv, xlsx and xml; json and jsonl always hold the same. The document itself, "
            "asked for with all tracks, has reasons, content and version as JSON.",
        ),
        (
            {"format": "xlsx", "bom": "1"},
            "bom is for csv; the other formats say themselves how they are encoded.",
        ),
    ],
)
def test_what_no_export_can_be_is_400_and_says_what_there_is(
    greaves: Tenant, query: dict[str, str], sentence: str
) -> None:
    answer = get(greaves, greaves.seed_document(seed_fields()), **query)

    assert (answer.status, answer.json["error"], answer.json["detail"]) == (400, "bad_request", sentence)


def test_the_mark_is_there_where_it_is_asked_for(greaves: Tenant) -> None:
    document = greaves.seed_document([read("grantor_name", "Müller")])

    plain, marked = get(greaves, document, format="csv"), get(greaves, document, format="csv", bom="1")

    assert body(plain).startswith(b"field_key,")
    assert body(marked) == b"\xef\xbb\xbf" + body(plain)
    assert body(get(greaves, document, format="csv", bom="0")) == body(plain)


def test_large_exports_of_one_document_that_differ_are_stored_apart(
    greaves: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    small = replace(settings(), max_inline_bytes=10)
    monkeypatch.setattr("alma.api.answers.settings", lambda: small)
    document = deed(greaves)
    plain, every = get(greaves, document, format="csv"), get(greaves, document, format="csv", columns="all")
    marked = get(greaves, document, format="csv", bom="1")

    def stored(answer: Answer) -> bytes:
        key = urlsplit(answer.headers["Location"]).path.split("/greaves/")[1]
        found = client("s3").get_object(Bucket=settings().archive_bucket, Key=f"greaves/{key}")
        content: bytes = found["Body"].read()
        return content

    assert stored(plain).startswith(b"field_key,value,confidence,page_number,bbox,source\n")
    assert b",status,reasons,content,version\n" in stored(every)
    assert stored(marked).startswith(b"\xef\xbb\xbf")


# --- formulas --------------------------------------------------------------


@pytest.mark.parametrize("separator", [";", ",", "\t", "|", "\n"])
@pytest.mark.parametrize("formula", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)"])
def test_no_separator_of_lists_makes_a_formula_of_a_part_of_a_value(
    greaves: Tenant, separator: str, formula: str
) -> None:
    document = greaves.seed_document([read("grantor_name", f"a{separator}{formula}")])

    line = body(get(greaves, document, format="csv", columns="all")).decode().partition("\n")[2]

    assert table(get(greaves, document, format="csv"))[1][1] == f"a{separator}'{formula}"
    for cell in line.replace("\n", separator).split(separator):
        assert not cell.lstrip('" ').startswith(("=", "+", "-", "@"))


# --- workbooks -------------------------------------------------------------


def test_amounts_numbers_and_dates_of_an_xlsx_are_such_and_the_rest_is_text(greaves: Tenant) -> None:
    document = greaves.seed_document(
        [
            read("invoice_number", "00123"),
            read("iban", "DE88200800000970375700"),
            read("seller_vat_id", "123456789"),
            read("seller_name", "2026"),
            read("total_gross", "1234.50"),
            read("total_tax", "-0.10"),
            read("invoice_date", "2026-05-14"),
            read("line_items.quantity", "3"),
            read("line_items.tax_rate", "7.25"),
        ],
        "invoice",
    )

    cells = {row[0].value: row[1] for row in sheet(greaves, document).iter_rows(min_row=2)}

    assert {key: (cell.value, cell.data_type, cell.number_format) for key, cell in cells.items()} == {
        "invoice_number": ("00123", "s", "General"),
        "iban": ("DE88200800000970375700", "s", "General"),
        "seller_vat_id": ("123456789", "s", "General"),
        "seller_name": ("2026", "s", "General"),
        "total_gross": (1234.5, "n", "#,##0.00"),
        "total_tax": (-0.1, "n", "#,##0.00"),
        "invoice_date": (datetime.datetime(2026, 5, 14), "d", "yyyy-mm-dd"),
        "line_items[0].quantity": (3, "n", "0"),
        "line_items[0].tax_rate": (7.25, "n", "0.00"),
    }


@pytest.mark.parametrize("amount", ["0.10", "1234.50", "9007199254740.93", "4503599627370.49", "0.000"])
def test_the_file_holds_the_decimal_that_was_read(greaves: Tenant, amount: str) -> None:
    document = greaves.seed_document([read("total_gross", amount)], "invoice")

    with zipfile.ZipFile(io.BytesIO(body(get(greaves, document, format="xlsx")))) as archive:
        written = archive.read("xl/worksheets/sheet1.xml").decode()

    assert f"<v>{amount}</v>" in written


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("total_gross", "1234567890123456"),  # more digits than Excel keeps
        ("total_gross", "007.00"),
        ("total_gross", "1.234,50"),
        ("total_gross", "ten dollars"),
        ("total_gross", "١٢"),
        ("invoice_date", "1899-12-31"),  # before Excel's calendar
        ("invoice_date", "1900-02-28"),  # where calendars of spreadsheets differ
        ("invoice_date", "2026-02-30"),
        ("invoice_date", "20260514"),
        ("invoice_date", "May 2026"),
    ],
)
def test_what_a_number_or_date_would_not_say_alike_stays_text(greaves: Tenant, key: str, value: str) -> None:
    document = greaves.seed_document([read(key, value)], "invoice")

    cell = sheet(greaves, document)["B2"]

    assert (cell.value, cell.data_type) == (value, "s")


def test_types_are_those_of_the_organisations_own_document_type(greaves: Tenant) -> None:
    fields = [
        {"key": "parcel", "type": "identifier"},
        {"key": "weight", "type": "number"},
        {"key": "sent_on", "type": "date"},
    ]
    made = greaves.call(
        "schemas", "PUT", "/v1/schemas/{docType}", path={"docType": "delivery_note"}, body={"fields": fields}
    )
    assert made.status == 201
    values = [read("parcel", "0815"), read("weight", "12.50"), read("sent_on", "2026-05-14")]
    document = greaves.seed_document(values, "delivery_note")

    typed = [cell.data_type for cell in sheet(greaves, document)["B"][1:]]
    greaves.call("schemas", "DELETE", "/v1/schemas/{docType}", path={"docType": "delivery_note"})
    untyped = [cell.data_type for cell in sheet(greaves, document)["B"][1:]]

    assert (typed, untyped) == (["s", "n", "d"], ["s", "s", "s"])
    nameless = greaves.seed_document([read("weight", "12.50")], None)
    assert sheet(greaves, nameless)["B2"].data_type == "s"


def invoice(tenant: Tenant) -> Document:
    """Return an invoice with two lines, the second one without a unit and with an accepted amount."""
    amount = read("line_items.amount", "7.50", 3).readings[0]
    return tenant.seed_document(
        [
            read("total_gross", "19.50"),
            read("line_items.description", "Flour", 0),
            read("line_items.description", "=1+1", 3),
            read("line_items.quantity", "2", 0),
            read("line_items.amount", "12.00", 0),
            Field("line_items.amount", 3, (amount,), Status.ACCEPTED, reviewed=amount),
            Field("line_items.unit", 3, (amount,), Status.REJECTED),
        ],
        "invoice",
    )


def test_line_items_are_a_sheet_with_a_line_for_each_row(greaves: Tenant) -> None:
    book = workbook(greaves, invoice(greaves))

    assert book.sheetnames[1:] == ["line_items"]
    lines = book["line_items"]
    assert list(lines.iter_rows(values_only=True)) == [
        ("row", "description", "quantity", "unit", "unit_price", "tax_rate", "amount"),
        (0, "Flour", 2, None, None, None, 12),
        (3, "=1+1", None, None, None, None, 7.5),
    ]
    assert [cell.number_format for cell in lines["G"][1:]] == ["#,##0.00", "#,##0.00"]
    assert lines["B3"].data_type == "s"
    assert (lines.freeze_panes, lines["G1"].font.b) == ("A2", True)


def test_with_all_columns_each_cell_of_a_line_has_its_status(greaves: Tenant) -> None:
    lines = workbook(greaves, invoice(greaves), columns="all")["line_items"]

    header, _, last = lines.iter_rows(values_only=True)
    assert header[7:] == (
        "description.status",
        "quantity.status",
        "unit.status",
        "unit_price.status",
        "tax_rate.status",
        "amount.status",
    )
    assert last[7:] == ("unreviewed", None, None, None, None, "accepted")


def test_several_groups_are_a_sheet_each_however_long_their_names(greaves: Tenant) -> None:
    long = "a_group_with_a_name_that_is_longer_than_a_sheet"
    document = greaves.seed_document(
        [
            read("taxes.rate", "7", 0),
            read(f"{long}_one.x", "1"),
            read(f"{long}_two.x", "2"),
        ],
        "invoice",
    )

    book = workbook(greaves, document)

    assert book.sheetnames[1:] == ["taxes", long[:28], long[:28] + "1"]
    assert [book[name]["B2"].value for name in book.sheetnames[1:]] == ["7", "1", "2"]


def test_a_document_without_groups_has_one_sheet(greaves: Tenant) -> None:
    assert len(workbook(greaves, greaves.seed_document(seed_fields())).sheetnames) == 1


# --- agents ----------------------------------------------------------------


def handed_on(tenant: Tenant, **arguments: object) -> dict[str, Any]:
    """Return what `export_document` gives an agent."""
    params = {"name": "export_document", "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    result = json.loads(base64.b64decode(tenant.call("mcp", "POST", "/mcp", body=message).body))["result"]
    found: dict[str, Any] = result["structuredContent"]
    return found


def test_an_agent_is_given_the_bytes_of_the_file_or_its_text_if_it_asks(greaves: Tenant) -> None:
    document = deed(greaves)

    for file_format in ("csv", "json"):
        exported = body(get(greaves, document, format=file_format))
        given = handed_on(greaves, documentId=str(document.id), format=file_format, encoding=None)
        assert (given["encoding"], base64.b64decode(given["data"])) == ("base64", exported)
        text = handed_on(greaves, documentId=document.id, format=file_format, encoding="utf-8")
        assert (text["encoding"], text["data"].encode()) == ("utf-8", exported)


def test_an_agent_is_given_the_workbook_with_its_numbers(greaves: Tenant) -> None:
    given = handed_on(greaves, documentId=invoice(greaves).id, format="xlsx")

    book = openpyxl.load_workbook(io.BytesIO(base64.b64decode(given["data"])))
    assert book.worksheets[0]["B2"].value == 19.5
    assert book["line_items"]["G2"].value == 12


# --- the command -----------------------------------------------------------


class _Exports(BaseHTTPRequestHandler):
    """The export function behind HTTP."""

    tenant: ClassVar[Tenant]

    def do_GET(self) -> None:
        """Answer with what the function answers."""
        url = urlsplit(self.path)
        path = {"documentId": url.path.rpartition("/")[2]}
        query = dict(parse_qsl(url.query))
        answer = self.tenant.call("export", "GET", "/v1/export/{documentId}", path=path, query=query)
        content = base64.b64decode(answer.body) if answer.encoded else answer.body.encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(greaves: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Tenant]:
    """An organisation whose exports the commands reach, from an empty folder."""
    _Exports.tenant = greaves
    monkeypatch.chdir(tmp_path)
    with HTTPServer(("127.0.0.1", 0), _Exports) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("ALMA_API_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("ALMA_API_KEY", "alma_x")
        yield greaves
        server.shutdown()


def test_the_command_exports_all_columns_and_the_mark(served: Tenant) -> None:
    number = str(deed(served).id)

    assert main(["export", number, "--format", "csv", "-o", "plain.csv"]) == 0
    assert main(["export", number, "--format", "csv", "--columns", "all", "--bom", "-o", "all.csv"]) == 0

    assert Path("plain.csv").read_bytes().startswith(b"field_key,value,confidence,page_number,bbox,source\n")
    header = Path("all.csv").read_bytes().partition(b"\n")[0]
    assert header.startswith(b"\xef\xbb\xbffield_key,")
    assert header.endswith(b",source,status,reasons,content,version")


def test_the_command_says_why_json_has_no_columns_to_choose(
    served: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(deed(served).id), "--columns", "all"]) == 1

    assert "columns is for csv, xlsx and xml" in capsys.readouterr().err
