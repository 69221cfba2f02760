"""docs/load.md, made of what the programs found."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from queries import TARGETS_MS
from sustained import SETTLED_S, VISIBLE_S

from ingest import TARGET_P99_MS, TARGETS

PAGE = Path(__file__).parents[2] / "docs" / "load.md"
_LINES = 12  # of a run over time that the page shows


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cores": str(os.cpu_count()),
        "cpu": cpu,
        "memory_gib": f"{memory / 2**20:.0f}",
        "python": platform.python_version(),
        "pyarrow": version("pyarrow"),
        "load_before": f"{os.getloadavg()[1]:.1f}",
    }


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []


def write(folder: Path) -> None:
    """Write the page of all runs that are kept in a folder."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    runs = [one for name, one in found.items() if name.startswith("sustained")]
    parts = ["# Load\n", _head(next(reversed(found.values()))["machine"])]
    if "ingest" in found:
        parts += _ingest(found["ingest"])
    if runs:
        parts += _sustained(runs)
    if "queries" in found:
        parts += _queries(found["queries"])
    if "memory" in found:
        parts += _memory(found["memory"])
    PAGE.write_text("\n".join(parts))
    print(f"{PAGE} is written.")


def _paragraph(text: str) -> str:
    return "\n".join(wrap(" ".join(text.split()), 120, break_on_hyphens=False)) + "\n"


def _head(on: dict[str, str]) -> str:
    return _paragraph(
        f"""
        What the whole service takes, measured from outside: `barograph serve` as users start it, driven over HTTP on
        the same machine. **The client runs on the same cores as the server.** Written by `python benchmarks/load …
        --write`. {on["cores"]} cores ({on["cpu"]}), {on["memory_gib"]} GiB, Python {on["python"]}, pyarrow
        {on["pyarrow"]}. Each event has 20 numeric features, a score, an id and a time; the ids and times of a body
        are new in each request.
        """
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _busy(found: dict[str, Any]) -> str:
    return f"Load of the machine before the run: {found['machine']['load_before']}.\n"


def _ingest(found: dict[str, Any]) -> list[str]:
    rows = []
    for r in found["rows"]:
        key = r["format"], r["rows"]
        target, p99 = TARGETS.get(key), TARGET_P99_MS.get(key)
        missed = (target and r["events_per_s"] < target) or (p99 and r["p99_ms"] > p99)
        said = "" if target is None else f"{target:,}/s" + (f", p99 {p99:.0f} ms" if p99 else "")
        rows.append(
            [
                f"{r['format']} × {r['rows']:,}",
                {"none": "–", "thread": "a thread", "process": "a process"}[r["work"]],
                str(r["connections"]),
                f"{r['events_per_s']:,.0f}",
                f"{r['requests_per_s']:,.0f}",
                f"{r['p50_ms']:.1f}",
                f"{r['p99_ms']:.1f}",
                f"{r['floor_events_per_s']:,.0f}",
                f"{r['events_per_s'] / r['floor_events_per_s']:.2f}",
                f"{r['server_cores']:.2f} + {r['client_cores']:.2f}",
                said + (" **missed**" if missed else ""),
            ]
        )
    head = [
        "body",
        "work beside it",
        "connections",
        "events/s",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "floor",
        "share",
        "cores",
    ]
    said = f"""
        `python benchmarks/load ingest`. Events that are acknowledged, each on the disk before, in
        {found["seconds"]:.0f} s after a warm-up; every connection sends its next body when the last one is
        acknowledged. The server takes events and files them into their table; meanwhile nothing, a thread of it (the
        default) or a process of its own (`barograph worker`) counts them into profiles and evaluates these. The floor,
        in the same run: one thread decodes the same bodies in the plainest quick way (msgspec, Arrow) and appends them
        to a SQLite file, as many in one synced commit as there are connections; no HTTP, no checks. Cores: processor
        time of server and worker, and of the client.
        """
    return ["## Taking events\n", _paragraph(said), _table([*head, "target"], rows), _busy(found)]


def _some(looks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    chosen = np.unique(np.linspace(0, len(looks) - 1, min(_LINES, len(looks))).astype(int))
    return [looks[i] for i in chosen]


def _over_time(looks: Sequence[dict[str, Any]]) -> str:
    names = list(looks[0]["memory_mb"])
    rows = [
        [
            f"{look['seconds']:,.0f}",
            f"{look['rate']:,.0f}",
            f"{look['p99_ms']:,.0f}",
            f"{look['spool_rows']:,}",
            f"{look['lag_s']:.1f}",
            f"{look['disk_mb']:,.0f}",
            *(f"{look['memory_mb'][name]:,.0f}" for name in names),
            *(f"{look['own_memory_mb'][name]:,.0f}" for name in names),
            *(f"{look['cores'][name]:.2f}" for name in names),
        ]
        for look in _some(looks)
    ]
    head = ["seconds", "events/s", "p99 ms", "rows in the spool", "seconds until visible", "disk MB"]
    return _table(
        [*head, *(f"{n} MB" for n in names), *(f"{n}, own" for n in names), *(f"{n} cores" for n in names)], rows
    )


def _sustained(runs: Sequence[dict[str, Any]]) -> list[str]:
    said = f"""
        `python benchmarks/load sustained`. Bodies of 1,000 are sent at fixed times, whatever the answers take
        (latencies count from when a body was due). They go through the spool, the table, the profile of the current
        chunk and its results; asked every second over the API. *Seconds until visible*: the longest, since the line
        before, that the oldest event not yet in the results had been acknowledged. The verdicts leave out the first
        {SETTLED_S:.0f} s.
        """
    parts = ["## Events at a fixed rate, until they show in results\n", _paragraph(said)]
    for found in runs:
        how = f"{found['workers']} worker thread in the server's process" if found["workers"] else "a worker process"
        looks = found["looks"]
        judged = [k for k in looks if SETTLED_S <= k["seconds"] <= 60 * found["minutes"]]
        late = max((k["lag_s"] for k in judged), default=float("nan"))
        summary = f"""
            Acknowledged: p50 {found["p50_ms"]:.0f} ms, p99 {found["p99_ms"]:.0f} ms. Visible after {late:.1f} s at
            the latest (bound: {VISIBLE_S:.0f} s). {_busy(found)}
            """
        parts += [
            f"### {found['format']}, {found['rate']:,.0f} events/s for {found['minutes']:g} minutes, {how}\n",
            _over_time(looks),
            _paragraph(summary),
            *(f"- {what}: {'yes' if good else '**no**'}" for what, good in found["verdict"].items()),
            "",
        ]
    return parts


def _queries(found: dict[str, Any]) -> list[str]:
    rows = []
    for name, q in found["questions"].items():
        target = TARGETS_MS.get(name)
        bound = "" if target is None else f"{target:.0f} ms" + ("" if q["p95_ms"] <= target else " **missed**")
        times = [f"{q[k]:.1f}" for k in ("p50_ms", "p95_ms", "max_ms")]
        rows.append([name, *times, f"{q['bytes'] / 1000:,.0f}", f"{q['asked']:,}", bound])
    said = f"""
        `python benchmarks/load queries`. A SQLite catalog of {found["models"]:,} models with 100 series of 365 daily
        points each, the last 30 days written twice: {found["points"] / 1e6:,.1f} million rows,
        {found["disk_mb"] / 1024:,.1f} GiB. One question at a time, of models chosen at random; the target is for the
        95 % quantile.
        """
    head = ["question", "p50 ms", "p95 ms", "most ms", "kB", "asked", "target"]
    return ["## Reading\n", _paragraph(said), _table(head, rows), _busy(found)]


def _memory(found: dict[str, Any]) -> list[str]:
    said = f"""
        `python benchmarks/load memory`. {found["rate"]:,.0f} events/s and
        {found["labels"] / 60 / found["minutes"]:,.0f} labels/s for {found["minutes"]:g} minutes, chunks of
        {found["chunk"]}: the open chunk has millions of rows, and is built again and again as its labels come. Resident
        memory of each process, and of that its own: without the files that it has mapped (hashes of ids, tables), whose
        pages the kernel takes back when it needs room.
        """
    parts = ["## Memory\n", _paragraph(said), _over_time(found["looks"])]
    for name, grown in found["growth"].items():
        line = f"""
            - {name}: {grown["mean_mb"]:,.0f} MB of its own on average, {grown["most_mb"]:,.0f} MB at most; a line
            fitted to the last two thirds changes by {grown["grown_mb"]:+,.0f} MB:
            {"flat" if grown["flat"] else "**growing**"}.
            """
        parts.append(" ".join(line.split()))
    parts.append(f"- errors in the log: {found['errors']}")
    return [*parts, "", _busy(found)]
