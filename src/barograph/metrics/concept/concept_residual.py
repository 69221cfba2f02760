"""Concept residual: realised minus estimated accuracy."""

from __future__ import annotations

import numpy as np

from barograph.errors import MismatchError
from barograph.metrics import metric
from barograph.metrics.estimation.calibration import STRENGTH
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.cells import BinaryCells
from barograph.sketches.scores import PENDING, POSITIVE


@metric(unit="share", bounds=(-1.0, 1.0), better="zero", tolerance=0.01)
def concept_residual(reference: BinaryCells, current: BinaryCells, *, level: float = 0.95) -> Outcome:
    r"""Measure how much more often labels agree with the predictions than the same cells did in the reference.

    .. math:: \frac1n \sum_j \left( s_j - n_j A_j \right)

    with `s` correct among the `n` labelled current rows of cell `j` (leaf × score bin), and the reference's accuracy
    :math:`A_j` there, shrunk to that of the score bin. Zero means that the labels are what the reference expects,
    whatever the traffic; below zero, the rule has changed to the model's harm. The standard error holds the scatter of
    the current labels and of the reference's rates.

    Undefined when a window has no labelled rows with a score.

    >>> cells = BinaryCells(predicted=np.array([True]), order=np.array([0]), first_fine=np.array([0, 1]),
    ...                     counts=np.array([[[1000, 9000, 0]]]))
    >>> today = BinaryCells(predicted=np.array([True]), order=np.array([0]), first_fine=np.array([0, 1]),
    ...                     counts=np.array([[[30, 70, 500]]]))
    >>> round(concept_residual(cells, today).value, 3)
    -0.2
    """
    if reference.counts.shape != current.counts.shape:
        raise MismatchError("Cells of different partitions cannot be compared: profile both with one reference.")
    m, n = (cells.counts[:, :, :PENDING].sum(axis=2).astype(np.float64) for cells in (reference, current))
    if not m.sum() or not n.sum():
        return Undefined(f"{'current' if m.sum() else 'reference'} has no labelled rows with a score")
    before, now = (
        np.where(cells.predicted, cells.counts[:, :, POSITIVE], cells.counts[:, :, 0]).astype(np.float64)
        for cells in (reference, current)
    )
    of_bin = (before.sum(axis=0) + before.sum() / m.sum()) / (m.sum(axis=0) + 1)
    A = (before + STRENGTH * of_bin) / (m + STRENGTH)
    total = n.sum()
    value = float((now - n * A).sum() / total)
    se = float(np.sqrt((A * (1 - A) * (n + n**2 / (m + STRENGTH + 1))).sum()) / total)
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    return Estimate(
        value=value,
        n=int(total),
        lower=max(-1.0, value - z * se),
        upper=min(1.0, value + z * se),
        level=level,
        standard_error=se,
    )
