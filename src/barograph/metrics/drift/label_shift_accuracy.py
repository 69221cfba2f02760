"""Accuracy, if only the share of positives has moved."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats
from barograph.errors import MismatchError
from barograph.metrics import metric
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.cells import BinaryCells
from barograph.sketches.scores import PENDING, POSITIVE
from barograph.tasks import Task

STEPS = 40  # of halving: to 1e-11 of the log-odds
FURTHEST = 8.0  # that the log-odds of the share of positives may have moved


@metric(
    unit="",
    bounds=(0.0, 1.0),
    better="higher",
    tolerance=0.02,
    rule="predictive",
    title="accuracy, if only the share of positives has moved,",
    alerts=(Task.BINARY,),
    needs="scores",
    foretells="accuracy",
)
def label_shift_accuracy(reference: BinaryCells, current: BinaryCells) -> Outcome | Outcomes:
    r"""Estimate the accuracy of rows without labels for the case that P(score | label) is what it was.

    Estimated performance takes P(label | features) for unchanged. Where the labels' mix has moved instead, the share
    of positives :math:`\pi` is the one under which the scores are most likely [1]_, the solution of

    .. math:: \pi = \frac1N \sum_b N_b P_b(\pi), \qquad
        \frac{P_b(\pi)}{1 - P_b(\pi)} = \frac{P_b}{1 - P_b} \cdot \frac{\pi / (1 - \pi)}{\pi_0 / (1 - \pi_0)}

    over score bins with `N` current rows and the reference's share of positives `P`, and the accuracy follows from
    :math:`P_b(\pi)`. From features alone the two cases cannot be told apart: what is true lies between them, or labels
    say it. From 0 to 1 (best), of rows with a score, labelled or not. Undefined without such rows, and where the
    reference does not have labels of both kinds.

    >>> def cells(*rows):
    ...     return BinaryCells(
    ...         predicted=np.array([False, True]),
    ...         order=np.array([0, 1]),
    ...         first_fine=np.array([0, 1, 2]),
    ...         counts=np.array([rows]),
    ...     )
    >>> usual = cells([800, 200, 0], [100, 900, 0])  # 17 of 20 are right
    >>> more = cells([0, 0, 400 + 400], [0, 0, 50 + 1800])  # half of the negatives, and twice the positives
    >>> round(label_shift_accuracy(usual, more).value, 3)  # 2,200 of 2,650
    0.83

    .. [1] M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a priori
       probabilities", Neural Computation 14, 2002.
    """
    if reference.counts.shape[-2:] != current.counts.shape[-2:]:
        raise MismatchError("Cells of different score bins cannot be compared: profile both with one reference.")
    labelled = reference.counts.sum(axis=-3)[:, :PENDING].astype(np.float64)
    rows, positive = labelled.sum(axis=1), labelled[:, POSITIVE]
    N = current.rows.sum(axis=-2).astype(np.float64)
    n = N.sum(axis=-1)
    share = float(positive.sum() / max(rows.sum(), 1.0))
    both = 0 < share < 1
    overall = share if both else 0.5
    log_odds = _log_odds((positive + overall) / (rows + 1))
    part = N / np.maximum(n, 1.0)[..., None]
    low, high = np.full(n.shape, -FURTHEST), np.full(n.shape, FURTHEST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        more = (part * _share(log_odds + middle[..., None])).sum(axis=-1) > _share(_log_odds(overall) + middle)
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    moved = ((low + high) / 2)[..., None]
    p, pi = _share(log_odds + moved), _share(_log_odds(overall) + moved)
    right = np.where(current.predicted, p, 1 - p)
    value = (part * right).sum(axis=-1)
    # A row moves the accuracy by itself, and by moving the share of positives.
    certain = p * (1 - p)
    slope = (part * np.where(current.predicted, certain, -certain)).sum(axis=-1)[..., None]
    known = np.maximum((pi * (1 - pi))[..., 0] - (part * certain).sum(axis=-1), 1e-9)[..., None]
    influence = right - value[..., None] + slope * (p - pi) / known
    return outcome(
        np.clip(value, 0.0, 1.0),
        n=n,
        undefined=[
            (np.bool_(not both), "the reference does not have labels of both kinds"),
            (n == 0, "current has no rows with a score"),
        ],
        standard_error=np.sqrt((part * influence**2).sum(axis=-1) / np.maximum(n, 1.0)),
    )


def _log_odds(p: Floats | float) -> Floats:
    return np.asarray(np.log(p) - np.log1p(-np.asarray(p)))


def _share(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)))
