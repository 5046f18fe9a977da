"""The XML of electronic invoices: what it says of the fields, in both syntaxes, and what is refused."""

import pytest

from alma.files.invoice_xml import invoice_data

CII = """<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice xmlns:rsm="urn:r" xmlns:ram="urn:a" xmlns:udt="urn:u">
<rsm:ExchangedDocument><ram:ID>R-2026-17</ram:ID>
<ram:IssueDateTime><udt:DateTimeString format="102">20260309</udt:DateTimeString></ram:IssueDateTime>
</rsm:ExchangedDocument>
<rsm:SupplyChainTradeTransaction>
<ram:ApplicableHeaderTradeAgreement>
<ram:SellerTradeParty><ram:Name>Möbel Kranz GmbH</ram:Name>
<ram:SpecifiedTaxRegistration><ram:ID schemeID="FC">12/345</ram:ID></ram:SpecifiedTaxRegistration>
<ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">DE136695976</ram:ID></ram:SpecifiedTaxRegistration>
</ram:SellerTradeParty>
<ram:BuyerTradeParty><ram:Name>Ada Lind</ram:Name></ram:BuyerTradeParty>
<ram:BuyerOrderReferencedDocument><ram:IssuerAssignedID>PO-7</ram:IssuerAssignedID>
</ram:BuyerOrderReferencedDocument>
</ram:ApplicableHeaderTradeAgreement>
<ram:ApplicableHeaderTradeSettlement>
<ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>
<ram:SpecifiedTradeSettlementPaymentMeans><ram:PayeePartyCreditorFinancialAccount>
<ram:IBANID>DE02120300000000202051</ram:IBANID>
</ram:PayeePartyCreditorFinancialAccount></ram:SpecifiedTradeSettlementPaymentMeans>
<ram:SpecifiedTradePaymentTerms><ram:DueDateDateTime>
<udt:DateTimeString format="102">20260408</udt:DateTimeString></ram:DueDateDateTime>
</ram:SpecifiedTradePaymentTerms>
<ram:SpecifiedTradeSettlementHeaderMonetarySummation>
<ram:TaxBasisTotalAmount>200.00</ram:TaxBasisTotalAmount>
<ram:TaxTotalAmount currencyID="CZK">950.00</ram:TaxTotalAmount>
<ram:TaxTotalAmount currencyID="EUR">38.00</ram:TaxTotalAmount>
<ram:GrandTotalAmount>238.00</ram:GrandTotalAmount>
<ram:DuePayableAmount>238.00</ram:DuePayableAmount>
</ram:SpecifiedTradeSettlementHeaderMonetarySummation>
</ram:ApplicableHeaderTradeSettlement>
</rsm:SupplyChainTradeTransaction>
</rsm:CrossIndustryInvoice>"""

UBL = """<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" xmlns:c="urn:c">
<c:ID>INV-9</c:ID><c:IssueDate>2026-03-09</c:IssueDate><c:DocumentCurrencyCode>SEK</c:DocumentCurrencyCode>
<c:AccountingSupplierParty><c:Party><c:PartyName><c:Name>Nord AB</c:Name></c:PartyName></c:Party>
</c:AccountingSupplierParty>
<c:TaxTotal><c:TaxAmount currencyID="SEK">25.00</c:TaxAmount></c:TaxTotal>
<c:LegalMonetaryTotal><c:TaxExclusiveAmount currencyID="SEK">100.00</c:TaxExclusiveAmount>
<c:PayableAmount currencyID="SEK">125.00</c:PayableAmount></c:LegalMonetaryTotal></Invoice>"""


def test_a_cross_industry_invoice_says_what_an_invoice_has() -> None:
    assert invoice_data(CII.encode()) == [
        ("invoice_number", "R-2026-17"),
        ("invoice_date", "2026-03-09"),
        ("due_date", "2026-04-08"),
        ("seller_name", "Möbel Kranz GmbH"),
        ("buyer_name", "Ada Lind"),
        ("seller_vat_id", "DE136695976"),
        ("purchase_order", "PO-7"),
        ("currency", "EUR"),
        ("iban", "DE02120300000000202051"),
        ("total_net", "200.00"),
        ("total_tax", "38.00"),
        ("total_gross", "238.00"),
        ("amount_due", "238.00"),
    ]


def test_zugferd_1_has_names_of_its_own() -> None:
    first = (
        CII.replace("CrossIndustryInvoice", "CrossIndustryDocument")
        .replace("rsm:ExchangedDocument", "rsm:HeaderExchangedDocument")
        .replace("rsm:SupplyChainTradeTransaction", "rsm:SpecifiedSupplyChainTradeTransaction")
        .replace("ApplicableHeaderTrade", "ApplicableSupplyChainTrade")
        .replace("SettlementHeaderMonetary", "SettlementMonetary")
        .replace("IssuerAssignedID", "ID")
    )
    assert invoice_data(first.encode()) == invoice_data(CII.encode())


def test_ubl_says_the_same_in_other_words() -> None:
    assert invoice_data(UBL.encode()) == [
        ("invoice_number", "INV-9"),
        ("invoice_date", "2026-03-09"),
        ("seller_name", "Nord AB"),
        ("currency", "SEK"),
        ("total_net", "100.00"),
        ("total_tax", "25.00"),
        ("amount_due", "125.00"),
    ]


def test_other_encodings_are_read() -> None:
    found = invoice_data(CII.replace('encoding="UTF-8"', 'encoding="ISO-8859-1"').encode("latin-1"))
    assert found == invoice_data(CII.encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"%PDF-1.7",
        b"<a/>",
        b"<rsm:CrossIndustryInvoice>",
        CII.encode()[:-20],
        CII.replace("?>", '?><!DOCTYPE x [<!ENTITY a "&b;">]>').encode(),
        CII.replace("?>", '?><!DOCTYPE x SYSTEM "file:///etc/passwd">').encode(),
        CII.replace("UTF-8", "klingon").encode(),
        b"<Invoice/>",
        b"<a>" * 200_000,
        CII.encode() + b" " * 6 * 2**20,
    ],
    ids=[
        "empty",
        "pdf",
        "other",
        "unbound",
        "cut",
        "entities",
        "external",
        "encoding",
        "no ubl",
        "deep",
        "huge",
    ],
)
def test_what_is_no_invoice_or_declares_entities_says_nothing(content: bytes) -> None:
    assert invoice_data(content) is None
