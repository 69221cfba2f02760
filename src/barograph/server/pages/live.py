"""What is new, told as it happens: one look at the catalog every two seconds for all who listen.

A stream of server-sent events is bounded: in number, as one tab of a browser listens for all of them (see `app.js`),
and in time, so that who asks is looked at anew. Without one, a page asks now and then.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any  # Any: JSON values

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

from barograph.errors import BarographError
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem
from barograph.server.service import Service
from barograph.store.catalog.database import reading
from barograph.store.catalog.overview import news
from barograph.store.catalog.scope import Scope

LOOK_S = 2.0  # from one look at the catalog to the next
BEAT_S = 15.0  # without anything new, after which the stream shows that it is alive
LIFE_S = 600.0  # of one stream
MOST_STREAMS = 200  # of this process
RETRY_MS = 4_000


@dataclass(slots=True, eq=False)
class _Watch:
    """What is known of a project, and who waits for more."""

    said: dict[str, Any] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    listeners: int = 0
    task: asyncio.Task[None] | None = None


class Live:
    """The looks of one process. One event loop uses it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watches: dict[int, _Watch] = {}

    @property
    def streams(self) -> int:
        """Return how many streams there are."""
        return sum(watch.listeners for watch in self._watches.values())

    def open(self, project_id: int) -> AsyncIterator[bytes]:
        """Return a stream of a project's news; raise Problem where there are too many."""
        if self.streams >= MOST_STREAMS:
            detail = "Too many pages listen at once. This one asks now and then instead."
            raise Problem("busy", detail, headers={"Retry-After": "30"})
        return self._stream(project_id)

    async def _stream(self, project_id: int) -> AsyncIterator[bytes]:
        watch = self._watches.setdefault(project_id, _Watch())
        watch.listeners += 1
        if watch.task is None:
            watch.task = asyncio.create_task(self._look(project_id, watch))
        end = asyncio.get_running_loop().time() + LIFE_S
        told: dict[str, Any] = {}
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            while asyncio.get_running_loop().time() < end:
                if watch.said and watch.said != told:
                    told = watch.said
                    yield f"data: {json.dumps(told)}\n\n".encode()
                    continue
                try:
                    async with asyncio.timeout(BEAT_S), watch.changed:
                        await watch.changed.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            watch.listeners -= 1

    async def _look(self, project_id: int, watch: _Watch) -> None:
        """Look at the catalog while anybody listens."""
        while watch.listeners:
            try:
                said = await run_in_threadpool(read_news, self._service, project_id)
            except BarographError:  # the catalog is away: nothing is known to be new
                said = watch.said
            if said != watch.said:
                watch.said = said
                async with watch.changed:
                    watch.changed.notify_all()
            await asyncio.sleep(LOOK_S)
        watch.task = None


def read_news(service: Service, project_id: int) -> dict[str, Any]:
    """Return when anything of a project was last new, and of which models."""
    with reading(service.engine) as connection:
        found = news(Scope(connection, project_id))
    return {"results": found.results_us, "incidents": found.incidents_us, "jobs": found.jobs_us, "models": found.models}


async def stream(visit: Visit) -> Response:
    """Return a stream of what is new."""
    live = visit.shared.live
    assert isinstance(live, Live)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(live.open(visit.caller.project_id), media_type="text/event-stream", headers=headers)


def now(visit: Visit) -> Response:
    """Return the same once, for pages that ask now and then."""
    said = read_news(visit.service, visit.caller.project_id)
    return JSONResponse(said, headers={"Cache-Control": "no-store"})
