"""Columns that run on, indexes and ids are no features; roles without a name are asked for, not guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from barograph.errors import SpecError
from barograph.frames.read import open_rows, sample_rows
from barograph.reference.fit import fit
from barograph.spec.infer import Inferred, infer_schema
from barograph.spec.running import runs_on

N = 600
START = datetime(2024, 1, 1, tzinfo=UTC)
TIMES = [START + timedelta(hours=i) for i in range(N)]  # 25 days, from a Monday on
RNG = np.random.default_rng(5)
BASE: dict[str, Any] = {"timestamp": TIMES, "x": RNG.normal(size=N), "y_true": RNG.integers(0, 2, N)}


def inferred(columns: dict[str, Any], **roles: Any) -> Inferred:
    return infer_schema(pa.table({**BASE, **columns}), **roles)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(N) + 10_000,
        -np.arange(N) / 7,
        [int(t.timestamp()) for t in TIMES],
        [(t - START).days for t in TIMES],
        [t.isocalendar().week for t in TIMES],
        np.arange(N) + RNG.integers(0, 5, N),  # numbers that are given out by several at once
    ],
)
@pytest.mark.parametrize("shuffled", [False, True])
def test_what_runs_on_with_time_is_no_feature_and_said(values: Any, shuffled: bool) -> None:
    order = RNG.permutation(N) if shuffled else np.arange(N)
    columns = {name: pa.array(column).take(pa.array(order)) for name, column in {**BASE, "n": values}.items()}
    found = infer_schema(pa.table(columns))
    assert list(found.schema.features) == ["x"]
    assert any(line.startswith("`n`: ignored (its values run on with time") for line in found.decisions)
    assert "n" in infer_schema(pa.table(columns), features=["x", "n"]).schema.features


@pytest.mark.parametrize(
    "values",
    [
        RNG.normal(size=N) + np.linspace(0, 2, N),  # a trend
        np.sin(np.arange(N) / 100),
        [t.hour for t in TIMES],
        np.ones(N),
        np.cumsum(RNG.normal(size=N)) % 5,
        RNG.permutation(N),
    ],
)
def test_what_comes_back_is_a_feature(values: Any) -> None:
    assert list(inferred({"n": values}).schema.features) == ["x", "n"]


def test_independent_values_never_run_on() -> None:
    assert not any(runs_on(np.random.default_rng(seed).exponential(size=200)) for seed in range(500))


def test_without_time_only_row_numbers_are_left_out() -> None:
    columns = {"x": np.sort(RNG.normal(size=N)), "row": np.arange(N), "y_true": BASE["y_true"]}
    assert list(infer_schema(pa.table(columns)).schema.features) == ["x"]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__"])
def test_the_row_numbers_that_pandas_writes_are_no_feature_in_any_order(name: str) -> None:
    found = inferred({name: RNG.permutation(N)})
    assert list(found.schema.features) == ["x"]
    assert f"`{name}`: ignored (the row numbers of a frame)" in found.decisions


def test_an_id_of_one_value_names_no_event() -> None:
    found = inferred({"id": [7] * N})
    assert found.schema.id is None
    assert "`id`: ignored (by its name an id, but it has one value in all rows)" in found.decisions
    with pytest.raises(SpecError, match="id: all rows of 'key' have one value"):
        inferred({"key": ["a"] * N}, id="key")


# Suggestions


@pytest.mark.parametrize(
    ("columns", "asked"),
    [
        ({"real_sentiment": ["good", "bad"]}, "label: none by name; is it `real_sentiment`?"),
        ({"clf_target": [0, 1]}, "label: none by name; is it `clf_target`? Say --label clf_target"),
        ({"is_canceled": [True, False]}, "label: none by name; is it `is_canceled`? Say --label is_canceled"),
        ({"predicted_probability": [0.2, 0.7]}, "score: none by name; is it `predicted_probability`?"),
        ({"y_hat": [2.5, 7.5]}, "prediction: none by name; is it `y_hat`? Say --prediction y_hat"),
        ({"prob_0": [0.2, 0.7], "prob_1": [0.8, 0.3]}, "score: none by name; is it `prob_1` or `prob_0`?"),
        ({"createdAt": ["2024-01-31", "2024-02-01"]}, "timestamp: none by name; is it `createdAt`?"),
        ({"order_no": [7, 8]}, "id: none by name; is it `order_no`? Say --id order_no"),
        ({"customer_id": ["a", "b"]}, "id: none by name; is it `customer_id`? Say --id customer_id"),
    ],
)  # fmt: skip
def test_a_name_with_an_affix_is_asked_for_and_not_taken(columns: dict[str, Any], asked: str) -> None:
    found = infer_schema(pa.table({**columns, "age": [41, 32]}))
    assert any(line.startswith(asked) for line in found.decisions)
    assert (found.schema.label, found.schema.prediction, dict(found.schema.scores)) == (None, None, {})
    assert (found.schema.timestamp, found.schema.id) == (None, None)


def test_an_amount_that_is_never_twice_the_same_is_no_id() -> None:
    found = inferred({"key_rate": RNG.normal(size=N), "order_no": np.arange(N)})
    asked = [line for line in found.decisions if line.startswith("id: ")]
    assert asked == ["id: none by name; is it `order_no`? Say --id order_no"]  # though it runs on, and is no feature


def test_what_only_the_reference_has_may_be_the_label() -> None:
    table = pa.table({"clf_target": [0, 1], "predicted": [0, 1], "age": [41, 32], "gone": ["u", "v"]})
    found = infer_schema(table, current=["age"])
    question = "label: none by name; `clf_target` is only in the reference: is it the label? Say --label clf_target"
    assert question in found.decisions
    assert list(found.schema.features) == ["age", "gone"]
    assert set(found.schema.ignored) == {"clf_target", "predicted"}
    known = infer_schema(table, current=["age"], label="clf_target", prediction="predicted")
    assert not any("only in the reference" in line for line in known.decisions)


def test_the_only_column_that_production_lacks_is_asked_for_whatever_its_name() -> None:
    table = pa.table({"churn": [0, 1], "age": [41, 32]})
    assert any(
        "`churn` is only in the reference: is it the label?" in d
        for d in infer_schema(table, current=["age"]).decisions
    )
    assert infer_schema(table, current=["age", "churn"]).schema.ignored == ()


# Frames


@pytest.mark.parametrize("name", ["timestamp", "when", None])
def test_an_index_of_times_is_the_timestamp_and_said(name: str | None) -> None:
    frame = pd.DataFrame({k: v for k, v in BASE.items() if k != "timestamp"}, index=pd.DatetimeIndex(TIMES, name=name))
    before = frame.copy()
    rows = open_rows(frame)
    found = infer_schema(sample_rows(rows, rows.schema.names, N))
    assert found.schema.timestamp == (name or "timestamp")
    assert any(line.startswith(f"timestamp: `{name or 'timestamp'}` (") for line in found.decisions)
    assert [c.key for c in fit(frame).profile(frame, chunk="1w").chunks] == [
        "2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(frame, before)


def test_a_named_timestamp_goes_before_the_index() -> None:
    frame = pd.DataFrame(BASE, index=pd.DatetimeIndex(TIMES, name="stored"))
    assert fit(frame).schema.timestamp == "timestamp"


@pytest.mark.parametrize(
    "categories",
    [
        pd.cut(BASE["x"], [-9, -1, 0, 1, 9]),
        pd.PeriodIndex(pd.DatetimeIndex(TIMES).tz_localize(None), freq="W").astype("category"),
        pd.Categorical([(int(v > 0), 1) for v in BASE["x"]]),
    ],
)
def test_categories_of_any_kind_are_their_texts(categories: Any) -> None:
    frame = pd.DataFrame({**BASE, "c": categories})
    texts = {str(c) for c in frame["c"].cat.categories}
    assert set(fit(frame).yardstick.columns[1].names) == texts  # type: ignore[union-attr]  # a categorical column
    table = pa.table({**{k: pa.array(v) for k, v in BASE.items()}, "c": pa.array(frame["c"])})
    assert "c" in fit(table).schema.features
