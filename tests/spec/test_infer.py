"""Roles, types, task and classes that are found in a frame."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import SpecError
from barograph.frames.columns import as_text
from barograph.spec.classes import binary_classes, in_order
from barograph.spec.column_types import column_type
from barograph.spec.infer import infer_schema
from barograph.spec.roles import Roles, class_text
from barograph.spec.schema import ColumnType, Schema
from barograph.spec.search import NAMES
from barograph.tasks import Task

N = 60


def schema_of(columns: dict[str, Any], **roles: Any) -> Schema:
    return infer_schema(pa.table(columns), **roles).schema


def problems(columns: dict[str, Any], **roles: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        infer_schema(pa.table(columns), **roles)
    return list(caught.value.problems)


# Roles


@pytest.mark.parametrize("role", NAMES)
def test_each_role_is_found_by_each_of_its_names_in_any_case(role: str) -> None:
    value = {"timestamp": ["2024-01-01"], "label_timestamp": [datetime(2024, 1, 1, tzinfo=UTC)], "score": [0.5]}.get(
        role, [1]
    )
    for name in NAMES[role]:
        for spelled in (name, name.upper(), name.title()):
            schema = schema_of({"x": [1.0], spelled: value})
            assert getattr(schema, role) == spelled
            assert list(schema.features) == ["x"]


def test_the_first_name_wins_and_the_others_are_no_features() -> None:
    columns = {"label": [0, 1], "y_true": [0, 1], "target": [1, 1], "x": [1, 2]}
    inferred = infer_schema(pa.table(columns))
    assert inferred.schema.label == "y_true"
    assert list(inferred.schema.features) == ["x"]
    assert set(inferred.schema.ignored) == {"label", "target"}
    assert "`label`: ignored (by its name a label, but that is `y_true`)" in inferred.decisions


def test_what_is_given_stands() -> None:
    columns = {"late": [0, 1], "y_true": [0, 1], "score": [0.1, 0.2], "p": [0.3, 0.4], "sex": ["f", "m"], "x": [1, 2]}
    schema = schema_of(
        columns, label="late", score="p", segments="sex", ignore=["x"], timezone="Europe/Berlin", threshold=0.3
    )
    assert (schema.label, schema.score, schema.timezone, schema.threshold) == ("late", "p", "Europe/Berlin", 0.3)
    assert schema.segments == ("sex",)
    assert list(schema.features) == ["sex"]  # a segment is a feature too
    assert set(schema.ignored) == {"y_true", "score", "x"}
    assert schema_of(columns, label="late", groups=["sex"]).groups == ("sex",)
    assert "sex" not in schema_of(columns, label="late", groups=["sex"]).features


def test_a_column_that_is_given_as_a_feature_has_no_other_role_by_name() -> None:
    columns = {"score": [10.0, 700.0], "id": [1, 2], "target": [0, 1]}
    schema = schema_of(columns, features=["score"])
    assert (schema.score, schema.id, list(schema.features)) == (None, "id", ["score"])
    assert schema_of(columns, ignore=["score"]).ignored == ("score",)
    assert schema_of({**columns, "a": [1, 1], "b": [1, 1]}, features=["b"]).ignored == ("score", "a")
    inferred = infer_schema(pa.table(columns))
    assert (inferred.schema.score, list(inferred.schema.features)) == (None, ["score"])
    assert "score: not `score`, whose values are no probabilities" in inferred.decisions
    assert schema_of({"score": [0.1 * i for i in range(10)] + [1.5], "x": [1] * 11}).score == "score"


@pytest.mark.parametrize(
    "values",
    [
        ["2024-01-01T00:00:00+02:00", "2024-01-01 00:00"],
        [1_700_000_000, None],
        ["1700000000000", ""],
        [date(2024, 1, 1), None],
        pa.array(["2024-01-01", "2024-01-02"]).dictionary_encode(),
        pa.nulls(2),
        pa.nulls(2, pa.string()),
    ],
)
def test_times_in_any_form_are_times(values: Any) -> None:
    assert schema_of({"ts": values, "x": [1, 2]}).timestamp == "ts"


def test_no_rows_give_a_schema_from_the_types() -> None:
    schema = schema_of(
        {
            "timestamp": pa.array([], pa.timestamp("us")),
            "y_true": pa.array([], pa.bool_()),
            "score": pa.array([], pa.float64()),
            "x": pa.array([], pa.int64()),
            "c": pa.array([], pa.string()),
        }
    )
    assert (schema.task, schema.classes, schema.score) == (Task.BINARY, ("0", "1"), "score")
    assert schema.features == {"x": ColumnType.NUMERIC, "c": ColumnType.CATEGORICAL}


def test_columns_that_the_sample_lacks_come_from_the_schema() -> None:
    whole = pa.schema([("x", pa.int64()), ("y_true", pa.int64()), ("late_column", pa.string())])
    schema = infer_schema(pa.table({"x": [1], "y_true": [0]}), whole).schema
    assert schema.features == {"x": ColumnType.NUMERIC, "late_column": ColumnType.CATEGORICAL}


# Types


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 0, 1], "numeric"),
        ([1.5, float("nan")], "numeric"),
        ([Decimal("1.5"), None], "numeric"),
        ([timedelta(1), None], "numeric"),
        ([time(1), None], "numeric"),
        ([True, None], "boolean"),
        (["true", "FALSE", None, ""], "boolean"),
        (["1", " 2.5e3", "", None, "nan"], "numeric"),
        ([b"1", b"2"], "numeric"),
        (["02134", "10115"], "categorical"),
        ([*map(str, range(100, 1, -1)), "?"], "numeric"),
        ([*map(str, range(1, 11)), "?"], "categorical"),
        (["S", "M", "38"], "categorical"),
        (["2024-01-01", "2024-01-02T03:04"], "datetime"),
        ([date(2024, 1, 1)], "datetime"),
        ([datetime(2024, 1, 1, tzinfo=UTC)], "datetime"),
        ([f"{i} " + "words " * 20 for i in range(50)], "text"),
        (["the same long sentence " * 5] * 50, "categorical"),
        ([f"key-{i}" for i in range(50)], "categorical"),
        ([[1.0, 2.0], None], "embedding"),
        ([None, None], "categorical"),
        (pa.array([1, 2]).dictionary_encode(), "categorical"),
        (pa.array([[1, 2]], pa.list_(pa.float32(), 2)), "embedding"),
    ],
)
def test_types_follow_storage_and_values(values: Any, expected: str) -> None:
    found = column_type(pa.chunked_array([values]))
    assert found.type == expected
    assert schema_of({"x": values, "y": [0] * len(values)}).features["x"] == expected


def test_nested_columns_are_ignored_with_the_reason() -> None:
    inferred = infer_schema(pa.table({"s": [{"a": 1}], "l": [["x"]], "x": [1]}))
    assert list(inferred.schema.features) == ["x"]
    assert inferred.schema.ignored == ("s", "l")
    assert any("`s`: ignored" in d and "has no single value" in d for d in inferred.decisions)


def test_types_that_are_given_stand() -> None:
    assert (
        schema_of({"zip": [1, 2], "y": [3, 4]}, types={"zip": "categorical"}).features["zip"] is ColumnType.CATEGORICAL
    )


# Task and classes

WHOLE = list(range(N))
FRACTIONS = [i + 0.5 for i in range(N)]
CASES: list[tuple[dict[str, Any], Task, tuple[str, ...]]] = [
    ({"y_true": [0, 1] * 30}, Task.BINARY, ("0", "1")),
    ({"y_true": [-1, 1] * 30}, Task.BINARY, ("-1", "1")),
    ({"y_true": [1, 2] * 30}, Task.BINARY, ("1", "2")),
    ({"y_true": [1.0, 0.0] * 30}, Task.BINARY, ("0", "1")),
    ({"y_true": [True, False] * 30}, Task.BINARY, ("False", "True")),
    ({"y_true": ["yes", "No"] * 30}, Task.BINARY, ("No", "yes")),
    ({"y_true": ["good", "bad"] * 30}, Task.BINARY, ("bad", "good")),
    ({"y_true": ["y", "z"] * 30}, Task.BINARY, ("z", "y")),
    ({"y_true": ["1", "0"] * 30}, Task.BINARY, ("0", "1")),
    ({"y_true": [0] * N}, Task.BINARY, ("0", "1")),
    ({"y_true": ["No"] * N}, Task.BINARY, ("No", "Yes")),
    ({"y_true": [True] * N}, Task.BINARY, ("False", "True")),
    ({"y_true": ["late"] * N, "prediction": ["late", "fine"] * 30}, Task.BINARY, ("fine", "late")),
    ({"y_true": pa.nulls(N), "score": [0.5] * N}, Task.BINARY, ("0", "1")),
    ({"score": [0.5] * N}, Task.BINARY, ("0", "1")),
    ({"prediction": ["no", "yes"] * 30}, Task.BINARY, ("no", "yes")),
    ({"y_true": ["a", "b", "c"] * 20}, Task.MULTICLASS, ("a", "b", "c")),
    ({"y_true": [10, 9, 1] * 20}, Task.MULTICLASS, ("1", "9", "10")),
    ({"y_true": [1, 2, 3] * 20, "prediction": [1, 2, 2] * 20}, Task.MULTICLASS, ("1", "2", "3")),
    ({"y_true": [1, 2, 3] * 20, "prediction": FRACTIONS}, Task.REGRESSION, ()),
    ({"y_true": WHOLE}, Task.REGRESSION, ()),
    ({"y_true": FRACTIONS}, Task.REGRESSION, ()),
    ({"y_true": [str(f) for f in FRACTIONS]}, Task.REGRESSION, ()),
    ({"y_true": pa.nulls(N), "prediction": FRACTIONS}, Task.REGRESSION, ()),
    ({}, Task.REGRESSION, ()),
]


@pytest.mark.parametrize(("columns", "task", "classes"), CASES)
def test_the_task_follows_from_label_prediction_and_scores(
    columns: dict[str, Any], task: Task, classes: tuple[str, ...]
) -> None:
    inferred = infer_schema(pa.table({"x": [1.0] * N, **columns}))
    assert (inferred.schema.task, inferred.schema.classes) == (task, classes)
    assert any(decision.startswith(f"task: {task.value}") for decision in inferred.decisions)
    assert list(inferred.schema.features) == ["x"]


def test_a_prediction_that_is_a_probability_is_the_score() -> None:
    schema = schema_of({"y_true": [0, 1, 1], "y_pred": [0.2, 0.7, 1.0]})
    assert (schema.score, schema.prediction) == ("y_pred", None)
    assert schema_of({"y_true": [0, 1, 1], "y_pred": [0.0, 1.0, 1.0]}).prediction == "y_pred"
    assert schema_of({"y_true": [0, 1], "y_pred": [0.2, 0.7], "score": [0.2, 0.7]}).prediction == "y_pred"


def test_a_column_a_class_is_found_by_name() -> None:
    scores = {f"proba_{c}": [0.2, 0.3, 0.5] for c in ("home", "Draw", "away")}
    schema = schema_of({"y_true": ["home", "draw", "away"], "score_fico": [700, 600, 650], **scores})
    assert schema.task is Task.MULTICLASS
    assert schema.scores == {"away": "proba_away", "draw": "proba_Draw", "home": "proba_home"}
    assert list(schema.features) == ["score_fico"]
    without_label = schema_of({"x": [1, 2, 3], **scores})
    assert (without_label.task, without_label.classes) == (Task.MULTICLASS, ("Draw", "away", "home"))


def test_of_two_class_columns_a_binary_task_takes_the_positive_one() -> None:
    columns = {"y_true": [0, 1], "proba_0": [0.9, 0.2], "proba_1": [0.1, 0.8], "x": [1, 2]}
    for schema in (schema_of(columns), schema_of(columns, score={0: "proba_0", 1: "proba_1"})):
        assert (schema.scores, schema.score) == ({"1": "proba_1"}, "proba_1")
        assert list(schema.features) == ["x"]
    turned = schema_of(columns, positive=0)
    assert (turned.classes, turned.score) == (("1", "0"), "proba_0")
    alone = schema_of({"y_true": ["good", "bad"], "p": [0.1, 0.8]}, score={"bad": "p"})
    assert (alone.classes, alone.score) == (("good", "bad"), "p")
    rare = {"y_true": ["a", "b"], **{f"proba_{c}": [0.3, 0.3] for c in "abc"}, "x": [1, 2]}
    for schema in (schema_of(rare, score={c: f"proba_{c}" for c in "abc"}), schema_of(rare)):
        assert (schema.classes, list(schema.features)) == (("a", "b", "c"), ["x"])


def test_the_positive_class_and_the_classes_can_be_given() -> None:
    assert schema_of({"y_true": ["good", "bad"]}, positive="Bad").classes == ("good", "bad")
    assert schema_of({"y_true": ["fine"] * 3}, positive="late").classes == ("fine", "late")
    assert schema_of({"y_true": ["late"] * 3}, positive="late").classes == ("not late", "late")
    assert schema_of({"y_true": ["a", "b"]}, classes=["a", "b", "c"]).classes == ("a", "b", "c")
    assert schema_of({"y_true": [0, 1, 2]}, task="regression").classes == ()


@given(st.lists(st.one_of(st.integers(-(2**60), 2**60), st.booleans(), st.text(max_size=4)), max_size=8))
def test_classes_are_ordered_once_and_named_as_columns_are_read(values: list[Any]) -> None:
    for kind in (bool, int, str):
        same = [v for v in values if type(v) is kind]
        if same:
            texts = as_text(pa.array(same)).to_pylist()
            assert [class_text(v) for v in same] == texts
            assert sorted(in_order(same)) == sorted({t for t in texts if t.strip()})


@given(st.floats(allow_nan=False))
def test_floats_are_named_as_columns_are_read(value: float) -> None:
    text = as_text(pa.array([value]))[0].as_py()
    assert float(class_text(value)) == float(text) == value
    if value.is_integer() and abs(value) < 2**53:
        assert class_text(value) == text


# Bad input


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        {"late": [0, 1, 2], "x": [1, 2, 3]},
        label="lat",
        prediction="said",
        features=["y"],
        ignore="z",
        types={"w": "text"},
        id="x",
        timestamp="x",
    )
    text = "\n".join(found)
    for expected in ("column 'lat'. Did you mean 'late'?", "'said'", "features: ", "'y'", "ignore: ", "types: ", "'w'"):
        assert expected in text
    assert "'x' is given as id and timestamp" in text
    assert text.count("The columns are 'late', 'x'.") == 1


def test_roles_that_do_not_exist_or_have_wrong_values() -> None:
    with pytest.raises(SpecError) as caught:
        Roles.of(
            {"lable": "x", "task": "bin", "threshold": 2, "timezone": "Mars", "types": {"a": "numerc"}, "features": 3}
        )
    assert len(caught.value.problems) == 6
    assert "Did you mean 'label'?" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("columns", "roles", "expected"),
    [
        ({"y_true": ["a", "b", "c"]}, {"task": "binary"}, "has two classes, but there are 3: 'a', 'b', 'c'."),
        ({"y_true": ["a", "b", "c"]}, {"positive": "a"}, "only a binary task has a positive class"),
        ({"y_true": ["a", "b"]}, {"positive": "c"}, "'c' is none of the classes 'a' and 'b'"),
        ({"y_true": ["fine", "fine"]}, {}, "there is one class, 'fine'. Say which"),
        ({"y_true": ["a", "b", "c"], "p": [0.1, 0.2, 0.3]}, {"score": "p"}, "one column, but there are 3 classes"),
        ({"y_true": ["a", "b", "c"], "p": [0.1] * 3}, {"score": {"d": "p"}}, "there is no class 'd'"),
        ({"y_true": ["a", "b"], "p": [0.1] * 2}, {"score": {"d": "p"}}, "'d' is none of the classes 'a' and 'b'"),
        ({"y_true": ["a", "b"]}, {"task": "regression"}, "a regression needs numbers, but 'y_true' holds 'a'"),
        ({"y_true": [0.5, 1.5], "p": [0.1, 0.2]}, {"score": "p"}, "a regression has no score"),
        ({"y_true": [f"c{i}" for i in range(1001)]}, {}, "1001 classes are more than 1000. Is 'y_true' the label?"),
        ({"y_true": ["a"]}, {"task": "multiclass"}, "at least two classes"),
        ({"y_true": [0, 1], "when": ["soon", "late"]}, {"timestamp": "when"}, "'when' does not hold times"),
        ({"y_true": [0, 1], "x": [1, 2]}, {"label": "x", "prediction": "x"}, "'x' is given as label and prediction"),
        ({"y_true": [0, 1], "x": [1, 2]}, {"ignore": "x", "segments": "x"}, "'x' is both ignored and a segment"),
        ({"y_true": [0, 1], "x": [1, 2]}, {"types": {"y_true": "text"}}, "types: 'y_true' is no feature"),
    ],
)
def test_what_does_not_hold_together(columns: dict[str, Any], roles: dict[str, Any], expected: str) -> None:
    found = problems(columns, **roles)
    assert len(found) == 1
    assert expected in found[0]


def test_names_may_hold_anything() -> None:
    schema = schema_of({"a.b": [1, 2], "ü x": ["u", "v"], " ": [1, 2], "Label": [0, 1]}, segments=["ü x"])
    assert list(schema.features) == ["a.b", "ü x", " "]
    assert schema.label == "Label"


def test_classes_of_one_value() -> None:
    assert binary_classes([], None) == ("0", "1")
    assert binary_classes(["NO"], None) == ("NO", "YES")
    assert binary_classes(["f"], None) == ("f", "t")


@pytest.mark.parametrize(
    "values", [["12 %", "7 %", "100%"], ["€ 3", "€ 1.250,50", "-€ 2"], ["1,234", "5,678"], ["3 EUR", "4,5 EUR"]]
)
def test_numbers_in_another_writing_are_told(values: list[str]) -> None:
    inferred = infer_schema(pa.table({"price": values * 10, "y_true": ([0, 1] * 15)[: 10 * len(values)]}))
    assert inferred.schema.features["price"] is ColumnType.CATEGORICAL
    assert any(f"numbers in another writing, such as {values[0]!r}" in d for d in inferred.decisions)


@pytest.mark.parametrize("values", [["A1", "B2"], ["1-2", "3-4"], ["007", "012"], ["v1.2", "v1.3"], ["red", "USD"]])
def test_codes_are_not_taken_for_numbers_in_another_writing(values: list[str]) -> None:
    inferred = infer_schema(pa.table({"code": values * 10, "y_true": [0, 1] * 10}))
    assert not any("another writing" in d for d in inferred.decisions)
