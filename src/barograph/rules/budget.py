"""The false-alarm budget: how often all monitors of a model together may be wrong, and what each can then see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.errors import SpecError, did_you_mean

DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}
FAMILIES: Mapping[str, float] = {
    "performance": 6.0,
    "estimation": 4.0,
    "operations": 4.0,
    "concept": 3.0,
    "fairness": 3.0,
    "drift": 2.0,
    "quality": 2.0,
}
"""How the budget is divided over the families that are watched: what hurts may alarm more readily."""
NUMBERS = {"no": 0.0, "one": 1.0}
SMALLEST_BUDGET = 1 / (1000 * 365.25)  # one false alarm in a thousand years
LARGEST_BUDGET = 1000.0  # a day


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `alarms` false alarms in each `period` on average, for all monitors of a model together.

    >>> Budget(2, "week").per_day
    0.2857142857142857
    >>> str(Budget(1, "month"))
    '1 false alarm per month'
    """

    alarms: float
    period: str

    @property
    def per_day(self) -> float:
        """Return the false alarms per day."""
        return self.alarms / DAYS[self.period]

    def __str__(self) -> str:
        return f"{self.alarms:g} false alarm{'' if self.alarms == 1 else 's'} per {self.period}"


def parse_budget(text: str, *, where: str = "budget") -> Budget:
    """Return the budget that `text` states: `N false alarms per day`, week, month, quarter, year (or hour).

    Raises SpecError, with `where` as the place in the specification.

    >>> parse_budget("1 false alarm per month")
    Budget(alarms=1.0, period='month')
    >>> parse_budget("none", where="$.budget")
    Traceback (most recent call last):
    barograph.errors.SpecError: $.budget: expected 'N false alarms per day|week|month|quarter|year', got 'none'.
    """
    expected = "expected 'N false alarms per day|week|month|quarter|year'"
    match = re.fullmatch(r"\s*(\S+)\s+false[\s-]+alarms?\s+(?:per|an?|each|every)\s+([a-z]+)\s*", str(text).lower())
    if not match:
        raise SpecError(f"{expected}, got {text!r}.", where=where)
    number, period = match[1], match[2]
    if period not in DAYS:
        raise SpecError(f"{expected}, got the period {period!r}.{did_you_mean(period, DAYS)}", where=where)
    try:
        alarms = NUMBERS[number] if number in NUMBERS else float(number)
    except ValueError:
        raise SpecError(f"{expected}, got {number!r} as the number.", where=where) from None
    budget = Budget(alarms, period)
    if not isfinite(alarms) or alarms <= 0:
        raise SpecError(
            f"a budget of {number} false alarms cannot be kept by anything that ever alarms. "
            "State a small one, such as '1 false alarm per year'.",
            where=where,
        )
    if not SMALLEST_BUDGET <= budget.per_day <= LARGEST_BUDGET:
        raise SpecError(f"a budget must lie between 1 in 1,000 years and 1,000 a day, got {text!r}.", where=where)
    return budget


def divide(
    budget: Budget, families: Sequence[str], *, weights: Mapping[str, float] | None = None, own: npt.ArrayLike = 1.0
) -> Floats:
    r"""Return the average run length of each monitor in days, so that all together stay within the budget.

    Each family gets a share of the budget in proportion to its weight (:data:`FAMILIES`, replaced by `weights` where
    they are given), and divides it over its monitors in proportion to `own`: a monitor with share :math:`w` of the
    budget of :math:`b` false alarms a day has an ARL of :math:`1/(b w)` days, so that :math:`\sum 1/\mathrm{ARL} =
    b`. Families count first because there may be five thousand drift monitors and three of performance. A weight of
    zero switches a family or a monitor off (an infinite ARL).

    >>> divide(Budget(1, "month"), ["performance", "drift", "drift"]).round().tolist()
    [41.0, 244.0, 244.0]
    """
    table = {**FAMILIES, **(weights or {})}
    problems = [
        f"`{name}` is not a family of metrics.{did_you_mean(name, FAMILIES)}"
        for name in weights or {}
        if name not in FAMILIES
    ]
    problems += [
        f"the weight of `{name}` must be a number from 0, got {value!r}."
        for name, value in (weights or {}).items()
        if not (isfinite(value) and value >= 0)
    ]
    problems += [
        f"`{name}` is not a family of metrics.{did_you_mean(name, FAMILIES)}" for name in set(families) - set(table)
    ]
    single = np.broadcast_to(np.asarray(own, np.float64), (len(families),))
    if not np.all(np.isfinite(single) & (single >= 0)):
        problems.append("the weights of monitors must be numbers from 0.")
    if problems:
        raise SpecError(problems, where="budget.weights")
    names = np.array(families, dtype=object)
    share = np.zeros(len(families))
    for name in sorted(set(families)):
        members = names == name
        total = single[members].sum()
        if total > 0:
            share[members] = table[name] * single[members] / total
    if len(share) and not share.sum() > 0:
        raise SpecError("all weights are zero: nothing may ever alarm.", where="budget.weights")
    with np.errstate(divide="ignore"):
        arl: Floats = share.sum() / (budget.per_day * share)
    return arl


def in_chunks(arl_days: npt.ArrayLike, chunk_days: float) -> Floats:
    """Return run lengths in chunks of `chunk_days` days, at least 2: nothing is evidence of less.

    >>> in_chunks([30.0, 0.5], chunk_days=1.0).tolist()
    [30.0, 2.0]
    """
    if not (isfinite(chunk_days) and chunk_days > 0):
        raise SpecError(
            "a budget per time needs chunks of a known length: this model has no timestamps. Give them, or state how "
            f"many days a chunk stands for. Got {chunk_days!r}.",
            where="budget",
        )
    return np.maximum(np.asarray(arl_days, np.float64) / chunk_days, 2.0)


def describe_detectable(change: float, *, unit: str, days: float, useful: float) -> str:
    """Return what a monitor can see, as a sentence part, and whether that is of any use.

    `change` is the rule's smallest detectable change in `unit` (a short text with its own space, where it needs one),
    `useful` the largest one that anybody would want to wait for.

    >>> describe_detectable(0.4, unit="σ", days=30, useful=1.0)
    'smallest detectable change: 0.4σ in 30 days'
    >>> describe_detectable(np.inf, unit="σ", days=30, useful=1.0)
    'no change can be detected in 30 days: too few rows, or too small a share of the false-alarm budget'
    >>> describe_detectable(2.5, unit="σ", days=30, useful=1.0)
    'smallest detectable change: 2.5σ in 30 days, which is too much to be useful: longer chunks would help'
    """
    if not isfinite(change):
        return (
            f"no change can be detected in {days:g} days: too few rows, or too small a share of the false-alarm budget"
        )
    text = f"smallest detectable change: {change:.2g}{unit} in {days:g} days"
    return text if change <= useful else f"{text}, which is too much to be useful: longer chunks would help"
