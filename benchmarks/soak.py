"""A soak of the service with long histories: python benchmarks/soak.py [--scale 1.0] [--minutes 45] [--folder F].

A server as `barograph serve` starts it is given one model of 17,520 hourly chunks, one of 720 chunks and 50 segments,
and 198 of 200 chunks, all back-filled. Then chunks close, 60 a minute across all of them. Told is how fast resident
memory grows in the second half, how long it takes from the acknowledgement of the event that closes a chunk until it is
judged, and what the log says of locks and errors. `--scale 0.1` takes a tenth of the chunks, models and segments.
"""

from __future__ import annotations

import argparse
import io
import json
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent / "load"))

from serving import Process, call, errors, served, size_mb

HOUR_US = 3_600_000_000
FEATURES, ROWS, REFERENCE_HOURS = 5, 20, 200  # rows are those of a chunk
AHEAD_HOURS = 60  # for which each model can go on until its events are of now
TARGETS = {"growth_mb_a_minute": 1.0, "p99_s": 10.0, "lock_lines": 0}
ARROW = "application/vnd.apache.arrow.stream"


@dataclass
class Watched:
    """A model, the start of the next hour of its stream, and the chunks that wait to be judged: end → acknowledged."""

    name: str
    chunks: int
    segments: int
    next_us: int = 0
    id: int = 0
    waiting: dict[int, float] = field(default_factory=dict)


def rows_of(model: Watched, first_us: int, hours: int, *, seed: int, labels: bool = False) -> pl.DataFrame:
    """Return events of whole hours, evenly spread."""
    rng, a_chunk = np.random.default_rng(seed), max(ROWS, 2 * model.segments)
    n = hours * a_chunk
    x = rng.normal(size=(n, FEATURES))
    score = 1 / (1 + np.exp(-x[:, 0]))
    columns = {
        "event_id": [f"{model.name}-{seed}-{i}" for i in range(n)],
        "timestamp": pl.Series(first_us + np.arange(n) * (HOUR_US // a_chunk)).cast(pl.Datetime("us", "UTC")),
        **{f"x{i}": x[:, i] for i in range(FEATURES)},
        "site": [f"s{k}" for k in rng.integers(0, max(model.segments, 1), n)],
        "score": score,
    }
    if labels:
        columns["label"] = (rng.random(n) < score).astype(int)
    return pl.DataFrame(columns)


def arrow(frame: pl.DataFrame) -> bytes:
    """Return a body of events."""
    sink = io.BytesIO()
    frame.write_ipc_stream(sink, compat_level=pl.CompatLevel.oldest())
    return sink.getvalue()


def register(server: Process, model: Watched, begin_us: int) -> None:
    """Make a model and teach it its reference."""
    spec = {
        "task": "binary",
        "chunk": "1h",
        "service": {"lateness": "1m", "keep_events": "1200d", "keep_hours": "1200d"},
        **({"segments": ["site"]} if model.segments else {}),
    }
    call(server.port, "PUT", f"/v1/models/{model.name}", json.dumps(spec).encode())
    sink = io.BytesIO()
    first = begin_us - (REFERENCE_HOURS + 24) * HOUR_US
    rows_of(model, first, REFERENCE_HOURS, seed=1, labels=True).write_parquet(sink)
    path = f"/v1/models/{model.name}/references?wait=120"
    found = call(server.port, "POST", path, sink.getvalue(), "application/vnd.apache.parquet")
    if found["state"] != "ready":
        raise RuntimeError(f"The reference of {model.name} is not ready: {found}")
    while call(server.port, "GET", f"/v1/models/{model.name}")["reference"] is None:
        time.sleep(0.05)


def send(server: Process, model: Watched, hours: int, *, seed: int) -> None:
    """Send the next hours of a model's stream, some thousand rows at a time."""
    at_once = max(1, 50_000 // max(ROWS, 2 * model.segments))
    for at in range(0, hours, at_once):
        some = min(at_once, hours - at)
        body = arrow(rows_of(model, model.next_us, some, seed=seed * 1_000 + at // at_once))
        call(server.port, "POST", f"/v1/models/{model.name}/events", body, ARROW)
        model.next_us += some * HOUR_US


def judged_until(folder: Path) -> dict[str, int]:
    """Return until when each model's chunks are closed and judged, by its name, as the catalog says."""
    connection = sqlite3.connect(f"file:{folder / 'catalog.db'}?mode=ro", uri=True, timeout=30)
    try:
        rows = connection.execute(
            "SELECT m.name, s.watermark_us FROM states s JOIN models m ON m.id = s.model_id "
            "WHERE s.evaluated_us IS NOT NULL AND s.watermark_us IS NOT NULL"
        ).fetchall()
    finally:
        connection.close()
    return dict(rows)


def take(folder: Path, waiting: list[Watched]) -> list[float]:
    """Return how long those chunks waited that are judged by now, and forget them."""
    until, now, took = judged_until(folder), time.monotonic(), []
    for model in waiting:
        for end in [end for end in model.waiting if end <= until.get(model.name, 0)]:
            took.append(now - model.waiting.pop(end))
    return took


def soak(folder: Path, *, scale: float, minutes: float, closings: float) -> dict[str, float]:
    """Back-fill, let chunks close, and return what was measured."""
    few, others = max(2, round(200 * scale)), max(2, round(198 * scale))
    models = [
        Watched("long", max(50, round(17_520 * scale)), 0),
        Watched("wide", max(24, round(720 * scale)), max(2, round(50 * scale))),
        *(Watched(f"m{i}", few, 0) for i in range(others)),
    ]
    now_us = time.time_ns() // 1_000
    for model in models:
        model.next_us = (now_us // HOUR_US - AHEAD_HOURS - model.chunks) * HOUR_US
    with served(folder, workers=2) as server:
        began = time.monotonic()
        for model in models:
            register(server, model, model.next_us)
        registered = time.monotonic() - began
        began, cpu = time.monotonic(), server.cpu_seconds()
        ends = {}
        for i, model in enumerate(models):
            send(server, model, model.chunks, seed=i + 2)
            ends[model.name] = model.next_us - HOUR_US
        while any(judged_until(folder).get(name, 0) < end for name, end in ends.items()):
            time.sleep(1)
        filled, filled_cpu = time.monotonic() - began, server.cpu_seconds() - cpu
        print(f"registered in {registered:.0f} s, back-filled in {filled:.0f} s ({filled_cpu:.0f} CPU s)", flush=True)

        took: list[float] = []
        memory: list[tuple[float, float]] = []
        began, sent = time.monotonic(), 0
        while (passed := time.monotonic() - began) < 60 * minutes:
            if sent < passed * closings / 60:
                model = models[sent % len(models)]
                end_us = model.next_us
                send(server, model, 1, seed=100_000 + sent)
                model.waiting[end_us] = time.monotonic()  # its last events close the chunk before
                sent += 1
            took += take(folder, models)
            if not memory or passed - memory[-1][0] > 5:
                memory.append((passed, server.memory_mb()[0]))
            time.sleep(0.1)
        deadline = time.monotonic() + 60
        while any(model.waiting for model in models) and time.monotonic() < deadline:
            took += take(folder, models)
            time.sleep(0.1)
        late = sum(len(model.waiting) for model in models)
    half = np.array([point for point in memory if point[0] > 30 * minutes])
    log = (folder / "serve.log").read_text()
    return {
        "chunks": sum(model.chunks for model in models),
        "models": len(models),
        "back_filled_s": filled,
        "back_filled_cpu_s": filled_cpu,
        "closed": len(took),
        "never_judged": late,
        "p50_s": float(np.median(took)) if took else float("nan"),
        "p99_s": float(np.quantile(took, 0.99)) if took else float("nan"),
        "growth_mb_a_minute": float(np.polyfit(half[:, 0] / 60, half[:, 1], 1)[0]) if len(half) > 2 else float("nan"),
        "memory_mb": memory[-1][1],
        "disk_mb": size_mb(folder),
        "lock_lines": sum("locked" in line for line in log.splitlines()),
        "errors": len(errors(folder)),
    }


def main() -> None:
    """Soak, print, and end with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--scale", type=float, default=1.0, help="of chunks, models and segments")
    parser.add_argument("--minutes", type=float, default=40.0, help="in which chunks close")
    parser.add_argument("--closings", type=float, default=60.0, help="chunks that close in a minute")
    parser.add_argument("--folder", type=Path, help="for the data, which stay there; default: a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        found = soak(folder, scale=given.scale, minutes=given.minutes, closings=given.closings)
    print("| what | measured | at most |\n|---|---:|---:|")
    for name, value in found.items():
        print(f"| {name} | {value:,.2f} | {TARGETS.get(name, '')} |")
    missed = [name for name, most in TARGETS.items() if not found[name] <= most]
    print("missed: " + ", ".join(missed) if missed else "all targets met")
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
