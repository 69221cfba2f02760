"""Several classes: will the home team win, lose, or neither?"""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats, Ints
from barograph.sketches.scores import NEGATIVE, NO, NONE, OTHER, PENDING, POSITIVE, YES
from barograph.tasks.facts import Classes, Facts, Said, of_each_class, wrong

_SAID = np.array([NO, YES, OTHER, NONE])  # another class, this class, no class, null


def _answers(question: int, predicted: Ints, true: Ints, k: int) -> Said:
    """Count a label that is not this class as a no."""
    said: Ints = _SAID[np.where(predicted >= k, predicted - k + 2, predicted == question)]
    answer: Ints = np.where(true > k, PENDING, np.where(true == question, POSITIVE, NEGATIVE))
    return said, answer


def _by_scores(scores: Floats) -> Ints:
    """Return the class of the highest score, and none where one is missing."""
    known = np.isfinite(scores)
    best = np.argmax(np.where(known, scores, -np.inf), axis=1)
    return np.asarray(np.where(known.all(axis=1), best, scores.shape[1] + 1), np.int64)


FACTS = Facts(
    noun="a multiclass task",
    classes=Classes(
        positive=False,
        first=0,
        separated=of_each_class,
        answers=_answers,
        by_scores=_by_scores,
        cell_bins=lambda k: max(5, min(20, 600 // k)),
    ),
    loss=wrong,
    measure="accuracy",
    rises=False,
)
