"""The three modes of CloudEvents over HTTP give the same events; what is none is told with its place."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import InputError, TooLarge
from barograph.ingest.cloud_events import BATCH, STRUCTURED, CloudEvent, read_cloud_events
from barograph.ingest.limits import Limits

DATA = {"x": 1.5, "é": None}
EVENT = {
    "specversion": "1.0",
    "id": "a b",
    "source": "/shop/é",
    "type": "t",
    "time": "2026-01-31T10:00:00.5+01:00",
    "namespace": "prod",
    "retries": 3,
}


def read(body: Any, kind: str = STRUCTURED, **headers: str) -> list[CloudEvent]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_cloud_events({"content-type": kind, **headers}, data, Limits(body_rows=3))


def test_all_modes_give_the_same_event() -> None:
    (structured,) = read({**EVENT, "data": DATA})
    (packed,) = read({**EVENT, "data_base64": base64.b64encode(json.dumps(DATA).encode()).decode()})
    (batched,) = read([{**EVENT, "data": DATA}], BATCH + "; charset=utf-8")
    headers = {f"ce-{name}": str(value) for name, value in EVENT.items()} | {"ce-source": "/shop/%C3%A9"}
    (binary,) = read(DATA, "application/json", **headers, accept="*/*")
    for event in (structured, packed, batched, binary):
        assert (event.id, event.source, event.type, event.json()) == ("a b", "/shop/é", "t", DATA)
        assert event.time_us == 1_769_850_000_500_000
        assert event.attributes == {"namespace": "prod", "retries": "3"}


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({**EVENT, "id": ""}, "$.id: a CloudEvent needs it"),
        ({k: v for k, v in EVENT.items() if k != "type"}, "$.type: a CloudEvent needs it"),
        ({**EVENT, "specversion": "0.3"}, "$.specversion: expected 1.0, got '0.3'"),
        ({**EVENT, "time": "soon"}, "$.time: expected a time"),
        ({**EVENT, "data_base64": "%"}, "$.data_base64: this is not base64"),
        ({**EVENT, "nested": {}}, "$.nested: an attribute"),
        (b"[1", "$: this is not a CloudEvent as JSON"),
        (b"", "$: this is not a CloudEvent as JSON"),
        (b"7", "$: this is not a CloudEvent as JSON"),
    ],
)
def test_what_is_no_event_is_told_with_its_place(event: Any, why: str) -> None:
    with pytest.raises(InputError) as told:
        read(event)
    assert str(told.value).startswith(why)


def test_batches_and_headers_tell_where() -> None:
    with pytest.raises(InputError, match=r"^\$\[1\]\.id"):
        read([EVENT, {**EVENT, "id": None}], BATCH)
    with pytest.raises(InputError, match="not a JSON list"):
        read(EVENT, BATCH)
    with pytest.raises(TooLarge, match="at most 3"):
        read([EVENT] * 4, BATCH)
    with pytest.raises(InputError, match=r"^headers: ce-id"):
        read(DATA, "application/json")
    assert read([], BATCH) == []


def test_of_data_that_are_no_json_nothing_is_shown() -> None:
    (event,) = read(b"secret", "application/json", **{f"ce-{name}": str(value) for name, value in EVENT.items()})
    with pytest.raises(InputError) as told:
        event.json()
    assert "secret" not in str(told.value)


@given(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=6))
def test_a_damaged_event_is_read_or_told(at: int, cut: int, put: bytes) -> None:
    body = json.dumps([{**EVENT, "data": DATA}]).encode()
    i = at % (len(body) + 1)
    with suppress(InputError):
        for event in read(body[:i] + put + body[i + cut :], BATCH):
            event.json()
