"""A reference without any error, labels far from zero, errors that are all alike: alarms come all the same."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import polars as pl
import pytest
from checked import assert_sound
from sklearn import metrics as sk

from barograph.alerts.severity import Severity
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.report.report import Report

ROWS = 3_000


def regression(seed: int, *, error: float = 3.0, offset: float = 0.0, scale: float = 1.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=ROWS)
    y = offset + scale * (50 + 10 * x)
    return pl.DataFrame({"x": x, "y_pred": y, "y_true": y + scale * error * rng.normal(size=ROWS)})


def value(report: Report, name: str) -> float | None:
    (row,) = [r for r in report.rows if r.monitor == name]
    return row.value


def test_errors_after_a_reference_without_any_are_an_alarm() -> None:
    report = check(regression(0, error=0.0), regression(1), chunk="1000rows")
    assert_sound(report)
    assert report.severity is Severity.CRITICAL
    rows = [r for r in report.rows if r.monitor == "performance.mae"]
    assert {r.status.value for r in rows} == {"breach"}
    limits = [r.limit_upper for r in rows]
    assert limits == pytest.approx([0.001 * 10.0] * 3, rel=0.05)  # a thousandth of the labels' standard deviation
    assert any(incident.title.startswith("MAE rose from 0 to") for incident in report.incidents)


@pytest.mark.parametrize("error", [0.0, 1e-9, 1e-4])
def test_next_to_no_error_after_a_reference_without_any_is_none(error: float) -> None:
    report = check(regression(0, error=0.0), regression(1, error=error), chunk="1000rows")
    assert_sound(report)
    assert report.severity is None
    assert report.verdict.startswith("The model is all right by its labels")


def test_the_median_of_errors_is_seen_although_the_reference_has_none() -> None:
    now = regression(1)
    report = check(regression(0, error=0.0), now, chunk=f"{ROWS}rows")
    median = np.median(np.abs(now["y_pred"] - now["y_true"]))
    assert value(report, "performance.median_absolute_error") == pytest.approx(median, rel=0.05)


def test_errors_of_one_size_are_an_alarm() -> None:
    now = regression(1).with_columns(y_true=pl.col("y_pred") + 40.0)
    report = check(regression(0), now, chunk="1000rows")
    assert report.severity is Severity.CRITICAL
    assert {r.status.value for r in report.rows if r.monitor == "performance.mae"} == {"breach"}


@pytest.mark.parametrize("scored", [True, False])
def test_a_perfect_classifier_that_begins_to_err_is_an_alarm(scored: bool) -> None:
    rng = np.random.default_rng(0)
    label = (rng.random(ROWS) < 0.3).astype(int)
    frame = pl.DataFrame({"x": rng.normal(size=ROWS), "prediction": label, "label": label})
    wrong = frame.with_columns(prediction=np.where(rng.random(ROWS) < 0.1, 1 - label, label))
    if scored:
        frame, wrong = (f.with_columns(score=pl.col("prediction").cast(pl.Float64)) for f in (frame, wrong))
    calm = check(frame, frame, chunk="1000rows")
    assert_sound(calm)
    assert calm.severity is None
    report = check(frame, wrong, chunk="1000rows")
    assert_sound(report)
    assert report.severity is Severity.CRITICAL


@pytest.mark.parametrize(("offset", "scale"), [(1.7e9, 60.0), (1.7e12, 6e4), (1e7, 0.1), (-4e8, 1.0), (0.0, 1e-6)])
def test_r2_of_labels_that_are_large_beside_their_spread(offset: float, scale: float) -> None:
    before, now = (regression(seed, offset=offset, scale=scale) for seed in (0, 1))
    report = check(before, now, chunk=f"{ROWS}rows")
    expected = sk.r2_score(now["y_true"], now["y_pred"])
    assert value(report, "performance.r2") == pytest.approx(expected, abs=1e-3)
    assert value(report, "estimation.r2") == pytest.approx(expected, abs=0.03)


def test_references_and_reports_can_be_pickled_and_copied() -> None:
    reference = fit(regression(0))
    report = check(reference, regression(1))
    for again in (pickle.loads(pickle.dumps(reference)), copy.deepcopy(reference)):
        assert isinstance(again, Reference)
        assert again.to_bytes() == reference.to_bytes()
        assert check(again, regression(1)).to_json() == report.to_json()
    profiles = reference.profile(regression(1))
    assert pickle.loads(pickle.dumps(profiles)).to_bytes() == copy.deepcopy(profiles).to_bytes() == profiles.to_bytes()
    for same in (pickle.loads(pickle.dumps(report)), copy.deepcopy(report)):
        assert same.to_json() == report.to_json()
