"""Events of any model may be sent under common names: they are kept as those under the model's own names are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from barograph.ingest.decode import decode_events
from barograph.ingest.json_rows import read_json
from barograph.ingest.layouts import event_layout
from barograph.ingest.memory import unbounded
from barograph.spec.schema import ColumnType, Schema
from barograph.tasks import Task

JSON, NDJSON = "application/json", "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
MULTICLASS = Schema(
    task=Task.MULTICLASS,
    features={"a.b": ColumnType.NUMERIC, "colour": ColumnType.CATEGORICAL},
    id="key",
    timestamp="at",
    prediction="said",
    scores={"cat": "p_cat", "dog": "p_dog"},
    classes=("cat", "dog"),
    label="true",
)


def common(i: int, **more: Any) -> dict[str, Any]:
    features = {"amount": i / 2, "colour": "red", "known": True}
    row = {"id": f"e{i}", "timestamp": "2025-06-01T10:00:00Z", "features": features, "score": 0.25}
    return {**row, "context": {"version": "7", "latency_ms": 1.5}, **more}


@pytest.mark.parametrize("content_type", [JSON, NDJSON, ARROW])
@pytest.mark.parametrize("n", [3, 200])
def test_what_comes_under_common_names_is_what_comes_under_own_names(
    given: ModuleType, content_type: str, n: int
) -> None:
    layout = event_layout(given.SCHEMA)
    rows = [common(i, label=i % 2) for i in range(n)]
    decoded = decode_events(given.body(rows, content_type), content_type, layout, now_us=given.NOW)
    own = decode_events(given.body(given.events(n, label=1), content_type), content_type, layout, now_us=given.NOW)
    assert (decoded.accepted, decoded.rejected, decoded.missing, decoded.unknown) == (n, (), (), {})
    kept, expected = given.kept(decoded), given.kept(own)
    assert kept.drop_columns("_extra").equals(expected.drop_columns("_extra"))
    contexts = [json.loads(text)["context"] for text in kept["_extra"].to_pylist()]
    assert contexts == [{"version": "7", "latency_ms": 1.5}] * n
    assert given.kept(decoded, "labels")["label"].to_pylist() == [str(i % 2) for i in range(n)]


def test_classes_and_names_with_points(given: ModuleType) -> None:
    event = {"id": 7, "timestamp": "2025-06-01T10:00:00Z", "prediction": "dog", "scores": {"cat": 0.25, "dog": 0.75}}
    for features in ({"a.b": 1.5, "colour": "red"}, {"a": {"b": 1.5}, "colour": "red"}):
        decoded = decode_events(
            json.dumps({**event, "features": features}).encode(), JSON, event_layout(MULTICLASS), now_us=given.NOW
        )
        assert (decoded.rejected, decoded.missing) == ((), ())
        (kept,) = given.kept(decoded).to_pylist()
        assert {name: kept[name] for name in ("key", "said", "p_cat", "p_dog", "colour")} == {
            "key": "7",
            "said": "dog",
            "p_cat": 0.25,
            "p_dog": 0.75,
            "colour": "red",
        }
        assert kept["a.b"] == 1.5 or json.loads(kept["_extra"]) == {"features.a": {"b": 1.5}}


@pytest.mark.parametrize("content_type", [JSON, NDJSON])
@pytest.mark.parametrize(
    ("more", "fast"), [({}, True), ({"context": None}, True), ({"new": 1}, False), ({"context": 3}, False)]
)
def test_common_names_take_the_fast_way(given: ModuleType, content_type: str, more: dict[str, Any], fast: bool) -> None:
    body = given.body([common(i, **more) for i in range(3)], content_type)
    found = read_json(body, content_type, event_layout(given.SCHEMA), unbounded)
    assert (found.index is None) == fast
    assert len(found.rows) == 3
    assert "context" not in found.unknown


def test_both_ways_keep_the_same(given: ModuleType) -> None:
    layout = event_layout(given.SCHEMA)
    fast = decode_events(given.body([common(0)], JSON), JSON, layout, now_us=given.NOW)
    slow = decode_events(given.body([common(0), common(1, new=1)], JSON), JSON, layout, now_us=given.NOW)
    (quick,), (careful, _) = given.kept(fast).to_pylist(), given.kept(slow).to_pylist()
    assert json.loads(quick.pop("_extra")) == json.loads(careful.pop("_extra"))
    assert quick == careful
    assert slow.unknown == {"new": 1}


def test_a_column_of_the_model_goes_before_a_common_name(given: ModuleType) -> None:
    def kept(schema: Schema, row: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
        decoded = decode_events(json.dumps(row).encode(), JSON, event_layout(schema), now_us=given.NOW)
        assert decoded.rejected == ()
        (found,) = given.kept(decoded).to_pylist()
        return found, set(decoded.unknown)

    row = {**given.event(0), "score": 0.5}
    found, unknown = kept(given.SCHEMA, {**row, "id": "other", "features": {"amount": 99}})
    assert (found["event_id"], found["amount"], unknown) == ("e0", 0.0, {"id", "features.amount"})
    named = replace(given.SCHEMA, features={"id": ColumnType.CATEGORICAL, "context": ColumnType.CATEGORICAL})
    found, unknown = kept(named, {**row, "id": "other", "context": "a shop"})
    assert (found["event_id"], found["id"], found["context"]) == ("e0", "other", "a shop")


Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: {**row, "id": None}, "event_id: missing"),
        (lambda row: {**row, "score": "high"}, "score: expected a number, got 'high'"),
        (lambda row: {**row, "features": {"amount": [1]}}, "amount: expected one value, got [1]"),
        (lambda row: {**row, "context": {"text": "x" * 100_000}}, "fields that the schema does not know take more"),
    ],
)
def test_what_is_wrong_is_told_by_the_name_of_the_column(given: ModuleType, change: Change, reason: str) -> None:
    body = given.body([common(0), change(common(1))], JSON)
    decoded = decode_events(body, JSON, event_layout(given.SCHEMA), now_us=given.NOW)
    assert decoded.accepted == 1
    assert given.reasons(decoded)[1].startswith(reason)


def test_a_column_that_comes_as_null_under_a_common_name_is_not_missing(given: ModuleType) -> None:
    schema = replace(MULTICLASS, features={})
    row = {"id": "a", "timestamp": "2025-06-01T10:00:00Z", "prediction": None}
    decoded = decode_events(json.dumps(row).encode(), JSON, event_layout(schema), now_us=given.NOW)
    assert set(decoded.missing) == {"p_cat", "p_dog"}


@pytest.mark.parametrize("content_type", [JSON, NDJSON, ARROW])
@pytest.mark.parametrize("n", [3, 200])
def test_whole_numbers_that_may_have_lost_digits_are_a_doubt(given: ModuleType, content_type: str, n: int) -> None:
    def doubts(amount: Any) -> tuple[str, ...]:
        rows = [common(i) for i in range(n)]
        rows[1]["features"]["amount"] = amount
        decoded = decode_events(
            given.body(rows, content_type), content_type, event_layout(given.SCHEMA), now_us=given.NOW
        )
        assert decoded.accepted == n
        found: tuple[str, ...] = decoded.doubts
        return found

    assert doubts(2.0**53 - 1) == doubts(-1.5) == doubts(1e300) == doubts(float("2") ** 70) == ()
    (said,) = doubts(-(2.0**53))
    assert said.startswith("amount: 1 row has a number beyond 2^53")
