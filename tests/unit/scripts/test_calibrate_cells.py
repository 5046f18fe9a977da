"""Labels of cells, from what invoices carry and from what people transcribed."""

from pathlib import Path

import pytest
from pypdf import PdfWriter

from alma.datamodel.pages import Track
from scripts.calibrate_cells import attached_rows, printed, rows_of, samples_of
from tests.unit.written import page

CARRIED = """<?xml version="1.0"?>
<i:Invoice xmlns:i="urn:i" xmlns:r="urn:r">
 <r:IncludedSupplyChainTradeLineItem><r:Name>Flour</r:Name><r:Name>a part of it</r:Name>
  <r:ChargeAmount>12.0000</r:ChargeAmount><r:BilledQuantity>10.0</r:BilledQuantity>
  <r:RateApplicablePercent>7.00</r:RateApplicablePercent><r:LineTotalAmount>120.00</r:LineTotalAmount>
 </r:IncludedSupplyChainTradeLineItem>
 <r:IncludedSupplyChainTradeLineItem><r:Name>Yeast</r:Name>
  <r:ChargeAmount>4.5</r:ChargeAmount><r:BilledQuantity>2</r:BilledQuantity><r:LineTotalAmount>9.00</r:LineTotalAmount>
 </r:IncludedSupplyChainTradeLineItem>
 <r:IncludedSupplyChainTradeLineItem><r:Content>Thank you</r:Content></r:IncludedSupplyChainTradeLineItem>
</i:Invoice>"""

PRINTED = """
Description                     Qty    Unit price      Amount
Flour, white                     10         12.00      120.00
Yeas                              3          4.50        9.00

                                   Total            129.00
"""


@pytest.fixture
def invoice(tmp_path: Path) -> Path:
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.add_attachment("factur-x.xml", CARRIED.encode())
    writer.write(tmp_path / "invoice.pdf")
    return tmp_path / "invoice.pdf"


def test_an_attached_invoice_says_what_stands_in_each_cell(invoice: Path) -> None:
    flour, yeast = attached_rows(invoice)

    assert flour.right("description", "Flour, white") is True
    assert flour.right("description", "a part of it") is False
    assert flour.right("amount", "-120.00") is True
    assert (flour.right("tax_rate", "7"), yeast.right("tax_rate", "7")) == (True, None)
    assert yeast.right("unit", "kg") is None


def test_a_row_is_judged_cell_by_cell_against_the_one_it_is_most_like(invoice: Path) -> None:
    labels = attached_rows(invoice)
    assert printed(labels, [page(PRINTED)])

    judged = samples_of(rows_of("invoice", [page(PRINTED)], Track.TEXT), labels, fold=0)

    assert [(sample.doc_type, sample.key, sample.right) for sample in judged] == [
        ("invoice", "line_items.quantity", True),
        ("invoice", "line_items.unit_price", True),
        ("invoice", "line_items.amount", True),
        ("invoice", "line_items.description", True),
        ("invoice", "line_items.quantity", False),
        ("invoice", "line_items.unit_price", True),
        ("invoice", "line_items.amount", True),
        ("invoice", "line_items.description", False),
    ]


def test_an_attachment_whose_amounts_stand_nowhere_is_another_invoices(invoice: Path) -> None:
    assert not printed(attached_rows(invoice), [page(PRINTED.replace("120.00", "119.00"))])
