"""Quantiles of the errors of a regression."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np

from barograph.errors import SpecError
from barograph.metrics import metric
from barograph.metrics.intervals import Z
from barograph.metrics.performance._intervals import between, ends
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.histogram import Histogram


@metric(unit="label", bounds=(-inf, inf), better="neither", rule="none")
def error_quantile(current: Histogram, *, q: float = 0.5) -> Outcome:
    r"""Measure the error that a share `q` of the rows stays below, in the label's unit.

    .. math:: \inf \{x : F(x) \ge q\}, \qquad F(x) = \tfrac1n \#\{i: p_i - y_i \le x\}

    `current` holds the errors, prediction less label: q = 0.5 is the median error (0 is best), q = 0.05 and 0.95
    enclose nine errors in ten. Within a bin the errors are taken as evenly spread, in the open bins up to the smallest
    and largest error. `n` is the number of errors; undefined with none. `q` lies strictly between 0 and 1.

    Where more than a hundredth of the errors are of one bin, the value is somewhere in it; the interval is as wide, and
    `binning_error` says so.

    The interval lies between the order statistics of ranks ``n q ± 1.96 √(n q (1 - q))`` [1]_; where the sample is too
    small to have one of them (with q = 0.95 the upper one needs 72 rows), that bound is absent. The standard error
    is the width over 2 · 1.96. No change is material by default: the label's unit may be anything.

    >>> error_quantile(Histogram((-1, 0, 1), (10, 40, 40, 10), minimum=-3, maximum=3), q=0.25)
    Estimate(value=-0.625, n=100, lower=-1.0, upper=0.0, ..., binning_error=0.625)

    .. [1] W. J. Conover, "Practical Nonparametric Statistics", 3rd edition, section 3.2, 1999.
    """
    if not 0 < q < 1:
        raise SpecError(f"q must be between 0 and 1, both excluded. Got {q!r} instead.")
    n = current.n
    if not n:
        return Undefined("no row has both a prediction and a label")
    half = Z * sqrt(n * q * (1 - q))
    lower_rank, upper_rank = n * q - half, n * q + half
    value, lower, upper = _at_ranks(current, np.clip((n * q, lower_rank, upper_rank), 0, n))
    least, most = between(*ends(current), current.counts[current.counts > 0], value)
    lower, upper = min(lower, least), max(upper, most)
    has_lower, has_upper = (1 - q) ** n <= 0.025, q**n <= 0.025
    certain = has_lower and has_upper and upper > lower
    return Estimate(
        value=value,
        n=n,
        standard_error=(upper - lower) / (2 * Z) if certain else None,
        lower=lower if has_lower else None,
        upper=upper if has_upper else None,
        binning_error=max(value - least, most - value) or None,
    )


def _at_ranks(current: Histogram, ranks: np.ndarray) -> tuple[float, ...]:
    """Return the values below which so many rows lie, by linear interpolation within the bins."""
    ends = np.cumsum(current.counts)
    bins = np.minimum(np.searchsorted(ends, ranks), len(ends) - 1)
    starts = np.concatenate(([current.minimum], current.edges))
    stops = np.concatenate((current.edges, [current.maximum]))
    low, high = np.maximum(starts[bins], current.minimum), np.minimum(stops[bins], current.maximum)
    rows = current.counts[bins]
    inside = np.clip((ranks - ends[bins] + rows) / np.maximum(rows, 1), 0, 1)
    return tuple((low + inside * (high - low)).tolist())
