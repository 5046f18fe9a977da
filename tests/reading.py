"""Files on their way through `ingest` and `extract`: the events that S3 and SQS send."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

from alma.settings import settings
from tests.cloud import Context, client, function
from tests.unit.files.making_pdfs import pdf_of_pages, text


def drop(key: str, body: bytes, sequencer: str = "0A") -> dict[str, Any]:
    """Put a file into the inbox and return the event S3 sends for it."""
    put = client("s3").put_object(Bucket=settings().inbox_bucket, Key=key, Body=body)
    stored = {
        "key": quote_plus(key, safe="/"),
        "size": len(body),
        "eTag": put["ETag"].strip('"'),
        "sequencer": sequencer,
    }
    return {"Records": [{"s3": {"bucket": {"name": settings().inbox_bucket}, "object": stored}}]}


def messages() -> list[dict[str, Any]]:
    """Take everything out of the page queue."""
    sqs = client("sqs")
    found: list[dict[str, Any]] = []
    while got := sqs.receive_message(
        QueueUrl=settings().page_queue, MaxNumberOfMessages=10, VisibilityTimeout=600
    ).get("Messages", []):
        found += [json.loads(message["Body"]) for message in got]
    return found


def extract(message: dict[str, Any]) -> Any:
    """Deliver one message to `extract`."""
    record = {
        "messageId": "m-1",
        "receiptHandle": "r",
        "body": json.dumps(message),
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:pages",
        "awsRegion": "eu-west-1",
    }
    return function("extract").handler({"Records": [record]}, Context())


def ingest(event: dict[str, Any]) -> None:
    """Deliver an event to `ingest`."""
    function("ingest").handler(event, Context())


def archive() -> list[str]:
    """Return the keys in the archive."""
    listed = client("s3").list_objects_v2(Bucket=settings().archive_bucket)
    return [entry["Key"] for entry in listed.get("Contents", [])]


def read_to_the_end() -> None:
    """Deliver messages until none is left."""
    while asked := messages():
        for message in asked:
            assert extract(message) == {"batchItemFailures": []}


SHOPS = [
    ("GERBANG ALAF RESTAURANTS SDN BHD", "LEVEL 6, BANGUNAN TH, 46350 PETALING JAYA", "12/03/2018", "17.35"),
    ("AEON CO. (M) BHD", "3RD FLR, TAMAN MALURI, 55100 KUALA LUMPUR", "20/05/2018", "243.10"),
    ("UNIHAKKA INTERNATIONAL SDN BHD", "12, JALAN TAMPOI 7/4, 81200 JOHOR BAHRU", "02/06/2018", "8.20"),
    ("MR. D.I.Y. (JOHOR) SDN BHD", "LOT 1851-A, JALAN KPB 6, 43300 SERI KEMBANGAN", "31/01/2018", "33.90"),
    ("POPULAR BOOK CO. (M) SDN BHD", "NO 8, JALAN 7/118B, 56000 KUALA LUMPUR", "15/04/2018", "71.04"),
]


def receipt(company: str, address: str, date: str, total: str) -> bytes:
    """Return a receipt as the operators of a page."""
    rows = [
        (200, company), (180, address), (200, "GST ID No : 000749527040"),
        (230, "TAX INVOICE"),
        (120, f"Date : {date}   12:41:07"), (120, "Cashier : NUR AINA"), (120, "Receipt No : 0418-2217"),
        (120, "Description        Qty      Price     Amount"),
        (120, f"ITEM 8841 SR       1        {total}     {total}"),
        (120, f"Sub Total          {total}"), (120, "Rounding Adj       0.00"),
        (120, f"TOTAL RM           {total}"), (120, f"CASH               {total}"),
        (120, "CHANGE             0.00"),
        (120, "GST Summary        Amount   Tax"),
        (150, "GOODS SOLD ARE NOT RETURNABLE"), (180, "THANK YOU PLEASE COME AGAIN"),
    ]  # fmt: skip
    return b"".join(text(x, 760 - 22 * row, words) for row, (x, words) in enumerate(rows))


FIVE_RECEIPTS = pdf_of_pages(*(receipt(*shop) for shop in SHOPS))
