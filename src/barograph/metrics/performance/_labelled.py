"""Internal: the labelled rows of a sketch, and the reasons why there are none."""

from __future__ import annotations

from barograph.outcome import Undefined
from barograph.sketches.cells import RegressionCells
from barograph.sketches.confusion import Confusion
from barograph.sketches.scores import NONE, PENDING, ScoreTable

NO_ROWS = Undefined("current has no rows")
NO_LABELS = Undefined("no labels have arrived")


def nothing_labelled(current: ScoreTable | Confusion | RegressionCells) -> Undefined:
    """Say why no row has both a prediction and a label."""
    match current:
        case ScoreTable():
            rows, pending = current.rows, current.counts[:NONE, :, PENDING].sum()
        case Confusion():
            rows, pending = current.rows, current.counts[:-1, -1].sum()
        case RegressionCells():
            rows, pending = current.rows, current.counts[:, :, 1].sum()
    if not rows:
        return NO_ROWS
    if current.unusable == rows:
        return Undefined("no row has a usable prediction")
    return NO_LABELS if pending else Undefined("no row has both a prediction and a label")


def nothing_scored(current: ScoreTable) -> Undefined:
    """Say why no row has both a valid score and a label."""
    if not current.rows:
        return NO_ROWS
    if not current.by_score.sum():
        return Undefined("no row has a valid score")
    return NO_LABELS if current.by_score[:, PENDING].any() else Undefined("no row has both a valid score and a label")
