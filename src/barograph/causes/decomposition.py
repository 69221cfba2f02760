"""What a change of a metric is made of: other traffic (covariate shift), or another rule (concept drift)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barograph.arrays import Floats
from barograph.causes.losses import CellLosses
from barograph.errors import MismatchError
from barograph.outcome import Estimate, Undefined

LEAST_OVERLAP = 0.33  # of the traffic of two windows: below, what happens within cells says nothing of the rule
PRIOR_ROWS = 5.0  # rows with the overall variance that are added to each cell: few labels say little of their spread


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decomposition:
    """The change of a metric, `current - reference`, in parts that add up to it, each with its interval.

    `covariate` + `concept` = `change`: other shares of the cells, and other losses within the cells. So do
    `to_shared` + `concept_on_shared` + `from_shared`, in which the concept is compared only where both windows have
    rows. `by_leaf` (L, 2) splits covariate and concept over the leaves; `overlap` in [0, 1] says how much of the two
    windows' traffic is alike.
    """

    change: Estimate
    covariate: Estimate
    concept: Estimate
    to_shared: Estimate
    concept_on_shared: Estimate
    from_shared: Estimate
    by_leaf: Floats
    overlap: float

    @property
    def is_comparable(self) -> bool:
        """Return whether enough of the traffic is alike to tell another rule from rows that are of another kind."""
        return self.overlap >= LEAST_OVERLAP


def decompose(
    reference: CellLosses, current: CellLosses, *, symmetric: bool = False, level: float = 0.95
) -> Decomposition | Undefined:
    r"""Split the change of a mean loss between two windows of labelled rows.

    With the share :math:`q_j` and the mean loss :math:`a_j` of cell `j`, the split into covariate shift and concept
    drift is

    .. math:: \Delta = \sum_j (q^t_j - q^r_j)\, a^r_j + \sum_j (a^t_j - a^r_j)\, q^t_j

    so that the concept part is what the new rule does to today's rows, and the covariate part is what the estimate
    without labels sees. `symmetric` takes the mean with the split the other way round, as Kitagawa [1]_: the concept
    part is then that on a mixture of both windows' rows, and less certain. The split of DISDE [2]_ over the shared
    distribution
    :math:`s_j \propto q^t_j q^r_j / (q^t_j + q^r_j)` is

    .. math:: \Delta = \sum_j (s_j - q^r_j) a^r_j + \sum_j s_j (a^t_j - a^r_j) + \sum_j (q^t_j - s_j) a^t_j

    A cell with rows in one window only is covariate shift. What moves inside a cell counts as concept,
    so both splits are as good as the cells are fine. Standard errors take rows as independent.

    Undefined when a window has fewer than two labelled rows.

    >>> week = CellLosses(rows=np.array([[500.0, 500.0]]), total=np.array([[450.0, 350.0]]),
    ...                   squares=np.array([[450.0, 350.0]]))
    >>> today = CellLosses(rows=np.array([[200.0, 800.0]]), total=np.array([[180.0, 560.0]]),
    ...                    squares=np.array([[180.0, 560.0]]))
    >>> parts = decompose(week, today)
    >>> [round(part.value, 3) for part in (parts.change, parts.covariate, parts.concept)]
    [-0.06, -0.06, 0.0]

    .. [1] E. M. Kitagawa, "Components of a difference between two rates", JASA 50, 1955.
    .. [2] T. T. Cai, H. Namkoong, S. Yadlowsky, "Diagnosing model performance under distribution shift",
       arXiv:2303.02011, 2023.
    """
    if reference.rows.shape != current.rows.shape:
        raise MismatchError("Cells of different partitions cannot be compared: profile both with one reference.")
    r, t = _Window.of(reference), _Window.of(current)
    if min(r.n, t.n) < 2:
        few = t if r.n >= 2 else r
        return Undefined(
            f"{'current' if few is t else 'reference'} has {'one labelled row' if few.n else 'no labelled rows'}"
        )
    n = int(t.n)
    # In a cell that only one window has, the other window's loss does not matter: take it as equal.
    a_r, a_t = np.where(r.rows > 0, r.mean, t.mean), np.where(t.rows > 0, t.mean, r.mean)
    both = (r.rows > 0) & (t.rows > 0)
    noise = np.where(both, r.within / np.maximum(r.rows, 1) + t.within / np.maximum(t.rows, 1), 0.0)

    def part(value: float, variance: float) -> Estimate:
        se = float(np.sqrt(max(variance, 0.0)))
        z = _quantile(level)
        return Estimate(value=value, n=n, lower=value - z * se, upper=value + z * se, level=level, standard_error=se)

    half = 0.5 if symmetric else 0.0
    weight, mean = t.share + half * (r.share - t.share), a_r + half * (a_t - a_r)
    mix, rate = (t.share - r.share) * mean, (a_t - a_r) * weight
    # The mean loss of a cell that multiplies the change of its share is known from one window, or from both.
    own = (1 - half) ** 2 * r.within / np.maximum(r.rows, 1) + half**2 * t.within / np.maximum(t.rows, 1)
    overlapping = np.where(both, r.share * t.share, 0.0)
    shared = np.divide(overlapping, r.share + t.share, out=np.zeros_like(mean), where=overlapping > 0)
    shared = shared / shared.sum() if shared.sum() > 0 else shared
    value_r, value_t = float((r.share * a_r).sum()), float((t.share * a_t).sum())
    centre = (value_r + value_t) / 2
    return Decomposition(
        change=part(value_t - value_r, r.variance / r.n + t.variance / t.n),
        covariate=part(
            float(mix.sum()),
            _spread(mean, r) / r.n + _spread(mean, t) / t.n + float(((t.share - r.share) ** 2 * own).sum()),
        ),
        concept=part(float(rate.sum()), float((weight**2 * noise).sum())),
        to_shared=part(
            float(((shared - r.share) * a_r).sum()), _spread(a_r, r) / r.n + _own_noise(shared - r.share, r)
        ),
        concept_on_shared=part(float((shared * (a_t - a_r)).sum()), float((shared**2 * noise).sum())),
        from_shared=part(
            float(((t.share - shared) * a_t).sum()), _spread(a_t, t) / t.n + _own_noise(t.share - shared, t)
        ),
        # Centring moves nothing between covariate and concept: shares sum to one in both windows.
        by_leaf=np.column_stack((((t.share - r.share) * (mean - centre)).sum(axis=1), rate.sum(axis=1))),
        overlap=float(np.minimum(r.share, t.share).sum()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """Shares, mean losses and variances of the cells; `variance` is that of a row of the whole window."""

    rows: Floats
    n: float
    share: Floats
    mean: Floats
    within: Floats
    variance: float

    @classmethod
    def of(cls, losses: CellLosses) -> _Window:
        n = float(losses.rows.sum())
        filled = np.maximum(losses.rows, 1)
        mean = losses.total / filled
        overall = float(losses.total.sum() / max(n, 1))
        deviations = np.maximum(losses.squares - losses.rows * mean**2, 0)
        pooled = float(deviations.sum() / max(n - np.count_nonzero(losses.rows), 1))
        within = (deviations + PRIOR_ROWS * pooled) / np.maximum(losses.rows - 1 + PRIOR_ROWS, PRIOR_ROWS)
        variance = max(float(losses.squares.sum() / max(n, 1)) - overall**2, 0.0)
        return cls(losses.rows, n, losses.rows / max(n, 1), mean, within, variance)


def _own_noise(weights: Floats, window: _Window) -> float:
    return float((weights**2 * window.within / np.maximum(window.rows, 1)).sum())


def _spread(values: Floats, window: _Window) -> float:
    """Return the variance of a cell's value over the rows of a window."""
    mean = float((window.share * values).sum())
    return float((window.share * (values - mean) ** 2).sum())


def _quantile(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))
