"""Drift of the features together, over the leaves of the reference's partition."""

from __future__ import annotations

from math import inf

from barograph.errors import MismatchError
from barograph.metrics import metric
from barograph.metrics.drift._bins import shares_of_counts
from barograph.metrics.drift.psi import psi_of_shares
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.cells import BinaryCells, RegressionCells


@metric(
    unit="nats",
    bounds=(0.0, inf),
    better="lower",
    symmetric=True,
    tolerance=0.04,
    rule="category_share",
    alerts=True,
    rank=1,
    needs="scores",
)
def cell_drift(reference: BinaryCells | RegressionCells, current: BinaryCells | RegressionCells) -> Outcome | Outcomes:
    r"""Measure how far rows have moved between the regions of the feature space that matter for the label.

    The `psi` of the shares of the at most 64 leaves: the partition was fitted to tell labels apart, so that this is a
    histogram of all features at once, in which movement counts that is likely to change the label. All rows count,
    labelled or not. The mean without a change is taken off, and `null_mean` and `null_sd` are those of what is left.
    Movement inside a leaf is not seen. No rows are undefined; one row, or one leaf, is a distribution like any other.

    >>> import numpy as np
    >>> edges = np.array([0.5])
    >>> week = RegressionCells.empty(edges, leaves=2)
    >>> week.counts[:] = [[[300, 0], [200, 0]], [[250, 0], [250, 0]]]  # 500 and 500 rows
    >>> today = RegressionCells.empty(edges, leaves=2)
    >>> today.counts[:] = [[[0, 40], [0, 40]], [[0, 60], [0, 60]]]  # 80 and 120 rows
    >>> cell_drift(week, today).value
    0.034...
    """
    before, now = (cells.counts.sum(axis=(-2, -1)) for cells in (reference, current))
    if before.shape[-1] != now.shape[-1]:
        raise MismatchError(
            f"Cells with {before.shape[-1]} and {now.shape[-1]} leaves cannot be compared. "
            "Profile both sets of rows with one reference: reference.profile(frame)."
        )
    return psi_of_shares(shares_of_counts(before, now))
