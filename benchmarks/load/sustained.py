"""Events at a fixed rate, through tables and profiles into results: is the rate held, and how late do they show?"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import uvloop
from bodies import FORMATS, make_bodies
from serving import EVENTS, errors, prepared, served, working
from watching import Watch, line

import client

ROWS = 1000  # of a body
CONNECTIONS = 8
VISIBLE_S = 10.0  # the latest that an acknowledged event may show in results
SETTLED_S = 15.0  # from the start, before the verdict looks at anything: the first results take their time
DRAIN_S = 60.0  # after the last body, for what is still on its way


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Send, look, and judge."""
    folder = arguments.folder / "sustained"
    prepared(folder, chunk=arguments.chunk)
    bodies = make_bodies(arguments.format, ROWS, 64)
    heads = {len(b.data): client.post_head(EVENTS, FORMATS[arguments.format], len(b.data)) for b in bodies}

    def request(number: int) -> tuple[bytes, bytes]:
        data = bodies[number % len(bodies)].filled(number, time.time_ns() // 1000)
        return heads[len(data)], data

    with ExitStack() as stack:
        processes = {"server": stack.enter_context(served(folder, workers=arguments.workers))}
        if not arguments.workers:
            processes["worker"] = stack.enter_context(working(folder))
        load = client.OpenLoop(processes["server"].port, request, rate=arguments.rate / ROWS, rows=ROWS)
        watch = Watch(folder, processes, load.sent)

        async def run() -> float | None:
            looking = asyncio.create_task(watch.run(lambda look: print(line(look), flush=True)))
            await load.run(connections=CONNECTIONS, seconds=60 * arguments.minutes)
            end = time.perf_counter()
            took = None
            while (waited := time.perf_counter() - end) < DRAIN_S:
                await asyncio.sleep(0.25)
                if watch.visible >= load.sent.total:
                    took = waited
                    break
            looking.cancel()
            return took

        drained = uvloop.run(run())
    faults = errors(folder)
    for fault in faults[:3]:
        print(fault)
    shutil.rmtree(folder, ignore_errors=True)
    found = {
        "variant": f"{arguments.format}-{arguments.workers}",
        "format": arguments.format,
        "workers": arguments.workers,
        "rate": arguments.rate,
        "minutes": arguments.minutes,
        "chunk": arguments.chunk,
        "refused": load.sent.refused,
        "p50_ms": float(np.quantile(load.sent.seconds, 0.5)) * 1e3,
        "p99_ms": float(np.quantile(load.sent.seconds, 0.99)) * 1e3,
        "drained_s": drained,
        "errors": len(faults),
        "looks": watch.as_json(),
    }
    found["verdict"] = verdict(found)
    for what, good in found["verdict"].items():
        print(f"{'yes' if good else 'NO ':<4}{what}")
    return found


def verdict(found: dict[str, Any]) -> dict[str, bool]:
    """Return what was asked for, and whether it was so."""
    looks = [look for look in found["looks"] if SETTLED_S <= look["seconds"] <= 60 * found["minutes"]]
    if not looks:
        return {"long enough to judge": False}
    rates = [look["rate"] for look in looks]
    rows = np.array([look["spool_rows"] for look in looks], np.float64)
    half = len(rows) // 2
    growing = half > 0 and np.median(rows[half:]) > np.median(rows[:half]) + 2 * found["rate"]
    return {
        f"{found['rate']:,.0f} events/s were acknowledged": float(np.mean(rates)) >= 0.99 * found["rate"],
        f"events showed in results within {VISIBLE_S:.0f} s": max(look["lag_s"] for look in looks) <= VISIBLE_S,
        "what waits to be filed did not grow": not growing,
        "all that was acknowledged showed in the end": found["drained_s"] is not None,
        "the log has no errors": not found["errors"],
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=60_000.0, help="events/s")
    parser.add_argument("--format", choices=FORMATS, default="Arrow")
    parser.add_argument("--chunk", default="1d")
    parser.add_argument("--workers", type=int, default=1, help="threads of the server; 0: a worker process beside it")
