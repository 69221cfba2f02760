"""Internal: two histograms as steps on a line, and what the distances between them do by chance."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from barograph.arrays import Bools, Floats
from barograph.metrics.drift._bins import total
from barograph.metrics.drift._no_change import Spread, root_of_weighted_squares, sum_of_absolutes
from barograph.sketches.histogram import Histogram, check_same_bins

FARTHEST = 1e150  # between two values, in the column's unit and in standard deviations: its square is still a float
TOO_FAR = "the values are too far apart to measure a distance"
CONSTANT = "the reference is constant: there is no standard deviation to measure in"
KNOTS = 32  # for variances, neighbouring bins are taken together down to this number: they move together


class Steps(NamedTuple):
    """Shares at ascending points, the gaps between the points, and the current less the reference CDF on each gap.

    The last axis is that of the P points; the leading ones are those of the current rows.
    """

    r: Floats  # (..., P)
    c: Floats  # (..., P)
    widths: Floats  # (..., P - 1)
    ahead: Floats  # (..., P - 1)
    m: Floats  # (..., 1)
    n: Floats  # (..., 1)
    undefined: tuple[tuple[npt.ArrayLike, str], ...]

    @property
    def unit(self) -> Floats:
        """Return the variance of a difference of means of rows with variance one."""
        return np.asarray((1.0 / self.n + 1.0 / self.m)[..., 0])


class Line(NamedTuple):
    """What a reference says about distances to it. The spreads are for one over the number of rows being one."""

    sd: float  # of the reference, in the column's unit
    absolute: Spread  # of ∫|G - F| dx, to be multiplied by √(1/n + 1/m)
    square: Spread  # of 2 ∫(G - F)² dx, to be multiplied by 1/n + 1/m
    root_square: Spread  # of the root of it, to be multiplied by √(1/n + 1/m)


_NOTHING = Line(0.0, Spread(0.0, 0.0), Spread(0.0, 0.0), Spread(0.0, 0.0))


def steps(reference: Histogram, current: Histogram) -> Steps:
    """Return both as steps; raise MismatchError when the bins differ.

    The rows of an inner bin stand at its lower edge: exact for heavy values and for columns with few different
    values, which begin a bin each. The rows of an open bin stand at their mean, for each side its own. The reference is
    one histogram.
    """
    check_same_bins(reference, current)
    m, n = (np.add.reduce(side.counts, axis=-1, keepdims=True) for side in (reference, current))
    only_one = np.bool_(not len(reference.edges))
    edges = np.zeros(1) if only_one else reference.edges
    (low_r, high_r), (low_c, high_c) = _ends(reference, edges), _ends(current, edges)
    low_r, high_r, low_c, high_c = np.broadcast_arrays(low_r, high_r, low_c, high_c)
    far = np.maximum(high_r, high_c) / 2 - np.minimum(low_r, low_c) / 2 > FARTHEST / 2  # halves do not overflow
    undefined = (
        (m[..., 0] == 0, "reference has no rows"),
        (n[..., 0] == 0, "current has no rows"),
        (only_one, "there is only one bin"),
        (far, TOO_FAR),
    )
    inner = np.broadcast_to(edges[:-1], (*low_c.shape, len(edges) - 1))
    first, last = (
        np.stack([np.where(far, 0.0, np.minimum(a, b)), np.where(far, 0.0, np.maximum(a, b))], axis=-1)
        for a, b in ((low_r, low_c), (high_r, high_c))
    )
    points = np.concatenate((first, np.where(far[..., None], 0.0, inner), last), axis=-1)
    r = _place(reference, low_r > low_c, high_r > high_c) / np.maximum(m, 1)
    c = _place(current, low_r <= low_c, high_r <= high_c) / np.maximum(n, 1)
    widths, ahead = np.diff(points, axis=-1), np.add.accumulate(c - r, axis=-1)[..., :-1]
    return Steps(r, c, widths, ahead, np.maximum(m, 1), np.maximum(n, 1), undefined)


def _ends(histogram: Histogram, edges: Floats) -> tuple[Floats, Floats]:
    """Return where the rows of the two open bins stand."""
    first, last = histogram.counts[..., 0], histogram.counts[..., -1]
    low = np.where(first > 0, np.minimum(edges[0], histogram.below_sum / np.maximum(first, 1)), edges[0])
    high = np.where(last > 0, np.maximum(edges[-1], histogram.above_sum / np.maximum(last, 1)), edges[-1])
    return low, high


def _place(histogram: Histogram, second: Bools, last: Bools) -> Floats:
    """Return the counts at the points; `second` and `last` say at which of two points the open bins stand."""
    counts = np.broadcast_to(histogram.counts, (*second.shape, histogram.counts.shape[-1]))
    low, inner, high = counts[..., :1], counts[..., 1:-1], counts[..., -1:]
    if counts.shape[-1] == 1:  # no edges: nothing is compared
        low, high = low * 0, low * 0
    one, two = second[..., None], last[..., None]
    parts = (np.where(one, 0, low), np.where(one, low, 0), inner, np.where(two, 0, high), np.where(two, high, 0))
    return np.concatenate(parts, axis=-1).astype(np.float64)


@lru_cache(maxsize=4096)
def line(reference: Histogram) -> Line:
    """Return what `reference` says about distances to it; zeros where it has no rows or no edge."""
    if not len(reference.edges) or not reference.n:
        return _NOTHING
    low, high = (float(end) for end in _ends(reference, reference.edges))
    if high / 2 - low / 2 > FARTHEST / 2:
        return _NOTHING
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


def in_units(both: Steps, of: Line, scale: float | None) -> tuple[Steps, Line]:
    """Return both with standard deviations, `scale` or the reference's own, as the unit of the column.

    Where there is none, or a distance in it would not fit a float, the gaps are zero and the distance is undefined.
    """
    sigma = of.sd if scale is None else scale
    constant = not sigma > 0.0
    sigma = 1.0 if constant else sigma
    far = total(both.widths) > FARTHEST * sigma
    widths = np.where(far[..., None], 0.0, both.widths) / sigma
    undefined = (*both.undefined, (np.bool_(constant), CONSTANT), (far, TOO_FAR))

    def scaled(spread: Spread, unit: float) -> Spread:
        return Spread(spread.mean / unit, spread.sd / unit)

    in_sigma = Line(1.0, scaled(of.absolute, sigma), scaled(of.square, sigma), scaled(of.root_square, sqrt(sigma)))
    return both._replace(widths=widths, undefined=undefined), in_sigma


def beyond(values: Floats) -> Floats:
    """Return for each point the sum of `values` on the gaps above it: how it pulls on an integral over the CDF."""
    above = np.add.accumulate(values[..., ::-1], axis=-1)[..., ::-1]
    return np.concatenate((above, np.zeros_like(above[..., :1])), axis=-1)
