"""Garbage in a text layer is told from text."""

import pytest

from alma.files.legibility import is_garbage, is_odd

DEED = """This indenture made the fourth day of March in the year of our Lord one thousand nine hundred and
twelve between Josiah Greaves of the parish of Saint Michael, planter, of the first part and Eliza Worrell of
the same parish, widow, of the second part, witnesseth that in consideration of the sum of fifty pounds"""

RECHNUNG = """Rechnung Nummer Kundennummer Lieferdatum Zahlungsbedingungen Bankverbindung Umsatzsteuer
Bitte überweisen Sie den Rechnungsbetrag innerhalb von vierzehn Tagen ohne Abzug auf unser Konto bei der
Sparkasse Für Rückfragen stehen wir Ihnen gerne zur Verfügung Geschäftsführer Handelsregister Steuernummer"""


def garbage(text: str) -> bool:
    return is_garbage(text.split(), characters=len(text), odd=0)


@pytest.mark.parametrize("text", [DEED, RECHNUNG, DEED.upper()])
def test_language_is_text(text: str) -> None:
    assert not garbage(text)


@pytest.mark.parametrize("shift", [-29, -3, 1, 3, 5, 31])
def test_shifted_codes_are_garbage(shift: int) -> None:
    assert garbage(" ".join("".join(chr(ord(c) + shift) for c in word) for word in DEED.split()))


def test_a_column_of_one_word_is_not_judged_by_its_letters() -> None:
    assert not garbage("quiz " * 200)


def test_figures_and_codes_are_not_judged_by_their_letters() -> None:
    assert not garbage(" ".join(f"{i * 137 % 9973}.{i % 90 + 10} KX-{i}" for i in range(40)))


def test_scripts_other_than_latin_are_not_judged_by_latin_letters() -> None:
    assert not garbage("Договор купли продажи недвижимого имущества заключён в городе Москве " * 5)


def test_a_page_of_characters_without_meaning_is_garbage_and_a_few_bullets_are_not() -> None:
    assert is_garbage(["x"], characters=100, odd=16)
    assert not is_garbage(["x"], characters=100, odd=10)


def test_odd_characters_are_controls_private_use_replacements_and_guesses() -> None:
    assert is_odd(0x03, "", unmapped=False)
    assert is_odd(0xF0B7, "", unmapped=False)
    assert is_odd(0xFFFD, "\ufffd", unmapped=False)
    assert is_odd(0x41, "A", unmapped=True)
    assert not is_odd(0x41, "A", unmapped=False)
    assert not is_odd(0x200B, "", unmapped=False)
