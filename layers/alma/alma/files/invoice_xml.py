"""The data of an electronic invoice: the XML of Factur-X, ZUGFeRD, XRechnung, and of UBL.

Two syntaxes of the European standard EN 16931 say the same: UN/CEFACT Cross Industry Invoice (ZUGFeRD 1 has
names of its own) and OASIS UBL 2. What is taken of them is named as the fields of the type `invoice`.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from xml.parsers import expat

#: Longest XML that is looked at, and characters of a value.
MAX_BYTES, MAX_VALUE = 5 * 2**20, 300
#: Values of one field: an invoice may name several accounts.
MAX_VALUES = 10

_CII_ROOTS = frozenset({"CrossIndustryInvoice", "CrossIndustryDocument"})
_UBL_ROOTS = frozenset({"Invoice", "CreditNote"})

_AGREEMENT = "*Transaction/Applicable*TradeAgreement"
_SETTLEMENT = "*Transaction/Applicable*TradeSettlement"
_SUM = f"{_SETTLEMENT}/SpecifiedTradeSettlement*MonetarySummation"
_VAT = ("VA", "VAT", "")

# Field to paths of local names; `*` stands for any letters, since versions name elements differently. Of
# several paths the first that is there counts.
_CII: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("invoice_number", ("*ExchangedDocument/ID",)),
    ("invoice_date", ("*ExchangedDocument/IssueDateTime/DateTimeString",)),
    ("due_date", (f"{_SETTLEMENT}/SpecifiedTradePaymentTerms/DueDateDateTime/DateTimeString",)),
    ("seller_name", (f"{_AGREEMENT}/SellerTradeParty/Name",)),
    ("buyer_name", (f"{_AGREEMENT}/BuyerTradeParty/Name",)),
    ("seller_vat_id", (f"{_AGREEMENT}/SellerTradeParty/SpecifiedTaxRegistration/ID",)),
    (
        "purchase_order",
        (
            f"{_AGREEMENT}/BuyerOrderReferencedDocument/IssuerAssignedID",
            f"{_AGREEMENT}/BuyerOrderReferencedDocument/ID",
        ),
    ),
    ("currency", (f"{_SETTLEMENT}/InvoiceCurrencyCode",)),
    (
        "iban",
        (f"{_SETTLEMENT}/SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/IBANID",),
    ),
    ("total_net", (f"{_SUM}/TaxBasisTotalAmount",)),
    ("total_tax", (f"{_SUM}/TaxTotalAmount",)),
    ("total_gross", (f"{_SUM}/GrandTotalAmount",)),
    ("amount_due", (f"{_SUM}/DuePayableAmount",)),
)
_UBL: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("invoice_number", ("ID",)),
    ("invoice_date", ("IssueDate",)),
    ("due_date", ("DueDate", "PaymentMeans/PaymentDueDate")),
    (
        "seller_name",
        (
            "AccountingSupplierParty/Party/PartyLegalEntity/RegistrationName",
            "AccountingSupplierParty/Party/PartyName/Name",
        ),
    ),
    (
        "buyer_name",
        (
            "AccountingCustomerParty/Party/PartyLegalEntity/RegistrationName",
            "AccountingCustomerParty/Party/PartyName/Name",
        ),
    ),
    ("seller_vat_id", ("AccountingSupplierParty/Party/PartyTaxScheme/CompanyID",)),
    ("purchase_order", ("OrderReference/ID",)),
    ("currency", ("DocumentCurrencyCode",)),
    ("iban", ("PaymentMeans/PayeeFinancialAccount/ID",)),
    ("total_net", ("LegalMonetaryTotal/TaxExclusiveAmount",)),
    ("total_tax", ("TaxTotal/TaxAmount",)),
    ("total_gross", ("LegalMonetaryTotal/TaxInclusiveAmount",)),
    ("amount_due", ("LegalMonetaryTotal/PayableAmount",)),
)
_AMOUNT = re.compile(r"[+-]?\d{1,15}(\.\d{1,10})?")


class _RefusedError(Exception):
    """The XML declares a document type, which no invoice has and attacks need."""


def invoice_data(content: bytes) -> list[tuple[str, str]] | None:
    """Return what the XML of an invoice says as (field, value), or None for a file that is none.

    Dates are ISO 8601, all else is as written. XML with a document type declaration (entities that grow or
    fetch files) is none.
    """
    if len(content) > MAX_BYTES or b"<" not in content[:4]:
        return None
    try:
        _refuse_declarations(content)
        root = ET.fromstring(content)  # noqa: S314  # what makes it dangerous was refused before
    except (_RefusedError, expat.ExpatError, ET.ParseError, LookupError, ValueError):
        return None
    name = _local(root)
    if name in _CII_ROOTS:
        return _values(root, _CII)
    if name in _UBL_ROOTS and "urn:oasis:names:specification:ubl" in root.tag:
        return _values(root, _UBL)
    return None


def _refuse_declarations(content: bytes) -> None:
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise _RefusedError

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.Parse(content, True)


def _values(root: ET.Element, paths: tuple[tuple[str, tuple[str, ...]], ...]) -> list[tuple[str, str]]:
    currency = next((text for key, each in paths if key == "currency" for text in _texts(root, each)), None)
    values: list[tuple[str, str]] = []
    for key, each in paths:
        own = dict.fromkeys(_texts(root, each, currency if key.startswith("total_") else None))
        values += [(key, text) for text in list(own)[:MAX_VALUES]]
    return values


def _texts(root: ET.Element, paths: tuple[str, ...], currency: str | None = None) -> Iterator[str]:
    """Yield the texts of the first of several paths that has any."""
    for path in paths:
        found = [text for node in _nodes(root, path.split("/")) if (text := _text(node, currency))]
        if found:
            yield from found
            return


def _text(node: ET.Element, currency: str | None) -> str | None:
    """Return what an element says; None for what is of another kind than its field."""
    text = " ".join((node.text or "").split())
    name = _local(node)
    if name == "DateTimeString":
        text = re.sub(r"^(\d{4})(\d\d)(\d\d)\d*$", r"\1-\2-\3", text)
    elif name.endswith("Amount"):
        # The tax may be there once more, in the seller's currency.
        if currency is not None and node.get("currencyID", currency) != currency:
            return None
        return text if _AMOUNT.fullmatch(text) else None
    elif name in ("ID", "CompanyID") and "schemeID" in node.attrib and node.get("schemeID") not in _VAT:
        return None if node.get("schemeID") in ("FC", "TAX") else text[:MAX_VALUE]
    return text[:MAX_VALUE]


def _nodes(node: ET.Element, path: list[str]) -> Iterator[ET.Element]:
    if not path:
        yield node
        return
    wanted = re.compile(path[0].replace("*", "[A-Za-z]*"))
    for child in node:
        if wanted.fullmatch(_local(child)):
            yield from _nodes(child, path[1:])


def _local(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""
