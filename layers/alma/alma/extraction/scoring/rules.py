"""Rules between fields: net and tax make gross, a period does not end before it begins.

Values that fit each other support each other; values that contradict each other are less sure, and a person
is asked. Rules are part of the schema (`DocumentSchema.rules`), so that an organisation can state its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from alma.datamodel.schemas import DocumentSchema, Rule

#: What a rule that holds adds to the log-probability of the values together.
BONUS = 3.0
#: Values of each field that are tried with each other.
OPTIONS = 5


def holds(rule: Rule, values: Mapping[str, str | None]) -> bool | None:
    """Return whether values obey a rule; None where one of them is missing or cannot be compared.

    Parameters
    ----------
    rule : Rule
        The rule.
    values : mapping
        Normalised values by key.
    """
    each = [values.get(key) for key in rule.keys]
    if any(value is None for value in each):
        return None
    if rule.kind == "order":
        dates = [str(v) for v in each]
        return dates == sorted(dates)
    try:
        numbers = [Decimal(str(v)) for v in each]
    except InvalidOperation:
        return None
    # Every addend may have been rounded to a cent.
    return abs(sum(numbers[:-1]) - numbers[-1]) <= Decimal("0.01") * (len(numbers) - 1)


def best_together(
    schema: DocumentSchema, options: Mapping[str, Sequence[tuple[str, float]]]
) -> dict[str, str]:
    """Return the values that are most probable together where rules bind fields to each other.

    Parameters
    ----------
    schema : DocumentSchema
        Its rules.
    options : mapping
        By key: values with their log-probabilities, the best first.

    Returns
    -------
    dict
        By key, for the fields of rules that hold with it; values of a rule that does not hold are left alone.
    """
    chosen: dict[str, str] = {}
    for rule in schema.rules:
        keys = list(dict.fromkeys(rule.keys))
        if not all(options.get(key) for key in keys):
            continue
        fixed = [
            [(v, p) for v, p in options[key] if v == chosen[key]] if key in chosen else options[key][:OPTIONS]
            for key in keys
        ]
        best: tuple[float, tuple[tuple[str, float], ...]] | None = None
        for combination in itertools.product(*fixed):
            values = {key: value for key, (value, _) in zip(keys, combination, strict=True)}
            score = sum(p for _, p in combination) + (BONUS if holds(rule, values) else 0.0)
            if best is None or score > best[0] + 1e-9:
                best = (score, combination)
        values = {key: value for key, (value, _) in zip(keys, best[1], strict=True)} if best else {}
        if best is not None and holds(rule, values):
            chosen.update((key, value) for key, (value, _) in zip(keys, best[1], strict=True))
    return chosen


def broken(schema: DocumentSchema, values: Mapping[str, str | None]) -> tuple[set[str], set[str]]:
    """Return the keys of fields whose values contradict each other, and of those that confirm each other."""
    wrong: set[str] = set()
    right: set[str] = set()
    for rule in schema.rules:
        verdict = holds(rule, values)
        if verdict is not None:
            (right if verdict else wrong).update(rule.keys)
    return wrong, right
