"""Internal: how much larger the loss of rows is than the reference lets expect of rows like these.

What a change of the inputs does to the loss is in both and cancels: what is left is a change of the rule behind the
labels. It varies less than any metric does, so that it shows a change of that rule first.
"""

from __future__ import annotations

from math import inf

import numpy as np

from barograph.arrays import Floats, Number
from barograph.metrics import LAST, Metric
from barograph.metrics.performance._score_bins import ScoreBins, score_bins
from barograph.outcome import Outcome, Outcomes, Undefined, outcome
from barograph.sketches.cells import REGRESSION_SUMS, RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import NEGATIVE, POSITIVE, SCORE_SUMS, ScoreTable

LEAST = 1e-6  # an expected share
LOG_SCORE, LOG_COMPLEMENT = SCORE_SUMS.index("log_score"), SCORE_SUMS.index("log_complement")
ABSOLUTE, SQUARED = REGRESSION_SUMS.index("absolute_error"), REGRESSION_SUMS.index("squared_error")
GROUP_ROWS, GROUPS = 200.0, 20  # of the reference, at least; at most: single bins would learn its noise by heart
PSEUDO_ROWS = 20.0  # of a group, as positive as their score says; of a bin of predictions, with the usual error


def excess_loss(current: ScoreTable | ClassTables | RegressionCells, reference: object) -> Outcome | Outcomes:
    r"""Return the mean loss above what is expected of these rows, as a share of the reference's mean loss.

    .. math:: \frac{1}{n \bar L} \sum_i \bigl(L_i - \mathsf{E} L_i\bigr)

    The loss is log loss, expected from the share of positives that scores like theirs have in the reference, or the
    absolute error, expected from the bins of the prediction. Of several classes, and without labels or scores, it is
    undefined.
    """
    if isinstance(current, ScoreTable) and isinstance(reference, ScoreTable):
        return _of_scores(current, reference)
    if isinstance(current, RegressionCells) and isinstance(reference, RegressionCells):
        return _of_errors(current, reference)
    return Undefined("what is expected of single rows is not known for several classes")


RESIDUAL = Metric(
    name="concept_residual",
    family="concept",
    function=excess_loss,
    unit="share",
    bounds=(-inf, inf),
    better="lower",
    symmetric=False,
    tolerance=0.1,
    relative_tolerance=0.0,
    bins="fine",
    rule="predictive",
    part=None,
    title="concept residual",
    alerts=frozenset(),
    rank=LAST,
    harm_in=frozenset(),
    needs="scores",
    no_limits="",
    counts_rows=False,
    of_labels=False,
    breaks=None,
)
"""The residual as a metric that is in no catalogue: it has evidence, and the rows of concept drift show it."""


def _of_scores(current: ScoreTable, reference: ScoreTable) -> Outcome | Outcomes:
    bins, known = score_bins(current), score_bins(reference)
    sums, all_sums = (table.sums[..., (NEGATIVE, POSITIVE), :] for table in (current, reference))
    logs = np.minimum(sums[..., (LOG_COMPLEMENT, LOG_SCORE)], 0.0)
    rows, score = bins.rows.sum(axis=-1), (bins.rows * bins.mean).sum(axis=-1)
    mean = score / np.maximum(rows, 1)
    positive = np.clip(mean + _off_by(known), LEAST, 1 - LEAST)
    realised = -(logs[..., NEGATIVE, 0] + logs[..., POSITIVE, 1])
    of_negative, of_positive = -logs[..., 0].sum(axis=-1), -logs[..., 1].sum(axis=-1)
    expected = (1 - positive) * of_negative + positive * of_positive
    log_odds = (of_negative - of_positive) / np.maximum(rows, 1)
    variance = rows * positive * (1 - positive) * log_odds**2
    usual = -(all_sums[:, NEGATIVE, LOG_COMPLEMENT] + all_sums[:, POSITIVE, LOG_SCORE]).sum() / max(known.n, 1)
    none = (np.equal(bins.n, 0) | (known.n == 0), "no row has a valid score and a label")
    return _relative((realised - expected).sum(axis=-1), variance.sum(axis=-1), bins.n, float(usual), none)


def _off_by(known: ScoreBins) -> Floats:
    """Return by how much more rows are positive than their score says, for each score bin, from groups of them."""
    rows = known.rows.sum(axis=1)
    groups = min(max(int(rows.sum() / GROUP_ROWS), 1), GROUPS)
    middle = (np.cumsum(rows) - rows / 2) / max(float(rows.sum()), 1.0)
    group = np.minimum((middle * groups).astype(np.int64), groups - 1)
    n, positive, score = (
        np.bincount(group, weights, groups)
        for weights in (rows, known.rows[:, POSITIVE], (known.rows * known.mean).sum(axis=1))
    )
    return np.asarray(((positive - score) / (n + PSEUDO_ROWS))[group])


def _of_errors(current: RegressionCells, reference: RegressionCells) -> Outcome | Outcomes:
    sums, known = current.sums.sum(axis=-3), reference.sums.sum(axis=0)
    rows, theirs = (cells.counts.sum(axis=-3)[..., 0].astype(np.float64) for cells in (current, reference))
    none = (np.equal(current.n, 0) | (not theirs.sum()), "no row has a prediction and a label")
    usual = float(known[:, ABSOLUTE].sum() / max(theirs.sum(), 1.0))
    # A bin that the reference does not know is as all of it.
    per_row = (known[:, ABSOLUTE] + PSEUDO_ROWS * usual) / (theirs + PSEUDO_ROWS)
    square = (known[:, SQUARED] + PSEUDO_ROWS * usual**2) / (theirs + PSEUDO_ROWS)
    variance = rows * np.maximum(square - per_row**2, 0.0)
    total = sums[..., ABSOLUTE].sum(axis=-1) - (rows * per_row).sum(axis=-1)
    return _relative(total, variance.sum(axis=-1), current.n, usual, none)


def _relative(total: Number, variance: Number, n: Number, usual: float, none: tuple[Number, str]) -> Outcome | Outcomes:
    loss = np.maximum(n, 1) * (usual if usual > 0 else 1.0)
    error = np.sqrt(variance) / loss
    nothing = (not usual > 0, "the reference has no loss to compare with")
    return outcome(total / loss, n=n, undefined=[none, nothing], standard_error=np.where(error > 0, error, np.nan))
