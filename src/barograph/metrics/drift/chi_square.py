"""Pearson's chi-squared statistic."""

from __future__ import annotations

from math import inf

import numpy as np

from barograph.arrays import Floats, Ints
from barograph.metrics import metric
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.histogram import Binned, check_same_bins

FEW = 5.0  # expected rows: the usual rule (W. G. Cochran, "Some methods for strengthening the common χ² tests", 1954)


@metric(
    unit="",
    bounds=(0.0, inf),
    better="lower",
    symmetric=True,
    bins="coarse",
    title="χ²",
    no_limits="it is a test statistic that grows with the number of rows",
)
def chi_square(reference: Binned, current: Binned) -> Outcome | Outcomes:
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
    counts = np.broadcast_arrays(reference.counts, current.counts)
    m, n = (np.add.reduce(side, axis=-1) for side in counts)
    rows = np.maximum(n + m, 2).astype(np.float64)
    x, y, bins = merge_rare(counts[1], counts[0], np.minimum(n, m) / rows)
    ratio = np.sqrt(np.maximum(m, 1) / np.maximum(n, 1))[..., None]
    terms = (ratio * x - y / ratio) ** 2 / np.maximum(x + y, 1.0)
    degrees = np.maximum(bins - 1.0, 0.0)
    return outcome(
        np.add.reduce(terms, axis=-1),
        n=n,
        undefined=[(m == 0, "reference has no rows"), (n == 0, "current has no rows")],
        null_mean=degrees * rows / (rows - 1),
        null_sd=np.sqrt(2.0 * degrees),
    )


def merge_rare(x: Ints, y: Ints, smaller: Floats) -> tuple[Floats, Floats, Floats]:
    """Return both counts with the bins of few expected rows merged into one that is put last, and the bins in use.

    `smaller`, (...), is the smaller side's share of all rows. Bins that were merged, or empty in both, are zero.
    """
    both = x + y
    rare = both * smaller[..., None] < FEW

    def merged(counts: Ints) -> Floats:
        rest = np.add.reduce(np.where(rare, counts, 0), axis=-1, keepdims=True)
        return np.concatenate((np.where(rare, 0, counts), rest), axis=-1).astype(np.float64)

    x_merged, y_merged = merged(x), merged(y)
    return x_merged, y_merged, np.add.reduce((x_merged + y_merged) > 0, axis=-1).astype(np.float64)
