"""Invoices and receipts as other countries and other printers write them, from words to fields."""

from dataclasses import replace

import pytest

from alma.datamodel.fields import Reason, Status
from alma.datamodel.geometry import Box
from alma.datamodel.pages import PageText
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType, shipped_schemas
from alma.extraction.resolve import extract
from tests.unit.written import page

INVOICE = """
Northgate Paper Supplies Ltd                                     INVOICE
14 Mill Lane
Leeds LS1 4AB

Bill To:                                Invoice No:       INV-20417
Harbour Cafe Ltd                        Invoice Date:     {date}
2 Quay Street
Whitby YO21 1DN

Description                Quantity     Unit Price        Amount
Copy paper A4              10           12.00             120.00
Envelopes C5               4            20.00             80.00

                                        {sums}

{foot}
"""
SUMS = (("Subtotal", "200.00"), ("VAT 20%", "40.00"), ("Total", "240.00"))


def invoice(
    date: str = "14/03/2024", sums: tuple[tuple[str, str], ...] = SUMS, foot: str = "VAT No: GB 123 4567 89"
) -> str:
    lines = ("\n" + " " * 40).join(f"{label:<28}{amount}" for label, amount in sums)
    return INVOICE.format(date=date, sums=lines, foot=foot)


def read(text: str | PageText, doc_type: str = "invoice") -> dict[str, str]:
    found = extract([page(text) if isinstance(text, str) else text], shipped_schemas())
    assert found.doc_type == doc_type
    return {f"{f.key}/{f.occurrence}" if f.group else f.key: f.best.value for f in found.fields if f.best}


def totals(*sums: tuple[str, str]) -> tuple[str | None, ...]:
    found = read(invoice(sums=sums))
    return tuple(found.get(key) for key in ("total_net", "total_tax", "total_gross"))


def test_a_tax_of_zero_is_a_tax() -> None:
    sums = ("Subtotal", "200.00"), ("VAT 0% (reverse charge)", "0.00"), ("Total", "200.00")
    assert totals(*sums) == ("200.00", "0.00", "200.00")


def test_the_net_is_that_after_the_discount() -> None:
    sums = (
        ("Subtotal", "200.00"),
        ("Discount 10%", "-20.00"),
        ("Net after discount", "180.00"),
        ("VAT 20%", "36.00"),
        ("Total", "216.00"),
    )
    assert totals(*sums) == ("180.00", "36.00", "216.00")


def test_shipping_between_net_and_total_does_not_hide_the_tax() -> None:
    sums = ("Subtotal", "200.00"), ("Shipping", "10.00"), ("VAT 20%", "42.00"), ("Total", "252.00")
    assert totals(*sums) == ("200.00", "42.00", "252.00")


def test_terms_of_payment_are_no_due_date() -> None:
    found = read(invoice(foot="Payment terms: 30 days net."))
    assert found["invoice_date"] == "2024-03-14"
    assert "due_date" not in found


def test_an_iban_goes_on_in_the_line_below_and_nothing_else_is_one() -> None:
    assert read(invoice(foot="IBAN: DE89 3704 0044 0532\n      0130 00"))["iban"] == "DE89370400440532013000"
    assert "iban" not in read(invoice(foot="IBAN: on request"))


def test_an_iban_with_wrong_check_digits_is_for_a_person() -> None:
    found = extract([page(invoice(foot="IBAN: DE89 3704 0044 0532 0130 01"))], shipped_schemas())
    (iban,) = [f for f in found.fields if f.key == "iban"]
    assert (iban.best.value, iban.status) == ("DE89370400440532013001", Status.ESCALATED)
    assert Reason.RULE_VIOLATED in iban.reasons


def test_a_date_that_nothing_tells_how_to_read_is_for_a_person() -> None:
    text = (
        invoice(date="03/04/2024", foot="")
        .replace("LS1 4AB", "")
        .replace("YO21 1DN", "")
        .replace("VAT", "Tax")
    )
    found = {f.key: f for f in extract([page(text)], shipped_schemas()).fields}
    assert Reason.AMBIGUOUS in found["invoice_date"].reasons
    sure = {f.key: f for f in extract([page(invoice(date="03/04/2024"))], shipped_schemas()).fields}
    assert Reason.AMBIGUOUS not in sure["invoice_date"].reasons


def test_the_legal_form_on_the_next_line_is_part_of_the_name() -> None:
    text = (
        invoice()
        .replace("Harbour Cafe Ltd", "MUSTER-KUNDE    ")
        .replace("2 Quay Street", "GMBH\n2 Quay Street")
    )
    assert read(text)["buyer_name"] == "MUSTER-KUNDE GMBH"


def test_the_vat_number_under_the_buyers_name_is_the_buyers() -> None:
    text = invoice().replace("Whitby YO21 1DN", "Whitby YO21 1DN\nVAT No: GB 987 6543 21")
    assert read(text)["seller_vat_id"] == "GB123456789"


def test_an_invoice_says_its_currency_its_order_and_where_both_are() -> None:
    found = read(invoice(foot="Currency: GBP\nPO Number: 4500012345"))
    assert {k: found[k] for k in ("currency", "purchase_order", "seller_address", "buyer_address")} == {
        "currency": "GBP",
        "purchase_order": "4500012345",
        "seller_address": "14 Mill Lane Leeds LS1 4AB",
        "buyer_address": "2 Quay Street Whitby YO21 1DN",
    }


def test_what_rules_alone_read_of_a_known_type_has_no_confidence_and_goes_to_a_person() -> None:
    text = invoice(foot="Currency: GBP\nPO Number: 4500012345")
    found = {field.key: field for field in extract([page(text)], shipped_schemas()).fields}
    for key in ("currency", "purchase_order", "seller_address", "buyer_address"):
        assert (found[key].best.confidence, found[key].status) == (None, "escalated")
        assert found[key].reasons == ("confidence_unknown",)
    assert found["invoice_number"].best.confidence is not None


def test_a_heading_between_rows_is_no_part_of_the_row_above() -> None:
    text = (
        invoice()
        .replace("Copy paper", "PAPER\nCopy paper")
        .replace("Envelopes C5", "ENVELOPES\nEnvelopes C5")
    )
    found = read(text)
    assert found["line_items.description/0"] == "Copy paper A4"
    assert found["line_items.description/1"] == "Envelopes C5"


def test_a_line_that_is_repeated_over_the_page_is_a_watermark() -> None:
    clean = page(invoice())
    words = list(clean.words)
    line = " ".join(["SPECIMEN NOT VALID"] * 5)
    for number in range(20):
        mark = page(line).words
        words += [
            replace(w, box=Box(w.box.x, 0.005 + number * 0.02, w.box.w, 0.004), line=100 + number)
            for w in mark
        ]
    assert read(replace(clean, words=tuple(words))) == read(clean)


@pytest.mark.parametrize("gap", ["  ", " "])
def test_amounts_set_digit_by_digit_are_amounts(gap: str) -> None:
    sums = tuple((label, gap.join(amount)) for label, amount in SUMS)
    assert totals(*sums) == ("200.00", "40.00", "240.00")


POLISH = """
Papiernia Sp. z o.o.                                           FAKTURA VAT
ul. Nowa 10
00-001 Warszawa

Nabywca:                                Faktura nr:            FV/17/03/2024
Kawiarnia Wisła Sp. z o.o.              Data wystawienia:      14 marca 2024
ul. Stara 4                             Termin płatności:      13 kwietnia 2024
30-001 Kraków

Nazwa                Ilość              Cena                   Wartość
Papier A4            100                12,00                  1 200,00

                                        Razem netto            1 200,00 zł
                                        VAT 23%                276,00 zł
                                        Razem brutto           1 476,00 zł
"""

GERMAN_TILL = """
     Bäckerei Sonnenschein
     Hauptstr. 5, 50667 Köln
Bon 4711       14.03.2024 08:15
Brötchen 4x             1,60 B
Kaffee                  2,40 A
SUMME EUR               4,00
BAR                     5,00
RÜCKGELD                1,00
"""

INDONESIAN_TILL = """
       WARUNG SEDAP
   Jl. Merdeka 10 Bandung
14/03/2024 12:10
2 Nasi Goreng          50.000
2 Es Teh               12.000
Subtotal               62.000
PB1 10%                 6.200
Total                  68.200
Tunai                 100.000
Kembali                31.800
"""


def test_an_invoice_in_polish() -> None:
    found = read(POLISH)
    keys = ("invoice_number", "invoice_date", "due_date", "total_net", "total_tax", "total_gross", "currency")
    assert [found[key] for key in keys] == [
        "FV/17/03/2024",
        "2024-03-14",
        "2024-04-13",
        "1200.00",
        "276.00",
        "1476.00",
        "PLN",
    ]


def test_till_receipts_of_germany_and_indonesia() -> None:
    german, indonesian = read(GERMAN_TILL, "receipt"), read(INDONESIAN_TILL, "receipt")
    assert (german["date"], german["total"]) == ("2024-03-14", "4.00")
    assert (indonesian["date"], indonesian["total"]) == ("2024-03-14", "68200.00")


def test_labels_of_a_type_of_ones_own_may_be_of_any_script() -> None:
    fapiao = DocumentSchema(
        doc_type="fapiao",
        fields=(
            FieldSchema(key="number", type=FieldType.IDENTIFIER, aliases=("发票号码",)),
            FieldSchema(key="issued", type=FieldType.DATE, aliases=("开票日期",)),
            FieldSchema(key="total", type=FieldType.AMOUNT, aliases=("价税合计",)),
            FieldSchema(key="client", type=FieldType.TEXT, aliases=("Πελάτης",)),
        ),
    )
    text = "发票号码26442000\n开票日期：2024年3月14日\n价税合计:  ¥1,130.00\nΠελάτης:  Café\n"
    found = extract([page(text)], {"fapiao": fapiao}, "fapiao").fields
    assert {f.key: f.best.value for f in found} == {
        "number": "26442000",
        "issued": "2024-03-14",
        "total": "1130.00",
        "client": "Café",
    }
