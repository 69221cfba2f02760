"""How many events a second are taken, each on the disk before it is acknowledged, and how long that takes."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sqlite3
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import uvloop
from bodies import FEATURES, FORMATS, Body, make_bodies
from serving import EVENTS, MODEL, Process, call, prepared, served, working

import client

WARM_S = 3.0
CONNECTIONS = {1: 64, 100: 16, 1000: 32}
DIFFERENT = {1: 512, 100: 256, 1000: 64}  # bodies, so that files of them do not compress as repetitions would
WORK = ("none", "thread", "process")  # what counts and evaluates meanwhile: nothing, the server itself, one beside it
WORKER_STARTS_S = 6.0
TARGETS = {("NDJSON", 1000): 100_000, ("Arrow", 1000): 600_000, ("JSON", 1): 5_000}  # events/s
TARGET_P99_MS = {("JSON", 1): 50.0}

_Event = msgspec.defstruct(
    "_Event", [("event_id", str), ("timestamp", str), *((n, float | None) for n in FEATURES), ("score", float | None)]
)


def floor(folder: Path, format: str, bodies: list[Body], *, at_once: int, seconds: float) -> float:
    """Return events/s of decoding bodies and appending them to a SQLite file, `at_once` in one synced transaction."""
    path = folder / "floor.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma page_size = 16384")
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table batches (sequence integer primary key, payload blob)")
    lines, one = msgspec.json.Decoder(list[_Event]), msgspec.json.Decoder(_Event)  # type: ignore[valid-type]

    def decode(data: bytes, rows: int) -> object:
        if format == "Arrow":
            return pa.ipc.open_stream(pa.py_buffer(data)).read_all()
        if format == "NDJSON":
            return one.decode_lines(data)
        return one.decode(data) if rows == 1 else lines.decode(data)

    ready = [body.data.tobytes() for body in bodies]
    rows, number, start = bodies[0].rows, 0, time.perf_counter()
    while (took := time.perf_counter() - start) < seconds:
        connection.execute("begin immediate")
        for _ in range(at_once):
            data = ready[number % len(ready)]
            decode(data, rows)
            connection.execute("insert into batches (payload) values (?)", (data,))
            number += 1
        connection.execute("commit")
        if number % (at_once * 256) == 0:
            connection.execute("delete from batches")  # the file must not fill the disk
    connection.close()
    path.unlink()
    return number * rows / took


def measure(
    server: Process, worker: Process | None, format: str, bodies: list[Body], *, seconds: float
) -> dict[str, Any]:
    """Return what one server took in `seconds` after a warm-up, with a worker process beside it or without."""
    ours = [process for process in (server, worker) if process is not None]
    rows = bodies[0].rows
    heads = {len(b.data): client.post_head(EVENTS, FORMATS[format], len(b.data)) for b in bodies}
    marks: list[tuple[float, float, float]] = []

    def request(number: int) -> tuple[bytes, bytes]:
        body = bodies[number % len(bodies)]
        data = body.filled(number, time.time_ns() // 1000)
        return heads[len(data)], data

    async def run() -> client.Sent:
        async def mark() -> None:
            for pause in (WARM_S, seconds):
                await asyncio.sleep(pause)
                marks.append((time.perf_counter(), sum(p.cpu_seconds() for p in ours), time.process_time()))

        marking = asyncio.create_task(mark())
        sent = await client.closed_loop(
            server.port, request, connections=CONNECTIONS[rows], rows=rows, seconds=WARM_S + seconds + 0.2
        )
        await marking
        return sent

    sent = uvloop.run(run())
    (start, cpu_start, own_start), (end, cpu_end, own_end) = marks
    requests, events, took = sent.between(start, end)
    spool = _metric(server.port, "barograph_spool_rows")
    return {
        "events_per_s": events / (end - start),
        "requests_per_s": requests / (end - start),
        "p50_ms": float(np.quantile(took, 0.5)) * 1e3,
        "p99_ms": float(np.quantile(took, 0.99)) * 1e3,
        "max_ms": float(took.max()) * 1e3,
        "refused": sent.refused,
        "server_cores": (cpu_end - cpu_start) / (end - start),
        "client_cores": (own_end - own_start) / (end - start),
        "spool_rows_at_the_end": spool,
        "visible_at_the_end": (call(server.port, "GET", f"/v1/models/{MODEL}")["state"] or {}).get("events", 0),
        "acknowledged": sent.total,
    }


def _metric(port: int, name: str) -> float:
    async def read() -> float:
        connection = await client.Connection.open(port)
        text = (await client.get_bytes(connection, "/metrics")).decode()
        connection.close()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    return asyncio.run(read())


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure all formats and sizes, each with a new server in a new folder."""
    seconds, folder = arguments.seconds, arguments.folder
    template = prepared(folder / "template", chunk="1d")
    found = []
    print(f"{'body':<16}{'work':>8}{'events/s':>11}{'floor':>11}{'share':>7}{'p50 ms':>8}{'p99 ms':>8}{'cores':>14}")
    for format in FORMATS:
        for rows in CONNECTIONS:
            if arguments.only and f"{format}:{rows}" not in arguments.only:
                continue
            if format == "NDJSON" and rows == 1:
                continue  # the same as JSON
            bodies = make_bodies(format, rows, DIFFERENT[rows])
            bare = floor(folder, format, bodies, at_once=CONNECTIONS[rows], seconds=min(seconds, 5.0))
            for work in arguments.work:
                data = folder / "run"
                shutil.rmtree(data, ignore_errors=True)
                shutil.copytree(template, data)
                with ExitStack() as stack:
                    server = stack.enter_context(served(data, workers=int(work == "thread")))
                    worker = stack.enter_context(working(data)) if work == "process" else None
                    time.sleep(WORKER_STARTS_S if worker else 0.0)
                    row = measure(server, worker, format, bodies, seconds=seconds)
                row |= {"format": format, "rows": rows, "work": work, "floor_events_per_s": bare}
                row |= {"body_bytes": int(np.mean([len(b.data) for b in bodies])), "connections": CONNECTIONS[rows]}
                found.append(row)
                print(
                    f"{format + ' x ' + str(rows):<16}{work:>8}{row['events_per_s']:>11,.0f}{bare:>11,.0f}"
                    f"{row['events_per_s'] / bare:>7.2f}{row['p50_ms']:>8.1f}{row['p99_ms']:>8.1f}"
                    f"{row['server_cores']:>7.2f} + {row['client_cores']:.2f}"
                    f"   spool {row['spool_rows_at_the_end']:,.0f} rows; refused {row['refused']}",
                    flush=True,
                )
    shutil.rmtree(folder / "run", ignore_errors=True)
    return {"seconds": seconds, "rows": found}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--seconds", type=float, default=15.0, help="measured, after the warm-up")
    parser.add_argument("--work", nargs="+", choices=WORK, default=WORK)
    parser.add_argument("--only", nargs="+", help="such as NDJSON:1000")
