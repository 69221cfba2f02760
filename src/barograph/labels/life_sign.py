"""The life sign of a label feed: for how long no label may come, given how late labels are and how many are due."""

from __future__ import annotations

from math import inf, log

import numpy as np

from barograph.arrays import Floats
from barograph.labels.delay import DelayCurves

CHANCE = 1e-4  # that a feed which lives brings no label for so long
STEPS = 40  # of halving


def allowed_silence(curves: DelayCurves, pending_ages: Floats, *, rate: float = 0.5) -> float:
    r"""Return for how long no label may come after the last one, in the unit of the ages; infinite where none is due.

    The ages are those at the last label: below 0 for events that came since. Of an event that waits at age :math:`a`,
    a label comes within :math:`t` with the chance :math:`p(t) = (F(a + t) - F(a)) / (1 - F(a))`, where
    :math:`F = r F_1 + (1 - r) F_0` holds those that never come. All of them are silent with
    :math:`\prod (1 - p(t))`: allowed is the shortest time for which that is below `CHANCE`. `rate` is the share of
    positives. How far apart the batches are in which labels come is a matter of `alerts.habits`: delays of single
    labels do not tell it.

    >>> curves = DelayCurves(ages=np.array([1.0, 2.0, 3.0]), arrived=np.array([[0.2, 0.6, 1.0]] * 2), never=0.0, n=90)
    >>> [round(allowed_silence(curves, np.full(100, age)), 3) for age in (0.0, 1.5, -5.0)]
    [1.0, 0.5, 6.0]
    >>> allowed_silence(curves, np.array([]))
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

    def shows(t: float) -> bool:
        still = np.clip((1 - _arrived(curves, ages + t, rate)) / left, 1e-300, 1.0)
        return float(np.log(still).sum()) <= log(CHANCE)

    short, long = 0.0, float(curves.ages[-1] - min(ages.min(), 0.0))
    if not shows(long):
        return inf
    for _ in range(STEPS):
        middle = (short + long) / 2
        short, long = (short, middle) if shows(middle) else (middle, long)
    return long


def _arrived(curves: DelayCurves, ages: Floats, rate: float) -> Floats:
    negative, positive = curves.at(ages)
    return np.asarray(rate * positive + (1 - rate) * negative)
