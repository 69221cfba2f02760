"""Accuracy: the share of predictions that are right."""

from __future__ import annotations

from barograph.metrics import metric
from barograph.metrics.performance._intervals import share_of
from barograph.metrics.performance._labelled import nothing_labelled
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable
from barograph.tasks import Task


@metric(
    unit="share",
    bounds=(0.0, 1.0),
    better="higher",
    tolerance=0.02,
    alerts=(Task.BINARY, Task.MULTICLASS),
    harm_in=(Task.BINARY, Task.MULTICLASS),
    rank=2,
)
def accuracy(current: ScoreTable | ClassTables) -> Outcome | Outcomes:
    r"""Measure which share of the labelled predictions is right.

    .. math:: \mathrm{accuracy} = \frac{\mathrm{TP} + \mathrm{TN}}{n}

    and, for several classes, the diagonal of the confusion table over its sum. From 0 to 1 (best). What the model said
    is what is judged: a prediction that is no class is wrong, and so is every prediction of a class where the label is
    another one than those of the reference; the two are right if they are the same text. A row without a prediction is
    left out: `unusable_prediction_share` counts it. `n` is the number of rows with a prediction and a label, and the
    interval is Wilson's [1]_. Undefined with no such row; one row gives 0 or 1 with a wide interval. A change of 0.02
    is material by default.

    With rare positives a model that never says yes is accurate: look at `recall` and `average_precision` as well.

    >>> table = ScoreTable.empty([0.5])
    >>> table.counts[0, 0] = (70, 10, 3, 0)  # predicted no, low score: negative, positive, pending
    >>> table.counts[1, 1] = (5, 15, 0, 0)  # predicted yes, high score
    >>> accuracy(table)
    Estimate(value=0.85, n=100, lower=0.767..., upper=0.906..., ...)

    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    table = current.confusion if isinstance(current, ClassTables) else current
    return share_of(current.right, current.n, nothing_labelled(table))
