"""What is said of a document that alma cannot read, or can read in part only."""

from dataclasses import replace

import pytest

from alma.datamodel.fields import Extraction, WarningReason
from alma.datamodel.pages import PageText, Track
from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType, shipped_schemas
from alma.extraction.resolve import extract
from tests.unit.written import page

LETTER = """
Dear Margaret,

the roses have come out at last, and the old wall is warm until evening.
Thomas mended the gate. The neighbours send their love, and so do we all.

Yours ever,
Alice
"""
LETTERS = {
    "Cyrillic": "Дорогая Маргарита! Розы наконец расцвели, и старая стена тёплая до самого вечера.",
    "Hebrew": "מרגרט היקרה הורדים פרחו סוף סוף והקיר הישן חמים עד הערב השכנים שולחים ברכות",
    "Arabic": "عزيزتي مارغريت أزهرت الورود أخيرا والجدار القديم دافئ حتى المساء والجيران يسلمون",
    "Greek": "Αγαπητή Μαργαρίτα τα τριαντάφυλλα άνθισαν επιτέλους και ο παλιός τοίχος είναι ζεστός",
    "Thai": "มาร์กาเร็ตที่รัก กุหลาบบานแล้ว และกำแพงเก่ายังอุ่นจนถึงเย็น เพื่อนบ้านฝากความคิดถึงมา",
    "Devanagari": "प्रिय मार्गरेट गुलाब आखिरकार खिल गए हैं और पुरानी दीवार शाम तक गर्म रहती है",
    "Korean": "마가렛에게 장미가 드디어 피었고 오래된 담장은 저녁까지 따뜻합니다 이웃들이 안부를 전합니다",
    "Georgian": "ძვირფასო მარგარეტ ვარდები ბოლოს და ბოლოს აყვავდა და ძველი კედელი საღამომდე თბილია",
}
ARABIC_INVOICE = """
شركة النخيل للأخشاب

فاتورة ضريبية رقم INV-4417
التاريخ 2024-03-14
العميل مزرعة الواحة

المجموع الكلي 1,250.00 USD
"""


def read(given: str | PageText, doc_type: str | None = None) -> Extraction:
    return extract([page(given) if isinstance(given, str) else given], shipped_schemas(), doc_type)


def reason(found: Extraction) -> WarningReason | None:
    return None if found.warning is None else found.warning.reason


def handwritten(text: str) -> PageText:
    """Return a page of which the recogniser is sure of nothing but numbers."""
    seen = page(text, track=Track.VISION)
    words = [w if w.text.isdigit() else replace(w, confidence=0.4) for w in seen.words]
    return replace(seen, words=tuple(words), unreadable=3)


def test_a_letter_is_of_no_type_and_no_language_is_named() -> None:
    found = read(LETTER)
    assert (found.doc_type, found.fields, reason(found)) == (None, [], WarningReason.NO_TYPE_FITS)
    assert found.warning is not None
    assert found.warning.detail == (
        "Too few words of any document type were found in it: it is of another type, or in a language whose "
        "labels the types do not have. Describe a type of your own with labels as they stand in it "
        "(PUT /api/v1/schemas/NAME), and have it read as that: POST /api/v1/documents/ID/extract with "
        '{"docType": "NAME"}, or send it with --type NAME.'
    )


@pytest.mark.parametrize("script", LETTERS)
def test_a_script_that_no_type_has_words_in_is_named(script: str) -> None:
    found = read(LETTERS[script])
    assert (found.doc_type, reason(found)) == (None, WarningReason.SCRIPT_NOT_KNOWN)
    assert found.warning is not None
    assert found.warning.detail.startswith(
        f"Its text is in {script} letters, and alma knows no document type's words in it. Describe a type"
    )


def test_a_document_of_a_given_type_keeps_its_fields_and_says_that_its_script_is_not_known() -> None:
    found = read(ARABIC_INVOICE, "invoice")
    assert found.doc_type == "invoice"
    assert "USD" in {field.best.value for field in found.fields}
    assert reason(found) is WarningReason.SCRIPT_NOT_KNOWN
    assert found.warning is not None
    assert "alma knows few labels of the type invoice in it" in found.warning.detail


def test_a_type_of_ones_own_with_labels_in_the_script_says_nothing() -> None:
    schema = DocumentSchema(
        doc_type="tax_invoice",
        fields=(
            FieldSchema(key="total", type=FieldType.AMOUNT, aliases=("المجموع الكلي",)),
            FieldSchema(key="date", type=FieldType.DATE, aliases=("التاريخ",)),
        ),
    )
    # As such a page is printed: the label stands to the right of its value.
    printed = "2024-03-14 التاريخ\n1,250.00 الكلي المجموع\n"
    found = extract([page(printed)], {"tax_invoice": schema}, "tax_invoice")
    assert {field.key: field.best.value for field in found.fields} == {
        "total": "1250.00",
        "date": "2024-03-14",
    }
    assert found.warning is None


def test_a_page_that_was_seen_and_not_read_says_so_whatever_its_type() -> None:
    for doc_type in (None, "invoice"):
        found = read(handwritten(LETTER), doc_type)
        assert (found.doc_type, reason(found)) == (doc_type, WarningReason.TEXT_NOT_READ)
        assert found.warning is not None
        assert "37 of 37 words and lines seen on its images could not be read surely" in found.warning.detail


def test_a_blank_page_has_no_text() -> None:
    found = read("")
    assert (found.doc_type, reason(found)) == (None, WarningReason.NO_TEXT)


@pytest.mark.parametrize("track", Track)
def test_an_invoice_that_is_read_has_no_warning(track: Track) -> None:
    text = "INVOICE\nInvoice No: A-17\nInvoice Date: 14 March 2024\nBill To: Hill Farm Ltd\nTotal due: 12.00"
    found = read(page(text, track=track))
    assert (found.doc_type, found.warning) == ("invoice", None)
