"""Estimates of models of several classes."""

from __future__ import annotations

from collections import defaultdict
from types import ModuleType

import numpy as np
import pytest

from barograph.estimation.calibration import calibrate
from barograph.estimation.classes import calibrate_classes
from barograph.estimation.estimate import estimate_binary, estimate_classes
from barograph.metrics import catalogue
from barograph.outcome import Estimate, Undefined


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_intervals_cover_the_realised_metric(world: ModuleType, classes: int) -> None:
    inside = defaultdict(list)
    rng = np.random.default_rng(classes)
    for _ in range(8):
        calibration = calibrate_classes(*world.classes(world.class_rows(rng, 15_000, classes=classes)))
        for _ in range(15):
            cells, tables = world.classes(world.class_rows(rng, 800, classes=classes, shift=0.2))
            for name, outcome in estimate_classes(calibration, cells, tables).outcomes.items():
                realised = catalogue()["performance", name].function(tables)
                assert isinstance(outcome, Estimate)
                inside[name].append(outcome.lower <= realised.value <= outcome.upper)
    shares = {name: float(np.mean(values)) for name, values in inside.items()}
    assert {name: share for name, share in shares.items() if share < 0.88} == {}
    assert shares["accuracy"] < 1.0


def test_two_classes_are_a_binary_model(world: ModuleType) -> None:
    rng = np.random.default_rng(1)
    known, now = world.class_rows(rng, 20_000, classes=2), world.class_rows(rng, 1000, classes=2, shift=0.3)
    cells, tables = world.classes(known)
    own, own_tables = world.classes(now, labelled=False)
    both = estimate_classes(calibrate_classes(cells, tables), own, own_tables).outcomes
    one = estimate_binary(calibrate(cells[1], tables.scores[1]), own[1], own_tables.scores[1]).outcomes
    for name in ("accuracy", "roc_auc", "mcc"):
        a, b = both[name], one[name]
        assert isinstance(a, Estimate)
        assert isinstance(b, Estimate)
        assert a.value == pytest.approx(b.value, abs=0.005), name
        assert a.standard_error == pytest.approx(b.standard_error, rel=0.2), name


def test_no_rows_and_no_labels(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    cells, tables = world.classes(world.class_rows(rng, 900))
    nothing = world.classes(world.class_rows(rng, 0))
    found = estimate_classes(calibrate_classes(cells, tables), *nothing).outcomes
    assert set(found.values()) == {Undefined("current has no rows")}
    unlabelled = calibrate_classes(*world.classes(world.class_rows(rng, 900), labelled=False))
    found = estimate_classes(unlabelled, cells, tables).outcomes
    assert set(found.values()) == {Undefined("the reference has no labelled rows")}
