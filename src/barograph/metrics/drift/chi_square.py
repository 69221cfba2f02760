"""Pearson's chi-squared statistic."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np

from barograph.arrays import Ints
from barograph.metrics import metric
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.histogram import Binned, check_same_bins

FEW = 5.0  # expected rows: the usual rule (W. G. Cochran, "Some methods for strengthening the common χ² tests", 1954)


@metric(unit="", bounds=(0.0, inf), better="lower", symmetric=True, bins="coarse")
def chi_square(reference: Binned, current: Binned) -> Outcome:
    r"""Measure how unlikely the current counts are if they and the reference are drawn from one distribution.

    .. math:: \chi^2 = \sum_i \frac{(\sqrt{m/n}\,x_i - \sqrt{n/m}\,y_i)^2}{x_i + y_i}

    for :math:`x_i` of `n` current rows and :math:`y_i` of `m` reference rows in bin `i`: Pearson's statistic of the 2
    × B table, without Yates' correction. Bins in which fewer than five rows are expected on the smaller side are
    merged into one. Without a change it is about :math:`\chi^2_{B-1}`: `null_mean` is :math:`(B - 1) N / (N - 1)`,
    exact for given totals with :math:`N = n + m`, and `null_sd` is :math:`\sqrt{2 (B - 1)}`, near enough.

    It grows with the number of rows at the same change, so that it is no size of a change (that is `cramers_v`) and
    has no interval and no default tolerance. No rows are undefined; with all rows in one bin it is 0.

    >>> from barograph.sketches.histogram import Histogram
    >>> week = Histogram(edges=(10, 20), counts=(500, 300, 200))
    >>> today = Histogram(edges=(10, 20), counts=(30, 30, 40))
    >>> chi_square(week, today).value
    24.21...
    """
    check_same_bins(reference, current)
    m, n = int(np.add.reduce(reference.counts)), int(np.add.reduce(current.counts))
    if not m or not n:
        return Undefined(f"{'current' if m else 'reference'} has no rows")
    x, y = merge_rare(current.counts, reference.counts, min(n, m) / (n + m))
    total = (x + y).astype(np.float64)
    ratio = sqrt(m / n)
    degrees = len(x) - 1
    return Estimate(
        value=float(np.add.reduce((ratio * x - y / ratio) ** 2 / total)),
        n=n,
        null_mean=degrees * (n + m) / (n + m - 1),
        null_sd=sqrt(2.0 * degrees),
    )


def merge_rare(x: Ints, y: Ints, smaller: float) -> tuple[Ints, Ints]:
    """Return both counts with the bins of few expected rows merged; `smaller` is the smaller side's share of rows."""
    total = x + y
    rare = total * smaller < FEW
    if not rare.any():
        return x, y
    kept = ~rare
    rare_x, rare_y = int(x[rare].sum()), int(y[rare].sum())
    if not rare_x + rare_y:
        return x[kept], y[kept]
    return np.append(x[kept], rare_x), np.append(y[kept], rare_y)
