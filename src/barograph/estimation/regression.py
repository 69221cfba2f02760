"""The expected errors of predictions without labels: a regression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from barograph.arrays import Floats
from barograph.errors import MismatchError
from barograph.estimation.experience import Expectation
from barograph.estimation.support import Support, support
from barograph.sketches.cells import REGRESSION_SUMS, RegressionCells

Totals = Mapping[str, float]
STRENGTH = 10.0  # rows of the prior, as for binary cells
CONSTANT = 1e-12  # a variance below this share of the mean square is rounding: the labels are all alike
# The sum of the squares of a sum's terms, from which the terms' variance follows.
_SQUARES = {
    "error": "squared_error",
    "absolute_error": "squared_error",
    "squared_error": "fourth_power_error",
    "percentage_rows": "percentage_rows",
    "percentage_error": "squared_percentage_error",
    "log_rows": "log_rows",
    "squared_log_error": "fourth_power_log_error",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegressionCalibration:
    """The reference's answer to "how large is the error?", learned once from its labelled rows.

    `means` maps each name of `REGRESSION_SUMS` to its mean per row in each cell (L, J); `weight` (L, J) is the number
    of rows behind it, the prior's included.
    """

    cells: RegressionCells
    means: Mapping[str, Floats]
    weight: Floats

    @property
    def n(self) -> int:
        """Return the number of labelled reference rows."""
        return int(self.cells.n)

    def support(self, current: RegressionCells) -> Support:
        """Return how well the reference covers the rows of `current`."""
        if current.counts.shape != self.cells.counts.shape or not np.array_equal(current.edges, self.cells.edges):
            raise MismatchError(
                "Cells of different partitions cannot be compared. Profile both sets of rows with one reference: "
                "reference.profile(frame)."
            )
        return support(self.cells.counts[:, :, 0], current.counts.sum(axis=2))


def calibrate_regression(cells: RegressionCells, *, strength: float = STRENGTH) -> RegressionCalibration:
    r"""Learn the mean of every error sum in each cell from labelled reference rows.

    .. math:: \bar e_{\ell b} = \frac{\sum_{i \in \ell b} e_i + m \bar e_b}{n_{\ell b} + m}

    with the mean :math:`\bar e_b` of the whole prediction bin, and `m` = `strength`. A bin without labelled rows has
    the overall mean. With no labelled rows every mean is zero, and `n` is 0.
    """
    n = cells.counts[:, :, 0].astype(np.float64)[:, :, None]
    overall = cells.sums.sum(axis=(0, 1)) / max(n.sum(), 1.0)
    of_bin = (cells.sums.sum(axis=0) + overall) / (n.sum(axis=0) + 1)
    means = (cells.sums + strength * of_bin) / (n + strength)
    return RegressionCalibration(
        cells=cells,
        means={name: means[:, :, i] for i, name in enumerate(REGRESSION_SUMS)},
        weight=n[:, :, 0] + strength,
    )


def mae(t: Totals) -> float:
    """Return Σ|e| / n."""
    return t["absolute_error"] / t["n"]


def mse(t: Totals) -> float:
    """Return Σe² / n."""
    return t["squared_error"] / t["n"]


def rmse(t: Totals) -> float:
    """Return √(Σe² / n)."""
    return float(np.sqrt(max(t["squared_error"], 0.0) / t["n"]))


def mape(t: Totals) -> float:
    """Return Σ|e / y| over the rows with y ≠ 0, divided by their number."""
    return t["percentage_error"] / t["percentage_rows"] if t["percentage_rows"] > 0 else float("nan")


def msle(t: Totals) -> float:
    """Return Σ(ln(1 + p) - ln(1 + y))² / n; NaN where a row without that logarithm is expected."""
    return t["squared_log_error"] / t["log_rows"] if t["log_rows"] > t["n"] - 0.5 else float("nan")


def rmsle(t: Totals) -> float:
    """Return √msle."""
    return float(np.sqrt(max(msle(t), 0.0)))


def r2(t: Totals) -> float:
    """Return 1 - Σe² / Σ(y - ȳ)²."""
    deviance = t["squared_label"] - t["label"] ** 2 / t["n"]
    return 1 - t["squared_error"] / deviance if deviance > CONSTANT * t["squared_label"] else float("nan")


def bias(t: Totals) -> float:
    """Return Σe / n, with e = prediction - label."""
    return t["error"] / t["n"]


FORMULAS: Mapping[str, Callable[[Totals], float]] = {
    formula.__name__: formula for formula in (bias, mae, mape, mse, msle, r2, rmse, rmsle)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTotals:
    """The expected sums of a window, the standard deviations of some, and that of R². `chance` is its part of them."""

    totals: Totals
    sd: Totals
    sd_of_r2: float
    chance: Totals
    chance_of_r2: float

    def apply(self, name: str) -> Expectation:
        """Return the expected value of a metric and its standard deviation; NaN where the metric has no value.

        Each sum that it uses is moved up and down by its standard deviation; correlations of the sums are left out.
        """
        formula = FORMULAS[name]
        if name == "r2":
            return Expectation(formula(self.totals), self.sd_of_r2, self.chance_of_r2)
        variance = chance = 0.0
        for of, sd in self.sd.items():
            up, down = (formula({**self.totals, of: self.totals[of] + sign * sd}) for sign in (1, -1))
            slope = (up - down) / 2
            if np.isfinite(slope) and sd:
                variance += slope**2
                chance += (slope * self.chance[of] / sd) ** 2
        return Expectation(formula(self.totals), float(np.sqrt(variance)), float(np.sqrt(chance)))


def expect_regression(calibration: RegressionCalibration, cells: RegressionCells) -> ExpectedTotals:
    r"""Return the expected sums of the rows in `cells`, labelled or not.

    With `N` rows in a cell of mean :math:`\bar e`, variance :math:`s^2` and weight `w`, a sum has the mean
    :math:`\sum N \bar e` and the variance :math:`\sum N s^2 + N^2 s^2 / (w + 1)`: what the realised sum will scatter,
    and the calibration. For R² = 1 - r, the variance within a cell is that of
    :math:`(1 - r) e^2 + 2 r (\bar p - \bar y) e`, where the label is y = p - e; the spread of predictions
    within a cell and the skewness of errors are neglected.
    """
    N = cells.counts.sum(axis=2).astype(np.float64)
    factor = np.stack([N + N**2 / (calibration.weight + 1), N])  # both, and chance alone
    means = calibration.means
    totals = {name: float(np.sum(N * mean)) for name, mean in means.items()}
    totals["n"] = n = float(N.sum())
    both = {
        name: np.sqrt(np.sum(factor * np.maximum(means[square] - means[name] ** 2, 0), axis=(1, 2))).tolist()
        for name, square in _SQUARES.items()
    }
    mean = totals["label"] / max(n, 1.0)
    deviance = totals["squared_label"] - n * mean**2
    r = totals["squared_error"] / deviance if deviance > 0 else 0.0
    e, e2 = means["error"], means["squared_error"]
    slope = 2 * r * (means["label"] + e - mean)  # label + e is the mean prediction of the cell
    within = (1 - r) ** 2 * np.maximum(means["fourth_power_error"] - e2**2, 0) + slope**2 * np.maximum(e2 - e**2, 0)
    of_r2 = np.sqrt(np.sum(factor * within, axis=(1, 2))) / deviance if deviance > 0 else np.zeros(2)
    return ExpectedTotals(
        totals=totals,
        sd={name: sd for name, (sd, _) in both.items()},
        sd_of_r2=float(of_r2[0]),
        chance={name: chance for name, (_, chance) in both.items()},
        chance_of_r2=float(of_r2[1]),
    )
