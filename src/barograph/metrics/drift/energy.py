"""Energy distance in reference standard deviations."""

from __future__ import annotations

from math import inf

import numpy as np

from barograph.metrics import metric
from barograph.metrics.drift._bins import total, variance_of_mean
from barograph.metrics.drift._line import beyond, in_units, line, steps
from barograph.metrics.intervals import Z
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.histogram import Histogram


@metric(
    unit="root of reference standard deviations",
    bounds=(0.0, inf),
    better="lower",
    tolerance=0.15,
    bins="fine",
    title="energy distance",
)
def energy(reference: Histogram, current: Histogram, *, scale: float | None = None) -> Outcome | Outcomes:
    r"""Measure how far the distribution has moved, with less weight on far tails than `wasserstein`.

    .. math:: \sqrt{X}, \qquad X = \frac2\sigma \int (G(x) - F(x))^2 \, dx
        = \frac1\sigma \bigl(2\,E|x - y| - E|x - x'| - E|y - y'|\bigr)

    for the distribution functions `F` of the reference and `G` of the current rows [1]_; it equals SciPy's
    `energy_distance` of the values divided by :math:`\sigma`, which is `scale` or, without it, the standard deviation
    of the reference as its bins show it (pass the exact one if it is known: see `wasserstein`, also for where in a
    bin its rows stand). Without a change :math:`X` is a weighted sum of chi-squared variables with the mean
    :math:`\frac2\sigma (1/n + 1/m) \int F (1 - F) dx`; `null_mean` and `null_sd` are the moments of its root. The
    interval is that of the delta method for :math:`X` less its mean. No rows are undefined, and so is a constant
    reference, which has no standard deviation.

    >>> reference = Histogram(edges=(0, 1, 2, 3), counts=(0, 50, 30, 20, 0))
    >>> current = Histogram(edges=(0, 1, 2, 3), counts=(0, 50, 30, 15, 5), above_sum=50.0)  # five rows at 10
    >>> round(energy(reference, current, scale=1.0).value, 3)  # √(2 × 0.05² × 8)
    0.2

    .. [1] G. J. Székely, M. L. Rizzo, "Energy statistics: a class of statistics based on distances",
       Journal of Statistical Planning and Inference 143, 2013.
    """
    both, of = in_units(steps(reference, current), line(reference), scale)
    r, c, widths, ahead, m, n, undefined = both
    weighted = widths * ahead
    squared = 2.0 * total(weighted * ahead)
    unit = both.unit
    mean, sd = of.square.mean * unit, of.square.sd * unit
    pull = 4.0 * beyond(weighted)
    half = Z * np.sqrt(variance_of_mean(c, pull, n) + variance_of_mean(r, pull, m) + sd * sd)
    root_unit = np.sqrt(unit)
    return outcome(
        np.sqrt(np.maximum(0.0, squared)),
        n=n[..., 0],
        undefined=undefined,
        lower=np.sqrt(np.maximum(0.0, squared - mean - half)),
        upper=np.sqrt(squared + half),
        null_mean=of.root_square.mean * root_unit,
        null_sd=of.root_square.sd * root_unit,
    )
