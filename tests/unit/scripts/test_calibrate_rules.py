"""The simulation of what people's decisions tell of a type that nobody trained."""

from statistics import fmean

from alma.extraction.scoring.confidence import Signals
from scripts.calibrate_rules import ReadValue, fitted, simulated, with_slope


def values(doc_type: str, share: float, count: int = 40) -> list[ReadValue]:
    """Return values of a type of which a share is right: rather those that the rules are sure of."""
    return [
        ReadValue(
            doc_type,
            f"{doc_type}-{n}",
            "total",
            Signals(0.9 if n % 4 else 0.5, 1.0, 0.0, 1).vector(),
            n < share * count,
        )
        for n in range(count)
    ]


def test_decisions_move_what_is_said_of_a_type_to_how_often_it_is_right() -> None:
    learnt = fitted([*values("a", 0.8), *values("b", 0.7)])
    rules = with_slope(learnt, 0.75, 10, 5)

    said = [fmean(p for p, _ in simulated(values("bad", 0.1), rules, n)) for n in (1, 5, 20)]

    assert 0.7 < learnt.rate < 0.8
    assert said[0] > said[1] > said[2]
    assert said[2] < 0.35
