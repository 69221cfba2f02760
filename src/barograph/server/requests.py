"""Bytes to requests: the parser (llhttp), with what it leaves open settled.

It has no bound on a head, takes trailers for headers, and leaves HTTP after a head that offers another protocol, as if
the server had accepted: the body would be dropped, or be taken for the next request.
"""

from __future__ import annotations

from typing import Any, Protocol, cast  # Any: what is no longer there

import httptools

from barograph.server.heads import Header, ambiguity, without_upgrade
from barograph.server.problems import Problem

HEAD_BYTES = 32 * 1024  # of request line and headers
HEADERS = 100
# Bytes that may be around each byte of a body: chunks of one byte each may come, endless extensions of chunks may not.
_OVERHEAD = 16


class Taker(Protocol):
    """Who is told of requests. When it is `deaf`, what is left of the bytes need not be parsed."""

    deaf: bool

    def begin(self) -> None:
        """Note that a request begins."""

    def head(self, method: str, target: bytes, version: str, headers: list[Header], keep_alive: bool) -> None:
        """Take a head."""

    def part(self, data: bytes) -> None:
        """Take a part of the body."""

    def end(self) -> None:
        """Note that the request is complete."""


class _Refused(Exception):  # noqa: N818  # no error of this program: it stops the parser
    """The head of a request was refused."""


class RequestParser:
    """Tell `taker` of the requests in a stream of bytes."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._parser = self._new_parser()
        self._target = b""
        self._headers: list[Header] = []
        self._head_bytes = 0
        self._in_body = False
        self._overhead = 0  # bytes that came, less those of bodies as often as `_OVERHEAD` says
        self._wrong: Problem | None = None

    def feed(self, data: bytes) -> Problem | None:
        """Parse; return what is wrong with the request that is being read, after which nothing more can be parsed."""
        self._overhead += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            return self._wrong or Problem("malformed", f"The request is no HTTP/1.1: {error}.")
        if self._overhead <= HEAD_BYTES:
            return None
        if self._in_body:
            return Problem("malformed", "The body is cut into chunks that hold nearly nothing of it.")
        return _too_large()

    def close(self) -> None:
        """Let go of what holds this object as this object holds it: garbage is looked for seldom."""
        self._parser = self._taker = cast(Any, None)

    def _parse(self, data: bytes) -> None:
        while not self._taker.deaf:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:  # it is ignored: the same head again, without it
                method, version = self._parser.get_method(), self._parser.get_http_version()
                head = without_upgrade(method, self._target, version, self._headers)
                data = head + data[offer.args[0] :]
                self._parser = self._new_parser()

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # What comes after "Connection: close" is dropped by the taker, and no fault of the request before.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    # What the parser tells

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._target, self._headers, self._head_bytes = b"", [], 0
        self._taker.begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. After the head they are trailers, which would change what was checked: they are dropped."""
        if self._in_body:
            return
        self._headers.append((name.lower(), value))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES or len(self._headers) > HEADERS:
            self._stop(_too_large())

    def on_headers_complete(self) -> None:
        """Check a head, and tell of it."""
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version()
        if len(self._target) > HEAD_BYTES:
            self._stop(_too_large())
        if (wrong := ambiguity(method, self._target, version, self._headers)) is not None:
            self._stop(Problem("malformed", wrong))
        if parser.should_upgrade():
            return  # see `_parse`
        self._in_body, self._overhead = True, 0
        keep_alive = version == "1.1" and parser.should_keep_alive()
        self._taker.head(method.decode("ascii"), self._target, version, self._headers, keep_alive)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._overhead -= (1 + _OVERHEAD) * len(body)
        self._taker.part(body)

    def on_message_complete(self) -> None:
        """End a request; a head with an offer is none yet."""
        if self._in_body:
            self._in_body, self._overhead = False, 0
            self._taker.end()

    def _stop(self, problem: Problem) -> None:
        self._wrong = problem
        raise _Refused


def _too_large() -> Problem:
    return Problem(
        "head-too-large", f"Request line and headers may have {HEAD_BYTES:,} bytes, and be {HEADERS} headers."
    )
