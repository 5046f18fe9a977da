"""Values as they stand on pages, and what they mean."""

import pytest

from alma.datamodel.schemas import FieldType
from alma.extraction.values.locales import Locale, locale_of
from alma.extraction.values.numerals import words_to_number
from alma.extraction.values.parsed_spans import Span
from alma.extraction.values.parsers import parse, spans

AMERICAN = Locale(day_first=False)
GERMAN = Locale(day_first=True, decimal_comma=True)


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2018-12-25", "2018-12-25"),
        ("25/12/2018", "2018-12-25"),
        ("25.12.18", "2018-12-25"),
        ("05 02 2021", None),
        ("7. Mai 2014", "2014-05-07"),
        ("19 april 2014", "2014-04-19"),
        ("02 Juillet 2015", "2015-07-02"),
        ("3 de marzo de 2020", "2020-03-03"),
        ("1º gennaio 2021", "2021-01-01"),
        ("12 févr. 2020", "2020-02-12"),
        ("August 3 , 2014", "2014-08-03"),
        ("Jan. 9. 1893", "1893-01-09"),
        ("6th of February, 1999", "1999-02-06"),
        ("18th day of December, 2018", "2018-12-18"),
        ("Jun19/20", "2020-06-19"),
        ("20-OCT-98", "1998-10-20"),
        ("20171116", "2017-11-16"),
        ("seventh day of December in the year one thousand eight hundred and ninety-two", "1892-12-07"),
        (
            "twenty second day of June in the year of our Lord eighteen hundred and ninety nine",
            "1899-06-22",
        ),
        ("14 marca 2024", "2024-03-14"),
        ("14. března 2024", "2024-03-14"),
        ("14 de março de 2024", "2024-03-14"),
        ("3 d’abril de 2024", "2024-04-03"),
        ("14. maaliskuuta 2024", "2024-03-14"),
        ("2024. március 14.", "2024-03-14"),
        ("2024 m. kovo 14 d.", "2024-03-14"),
        ("2024. gada 14. marts", "2024-03-14"),
        ("14 Μαρτίου 2024", "2024-03-14"),
        ("14 березня 2024", "2024-03-14"),
        ("14. Jänner 2024", "2024-01-14"),
        ("14.III.2024", "2024-03-14"),
        ("14–03–2024", "2024-03-14"),
        ("2024‑03‑14", "2024-03-14"),
        ("14/3-2024", "2024-03-14"),
        ("2024年3月14日", "2024-03-14"),
        ("二〇二四年三月十四日", "2024-03-14"),
        ("令和6年3月14日", "2024-03-14"),
        ("令和元年5月1日", "2019-05-01"),
        ("R6.3.14", "2024-03-14"),
        ("民國113年3月14日", "2024-03-14"),
        ("2024년 3월 14일", "2024-03-14"),
        ("14 มีนาคม 2567", "2024-03-14"),
        ("14 มี.ค. 2567", "2024-03-14"),
        ("ngày 14 tháng 3 năm 2024", "2024-03-14"),
        ("١٤/٠٣/٢٠٢٤", "2024-03-14"),
        ("２０２４／０３／１４", "2024-03-14"),
        ("31/02/2020", None),
        ("99/99/2020", None),
        ("Table 12", None),
    ],
)
def test_a_date_comes_out_as_iso_or_not_at_all(written: str, iso: str | None) -> None:
    assert parse(written, FieldType.DATE) == iso


def test_the_document_decides_an_ambiguous_date() -> None:
    assert parse("03/04/2020", FieldType.DATE) == "2020-04-03"
    assert parse("03/04/2020", FieldType.DATE, AMERICAN) == "2020-03-04"


def test_months_and_years_are_those_of_the_country() -> None:
    assert parse("14. listopada 2024", FieldType.DATE) == "2024-11-14"
    assert parse("14. listopada 2024", FieldType.DATE, Locale(region="hr")) == "2024-10-14"
    assert parse("113/03/14", FieldType.DATE, Locale(region="tw")) == "2024-03-14"


@pytest.mark.parametrize(
    ("text", "day_first", "known"),
    [
        ("03/04/2024 Total $220.00 ABN: 51 824 753 556", True, True),
        ("03/04/2024 Total $218.00 10 Anson Road Singapore 079903", True, True),
        ("Fecha: 03/04/2024 Total $ 100.555", True, True),
        ("03/04/2024 Total $220.00 Austin, TX 78701", False, True),
        ("03/04/2024 Total $220.00", False, False),
        ("03/04/2024 Total 220.00", True, False),
    ],
)
def test_dollars_alone_do_not_tell_the_order_of_a_date(text: str, day_first: bool, known: bool) -> None:
    locale = locale_of([text])
    assert (locale.day_first, locale.order_known) == (day_first, known)


def test_an_impossible_order_is_not_an_order() -> None:
    assert parse("25/12/2018", FieldType.DATE, AMERICAN) == "2018-12-25"
    assert parse("12/25/2018", FieldType.DATE) == "2018-12-25"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["on 02/25/20 and 03/04/20"], Locale(day_first=False)),
        (["am 16.09.2019", "Summe 12,50 €"], Locale(day_first=True, decimal_comma=True)),
        (["Date 03/04/20", "Total $5.00", "Austin TX 78701"], Locale(day_first=False)),
        (["DATE: 03/04/2018", "TOTAL RM 5.00"], Locale(day_first=True)),
        (["Date of birth (MM-DD-YYYY) 03-04-1980"], Locale(day_first=False)),
        (["Date of birth (DD / MM / YYYY) 03-04-1980, USA"], Locale(day_first=True)),
        ([], Locale(day_first=True, decimal_comma=False)),
    ],
)
def test_unambiguous_values_reveal_the_locale(texts: list[str], expected: Locale) -> None:
    assert locale_of(texts) == expected


@pytest.mark.parametrize(
    ("written", "locale", "value"),
    [
        ("$5,625.00", Locale(), "5625.00"),
        ("1.234,56 €", Locale(), "1234.56"),
        ("1.234", GERMAN, "1234.00"),
        ("1.234", Locale(), "1.234"),
        ("$4,950", Locale(), "4950.00"),
        ("RM33.90", Locale(), "33.90"),
        ("1 234,50 EUR", GERMAN, "1234.50"),
        ("CHF 1'234.50", Locale(), "1234.50"),
        ("(247.50)", Locale(), "-247.50"),
        ("-8,79", GERMAN, "-8.79"),
        ("8.79-", Locale(), "-8.79"),
        ("$0.00", Locale(), "0.00"),
        ("0", Locale(), "0.00"),
        ("50,-", GERMAN, "50.00"),
        ("12,345,678.90", Locale(), "12345678.90"),
        ("1,23,456", Locale(), "123456.00"),
        ("1,23", GERMAN, "1.23"),
        ("12,34,56,789.50", Locale(), "123456789.50"),
        ("Rs. 45,500/-", Locale(), "45500.00"),
        ("2.5 crore", Locale(), "25000000.00"),
        ("1,200.00zł", Locale(), "1200.00"),
        ("AED1,200.00", Locale(), "1200.00"),
        ("1,200.00р.", Locale(), "1200.00"),
        ("35,000円", Locale(), "35000.00"),
        ("Fr. 950.—", Locale(), "950.00"),
        ("¥35,000-", Locale(), "35000.00"),
        ("35,000-", Locale(whole=True), "35000.00"),
        ("1.000,00-", GERMAN, "-1000.00"),
        ("1,000.00 CR", Locale(), "-1000.00"),
        ("(£45,000.00)", Locale(), "-45000.00"),
        ("forty-five thousand dollars ($45,000.00)", Locale(), "45000.00"),
        ("12\u202f345,67 €", GERMAN, "12345.67"),
        ("２４０．００", Locale(), "240.00"),
        ("٢٤٠٫٠٠", Locale(), "240.00"),
        ("165.000", Locale(whole=True), "165000.00"),
        ("125,500", GERMAN, "125.50"),
        ("A4", Locale(), None),
        ("12.50kg", Locale(), None),
        ("19 %", Locale(), None),
        ("One Hundred", Locale(), "100.00"),
        ("Twenty Two Hundred dollars", Locale(), "2200.00"),
        ("free", Locale(), None),
    ],
)
def test_an_amount_comes_out_as_a_plain_decimal(written: str, locale: Locale, value: str | None) -> None:
    assert parse(written, FieldType.AMOUNT, locale) == value


def test_a_bare_number_is_a_weaker_amount_than_one_with_cents() -> None:
    assert spans("18 $15,000.00", FieldType.AMOUNT, Locale()) == [
        Span(0, 2, "18.00", 0.15),
        Span(3, 13, "15000.00", 1.0),
    ]


@pytest.mark.parametrize(
    ("amounts", "values"),
    [
        (["50.000", "100.000", "Rp 150.000"], ["50000.00", "100000.00", "150000.00"]),
        (["$ 84.500", "$ 16.055", "$ 100.555"], ["84500.00", "16055.00", "100555.00"]),
        (["125,500 DT", "23,845 DT", "12,550"], ["125.50", "23.845", "12.55"]),
        (["KD 125.500", "KD 6.275"], ["125.50", "6.275"]),
        (["1.200 €", "240 €", "1.440 €"], ["1200.00", "240.00", "1440.00"]),
        (["950", "1.050", "2.000"], ["950.00", "1050.00", "2000.00"]),
        (["1.250 kg", "12.50"], ["1.25", "12.50"]),
        (["1,250", "12.50"], ["1250.00", "12.50"]),
        (["1.250", "12,50"], ["1250.00", "12.50"]),
    ],
)
def test_the_amounts_of_a_document_together_say_what_its_marks_are(
    amounts: list[str], values: list[str]
) -> None:
    locale = locale_of(["   ".join(amounts)])
    assert [parse(amount, FieldType.AMOUNT, locale) for amount in amounts] == values


def test_a_number_keeps_its_digits() -> None:
    assert parse("12.5 acres", FieldType.NUMBER) == "12.5"
    assert parse("12,5", FieldType.NUMBER, GERMAN) == "12.5"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("950658-1", "950658-1"),
        (": # BLR_WFLD20151000982590", "BLR_WFLD20151000982590"),
        ("RE-20190610/507", "RE-20190610/507"),
        ("DE88 2008 0000 0970 3757 00", "DE88200800000970375700"),
        ("AT61 1904 3002 3457 3201  BIC BKAUATWW", "AT611904300234573201"),
        ("BE68 5390 0754 7034 BIC KREDBEBB", "BE68539007547034"),
        ("DE 89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("DE89-3704-0044-0532-0130-00", "DE89370400440532013000"),
        ("NL 1234.56.789.B01", "NL123456789B01"),
        ("NO 987 654 321 MVA", "NO987654321MVA"),
        ("IT 01234567890", "IT01234567890"),
        ("ATU 123 45 675", "ATU12345675"),
        ("ES B-12345678", "ESB12345678"),
        ("RE 2024 00123", "RE 2024 00123"),
        ("FT A/118", "FT A/118"),
        ("2024 / 0117", "2024/0117"),
        ("INV–2024–7", "INV-2024-7"),
        ("INV 000123 14 March 2024", "INV 000123"),
        ("No 4711", "4711"),
        ("none", None),
    ],
)
def test_an_identifier_has_a_digit(written: str, value: str | None) -> None:
    assert parse(written, FieldType.IDENTIFIER) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("two (2) years", "2 years"),
        ("eighteen months", "18 months"),
        ("1 year", "1 year"),
        ("thirty-six months", "36 months"),
    ],
)
def test_a_duration_is_counted(written: str, value: str) -> None:
    assert parse(written, FieldType.DURATION) == value


@pytest.mark.parametrize("written", ["N/A", " n / a ", "---", "", "None", ":"])
def test_nothing_written_is_no_text(written: str) -> None:
    assert parse(written, FieldType.TEXT) is None


@pytest.mark.parametrize(
    ("written", "region", "value"),
    [
        ("EUR", "", "EUR"),
        ("zł", "", "PLN"),
        ("$", "au", "AUD"),
        ("$", "", "$"),
        ("kr.", "dk", "DKK"),
        ("none", "", None),
    ],
)
def test_a_currency_is_its_code_where_that_is_plain(written: str, region: str, value: str | None) -> None:
    assert parse(written, FieldType.CURRENCY, Locale(region=region)) == value


def test_a_senders_line_starts_with_the_name() -> None:
    line = "Lieferant GmbH - Uferweg 40-42 - D-63571 Gelnhausen"
    assert parse(line, FieldType.NAME) == "Lieferant GmbH"
    assert parse("Claire Chase - NM CD02", FieldType.NAME) == "Claire Chase - NM CD02"


def test_numbers_in_words() -> None:
    assert words_to_number("one thousand eight hundred and ninety-two") == 1892
    assert words_to_number("eighteen hundred and ninety nine") == 1899
    assert words_to_number("eight thousand") == 8000
    assert words_to_number("some") is None
