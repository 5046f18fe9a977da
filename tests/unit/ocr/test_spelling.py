"""What a recogniser confuses, and what is left alone."""

import pytest

from alma.datamodel.geometry import Box, Word
from alma.ocr.spelling import mend


def read(text: str, confidence: float = 0.9) -> str:
    words = [
        Word(word, Box(0.1 * n, 0.1 * line, 0.1, 0.05), line, confidence)
        for line, row in enumerate(text.split("\n"))
        for n, word in enumerate(row.split())
    ]
    mended = mend(words)
    assert [w.box for w in mended] == [w.box for w in words]
    return " ".join(w.text for w in mended)


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        ("Taste Of The WorId", "Taste Of The World"),
        ("BIk G JIn PJU", "Blk G Jln PJU"),
        ("TaxInvNo.", "TaxInvNo."),
        ("AMANO MALAYSIA SON BHD", "AMANO MALAYSIA SDN BHD"),
        ("BEMED (SP) SDN. BH0.", "BEMED (SP) SDN. BHD."),
        ("SEVEN SDN 3HD", "SEVEN SDN BHD"),
        ("THE SON BED", "THE SON BED"),
        ("99 SPEED MART 5/B\n(519537-X)", "99 SPEED MART S/B (519537-X)"),
        ("APPLES 5/8 KG", "APPLES 5/8 KG"),
        ("SHAH ALAM, SEtANGOR.", "SHAH ALAM, SELANGOR."),
        ("SE_ANGOR DARUL EHSAN", "SELANGOR DARUL EHSAN"),
        ("Présentée à Genève", "Présentée à Genève"),
    ],
)
def test_what_could_only_be_a_misreading_is_put_right(seen: str, meant: str) -> None:
    assert read(seen) == meant


def test_a_word_the_recogniser_is_sure_of_is_not_made_a_place() -> None:
    assert read("SETANGOR", confidence=0.99) == "SETANGOR"
    assert read("SETANGOR", confidence=0.9) == "SELANGOR"


def test_one_accent_on_a_page_without_any_is_a_speck() -> None:
    plain = "the quick brown fox jumps over the lazy dog " * 8
    assert read(plain + "JALAN TASÍK").endswith("JALAN TASIK")
    assert read("JALAN TASÍK") == "JALAN TASÍK"  # too little to tell the language
