"""Share of rows without a prediction that can be used."""

from __future__ import annotations

from barograph.metrics import metric
from barograph.metrics.broken import Broken
from barograph.metrics.quality._shares import share
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.cells import RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable


def _part(table: ScoreTable | ClassTables | RegressionCells) -> tuple[int, int]:
    return table.unusable, table.rows


@metric(
    unit="share", bounds=(0.0, 1.0), better="lower", tolerance=0.02, rule="share", part=_part, breaks=Broken.PREDICTIONS
)
def unusable_prediction_share(current: ScoreTable | ClassTables | RegressionCells) -> Outcome | Outcomes:
    """Measure the share of rows for which the model said nothing that can be used.

    Of classes these are predictions that are missing, and those that are none of the reference's classes, unless the
    label is the very same text; of a regression those that are missing, text, NaN or infinite. Where there is no
    prediction column, a row without a valid score has no prediction. From 0 (best) to 1; labels are not needed.

    The interval is Wilson's for independent rows. No rows are undefined. A change of 0.02 is material by default.

    >>> table = ScoreTable.empty([0.5])
    >>> table.counts[0, 0] = (60, 10, 10, 0)  # predicted no, low score: negative, positive, pending, another label
    >>> table.counts[3, 2] = (10, 5, 5, 0)  # nothing said, and no score
    >>> unusable_prediction_share(table).value
    0.2
    """
    return share(*_part(current))
