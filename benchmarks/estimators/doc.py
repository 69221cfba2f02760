"""Difference of confidences (DoC)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from barograph.estimation.estimate import outcomes_of
from barograph.estimation.experience import Expectation
from barograph.outcome import Outcome
from estimators.rows import Estimator, Rows


def doc(reference: Rows) -> Estimator:
    """Move the reference's accuracy by the change of the mean confidence, max(s, 1 - s) [1]_.

    .. [1] D. Guillory, V. Shankar, S. Ebrahimi, T. Darrell, L. Schmidt, "Predicting with confidence on unseen
       distributions", ICCV 2021.
    """
    rows = reference.usable().labelled()
    accuracy = float((rows.prediction == rows.label).mean())
    confidence = float(np.maximum(rows.score, 1 - rows.score).mean())

    def estimate(current: Rows) -> Mapping[str, Outcome]:
        usable = current.usable()
        moved = accuracy + float(np.maximum(usable.score, 1 - usable.score).mean()) - confidence
        value = min(max(moved, 0.0), 1.0)
        return outcomes_of(
            {"accuracy": Expectation(value, (sd := float(np.sqrt(value * (1 - value) / usable.n))), sd)}, usable.n
        )

    return estimate
