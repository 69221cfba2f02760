"""Average thresholded confidence (ATC)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from barograph.estimation.estimate import outcomes_of
from barograph.estimation.experience import Expectation
from barograph.outcome import Outcome
from estimators.rows import Estimator, Rows


def atc(reference: Rows) -> Estimator:
    """Call accuracy the share of rows with a confidence above the threshold where that is so on the reference [1]_.

    Confidence is max(s, 1 - s). Scores with many ties, as those of trees, make the threshold arbitrary. There is no
    condition under which it is right in general; it is here because it is asked for.

    .. [1] S. Garg, S. Balakrishnan, Z. Lipton, B. Neyshabur, H. Sedghi, "Leveraging unlabeled data to predict
       out-of-distribution performance", ICLR 2022.
    """
    rows = reference.usable().labelled()
    accuracy = float((rows.prediction == rows.label).mean())
    threshold = float(np.quantile(np.maximum(rows.score, 1 - rows.score), 1 - accuracy))

    def estimate(current: Rows) -> Mapping[str, Outcome]:
        usable = current.usable()
        share = float((np.maximum(usable.score, 1 - usable.score) >= threshold).mean())
        return outcomes_of(
            {"accuracy": Expectation(share, (sd := float(np.sqrt(share * (1 - share) / usable.n))), sd)}, usable.n
        )

    return estimate
