"""Telling document types."""

import os
import subprocess
import sys

import pytest

from alma.datamodel.schemas import DocumentSchema, FieldSchema, shipped_schemas
from alma.extraction.classification.document_type import document_type
from alma.extraction.page.layout import arrange
from tests.conftest import ROOT
from tests.unit.written import page

TEXTS = {
    "receipt": """
ABC TRADING SDN BHD
CASH BILL
QTY  AMOUNT
TOTAL  9.00
CASH  10.00
CHANGE  1.00
THANK YOU""",
    "invoice": """
Rechnung Nr. 17 vom 01.02.2020
Kundennummer: 4
Gesamtbetrag 12,00
IBAN DE02120300000000202051""",
    "contract": """
NON-DISCLOSURE AGREEMENT
This Agreement is entered into by and between A Corp and B Corp.
WHEREAS the parties exchange confidential information""",
    "ad_buy_form": """
ORDER
Flight Dates: 01/02/20 - 03/02/20
Advertiser: X
Agency Commission: 15%
Spots  Rate""",
    "registration_form": """
REGISTRATION NUMBER=876
REGISTRANT NAME=A
SHORT FORM NAME=N/A
DATE STAMPED=1963-04-01""",
    "tax_form": """
Form W-9
Request for Taxpayer Identification Number and Certification
Internal Revenue Service""",
    "deed_of_conveyance": """
DEED OF CONVEYANCE
Grantor: A
Grantee: B
to have and to hold the parcel of land""",
}


@pytest.mark.parametrize("expected", sorted(TEXTS))
def test_a_page_is_of_the_type_whose_phrases_it_has(expected: str) -> None:
    doc_type, confidence = document_type([arrange(page(TEXTS[expected]))], shipped_schemas())
    assert doc_type == expected
    assert confidence is not None
    assert 0.5 < confidence <= 1.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "My dear Dyer\nWe had a very hard day's work at the Herbarium yesterday",
        "Ceci est mon testament. Je lègue tout à ma femme.",
    ],
)
def test_a_page_of_another_kind_is_of_no_type(text: str) -> None:
    assert document_type([arrange(page(text))], shipped_schemas()) == (None, None)


def test_a_type_without_phrases_is_told_by_its_name_and_labels() -> None:
    note = DocumentSchema.model_validate(
        {
            "doc_type": "delivery_note",
            "fields": [{"key": "number", "aliases": ["delivery note no"]}, {"key": "carrier"}],
        }
    )
    assert note.phrases == ("delivery note", "delivery note no", "carrier")
    text = "DELIVERY NOTE\nDelivery note no:  DN-4471\nCarrier:  Harbour Freight Ltd"
    schemas = {**shipped_schemas(), "delivery_note": note}
    assert document_type([arrange(page(text))], schemas)[0] == "delivery_note"


def test_only_the_first_pages_count() -> None:
    letter = [arrange(page("My dear Dyer", number)) for number in (1, 2, 3)]
    assert document_type([*letter, arrange(page(TEXTS["receipt"], 4))], shipped_schemas()) == (None, None)


DELIVERY_NOTE = """
HANSEATIC FREIGHT
Delivery note DN-2231
Consignee: Weber KG
Pallets  4
Gross weight  812 kg
Received in good order"""


def test_a_type_that_nobody_trained_is_told_by_its_phrases() -> None:
    own = DocumentSchema(
        doc_type="delivery_note",
        keywords=("delivery note", "consignee", "pallets", "gross weight", "received in good order"),
        fields=(FieldSchema(key="number"),),
    )
    layouts = [arrange(page(DELIVERY_NOTE))]

    assert document_type(layouts, shipped_schemas()) == (None, None)
    assert document_type(layouts, shipped_schemas() | {"delivery_note": own})[0] == "delivery_note"


def test_an_own_type_does_not_take_the_documents_of_the_others() -> None:
    own = DocumentSchema(
        doc_type="delivery_note",
        keywords=("delivery note", "total", "date"),
        fields=(FieldSchema(key="number"),),
    )
    schemas = shipped_schemas() | {"delivery_note": own}

    found = {name: document_type([arrange(page(text))], schemas)[0] for name, text in TEXTS.items()}

    assert found == {name: name for name in TEXTS}


def test_a_type_that_an_organisation_does_not_have_is_not_told() -> None:
    without = {name: schema for name, schema in shipped_schemas().items() if name != "receipt"}

    assert document_type([arrange(page(TEXTS["receipt"]))], without)[0] is None


def test_the_api_functions_never_open_the_model() -> None:
    script = (
        "import sys\n"
        "import functions.digitize.app, functions.documents.app, functions.mcp.app\n"
        "print({'onnxruntime', 'numpy'} & set(sys.modules))"
    )
    printed = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, env=os.environ, text=True)
    assert printed == "set()\n"
