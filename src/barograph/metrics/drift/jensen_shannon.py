"""Jensen–Shannon distance."""

from __future__ import annotations

from math import log

import numpy as np

from barograph.arrays import Floats
from barograph.metrics import metric
from barograph.metrics.drift._bins import by_chance, divergence, shares, total, variance_of_mean
from barograph.metrics.drift._no_change import RowNoise
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.histogram import Binned


@metric(
    unit="",
    bounds=(0.0, 1.0),
    better="lower",
    symmetric=True,
    tolerance=0.08,
    bins="coarse",
    title="Jensen–Shannon distance",
    rank=3,
)
def jensen_shannon(reference: Binned, current: Binned, *, debias: bool = True) -> Outcome | Outcomes:
    r"""Measure how well one row tells whether it is a reference row or a current row, from 0 (not at all) to 1.

    .. math:: \sqrt{\max(0, D - b)}, \quad
        D = \frac12 \sum_i c_i \log_2 \frac{c_i}{a_i} + \frac12 \sum_i r_i \log_2 \frac{r_i}{a_i}, \quad
        a = \frac{c + r}2, \quad b \approx \frac{B - 1}{8 \ln 2} \Bigl(\frac1n + \frac1m\Bigr)

    the root of the divergence in bits [1]_, for shares :math:`r` of `m` reference rows and :math:`c` of `n` current
    rows in `B` bins. Without a change :math:`D` has about the mean `b`, which is taken off so that small chunks can
    be compared with large ones; `debias=False` leaves it in, as other programs do. Bins with few expected rows count
    as the part of a degree of freedom that they have. No rows are undefined; one row, or a constant column, is a
    distribution like any other. The interval is that of the delta method.

    >>> from barograph.sketches.histogram import Histogram
    >>> week = Histogram(edges=(10, 20), counts=(500, 300, 200))
    >>> today = Histogram(edges=(10, 20), counts=(30, 30, 40))
    >>> jensen_shannon(week, today).value
    0.196...

    .. [1] D. M. Endres, J. E. Schindelin, "A new metric for probability distributions",
       IEEE Transactions on Information Theory 49, 2003.
    """
    both = shares(reference, current)
    r, c, m, n, used, _ = both
    # An empty share adds 0 log 0 = 0, and so does a bin that is empty in both.
    twice_mean = np.where(used, c + r, 1.0)
    c_bits = np.log2(np.maximum(2.0 * c / twice_mean, _TINY))
    r_bits = np.log2(np.maximum(2.0 * r / twice_mean, _TINY))
    return divergence(
        both,
        0.5 * total(c * c_bits + r * r_bits),
        chance=by_chance(_NOISE, both),
        sampling=0.25 * (variance_of_mean(c, c_bits, n) + variance_of_mean(r, r_bits, m)),
        debias=debias,
        rooted=True,
        most=1.0,
    )


_TINY = 1e-300


def _contribution(x: Floats, y: Floats) -> Floats:
    x_bits = np.log2(np.maximum(2.0 * x / (x + y), _TINY))
    return 0.5 * np.asarray(x * x_bits + y * np.log2(np.maximum(2.0 * y / (x + y), _TINY)))


_NOISE = RowNoise(_contribution, 1.0 / (8.0 * log(2.0)))
