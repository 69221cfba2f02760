"""What is read of the catalog for each request, kept in memory for seconds, and for as long as the catalog is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V | None
    read_s: float
    tried_s: float


@dataclass(slots=True, eq=False)
class Cache(Generic[K, V]):
    """Values by key, read by `load` in a thread. One event loop uses it.

    An entry younger than `fresh_s` is used as it is. One younger than `usable_s` is used while a new one is read
    behind it, so that no request waits; an older one is read again first. If `load` raises one of `away`, what is known
    is used for up to `stale_s`, and without anything known the error goes on. Nothing (None) is remembered for
    `absent_s` only, and takes up at most half of the `size` entries. All times are in seconds.
    """

    load: Callable[[K], V | None]
    clock: Callable[[], float]
    away: tuple[type[Exception], ...]
    fresh_s: float = 2.0
    usable_s: float = 4.0
    stale_s: float = 86_400.0
    absent_s: float = 0.5
    patience_s: float = 1.0  # that a request waits for the catalog if it knows an older value
    size: int = 10_000
    _entries: dict[K, _Entry[V]] = field(default_factory=dict)
    _reads: dict[K, asyncio.Task[V | None]] = field(default_factory=dict)
    _absent: int = 0
    _dropped: int = 0
    _loop: asyncio.AbstractEventLoop | None = None

    def peek(self, key: K) -> V | None:
        """Return the value if it is there and fresh, without waiting; None if `get` is needed."""
        entry = self._entries.get(key)
        if entry is None or entry.value is None or self.clock() - entry.read_s > self.fresh_s:
            return None
        return entry.value

    async def get(self, key: K) -> V | None:
        """Return the value of `key`, or None if there is none."""
        entry, now = self._entries.get(key), self.clock()
        if entry is not None:
            age = now - entry.read_s
            if entry.value is None:
                if age <= self.absent_s:
                    return None
                entry = None
            elif age <= self.fresh_s:
                return entry.value
            elif age <= self.usable_s:
                self._read(key)
                return entry.value
            elif age > self.stale_s:
                entry = None
        if entry is None:
            return await asyncio.shield(self._read(key))
        if now - entry.tried_s <= self.patience_s:  # the catalog is away: it has just been asked
            return entry.value
        try:
            return await asyncio.wait_for(asyncio.shield(self._read(key)), self.patience_s)
        except (*self.away, TimeoutError):  # type: ignore[misc]  # a tuple of exception types, made of another one
            entry.tried_s = self.clock()
            return entry.value

    def forget(self, key: K | None = None) -> None:
        """Forget one key, or all: it has just been changed here. Any thread may say so.

        What the thread gives to the event loop afterwards, such as the answer, comes after it.
        """
        if self._loop is not None:  # else nothing was ever read
            self._loop.call_soon_threadsafe(self._drop, key)

    def _drop(self, key: K | None) -> None:
        self._dropped += 1  # a read that is under way may have seen what was before
        if key is None:
            self._entries.clear()
            self._reads.clear()
            self._absent = 0
            return
        self._reads.pop(key, None)
        entry = self._entries.pop(key, None)
        self._absent -= entry is not None and entry.value is None

    def _read(self, key: K) -> asyncio.Task[V | None]:
        """Return the one read of `key` that is under way."""
        task = self._reads.get(key)
        if task is None:
            self._loop = asyncio.get_running_loop()
            task = self._reads[key] = asyncio.create_task(self._load(key))
            task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[V | None]) -> None:
        if not task.cancelled():
            task.exception()  # whoever waits raises it; a read behind a usable entry has nobody who waits

    async def _load(self, key: K) -> V | None:
        # The age counts from before the read: what is revoked while it runs is seen by the next one.
        started, dropped = self.clock(), self._dropped
        try:
            value = await run_in_threadpool(self.load, key)
        finally:
            if self._dropped == dropped:
                self._reads.pop(key, None)
        if self._dropped == dropped:
            self._put(key, _Entry(value, started, started))
        return value

    def _put(self, key: K, entry: _Entry[V]) -> None:
        old = self._entries.pop(key, None)
        self._absent -= old is not None and old.value is None
        if entry.value is None:
            if self._absent >= self.size // 2:
                return
            self._absent += 1
        while len(self._entries) >= self.size:
            oldest = self._entries.pop(next(iter(self._entries)))
            self._absent -= oldest.value is None
        self._entries[key] = entry
