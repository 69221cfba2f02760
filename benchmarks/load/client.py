"""A small HTTP client for load: requests as prepared bytes over kept connections, answers barely parsed."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

HOST = "127.0.0.1"


class Connection(asyncio.Protocol):
    """One connection: a request, then its answer, then the next request."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._buffer = bytearray()
        self._body_at = self._end = -1

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect to a server on this machine."""
        _, protocol = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return protocol

    async def ask(self, *parts: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body of the answer."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.writelines(parts)
        return await self._waiting

    def close(self) -> None:
        """Close it."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Gather the answer; all answers of the service have a Content-Length."""
        buffer = self._buffer
        buffer += data
        if self._end < 0:
            head = buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            at = bytes(buffer[:head]).lower().find(b"content-length:")
            assert at >= 0, bytes(buffer[:head])
            self._body_at = head + 4
            self._end = self._body_at + int(buffer[at + 15 : head].split(b"\r\n", 1)[0])
        if len(buffer) >= self._end:
            answer = int(buffer[9:12]), bytes(buffer[self._body_at : self._end])
            buffer.clear()
            self._end = -1
            waiting, self._waiting = self._waiting, None
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Let nobody wait for ever."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionError("The server closed the connection."))


def post_head(path: str, content_type: str, length: int) -> bytes:
    """Return the head of a POST request."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def get(connection: Connection, path: str) -> Any:
    """Return the JSON of a GET request; raise RuntimeError unless it is answered with 200."""
    return json.loads(await get_bytes(connection, path))


async def get_bytes(connection: Connection, path: str) -> bytes:
    """Return the body of a GET request."""
    status, body = await connection.ask(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    if status != 200:
        raise RuntimeError(f"GET {path} was answered with {status}: {body[:300]!r}")
    return body


@dataclass
class Sent:
    """What was acknowledged: when each request ended, how long it took, how many rows had been acknowledged then."""

    ended: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    total: int = 0
    refused: int = 0

    def add(self, due: float, rows: int, status: int, body: bytes) -> None:
        """Note an answer. Raises RuntimeError for one that is neither an acknowledgement nor "later"."""
        now = perf_counter()
        if status == 200:
            if f'"accepted":{rows},'.encode() not in body:
                raise RuntimeError(f"Not all of {rows} rows were accepted: {body[:300]!r}")
            self.total += rows
        elif status in (429, 503):
            self.refused += 1
            return
        else:
            raise RuntimeError(f"Events were answered with {status}: {body[:300]!r}")
        self.ended.append(now)
        self.seconds.append(now - due)
        self.rows.append(self.total)

    def between(self, start: float, end: float) -> tuple[int, int, np.ndarray[Any, Any]]:
        """Return how many requests and rows ended in this time, and the seconds of each request."""
        ended = np.array(self.ended)
        chosen = (ended >= start) & (ended < end)
        rows = np.diff(np.array([0, *self.rows]))[chosen]
        return int(chosen.sum()), int(rows.sum()), np.array(self.seconds)[chosen]


async def closed_loop(
    port: int, request: Callable[[int], tuple[bytes, bytes]], *, connections: int, rows: int, seconds: float
) -> Sent:
    """Send the next request on each connection as soon as the last one is answered."""
    sent = Sent()
    end = perf_counter() + seconds
    number = 0

    async def one() -> None:
        nonlocal number
        connection = await Connection.open(port)
        while perf_counter() < end:
            number += 1
            parts = request(number)
            due = perf_counter()
            status, body = await connection.ask(*parts)
            sent.add(due, rows, status, body)
            if status != 200:
                await asyncio.sleep(0.05)
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return sent


class OpenLoop:
    """Send requests at fixed times, whatever the answers take: their seconds count from when they were due."""

    def __init__(self, port: int, request: Callable[[int], tuple[bytes, bytes]], *, rate: float, rows: int) -> None:
        self._port, self._request, self._rate, self._rows = port, request, rate, rows
        self.sent, self.due = Sent(), 0
        self.acknowledged: deque[int] = deque(maxlen=100_000)  # numbers of the bodies, in the order of their answers

    async def run(self, *, connections: int, seconds: float) -> None:
        """Send for a time. What is due while all connections are busy waits for the first free one."""
        start = perf_counter()
        most = int(seconds * self._rate)

        async def one() -> None:
            connection = await Connection.open(self._port)
            while self.due < most:
                number = self.due = self.due + 1
                due = start + number / self._rate
                await asyncio.sleep(max(0.0, due - perf_counter()))
                while True:
                    status, body = await connection.ask(*self._request(number))
                    self.sent.add(due, self._rows, status, body)
                    if status == 200:
                        break
                    await asyncio.sleep(0.2)
                self.acknowledged.append(number)
            connection.close()

        await asyncio.gather(*(one() for _ in range(connections)))
