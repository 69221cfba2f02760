"""Learn the bins of each column from the reference."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats, Ints
from barograph.profiles.yardstick import CategoricalBins, NumericBins

FINE_BINS = 256  # Kolmogorov–Smirnov from this many reference quantiles is within 0.0004 of exact
COARSE_BINS = 10  # for metrics whose noise grows with the number of bins
TOP_CATEGORIES = 128  # counted one by one
COARSE_CATEGORIES = 20
COARSE_SHARE = 0.01  # a category below this share joins "other" in the coarse bins
MAX_CATEGORIES = 200_000  # remembered, to tell unseen ones from rare ones


def fit_numeric_bins(
    name: str, values: Floats, *, low: float | None = None, high: float | None = None, bins: int = FINE_BINS
) -> NumericBins:
    """Return bins at the quantiles of the finite `values`, with bins of their own for heavy values.

    `low` and `high` replace the minimum and maximum as the ends of the valid range. Up to `bins / 2` different values
    get one bin each, apart from what lies between them. Towards both ends the mass of the bins halves down to a row,
    so that distances see heavy tails. No finite values give one bin for everything.

    >>> fit_numeric_bins("x", np.array([1.0] * 9 + [5.0])).edges.tolist()
    [1.0, 1.0000000000000002, 5.0, 5.000000000000001]
    """
    finite = np.sort(values[np.isfinite(values)])
    if not len(finite):
        return NumericBins(name, np.empty(0), np.empty(0, np.int64), 0.0, 1.0)
    first = finite[0] if low is None else min(low, finite[0])
    last = finite[-1] if high is None else max(high, finite[-1])
    different = np.unique(finite)
    if len(different) <= bins // 2:
        inner = np.union1d(different, np.nextafter(different, np.inf))
    else:
        n = len(finite)
        quantiles, repeats = np.unique(finite[np.arange(1, bins) * n // bins], return_counts=True)
        tail = n // bins // 2 ** np.arange(1, int(np.log2(max(n // bins, 1))) + 1)
        # Between whole numbers there is nothing to be kept apart from a heavy one.
        whole = bool(np.all(different == np.trunc(different)))
        heavy = np.empty(0) if whole else np.nextafter(quantiles[repeats > 1], np.inf)
        inner = np.unique(np.concatenate((quantiles, heavy, finite[tail], finite[n - 1 - tail])))
    edges = np.union1d(inner[(inner > first) & (inner <= last)], [first, np.nextafter(last, np.inf)])
    counts = np.diff(np.searchsorted(finite, edges))
    center, scale = _center_and_scale(finite)
    return NumericBins(name, edges, _coarse_cuts(counts), center, scale)


def _coarse_cuts(counts: Ints) -> Ints:
    """Return the edges that cut `counts`, those of the inner bins, into about equal parts; heavy bins stand alone."""
    if len(counts) <= 1:  # a constant: below, at and above it
        return np.arange(len(counts) + 1, dtype=np.int64)
    upto = np.concatenate(([0], np.cumsum(counts)))
    n = upto[-1]
    targets = n * np.arange(1, COARSE_BINS) / COARSE_BINS
    nearest = np.abs(upto[None, :] - targets[:, None]).argmin(axis=1)
    heavy = np.flatnonzero(counts > n / COARSE_BINS)
    cuts = np.unique(np.concatenate((nearest, heavy, heavy + 1)))
    return cuts[(cuts > 0) & (cuts < len(counts))].astype(np.int64)


def _center_and_scale(finite: Floats) -> tuple[float, float]:
    size = float(np.abs(finite).max())
    if size == 0.0:
        return 0.0, 1.0
    scaled = finite / size  # so that values near the largest float do not overflow
    center, scale = float(scaled.mean()) * size, float(scaled.std()) * size
    return center, scale if scale > 1e-12 * size else 1.0


def fit_categorical_bins(name: str, values: list[str], counts: Ints, *, top: int = TOP_CATEGORIES) -> CategoricalBins:
    """Return the bins of a column whose category `values[i]` occurs `counts[i]` times.

    Of a column with many rare categories, some later ones are new without any change: their share is about that of
    the categories that occur once (Good and Turing [1]_).

    >>> bins = fit_categorical_bins("colour", ["red", "blue"], np.array([3, 7]))
    >>> bins.names, bins.others
    (('blue', 'red'), ())

    .. [1] I. J. Good, "The population frequencies of species and the estimation of population parameters",
       Biometrika 40, 1953.
    """
    order = sorted(range(len(values)), key=lambda i: (-int(counts[i]), values[i]))
    names = tuple(values[i] for i in order[:top])
    others = tuple(sorted(values[i] for i in order[top:])) if len(values) <= MAX_CATEGORIES else None
    shares = counts[order[: len(names)]] / max(int(counts.sum()), 1)
    kept = np.flatnonzero(shares >= COARSE_SHARE)[:COARSE_CATEGORIES]
    novelty = float(np.count_nonzero(counts == 1) / max(int(counts.sum()), 1))
    return CategoricalBins(name, names, others, kept.astype(np.int64), novelty=novelty)


def presence_bins(name: str) -> CategoricalBins:
    """Return the bins of a column of which only presence is checked."""
    return CategoricalBins(name, (), None, np.empty(0, np.int64))


def class_bins(name: str, classes: tuple[str, ...]) -> CategoricalBins:
    """Return the bins of a label or prediction column: one a class; anything else is unseen."""
    return CategoricalBins(name, classes, (), np.arange(len(classes), dtype=np.int64), classes=True)
