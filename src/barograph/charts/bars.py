"""Bars of equal width from the bins of a histogram, which are as wide as the reference's rows are sparse."""

from __future__ import annotations

from math import ceil, floor, isfinite, log10

import numpy as np

from barograph.arrays import Floats, Number
from barograph.sketches.histogram import Histogram

BARS = 32  # about so many equal bars over the range
TAIL = 0.005  # of either distribution may lie beyond either end of the range
ONE_VALUE_A_BIN = 250  # edges: with fewer, and no bin for a heavy value, the reference gave each value a bin
MANY = 3  # times the share in the reference: so many rows of a bin hardly have its one value
CROWDED = 0.1  # of the rows in one bin: what lies between its ends is a guess
LARGEST, SMALLEST = 1e300, 1e-290  # of the numbers on an axis: what is computed from them stays finite and above 0


def borders(reference: Histogram, current: Histogram) -> Floats:
    """Return the ends of about `BARS` equal bars with round borders; each holds as many whole numbers."""
    filled = [s for s in (reference, current) if s.n]
    if not filled:
        return np.array([0.0, 1.0])
    # The body of the reference is always shown; current rows far away may take up to two thirds of the room.
    start = min(quantile(s, reference, TAIL) for s in filled)
    stop = max(quantile(s, reference, 1.0 - TAIL) for s in filled)
    if reference.n:
        first, last = (quantile(reference, reference, q) for q in (TAIL, 1.0 - TAIL))
        room = 2.0 * max(last - first, abs(last) * 1e-6, 1e-9)
        start, stop = max(start, first - room), min(stop, last + room)
    start, stop = max(start, -LARGEST), min(stop, LARGEST)
    least = max(abs(start), abs(stop)) * 1e-9  # narrower bars than this have no different borders
    if not stop - start > max(least, SMALLEST):
        half = max(0.5, abs(start) * 1e-6)
        start, stop = start - half, stop + half
    width = _round_width((stop - start) / BARS)
    inner = reference.edges[:-1]
    if len(inner) and width > least and abs(stop) < 1e12 and np.all(inner == np.round(inner)):
        width = max(1.0, float(ceil(width)))
        first_bar = floor(start - 0.5) + 0.5  # bars are centred on whole numbers
        stop += 0.5
    else:
        first_bar = floor(start / width) * width
    bars = max(1, min(floor((stop - first_bar) / width + 1e-9) + 1, 3 * BARS))
    return np.asarray(first_bar + width * np.arange(bars + 1))


def share_below(sketch: Histogram, reference: Histogram, values: Floats) -> Floats:
    """Return the share of rows below each value."""
    at, rows = _points(sketch, reference)
    return np.asarray(np.interp(values, at, rows) / max(sketch.n, 1))


def quantile(sketch: Histogram, reference: Histogram, q: float) -> float:
    """Return the value that a share `q` of the rows is below."""
    at, rows = _points(sketch, reference)
    return float(np.interp(q * sketch.n, rows, at))


def bin_at(sketch: Histogram, reference: Histogram, q: float) -> tuple[float, float]:
    """Return between which values `quantile` may be, where it is a guess: the ends of its bin, else itself twice.

    A bin of the reference's quantiles has few rows, between which it matters little where a quantile is put. Current
    rows may crowd in one, above all in the two that hold what is out of the reference's range.
    """
    value = quantile(sketch, reference, q)
    if not sketch.n:
        return value, value
    at = min(int(np.searchsorted(np.cumsum(sketch.counts), q * sketch.n)), len(sketch.counts) - 1)
    low, high = np.append(-np.inf, sketch.edges)[at], np.append(sketch.edges, np.inf)[at]
    share, usual = sketch.counts[at] / sketch.n, reference.counts[at] / max(reference.n, 1)
    if share <= max(CROWDED, MANY * usual) or (_one_value_a_bin(reference) and value == low):
        return value, value
    return max(float(low), float(sketch.minimum)), min(float(high), float(sketch.maximum))


def _points(sketch: Histogram, reference: Histogram) -> tuple[Floats, Floats]:
    """Return where the distribution function is known, and the rows below: it is linear in between."""
    edges = sketch.edges
    if not len(edges):
        ends = [x if isfinite(x) else 0.0 for x in (sketch.minimum, sketch.maximum)]
        return np.array([ends[0], np.nextafter(ends[1], np.inf)]), np.array([0.0, float(sketch.n)])
    low, high = min(sketch.minimum, edges[0]), max(sketch.maximum, edges[-1])
    rows = np.cumsum(sketch.counts).astype(np.float64)
    # All rows of a bin of one value stand at its left end, unless it holds far more rows than in the reference.
    after = rows[:-2].copy()
    if _one_value_a_bin(reference):
        same = sketch.shares()[1:-1] <= MANY * reference.shares()[1:-1] + 1 / max(sketch.n, 1)
        after = np.where(same, rows[1:-1], after)
    at = np.stack((edges[:-1], np.nextafter(edges[:-1], np.inf)), axis=1).ravel()
    below = np.stack((rows[:-2], after), axis=1).ravel()
    # The two open bins reach as far as one value takes them: half of their rows are put below the mean of the others.
    first, last = float(sketch.counts[0]), float(sketch.counts[-1])
    under = min(max(_mean_of_others(sketch.below_sum, low, first), low), edges[0])
    over = min(max(_mean_of_others(sketch.above_sum, high, last), edges[-1]), high)
    places = np.concatenate(([low, under], at, [edges[-1], over, high]))
    return places, np.concatenate(([0.0, first / 2], below, [rows[-2], rows[-2] + last / 2, rows[-1]]))


def _mean_of_others(total: Number, extreme: float, n: float) -> float:
    mean = (float(total) - extreme) / (n - 1) if n > 1 else extreme
    return mean if isfinite(mean) else extreme


def _one_value_a_bin(reference: Histogram) -> bool:
    """Return whether the reference had so few values that each has a bin, and none is heavy among many others."""
    inner = reference.edges[:-1]
    return len(inner) < ONE_VALUE_A_BIN and bool((np.diff(inner) > np.spacing(inner[:-1])).all())


def _round_width(width: float) -> float:
    size = 10.0 ** floor(log10(width))
    return float(next((step * size for step in (1, 2, 2.5, 5) if step * size >= width), 10 * size))
