"""Confidence optimal transport (COT), for two classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from barograph.estimation.estimate import outcomes_of
from barograph.estimation.experience import Expectation
from barograph.outcome import Outcome
from estimators.rows import Estimator, Rows


def cot(reference: Rows, *, positive_share: float | None = None) -> Estimator:
    r"""Measure how far the scores are from the nearest labels with the known share of positives [1]_.

    With two classes the optimal transport is closed: the :math:`n\pi` rows with the highest scores are called positive,

    .. math:: \mathrm{error} = \frac1n \Big(\sum_\text{top} (1 - s_i) + \sum_\text{rest} s_i\Big)

    `positive_share` :math:`\pi` is the reference's where it is not given. The accuracy is that of predicting the more
    likely class, and the estimate is as good as the scores are calibrated and the share is known.

    .. [1] Y. Lu, Y. Qin, R. Zhai, A. Shen, K. Chen, Z. Wang, S. Kolouri, S. Stepputtis, J. Campbell, K. Sycara,
       "Characterizing out-of-distribution error via optimal transport", NeurIPS 2023.
    """
    share = float(reference.labelled().label.mean()) if positive_share is None else positive_share

    def estimate(current: Rows) -> Mapping[str, Outcome]:
        usable = current.usable()
        descending = np.sort(usable.score)[::-1]
        top = round(share * usable.n)
        accuracy = float(np.concatenate((descending[:top], 1 - descending[top:])).mean())
        return outcomes_of(
            {"accuracy": Expectation(accuracy, (sd := float(np.sqrt(accuracy * (1 - accuracy) / usable.n))), sd)},
            usable.n,
        )

    return estimate
