"""Fields inside objects are the columns that a reference from the same data has, by each content type."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from barograph.errors import InputError
from barograph.frames.read import open_rows
from barograph.ingest.decode import decode_events, decode_labels
from barograph.ingest.json_rows import read_json
from barograph.ingest.layouts import event_layout, label_layout
from barograph.ingest.memory import unbounded
from barograph.spec.infer import infer_schema
from barograph.spec.schema import Schema

JSON, NDJSON = "application/json", "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"


def event(i: int, **more: Any) -> dict[str, Any]:
    features = {"amount": i / 2, "who": {"country": "DE", "vip": True}}
    return {"event_id": f"e{i}", "timestamp": "2025-06-01T10:00:00Z", "score": 0.25, "features": features, **more}


@pytest.fixture(scope="module")
def schema() -> Schema:
    rows = open_rows(pa.Table.from_pylist([event(i, label=i % 2) for i in range(10)]))
    (batch,) = rows.parts[0].batches(rows.schema.names)
    return infer_schema(pa.Table.from_batches([batch])).schema


@pytest.mark.parametrize("content_type", [JSON, NDJSON, ARROW])
@pytest.mark.parametrize("n", [3, 200])
def test_objects_are_columns(given: ModuleType, schema: Schema, content_type: str, n: int) -> None:
    events = [event(i) for i in range(n)]
    decoded = decode_events(given.body(events, content_type), content_type, event_layout(schema), now_us=given.NOW)
    assert (decoded.accepted, decoded.rejected, decoded.missing, decoded.unknown) == (n, (), (), {})
    kept = given.kept(decoded)
    assert kept["features.amount"].to_pylist() == [i / 2 for i in range(n)]
    assert set(kept["features.who.country"].to_pylist()) == {"DE"}
    assert set(kept["features.who.vip"].to_pylist()) == {"True"}
    flat = [
        {**e, "features.amount": i / 2, "features.who.country": "DE", "features.who.vip": True}
        for i, e in enumerate(events)
    ]
    for row in flat:
        del row["features"]
    again = decode_events(given.body(flat, content_type), content_type, event_layout(schema), now_us=given.NOW)
    assert given.kept(again).equals(kept)


@pytest.mark.parametrize("content_type", [JSON, NDJSON])
def test_objects_take_the_fast_way(given: ModuleType, schema: Schema, content_type: str) -> None:
    body = given.body([event(i) for i in range(3)], content_type)
    assert read_json(body, content_type, event_layout(schema), unbounded).index is None


@pytest.mark.parametrize("content_type", [JSON, NDJSON])
def test_objects_that_are_null_partial_or_have_more(given: ModuleType, schema: Schema, content_type: str) -> None:
    events = [
        event(0),
        event(1, features=None),
        event(2, features={"who": None, "more": {"k": 1}}),
        event(3, features={"amount": "x"}),
        event(4, **{"features.amount": 7}),
        event(5, other={"k": 1}),
    ]
    decoded = decode_events(given.body(events, content_type), content_type, event_layout(schema), now_us=given.NOW)
    assert given.reasons(decoded) == {
        3: "features.amount: expected a number, got 'x'",
        4: "features.amount: comes twice, in an object and with a point in its name",
    }
    kept = given.kept(decoded)
    assert kept["features.amount"].to_pylist() == [0.0, None, None, 2.5]
    assert [json.loads(e or "null") for e in kept["_extra"].to_pylist()] == [
        None,
        None,
        {"features.more": {"k": 1}},
        {"other": {"k": 1}},
    ]
    assert decoded.unknown == {"features.more": 1, "other": 1}


@pytest.mark.parametrize("content_type", [JSON, NDJSON])
@pytest.mark.parametrize("more", [{}, {"unknown": 1}])
def test_a_name_elsewhere_in_the_body_is_not_a_column(
    given: ModuleType, schema: Schema, content_type: str, more: dict[str, Any]
) -> None:
    def missing(*rows: dict[str, Any]) -> set[str]:
        body = given.body([{**row, **more} for row in rows], content_type)
        return set(decode_events(body, content_type, event_layout(schema), now_us=given.NOW).missing)

    bare = {"event_id": "a", "timestamp": "2025-06-01T10:00:00Z"}
    every = {"score", "features.amount", "features.who.country", "features.who.vip"}
    assert missing(bare) == every
    assert missing({**bare, "score": None}) == every - {"score"}
    assert missing({**bare, "event_id": "score"}, {**bare, "event_id": '"score"'}) == every
    assert missing({**bare, "features": {"who": {"score": 1}}}) == every  # a nested score is not the score
    assert missing({**bare, "amount": None, "country": "DE"}) == every
    assert missing({**bare, "features": {"amount": None}}) == every - {"features.amount"}


def test_a_column_that_is_null_under_an_escaped_name_is_there(given: ModuleType) -> None:
    row = {**given.event(0), "amount": None}
    body = json.dumps(row).replace('"amount"', '"\\u0061mount"').encode()
    assert decode_events(body, JSON, event_layout(given.SCHEMA), now_us=given.NOW).missing == ()


def test_maps_of_arrow_are_columns_and_two_of_one_name_are_refused(given: ModuleType, schema: Schema) -> None:
    base = {"event_id": ["a", "b"], "timestamp": ["2025-06-01T10:00:00Z"] * 2}
    maps = pa.array([[("amount", 1.5), ("other", 2.0)], None], pa.map_(pa.string(), pa.float64()))
    body = given.stream(pa.table({**base, "features": maps}))
    decoded = decode_events(body, ARROW, event_layout(schema), now_us=given.NOW)
    assert given.kept(decoded)["features.amount"].to_pylist() == [1.5, None]
    assert set(decoded.unknown) == {"features.other"}
    both = given.stream(pa.table({**base, "features": maps, "features.amount": [1.0, 2.0]}))
    with pytest.raises(InputError, match=r"more than one column named 'features\.amount'"):
        decode_events(both, ARROW, event_layout(schema), now_us=given.NOW)


@pytest.mark.parametrize("content_type", [JSON, NDJSON, ARROW])
def test_labels_inside_objects(given: ModuleType, content_type: str) -> None:
    from dataclasses import replace

    layout = label_layout(replace(given.SCHEMA, label="outcome.late", label_timestamp=None))
    body = given.body([{"event_id": "a", "outcome": {"late": 1}}], content_type)
    decoded = decode_labels(body, content_type, layout, now_us=given.NOW)
    assert given.kept(decoded, "labels")["label"].to_pylist() == ["1"]


def test_a_second_arrow_stream_in_a_body_is_not_dropped(given: ModuleType) -> None:
    body = given.body(given.events(3), ARROW)
    with pytest.raises(InputError, match="bytes after the end of its Arrow stream"):
        decode_events(body * 2, ARROW, event_layout(given.SCHEMA), now_us=given.NOW)
