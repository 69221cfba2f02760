"""Bodies of events, built before they are sent: only ids and times are written anew, so that sending is cheap.

20 numeric features with a score, an id and a timestamp: 8 features in full precision, 6 amounts with two decimals, 6
counts, 2 % of half of them missing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

JSON, NDJSON, ARROW = "application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"
FORMATS = {"JSON": JSON, "NDJSON": NDJSON, "Arrow": ARROW}
FEATURES = tuple(f"feature_{i:02d}" for i in range(20))
PREFIX, NUMBER = 12, 4  # characters of an id: the body's, then the row's within it
_ID = PREFIX + NUMBER
_TIME = len("2026-01-01T00:00:00.000000Z")


def feature_values(rng: np.random.Generator, rows: int) -> dict[str, npt.NDArray[np.float64]]:
    """Return the features and the score of some events; NaN where a value is missing."""
    noise = rng.normal(size=(4, rows))
    values: dict[str, npt.NDArray[np.float64]] = {}
    for i, name in enumerate(FEATURES):
        if i < 8:
            value = noise[i % 4] * (1 + i) + rng.normal(size=rows)
        elif i < 14:
            value = np.round(rng.standard_gamma(2.0, rows) * 10 ** (i - 8), 2)
        else:
            value = rng.poisson(3.0 * (i - 13), rows).astype(np.float64)
        if i % 2:
            value[rng.random(rows) < 0.02] = np.nan
        values[name] = value
    values["score"] = 1 / (1 + np.exp(-(noise[0] + 0.5 * noise[1] - 1)))
    return values


def reference_table(rows: int, *, seed: int = 3) -> pa.Table:
    """Return reference data: events with their labels."""
    rng = np.random.default_rng(seed)
    values = feature_values(rng, rows)
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6)
    columns: dict[str, Any] = {
        "event_id": pa.array([f"reference-{i}" for i in range(rows)]),
        "timestamp": pa.array(start + np.arange(rows) * (86_400_000_000 * 20 // rows), pa.timestamp("us", "UTC")),
        **{name: pa.array(v, pa.float64(), from_pandas=True) for name, v in values.items()},
        "label": pa.array((rng.random(rows) < values["score"]).astype(np.int8)),
    }
    return pa.table(columns)


def id_prefix(number: int) -> bytes:
    """Return the first characters of the ids of a body: mixed, so that bodies do not come in the order of their ids."""
    return f"{number * 0x9E3779B97F4A7C15 % 16**PREFIX:0{PREFIX}x}".encode()


class Places:
    """Places of one width in a body, all of which get the same bytes."""

    def __init__(self, data: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], width: int) -> None:
        steps = np.unique(np.diff(starts))
        self._data = data
        self._index: npt.NDArray[np.int64] | None = None
        if len(steps) == 1:  # evenly spaced, as in Arrow: one strided copy
            self._view = np.lib.stride_tricks.as_strided(data[starts[0] :], (len(starts), width), (int(steps[0]), 1))
        else:
            self._index = starts[:, None] + np.arange(width)

    def put(self, value: bytes) -> None:
        """Write the same bytes at each place."""
        values = np.frombuffer(value, np.uint8)
        if self._index is None:
            self._view[:] = values
        else:
            self._data[self._index] = values


@dataclass(frozen=True, slots=True)
class Body:
    """A body whose ids and times can be written anew. Times are texts, or numbers of 8 bytes in an Arrow buffer."""

    rows: int
    data: npt.NDArray[np.uint8]
    ids: Places
    times: Places
    text: bool

    def filled(self, number: int, now_us: int) -> bytes:
        """Return the body as the `number`-th one, of events that happened at `now_us`."""
        self.ids.put(id_prefix(number))
        if self.text:
            self.times.put(datetime.fromtimestamp(now_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode())
        else:
            self.times.put(int(now_us).to_bytes(8, "little"))
        return self.data.tobytes()


def make_bodies(format: str, rows: int, count: int, *, seed: int = 5) -> list[Body]:
    """Return `count` different bodies of some rows each."""
    rng = np.random.default_rng(seed)
    return [_arrow(rng, rows) if format == "Arrow" else _text(rng, rows, format) for _ in range(count)]


def _text(rng: np.random.Generator, rows: int, format: str) -> Body:
    values = feature_values(rng, rows)
    mark, moment = "I" * PREFIX, "T" * _TIME
    lines = []
    for i in range(rows):
        event: dict[str, Any] = {"event_id": f"{mark}{i:0{NUMBER}d}", "timestamp": moment}
        for k, (name, value) in enumerate(values.items()):
            v = float(value[i])
            event[name] = None if v != v else int(v) if 14 <= k < 20 else v
        lines.append(json.dumps(event, separators=(",", ":")))
    text = lines[0] if rows == 1 else "[" + ",".join(lines) + "]"
    if format == "NDJSON":
        text = "\n".join(lines) + "\n"
    data = np.frombuffer(text.encode(), np.uint8).copy()
    ids, times = (
        Places(data, np.array(list(_found(text.encode(), what.encode())), np.int64), len(what))
        for what in (mark, moment)
    )
    return Body(rows, data, ids, times, True)


def _found(data: bytes, what: bytes) -> Any:
    at = data.find(what)
    while at >= 0:
        yield at
        at = data.find(what, at + len(what))


def _arrow(rng: np.random.Generator, rows: int) -> Body:
    mark, moment = "I" * PREFIX, int.from_bytes(b"TIMESTAM", "little")
    columns: dict[str, Any] = {
        "event_id": pa.array([f"{mark}{i:0{NUMBER}d}" for i in range(rows)]),
        "timestamp": pa.array(np.full(rows, moment, np.int64)).view(pa.timestamp("us", "UTC")),
        **{n: pa.array(v, pa.float64(), from_pandas=True) for n, v in feature_values(rng, rows).items()},
    }
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    text = sink.getvalue().to_pybytes()
    data, even = np.frombuffer(text, np.uint8).copy(), np.arange(rows, dtype=np.int64)
    ids = Places(data, text.find(mark.encode()) + even * _ID, PREFIX)
    return Body(rows, data, ids, Places(data, text.find(b"TIMESTAM") + even * 8, 8), False)


def labels_body(prefixes: list[bytes], rows: int, rng: np.random.Generator) -> bytes:
    """Return labels of the events of earlier bodies, as NDJSON."""
    truth = rng.random((len(prefixes), rows)) < 0.3
    return b"".join(
        b'{"id":"%b%04d","label":%d}\n' % (prefix, i, truth[k, i])
        for k, prefix in enumerate(prefixes)
        for i in range(rows)
    )
