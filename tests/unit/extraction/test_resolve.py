"""From words to fields, end to end, on small clean documents."""

from dataclasses import replace

import pytest

from alma.datamodel.fields import Field, Status
from alma.datamodel.geometry import Box
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType, shipped_schemas
from alma.extraction.resolve import extract, with_missing
from alma.extraction.scoring.confidence import SIGNALS, Calibration, Signals
from alma.extraction.values.names import last_name_last
from tests.unit.written import page

DEED = """
                      DEED OF CONVEYANCE

Grantor: Josiah A. Greaves          Grantee: Mabel Clarke
Dated the 4th day of March, 1952

Know all men by these presents that the said Josiah A. Greaves, in
consideration of the sum of $1,250.00 paid by Mabel Clarke, does grant
all that parcel of land situated in Holetown, County of Saint James,
containing 12.5 acres more or less, to have and to hold
Recorded: March 9, 1952
"""

INVOICE = """
Baker & Sons Ltd                             INVOICE
12 Mill Lane
Leeds LS1 4AB

Bill to:                          Invoice No:     INV-2041
Greaves Trading Ltd               Invoice date:   14 March 2021
4 Harbour Road                    Due date:       13 April 2021

Description         Qty      Price        Amount
Flour                10      12.00        120.00
Yeast                 2       4.50          9.00

                           Subtotal       129.00
                           VAT 20%         25.80
                           Total          154.80
                           Amount due     154.80

VAT No: GB 123 4567 89
"""

CONTRACT = """
                  NON-DISCLOSURE AGREEMENT

This Agreement is entered into as of June 6, 2011 by and between
Ann Baker Foods, Inc., a Delaware corporation (the "Company"), and
Harbour Mills LLC (the "Recipient"). WHEREAS the parties wish to
exchange confidential information, now therefore they agree:

This Agreement shall terminate two (2) years from the date hereof and
shall be governed by and construed in accordance with the laws of the
State of New York.
"""

RECEIPT = """
        HARBOUR HARDWARE SDN BHD
        12, JALAN ROS 3, TAMAN ROS
        81100 JOHOR BAHRU, JOHOR
        TEL: 07-355 2616
            CASH BILL
DATE: 25/12/2018         CASHIER: ANN
HAMMER     1      42.40
SUB TOTAL         42.40
TOTAL GST          2.40
TOTAL             42.42
ROUNDING          -0.02
TOTAL ROUNDED     42.40
CASH              50.00
CHANGE             7.60
      GST SUMMARY
TOTAL             40.00
       THANK YOU
"""

BROADCAST = """
                               ORDER
Order / Rev:     1344601          Alt Order #:   09749211
Flight Dates:    02/07/20 - 02/13/20
Agency           Name:    Waterfront Media
Advertiser       Name:    Road to Ohio
                 # Spots   Gross Amount   Net Amount
Totals                10      $4,125.00    $3,506.25
"""

REGISTRATION = """
Document Metadata
REGISTRATION NUMBER=3634
REGISTRANT NAME=Daniel J. Baker, Inc.
SHORT FORM NAME=Greaves, Mabel
FOREIGN PRINCIPAL NAME=N/A
REGISTRATION DATE=1984-11-15
DATE STAMPED=2008-09-29
"""


def values(text: str, doc_type: str) -> dict[str, list[str]]:
    found = extract([page(text)], shipped_schemas())
    assert found.doc_type == doc_type
    result: dict[str, list[str]] = {}
    for field in found.fields:
        result.setdefault(field.key, []).append(field.best.value)
    return result


def field_of(pages: list[PageText], key: str, schema: DocumentSchema) -> Field:
    (found,) = [f for f in extract(pages, {"form": schema}, "form").fields if f.key == key]
    return found


def test_a_deed() -> None:
    read = values(DEED, "deed_of_conveyance")
    assert read["grantor_name"] == ["Josiah A. Greaves"]
    assert read["grantee_name"] == ["Mabel Clarke"]
    assert read["parcel_acreage"] == ["12.5"]
    assert read["consideration"] == ["1250.00"]
    assert read["instrument_date"] == ["1952-03-04"]
    assert read["recorded_date"] == ["1952-03-09"]
    assert read["property_town"] == ["Holetown"]
    assert read["county"] == ["Saint James"]


def test_an_invoice() -> None:
    assert values(INVOICE, "invoice") == {
        "seller_name": ["Baker & Sons Ltd"],
        "buyer_name": ["Greaves Trading Ltd"],
        "invoice_number": ["INV-2041"],
        "invoice_date": ["2021-03-14"],
        "due_date": ["2021-04-13"],
        "total_net": ["129.00"],
        "total_tax": ["25.80"],
        "total_gross": ["154.80"],
        "amount_due": ["154.80"],
        "seller_vat_id": ["GB123456789"],
        "seller_address": ["12 Mill Lane Leeds LS1 4AB"],
        "buyer_address": ["4 Harbour Road"],
        "line_items.description": ["Flour", "Yeast"],
        "line_items.quantity": ["10", "2"],
        "line_items.unit_price": ["12.00", "4.50"],
        "line_items.amount": ["120.00", "9.00"],
    }


SOLD_BY_THE_LETTERHEAD = """
Northgate Paper Supplies Ltd                 INVOICE

Bill to                                      Invoice number  INV-20417
Harbour Cafe Ltd                             Invoice date    14 March 2024
                                             Due date        13 April 2024

Net total      200.00
VAT 20%         40.00
Total due      240.00
"""


def test_a_letterhead_is_the_seller_though_the_buyer_looks_like_one() -> None:
    read = values(SOLD_BY_THE_LETTERHEAD, "invoice")
    assert read["seller_name"] == ["Northgate Paper Supplies Ltd"]
    assert read["buyer_name"] == ["Harbour Cafe Ltd"]


def test_a_contract() -> None:
    read = values(CONTRACT, "contract")
    assert read["party"] == ["Ann Baker Foods, Inc.", "Harbour Mills LLC"]
    assert read["effective_date"] == ["2011-06-06"]
    assert read["jurisdiction"] == ["New York"]
    assert read["term"] == ["2 years"]


def test_a_receipt() -> None:
    assert values(RECEIPT, "receipt") == {
        "company": ["HARBOUR HARDWARE SDN BHD"],
        "date": ["2018-12-25"],
        "address": ["12, JALAN ROS 3, TAMAN ROS 81100 JOHOR BAHRU, JOHOR"],
        "total": ["42.40"],
        "line_items.description": ["HAMMER"],
        "line_items.amount": ["42.40"],
    }


def test_an_order_for_broadcast_time() -> None:
    assert values(BROADCAST, "ad_buy_form") == {
        "contract_num": ["1344601"],
        "advertiser": ["Road to Ohio"],
        "gross_amount": ["4125.00"],
        "flight_from": ["2020-02-07"],
        "flight_to": ["2020-02-13"],
    }


def test_a_registration_form() -> None:
    assert values(REGISTRATION, "registration_form") == {
        "file_date": ["2008-09-29"],
        "registrant_name": ["Daniel J. Baker, Inc."],
        "registration_num": ["3634"],
        "individual_name": ["Mabel Greaves"],
    }


def test_a_letter_has_no_type_and_no_fields() -> None:
    found = extract([page("My dear Dyer,\nWe had a hard day's work at the Herbarium.")], shipped_schemas())
    assert (found.doc_type, found.doc_type_confidence, found.fields) == (None, None, [])


def test_no_pages_have_no_type() -> None:
    assert extract([], shipped_schemas()).doc_type is None


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(KeyError):
        extract([page("x")], shipped_schemas(), "passport")


FORM = DocumentSchema(
    doc_type="form",
    fields=(
        FieldSchema(key="name", aliases=("name",), type=FieldType.NAME),
        FieldSchema(key="total", aliases=("total",), type=FieldType.AMOUNT),
        FieldSchema(
            key="party",
            type=FieldType.NAME,
            repeated=True,
            patterns=(r"(?:between|and)\s+(?P<value>{NAME})",),
        ),
    ),
)


def test_evidence_is_the_words_of_the_value() -> None:
    text = page("Name:  Ann Baker")
    reading = field_of([text], "name", FORM).best
    (region,) = reading.regions
    assert region.page == 1
    assert region.box == text.words[1].box.union(text.words[2].box)
    assert reading.content == "Ann Baker"


def test_evidence_of_a_turned_page_is_on_the_page_as_displayed() -> None:
    turned = page("Name:  Ann Baker\nTotal: 9.00", turned=90)
    reading = field_of([turned], "name", FORM).best
    assert reading.value == "Ann Baker"
    (region,) = reading.regions
    expected = turned.words[1].box.union(turned.words[2].box)
    assert region.box.iou(expected) > 0.999
    assert region.box.h > region.box.w  # lines run upwards on the page as displayed


def test_each_track_keeps_its_reading() -> None:
    pages = [page("Name: Ann Baker"), page("Name: Ann Baher", track=Track.VISION)]
    found = field_of(pages, "name", FORM)
    assert sorted((r.track, r.value) for r in found.readings) == [
        ("text", "Ann Baker"),
        ("vision", "Ann Baher"),
    ]
    assert found.status is Status.ESCALATED
    assert found.reasons == ("confidence_unknown", "tracks_disagree")


def test_tracks_that_agree_are_not_escalated() -> None:
    pages = [page("Total: 9.00"), page("Total: 9.00", track=Track.VISION)]
    assert field_of(pages, "total", FORM.model_copy(update={"review_below": 0.0})).status is Status.UNREVIEWED


def test_occurrences_are_aligned_between_tracks_by_value_and_place() -> None:
    text = "made between Ann Baker and Bob Clarke"
    seen = "made between Ann Baher and Bob Clarke"
    found = extract([page(text), page(seen, track=Track.VISION)], {"form": FORM}, "form").fields
    assert [(f.key, f.occurrence, {r.track: r.value for r in f.readings}) for f in found] == [
        ("party", 0, {"text": "Ann Baker", "vision": "Ann Baher"}),
        ("party", 1, {"text": "Bob Clarke", "vision": "Bob Clarke"}),
    ]


def test_a_field_of_a_type_without_data_has_no_confidence_and_a_person_looks() -> None:
    found = field_of([page("Total: 9.00")], "total", FORM)
    assert found.best.confidence is None
    assert (found.status, found.reasons) == (Status.ESCALATED, ("confidence_unknown",))


def test_a_type_that_asks_for_no_look_gets_none_for_an_unknown_confidence() -> None:
    found = field_of([page("Total: 9.00")], "total", FORM.model_copy(update={"review_below": 0.0}))
    assert (found.best.confidence, found.status, found.reasons) == (None, Status.UNREVIEWED, ())


def calibration(bias: float, **weights: float) -> Calibration:
    return Calibration(tuple(weights.get(name, 0.0) for name in SIGNALS), {"form": bias})


def test_a_field_below_the_threshold_is_escalated() -> None:
    unsure = calibration(-2.0)
    (found,) = extract([page("Total: 9.00")], {"form": FORM}, "form", calibration=unsure).fields
    assert found.best.confidence == 0.119
    assert (found.status, found.reasons) == (Status.ESCALATED, ("low_confidence",))


def test_more_evidence_gives_more_confidence() -> None:
    model = calibration(-2.0, probability=1, margin=1, support=1, tracks_agree=1, tracks_differ=-1)
    weak, strong = Signals(0.4, 0.0, 0.5, 1), Signals(0.9, 3.0, 0.5, 3)
    order = [
        model.probability("form", "total", replace(weak, agrees=False).vector()),
        model.probability("form", "total", weak.vector()),
        model.probability("form", "total", replace(weak, agrees=True).vector()),
        model.probability("form", "total", replace(strong, agrees=True).vector()),
    ]
    assert order == [0.087, 0.206, 0.413, 0.76]


def test_a_zero_is_a_value() -> None:
    assert field_of([page("Total: 0.00")], "total", FORM).best.value == "0.00"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Greaves, Mabel", "Mabel Greaves"),
        ("Mabel Greaves", "Mabel Greaves"),
        ("Baker, Inc.", "Baker, Inc."),
        ("Greaves, Mabel, Jr.", "Greaves, Mabel, Jr."),
    ],
)
def test_last_name_first(written: str, name: str) -> None:
    assert last_name_last(written) == name


def test_boxes_stay_inside_the_page() -> None:
    for text in (DEED, INVOICE, CONTRACT, RECEIPT):
        for found in extract([page(text)], shipped_schemas()).fields:
            for reading in found.readings:
                assert reading.regions
                for region in reading.regions:
                    box = region.box
                    assert box.overlap(Box(0, 0, 1, 1)) == pytest.approx(box.area)


def test_a_schema_says_below_what_confidence_a_person_looks() -> None:
    strict = FORM.model_copy(update={"review_below": 0.95})
    found = extract([page("Total: 9.00")], {"form": strict}, "form", calibration=calibration(2.0)).fields
    assert [(f.best.confidence, f.reasons) for f in found] == [(0.881, ("low_confidence",))]


def test_a_required_field_that_is_not_there_is_kept_as_missing() -> None:
    (name, total, party) = FORM.fields
    schema = FORM.model_copy(update={"fields": (name.model_copy(update={"required": True}), total, party)})
    extraction = extract([page("Total: 9.00")], {"form": schema}, "form")
    found = with_missing(extraction, schema).fields
    assert [(f.key, f.missing, f.status, f.reasons) for f in found] == [
        ("name", True, Status.ESCALATED, ("required_missing",)),
        ("total", False, Status.ESCALATED, ("confidence_unknown",)),
    ]
