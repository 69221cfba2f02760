"""The false-alarm budget, divided: how often each monitor of a model may be wrong, and what it can then see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.errors import SpecError, did_you_mean
from barograph.spec.budget import Budget

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


SPEND: Mapping[float, float] = {4: 0.45, 12: 0.65, 30: 0.78, 60: 0.90, 120: 1.10, 365: 1.60, 730: 2.60}
"""Evidence per chunk of the run length at which predictive evidence alarms, found by simulation (`docs/power.md`).

Below one it spends the slack that evidence has because it jumps over its threshold; above one it pays for how the
reference varies being an estimate, which counts for more the rarer an alarm may be.
"""
FEWEST_CHUNKS = 4.0  # between false alarms
FEWEST_LONG_CHUNKS = 12.0  # of a week or more: one a month would be an alarm each chunk
LONG_CHUNK = 7.0  # days


def run_in_chunks(arl_days: Floats, step: float) -> Floats:
    """Return mean run lengths in chunks of `step` days for predictive evidence: not less than can be kept.

    >>> run_in_chunks(np.array([60.0, 60.0]), 1.0).tolist(), run_in_chunks(np.array([60.0]), 30.4).tolist()
    ([60.0, 60.0], [12.0])
    """
    return np.maximum(arl_days / step, FEWEST_LONG_CHUNKS if step >= LONG_CHUNK else FEWEST_CHUNKS)


def evidence_needed(arl: Floats) -> Floats:
    """Return the evidence at which to alarm for one false alarm in `arl` chunks: log-log interpolation of `SPEND`.

    >>> evidence_needed(np.array([30.0, 60.0, 3000.0])).round(1).tolist()
    [23.4, 54.0, 7800.0]
    """
    at, factor = np.log(list(SPEND)), np.log(list(SPEND.values()))
    needed: Floats = arl * np.exp(np.interp(np.log(arl), at, factor))
    return needed


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
