"""How much further from the estimate the metrics of another time lie than chance explains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from barograph.estimation.calibration import calibrate
from barograph.estimation.classes import calibrate_classes
from barograph.estimation.estimate import Estimated, estimate_binary, estimate_classes, estimate_regression
from barograph.estimation.regression import calibrate_regression
from barograph.metrics import catalogue
from barograph.outcome import Estimate
from barograph.sketches.cells import BinaryCells, RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable

MIN_BLOCKS = 5
Outcomes = ScoreTable | ClassTables | RegressionCells


def out_of_time_sd(
    blocks: Sequence[tuple[tuple[BinaryCells, ...], Outcomes]],
    *,
    values: tuple[float, float, float, float] | None = None,
) -> dict[str, float]:
    r"""Return, by metric, the standard deviation between times that chance and calibration do not explain.

    Each block of the reference (its cells, none for a regression, and its outcomes) is estimated from all other blocks.
    With the residuals :math:`r_i` = realised − estimated and the standard errors :math:`\sigma_i` of the estimates,

    .. math:: \tau^2 = \max\Big(0, \frac1k \sum_{i=1}^{k} (r_i^2 - \sigma_i^2) - \frac{\bar\sigma^2}{\sqrt{2k}}\Big)

    The last term is half of the standard error that the mean has without any such variation: else, as it is cut at
    zero, chance alone would widen the intervals. It is only as good as the reference is long: what has not varied in
    the reference is not in it, and a reference should hold a season. `values` (of a TN, FP, FN, TP) add
    `business_value`. Empty with fewer than five blocks that have a realised value.
    """
    pairs: dict[str, list[tuple[float, float]]] = {}
    for i, (_, outcomes) in enumerate(blocks):
        others = [block for j, block in enumerate(blocks) if j != i]
        if not others:
            continue
        estimated = _estimate(blocks[i], others, values)
        for name, outcome in estimated.outcomes.items():
            if not isinstance(outcome, Estimate) or outcome.standard_error is None:
                continue
            metric = catalogue()["performance", name]
            realised = metric.function(outcomes, **({"values": values} if metric.takes("values") else {}))
            if isinstance(realised, Estimate):
                pairs.setdefault(name, []).append((realised.value - outcome.value, outcome.standard_error))
    return {name: excess_sd(found) for name, found in pairs.items() if len(found) >= MIN_BLOCKS}


def excess_sd(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the standard deviation of residuals beyond their own standard errors, from (residual, error) pairs.

    >>> round(excess_sd([(0.05, 0.03), (-0.05, 0.03)] * 50), 3)  # 0.04, less the allowance for chance
    0.039
    >>> excess_sd([(0.01, 0.03)])
    0.0
    """
    residuals, errors = np.array(pairs, np.float64).T
    chance = float(np.mean(errors**2)) / np.sqrt(2 * len(pairs))
    return float(np.sqrt(max(float(np.mean(residuals**2 - errors**2)) - chance, 0.0)))


def _estimate(
    block: tuple[tuple[BinaryCells, ...], Outcomes],
    others: Sequence[tuple[tuple[BinaryCells, ...], Outcomes]],
    values: tuple[float, float, float, float] | None,
) -> Estimated:
    cells, outcomes = block
    rest_cells, rest = others[0]
    for more_cells, more in others[1:]:
        rest_cells = tuple(a.merge(b) for a, b in zip(rest_cells, more_cells, strict=True))
        rest = rest.merge(more)  # type: ignore[arg-type]  # all blocks hold the same kind
    match outcomes, rest:
        case ScoreTable(), ScoreTable():
            return estimate_binary(calibrate(rest_cells[0], rest), cells[0], outcomes, values=values)
        case ClassTables(), ClassTables():
            return estimate_classes(calibrate_classes(rest_cells, rest), cells, outcomes)
        case RegressionCells(), RegressionCells():
            return estimate_regression(calibrate_regression(rest), outcomes)
    raise TypeError(f"Blocks of different tasks: {type(outcomes).__name__} and {type(rest).__name__}.")
