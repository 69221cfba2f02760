"""All connections of one server: at most so many, and until when each may let the server wait."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from typing import Protocol

from barograph.logs import logger

RESERVED = 256  # files of the process that are no connections: tables, catalog, spool, logs
_SWEEP_S = 1.0

_log = logger("barograph.server")


class Waiting(Protocol):
    """A connection, as far as others are concerned. After `deadline` (in the time of the loop), `overdue` is called."""

    deadline: float

    def overdue(self) -> None:
        """End what takes too long."""

    def give_way(self) -> None:
        """Close at once: another needs the place."""


class Connections:
    """The connections that are open.

    At most `most` are: for each one more, that gives way which has let the server wait for the longest time, be it
    between requests, amid one, or with an answer that it does not read. Those whose requests are complete and being
    answered stay. A request's head must be there `head_seconds` after it began, the first one after the connection was
    made. One event loop uses it.
    """

    def __init__(self, *, most: int, head_seconds: float) -> None:
        self.head_seconds = head_seconds
        self._most = most
        self._open: set[Waiting] = set()
        self._waiting: OrderedDict[Waiting, None] = OrderedDict()  # those that were heard of last are last
        self._sweeping: asyncio.TimerHandle | None = None
        self._gave_way = 0

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: Waiting) -> bool:
        """Take a new connection in; False if there is no place for it."""
        if len(self._open) >= self._most:
            self._gave_way += 1
            if not self._waiting:
                return False
            longest, _ = self._waiting.popitem(last=False)
            self._open.discard(longest)
            longest.give_way()
        self._open.add(connection)
        if self._sweeping is None:
            self._sweep_later()
        return True

    def closed(self, connection: Waiting) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def waits(self, connection: Waiting, seconds: float = math.inf) -> None:
        """Note that a connection waits for its client, for so long at most."""
        connection.deadline = asyncio.get_running_loop().time() + seconds
        if connection in self._open:
            self._waiting[connection] = None
            self._waiting.move_to_end(connection)

    def works(self, connection: Waiting) -> None:
        """Note that a client waits for the server: its request is complete."""
        connection.deadline = math.inf
        self._waiting.pop(connection, None)

    def heard(self, connection: Waiting) -> None:
        """Note that a client has sent something."""
        if connection in self._waiting:
            self._waiting.move_to_end(connection)

    def _sweep_later(self) -> None:
        seconds = min(_SWEEP_S, self.head_seconds / 4)
        self._sweeping = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        now = asyncio.get_running_loop().time()
        for connection in [one for one in self._open if one.deadline <= now]:
            connection.overdue()
        if self._gave_way:
            _log.warning("too many connections", most=self._most, gave_way=self._gave_way)
            self._gave_way = 0
        if self._open:
            self._sweep_later()


def most_connections(wanted: int) -> int:
    """Return how many connections can be open; raise the process's limit of open files for it where that is allowed.

    Less than `wanted` where the system allows fewer files, which the log tells.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < needed:
            most = max(soft - RESERVED, soft // 2)
            _log.warning("fewer connections than BAROGRAPH_CONNECTIONS: too few open files", most=most, files=soft)
            return most
    return wanted
