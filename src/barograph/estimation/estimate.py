"""Every performance metric of a window without labels, with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any  # an outcome, or outcomes

import numpy as np

from barograph.arrays import Number
from barograph.estimation.binary import Expected, expect
from barograph.estimation.calibration import BinaryCalibration
from barograph.estimation.calibration_error import calibration_error
from barograph.estimation.classes import ClassesCalibration, expect_classes
from barograph.estimation.experience import Expectation
from barograph.estimation.formulas import business_value, formulas
from barograph.estimation.regression import FORMULAS as REGRESSION_FORMULAS
from barograph.estimation.regression import RegressionCalibration, expect_regression
from barograph.estimation.support import Support
from barograph.metrics import catalogue
from barograph.outcome import Estimate, Outcome, Outcomes, Undefined, outcome
from barograph.sketches.cells import BinaryCells, RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import NONE, ScoreTable, whole

# From what is expected of a window to the standard deviation between times that is added to each metric.
OutOfTime = Callable[[Mapping[str, Expectation]], Mapping[str, Number]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """The performance metrics of a window, or of many, by name, estimated, and how well the reference covers it.

    They hold if the concept is unchanged: where P(label | features) is no longer the reference's, they are wrong
    without a sign of it in the features. When the window is outside of what the reference knows, all are Undefined.
    `expected` is what the values and intervals of the others come from.
    """

    outcomes: Mapping[str, Any]  # Outcome, or Outcomes of many
    support: Support
    expected: Mapping[str, Expectation] = field(default_factory=dict)


def estimate_binary(
    calibration: BinaryCalibration,
    cells: BinaryCells,
    scores: ScoreTable,
    *,
    out_of_time: OutOfTime | None = None,
    values: tuple[float, float, float, float] | None = None,
    level: float = 0.95,
) -> Estimated:
    r"""Estimate the performance of a binary model from features and scores alone.

    The interval is for the metric that the labels of these very rows will show: the reference's rates say what each
    cell should hold, and its variance is

    .. math:: \sigma^2 = \sigma^2_\text{chance} + \sigma^2_\text{calibration} + \tau^2

    with :math:`\tau` from `out_of_time`, such as :meth:`~barograph.estimation.experience.Experience.excess` at the time
    of the window.
    `values` (of a TN, FP, FN, TP) add `business_value`. Labels that the window has are not used.
    """
    support = calibration.support(cells)
    n = whole(scores.counts[..., :NONE, :, :].sum(axis=(-3, -2, -1)))
    found = binary_values(expect(calibration, cells, scores), values=values)
    return _estimated(found, n, scores.rows, support, out_of_time, level)


def estimate_classes(
    calibration: ClassesCalibration,
    cells: Sequence[BinaryCells],
    tables: ClassTables,
    *,
    out_of_time: OutOfTime | None = None,
    level: float = 0.95,
) -> Estimated:
    """Estimate the performance of a multiclass model from one yes-or-no question a class.

    Averages over classes are `macro`. See :func:`estimate_binary` for the interval and `out_of_time`.
    """
    support = calibration.support(cells)
    n = int(tables.confusion.counts[:-1].sum())  # a prediction that is no class is one
    found = expect_classes(calibration, cells, tables).values()
    return _estimated(found, n, tables.rows, support, out_of_time, level)


def estimate_regression(
    calibration: RegressionCalibration,
    cells: RegressionCells,
    *,
    out_of_time: OutOfTime | None = None,
    level: float = 0.95,
) -> Estimated:
    """Estimate the errors of a regression from features and predictions alone.

    See :func:`estimate_binary` for the interval and `out_of_time`.
    """
    support = calibration.support(cells)
    n = int(cells.counts.sum())
    if problem := next((why for where, why in _problems(n, cells.rows, support) if where), None):
        return Estimated(outcomes=dict.fromkeys(REGRESSION_FORMULAS, Undefined(problem)), support=support)
    expected = expect_regression(calibration, cells)
    found = {name: expected.apply(name) for name in REGRESSION_FORMULAS}
    return _estimated(found, n, cells.rows, support, out_of_time, level)


def _estimated(
    found: Mapping[str, Expectation],
    n: Number,
    rows: Number,
    support: Support,
    out_of_time: OutOfTime | None,
    level: float,
) -> Estimated:
    problems = _problems(n, rows, support)
    outcomes = outcomes_of(found, n, problems=problems, out_of_time=out_of_time, level=level)
    return Estimated(outcomes=outcomes, support=support, expected=found)


def binary_values(
    expected: Expected, *, values: tuple[float, float, float, float] | None = None
) -> dict[str, Expectation]:
    """Return each metric of the expected outcomes, NaN where there is none."""
    known = formulas()
    if values is not None:
        known["business_value"] = business_value(values)
    return {**expected.apply(known), "expected_calibration_error": calibration_error(expected)}


def outcomes_of(
    found: Mapping[str, Expectation],
    n: Number,
    *,
    problems: Sequence[tuple[Number, str]] = (),
    out_of_time: OutOfTime | None = None,
    level: float = 0.95,
) -> dict[str, Any]:
    """Return estimates with normal intervals, cut at the bounds of the metric, in the order of names.

    Each is an outcome, or the outcomes of many chunks. `problems` say where none is made, and why.
    """
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    excess = out_of_time(found) if out_of_time is not None else {}
    outcomes: dict[str, Outcome | Outcomes] = {}
    for name, (mean, sd, _) in sorted(found.items()):
        low, high = catalogue()["performance", name].bounds
        known = np.isfinite(mean)
        value, error = np.clip(np.where(known, mean, 0.0), low, high), np.hypot(sd, excess.get(name, 0.0))
        nothing = (~known, f"{name} has no value for the outcomes that the reference expects")
        one = outcome(
            value,
            n=n,
            undefined=[*problems, nothing],
            lower=np.maximum(low, value - z * error),
            upper=np.minimum(high, value + z * error),
            standard_error=error,
        )
        outcomes[name] = replace(one, level=level) if isinstance(one, Estimate) else one
    return outcomes


def _problems(n: Number, rows: Number, support: Support) -> list[tuple[Number, str]]:
    none = np.equal(n, 0)
    return [
        (none & np.equal(rows, 0), "current has no rows"),
        (none, "no row has a usable prediction"),
        *support.problems,
    ]
