"""The rules that a scenario can try: those of production, fed with what a scenario says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeAlias  # Any: settings are of the type that their kind says

import numpy as np

from barograph.arrays import Floats
from barograph.errors import SpecError
from barograph.rules import Context, Feed, RuleKind, Setting, catalogue
from barograph.rules.settings import at_least_zero
from barograph.scenarios.reader import number
from barograph.scenarios.values import Value, parse_values
from barograph.spec.budget import DEFAULT_BUDGET, parse_budget

Settings: TypeAlias = Mapping[str, Any]
Values: TypeAlias = Sequence[Value | None]

LEAST_BLOCKS = 2  # of a reference that a rule learns shares from


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a rule says of one chunk. `known` is False where it could not tell; `note` is added to the breach's text."""

    breach: bool
    known: bool = True
    evidence: float | None = None
    limit: float | None = None
    reference: float | None = None
    note: str = ""


@cache
def tried() -> Mapping[str, RuleKind]:
    """Return the rules that can be fed with numbers, or with shares of rows."""
    return {name: kind for name, kind in catalogue().items() if kind.takes in ("values", "parts")}


def settings_of(kind: RuleKind) -> dict[str, Setting]:
    """Return the settings that a scenario can give a rule: its options, what it learns from, and its budget."""
    settings = dict(kind.options)
    if kind.learns:
        settings["reference"] = Setting(read=blocks if kind.takes == "parts" else numbers, meaning="what was normal")
        if kind.has_evidence:
            least = kind.tolerance if kind.tolerance is not None else 0.01 if kind.takes == "parts" else 0.0
            settings["tolerance"] = Setting(read=at_least_zero, meaning="what does not matter", default=least)
    if kind.has_evidence:
        settings["budget"] = Setting(read=budget, meaning="false alarms", default=parse_budget(DEFAULT_BUDGET).per_day)
    return settings


def budget(value: object) -> float:
    """Return the false alarms per day that a budget allows."""
    if not isinstance(value, str):
        raise SpecError(f"a budget such as {DEFAULT_BUDGET!r} is expected, got {value!r}.")
    try:
        return parse_budget(value).per_day
    except SpecError as error:
        raise SpecError(error.problems) from None


def blocks(value: object) -> list[Value]:
    """Return the rows that the reference had, block by block."""
    if not isinstance(value, str):
        raise SpecError(f"blocks such as '20/1000 x 8' are expected, got {value!r}.")
    found = parse_values(value)
    if len(found) < LEAST_BLOCKS or not all(block and block.rows for block in found):
        raise SpecError(f"at least two blocks such as '20/1000 x 8' are expected, got {value!r}.")
    return [block for block in found if block]


def numbers(value: object) -> list[Value]:
    """Return the values that the reference had: one number, or a text with those of several blocks."""
    found = parse_values(value) if isinstance(value, str) else [Value(number(value))]
    if not found or not all(found):
        raise SpecError(f"a number, or values such as '0.8 x 8', is expected, got {value!r}.")
    return [block for block in found if block]


def judge(kind: RuleKind, settings: Settings, values: Values, step: timedelta, *, better: str) -> list[Judgement]:
    """Return what the rule says of each chunk; one in which nothing came is only news for a rule that awaits values."""
    days = step / timedelta(days=1)
    reference = settings.get("reference", [])
    rows = float(np.median([value.rows for value in values if value and value.rows] or [1]))
    context = Context(
        arl=np.array([max(1 / settings["budget"], 2 * days) if kind.has_evidence else np.inf]),
        step=days,
        rows=rows,
        tolerance=np.array([settings.get("tolerance", 0.0)]),
        better=(better,),
        scales=("share" if rows > 1 else "identity",),
        options={name: settings[name] for name in kind.options if settings.get(name) is not None},
    )
    rule = kind.learn(_feed(kind, reference, days), context)
    feed = _feed(kind, values, days)
    _, judged = rule.run(rule.start(), feed, arl=context.arl)
    mean = sum(v.number * (v.rows or 1) for v in reference) / sum(v.rows or 1 for v in reference) if reference else None
    found = []
    for i, value in enumerate(values):
        lower, upper = (_known(limit, i) for limit in (judged.lower, judged.upper))
        above = value is not None and upper is not None and value.number > upper
        found.append(
            Judgement(
                bool(judged.breach[i, 0]),
                known=bool(judged.known[i, 0]),
                evidence=_known(judged.evidence, i),
                limit=upper if above or lower is None else lower,
                reference=mean,
                note=f" ({judged.notes[i, 0]})" if (i, 0) in judged.notes else "",
            )
        )
    return found


def _known(array: Floats | None, i: int) -> float | None:
    return float(array[i, 0]) if array is not None and np.isfinite(array[i, 0]) else None


def _feed(kind: RuleKind, values: Values, days: float) -> Feed:
    """Return the values as what the rule takes."""
    came = np.array([value is not None for value in values], np.bool_)
    n = len(values)
    rows = np.array([[value.rows if value else 0.0] for value in values], np.float64).reshape(n, 1)
    number_of = np.array([[np.nan if value is None else value.number] for value in values], np.float64).reshape(n, 1)
    days_of, order = np.full(n, days), np.arange(n)
    if kind.takes == "parts":
        counts = np.round(np.nan_to_num(number_of) * rows)
        return Feed(days=days_of, came=came, order=order, counts=counts[:, :, None], rows=rows)
    shares = (rows > 0) & (np.abs(number_of - 0.5) <= 0.5)
    spread = np.sqrt(np.where(shares, number_of * (1 - number_of), 0.0))
    errors = np.divide(spread, np.sqrt(rows), out=np.zeros((n, 1)), where=rows > 0)
    return Feed(days=days_of, came=came, order=order, values=number_of, errors=errors, rows=np.maximum(rows, 1))
