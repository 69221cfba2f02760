"""Whether a reference is steady enough to compare with: does it wander, does it have a trend?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from barograph.arrays import Floats
from barograph.rules.natural import LEAST_VARIANCE, WANDERING, Filter


class Steadiness(NamedTuple):
    """For each series: the weight of the hypothesis that it wanders, from 0 to 1, and Student's t of its slope."""

    wanders: Floats
    t: Floats


def steadiness(y: Floats, s2: Floats) -> Steadiness:
    r"""Return how steady the values (series, chunks) of a reference are, whose sampling variances are `s2`.

    The slope :math:`b` over the chunks is compared with what natural variation makes of it,

    .. math:: t = b \Big/ \sqrt{v\,c / \textstyle\sum (t - \bar t)^2}, \qquad
        c = 1 + 2\,\frac{\tau^2}{v}\,\frac{f}{1 - f}

    with the mean variance :math:`\tau^2` and memory `f` of the hypotheses that do not wander: one that wanders would
    explain any trend. A larger value is worse, so a positive `t` is a reference that gets worse. NaN is no value.
    """
    learned = Filter.through(y, s2, may_wander=True)
    weights = learned.weights()
    wandering = learned.memory >= WANDERING
    rest = np.where(wandering, 0.0, weights)
    rest = rest / np.maximum(rest.sum(axis=1, keepdims=True), 1e-300)
    natural = (rest * learned.natural_var).sum(axis=1)
    memory = (rest * learned.natural_var * learned.memory).sum(axis=1) / np.maximum(natural, LEAST_VARIANCE)
    known = np.isfinite(y)
    n = np.maximum(known.sum(axis=1), 1)
    time = np.where(known, np.arange(y.shape[1], dtype=np.float64), 0.0)
    time = np.where(known, time - (time.sum(axis=1) / n)[:, None], 0.0)
    spread = np.maximum((time**2).sum(axis=1), 1e-300)
    slope = (time * np.where(known, y, 0.0)).sum(axis=1) / spread
    variance = np.maximum(np.where(known, s2, 0.0).sum(axis=1) / n + natural, LEAST_VARIANCE)
    carry = 1 + 2 * natural / variance * memory / (1 - memory)
    return Steadiness((weights * wandering).sum(axis=1), slope / np.sqrt(variance * carry / spread))
