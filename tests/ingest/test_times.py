"""The time of an event or label as it comes: in the reference's format, before 1971, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

from barograph.ingest.decode import decode_events, decode_labels
from barograph.ingest.layouts import event_layout, label_layout
from barograph.times import from_microseconds

FORMS = ["application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"]
SIZES = [1, 150]  # both ways in which JSON is read
LATE = datetime(2025, 6, 13, 8, 30, tzinfo=UTC)
FORMATS = {"timestamp": "%d/%m/%Y", "labelled": "%Y%m%d"}


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n", SIZES)
def test_times_are_read_as_those_of_the_reference(given: ModuleType, form: str, n: int) -> None:
    layout = event_layout(replace(given.SCHEMA, formats=FORMATS))
    rows = given.events(n, timestamp="13/06/2025 8:30 AM", label="1", labelled="20250614")
    found = decode_events(given.body(rows, form), form, layout, now_us=given.NOW)
    assert given.kept(found)["timestamp"].to_pylist() == [LATE] * n
    assert given.kept(found, "labels")["label_timestamp"].to_pylist() == [datetime(2025, 6, 14, tzinfo=UTC)] * n
    iso = given.body(given.events(n, timestamp="2025-06-13T08:30:00Z"), form)
    assert given.kept(decode_events(iso, form, layout, now_us=given.NOW))["timestamp"].to_pylist() == [LATE] * n


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["labelled", "label_timestamp"])
def test_labels_alone_too(given: ModuleType, form: str, name: str) -> None:
    body = given.body([{"id": "a", "label": "1", name: "20250614"}], form)
    found = decode_labels(body, form, label_layout(replace(given.SCHEMA, formats=FORMATS)), now_us=given.NOW)
    assert given.kept(found, "labels")["label_timestamp"].to_pylist() == [datetime(2025, 6, 14, tzinfo=UTC)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", "1970-12-31T23:59:59Z", "1900-01-01"])
def test_a_clock_that_was_never_set_is_rejected_by_name(given: ModuleType, form: str, n: int, time: str) -> None:
    rows = [given.event(n, timestamp=time), *given.events(n)]
    found = decode_events(given.body(rows, form), form, event_layout(given.SCHEMA), now_us=given.NOW)
    assert (found.accepted, given.reasons(found)) == (
        n, {0: f"timestamp: '{time}' is before 1971, as of a clock that was never set"},
    )  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n", SIZES)
def test_receipt_is_the_time_of_an_event_without_one_on_request(given: ModuleType, form: str, n: int) -> None:
    layout = event_layout(given.SCHEMA, receipt=True)
    mixed = [given.event(n, timestamp=None), given.event(n + 1, timestamp="soon"), *given.events(n)]
    found = decode_events(given.body(mixed, form), form, layout, now_us=given.NOW)
    assert list(given.reasons(found)) == [1]
    times = given.kept(found)["timestamp"].to_pylist()
    assert times == [from_microseconds(given.NOW), *[datetime(2025, 6, 1, 10, tzinfo=UTC)] * n]
    bare = given.body([without(row, "timestamp") for row in given.events(n)], form)
    found = decode_events(bare, form, layout, now_us=given.NOW)
    assert given.kept(found)["timestamp"].to_pylist() == [from_microseconds(given.NOW)] * n
