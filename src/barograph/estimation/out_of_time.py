"""How far the blocks of a reference lie from their estimates."""

from __future__ import annotations

from collections.abc import Sequence

from barograph.estimation.calibration import calibrate
from barograph.estimation.classes import calibrate_classes
from barograph.estimation.estimate import Estimated, estimate_binary, estimate_classes, estimate_regression
from barograph.estimation.experience import Residual
from barograph.estimation.regression import calibrate_regression
from barograph.metrics import catalogue
from barograph.outcome import Estimate
from barograph.sketches.cells import BinaryCells, RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable

Outcomes = ScoreTable | ClassTables | RegressionCells


def residuals(
    blocks: Sequence[tuple[tuple[BinaryCells, ...], Outcomes]],
    middles: Sequence[float],
    *,
    values: tuple[float, float, float, float] | None = None,
) -> dict[str, list[Residual]]:
    """Return, by metric, what the estimate of each block missed that is made from all other blocks.

    A block is its cells (none for a regression) and its outcomes; `middles` are their times in lengths of the
    reference, rising from 0 to 1. `values` (of a TN, FP, FN, TP) add `business_value`. A block whose metric has no
    value, estimated or realised, is left out of that metric; a single block gives nothing.
    """
    found: dict[str, list[Residual]] = {}
    for i, (_, outcomes) in enumerate(blocks):
        others = [block for j, block in enumerate(blocks) if j != i]
        if not others:
            continue
        estimated = _estimate(blocks[i], others, values)
        for name, expected in estimated.expected.items():
            outcome = estimated.outcomes[name]
            if not isinstance(outcome, Estimate):
                continue
            metric = catalogue()["performance", name]
            realised = metric.function(outcomes, **({"values": values} if metric.takes("values") else {}))
            if isinstance(realised, Estimate):
                gap = realised.value - outcome.value
                residual = Residual(gap, expected.chance, expected.calibration, outcome.n, middles[i])
                found.setdefault(name, []).append(residual)
    return found


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
