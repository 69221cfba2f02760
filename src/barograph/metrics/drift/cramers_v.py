"""Cramér’s V."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats
from barograph.metrics import metric
from barograph.metrics.drift._bins import by_chance, divergence, shares, total, variance_of_mean
from barograph.metrics.drift._no_change import RowNoise
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.histogram import Binned


@metric(unit="", bounds=(0.0, 1.0), better="lower", symmetric=True, tolerance=0.1, bins="coarse", title="Cramér’s V")
def cramers_v(reference: Binned, current: Binned, *, debias: bool = True) -> Outcome | Outcomes:
    r"""Measure the association between "which bin" and "reference or current", from 0 (none) to 1 (complete).

    .. math:: V = \sqrt{\max(0, \varphi^2 - b)}, \qquad
        \varphi^2 = \frac12 \sum_i \frac{(c_i - r_i)^2}{c_i + r_i}, \qquad
        b \approx \frac{B - 1}4 \Bigl(\frac1n + \frac1m\Bigr)

    for shares :math:`r` of `m` reference rows and :math:`c` of `n` current rows in `B` bins. It is the V of the
    2 × B table [1]_ after both sides were given the same weight: with plain counts V falls towards zero as the
    reference grows, whatever the change. Without a change :math:`\varphi^2` has about the mean `b`, which is taken
    off [2]_ so that small chunks can be compared with large ones; `debias=False` leaves it in. Bins with few expected
    rows count as the part of a degree of freedom that they have. No rows are undefined; one row, or a constant column,
    is a distribution like any other. The interval is that of the delta method.

    >>> from barograph.sketches.histogram import Histogram
    >>> week = Histogram(edges=(10, 20), counts=(500, 300, 200))
    >>> today = Histogram(edges=(10, 20), counts=(30, 30, 40))
    >>> cramers_v(week, today).value
    0.229...

    .. [1] H. Cramér, "Mathematical Methods of Statistics", Princeton 1946, chapter 21.
    .. [2] W. Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical
       Society 42, 2013.
    """
    both = shares(reference, current)
    r, c, m, n, used, _ = both
    difference = c - r
    tilt = difference / np.where(used, c + r, 1.0)
    squares = tilt * tilt
    sampling = variance_of_mean(c, tilt - 0.5 * squares, n) + variance_of_mean(r, tilt + 0.5 * squares, m)
    return divergence(
        both,
        0.5 * total(difference * tilt),
        chance=by_chance(_NOISE, both),
        sampling=sampling,
        debias=debias,
        rooted=True,
        most=1.0,
    )


def _contribution(x: Floats, y: Floats) -> Floats:
    return np.asarray(0.5 * (x - y) ** 2 / (x + y))


_NOISE = RowNoise(_contribution, 0.25)
