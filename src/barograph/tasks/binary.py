"""Two classes, of which one is positive: will the flight be late?"""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats, Ints
from barograph.sketches.scores import NEGATIVE, OTHER_LABEL, PENDING, POSITIVE
from barograph.tasks.facts import Classes, Facts, Said, wrong

FOLLOWS = -1  # the prediction follows from the score and the threshold, row by row
_OUTCOMES = np.array([NEGATIVE, POSITIVE, OTHER_LABEL, PENDING])  # by class position, no class, null


def _answers(question: int, predicted: Ints, true: Ints, k: int) -> Said:
    return predicted, _OUTCOMES[true]


def _by_scores(scores: Floats) -> Ints:
    return np.full(len(scores), FOLLOWS, np.int64)


def _of_the_positive(one_hot: Floats) -> Floats:
    return one_hot[:, 1]


FACTS = Facts(
    noun="a binary task",
    classes=Classes(
        positive=True,
        first=1,
        separated=_of_the_positive,
        answers=_answers,
        by_scores=_by_scores,
        cell_bins=lambda k: 50,  # the binning bias of ROC AUC is about 0.0001 here, and 0.004 with ten uniform bins
    ),
    loss=wrong,
    measure="accuracy",
    rises=False,
)
