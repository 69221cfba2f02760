"""Estimated errors of regressions."""

from __future__ import annotations

from collections import defaultdict
from types import ModuleType

import numpy as np
import pytest

from barograph.errors import MismatchError
from barograph.estimation.estimate import estimate_regression
from barograph.estimation.regression import FORMULAS, calibrate_regression
from barograph.metrics import catalogue
from barograph.outcome import Estimate, Undefined
from barograph.sketches.cells import RegressionCells


def test_the_reference_estimated_from_itself_is_realised(world: ModuleType) -> None:
    cells = world.regression(world.number_rows(np.random.default_rng(0), 5000))
    found = estimate_regression(calibrate_regression(cells, strength=1e-9), cells).outcomes
    for name in FORMULAS:
        realised = catalogue()["performance", name].function(cells)
        assert isinstance(found[name], Estimate)
        assert found[name].value == pytest.approx(realised.value, rel=1e-6), name


@pytest.mark.parametrize(("n_reference", "shift"), [(30_000, 0.3), (2000, 0.0)])
def test_intervals_cover_the_realised_metric(world: ModuleType, n_reference: int, shift: float) -> None:
    inside = defaultdict(list)
    rng = np.random.default_rng(1)
    for _ in range(20):
        calibration = calibrate_regression(world.regression(world.number_rows(rng, n_reference)))
        for _ in range(15):
            cells = world.regression(world.number_rows(rng, 400, shift=shift))
            for name, outcome in estimate_regression(calibration, cells).outcomes.items():
                realised = catalogue()["performance", name].function(cells)
                assert isinstance(outcome, Estimate)
                inside[name].append(outcome.lower <= realised.value <= outcome.upper)
    shares = {name: float(np.mean(values)) for name, values in inside.items()}
    assert {name: share for name, share in shares.items() if not 0.91 <= share <= 0.99} == {}


def test_errors_follow_the_traffic_and_not_the_concept(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    calibration = calibrate_regression(world.regression(world.number_rows(rng, 50_000)))
    harder = world.regression(world.number_rows(rng, 20_000, shift=0.5))
    worse = world.regression(world.number_rows(rng, 20_000, worse=2.0))
    mae = {}
    for name, cells in {"harder": harder, "worse": worse}.items():
        outcome = estimate_regression(calibration, cells).outcomes["mae"]
        mae[name] = outcome.value, catalogue()["performance", "mae"].function(cells).value
    assert mae["harder"][0] == pytest.approx(mae["harder"][1], rel=0.02)
    assert mae["worse"][0] < 0.6 * mae["worse"][1]


def test_logarithms_that_do_not_exist_make_it_undefined(world: ModuleType) -> None:
    drawn = world.number_rows(np.random.default_rng(3), 2000)
    cells = world.regression(drawn)
    cells.sums[:, :, 9] *= 0.9  # a tenth of the rows has a label of -1 or less
    found = estimate_regression(calibrate_regression(cells), cells).outcomes
    assert isinstance(found["msle"], Undefined)
    assert isinstance(found["rmsle"], Undefined)
    assert isinstance(found["mae"], Estimate)


def test_no_rows_no_labels_and_other_bins(world: ModuleType) -> None:
    rng = np.random.default_rng(4)
    cells = world.regression(world.number_rows(rng, 500))
    nothing = RegressionCells.empty(cells.edges, leaves=len(cells.counts))
    found = estimate_regression(calibrate_regression(cells), nothing).outcomes
    assert set(found.values()) == {Undefined("current has no rows")}
    found = estimate_regression(calibrate_regression(nothing), cells).outcomes
    assert set(found.values()) == {Undefined("the reference has no labelled rows")}
    with pytest.raises(MismatchError, match="partitions"):
        estimate_regression(calibrate_regression(cells), RegressionCells.empty(np.array([1.0]), leaves=3))
