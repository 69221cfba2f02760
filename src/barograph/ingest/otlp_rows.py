"""Log records and spans as rows: which attribute is what, as `[sources.otlp]` says, and what is no inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any  # Any: values of attributes

import msgspec

from barograph.errors import InputError
from barograph.ingest.common_names import FEATURES, PREDICTION, SCORE, SCORES
from barograph.ingest.otlp import Signal
from barograph.store.layout import CONTEXT, ID, LABEL

MODEL = "barograph.model"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """Which attribute is what.

    A name also means what is inside: `ml.x` is `x` in an attribute `ml` that is a list of pairs, or JSON as text.
    `features` are all attributes whose names begin so, without this part of the name, and what is in the attribute of
    this name; `body` is that of a log record.
    """

    model: str = MODEL
    id: str = "barograph.id"
    features: str = "barograph.features"
    prediction: str = "barograph.prediction"
    score: str = "barograph.score"
    label: str = "barograph.label"
    version: str = "barograph.version"
    latency_ms: str = "barograph.latency_ms"
    status: str = "barograph.error"


def row_of(signal: Signal, names: Mapped) -> tuple[bool, Row]:
    """Return whether a signal is a label, and its row under common names.

    An event has features, a prediction or a score, and may have a label; a label is one alone. Without an id, an event
    is called by its trace and span, a log record by all that it says: what is sent again is the same event. Raises
    InputError for what is neither, or has no time.

    >>> signal = Signal(
    ...     name="predict", attributes={"barograph.features.x": 1, "barograph.score": 0.5}, start_ns=10**18,
    ...     end_ns=10**18 + 2_500_000, trace_id="", span_id="", error=None,
    ... )
    >>> row_of(signal, Mapped())[1]["context"]
    {'latency_ms': 2.5, 'name': 'predict'}
    """
    has = signal.attributes
    row: Row = {}
    if features := _features(has, names.features):
        row[FEATURES] = features
    if (prediction := _get(has, names.prediction)) is not None:
        row[PREDICTION] = prediction
    score = _get(has, names.score)
    if score is not None:
        row[SCORES if isinstance(score, dict) else SCORE] = score
    label, id = _get(has, names.label), _get(has, names.id)
    if not row and label is None:
        raise InputError(
            f"it has no attribute {names.features}…, {names.prediction}, {names.score} or {names.label}: say in "
            "[sources.otlp] which are what"
        )
    if not row:
        if id is None:
            raise InputError(f"it is a label, and has no attribute {names.id}: nobody knows of which event")
        return True, {ID: id, LABEL: label, **({"label_timestamp": _time(signal)} if signal.start_ns else {})}
    if not signal.start_ns:
        raise InputError("it has no time")
    if label is not None:
        row[LABEL] = label
    row |= {ID: _own_id(signal) if id is None else id, "timestamp": _time(signal)}
    latency = _get(has, names.latency_ms)
    if latency is None and signal.end_ns is not None and signal.end_ns >= signal.start_ns:
        latency = (signal.end_ns - signal.start_ns) / 1e6
    context = {
        "trace_id": signal.trace_id,
        "span_id": signal.span_id,
        "latency_ms": latency,
        "error": _get(has, names.status) or signal.error,
        "version": _get(has, names.version),
        "service": has.get("service.name"),
        "name": signal.name,
    }
    return False, {**row, CONTEXT: {name: value for name, value in context.items() if value not in (None, "")}}


def _own_id(signal: Signal) -> str:
    if signal.span_id and signal.end_ns is not None:
        return f"{signal.trace_id}-{signal.span_id}"
    said = msgspec.json.encode((signal.trace_id, signal.span_id, signal.start_ns, signal.name, signal.attributes))
    return blake2b(said, digest_size=16).hexdigest()


def _time(signal: Signal) -> int:
    return signal.start_ns // 1000  # as microseconds, which all times are kept in


def _features(attributes: Mapping[str, Any], name: str) -> Row:
    stem = name.rstrip(".")
    inside = _get(attributes, stem)
    found: Row = dict(inside) if isinstance(inside, dict) else {}
    prefix = f"{stem}."
    found |= {key[len(prefix) :]: value for key, value in attributes.items() if key.startswith(prefix)}
    return found


def _get(attributes: Mapping[str, Any], name: str) -> Any:
    """Return the attribute of a name, or what is inside of one that is an object; None where there is none."""
    if name in attributes:
        return _opened(attributes[name])
    start = name
    while start:
        start, _, _ = start.rpartition(".")
        inside = _opened(attributes.get(start)) if start else None
        if isinstance(inside, dict):
            return _get(inside, name[len(start) + 1 :])
    return None


def _opened(value: Any) -> Any:
    """Return an object for one that is written as JSON, as instrumentation does where attributes cannot be nested."""
    if isinstance(value, str) and value[:1] == "{":
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
    return value
