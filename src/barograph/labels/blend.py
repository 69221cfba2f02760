"""The best current estimate: labels where they are, what the delay says where they are due, cells elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from barograph.arrays import Floats
from barograph.estimation.binary import expect
from barograph.estimation.calibration import BinaryCalibration
from barograph.estimation.estimate import OutOfTime, binary_values, outcomes_of
from barograph.estimation.experience import Expectation
from barograph.estimation.support import Support
from barograph.labels.delay import DelayCurves, Shift, fit_shift, pending_rate, shifted
from barograph.outcome import Outcome, Undefined
from barograph.sketches.cells import BinaryCells
from barograph.sketches.scores import PENDING, ScoreTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The events of one chunk at one as-of time: their cells, and their mean age in the unit of the delay curves."""

    cells: BinaryCells
    scores: ScoreTable
    age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """Performance metrics by name, and what they rest on.

    The shares of a chunk's rows sum to 1: `labelled`, `pending` (a label is due) and `unlabelled` (none will come, as
    far as the delay curves know). `coverage` is the share of rows with a label; `maturity` is that share of the labels
    that will ever arrive which should be there at this age. `shift` is the estimated change of the log-odds.
    """

    outcomes: Mapping[str, Outcome]
    labelled: float
    pending: float
    unlabelled: float
    maturity: float
    shift: Shift
    support: Support

    @property
    def coverage(self) -> float:
        """Return the share of rows with a label."""
        return self.labelled


def shift_of(calibration: BinaryCalibration, cohorts: Sequence[Cohort], curves: DelayCurves) -> Shift:
    """Return the shift of the log-odds that the labels and the waiting rows of recent cohorts speak for."""
    rates, counts, negatives, positives = [], [], [], []
    for cohort in cohorts:
        filled = cohort.cells.rows > 0
        f0, f1 = curves.at(cohort.age)
        rates.append(calibration.rate[filled])
        counts.append(cohort.cells.counts[filled])
        negatives.append(np.full(int(filled.sum()), float(f0)))
        positives.append(np.full(int(filled.sum()), float(f1)))
    if not rates:
        return Shift(0.0, 1.0)
    return fit_shift(*(np.concatenate(parts) for parts in (rates, counts, negatives, positives)))


def blend(
    calibration: BinaryCalibration,
    cohort: Cohort,
    curves: DelayCurves,
    shift: Shift,
    *,
    out_of_time: OutOfTime | None = None,
    values: tuple[float, float, float, float] | None = None,
    level: float = 0.95,
) -> Blend:
    r"""Return the best estimate of what the metrics of a chunk will be when all its rows have their labels.

    Labelled rows count as they are. A row without a label is positive with probability

    .. math:: \frac{p (1 - F_1)}{1 - p F_1 - (1 - p) F_0}, \qquad p = \sigma(\mathrm{logit}\,P + \delta)

    with the reference's rate `P` of its cell, the shift :math:`\delta` from :func:`shift_of`, and the shares
    :math:`F_1, F_0` of positive and negative labels that arrive by its age. Rows whose labels never arrive are not
    selected by their outcome; the same formula gives them `p`. The interval holds chance, the reference's limits and
    the standard error of :math:`\delta`; `out_of_time` is scaled to the share of rows without a label.
    """
    support = calibration.support(cohort.cells)
    rows, waiting = int(cohort.scores.counts.sum()), int(cohort.scores.counts[:, :, PENDING].sum())
    share = waiting / max(rows, 1)
    f0, f1 = (float(f) for f in curves.at(cohort.age))

    def rates(by: float) -> Floats:
        p = shifted(calibration.rate, by)
        return pending_rate(p, np.full_like(p, f0), np.full_like(p, f1))

    expected = expect(
        calibration,
        cohort.cells,
        cohort.scores,
        keep_labels=True,
        rate=rates(shift.value),
        shifted_rates=[rates(shift.value + shift.standard_error)],
    )

    def of_waiting(found: Mapping[str, Expectation]) -> dict[str, float]:
        return {name: share * sd for name, sd in out_of_time(found).items()} if out_of_time is not None else {}

    outcomes = outcomes_of(binary_values(expected, values=values), rows, out_of_time=of_waiting, level=level)
    problem = support.problem if waiting else None
    if not rows or problem:
        outcomes = dict.fromkeys(outcomes, Undefined(problem or "current has no rows"))
    mean = float((calibration.rate * cohort.cells.rows).sum() / max(cohort.cells.rows.sum(), 1))
    ever = 1 - curves.never
    unlabelled = min(share, curves.never)
    return Blend(
        outcomes=outcomes,
        labelled=1 - share if rows else 0.0,
        pending=share - unlabelled,
        unlabelled=unlabelled,
        maturity=(mean * f1 + (1 - mean) * f0) / ever if ever > 0 else 0.0,
        shift=shift,
        support=support,
    )
