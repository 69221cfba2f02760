"""Hellinger distance."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats
from barograph.metrics import metric
from barograph.metrics.drift._bins import by_chance, divergence, shares, total
from barograph.metrics.drift._no_change import RowNoise
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.histogram import Binned


@metric(
    unit="",
    bounds=(0.0, 1.0),
    better="lower",
    symmetric=True,
    tolerance=0.07,
    bins="coarse",
    title="Hellinger distance",
)
def hellinger(reference: Binned, current: Binned, *, debias: bool = True) -> Outcome | Outcomes:
    r"""Measure how little the reference and current shares overlap, from 0 (equal) to 1 (nothing in common).

    .. math:: \sqrt{\max(0, 1 - \beta - b)}, \qquad \beta = \sum_i \sqrt{c_i r_i}, \qquad
        b \approx \frac{B - 1}8 \Bigl(\frac1n + \frac1m\Bigr)

    for shares :math:`r` of `m` reference rows and :math:`c` of `n` current rows in `B` bins [1]_. Without a change
    :math:`1 - \beta` has about the mean `b`, which is taken off so that small chunks can be compared with large
    ones; `debias=False` leaves it in. Bins with few expected rows count as the part of a degree of freedom that they
    have. No rows are undefined; one row, or a constant column, is a distribution like any other. The interval is that
    of the delta method; it is too low for large changes in chunks so small that whole bins are empty.

    >>> from barograph.sketches.histogram import Histogram
    >>> week = Histogram(edges=(10, 20), counts=(500, 300, 200))
    >>> today = Histogram(edges=(10, 20), counts=(30, 30, 40))
    >>> hellinger(week, today).value
    0.164...

    .. [1] L. Le Cam, G. L. Yang, "Asymptotics in Statistics", Springer 2000, chapter 3.
    """
    both = shares(reference, current)
    r, c, m, n, *_ = both
    overlap = total(np.sqrt(r * c))
    # The slope of the overlap in c is √(r / c) / 2: its mean square under c is the r-share of the bins with c > 0.
    seen_by_c, seen_by_r = total(r * (c > 0.0)), total(c * (r > 0.0))
    squared = overlap * overlap
    return divergence(
        both,
        np.maximum(0.0, 1.0 - overlap),
        chance=by_chance(_NOISE, both),
        sampling=0.25
        * (np.maximum(0.0, seen_by_c - squared) / n[..., 0] + np.maximum(0.0, seen_by_r - squared) / m[..., 0]),
        debias=debias,
        rooted=True,
        most=1.0,
    )


def _contribution(x: Floats, y: Floats) -> Floats:
    return np.asarray(0.5 * (np.sqrt(x) - np.sqrt(y)) ** 2)


_NOISE = RowNoise(_contribution, 0.125)
