"""The expected outcomes of rows without labels: one yes-or-no question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints, Number
from barograph.estimation.calibration import BinaryCalibration
from barograph.estimation.experience import Expectation
from barograph.estimation.formulas import BinaryTables, Formula
from barograph.sketches.cells import BinaryCells
from barograph.sketches.scores import NEGATIVE, NONE, OTHER, OTHER_LABEL, PENDING, POSITIVE, ScoreTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expected:
    """The expected outcomes of a window: `table` in fine score bins, and what they may turn out to be.

    `rows`, `positive`, `variance` and `chance` are (2, ranks + 1): rows, expected positives, the variance of their
    number and the part of it that is chance, by predicted no/yes and score bin of the cells, the last one for rows
    without a score. `shifts` (S, 2, ranks + 1)
    are changes of `positive` that come with a standard deviation of something that all rows share. `coarse_means`
    are the means of the scores in these bins. Those of many chunks have an axis of chunks in front.
    """

    table: BinaryTables
    rows: Floats
    positive: Floats
    variance: Floats
    chance: Floats
    shifts: Floats
    coarse_means: Floats
    no_class: tuple[Number, Number] = (0.0, 0.0)

    def apply(self, formulas: Mapping[str, Formula]) -> dict[str, Expectation]:
        """Return the expectation of each metric."""
        return expectations(formulas, self.table, self.nudged(), self.chance_shares())

    def nudged(self) -> BinaryTables:
        """Return 1 + 2K tables: the expected one, each of K sources of doubt a standard deviation up, and down.

        The sources vary independently: the score bins, then the shifts.
        """
        variance, groups = self._by_group()
        *lead, shifts = self.shifts.shape[:-2]
        steps = np.zeros((*lead, len(groups) + shifts, variance.shape[-1]))
        steps[..., np.arange(len(groups)), groups] = np.sqrt(variance[..., groups])
        steps[..., len(groups) :, :] = self.shifts.reshape(*lead, shifts, variance.shape[-1])
        both = np.concatenate((np.zeros_like(steps, shape=(*lead, 1, steps.shape[-1])), steps, -steps), axis=-2)
        positive = self.positive[..., None, :, :] + both.reshape(*both.shape[:-1], *self.rows.shape[-2:])
        negative = self.rows[..., None, :, :] - positive
        return BinaryTables(positive=positive, negative=negative, means=self.coarse_means, no_class=self.no_class)

    def chance_shares(self) -> Floats:
        """Return, of the variance of each source of doubt (K,), the share that is chance; none of what rows share."""
        variance, groups = self._by_group()
        chance = self.chance.reshape(variance.shape)[..., groups]
        shares = np.zeros((*variance.shape[:-1], len(groups) + self.shifts.shape[-3]))
        np.divide(chance, variance[..., groups], out=shares[..., : len(groups)], where=variance[..., groups] > 0)
        return shares

    def _by_group(self) -> tuple[Floats, Ints]:
        """Return the variance of each predicted class and score bin as one axis, and the places where there is any."""
        variance = self.variance.reshape(*self.variance.shape[:-2], -1)
        return variance, np.flatnonzero(variance.reshape(-1, variance.shape[-1]).any(axis=0))


def expectations(
    formulas: Mapping[str, Formula], table: BinaryTables, nudged: BinaryTables, chance_shares: Floats
) -> dict[str, Expectation]:
    r"""Return the expected value of each metric of the outcomes, and its standard deviation.

    With :math:`f` for the expected table in fine bins, :math:`f_0` in the cells' bins and :math:`f_{k\pm}` for the
    nudged ones, to second order

    .. math:: f + \tfrac12 \sum_k (f_{k+} + f_{k-} - 2 f_0), \qquad \sum_k \left(\frac{f_{k+} - f_{k-}}{2}\right)^2

    are the mean and the variance: what some hundred random replicas of the table would give, without their own
    noise [1]_. Of each term of the variance, chance has the share `chance_shares` (K,). NaN where the expected table
    has no value.

    .. [1] S. J. Julier, J. K. Uhlmann, "Unscented filtering and nonlinear estimation", Proc. IEEE 92, 2004.
    """
    values = np.stack([formula(nudged) for formula in formulas.values()])
    exact = np.array([formula(table)[..., 0] for formula in formulas.values()])
    up, down = np.split(values[..., 1:], 2, axis=-1)
    slopes, curves = up - down, up + down - 2 * values[..., :1]
    # A nudge after which there is no value, such as no positive left, says nothing of the slope.
    unknown = ~np.isfinite(slopes)
    slopes[unknown] = curves[unknown] = 0.0
    means, sds = exact + curves.sum(axis=-1) / 2, np.sqrt((slopes**2).sum(axis=-1)) / 2
    chance = np.sqrt((slopes**2 * chance_shares).sum(axis=-1)) / 2
    found = zip(means, sds, chance, strict=True)
    return {name: Expectation(*of_one) for name, of_one in zip(formulas, found, strict=True)}


def expect(
    calibration: BinaryCalibration,
    cells: BinaryCells,
    scores: ScoreTable,
    *,
    keep_labels: bool = False,
    rate: Floats | None = None,
    shifted_rates: Sequence[Floats] = (),
) -> Expected:
    r"""Return the expected outcomes of the rows in `cells` and `scores`.

    With `N` rows, a rate of positives `P` in their cell and `w` reference rows behind it, the positives of a score
    bin `b` have the mean and variance

    .. math:: E_b = \sum_\ell N_{\ell b} P_{\ell b}, \qquad
       V_b = \sum_\ell N_{\ell b} P_{\ell b} (1 - P_{\ell b})
       + N_{\ell b}^2 \frac{P_{\ell b} (1 - P_{\ell b})}{w_{\ell b} + 1}

    the first term of `V` for what the realised outcomes will scatter, the second for the calibration. Inside a score
    bin of the cells, the expected positives are spread over its fine bins as in the reference.

    Rows whose prediction is missing are left out, and those whose prediction is no class are wrong: of these, only the
    outcomes are expected, from their scores.

    With `keep_labels`, labelled rows count as what they are and `N` are the pending ones; else labels are ignored.
    `rate` (L, J) replaces the reference's rates; `shifted_rates` are rates a standard deviation away from it.
    """
    calibration.check(cells)
    N = (cells.counts[..., PENDING] if keep_labels else cells.rows).astype(np.float64)
    P, w = calibration.rate if rate is None else rate, calibration.weight
    known = cells.counts[..., POSITIVE].sum(axis=-2) if keep_labels else 0.0
    scatter = N * P * (1 - P)
    place = _Places(cells)
    rows = place(cells.rows.sum(axis=-2))
    positive = place((N * P).sum(axis=-2) + known)
    variance = place((scatter + N * scatter / (w + 1)).sum(axis=-2))
    chance = place(scatter.sum(axis=-2))
    shifts = [place((N * (shifted - P)).sum(axis=-2)) for shifted in shifted_rates]

    unscored = _usable(scores)[..., -1, :].astype(np.float64)
    m = unscored[..., PENDING] if keep_labels else unscored.sum(axis=-1)
    p, weight = calibration.unscored_rate, calibration.unscored_weight
    rows[..., -1] = unscored.sum(axis=-1)
    positive[..., -1] = m * p + (unscored[..., POSITIVE] if keep_labels else 0.0)
    chance[..., -1] = m * p * (1 - p)
    variance[..., -1] = chance[..., -1] * (1 + m / (weight + 1))

    of_bin = scores.by_score.sum(axis=-1).astype(np.float64)
    sums = scores.sums.sum(axis=-2)
    no_class = _no_class(calibration, scores)
    first = cells.first_fine[:-1]
    coarse_rows = np.add.reduceat(of_bin, first, axis=-1)
    means = sums / np.maximum(of_bin, 1)[..., None]
    return Expected(
        table=_fine_table(calibration, scores, positive, means, no_class, keep_labels=keep_labels),
        rows=rows,
        positive=positive,
        variance=variance,
        chance=chance,
        shifts=np.stack(shifts, axis=-3) if shifts else np.zeros((*rows.shape[:-2], 0, *rows.shape[-2:])),
        coarse_means=np.add.reduceat(sums, first, axis=-2) / np.maximum(coarse_rows, 1)[..., None],
        no_class=no_class,
    )


def _usable(scores: ScoreTable) -> npt.NDArray[np.int64]:
    """Return the rows predicted no/yes by bin and outcome (2, B + 1, 3); for a label of no class they are wrong.

    So they are the rows that the cells hold, and those without a score.
    """
    counts = scores.counts[..., :OTHER, :, :].copy()
    counts[..., 0, :, POSITIVE] += counts[..., 0, :, OTHER_LABEL]
    counts[..., 1, :, NEGATIVE] += counts[..., 1, :, OTHER_LABEL]
    return np.asarray(counts[..., :OTHER_LABEL])


def _no_class(calibration: BinaryCalibration, scores: ScoreTable) -> tuple[Number, Number]:
    """Return the expected negatives and positives among the rows whose prediction is no class."""
    rows = scores.counts[..., OTHER:NONE, :, :].sum(axis=(-3, -1)).astype(np.float64)
    positives = rows[..., :-1] @ calibration.fine + rows[..., -1] * float(calibration.unscored_rate.mean())
    return rows.sum(axis=-1) - positives, positives


class _Places:
    """Put an array over the cells' score bins (J,) into one by predicted no/yes and rank (2, ranks + 1)."""

    def __init__(self, cells: BinaryCells) -> None:
        self.shape = (2, len(cells.first_fine))
        self.at = cells.predicted.astype(np.int64), cells.order

    def __call__(self, values: npt.NDArray[np.number]) -> Floats:
        found = np.zeros((*values.shape[:-1], *self.shape))
        found[..., *self.at] = values  # no predicted class has a score bin twice
        return found


def _fine_table(
    calibration: BinaryCalibration,
    scores: ScoreTable,
    positive: Floats,
    means: Floats,
    no_class: tuple[Number, Number],
    *,
    keep_labels: bool,
) -> BinaryTables:
    """Spread the expected positives (2, ranks + 1) over the fine bins, in the proportions of the reference's rates."""
    first = calibration.cells.first_fine[:-1]
    width = np.diff(calibration.cells.first_fine)
    counts = _usable(scores)
    known = counts[..., :-1, POSITIVE] if keep_labels else np.zeros(counts[..., :-1, POSITIVE].shape)
    N = (counts[..., :-1, PENDING] if keep_labels else counts[..., :-1, :].sum(axis=-1)).astype(np.float64)
    rows = np.add.reduceat(N, first, axis=-1)
    filled = np.maximum(rows, 1)
    prior = np.add.reduceat(N * calibration.fine, first, axis=-1) / filled
    target = np.clip((positive[..., :-1] - np.add.reduceat(known, first, axis=-1)) / filled, 0, 1)
    # Scale positives down, or negatives down, so that the mean of each rank is its target and no rate leaves [0, 1].
    tiny = np.finfo(np.float64).tiny
    down = np.repeat(np.minimum(1.0, target / np.maximum(prior, tiny)), width, axis=-1)
    up = np.repeat(np.minimum(1.0, (1 - target) / np.maximum(1 - prior, tiny)), width, axis=-1)
    rate = 1 - (1 - calibration.fine * down) * up
    expected = np.concatenate((known + N * rate, positive[..., -1:]), axis=-1)
    negative = counts.sum(axis=-1) - expected
    return BinaryTables(
        positive=expected[..., None, :, :], negative=negative[..., None, :, :], means=means, no_class=no_class
    )
