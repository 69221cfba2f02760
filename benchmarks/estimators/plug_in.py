"""Metrics of rows for which only the probability of a positive is known."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats
from barograph.estimation.binary import expectations
from barograph.estimation.estimate import outcomes_of
from barograph.estimation.formulas import FORMULAS, BinaryTables
from barograph.outcome import Outcome
from barograph.sketches.scores import LOG_CLIP
from estimators.rows import Rows

GROUPS = 50


def plug_in(rows: Rows, probability: Floats) -> dict[str, Outcome]:
    """Return every metric of rows that are positive with the given probabilities, independently of each other.

    The interval is for what the labels of these rows will show, if the probabilities are right: it knows nothing of
    their errors.
    """
    exact = tables(rows, probability, bins=None)
    coarse = tables(rows, probability, bins=GROUPS)
    variance = tables(rows, probability, bins=GROUPS, weights=1 - probability).positive[0]
    groups = np.flatnonzero(variance)
    steps = np.zeros((1 + 2 * len(groups), variance.size))
    steps[1 + np.arange(len(groups)), groups] = np.sqrt(variance.ravel()[groups])
    steps[1 + len(groups) :] = -steps[1 : 1 + len(groups)]
    positive = coarse.positive + steps.reshape(-1, *variance.shape)
    nudged = BinaryTables(positive=positive, negative=coarse.positive + coarse.negative - positive, means=coarse.means)
    return outcomes_of(expectations(FORMULAS, exact, nudged, np.ones((len(nudged.positive) - 1) // 2)), rows.n)


def tables(rows: Rows, probability: Floats, *, bins: int | None, weights: Floats | float = 1.0) -> BinaryTables:
    """Return the expected outcomes of weighted rows, by score: in as many quantile bins, or one a different score."""
    at = np.unique(rows.score, return_inverse=True)[1]
    if bins is not None:
        rank = (np.cumsum(np.bincount(at)) - 1) * bins // max(len(at), 1)
        at = np.unique(rank, return_inverse=True)[1][at]
    size = int(at.max(initial=-1)) + 1
    weight = np.broadcast_to(np.asarray(weights, np.float64), at.shape)
    place = rows.prediction.astype(np.int64) * (size + 1) + at
    positive, negative = (
        np.bincount(place, weights=weight * p, minlength=2 * (size + 1)).reshape(1, 2, size + 1).astype(np.float64)
        for p in (probability, 1 - probability)
    )
    s = np.clip(rows.score, LOG_CLIP, 1 - LOG_CLIP)
    total = np.maximum(np.bincount(at, minlength=size), 1)
    of_score = (rows.score, rows.score**2, np.log(s), np.log1p(-s))
    sums = [np.bincount(at, weights=x, minlength=size) / total for x in of_score]
    return BinaryTables(positive=positive, negative=negative, means=np.stack(sums, axis=1))
