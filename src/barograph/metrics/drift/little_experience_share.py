"""Share of rows of kinds of which there is little training (or reference) data."""

from __future__ import annotations

import numpy as np

from barograph.errors import MismatchError
from barograph.metrics import metric
from barograph.metrics.estimation.support import SCORE_GROUPS
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.cells import BinaryCells


@metric(unit="share", bounds=(0.0, 1.0), better="lower", tolerance=0.05)
def little_experience_share(reference: BinaryCells, current: BinaryCells, *, minimum: int = 50) -> Outcome:
    r"""Measure which share of today's rows has fewer than `minimum` similar rows in the reference.

    .. math:: \frac1N \sum_j N_j \, [n_j < \mathrm{minimum}]

    over cells `j` of leaf × about ten score groups, with `N` current and `n` reference rows, labelled or not. With the
    training data as reference it is the traffic for which the model had little to learn from [1]_. From 0 (best) to 1;
    a reference of a few thousand rows has thin cells itself: `null_mean` and `null_sd` are the share of its own rows
    that have fewer than `minimum` others beside them, and how much that varies between independent rows. Undefined
    when either side has no rows with a score.

    >>> def cells(*rows):
    ...     counts = np.array([[[n, 0, 0]] for n in rows])
    ...     return BinaryCells(
    ...         predicted=np.array([True]), order=np.array([0]), first_fine=np.array([0, 1]), counts=counts
    ...     )
    >>> little_experience_share(cells(1000, 20), cells(60, 40)).value
    0.4

    .. [1] A. Asudeh, Z. Jin, H. V. Jagadish, "Assessing and remedying coverage for a given dataset", ICDE 2019.
    """
    if reference.counts.shape != current.counts.shape:
        raise MismatchError("Cells of different partitions cannot be compared: profile both with one reference.")
    group = reference.order * SCORE_GROUPS // (len(reference.first_fine) - 1)
    member = (group[:, None] == np.arange(SCORE_GROUPS)).astype(np.float64)
    n, N = reference.rows @ member, current.rows @ member
    if not n.sum() or not N.sum():
        return Undefined(f"{'current' if n.sum() else 'reference'} has no rows with a score")
    share, total = float(N[n < minimum].sum() / N.sum()), float(N.sum())
    own = float(n[n <= minimum].sum() / n.sum())  # a row is no company for itself
    return Estimate(
        value=share,
        n=int(total),
        standard_error=float(np.sqrt(share * (1 - share) / total)),
        null_mean=own,
        null_sd=float(np.sqrt(own * (1 - own) * (1 / total + 1 / n.sum()))),
    )
