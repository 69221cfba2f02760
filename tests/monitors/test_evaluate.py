"""Limits keep their stated rate when nothing has changed, and see what has."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barograph.metrics import catalogue
from barograph.monitors.defaults import default_monitors
from barograph.monitors.evaluate import evaluate
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import COLUMNS, Result, results_frame
from barograph.profiles.profiles import Profiles
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.rules.limits import Status

sys.path.insert(0, str(Path(__file__).parents[1]))
from logged import events

ALPHA = 0.01
DESCRIPTIVE = {m.name for m in catalogue().values() if m.no_limits or m.name in ("row_count", "constant_column")}
NEVER_NEGATIVE_AT_REST = ("missing_share", "unseen_share", "out_of_range_share", "type_error_share", "duplicate_share")


def in_blocks(frame: pl.DataFrame, *, seed: int, sd: float, size: int = 1000) -> pl.DataFrame:
    """Shift the first feature, and the score with it, by one random amount for each `size` rows."""
    shift = pl.Series(np.repeat(np.random.default_rng(seed).normal(0, sd, len(frame) // size + 1), size)[: len(frame)])
    odds = (pl.col("score") / (1 - pl.col("score"))).log() + 1.5 * shift
    score = 1 / (1 + (-odds).exp())
    drawn = pl.Series(np.random.default_rng(seed + 1).random(len(frame)))
    moved = frame.with_columns(x=pl.col("x") + shift, score=score)
    return moved.with_columns(label=(drawn < pl.col("score")).cast(pl.Int64))


def breach_rates(*, sd: float, references: int) -> dict[str, float]:
    """Return, by metric, the share of chunks in breach over several references without any change, tolerance zero."""
    counts: dict[str, list[bool]] = defaultdict(list)
    for i in range(references):
        reference = fit(in_blocks(events(20_000, seed=100 + i), seed=i, sd=sd))
        current = in_blocks(events(120_000, seed=200 + i), seed=900 + i, sd=sd)
        profiles = reference.profile(current, chunk="1000rows")
        monitors = [replace(m, tolerance=0.0) for m in default_monitors(reference.yardstick)]
        for row in evaluate(reference, profiles, monitors, alpha=ALPHA):
            if row.status is not Status.UNDEFINED and row.metric not in DESCRIPTIVE:
                counts[row.metric].append(row.status is Status.BREACH)
    return {metric: float(np.mean(breaches)) for metric, breaches in counts.items()}


def test_limits_keep_their_rate_for_independent_rows() -> None:
    rates = breach_rates(sd=0.0, references=5)
    assert {m: r for m, r in rates.items() if r > 0.03} == {}
    assert np.mean([r for m, r in rates.items() if m not in NEVER_NEGATIVE_AT_REST]) < 0.012
    # Limits that nothing reaches would keep any rate: the exact ones must be reached about as often as stated.
    for metric in ("roc_auc", "accuracy", "log_loss", "wasserstein", "energy"):
        assert rates[metric] > 0.001, metric


def test_limits_know_that_days_differ() -> None:
    rates = breach_rates(sd=0.2, references=5)
    assert {m: r for m, r in rates.items() if r > 0.08} == {}
    assert np.mean(list(rates.values())) < 0.03


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit(events(20_000, seed=1), segments=["colour"])


def run(reference: Reference, profiles: Profiles, **options: object) -> list[Result]:
    segments = ("colour=red",)
    return evaluate(reference, profiles, default_monitors(reference.yardstick, segments=segments), **options)  # type: ignore[arg-type]


def test_what_has_changed_is_seen_and_the_rest_is_not(reference: Reference) -> None:
    moved = events(20_000, seed=2, shift=0.5)
    results = run(reference, reference.profile(moved, chunk="1w"))
    in_breach = {(r.metric, r.column) for r in results if r.status is Status.BREACH and r.family == "drift"}
    for metric in ("kolmogorov_smirnov", "psi", "wasserstein", "total_variation", "energy", "jensen_shannon"):
        assert (metric, "x") in in_breach, metric
    assert not {column for _, column in in_breach} & {"amount", "colour"}


def test_concept_drift_is_a_loss_of_performance(reference: Reference) -> None:
    results = run(reference, reference.profile(events(20_000, seed=3, noise=0.4), chunk="1w"))
    status = {(r.metric, r.segment): r.status for r in results if r.chunk == "2024-01-08"}
    for metric in ("roc_auc", "accuracy", "log_loss", "brier_score", "f1"):
        assert status[metric, None] is Status.BREACH, metric
    assert status["roc_auc", "colour=red"] is Status.BREACH
    assert status["kolmogorov_smirnov", None] is Status.OK


def test_the_reference_itself_is_never_in_breach(reference: Reference) -> None:
    results = run(reference, reference.profile(events(20_000, seed=1), chunk="1w"))
    assert [r for r in results if r.status is Status.BREACH] == []


def test_rows_say_what_they_are(reference: Reference) -> None:
    results = run(reference, reference.profile(events(3_000, seed=4), chunk="1w"), model="m", version="7")
    frame = results_frame(results)
    assert tuple(frame.columns) == COLUMNS
    assert set(frame["model"]) == {"m"}
    assert frame.filter(pl.col("status") == "undefined")["reason"].null_count() == 0
    assert frame.filter(pl.col("status") != "undefined")["value"].null_count() == 0
    assert frame["value"].is_nan().sum() == 0
    names = {(r.monitor, r.chunk) for r in results}
    assert len(names) == len(results)


def test_a_chunk_without_rows_is_a_breach_of_row_count_and_else_undefined(reference: Reference) -> None:
    gap = events(20_000, seed=5).filter(pl.col("timestamp").dt.day() != 5)
    results = run(reference, reference.profile(gap, chunk="1d"))
    empty = {r.metric: r.status for r in results if r.chunk == "2024-01-05" and r.column is None}
    assert empty.pop("row_count") is Status.BREACH
    assert set(empty.values()) == {Status.UNDEFINED}


def test_row_counts_are_compared_with_what_usually_comes_in_such_a_chunk(reference: Reference) -> None:
    for chunk, usual in (("1d", 1000.0), ("1w", 7000.0)):  # the reference has twenty days with a thousand rows each
        rows = run(reference, reference.profile(events(20_000, seed=5), chunk=chunk))
        counts = [r.reference_value for r in rows if r.metric == "row_count" and r.segment is None]
        assert {round(n, -2) for n in counts if n is not None} == {usual}


def test_no_labels_is_undefined_with_the_reason(reference: Reference) -> None:
    results = run(reference, reference.profile(events(2_000, seed=6).with_columns(label=None)))
    for row in results:
        if row.family == "performance" and row.segment is None:
            assert row.status is Status.UNDEFINED
            assert "label" in (row.reason or "")
            assert row.label_coverage == 0.0


def test_monitors_have_names_of_their_own(reference: Reference) -> None:
    monitors = default_monitors(reference.yardstick, segments=("colour=red",), values=(0, -1, -5, 10))
    assert len({m.name for m in monitors}) == len(monitors)
    assert all(isinstance(m, Monitor) for m in monitors)
    assert any(m.metric.name == "business_value" for m in monitors)


def test_results_without_rows_are_a_frame_with_columns() -> None:
    frame = results_frame([])
    assert tuple(frame.columns) == COLUMNS
    assert frame.schema["chunk_start"] == pl.Datetime("us", "UTC")


def test_new_rare_categories_are_normal_where_categories_are_rare() -> None:
    import barograph

    def with_rare(n: int, seed: int) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        place = [f"place {k}" for k in rng.zipf(1.3, n)]
        return events(n, seed=seed).with_columns(
            place=pl.Series(place), token=pl.Series(rng.integers(0, 2**60, n)).cast(str)
        )

    reference = with_rare(20_000, 11)
    same = barograph.check(reference, with_rare(20_000, 12), chunk="1d", types={"token": "categorical"})
    assert [i.title for i in same.incidents] == []
    other = with_rare(20_000, 13).with_columns(place=pl.lit("nowhere"))
    changed = barograph.check(reference, other, chunk="1d", types={"token": "categorical"})
    assert any("place" in i.title for i in changed.incidents)
