"""Words become lines in reading order."""

from collections.abc import Iterable

from alma.files.lines import Token, in_lines


def token(text: str, left: float, baseline: float, size: float = 10, width: float | None = None) -> Token:
    width = 5.0 * len(text) if width is None else width
    return Token(text, left, baseline - size, left + width, baseline, baseline - 0.7 * size, baseline)


def texts(tokens: Iterable[Token]) -> list[str]:
    return [" ".join(t.text for t in line) for line in in_lines(list(tokens))]


def test_words_at_one_height_are_one_line_however_far_apart() -> None:
    page = [token("12.50", 500, 100), token("Total", 20, 101), token("Tax", 20, 115), token("2.00", 505, 115)]
    assert texts(page) == ["Total 12.50", "Tax 2.00"]


def test_a_small_label_and_a_large_value_beside_it_are_one_line() -> None:
    assert texts([token("Name", 20, 100, size=6), token("Greaves", 60, 102, size=12)]) == ["Name Greaves"]


def test_superscripts_stay_on_their_line() -> None:
    assert texts([token("12", 20, 100), token("2", 31, 96.5, size=6), token("acres", 40, 100)]) == [
        "12 2 acres"
    ]


def test_lines_close_above_each_other_stay_apart() -> None:
    page = [token("one", 20, 100), token("two", 20, 108), token("three", 20, 116)]
    assert texts(page) == ["one", "two", "three"]


def test_a_line_scanned_at_a_slant_stays_whole() -> None:
    upper = [token(f"a{i}", 20 + 50 * i, 100 + 2 * i) for i in range(12)]
    lower = [token(f"b{i}", 20 + 50 * i, 114 + 2 * i) for i in range(12)]
    assert texts(upper + lower) == [
        "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11",
        "b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11",
    ]


def test_a_headline_beside_two_small_lines_joins_one_of_them_only() -> None:
    page = [token("BILL", 20, 110, size=30), token("No. 7", 200, 96), token("1 May", 200, 108)]
    assert sorted(len(line) for line in in_lines(page)) == [1, 2]


def test_a_word_printed_twice_over_itself_is_one_word() -> None:
    page = [token("Total", 20, 100), token("Total", 20.4, 100), token("Total", 80, 100)]
    assert texts(page) == ["Total Total"]


def test_no_words_are_no_lines() -> None:
    assert in_lines([]) == []
