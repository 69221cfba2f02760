"""Many requests, one fsync: what comes while a commit runs goes into the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from barograph.errors import Busy, StoreError
from barograph.store.batches import Encode, Kind, Part, PendingRows, Row
from barograph.store.spool import Batch, Spool

MIB = 2**20
FLUSH_BYTES = 32 * MIB  # of one commit
# A small commit costs as much of a processor as a large one: after it, twice its time is waited for more, up to this
# long from its start.
FLUSH_SECONDS = 0.004


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    project_id: int
    model_id: int
    parts: Sequence[Part]
    received_us: int
    size: int
    done: asyncio.Future[None]


class GroupCommit:
    """Put parts of requests into a spool, many in one durable transaction.

    One event loop uses it, between `start` and `close` (or in `async with`). The spool is written in a thread of its
    own. Small requests of one model are joined into one batch a commit. `commits` and `commit_seconds` count.
    """

    def __init__(self, spool: Spool, *, queue_bytes: int = 256 * MIB, queue_requests: int = 10_000) -> None:
        self._spool, self._queue_bytes, self._queue_requests = spool, queue_bytes, queue_requests
        self._queue: deque[_Request] = deque()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "spool")
        self._flusher: asyncio.Task[None] | None = None
        self._closing = False
        self.waiting_bytes = self.waiting_requests = 0  # not durable yet, those of the running commit included
        self.commits, self.commit_seconds = 0, 0.0

    @property
    def retry_after_s(self) -> int:
        """Return how long a client should wait that was told Busy: about what the queue takes, 1 to 30 seconds."""
        mean = self.commit_seconds / self.commits if self.commits else 0.0
        return min(30, 1 + int(mean * self.waiting_bytes / FLUSH_BYTES))

    async def put(self, project_id: int, model_id: int, parts: Sequence[Part], *, received_us: int) -> None:
        """Keep all parts of a request, or none; they are on the disk when this returns.

        Raises Busy when the queue is full, SpoolFull when there is no room to keep them, and StoreError when the disk
        fails or the service ends. If the caller is cancelled while it waits, the parts may be kept all the same.
        """
        if self._closing or self._flusher is None:
            raise StoreError("The service is ending and takes nothing more. Send this again to the next one.")
        size = sum(part.size for part in parts)
        full = self.waiting_requests >= self._queue_requests or self.waiting_bytes + size > self._queue_bytes
        if full and self.waiting_requests:  # a request above the bound could never be taken if it did not go alone
            raise Busy(
                f"{self.waiting_requests:,} requests with {self.waiting_bytes:,} bytes wait for the disk. "
                f"Try again in {self.retry_after_s} s."
            )
        if not parts:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Request(project_id, model_id, parts, received_us, size, done))
        self.waiting_requests += 1
        self.waiting_bytes += size
        self._wake.set()
        await done

    async def start(self) -> None:
        """Begin to write."""
        self._flusher = asyncio.create_task(self._flush_for_ever(), name="group commit")

    async def close(self) -> None:
        """Write what waits, then end. The spool stays open."""
        self._closing = True
        self._wake.set()
        if self._flusher is not None:
            await self._flusher
        self._thread.shutdown()

    async def _flush_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                took = await self._flush()
                if took < FLUSH_SECONDS and not self._closing:
                    await asyncio.sleep(min(2 * took, FLUSH_SECONDS - took))
            if self._closing:
                return

    async def _flush(self) -> float:
        """Write what waits, up to the size of one commit; return how long it took.

        A function of its own: what it wrote must not be held while there is nothing to do.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        requests = self._next()
        failed = await loop.run_in_executor(self._thread, _commit, self._spool, requests)
        for request in requests:
            self.waiting_requests -= 1
            self.waiting_bytes -= request.size
            if not request.done.done():  # cancelled
                error = failed.get(request)
                request.done.set_exception(error) if error else request.done.set_result(None)
        took = loop.time() - started
        self.commits += 1
        self.commit_seconds += took
        return took

    def _next(self) -> list[_Request]:
        taken, size = [self._queue.popleft()], 0
        while self._queue and size + self._queue[0].size <= FLUSH_BYTES:
            taken.append(self._queue.popleft())
            size += taken[-1].size
        return taken

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _commit(spool: Spool, requests: Sequence[_Request]) -> dict[_Request, Exception]:
    """Append what these requests bring, and return why each one that failed did."""
    try:
        spool.append(_joined(requests))
        return {}
    except StoreError as error:
        return dict.fromkeys(requests, error)
    except (
        Exception
    ) as error:  # rows that cannot be put into columns: given to whoever brought them, and to nobody else
        if len(requests) == 1:
            return {requests[0]: error}
    failed: dict[_Request, Exception] = {}
    for request in requests:
        failed |= _commit(spool, [request])
    return failed


def _joined(requests: Sequence[_Request]) -> list[Batch]:
    """Return the batches of all parts: few rows of one model joined into one batch, all else as it is."""
    batches: list[Batch] = []
    few: dict[tuple[int, int, Kind, Encode], tuple[list[Row], int]] = {}
    for request in requests:
        project_id, model_id, received_us = request.project_id, request.model_id, request.received_us
        for part in request.parts:
            content = part.content
            if isinstance(content, PendingRows):
                rows, _ = few.setdefault((project_id, model_id, part.kind, content.encode), ([], received_us))
                rows.extend(content.rows)
            else:
                batches.append(
                    Batch(
                        project_id=project_id,
                        model_id=model_id,
                        kind=part.kind,
                        rows=part.rows,
                        payload=content,
                        received_us=received_us,
                    )
                )
    for (project_id, model_id, kind, encode), (rows, received_us) in few.items():
        batches.append(
            Batch(
                project_id=project_id,
                model_id=model_id,
                kind=kind,
                rows=len(rows),
                payload=encode(rows),
                received_us=received_us,
            )
        )
    return batches
