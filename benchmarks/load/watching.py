"""Looks at a service under load, from outside: what waits, what shows in results and how late, memory and disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import quote

from serving import MODEL, Process, size_mb

import client

LOOK_S, LAG_S = 5.0, 1.0


@dataclass
class Look:
    """What was seen at one time. Rates and lag are of the time since the look before."""

    seconds: float
    acknowledged: int
    rate: float
    p99_ms: float
    visible: int
    lag_s: float  # the longest: how long the newest event in the results had been acknowledged
    spool_rows: int
    spool_mb: float
    disk_mb: float
    memory_mb: dict[str, float] = field(default_factory=dict)
    own_memory_mb: dict[str, float] = field(default_factory=dict)  # without files that are mapped
    cores: dict[str, float] = field(default_factory=dict)


class Watch:
    """Looks every few seconds until it is stopped. `sent` is what was acknowledged so far."""

    def __init__(self, folder: Path, processes: dict[str, Process], sent: client.Sent) -> None:
        self.looks: list[Look] = []
        self._folder, self._processes, self._sent = folder, processes, sent
        self._start = perf_counter()
        self._since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        self._lag, self.visible = 0.0, 0
        self._cpu: dict[str, float] = {}
        self._last = (self._start, 0, 0)

    async def run(self, report: Callable[[Look], None]) -> None:
        """Look until cancelled."""
        port = self._processes["server"].port
        connection = await client.Connection.open(port)
        self._cpu = {name: process.cpu_seconds() for name, process in self._processes.items()}
        due = perf_counter() + LOOK_S
        while True:
            await asyncio.sleep(LAG_S)
            await self._look_for_lag(connection)
            if perf_counter() >= due:
                due += LOOK_S
                look = await self._look(connection)
                self.looks.append(look)
                report(look)

    async def _look_for_lag(self, connection: client.Connection) -> None:
        """Ask for the rows of the newest chunks, and when as many had been acknowledged."""
        path = f"/v1/models/{MODEL}/series?metric=row_count&limit=1000&start={quote(self._since)}"
        points = (await client.get(connection, path))["items"]
        self.visible = sum(point["n"] for point in points)
        now, rows = perf_counter(), self._sent.rows
        low, high = 0, len(rows)  # the first acknowledgement that is not in the results yet
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if rows[middle] <= self.visible else (low, middle)
        self._lag = max(self._lag, now - self._sent.ended[low] if low < len(rows) else 0.0)

    async def _look(self, connection: client.Connection) -> Look:
        text = (await client.get_bytes(connection, "/metrics")).decode()

        def metric(name: str) -> float:
            return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

        now, total, count = perf_counter(), self._sent.total, len(self._sent.seconds)
        before, total_before, count_before = self._last
        took = sorted(self._sent.seconds[count_before:count])
        memory = {name: process.memory_mb() for name, process in self._processes.items()}
        cpu = {name: process.cpu_seconds() for name, process in self._processes.items()}
        look = Look(
            seconds=now - self._start,
            acknowledged=total,
            rate=(total - total_before) / (now - before),
            p99_ms=took[int(len(took) * 0.99)] * 1e3 if took else 0.0,
            visible=self.visible,
            lag_s=self._lag,
            spool_rows=int(metric("barograph_spool_rows")),
            spool_mb=metric("barograph_spool_bytes") / 2**20,
            disk_mb=await asyncio.to_thread(size_mb, self._folder),
            memory_mb={name: round(both[0], 1) for name, both in memory.items()},
            own_memory_mb={name: round(both[1], 1) for name, both in memory.items()},
            cores={name: (cpu[name] - self._cpu[name]) / (now - before) for name in cpu},
        )
        self._last, self._lag, self._cpu = (now, total, count), 0.0, cpu
        return look

    def as_json(self) -> list[dict[str, Any]]:
        """Return all looks."""
        return [asdict(look) for look in self.looks]


def line(look: Look) -> str:
    """Return one look as a line."""
    memory = " ".join(f"{name} {mb:,.0f} MB {look.cores[name]:.2f} cores" for name, mb in look.memory_mb.items())
    return (
        f"{look.seconds:6.0f} s {look.rate:>9,.0f}/s  p99 {look.p99_ms:>6.0f} ms  spool {look.spool_rows:>9,} rows"
        f"  visible {look.visible:>11,}, {look.lag_s:>5.1f} s late  disk {look.disk_mb:>7,.0f} MB  {memory}"
    )
