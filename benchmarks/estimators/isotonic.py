"""Scores to probabilities, rising with the score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from barograph.arrays import Floats


def isotonic(score: Floats, label: Floats, weights: Floats | None = None) -> Callable[[Floats], Floats]:
    """Return the rising function of the score that is nearest to the labels, in weighted squares.

    Between the scores that it was learned from it is linear, beyond them constant. Scores without a label to learn from
    are taken for probabilities as they are.

    >>> isotonic(np.array([0.1, 0.2, 0.3]), np.array([0.0, 1.0, 0.0]))(np.array([0.0, 0.25])).tolist()
    [0.0, 0.5]
    """
    from scipy.optimize import isotonic_regression

    if not len(score):
        return lambda s: s
    weight = np.ones(len(score)) if weights is None else weights
    distinct, at = np.unique(score, return_inverse=True)
    mass = np.bincount(at, weights=weight)
    means = np.bincount(at, weights=weight * label) / mass
    fitted = isotonic_regression(means, weights=mass).x
    return lambda s: np.asarray(np.interp(s, distinct, fitted))
