"""Rows of tables, cell by cell."""

from typing import Any

import pytest

from alma.datamodel.fields import Field, Status
from alma.datamodel.geometry import Box, enclosing
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import DocumentSchema, shipped_schemas
from alma.extraction.resolve import extract
from tests.unit.written import page

INVOICE = """
Baker & Sons Ltd                                 INVOICE  17

Description                     Qty    Unit price      Amount
Flour, white                     10         12.00      120.00
Yeast                             2          4.50        9.00
Mill stone, dressed               1        950.00      950.00
with two spare rings
and a handle

                                   Subtotal         1,079.00
                                   VAT 20%            215.80
                                   Total            1,294.80
"""


def fields_of(
    pages: list[PageText] | str, doc_type: str = "invoice", schema: DocumentSchema | None = None
) -> list[Field]:
    """Return the fields of the group."""
    given = [page(pages)] if isinstance(pages, str) else pages
    schemas = shipped_schemas() if schema is None else {doc_type: schema}
    return [field for field in extract(given, schemas, doc_type).fields if field.group]


def rows_of(*given: Any, **more: Any) -> list[dict[str, str]]:
    """Return the values of each row by column."""
    rows: dict[int, dict[str, str]] = {}
    for field in fields_of(*given, **more):
        rows.setdefault(field.occurrence, {})[field.key.partition(".")[2]] = field.best.value
    return [rows[number] for number in sorted(rows)]


def words_at(text: PageText, field: Field) -> str:
    """Return the words of the page that lie in a field's evidence."""
    boxes = [region.box for region in field.best.regions if region.page == text.page]
    inside = [w.text for w in text.words if any(w.box.overlap(box) > 0.9 * w.box.area for box in boxes)]
    return " ".join(inside)


def test_each_line_of_a_table_is_a_row() -> None:
    assert rows_of(INVOICE) == [
        {"description": "Flour, white", "quantity": "10", "unit_price": "12.00", "amount": "120.00"},
        {"description": "Yeast", "quantity": "2", "unit_price": "4.50", "amount": "9.00"},
        {
            "description": "Mill stone, dressed with two spare rings and a handle",
            "quantity": "1",
            "unit_price": "950.00",
            "amount": "950.00",
        },
    ]


def test_a_cell_is_exactly_the_words_it_was_cut_from() -> None:
    text = page(INVOICE)
    for field in fields_of([text]):
        assert words_at(text, field) == field.best.content
    stone = next(f for f in fields_of([text]) if f.key == "line_items.description" and f.row == 2)
    assert len(stone.best.regions) == 3


def test_a_cell_has_its_row() -> None:
    amounts = [field for field in fields_of(INVOICE) if field.key == "line_items.amount"]
    assert [(f.group, f.row, f.label) for f in amounts] == [
        ("line_items", 0, "line_items[0].amount"),
        ("line_items", 1, "line_items[1].amount"),
        ("line_items", 2, "line_items[2].amount"),
    ]


def test_evidence_of_a_turned_page_is_on_the_page_as_displayed() -> None:
    turned = page(INVOICE, turned=90)
    for field in fields_of([turned]):
        assert words_at(turned, field) == field.best.content


HEADER = "Pos   Description                     Qty    Unit price      Amount\n"


def many_pages(header_again: bool) -> list[PageText]:
    """Return five hundred rows on twelve pages."""
    lines = [
        f"{n:3}   Oak board no {n:<10}            {n % 7 + 1:3}          2.50   {(n % 7 + 1) * 2.5:9.2f}"
        for n in range(1, 501)
    ]
    pages = []
    for number in range(12):
        head = f"Baker & Sons Ltd                   INVOICE 17, page {number + 1} of 12\n\n"
        body = "\n".join(lines[number * 42 : number * 42 + 42])
        header = HEADER if header_again or number == 0 else ""
        pages.append(page(head + header + body, number + 1))
    return pages


@pytest.mark.parametrize("header_again", [True, False])
def test_a_table_goes_on_over_pages_and_its_last_row_has_its_evidence(header_again: bool) -> None:
    pages = many_pages(header_again)
    fields = fields_of(pages)

    assert len({field.row for field in fields}) == 500
    last = {field.key: field for field in fields if field.row == 499}
    assert {key: field.best.value for key, field in last.items()} == {
        "line_items.description": "Oak board no 500",
        "line_items.quantity": "4",
        "line_items.unit_price": "2.50",
        "line_items.amount": "10.00",
    }
    for field in last.values():
        assert {region.page for region in field.best.regions} == {12}
        assert words_at(pages[11], field) == field.best.content
    assert [f.row for f in fields if f.key == "line_items.amount"] == list(range(500))


def test_labels_at_the_foot_of_a_page_stand_over_the_next() -> None:
    first = page(f"INVOICE 1\n\n{HEADER}")
    second = page(f"  1   Flour{'':30} 10         12.00      120.00\n{'':45}Total      120.00", 2)
    assert rows_of([first, second]) == [
        {"description": "Flour", "quantity": "10", "unit_price": "12.00", "amount": "120.00"}
    ]


def test_a_sum_carried_over_is_no_row() -> None:
    carried = f"{'':40}Carried forward      120.00"
    first = f"INVOICE 1\n{HEADER}  1   Flour{'':30} 10         12.00      120.00\n{carried}"
    second = (
        f"INVOICE 1\n{carried.replace('Carried', 'Brought')}\n  2   Yeast{'':30}  2          4.50        9.00"
    )
    assert [row["amount"] for row in rows_of([page(first), page(second, 2)])] == ["120.00", "9.00"]


def test_subtotals_between_rows_are_no_rows() -> None:
    text = """
Description             Quantity    Unit price     Amount
Office chair                1.00         70.00      70.00
                                      Subtotal      70.00
Olive oil                   1.00          1.00       1.00
Truffles                   15.00         10.00     150.00
                                      Subtotal     151.00

                                         Total     221.00
"""
    assert [row["amount"] for row in rows_of(text)] == ["70.00", "1.00", "150.00"]


def test_labels_of_columns_may_take_two_lines() -> None:
    text = """
                                         Unit      Line
Item                        Quantity     price     total
Office chair                       1     70.00     70.00
Olive oil                          2      1.00      2.00
"""
    assert rows_of(text) == [
        {"description": "Office chair", "quantity": "1", "unit_price": "70.00", "amount": "70.00"},
        {"description": "Olive oil", "quantity": "2", "unit_price": "1.00", "amount": "2.00"},
    ]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (
            "Menge   Bezeichnung            USt.   Einzelpreis    Gesamtpreis",
            "3,00    Zitronen   19%  0,50 €  1,50 €",
        ),
        (
            "Qté     Désignation            TVA    Prix unitaire  Montant HT",
            "3,00    Citrons    19%  0,50 €  1,50 €",
        ),
        (
            "Cant.   Descripción            IVA    Precio         Importe",
            "3,00    Limones    19%  0,50 €  1,50 €",
        ),
        (
            "Qtà     Descrizione            IVA    Prezzo         Importo",
            "3,00    Limoni     19%  0,50 €  1,50 €",
        ),
        (
            "Aantal  Omschrijving           BTW    Prijs          Bedrag",
            "3,00    Citroenen  19%  0,50 €  1,50 €",
        ),
    ],
)
def test_labels_in_other_languages(header: str, row: str) -> None:
    quantity, fruit, rate, price, euro, amount, euros = row.split()
    line = f"{quantity}    {fruit:22} {rate:6} {price:>8} {euro}     {amount:>5} {euros}"
    [found] = rows_of(f"{header}\n{line}")
    assert found == {
        "description": fruit,
        "quantity": "3.00",
        "unit_price": "0.50",
        "tax_rate": "19",
        "amount": "1.50",
    }


def test_a_table_of_taxes_is_no_table_of_lines() -> None:
    text = (
        INVOICE
        + """
Tax rate         Net amount          Amount
20%                1,079.00          215.80
"""
    )
    assert len(rows_of(text)) == 3


def test_a_page_of_prose_has_no_rows() -> None:
    assert rows_of("The price and quantity of each item\nare in the description of the amount of 12.00") == []


def test_two_tracks_of_one_page_give_one_row_with_two_readings() -> None:
    seen = INVOICE.replace("Yeast", "Veast")
    yeast = [f for f in fields_of([page(INVOICE), page(seen, track=Track.VISION)]) if f.row == 1]
    assert {r.track: r.value for r in yeast[0].readings} == {"text": "Yeast", "vision": "Veast"}
    assert [len(f.readings) for f in yeast] == [2, 2, 2, 2]


def test_pages_read_by_different_tracks_are_one_table() -> None:
    pages = [page(INVOICE), page(INVOICE, 2, track=Track.VISION)]
    fields = [f for f in fields_of(pages) if f.key == "line_items.amount"]
    assert [(f.row, f.best.track, f.best.regions[0].page) for f in fields] == [
        (0, "text", 1),
        (1, "text", 1),
        (2, "text", 1),
        (3, "vision", 2),
        (4, "vision", 2),
        (5, "vision", 2),
    ]


TILL = """
     HARBOUR HARDWARE
     12 Mill Lane
DATE: 25/12/2018
1  Hammer with handle          42.40 SR
Nails, 2 inch
   2 x 3.50                     7.00 SR
SUB TOTAL                      49.40
TOTAL                          49.40
CASH                           50.00
CHANGE                          0.60
"""


def test_lines_of_a_receipt_without_labels_are_rows_where_they_add_up() -> None:
    assert rows_of(TILL, "receipt") == [
        {"description": "Hammer with handle", "quantity": "1", "amount": "42.40"},
        {"description": "Nails, 2 inch", "quantity": "2", "unit_price": "3.50", "amount": "7.00"},
    ]


def test_lines_of_a_receipt_that_do_not_add_up_are_no_rows() -> None:
    assert rows_of(TILL.replace("42.40", "42.90"), "receipt") == []


def test_on_a_receipt_the_text_of_a_row_may_stand_above_its_numbers() -> None:
    text = """
Description          Qty     U.price     Total  TAX
Tea
                      2x        2.20      4.40  SR
Chrysanthemum
                      1x        1.70      1.70  SR
Total QTY: 3
TOTAL:                                    6.10
"""
    assert rows_of(text, "receipt") == [
        {"description": "Tea", "quantity": "2", "unit_price": "2.20", "amount": "4.40"},
        {"description": "Chrysanthemum", "quantity": "1", "unit_price": "1.70", "amount": "1.70"},
    ]


def test_a_group_of_texts_alone_is_read_by_its_required_column() -> None:
    schema = DocumentSchema.model_validate(
        {
            "doc_type": "crew_list",
            "groups": [
                {
                    "key": "crew",
                    "fields": [
                        {"key": "name", "type": "name", "required": True},
                        {"key": "born", "type": "date", "aliases": ["date of birth"]},
                        {"key": "rank"},
                    ],
                }
            ],
        }
    )
    text = """
Name                 Rank             Date of birth
Ann Baker            Master           04/03/1952
Josiah Greaves       Boatswain        25/12/1960
"""
    assert rows_of(text, "crew_list", schema) == [
        {"name": "Ann Baker", "rank": "Master", "born": "1952-03-04"},
        {"name": "Josiah Greaves", "rank": "Boatswain", "born": "1960-12-25"},
    ]


def test_boxes_stay_inside_the_page() -> None:
    for field in fields_of(INVOICE):
        for region in field.best.regions:
            assert region.box.overlap(Box(0, 0, 1, 1)) == pytest.approx(region.box.area)
        assert enclosing(region.box for region in field.best.regions).area > 0


def confidence(text: str, doc_type: str = "invoice") -> dict[str, float | None]:
    """Return the confidence of each cell by its label."""
    return {field.label: field.best.confidence for field in fields_of(text, doc_type)}


def test_a_row_whose_count_times_price_is_its_amount_is_surer_than_one_where_it_is_not() -> None:
    right = confidence(INVOICE)
    wrong = confidence(INVOICE.replace("10         12.00", "10         13.00"))

    assert all(each is not None and each > 0.5 for each in right.values())
    for cell in ("line_items[0].quantity", "line_items[0].unit_price", "line_items[0].amount"):
        sure, unsure = right[cell], wrong[cell]
        assert sure is not None
        assert unsure is not None
        assert sure > unsure


def test_cells_of_a_type_that_nobody_measured_are_unknown_and_a_person_looks() -> None:
    invoice = shipped_schemas()["invoice"]
    bill = invoice.definition.named("bill")

    cells = fields_of(INVOICE, "bill", bill)

    assert {(f.best.confidence, f.status, f.reasons) for f in cells} == {
        (None, Status.ESCALATED, ("confidence_unknown",))
    }
