"""Internal: two histograms as steps on a line, and what the distances between them do by chance."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import NamedTuple

import numpy as np

from barograph.arrays import Floats
from barograph.metrics.drift._no_change import Spread, root_of_weighted_squares, sum_of_absolutes
from barograph.outcome import Undefined
from barograph.sketches.histogram import Histogram, check_same_bins

FARTHEST = 1e150  # between two values, in the column's unit and in standard deviations: its square is still a float
KNOTS = 32  # for variances, neighbouring bins are taken together down to this number: they move together


class Steps(NamedTuple):
    """Shares at ascending points, the gaps between the points, and the current less the reference CDF on each gap."""

    r: Floats  # (P,)
    c: Floats  # (P,)
    widths: Floats  # (P - 1,)
    ahead: Floats  # (P - 1,)
    m: int
    n: int


class Line(NamedTuple):
    """What a reference says about distances to it. The spreads are for one over the number of rows being one."""

    sd: float  # of the reference, in the column's unit
    absolute: Spread  # of ∫|G - F| dx, to be multiplied by √(1/n + 1/m)
    square: Spread  # of 2 ∫(G - F)² dx, to be multiplied by 1/n + 1/m
    root_square: Spread  # of the root of it, to be multiplied by √(1/n + 1/m)


def steps(reference: Histogram, current: Histogram) -> Steps | Undefined:
    """Return both as steps, or why that cannot be; raise MismatchError when the bins differ.

    The rows of an inner bin stand at its lower edge: exact for heavy values and for columns with few different
    values, which begin a bin each. The rows of an open bin stand at their mean, for each side its own.
    """
    check_same_bins(reference, current)
    m, n = int(np.add.reduce(reference.counts)), int(np.add.reduce(current.counts))
    if not m or not n:
        return Undefined(f"{'current' if m else 'reference'} has no rows")
    edges = reference.edges
    if not len(edges):
        return Undefined("there is only one bin")
    low_r, high_r = _ends(reference)
    low_c, high_c = _ends(current)
    if max(high_r, high_c) - min(low_r, low_c) > FARTHEST:
        return Undefined("the values are too far apart to measure a distance")
    points = np.empty(len(edges) + 3)
    points[0], points[1] = (low_r, low_c) if low_r <= low_c else (low_c, low_r)
    points[2:-2] = edges[:-1]
    points[-2], points[-1] = (high_r, high_c) if high_r <= high_c else (high_c, high_r)
    r = _place(reference, low_r > low_c, high_r > high_c) / m
    c = _place(current, low_r <= low_c, high_r <= high_c) / n
    return Steps(r, c, points[1:] - points[:-1], np.add.accumulate(c - r)[:-1], m, n)


def _ends(histogram: Histogram) -> tuple[float, float]:
    counts, edges = histogram.counts, histogram.edges
    low, high = float(edges[0]), float(edges[-1])
    if counts[0]:
        low = min(low, histogram.below_sum / int(counts[0]))
    if counts[-1]:
        high = max(high, histogram.above_sum / int(counts[-1]))
    return low, high


def _place(histogram: Histogram, second: bool, last: bool) -> Floats:
    counts = histogram.counts
    placed = np.zeros(len(counts) + 2)
    placed[2:-2] = counts[1:-1]
    placed[1 if second else 0] = counts[0]
    placed[-1 if last else -2] = counts[-1]
    return placed


@lru_cache(maxsize=4096)
def line(reference: Histogram) -> Line:
    """Return what `reference` says about distances to it; it must have rows and an edge."""
    low, high = _ends(reference)
    points = np.concatenate(([low], reference.edges[:-1], [high]))
    shares = reference.shares()
    span = (high - low) or 1.0  # everything below is linear in it, and squares of what is left are harmless
    scaled = (points - low) / span
    sd = float(np.sqrt(shares @ (scaled - shares @ scaled) ** 2)) * span

    cdf, widths = np.cumsum(shares)[:-1], np.diff(scaled)
    mean_absolute = sqrt(2.0 / np.pi) * float(widths @ np.sqrt(np.maximum(cdf * (1.0 - cdf), 0.0)))
    mean_square = 2.0 * float(widths @ (cdf * (1.0 - cdf)))
    starts = np.unique(np.linspace(0, len(cdf), min(KNOTS, len(cdf)), endpoint=False).astype(np.int64))
    w = np.add.reduceat(widths, starts)
    f = np.divide(np.add.reduceat(widths * cdf, starts), w, out=cdf[starts], where=w > 0.0)
    covariance = np.minimum.outer(f, f) - np.multiply.outer(f, f)
    absolute = sum_of_absolutes(w, covariance)
    root_w = np.sqrt(w)
    weights = 2.0 * np.maximum(np.linalg.eigvalsh(covariance * np.multiply.outer(root_w, root_w)), 0.0)
    root_square, root_span = root_of_weighted_squares(weights), sqrt(span)
    return Line(
        sd,
        Spread(mean_absolute * span, absolute.sd * span),
        Spread(mean_square * span, sqrt(2.0 * float(weights @ weights)) * span),
        Spread(root_square.mean * root_span, root_square.sd * root_span),
    )


def unit_of(of: Line, both: Steps, scale: float | None) -> float | Undefined:
    """Return the standard deviation to measure in: `scale`, or the reference's own, or why there is none."""
    sigma = of.sd if scale is None else scale
    if not sigma > 0.0:
        return Undefined("the reference is constant: there is no standard deviation to measure in")
    if float(np.add.reduce(both.widths)) > FARTHEST * sigma:
        return Undefined("the values are too far apart to measure a distance")
    return sigma


def beyond(values: Floats) -> Floats:
    """Return for each point the sum of `values` on the gaps above it: how it pulls on an integral over the CDF."""
    pulled = np.zeros(len(values) + 1)
    pulled[:-1] = np.add.accumulate(values[::-1])[::-1]
    return pulled
