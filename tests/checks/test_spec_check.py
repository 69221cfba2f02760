"""What is said of a reference that was learned before must be what it was learned with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from barograph.checks.spec_check import check_said
from barograph.errors import SpecError
from barograph.reference.fit import fit
from barograph.spec.schema import Schema

sys.path.insert(0, str(Path(__file__).parents[1]))
from logged import events

BASE = events(300, seed=1)


@pytest.fixture(scope="module")
def schema() -> Schema:
    both = BASE.with_columns(note=pl.lit("a"), group=pl.lit("b"))
    return fit(both, segments=["colour"], ignore=["note"], groups=["group"]).schema


SAME: list[dict[str, Any]] = [
    {},
    {"task": "binary"},
    {"label": "label", "score": "score", "timestamp": "timestamp", "id": "event_id", "timezone": "UTC"},
    {"score": {"1": "score"}},
    {"positive": 1},
    {"classes": [1, 0]},
    {"features": ["colour", "amount", "x"]},
    {"segments": ["colour"], "groups": ["group"]},
    {"ignore": ["note"]},
    {"ignore": ["a column that was never there"]},
    {"types": {"x": "numeric"}},
    {"threshold": 0.3},
]
OTHER: list[tuple[dict[str, Any], str]] = [
    ({"task": "regression"}, "task: the reference was learned with 'binary', not with 'regression'"),
    ({"label": "x"}, "label: the reference was learned with 'label', not with 'x'"),
    ({"prediction": "y_pred"}, "prediction: the reference was learned with none, not with 'y_pred'"),
    ({"score": "x"}, "score: the reference was learned with ['score'], not with 'x'"),
    ({"score": {"1": "x"}}, "score: the reference was learned with ['score'], not with {'1': 'x'}"),
    ({"positive": 0}, "positive: the reference was learned with '1', not with 0"),
    ({"classes": ["no", "yes"]}, "classes: the reference was learned with ['0', '1'], not with ['no', 'yes']"),
    ({"timezone": "Europe/Berlin"}, "timezone: the reference was learned with 'UTC', not with 'Europe/Berlin'"),
    ({"features": ["x"]}, "features: the reference was learned with ['x', 'amount', 'colour'], not with ['x']"),
    ({"segments": []}, "segments: the reference was learned with ['colour'], not with []"),
    ({"ignore": ["x"]}, "ignore: the reference was learned with ['note'], not with ['x']"),
    ({"types": {"x": "categorical"}}, "types: the reference was learned with {'x': 'numeric', 'amount': 'numeric',"),
]


@pytest.mark.parametrize("given", SAME)
def test_the_same_may_be_said_again(given: dict[str, Any], schema: Schema) -> None:
    check_said(given, schema)


@pytest.mark.parametrize(("given", "message"), OTHER)
def test_something_else_may_not(given: dict[str, Any], message: str, schema: Schema) -> None:
    with pytest.raises(SpecError) as error:
        check_said(given, schema)
    assert message in str(error.value)
    assert "Leave it out, or learn the reference anew." in str(error.value)


def test_a_prediction_that_became_the_score_may_be_named_as_either() -> None:
    schema = fit(BASE.rename({"score": "prediction"})).schema
    assert schema.score == "prediction"
    check_said({"prediction": "prediction"}, schema)
    check_said({"score": "prediction"}, schema)


def test_all_differences_are_told_at_once(schema: Schema) -> None:
    with pytest.raises(SpecError) as error:
        check_said({"label": "x", "id": "x"}, schema)
    assert len(error.value.problems) == 2
