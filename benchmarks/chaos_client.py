"""One client of the crash test: sends events and labels until each is acknowledged, and keeps a log on the disk.

    python benchmarks/chaos_client.py --url http://127.0.0.1:8321 --folder logs --number 0 --seed 1

Each line on the standard input is a number of seconds to send for. What was begun by then is sent until it is
acknowledged; then one line of JSON says what happened. `client-0.sent` has each request before it is sent first, and
`client-0.acknowledged` its number once it was answered with 200; both are synced line by line, so that the truth is on
the disk.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import io
import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # Any: JSON values
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pyarrow as pa

from chaos_data import MODELS, NOTE, Model, frame_of, label_time, new_rows, other_label

PATIENCE_S = 150.0  # until a request must be acknowledged
TIMEOUT_S = 10.0
KEPT = 2000  # events of which labels may still be sent or corrected
ARROW, NDJSON, JSON = "application/vnd.apache.arrow.stream", "application/x-ndjson", "application/json"


@dataclass(slots=True)
class Known:
    """An event that was made, and the last revision of its label that was sent; -1: none. `told` says whether its
    labels bear the time at which they became known: all of one event do, or none."""

    event: dict[str, Any]
    label: Any
    told: bool
    revision: int = -1


@dataclass(slots=True)
class Load:
    """What the client knows of one model. `early` are events that are sent later than their labels."""

    model: Model
    known: list[Known] = field(default_factory=list)
    early: list[Known] = field(default_factory=list)


class Client:
    """A client that never gives up."""

    def __init__(self, url: str, folder: Path, number: int, seed: int) -> None:
        self.host, self.number = urlsplit(url).netloc, number
        self.rng = np.random.default_rng([seed, number])
        self.loads = [Load(model) for model in MODELS]
        self.sent = (folder / f"client-{number}.sent").open("ab", buffering=0)
        self.acknowledged = (folder / f"client-{number}.acknowledged").open("ab", buffering=0)
        self.connection: http.client.HTTPConnection | None = None
        self.requests = self.ids = 0
        self.happened: Counter[str] = Counter()

    def run(self, seconds: float, pause: float) -> None:
        """Send for some seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step(self.loads[int(self.rng.integers(len(self.loads)))])
            time.sleep(pause * float(self.rng.random()))

    def step(self, load: Load) -> None:
        """Make one request of some kind, and send it until it is acknowledged."""
        kind = self.rng.choice(
            ["one", "lines", "arrow", "labels", "corrections", "early labels", "late events", "again"],
            p=[0.25, 0.15, 0.15, 0.2, 0.08, 0.06, 0.06, 0.05],
        )
        if kind in ("one", "lines", "arrow"):
            self._new_events(load, kind)
        elif kind in ("labels", "corrections"):
            fresh = kind == "labels"
            found = [k for k in load.known if (k.revision < 0) == fresh]
            self._labels(load, self._some(found, 40))
        elif kind == "early labels":
            made = self._make(load, int(self.rng.integers(1, 20)))
            load.early += made
            self._labels(load, made)
        elif kind == "late events" and load.early:
            late, load.early = load.early[:30], load.early[30:]
            self._send(load.model, "events", [k.event for k in late], NDJSON)
            self._keep(load, late)
        elif kind == "again" and load.known:
            some = self._some(load.known, 50)  # as a client does that never saw the answer
            self._send(load.model, "events", [k.event for k in some], ARROW if len(some) > 25 else NDJSON)

    def large(self, size_bytes: int) -> None:
        """Send a few events that are large, and cannot be compressed, until they are acknowledged."""
        load = self.loads[0]
        made = self._make(load, 100)
        notes = [self.rng.bytes(size_bytes // 200).hex() for _ in made]
        rows = [{**k.event, NOTE: note} for k, note in zip(made, notes, strict=True)]
        self._send(load.model, "events", rows, NDJSON)
        self._keep(load, made)

    def _new_events(self, load: Load, kind: str) -> None:
        count = {"one": 1, "lines": int(self.rng.integers(2, 40)), "arrow": int(self.rng.integers(20, 150))}[kind]
        made = self._make(load, count)
        rows = [k.event for k in made]
        if kind != "arrow" and self.rng.random() < 0.2:  # with the label inside
            rows = [{**k.event, "label": k.label} for k in made]
            for k in made:
                k.revision, k.told = 0, False
        self._send(load.model, "events", rows, {"one": JSON, "lines": NDJSON, "arrow": ARROW}[kind])
        self._keep(load, made)

    def _labels(self, load: Load, some: list[Known]) -> None:
        if not some:
            return
        rows = []
        for k in some:
            k.revision += 1
            if k.revision:
                k.label = other_label(load.model, k.label)
            row = {"id": k.event["event_id"], "label": k.label}
            rows.append(row | ({"label_timestamp": label_time(k.event, k.revision)} if k.told else {}))
        self._send(load.model, "labels", rows, [JSON, NDJSON, ARROW][int(self.rng.integers(3))])

    def _make(self, load: Load, count: int) -> list[Known]:
        ids = [f"{load.model.name}-{self.number}-{self.ids + i}" for i in range(count)]
        self.ids += count
        events, labels = new_rows(load.model, ids, self.rng)
        told = self.rng.random(count) < 0.5
        return [Known(e, y, bool(t)) for e, y, t in zip(events, labels, told, strict=True)]

    def _keep(self, load: Load, more: list[Known]) -> None:
        load.known = (load.known + more)[-KEPT:]

    def _some(self, found: list[Known], most: int) -> list[Known]:
        count = min(len(found), int(self.rng.integers(1, most)))
        return [found[i] for i in self.rng.choice(len(found), count, replace=False)] if count else []

    def _send(self, model: Model, kind: str, rows: list[dict[str, Any]], content_type: str) -> None:
        number, self.requests = self.requests, self.requests + 1
        body = body_of(rows, content_type)
        headers = {"Content-Type": content_type}
        if content_type == NDJSON and self.rng.random() < 0.3:
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        _log(self.sent, {"request": number, "model": model.name, "kind": kind, "rows": rows})
        began = time.monotonic()
        while True:
            status, answer = self._try(f"/v1/models/{model.name}/{kind}", body, headers)
            self.happened[str(status)] += 1
            if status == 200:
                taken = json.loads(answer)
                if taken["accepted"] + taken["duplicates"] != len(rows):
                    raise SystemExit(f"{len(rows)} rows were sent, and the answer is {answer!r}")
                break
            if status not in (0, 429, 503):
                raise SystemExit(f"{status} for {kind} of {model.name}: {answer!r}")
            if time.monotonic() - began > PATIENCE_S:
                raise SystemExit(f"not acknowledged in {PATIENCE_S} s: request {number}, {status} {answer!r}")
            time.sleep(0.05 + 0.2 * float(self.rng.random()))
        _log(self.acknowledged, {"request": number, "at": time.monotonic()})
        self.happened["rows"] += len(rows)

    def _try(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Return status and answer; status 0 for no answer."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
            self.connection.request("POST", path, body, headers)
            response = self.connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            return 0, b""


def body_of(rows: list[dict[str, Any]], content_type: str) -> bytes:
    """Return rows as a body."""
    if content_type == ARROW:
        frame = frame_of(rows)
        table = frame.with_columns(pl.col(pl.Null).cast(pl.Float64)).to_arrow()
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        return stream.getvalue()
    if content_type == NDJSON:
        return b"\n".join(json.dumps(row).encode() for row in rows)
    return json.dumps(rows[0] if len(rows) == 1 else rows).encode()


def _log(file: Any, line: dict[str, Any]) -> None:
    file.write(json.dumps(line).encode() + b"\n")
    os.fsync(file.fileno())


def main() -> None:
    """Send when told to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between two requests, at most")
    asked = parser.parse_args()
    client = Client(asked.url, asked.folder, asked.number, asked.seed)
    for line in sys.stdin:
        client.happened.clear()
        client.run(float(line), asked.pause)
        print(json.dumps(client.happened), flush=True)


if __name__ == "__main__":
    main()
