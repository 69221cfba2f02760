"""Share of rows of kinds of which there is little training (or reference) data."""

from __future__ import annotations

import numpy as np

from barograph.errors import MismatchError
from barograph.metrics import metric
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.cells import SCORE_GROUPS, BinaryCells


@metric(unit="share", bounds=(0.0, 1.0), better="lower", tolerance=0.05)
def little_experience_share(reference: BinaryCells, current: BinaryCells, *, minimum: int = 50) -> Outcome | Outcomes:
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
    if reference.counts.shape[-3:] != current.counts.shape[-3:]:
        raise MismatchError("Cells of different partitions cannot be compared: profile both with one reference.")
    group = reference.order * SCORE_GROUPS // (len(reference.first_fine) - 1)
    member = (group[:, None] == np.arange(SCORE_GROUPS)).astype(np.float64)
    n, N = reference.rows @ member, current.rows @ member
    rows, total = n.sum(), N.sum(axis=(-2, -1))
    some = np.maximum(total, 1.0)
    share = np.where(n < minimum, N, 0.0).sum(axis=(-2, -1)) / some
    own = n[n <= minimum].sum() / max(rows, 1.0)  # a row is no company for itself
    return outcome(
        share,
        n=total,
        undefined=[
            (np.bool_(rows == 0), "reference has no rows with a score"),
            (total == 0, "current has no rows with a score"),
        ],
        standard_error=np.sqrt(share * (1 - share) / some),
        null_mean=own,
        null_sd=np.sqrt(own * (1 - own) * (1 / some + 1 / max(rows, 1.0))),
    )
