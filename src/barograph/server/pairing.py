"""Halves of inferences that come apart: kept on the disk until both are there, then an event.

A half is durable when it is acknowledged. Both stay until their event is in the spool; then their name is remembered,
so that one that comes again is none. What has had no other half for `pairing_seconds` is set aside with the reason.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from barograph.errors import BarographError, Busy, InputError
from barograph.ingest.json_rows import JSON
from barograph.ingest.kserve import joined
from barograph.ingest.layouts import EventLayout
from barograph.ingest.rejected import Rejected
from barograph.logs import logger
from barograph.server.ingest_routes import Ingest
from barograph.server.problems import Problem
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog.database import reading, writing
from barograph.store.catalog.halves import DONE, Half, add_halves, end_halves, forget_halves
from barograph.store.catalog.models import get_model
from barograph.store.catalog.scope import Scope
from barograph.store.settings import Settings

_LOG = logger(__name__)
LEFT_S = 30.0  # after which a pair that should be an event by now is taken again: its process was killed
SWEPT_S = 5.0
AT_ONCE = 1_000


@dataclass(slots=True)
class _Ticket:
    project_id: int
    model_id: int
    new: Sequence[Half]
    found: list[Half] = field(default_factory=list)
    error: Exception | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class Paired:
    """What became of halves: events that were accepted, halves that wait, and why which names were set aside."""

    accepted: int
    waiting: int
    rejected: Mapping[str, str]


class Pairing:
    """Keep halves and join them. `ingest` belongs to one event loop; what is on the disk, to all processes."""

    def __init__(self, engine: sa.Engine, settings: Settings, ingest: Ingest, *, now_us: Callable[[], int]) -> None:
        self._engine, self._settings, self._ingest, self._now_us = engine, settings, ingest, now_us
        self._queue, self._turn = threading.Lock(), threading.Lock()
        self._waiting: list[_Ticket] = []
        self.sweeps = 0  # that have ended
        self._bytes: int | None = None  # of all halves, as of the last look and what was added since

    async def take(self, project_id: int, layout: EventLayout, new: Sequence[Half]) -> Paired:
        """Keep halves of one model, sensitive values treated; those whose other half is there become events.

        They are on the disk when this returns. Raises Busy when there is no room, StoreError, and Problem.
        """
        if not new:
            return Paired(0, 0, {})
        ticket = _Ticket(project_id, new[0].model_id, new)
        await run_in_threadpool(self._keep, ticket)
        names = {half.name for half in new}
        by_name: dict[str, dict[str, Half]] = defaultdict(dict)
        for half in ticket.found:
            by_name[half.name][half.side] = half
        pairs = {name: sides for name, sides in by_name.items() if DONE not in sides and len(sides) == 2}
        waiting = sum(1 for sides in by_name.values() if DONE not in sides and len(sides) == 1)
        accepted, rejected = await self._emit(project_id, ticket.model_id, layout, pairs)
        again = [name for name in names if DONE in by_name[name] and len(by_name[name]) > 1]
        if pairs or again:
            await run_in_threadpool(self._end, project_id, ticket.model_id, [*pairs, *again])
        return Paired(accepted, waiting, rejected)

    async def sweep(self) -> None:
        """Take pairs that a process left that was killed, and set aside what has waited for too long."""
        while await self._sweep() == AT_ONCE:
            pass
        self.sweeps += 1

    async def _sweep(self) -> int:
        """Sweep `AT_ONCE` of each at most; return how many halves were too old."""
        now_us = self._now_us()
        left_us = now_us - int(LEFT_S * 1e6)
        old_us = now_us - int(self._settings.pairing_seconds * 1e6)
        left, old, self._bytes = await run_in_threadpool(self._look, left_us, old_us)
        for project_id, model_id, name in left:
            model = await run_in_threadpool(self._name_of, project_id, model_id)
            if model is not None:
                _, layout, _ = await self._ingest.target(project_id, model)
                again = Half(model_id=model_id, name=name, side="request", at_us=0, received_us=now_us, rows=b"[]")
                await self.take(project_id, layout, [again])
        whole = {(model_id, name) for _, model_id, name in left}
        by_model: dict[tuple[int, int], list[Half]] = defaultdict(list)
        for project_id, half in old:
            if (half.model_id, half.name) not in whole:
                by_model[project_id, half.model_id].append(half)
        for (project_id, model_id), halves in by_model.items():
            rows = [
                _alone(half, i, self._settings.pairing_seconds) for i, half in enumerate(halves) if half.side != DONE
            ]
            await self._ingest.set_aside(project_id, model_id, rows)
            await run_in_threadpool(self._forget, project_id, model_id, [half.name for half in halves])
        return len(old) if by_model else 0

    async def _emit(
        self, project_id: int, model_id: int, layout: EventLayout, pairs: Mapping[str, Mapping[str, Half]]
    ) -> tuple[int, dict[str, str]]:
        """Put pairs into the spool as events; return how many were accepted, and why which were not."""
        events: list[dict[str, object]] = []
        aside: list[Rejected] = []
        rejected: dict[str, str] = {}
        for name, sides in pairs.items():
            request, response = sides["request"], sides["response"]
            halves = [msgspec.json.decode(half.rows) for half in (request, response)]
            took = (response.at_us - request.at_us) / 1000
            try:
                more = {"latency_ms": took} if took >= 0 else {}
                events += joined(*halves, id=name, time_us=request.at_us, more=more)
            except InputError as error:
                rejected[name] = str(error)
                aside.append(Rejected(len(aside), (str(error),), request.rows[:4096].decode("utf-8", "replace")))
        accepted = 0
        if events:
            decoded = await self._ingest.take_rows(project_id, model_id, msgspec.json.encode(events), JSON, layout)
            accepted = decoded.accepted + decoded.duplicates
            rejected |= {str(events[row.index]["id"]): " ".join(row.reasons) for row in decoded.rejected}
        if aside:
            await self._ingest.set_aside(project_id, model_id, aside)
        return accepted, rejected

    def _keep(self, ticket: _Ticket) -> None:
        """Write halves down; those that come while another transaction runs share the next one."""
        size = sum(len(half.rows) for half in ticket.new)
        if self._bytes is None:
            with reading(self._engine) as connection:
                self._bytes = everywhere.size_of_halves(connection)
        if self._bytes + size > self._settings.pairing_bytes:
            raise Busy("Too many requests and responses wait for their other half. Send this again in a moment.")
        self._bytes += size
        with self._queue:
            self._waiting.append(ticket)
        with self._turn:
            if not ticket.done:
                with self._queue:
                    tickets, self._waiting = self._waiting, []
                self._write(tickets)
        if ticket.error is not None:
            raise ticket.error

    def _write(self, tickets: Sequence[_Ticket]) -> None:
        try:
            with writing(self._engine) as connection:
                for one in tickets:
                    one.found = add_halves(Scope(connection, one.project_id), one.model_id, one.new)
        except Exception as error:  # each of them is told, in its own thread
            for one in tickets:
                one.error = error
        for one in tickets:
            one.done = True

    def _end(self, project_id: int, model_id: int, names: Sequence[str]) -> None:
        with writing(self._engine) as connection:
            end_halves(Scope(connection, project_id), model_id, names, now_us=self._now_us())

    def _forget(self, project_id: int, model_id: int, names: Sequence[str]) -> None:
        with writing(self._engine) as connection:
            forget_halves(Scope(connection, project_id), model_id, names)

    def _look(self, left_us: int, old_us: int) -> tuple[list[tuple[int, int, str]], list[tuple[int, Half]], int]:
        with reading(self._engine) as connection:
            left = everywhere.left_pairs(connection, before_us=left_us, limit=10 * AT_ONCE)
            old = everywhere.old_halves(connection, before_us=old_us, limit=AT_ONCE)
            return left, old, everywhere.size_of_halves(connection)

    def _name_of(self, project_id: int, model_id: int) -> str | None:
        with reading(self._engine) as connection:
            model = get_model(Scope(connection, project_id), model_id)
        return None if model is None or model.schema is None else model.name


def _alone(half: Half, index: int, seconds: float) -> Rejected:
    other = "response" if half.side == "request" else "request"
    why = f"{half.side} {half.name!r}: no {other} of this id has come within {seconds:,.0f} seconds"
    return Rejected(index, (why,), half.rows[:4096].decode("utf-8", "replace"))


async def sweep_for_ever(pairing: Pairing) -> None:
    """Sweep from time to time, until it is cancelled."""
    while True:
        await asyncio.sleep(SWEPT_S)
        try:
            await pairing.sweep()
        except (BarographError, Problem) as error:
            _LOG.warning("halves of inferences wait", reason=str(error))
