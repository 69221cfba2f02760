"""How rare a value is: decayed histograms with a generalised Pareto tail, compiled. Imported inside functions only."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats
from barograph.rules.adaptive import state as at
from barograph.rules.adaptive.state import compiled

TAIL = 0.02  # share of values in the tail that is fitted
FEWEST = 10.0  # ... but at least so many
SHAPE, SHAPE_WEIGHT = 0.25, 20.0  # what is known of the tail's shape beforehand, as a number of values
HEAVIEST = 0.9  # shapes from 1 on have no mean
NARROWEST = 0.1  # width, as a share of the threshold: values in steps (0 or 1, say) would seem to end there
THRESHOLD, SHARE, XI, WIDTH = range(4)  # of a fitted tail


@compiled
def bin_of(x: float) -> int:
    """Return the bin of a non-negative value."""
    if x <= at.SMALLEST:
        return 0
    return min(int(np.log(x / at.SMALLEST) / at.LOG_RATIO), at.BINS - 1)


@compiled
def refit(counts: Floats, sums: Floats, total: float, weight: float, tail: Floats) -> None:
    """Fit the tail by probability-weighted moments; `weight` is what one independent value counts.

    The shape is shrunk towards `SHAPE` and raised by one over the number of values in the tail: a few values do not
    show how heavy it is, and the predictive distribution of even an exponential tail is a Pareto one.
    """
    needed = max(TAIL * total, min(0.5 * total, FEWEST * weight))
    first, mass = at.BINS - 1, counts[at.BINS - 1]
    while first > 0 and mass < needed:
        first -= 1
        mass += counts[first]
    start = at.SMALLEST * np.exp(first * at.LOG_RATIO)
    mean, weighted, above = 0.0, 0.0, 0.0  # E[y] and E[y (1 - F(y))] of the excess y
    for j in range(at.BINS - 1, first - 1, -1):
        if counts[j] > 0:
            excess = max(sums[j] / counts[j] - start, 0.0)
            mean += counts[j] * excess
            weighted += counts[j] * excess * (above + 0.5 * counts[j]) / mass
            above += counts[j]
    tail[THRESHOLD], tail[SHARE] = start, min((mass + weight) / total, 1.0)
    if mean <= 0:
        tail[XI], tail[WIDTH] = SHAPE, max(NARROWEST * start, at.SMALLEST)
        return
    mean, weighted = mean / mass, weighted / mass
    shape = 2.0 - mean / (mean - 2.0 * weighted) if mean > 2.0 * weighted else 1.0
    n = mass / weight
    shape = (n * shape + SHAPE_WEIGHT * SHAPE) / (n + SHAPE_WEIGHT) + 1.0 / n
    tail[XI] = min(max(shape, 0.0), HEAVIEST)
    tail[WIDTH] = max(mean * (1.0 - tail[XI]), NARROWEST * start)


@compiled
def tail_p(counts: Floats, total: float, weight: float, tail: Floats, x: float) -> float:
    """Return the chance of a value of at least `x`: the conformal rank, and the fitted tail beyond what was seen."""
    b = bin_of(x)
    if x <= tail[THRESHOLD]:
        return float((weight + counts[b:].sum()) / (weight + total))
    y = (x - tail[THRESHOLD]) / tail[WIDTH]
    beyond = (1.0 + tail[XI] * y) ** (-1.0 / tail[XI]) if tail[XI] > 1e-6 else np.exp(-y)
    return float(max(tail[SHARE] * beyond, counts[b + 1 :].sum() / total))


@compiled
def tail_quantile(tail: Floats, p: float) -> float:
    """Return the value with chance `p` of being exceeded; NaN before the first fit."""
    if tail[THRESHOLD] == 0:
        return np.nan
    ratio = max(tail[SHARE] / p, 1.0)
    if tail[XI] > 1e-6:
        return float(tail[THRESHOLD] + tail[WIDTH] / tail[XI] * (ratio ** tail[XI] - 1.0))
    return float(tail[THRESHOLD] + tail[WIDTH] * np.log(ratio))
