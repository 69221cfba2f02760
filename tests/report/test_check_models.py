"""`check` of models of every shape, and of every kind of frame."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from checked import BASE, Change, N, assert_same, assert_sound, events, left_out, titles, undefined

from barograph.alerts.severity import Severity
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.rules.limits import Status

# What the model is and what it has


def test_no_labels_in_production_give_an_estimated_verdict(reference: Reference) -> None:
    for frame in (BASE.drop("label"), BASE.with_columns(label=pl.lit(None, pl.Int64))):
        report = check(reference, frame)
        assert_sound(report)
        assert report.verdict.startswith("The model is all right as far as can be estimated without labels (3,000 rows")
        assert undefined(report, "performance.accuracy") == {"no labels have arrived"}
        assert {r.status for r in report.rows if r.monitor == "estimation.roc_auc"} == {Status.OK}


def test_a_loss_is_estimated_before_labels_arrive(reference: Reference) -> None:
    doubtful = events(4 * N, seed=2).filter(pl.col("score").is_between(0.3, 0.7)).drop("label")
    report = check(reference, doubtful)
    assert report.severity is Severity.CRITICAL
    assert report.verdict.startswith("The model is in trouble: Estimated ")


def test_labels_without_any_in_the_reference_are_shown_and_not_judged() -> None:
    report = check(BASE.with_columns(label=pl.lit(None, pl.Int64)), BASE)
    assert_sound(report)
    assert any(row.family == "performance" and row.value is not None for row in report.rows)
    assert "cannot be told, as the reference has no labels to compare with" in report.verdict


def test_part_of_the_labels(reference: Reference) -> None:
    report = check(reference, BASE.with_columns(label=pl.when(pl.int_range(N) % 4 == 0).then("label")))
    assert_sound(report)
    assert "all right by the labels that have arrived (25%)" in report.verdict
    assert [row.label_coverage for row in report.rows] == pytest.approx([0.25] * len(report.rows), abs=0.01)


def as_prediction(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(prediction=(pl.col("score") >= 0.5).cast(pl.Int64)).drop("score")


def as_regression(frame: pl.DataFrame) -> pl.DataFrame:
    error = pl.Series(np.random.default_rng(5).normal(0, 1, len(frame)))
    return frame.drop("label", "score").with_columns(target=pl.col("x") * 2 + error, prediction=pl.col("x") * 2)


def as_multiclass(frame: pl.DataFrame) -> pl.DataFrame:
    rng = np.random.default_rng(6)
    likely = rng.integers(0, 3, len(frame))
    chances = np.full((len(frame), 3), 0.15)
    chances[np.arange(len(frame)), likely] = 0.7
    truth = (rng.random((len(frame), 1)) > chances.cumsum(axis=1)).sum(axis=1)
    names = np.array(["away", "draw", "home"])
    scores = {f"proba_{name}": chances[:, i] for i, name in enumerate(names)}
    outcome = {"target": names[truth], "prediction": names[likely]}
    return frame.drop("label", "score").with_columns(**{k: pl.Series(v) for k, v in (outcome | scores).items()})


SHAPES: dict[str, tuple[Change, str]] = {
    "score": (lambda f: f, "performance.roc_auc"),
    "prediction": (as_prediction, "performance.accuracy"),
    "score and prediction": (
        lambda f: f.with_columns(prediction=(pl.col("score") >= 0.5).cast(pl.Int64)),
        "performance.roc_auc",
    ),
    "no features": (lambda f: f.select("score", "label"), "performance.roc_auc"),
    "multiclass": (as_multiclass, "performance.log_loss"),
    "multiclass, prediction only": (
        lambda f: as_multiclass(f).select("x", "target", "prediction"),
        "performance.accuracy",
    ),
    "regression": (as_regression, "performance.mae"),
    "truth values": (lambda f: f.with_columns(label=pl.col("label") == 1), "performance.roc_auc"),
    "words": (
        lambda f: f.with_columns(label=pl.when(pl.col("label") == 1).then(pl.lit("Yes")).otherwise(pl.lit("No"))),
        "performance.roc_auc",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [0, 1, N])
def test_models_of_every_shape(shape: str, rows: int) -> None:
    change, metric = SHAPES[shape]
    frame = change(BASE)
    report = check(frame, frame.head(rows))
    assert_sound(report)
    if rows == N:
        assert report.severity is None
        assert {r.status for r in report.rows if r.monitor == metric} <= {Status.OK, Status.WARNING}
        assert any(r.limit_lower or r.limit_upper for r in report.rows if r.monitor == metric)
        assert "all right by its labels" in report.verdict
    reported = {r.column for r in report.rows if r.column}
    assert reported <= set(frame.columns)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        (("x", "amount", "colour"), "neither a prediction nor a score is known"),
        (("x", "label"), "neither a prediction nor a score is known"),
        (("label",), "neither a prediction nor a score is known"),
        (("x", "score"), "the reference has no labels to compare with"),
        (("score",), "the reference has no labels to compare with"),
    ],
)
def test_what_is_not_known_is_not_called_all_right(columns: tuple[str, ...], why: str) -> None:
    frame = BASE.select(columns)
    report = check(frame, frame)
    assert_sound(report)
    assert report.verdict.startswith(f"Whether the model is all right cannot be told, as {why}; nothing that was")


def test_a_prediction_without_labels_or_score_cannot_be_estimated() -> None:
    frame = as_prediction(BASE)
    report = check(frame, frame.drop("label"))
    assert_sound(report)
    assert "no labels have arrived, and without a score nothing is estimated" in report.verdict
    assert "no score column is known" in left_out(report)["metrics of scores"]


# Names, types and kinds of frames


NAMES = {"x": "größe ñ 数", "amount": "a b.c", "colour": "farbe.$x=1", "score": "my score", "label": "y [true]"}


@pytest.mark.parametrize("names", [NAMES, {"x": "a\nb", "amount": "{}", "colour": '"`', "score": "%s", "label": "''"}])
def test_names_may_hold_anything(names: dict[str, str]) -> None:
    frame = BASE.rename(names)
    colour = names["colour"]
    given = {"score": names["score"], "label": names["label"], "segments": [colour]}
    report = check(frame, frame.with_columns(pl.lit(None, pl.Float64).alias(names["amount"])), **given)
    assert_sound(report)
    assert titles(report, Severity.WARNING)[0].startswith(f"{names['amount']} is missing in 100 %")
    assert {r.segment for r in report.rows if r.segment} == {f"{colour}={value}" for value in ("red", "green", "blue")}


def test_a_segment_value_may_look_like_a_special_one() -> None:
    odd = pl.when(pl.col("colour") == "red").then(pl.lit("(missing)")).otherwise("colour")
    frame = BASE.with_columns(colour=odd)
    some_missing = frame.with_columns(colour=pl.when(pl.col("x") < 1).then("colour"))
    report = check(frame, some_missing, segments=["colour"], chunk="3000rows")
    assert_sound(report)
    rows = {r.segment: r.n for r in report.rows if r.monitor.startswith("performance.accuracy.")}
    assert rows["colour=(missing)"] == some_missing.filter(pl.col("colour") == "(missing)").height
    assert rows["colour=((missing))"] == some_missing["colour"].null_count()


def forms(folder: Path) -> dict[str, Any]:
    BASE.write_parquet(folder / "events.parquet")
    BASE.write_csv(folder / "events.csv")
    plain = BASE.to_pandas()
    extension = plain.assign(
        amount=plain["amount"].astype("Float64"),
        label=plain["label"].astype("Int64"),
        colour=plain["colour"].astype("category"),
        event_id=plain["event_id"].astype("string"),
    )
    return {
        "parquet": folder / "events.parquet",
        "csv": str(folder / "events.csv"),
        "arrow": BASE.to_arrow(),
        "lazy": BASE.lazy(),
        "categorical": BASE.with_columns(pl.col("colour").cast(pl.Categorical)),
        "pandas": plain,
        "pandas extension types": extension,
        "pandas over arrow": BASE.to_pandas(use_pyarrow_extension_array=True),
        "truth values": BASE.with_columns(pl.col("label") == 1),
    }


def test_every_kind_of_frame_gives_the_same_numbers(reference: Reference, tmp_path: Path) -> None:
    expected = check(reference, BASE)
    for form in forms(tmp_path).values():
        assert_same(check(reference, form), expected)


def test_the_reference_may_be_of_another_kind(tmp_path: Path) -> None:
    expected = check(BASE, BASE)
    for form in forms(tmp_path).values():
        assert_same(check(form, BASE), expected)


def test_files_of_two_kinds_hold_the_same_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rich = BASE.with_columns(
        flag=pl.Series(rng.random(N) > 0.3),  # which CSV writes as true and false
        steps=pl.Series(rng.integers(0, 5, N)).set(pl.Series(rng.random(N) < 0.1), None),  # 1.0 in the CSV of pandas
        day=pl.date(2024, 1, 1) + pl.duration(days=pl.int_range(N) % 300),
        code=pl.Series(rng.choice(["01234", "99999"], N)),
    )
    rich.write_parquet(tmp_path / "a.parquet")
    rich.write_csv(tmp_path / "b.csv")
    rich.to_pandas().to_csv(tmp_path / "c.csv", index=False)
    paths = [tmp_path / name for name in ("a.parquet", "b.csv", "c.csv")]
    expected = check(paths[0], paths[0], segments=["flag"])
    assert {r.segment for r in expected.rows if r.segment} == {"flag=False", "flag=True"}
    for before, now in zip(paths, [*paths[1:], paths[0]], strict=True):
        assert_same(check(before, now, segments=["flag"]), expected)


def test_decimals(reference: Reference) -> None:
    rounded = BASE.with_columns(pl.col("amount").round(3), pl.col("score").round(4))
    stored = rounded.with_columns(pl.col("amount").cast(pl.Decimal(20, 3)), pl.col("score").cast(pl.Decimal(8, 4)))
    expected = check(reference, rounded)
    assert_same(check(reference, stored), expected)
    python = rounded.to_pandas()
    python["amount"] = [None if math.isnan(v) else Decimal(f"{v:.3f}") for v in python["amount"]]
    assert_same(check(reference, python), expected)


def test_nothing_of_the_callers_is_changed(reference: Reference) -> None:
    frame = BASE.to_pandas()
    before = frame.copy(deep=True)
    check(frame, frame)
    pd.testing.assert_frame_equal(frame, before)
