"""The losses of arrived labels, beside what the reference expects of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barograph.arrays import Floats
from barograph.estimation.calibration import BinaryCalibration
from barograph.estimation.classes import ClassesCalibration
from barograph.estimation.regression import RegressionCalibration
from barograph.sketches.cells import BinaryCells, RegressionCells
from barograph.sketches.scores import PENDING, POSITIVE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Residuals:
    """Sums over the labelled rows of one chunk, by group (G,).

    `realised` and `expected` are the sums of the loss and of its expectation; `chance` is the variance of the realised
    sum if the expectation is right, `doubt` that of the expectation. `shares` says that the loss is 0 or 1, `same_rows`
    that all groups hold the same rows (with other losses), not different ones.
    """

    rows: Floats
    realised: Floats
    expected: Floats
    chance: Floats
    doubt: Floats
    shares: bool
    same_rows: bool = False


def binary_residuals(calibration: BinaryCalibration, cells: BinaryCells) -> Residuals:
    """Return errors among rows predicted no and among rows predicted yes."""
    calibration.check(cells)
    n = cells.counts[:, :, :PENDING].sum(axis=2).astype(np.float64)
    k = cells.counts[:, :, POSITIVE].astype(np.float64)
    wrong = np.where(cells.predicted, n - k, k)
    rate = np.where(cells.predicted, 1 - calibration.rate, calibration.rate)
    halves = np.stack((~cells.predicted, cells.predicted)).astype(np.float64)
    scatter = n * rate * (1 - rate)
    return Residuals(
        rows=halves @ n.sum(axis=0),
        realised=halves @ wrong.sum(axis=0),
        expected=halves @ (n * rate).sum(axis=0),
        chance=halves @ scatter.sum(axis=0),
        doubt=halves @ (n * scatter / (calibration.weight + 1)).sum(axis=0),
        shares=True,
    )


def class_residuals(calibration: ClassesCalibration, cells: Sequence[BinaryCells]) -> Residuals:
    """Return the errors of a multiclass model: among the rows predicted as each class, those of another."""
    sums = np.zeros((5, len(cells)))
    for i, (own, table) in enumerate(zip(calibration.classes, cells, strict=True)):
        part = binary_residuals(own, table)
        sums[:, i] = part.rows[1], part.realised[1], part.expected[1], part.chance[1], part.doubt[1]
    rows, realised, expected, chance, doubt = sums
    return Residuals(rows=rows, realised=realised, expected=expected, chance=chance, doubt=doubt, shares=True)


def regression_residuals(calibration: RegressionCalibration, cells: RegressionCells) -> Residuals:
    """Return the absolute errors, and the signed ones, of all rows."""
    n = cells.counts[:, :, 0].astype(np.float64)
    means = calibration.means
    names = ("absolute_error", "error")
    scatter = [n * np.maximum(means["squared_error"] - means[name] ** 2, 0) for name in names]
    return Residuals(
        rows=np.full(2, n.sum()),
        realised=np.array([cells.total(name) for name in names]),
        expected=np.array([float((n * means[name]).sum()) for name in names]),
        chance=np.array([float(s.sum()) for s in scatter]),
        doubt=np.array([float((n * s / (calibration.weight + 1)).sum()) for s in scatter]),
        shares=False,
        same_rows=True,
    )
