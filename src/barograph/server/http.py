"""One HTTP/1.1 connection: one answer to each request, in their order, and an end for what is amiss or takes too long.

Uvicorn's own protocol is not used: it loses the body after an offer of HTTP/2, answers what it cannot parse before the
requests that came first, and waits for ever for a head. Its cycle of one request and its answer is used as it is.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, cast  # Any: scopes of ASGI, and parts of uvicorn that are not typed in public
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from barograph.server.connections import Connections
from barograph.server.heads import Header
from barograph.server.middleware import REFUSED
from barograph.server.problems import Problem
from barograph.server.requests import RequestParser

PIPELINED = 100  # requests that wait for the answer to one before: after these the connection is closed
STALLED_S = 60.0  # that a client may leave an answer unread
LINGER_BYTES = 16 * 1024 * 1024  # that are thrown away of what such a client goes on to send
LINGER_S = 5.0  # that is listened to a client which was refused amid its request, so that it gets to read why
END_S = 2.0  # that clients have to send the rest of a body, or to read an answer, when the server ends

_LOG = logging.getLogger("uvicorn.error")
Exchange: TypeAlias = RequestResponseCycle


class HttpConnection(asyncio.Protocol):
    """One connection from a client. `connections` are all of the server; uvicorn gives the rest."""

    def __init__(
        self,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.deadline = math.inf
        self._connections = connections
        self._app = cast(ASGIApp, config.loaded_app)
        self._keep_alive_s = float(config.timeout_keep_alive)
        self._state = server_state
        self._base: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": config.asgi_version, "spec_version": "2.3"},
            "scheme": "http",
            "root_path": "",
            "state": app_state,
        }
        self._loop = _loop or asyncio.get_running_loop()
        self._parser = RequestParser(self)
        self._begun = False  # there is a part of a head
        self._idle = False  # between requests
        self._reading: Exchange | None = None  # its body is not complete
        self._answering: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._thrown_away = 0  # bytes that came after the connection was ended
        self._patience_s = math.inf  # with the client; shorter when the server ends
        self._unread = 0  # bytes of answers that the client had not read when last looked at
        self._last = False  # no request is taken after the one that is being read
        self.deaf = False  # what comes is dropped
        self._ending = False

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request, if there is a place for the connection."""
        self._transport = cast(asyncio.Transport, transport)
        self._flow = FlowControl(self._transport)
        self._outlet: _Outlet | None = _Outlet(self._transport, self._end)
        self._base |= {"server": get_local_addr(self._transport), "client": get_remote_addr(self._transport)}
        if not self._connections.opened(self):
            self.deaf = self._ending = True
            self._transport.write(_raw(Problem("unavailable", _FULL, headers={"Retry-After": "1"})))
            self._transport.close()
            return
        self._state.connections.add(cast(Any, self))
        self._connections.waits(self, self._connections.head_seconds)

    def data_received(self, data: bytes) -> None:
        """Take bytes of requests."""
        if self.deaf:
            self._thrown_away += len(data)
            if self._thrown_away > LINGER_BYTES:
                self._transport.abort()
            return
        self._connections.heard(self)
        problem = self._parser.feed(data)
        if problem is not None and not self.deaf:
            self._refuse(problem)

    def eof_received(self) -> bool:
        """Let the transport close: who sends no more may have been cut off amid a request."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who read or answer a request that nobody is there any more."""
        self.deaf = self._ending = True
        self._connections.closed(self)
        self._state.connections.discard(cast(Any, self))
        self._queue.clear()
        if self._answering is not None:
            _disconnect(self._answering)
        self._flow.resume_writing()
        self._answering = self._reading = self._outlet = None  # what holds each other is freed late
        self._parser.close()

    def pause_writing(self) -> None:
        """Hold answers back: the client does not read them."""
        self._flow.pause_writing()
        self._unread = self._transport.get_write_buffer_size()
        self._connections.waits(self, min(self._patience_s, STALLED_S))

    def resume_writing(self) -> None:
        """Go on with the answer."""
        self._flow.resume_writing()
        self._turn()

    # What uvicorn tells

    def shutdown(self) -> None:
        """End, after the requests that are being answered."""
        self._patience_s = END_S
        if self._ending:
            self._connections.waits(self, END_S)
            return
        if self._answering is None:
            self._end()
            return
        (self._queue[-1] if self._queue else self._answering).keep_alive = False
        self._last, self.deaf = True, self._reading is None
        self._turn()

    # What all connections tell

    def give_way(self) -> None:
        """Close at once: another connection needs the place."""
        if self._idle and not self._transport.get_write_buffer_size():
            self._transport.close()
        else:
            self._transport.abort()

    def overdue(self) -> None:
        """End what takes too long."""
        unread, before = self._transport.get_write_buffer_size(), self._unread
        if 0 < unread < before:
            self._unread = unread
            self._connections.waits(self, STALLED_S)
        elif self._ending or unread:
            self._transport.abort()
        elif self._answering is not None:
            self._refuse(Problem("unavailable", "The server ends, and the body was not complete."))
        elif self._begun:
            seconds = self._connections.head_seconds
            self._refuse(Problem("timeout", f"The head of the request did not arrive within {seconds:g} seconds."))
        else:
            self._end()

    # What the parser tells

    def begin(self) -> None:
        """Wait for the rest of a head."""
        self._begun = True
        if self._idle:
            self._turn()

    def head(self, method: str, target: bytes, version: str, headers: list[Header], keep_alive: bool) -> None:
        """Have a request answered when it is its turn."""
        if self._last:
            return
        self._begun = False
        scope = self._scope(method, target, version, headers)
        self._reading = exchange = self._exchange(scope, keep_alive=keep_alive)
        if self._answering is None:
            self._answer(exchange)
            self._turn()
        else:
            self._flow.pause_reading()
            self._queue.append(exchange)
            if len(self._queue) == PIPELINED:
                exchange.keep_alive = False
        self._last = not exchange.keep_alive

    def part(self, data: bytes) -> None:
        """Keep a part of a body until it is asked for; drop it after the answer."""
        exchange = self._reading
        if exchange is None or exchange.response_complete:
            return
        exchange.body += data
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self._flow.pause_reading()
        exchange.message_event.set()

    def end(self) -> None:
        """End the body of a request."""
        exchange = self._reading
        if exchange is None:
            return
        self._reading = None
        self.deaf = self._last
        exchange.more_body = False
        exchange.message_event.set()
        self._turn()

    # What follows

    def _scope(self, method: str, target: bytes, version: str, headers: list[Header]) -> dict[str, Any]:
        url = httptools.parse_url(target)
        path = (url.path or b"/").decode("ascii")
        return {
            **self._base,
            "http_version": version,
            "method": method,
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path or b"/",
            "query_string": url.query or b"",
            "headers": headers,
            "state": self._base["state"].copy(),
        }

    def _exchange(self, scope: dict[str, Any], *, keep_alive: bool) -> Exchange:
        # Who waits for "100 Continue" may or may not send the body after another answer: nothing can follow it.
        expects = any(name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"])
        return RequestResponseCycle(
            scope=cast(Any, scope),
            transport=cast(Any, self._outlet),
            flow=self._flow,
            logger=_LOG,
            access_logger=_LOG,
            access_log=False,
            default_headers=self._state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expects,
            keep_alive=keep_alive and not expects,
            on_response=self._answered,
        )

    def _answer(self, exchange: Exchange) -> None:
        self._answering = exchange
        task = self._loop.create_task(exchange.run_asgi(cast(Any, self._app)))
        task.add_done_callback(self._state.tasks.discard)
        self._state.tasks.add(task)

    def _answered(self) -> None:
        """Go on to the next request."""
        self._state.total_requests += 1
        self._answering = None
        if self._ending:
            return
        self._flow.resume_reading()
        if self._queue:
            self._answer(self._queue.popleft())
        self._turn()

    def _turn(self) -> None:
        """Note whose turn it is: the client's or the server's."""
        if self._ending or self._flow.write_paused:
            return
        self._idle = False
        if self._answering is not None:
            if self._answering is self._reading:
                self._connections.waits(self, self._patience_s)  # who reads the body has a bound of their own
            else:
                self._connections.works(self)
        elif self._reading is not None or self._begun:
            self._connections.waits(self, self._connections.head_seconds)
        else:
            self._idle = True
            self._connections.waits(self, self._keep_alive_s)

    def _refuse(self, problem: Problem) -> None:
        """Answer what is being read with a problem, after the requests before it, and close."""
        self._last = self.deaf = True
        broken = self._reading
        if broken is not None and broken.response_started:
            _disconnect(broken)
            self._end()
            return
        scope = {**self._base, "http_version": "1.1", "method": "", "path": "", "headers": []}
        if broken is not None:
            scope |= broken.scope
        refusal = self._exchange({**scope, REFUSED: problem}, keep_alive=False)
        refusal.more_body = False
        if broken is not None and broken is not self._answering:
            self._queue.remove(broken)
        elif broken is not None:
            _disconnect(broken)
            self._answering = None
        self._reading = refusal  # for ever incomplete: see `_end`
        if self._answering is None:
            self._answer(refusal)
            self._turn()
        else:
            self._queue.append(refusal)

    def _end(self) -> None:
        """Close, once all is written.

        A client that is still sending is listened to for a while: its system would throw the answer away with the
        connection if it were closed before all that was sent is read.
        """
        if self._ending:
            return
        self._ending = self.deaf = True
        self._queue.clear()
        if self._reading is not None and self._transport.can_write_eof():
            self._transport.write_eof()
            self._flow.resume_reading()
        else:
            self._transport.close()
        self._unread = self._transport.get_write_buffer_size()
        self._connections.waits(self, min(self._patience_s, STALLED_S if self._unread else LINGER_S))


class _Outlet:
    """The part of a transport that an exchange needs; `close` is the connection's own."""

    def __init__(self, transport: asyncio.Transport, end: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = end


_FULL = "The server has as many connections as it may. Try again later."


def _disconnect(exchange: Exchange) -> None:
    """Let whoever reads a request know that no more of it comes; what is answered to it is dropped."""
    if not exchange.response_complete:
        exchange.disconnected = True
        exchange.waiting_for_100_continue = False
    exchange.message_event.set()


def _raw(problem: Problem) -> bytes:
    """Return a problem as the whole answer to a connection of which nothing was read."""
    body = problem.body("")
    headers = [*problem.raw_headers(body), (b"connection", b"close")]
    return b"".join([STATUS_LINE[problem.status], *(b"%s: %s\r\n" % pair for pair in headers), b"\r\n", body])


def protocol(connections: Connections) -> type[asyncio.Protocol]:
    """Return what makes connections, in the form that uvicorn takes: it calls it as it would call the class."""
    return cast(type[asyncio.Protocol], partial(HttpConnection, connections))
