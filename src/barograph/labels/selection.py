"""Whether the events that have labels look like the others."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np

from barograph.sketches.cells import BinaryCells, RegressionCells
from barograph.sketches.scores import PENDING

MIN_DISTANCE = 0.05  # share of the labelled rows that would have to be others
MIN_EXPECTED = 5.0  # rows in a group, for the chi-square to hold
SCORE_GROUPS = 5
LEVEL = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How the labelled rows differ from the traffic: the total variation distance of their cells, beyond chance.

    `p_value` is that of the chi-square test of equal cells for labelled and unlabelled rows.
    """

    distance: float
    p_value: float
    labelled: int
    unlabelled: int

    @property
    def warning(self) -> str | None:
        """Return a sentence when metrics of the labelled rows do not speak for all rows, or None."""
        if self.p_value >= LEVEL or self.distance < MIN_DISTANCE:
            return None
        return (
            f"labels are selective: {self.distance:.0%} of the labelled rows would have to be of another kind to "
            "look like the traffic. Log the probability of labelling, or have a random sample labelled"
        )


def selection(cells: BinaryCells | RegressionCells) -> Selection:
    r"""Compare the cells (leaf × about five score groups) of labelled and unlabelled rows.

    .. math:: \tfrac12 \sum_j |q^\text{labelled}_j - q^\text{all}_j|

    less what chance adds to it, if the differences :math:`d_j` are the true ones: :math:`\mathrm{E}|X_j| - |d_j|` for
    normal :math:`X_j` with their mean and variance. Rare cells are pooled. With nothing on one side the distance is 0
    and the p-value 1.
    """
    from scipy.special import chdtrc, ndtr

    if isinstance(cells, BinaryCells):
        labelled, waiting = cells.counts[:, :, :PENDING].sum(axis=2), cells.counts[:, :, PENDING]
        group = cells.order * SCORE_GROUPS // (len(cells.first_fine) - 1)
    else:
        labelled, waiting = cells.counts[:, :, 0], cells.counts[:, :, 1]
        group = np.arange(labelled.shape[1]) * SCORE_GROUPS // labelled.shape[1]
    member = (group[:, None] == np.arange(SCORE_GROUPS)).astype(np.float64)
    a, b = (labelled @ member).ravel(), (waiting @ member).ravel()
    n, m = float(a.sum()), float(b.sum())
    nothing = Selection(distance=0.0, p_value=1.0, labelled=int(n), unlabelled=int(m))
    if not n or not m:
        return nothing
    total = a + b
    rare = total * min(n, m) / (n + m) < MIN_EXPECTED
    a, b = (np.append(x[~rare], x[rare].sum()) for x in (a, b))
    total = a + b
    filled = total > 0
    a, b, total = a[filled], b[filled], total[filled]
    if len(total) < 2:
        return nothing
    expected_a, expected_b = total * n / (n + m), total * m / (n + m)
    statistic = float(((a - expected_a) ** 2 / expected_a + (b - expected_b) ** 2 / expected_b).sum())
    share = total / (n + m)
    apart, sigma = np.abs(a / n - share), np.sqrt(share * (1 - share) * (1 / n - 1 / (n + m)))
    z = apart / sigma
    chance = sigma * (sqrt(2 / pi) * np.exp(-(z**2) / 2) - 2 * z * ndtr(-z))
    distance = float((apart - chance).sum()) / 2
    return Selection(
        distance=max(0.0, distance),
        p_value=float(chdtrc(len(total) - 1, statistic)),
        labelled=int(n),
        unlabelled=int(m),
    )
