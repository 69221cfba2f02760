"""The rows of a request: events and labels as the server takes them from any model, whatever its columns are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .values import Moments, to_json

EVENTS, LABELS = "events", "labels"


class Absent:
    """What was not given, which is not the same as null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = Absent()


class Event(NamedTuple):
    """One event as it was logged; `at_ns` is when that was, `timestamp` what the caller said, if anything."""

    at_ns: int
    id: Any
    timestamp: Any
    features: Mapping[str, Any] | None
    prediction: Any
    score: Any
    context: Mapping[str, Any] | None


class Label(NamedTuple):
    """One label as it was logged."""

    at_ns: int
    id: Any
    timestamp: Any
    value: Any


def event_line(event: Event, moments: Moments) -> bytes:
    """Return an event as a line of NDJSON.

    >>> event_line(Event(0, "a", None, {"x": 1}, ABSENT, 0.5, {"version": "7"}), Moments())
    b'{"id":"a","timestamp":"1970-01-01T00:00:00.000000Z","features":{"x":1},"score":0.5,"context":{"version":"7"}}'
    """
    at_ns, id, timestamp, features, prediction, score, context = event
    row = {"id": id, "timestamp": moments.text(at_ns) if timestamp is None else timestamp}
    if features is not None:
        row["features"] = features
    if prediction is not ABSENT:
        row["prediction"] = prediction
    if score is not ABSENT:
        # Many numbers are those of the classes, by their names.
        row["scores" if isinstance(score, Mapping) else "score"] = score
    if context:
        row["context"] = context
    return to_json(row)


def label_line(label: Label, moments: Moments) -> bytes:
    """Return a label as a line of NDJSON. It has its time, so that one that is sent late corrects nothing newer.

    >>> label_line(Label(0, "a", "2024-01-01", 1), Moments())
    b'{"id":"a","label":1,"label_timestamp":"2024-01-01"}'
    """
    known = moments.text(label.at_ns) if label.timestamp is None else label.timestamp
    return to_json({"id": label.id, "label": label.value, "label_timestamp": known})
