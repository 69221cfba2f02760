"""How often the label is positive in each cell of the reference, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.errors import MismatchError
from barograph.estimation.support import Support, support
from barograph.sketches.cells import BinaryCells
from barograph.sketches.scores import OTHER, PENDING, POSITIVE, ScoreTable

STRENGTH = 10.0  # rows; fewer suit a large reference, more a small one, each by a few percent of the error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BinaryCalibration:
    """The reference's answer to "how often is it positive?", learned once from its labelled rows.

    `rate` (L, J) is P(positive | cell) and `weight` (L, J) the rows that it rests on, the prior's included. `fine` (B,)
    is P(positive | score bin), rising with the score. `unscored_rate` and `unscored_weight` (2,) are the same for rows
    without a score, by predicted no/yes. `n` is the number of labelled reference rows.
    """

    cells: BinaryCells
    rate: Floats
    weight: Floats
    fine: Floats
    unscored_rate: Floats
    unscored_weight: Floats
    n: int

    def support(self, current: BinaryCells) -> Support:
        """Return how well the reference covers the rows of `current`."""
        self.check(current)
        return support(self.cells.counts[..., :PENDING].sum(axis=-1), current.rows)

    def check(self, current: BinaryCells) -> None:
        """Raise MismatchError unless `current` was cut like the reference."""
        if current.counts.shape[-3:] != self.cells.counts.shape or not np.array_equal(
            current.predicted, self.cells.predicted
        ):
            raise MismatchError(
                "Cells of different partitions cannot be compared. Profile both sets of rows with one reference: "
                "reference.profile(frame)."
            )


def calibrate(cells: BinaryCells, scores: ScoreTable, *, strength: float = STRENGTH) -> BinaryCalibration:
    r"""Learn the rate of positives of each cell from labelled reference rows.

    .. math:: P_{\ell b} = \frac{k_{\ell b} + m \bar p_b}{n_{\ell b} + m}

    with `k` positives among the `n` labelled rows of leaf `ℓ` and score bin `b`, :math:`\bar p_b` the rate of the
    whole bin and `m` = `strength`, the number of rows that this prior counts for. A bin without labelled rows takes
    its rate from the neighbouring scores. Rows without a label are left out: where labels are missing
    for a reason, the rates are those of the labelled rows.

    Raises MismatchError where `cells` and `scores` belong to different references. With no labelled rows every rate is
    one half, and `n` is 0.
    """
    if cells.first_fine[-1] != len(scores.edges) + 1:
        raise MismatchError(
            f"The cells end at score bin {int(cells.first_fine[-1])}, the table has {len(scores.edges) + 1} bins."
        )
    k = cells.counts[:, :, POSITIVE].astype(np.float64)
    n = cells.counts[:, :, :PENDING].sum(axis=2).astype(np.float64)
    fine = _isotonic(scores.by_score[:, POSITIVE], scores.by_score[:, :PENDING].sum(axis=1))
    prior = _rate_of_bins(cells, k.sum(axis=0), n.sum(axis=0), fine)
    unscored = scores.counts[:OTHER, -1, :PENDING]
    overall = float((scores.confusion[:, POSITIVE].sum() + 0.5) / (scores.confusion.sum() + 1))
    return BinaryCalibration(
        cells=cells,
        rate=(k + strength * prior) / (n + strength),
        weight=n + strength,
        fine=fine,
        unscored_rate=(unscored[:, POSITIVE] + strength * overall) / (unscored.sum(axis=1) + strength),
        unscored_weight=unscored.sum(axis=1) + strength,
        n=int(scores.n),
    )


def _rate_of_bins(cells: BinaryCells, k: Floats, n: Floats, fine: Floats) -> Floats:
    """Return the rate of each score bin (J,), pulled to that of its rank by one row so that none is exactly 0 or 1."""
    first = cells.first_fine[cells.order]
    last = np.minimum(cells.first_fine[cells.order + 1], len(fine)) - 1
    expected = (fine[first] + fine[last]) / 2
    return np.asarray((k + np.clip(expected, 0.01, 0.99)) / (n + 1))


def _isotonic(k: npt.NDArray[np.int64], n: npt.NDArray[np.int64]) -> Floats:
    """Return the rates k / n made rising by pooling; bins without rows lie between their neighbours.

    Half a positive and half a negative join each pool, so that no rate is exactly 0 or 1. Neighbours whose rates do not
    rise are pooled until all do [1]_.

    .. [1] M. Ayer et al., "An empirical distribution function for sampling with incomplete information", Annals of
       Mathematical Statistics 26, 1955.
    """
    filled = np.flatnonzero(n)
    if not len(filled):
        return np.full(len(n), 0.5)
    pools: list[list[int]] = []  # positives, rows and bins of each
    for positives, rows in zip(k[filled].tolist(), n[filled].tolist(), strict=True):
        pools.append([positives, rows, 1])
        # Whole numbers are compared, so that equal rates are equal.
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] >= pools[-1][0] * pools[-2][1]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    joined, rows_of, bins = np.array(pools).T
    rates = np.maximum.accumulate((joined + 0.5) / (rows_of + 1))
    return np.asarray(np.interp(np.arange(len(n)), filled, np.repeat(rates, bins)), np.float64)
