"""Estimates of windows without labels: values, intervals, refusals."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from barograph.estimation.binary import expect, expectations
from barograph.estimation.calibration import calibrate
from barograph.estimation.estimate import binary_values, estimate_binary
from barograph.estimation.formulas import FORMULAS, BinaryTables
from barograph.metrics import catalogue
from barograph.outcome import Estimate, Undefined

VALUES = (0.0, -1.0, -5.0, 3.0)


def test_labels_that_are_kept_count_as_they_are(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    calibration = calibrate(*world.binary(world.rows(rng, 5000)))
    cells, scores = world.binary(world.rows(rng, 800))
    expected = expect(calibration, cells, scores, keep_labels=True)
    for name, (value, sd, _) in expected.apply(FORMULAS).items():
        realised = catalogue()["performance", name].function(scores)
        assert value == pytest.approx(realised.value, abs=2e-3), name  # mean scores of a bin stand for its rows
        assert sd == 0.0


def test_expected_positives_are_those_of_the_cells(world: ModuleType) -> None:
    rng = np.random.default_rng(1)
    calibration = calibrate(*world.binary(world.rows(rng, 5000)))
    cells, scores = world.binary(world.rows(rng, 700, shift=0.4), labelled=False)
    expected = expect(calibration, cells, scores)
    total = (cells.rows * calibration.rate).sum()
    assert expected.positive.sum() == pytest.approx(total)
    assert expected.table.positive.sum() == pytest.approx(total)
    assert (expected.table.positive >= 0).all()
    assert (expected.table.negative >= -1e-9).all()


def test_many_windows_at_once_are_each_window(world: ModuleType) -> None:
    rng = np.random.default_rng(11)
    calibration = calibrate(*world.binary(world.rows(rng, 5000)))
    each = [world.binary(world.rows(rng, n, shift=shift)) for n, shift in ((0, 0.0), (3, 0.0), (700, 0.4), (900, 9.0))]
    cells = replace(each[0][0], counts=np.stack([one.counts for one, _ in each]))
    parts = ("counts", "sums", "losses", "finest")
    arrays = {part: np.stack([getattr(one, part) for _, one in each]) for part in parts}
    scores = replace(each[0][1], **arrays, agreed=np.zeros(len(each), np.int64))
    many = estimate_binary(calibration, cells, scores, values=VALUES).outcomes
    undefined = 0
    for i, window in enumerate(each):
        for name, one in estimate_binary(calibration, *window, values=VALUES).outcomes.items():
            if isinstance(one, Undefined):
                assert many[name][i] == one
                undefined += 1
                continue
            for number in ("value", "n", "lower", "upper", "standard_error"):
                assert getattr(many[name][i], number) == pytest.approx(getattr(one, number), rel=1e-11, abs=1e-13)
    assert undefined >= len(many)  # without rows


def test_mean_and_deviation_are_those_of_random_replicas(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    calibration = calibrate(*world.binary(world.rows(rng, 5000)))
    cells, scores = world.binary(world.rows(rng, 400, shift=0.3), labelled=False)
    expected = expect(calibration, cells, scores)
    z = rng.standard_normal((4000, *expected.positive.shape)) * np.sqrt(expected.variance)
    drawn = BinaryTables(
        positive=expected.positive + z, negative=expected.rows - expected.positive - z, means=expected.coarse_means
    )
    centre = BinaryTables(
        positive=expected.positive[None],
        negative=(expected.rows - expected.positive)[None],
        means=expected.coarse_means,
    )
    for name, (mean, sd, chance) in expectations(FORMULAS, centre, expected.nudged(), expected.chance_shares()).items():
        replicas = FORMULAS[name](drawn)
        assert sd == pytest.approx(replicas.std(), rel=0.05), name
        assert 0 < chance < sd, name
        assert mean == pytest.approx(replicas.mean(), abs=4 * replicas.std() / 4000**0.5 + 3e-4), name


@pytest.mark.parametrize(
    ("n_reference", "n", "shift", "base"),
    [(30_000, 1000, 0.4, 0.0), (30_000, 150, 0.0, 0.0), (3000, 1000, 0.2, 0.0), (30_000, 1000, 0.2, -2.5)],
    ids=["covariate shift", "small window", "small reference", "rare positives"],
)
def test_intervals_cover_the_realised_metric(
    world: ModuleType, n_reference: int, n: int, shift: float, base: float
) -> None:
    inside = defaultdict(list)
    rng = np.random.default_rng(n)
    for _ in range(10):
        calibration = calibrate(*world.binary(world.rows(rng, n_reference, base=base)))
        for window in world.windows(rng, 30, n, shift=shift, base=base):
            cells, scores = world.binary(window)
            for name, outcome in estimate_binary(calibration, cells, scores, values=VALUES).outcomes.items():
                options = {"values": VALUES} if name == "business_value" else {}
                realised = catalogue()["performance", name].function(scores, **options)
                if isinstance(realised, Estimate) and isinstance(outcome, Estimate):
                    inside[name].append(outcome.lower <= realised.value <= outcome.upper)
    assert len(inside) == len(FORMULAS) + 2
    shares = {name: float(np.mean(values)) for name, values in inside.items()}
    # 300 windows with ten calibrations, so that errors of a small reference come in tens.
    low, high = (0.90, 0.995)
    assert {name: share for name, share in shares.items() if not low <= share <= high} == {}


def test_estimates_have_no_bias_under_covariate_shift(world: ModuleType) -> None:
    rng = np.random.default_rng(4)
    calibration = calibrate(*world.binary(world.rows(rng, 200_000)))
    cells, scores = world.binary(world.rows(rng, 200_000, shift=0.4))
    for name, outcome in estimate_binary(calibration, cells, scores).outcomes.items():
        realised = catalogue()["performance", name].function(scores)
        assert isinstance(outcome, Estimate)
        assert outcome.value == pytest.approx(realised.value, abs=4 * outcome.standard_error), name
        assert outcome.standard_error < 0.004


def test_concept_drift_is_not_seen(world: ModuleType) -> None:
    rng = np.random.default_rng(5)
    calibration = calibrate(*world.binary(world.rows(rng, 50_000)))
    cells, scores = world.binary(world.rows(rng, 20_000, concept=1.5))
    estimate = estimate_binary(calibration, cells, scores).outcomes["accuracy"]
    realised = catalogue()["performance", "accuracy"].function(scores)
    assert isinstance(estimate, Estimate)
    assert estimate.value - realised.value > 0.05


def test_variation_between_times_widens_the_interval(world: ModuleType) -> None:
    rng = np.random.default_rng(6)
    calibration = calibrate(*world.binary(world.rows(rng, 5000)))
    window = world.binary(world.rows(rng, 500), labelled=False)
    plain = estimate_binary(calibration, *window).outcomes["accuracy"]
    wide = estimate_binary(calibration, *window, out_of_time=lambda _: {"accuracy": 0.1}).outcomes["accuracy"]
    assert isinstance(plain, Estimate)
    assert isinstance(wide, Estimate)
    assert wide.standard_error == pytest.approx(np.hypot(plain.standard_error, 0.1))
    assert wide.lower < plain.lower
    assert wide.upper <= 1.0


def test_no_rows_and_no_reference_are_undefined(world: ModuleType) -> None:
    rng = np.random.default_rng(7)
    cells, scores = world.binary(world.rows(rng, 500))
    nothing = world.binary(world.rows(rng, 0))
    found = estimate_binary(calibrate(cells, scores), *nothing).outcomes
    assert set(found.values()) == {Undefined("current has no rows")}
    unlabelled = calibrate(*world.binary(world.rows(rng, 500), labelled=False))
    found = estimate_binary(unlabelled, cells, scores).outcomes
    assert set(found.values()) == {Undefined("the reference has no labelled rows")}


def test_one_row(world: ModuleType) -> None:
    rng = np.random.default_rng(8)
    calibration = calibrate(*world.binary(world.rows(rng, 5000)))
    for _ in range(20):
        window = world.binary(world.rows(rng, 1), labelled=False)
        for outcome in estimate_binary(calibration, *window).outcomes.values():
            assert isinstance(outcome, Undefined) or np.isfinite((outcome.lower, outcome.upper)).all()


def test_rows_without_a_score_count_for_thresholded_metrics_only(world: ModuleType) -> None:
    rng = np.random.default_rng(9)
    cells, scores = world.binary(world.rows(rng, 5000))
    scores.counts[1, -1] = (10, 90, 0, 0)  # no score, predicted yes: nine in ten are right
    calibration = calibrate(cells, scores)
    own_cells, own = world.binary(world.rows(rng, 1000), labelled=False)
    before = binary_values(expect(calibration, own_cells, own))
    own.counts[1, -1] = (0, 0, 1000, 0)
    after = binary_values(expect(calibration, own_cells, own))
    assert after["roc_auc"] == pytest.approx(before["roc_auc"])
    assert after["accuracy"][0] == pytest.approx((before["accuracy"][0] + 0.88) / 2, abs=0.02)
