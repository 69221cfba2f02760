"""Whether labels confirm estimates or contradict them."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from barograph.estimation.calibration import calibrate
from barograph.estimation.classes import calibrate_classes
from barograph.estimation.regression import calibrate_regression
from barograph.labels.residuals import Residuals, binary_residuals, class_residuals, regression_residuals
from barograph.labels.trust import TrustState, Watch, start_watch, watch


def follow(start: Watch, residuals: list[Residuals]) -> Watch:
    for number, found in enumerate(residuals):
        start = watch(start, found, chunk=number)
    return start


def test_residuals_are_sums_over_rows(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    calibration = calibrate(*world.binary(world.rows(rng, 20_000)))
    drawn = world.rows(rng, 900)
    known = rng.random(900) < 0.6
    found = binary_residuals(calibration, world.binary(drawn, known)[0])
    yes, wrong = drawn.prediction[known] == 1, (drawn.prediction != drawn.label)[known]
    assert found.rows.tolist() == [(~yes).sum(), yes.sum()]
    assert found.realised.tolist() == [wrong[~yes].sum(), wrong[yes].sum()]
    assert abs(found.expected - found.realised) == pytest.approx([0, 0], abs=5 * np.sqrt(found.chance.max()))


def test_an_unchanged_concept_is_not_contradicted_and_is_confirmed(world: ModuleType) -> None:
    states = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        drawn = list(world.windows(rng, 20, 1000))
        cells = [world.binary(w)[0] for w in drawn]
        all_cells, all_scores = world.binary(world.rows(rng, 20_000))
        calibration = calibrate(all_cells, all_scores)
        start = start_watch([binary_residuals(calibration, c) for c in cells])
        later = world.windows(rng, 100, 200, shift=0.2)  # 20,000 labels, and other traffic
        found = follow(start, [binary_residuals(calibration, world.binary(w)[0]) for w in later])
        assert found.labels == 20_000
        states.append(found.state)
    # A fifth of the guaranteed mean of 100,000 labels until a false one, twelve times.
    assert states.count(TrustState.CONTRADICTED) <= 2
    assert states.count(TrustState.CONFIRMED) >= 8


def test_a_changed_concept_is_contradicted(world: ModuleType) -> None:
    rng = np.random.default_rng(1)
    calibration = calibrate(*world.binary(world.rows(rng, 20_000)))
    start = start_watch([binary_residuals(calibration, world.binary(w)[0]) for w in world.windows(rng, 20, 1000)])
    later = world.windows(rng, 60, 100, concept=1.0)
    found = follow(start, [binary_residuals(calibration, world.binary(w)[0]) for w in later])
    assert found.state is TrustState.CONTRADICTED
    assert found.contradicted_after is not None
    assert found.contradicted_after <= 1500
    # It stays until the watch is started again.
    again = watch(found, binary_residuals(calibration, world.binary(world.rows(rng, 500))[0]), chunk=99)
    assert again.contradicted_after == found.contradicted_after


def test_blocks_that_differ_by_nature_are_allowed_for(world: ModuleType) -> None:
    contradicted = {True: 0, False: 0}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        known = [world.rows(rng, 200, concept=rng.normal(0, 0.5)) for _ in range(100)]
        total = world.binary(known[0])
        for window in known[1:]:
            cells, scores = world.binary(window)
            total = total[0].merge(cells), total[1].merge(scores)
        calibration = calibrate(*total)
        blocks = [binary_residuals(calibration, world.binary(w)[0]) for w in known]
        later = [
            binary_residuals(calibration, world.binary(world.rows(rng, 200, concept=rng.normal(0, 0.5)))[0])
            for _ in range(100)
        ]
        for aware in (True, False):
            start = start_watch(blocks if aware else [])
            start = start if aware else start_watch([blocks[0]])
            contradicted[aware] += follow(start, later).state is TrustState.CONTRADICTED
    assert contradicted[True] <= 1
    assert contradicted[False] >= 4


def test_few_labels_verify_nothing(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    calibration = calibrate(*world.binary(world.rows(rng, 20_000)))
    one = binary_residuals(calibration, world.binary(world.rows(rng, 50))[0])
    start = start_watch([one])
    assert start.state is TrustState.UNVERIFIED
    assert watch(start, one, chunk=0).state is TrustState.UNVERIFIED
    none = binary_residuals(calibration, world.binary(world.rows(rng, 50), labelled=False)[0])
    assert watch(start, none, chunk=0) is start


def test_a_chunk_counts_once(world: ModuleType) -> None:
    rng = np.random.default_rng(3)
    calibration = calibrate(*world.binary(world.rows(rng, 20_000)))
    found = binary_residuals(calibration, world.binary(world.rows(rng, 300, concept=1.0))[0])
    once = watch(start_watch([found]), found, chunk=7)
    assert watch(once, found, chunk=7) is once


def test_classes_and_regressions(world: ModuleType) -> None:
    rng = np.random.default_rng(4)
    cells, tables = world.classes(world.class_rows(rng, 20_000))
    classes = calibrate_classes(cells, tables)
    same = [class_residuals(classes, world.classes(world.class_rows(rng, 500))[0]) for _ in range(20)]
    found = follow(start_watch(same), same)
    assert found.state is TrustState.CONFIRMED
    assert found.labels == 10_000

    numbers = calibrate_regression(world.regression(world.number_rows(rng, 20_000)))
    blocks = [regression_residuals(numbers, world.regression(world.number_rows(rng, 500))) for _ in range(20)]
    calm = follow(start_watch(blocks), blocks)
    assert calm.state is TrustState.CONFIRMED
    worse = [regression_residuals(numbers, world.regression(world.number_rows(rng, 500, worse=1.5))) for _ in range(20)]
    found = follow(start_watch(blocks), worse)
    assert found.state is TrustState.CONTRADICTED
    assert found.contradicted_after is not None
    assert found.contradicted_after <= 2000
