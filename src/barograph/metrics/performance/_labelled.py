"""Internal: the labelled rows of a sketch, and the reasons why there are none."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Number
from barograph.sketches.cells import RegressionCells
from barograph.sketches.confusion import Confusion
from barograph.sketches.scores import NONE, PENDING, ScoreTable

Reasons = list[tuple[Number, str]]
NO_ROWS, NO_LABELS = "current has no rows", "no labels have arrived"


def nothing_labelled(current: ScoreTable | Confusion | RegressionCells) -> Reasons:
    """Return where no row has both a prediction and a label, and why, as `outcome` takes it."""
    match current:
        case ScoreTable():
            pending = current.counts[..., :NONE, :, PENDING].sum(axis=(-2, -1))
        case Confusion():
            pending = current.counts[:-1, -1].sum()
        case RegressionCells():
            pending = current.counts[..., 1].sum(axis=(-2, -1))
    none = np.equal(current.n, 0)
    return [
        (none & np.equal(current.rows, 0), NO_ROWS),
        (none & np.equal(current.unusable, current.rows), "no row has a usable prediction"),
        (none & np.greater(pending, 0), NO_LABELS),
        (none, "no row has both a prediction and a label"),
    ]


def nothing_scored(current: ScoreTable) -> Reasons:
    """Return where no row has both a valid score and a label, and why."""
    scored = current.by_score.sum(axis=-2)
    none = np.equal(scored[..., :PENDING].sum(axis=-1), 0)
    return [
        (none & np.equal(current.rows, 0), NO_ROWS),
        (none & np.equal(scored.sum(axis=-1), 0), "no row has a valid score"),
        (none & np.greater(scored[..., PENDING], 0), NO_LABELS),
        (none, "no row has both a valid score and a label"),
    ]
