"""Rules between fields: net and tax make gross, a period does not end before it begins.

Values that fit each other support each other; values that contradict each other are less sure, and a person
is asked. Rules are part of the schema (`DocumentSchema.rules`), so that an organisation can state its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial

from alma.datamodel.schemas import DocumentSchema, Rule

#: What a rule that holds adds to the log-probability of the values together, and what a sum of two different
#: amounts does, which is chance hardly ever.
BONUS, SUM_BONUS = 3.0, 4.2
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
    schema: DocumentSchema,
    options: Mapping[str, Sequence[tuple[str, float]]],
    amounts: Collection[str] = (),
) -> dict[str, str]:
    """Return the values that are most probable together where rules bind fields to each other.

    Parameters
    ----------
    schema : DocumentSchema
        Its rules.
    options : mapping
        By key: values with their log-probabilities, the best first.
    amounts : collection of str
        Amounts of the document: a sum may also take one that has no field, such as shipping or a discount.

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
        found = _likeliest(keys, fixed, partial(_bonus, rule)) or _likeliest(
            keys, fixed, partial(_bonus_with_another, rule, amounts)
        )
        chosen.update(found or {})
    return chosen


def _likeliest(
    keys: Sequence[str],
    options: Sequence[Sequence[tuple[str, float]]],
    bonus: Callable[[Mapping[str, str]], float],
) -> dict[str, str] | None:
    """Return the most probable combination of values, if it is one with a bonus."""
    best: tuple[float, dict[str, str], float] | None = None
    for combination in itertools.product(*options):
        values = {key: value for key, (value, _) in zip(keys, combination, strict=True)}
        more = bonus(values)
        score = sum(p for _, p in combination) + more
        if best is None or score > best[0] + 1e-9:
            best = (score, values, more)
    return best[1] if best is not None and best[2] else None


def _bonus(rule: Rule, values: Mapping[str, str]) -> float:
    if not holds(rule, values):
        return 0.0
    return SUM_BONUS if rule.kind == "sum" and _is_telling(values) else BONUS


def _bonus_with_another(rule: Rule, amounts: Collection[str], values: Mapping[str, str]) -> float:
    """Return the bonus of a sum of different amounts that comes out with one amount more, or less."""
    if rule.kind != "sum" or not amounts or not _is_telling(values):
        return 0.0
    try:
        numbers = [Decimal(values[key]) for key in rule.keys]
    except InvalidOperation:
        return 0.0
    rest = f"{abs(numbers[-1] - sum(numbers[:-1])):.2f}"
    return BONUS if rest != "0.00" and rest in amounts and rest not in values.values() else 0.0


def _is_telling(values: Mapping[str, str]) -> bool:
    """Return whether all values differ and none is zero."""
    return len(set(values.values())) == len(values) and all(v.strip("-0.") for v in values.values())


def broken(schema: DocumentSchema, values: Mapping[str, str | None]) -> tuple[set[str], set[str]]:
    """Return the keys of fields whose values contradict each other, and of those that confirm each other."""
    wrong: set[str] = set()
    right: set[str] = set()
    for rule in schema.rules:
        verdict = holds(rule, values)
        if verdict is not None:
            (right if verdict else wrong).update(rule.keys)
    return wrong, right
