"""The life sign of a label feed: for how long no label may come, given how late labels are and how many are due."""

from __future__ import annotations

from math import inf, log

import numpy as np

from barograph.arrays import Floats
from barograph.labels.delay import DelayCurves

CHANCE = 1e-4  # that a feed which lives brings no label for so long
STEPS = 40  # of halving
TIMES = 3.0  # as long as the longest gap so far: labels come in batches, which no delay of single labels knows


def allowed_silence(curves: DelayCurves, pending_ages: Floats, gaps: Floats, *, rate: float = 0.5) -> float:
    r"""Return for how long no label may come, in the unit of the ages; infinite where none is due.

    Of an event that waits at age :math:`a`, a label comes within :math:`t` with the chance
    :math:`p(t) = (F(a + t) - F(a)) / (1 - F(a))`, where :math:`F = r F_1 + (1 - r) F_0` holds those that never come.
    All of them are silent with :math:`\prod (1 - p(t))`: allowed is the shortest time for which that is below `CHANCE`,
    and at least `TIMES` the longest of `gaps`, the times between receipts so far. `rate` is the share of
    positives.

    >>> curves = DelayCurves(ages=np.array([1.0, 2.0, 3.0]), arrived=np.array([[0.2, 0.6, 1.0]] * 2), never=0.0, n=90)
    >>> [round(allowed_silence(curves, np.zeros(100), np.array([gap])), 3) for gap in (0.1, 2.0)]
    [1.0, 6.0]
    >>> allowed_silence(curves, np.array([]), np.array([0.1]))
    inf
    """
    if not curves.n or not len(pending_ages):
        return inf
    ages = np.asarray(pending_ages, np.float64)
    here = _arrived(curves, ages, rate)
    waiting = 1 - here > 1e-12
    if not waiting.any():
        return inf
    ages, left = ages[waiting], 1 - here[waiting]
    usual = TIMES * float(np.max(gaps, initial=0.0))

    def shows(t: float) -> bool:
        still = np.clip((1 - _arrived(curves, ages + t, rate)) / left, 1e-300, 1.0)
        return float(np.log(still).sum()) <= log(CHANCE)

    short, long = 0.0, float(curves.ages[-1])
    if not shows(long):
        return inf
    for _ in range(STEPS):
        middle = (short + long) / 2
        short, long = (short, middle) if shows(middle) else (middle, long)
    return max(long, usual)


def is_silent(since: float, allowed: float) -> bool:
    """Return whether a feed whose last label came so long ago has stopped; `allowed` is what `allowed_silence` gave."""
    return since > allowed


def _arrived(curves: DelayCurves, ages: Floats, rate: float) -> Floats:
    negative, positive = curves.at(ages)
    return np.asarray(rate * positive + (1 - rate) * negative)
