"""Log loss: how surprised the scores are by the labels."""

from __future__ import annotations

from barograph.metrics import metric
from barograph.metrics.performance._intervals import mean_loss
from barograph.metrics.performance._labelled import NO_LABELS, NO_ROWS, nothing_scored
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import NEGATIVE, PENDING, POSITIVE, SCORE_SUMS, SQUARED_LOSSES, ScoreTable
from barograph.tasks import Task

LOG_SCORE, LOG_COMPLEMENT = SCORE_SUMS.index("log_score"), SCORE_SUMS.index("log_complement")
SQUARED = SQUARED_LOSSES.index("squared_log")


@metric(
    unit="nats",
    bounds=(0.0, float("inf")),
    better="lower",
    tolerance=1e-4,
    relative_tolerance=0.10,
    alerts=(Task.BINARY, Task.MULTICLASS),
    rank=5,
    needs="probabilities",
)
def log_loss(current: ScoreTable | ClassTables) -> Outcome | Outcomes:
    r"""Measure the mean negative logarithm of the probability that was given to what came true.

    .. math:: L = -\frac1n \sum_i \big(y_i \ln s_i + (1 - y_i) \ln (1 - s_i)\big)

    and, for several classes, the mean of -ln of the score of the true class. 0 is best; a score that always says the
    share of positives has that share's entropy. Scores are cut to [2.2e-16, 1 - 2.2e-16] before the logarithm, so one
    row counts 36 at most; so does one whose label is none of several classes, as its probability was 0. Of two classes,
    a label of another one is not the positive: it counts with 1 - s. Predictions do not matter here. `n` is the number
    of rows with valid scores and a label. Undefined with none; one row, or losses that are all equal, give no interval.
    A change of 10 % of the reference value is material by default.

    Value and variance are exact, whatever the bins; the interval is Student's on the scale of the logarithm.

    >>> from math import log
    >>> table = ScoreTable.empty([0.5])
    >>> table.counts[0, 0] = (3, 1, 0, 0)  # predicted no, low score: negative, positive, pending
    >>> table.sums[0, 0] = (0.6, 0.12, 3 * log(0.2), 3 * log(0.8))  # three negatives with score 0.2
    >>> table.sums[0, 1] = (0.4, 0.16, log(0.4), log(0.6))  # one positive with score 0.4
    >>> log_loss(table).value
    0.396...

    .. [1] I. J. Good, "Rational decisions", Journal of the Royal Statistical Society B 14, 1952.
    """
    if isinstance(current, ClassTables):
        counts, (rows, total, squares) = current.confusion.counts, current.confusion.loss.tolist()
        nothing = [
            (not rows and not counts.sum(), NO_ROWS),
            (not rows and not counts[:, :-1].any(), NO_LABELS),
            (not rows, "no row has valid scores and a label"),
        ]
        return mean_loss(int(rows), total, squares, nothing)
    n = current.by_score[..., :PENDING].sum(axis=(-2, -1))
    of_negative, of_positive = current.sums[..., NEGATIVE, LOG_COMPLEMENT], current.sums[..., POSITIVE, LOG_SCORE]
    total = -(of_negative.sum(axis=-1) + of_positive.sum(axis=-1))
    return mean_loss(n, total, current.losses[..., SQUARED].sum(axis=-1), nothing_scored(current))
