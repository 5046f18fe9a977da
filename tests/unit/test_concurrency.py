"""Work that waits for others, several at a time."""

import threading
from collections.abc import Iterator
from itertools import count

import pytest

from alma.concurrency import in_order
from tests.patience import HANGS


def test_results_come_in_the_order_of_the_items_and_side_by_side() -> None:
    together = threading.Barrier(3, timeout=HANGS)

    def slow_first(item: int) -> int:
        together.wait()
        return item * 10

    assert list(in_order(slow_first, range(6), 3)) == [0, 10, 20, 30, 40, 50]


def test_no_more_is_begun_than_can_be_kept() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in count():
            taken.append(item)
            yield item

    results = in_order(str, items(), 2)

    assert [next(results), next(results)] == ["0", "1"]
    results.close()
    assert len(taken) <= 6


def test_an_error_is_raised_in_its_turn() -> None:
    results = in_order(lambda item: 1 // item, [2, 1, 0, 1], 2)

    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_nothing_is_nothing() -> None:
    assert list(in_order(str, [], 16)) == []
