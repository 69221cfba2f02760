"""Does memory stay bounded? A constant load of events and labels, and the memory of each process over time."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import uvloop
from bodies import NDJSON, id_prefix, labels_body, make_bodies
from serving import EVENTS, LABELS, errors, prepared, served, working
from watching import Watch, line

import client

ROWS = 200  # of a body
LABELLED = 0.5  # share of bodies whose events get labels, all of them one time later
GROWTH = 0.05  # of the memory in one run, above which it counts as growing


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send, look, and fit a line through the last two thirds."""
    folder = arguments.folder / "memory"
    prepared(folder, chunk=arguments.chunk)
    bodies = make_bodies("NDJSON", ROWS, 128)
    heads = {len(b.data): client.post_head(EVENTS, NDJSON, len(b.data)) for b in bodies}
    rng = np.random.default_rng(23)

    def events(number: int) -> tuple[bytes, bytes]:
        data = bodies[number % len(bodies)].filled(number, time.time_ns() // 1000)
        return heads[len(data)], data

    behind = round(arguments.labels_after * arguments.rate / ROWS)  # bodies

    def labels(number: int) -> tuple[bytes, bytes]:
        chosen = int(number / LABELLED) - behind
        data = labels_body([id_prefix(max(chosen, 1))], ROWS, rng)
        return client.post_head(LABELS, NDJSON, len(data)), data

    with ExitStack() as stack:
        processes = {"server": stack.enter_context(served(folder, workers=arguments.workers))}
        if not arguments.workers:
            processes["worker"] = stack.enter_context(working(folder))
        port = processes["server"].port
        load = client.OpenLoop(port, events, rate=arguments.rate / ROWS, rows=ROWS)
        truth = client.OpenLoop(port, labels, rate=LABELLED * arguments.rate / ROWS, rows=ROWS)
        watch = Watch(folder, processes, load.sent)

        async def run() -> None:
            looking = asyncio.create_task(watch.run(lambda look: print(line(look), flush=True)))
            seconds = 60 * arguments.minutes
            await asyncio.gather(load.run(connections=4, seconds=seconds), truth.run(connections=2, seconds=seconds))
            looking.cancel()

        uvloop.run(run())
    faults = errors(folder)
    for fault in faults[:3]:
        print(fault)
    shutil.rmtree(folder, ignore_errors=True)
    looks = watch.as_json()
    found = {
        "rate": arguments.rate,
        "labels": truth.sent.total,
        "minutes": arguments.minutes,
        "workers": arguments.workers,
        "chunk": arguments.chunk,
        "errors": len(faults),
        "looks": looks,
        "growth": {name: growth(looks, name) for name in processes},
    }
    for name, grown in found["growth"].items():
        said = "flat" if grown["flat"] else "NOT FLAT"
        print(f"{name}: own {grown['mean_mb']:,.0f} MB, {grown['grown_mb']:+,.0f} MB in the last two thirds: {said}")
    return found


def growth(looks: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return how much the memory of a process grew in the last two thirds, by a fitted line.

    Files that are mapped are left out: the kernel takes their pages back when it needs room.
    """
    late = [look for look in looks if look["seconds"] >= looks[-1]["seconds"] / 3]
    times = np.array([look["seconds"] for look in late])
    memory = np.array([look["own_memory_mb"][name] for look in late])
    slope = float(np.polyfit(times, memory, 1)[0]) if len(late) > 2 else float("nan")
    grown, mean = slope * (times[-1] - times[0]), float(memory.mean())
    return {
        "mean_mb": mean,
        "most_mb": float(memory.max()),
        "grown_mb": float(grown),
        "flat": bool(grown <= GROWTH * mean),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=5_000.0, help="events/s; half of them get a label")
    parser.add_argument("--labels-after", type=float, default=30.0, help="seconds after the events")
    parser.add_argument("--chunk", default="1h")
    parser.add_argument("--workers", type=int, default=1, help="threads of the server; 0: a worker process beside it")
