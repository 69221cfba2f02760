"""Label shift by expectation maximisation (MLLS)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from barograph.arrays import Floats
from barograph.outcome import Outcome
from estimators.isotonic import isotonic
from estimators.plug_in import plug_in
from estimators.rows import Estimator, Rows

STEPS = 1000
CONVERGED = 1e-9


def label_shift(reference: Rows) -> Estimator:
    """Find the share of positives under which the current scores are most likely, and adapt the probabilities to it.

    Right when the features given the label are those of the reference, and only the share of positives has moved;
    beside `cbpe`, which assumes the contrary, it tells which kind of shift there may be. The score is calibrated first.
    """
    rows = reference.usable().labelled()
    calibrate = isotonic(rows.score, rows.label)
    share = float(rows.label.mean())

    def estimate(current: Rows) -> Mapping[str, Outcome]:
        usable = current.usable()
        probability = np.clip(calibrate(usable.score), 1e-6, 1 - 1e-6)
        return plug_in(usable, adapt(probability, share, positive_share(probability, share)))

    return estimate


def positive_share(probability: Floats, reference_share: float) -> float:
    r"""Return the maximum-likelihood share of positives among rows with these reference probabilities [1]_.

    .. math:: \pi \leftarrow \frac1n \sum_i \frac{r\,p_i}{r\,p_i + r' (1 - p_i)}, \qquad
       r = \frac{\pi}{\pi_r},\; r' = \frac{1 - \pi}{1 - \pi_r}

    until it moves by less than 1e-9, at most 1000 times.

    >>> round(positive_share(np.array([0.1] * 30 + [0.9] * 70), 0.5), 3)
    0.75

    .. [1] M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a priori
       probabilities", Neural Computation 14, 2002.
    """
    share = reference_share
    for _ in range(STEPS):
        moved = float(adapt(probability, reference_share, share).mean())
        if abs(moved - share) < CONVERGED:
            return moved
        share = moved
    return share


def adapt(probability: Floats, reference_share: float, share: float) -> Floats:
    """Return the probabilities when the share of positives moves from the reference's to another."""
    positive = probability * share / reference_share
    negative = (1 - probability) * (1 - share) / (1 - reference_share)
    return np.asarray(positive / (positive + negative))
