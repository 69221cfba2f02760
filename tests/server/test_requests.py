"""Bytes to requests, wherever the pieces end."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from barograph.server.requests import RequestParser

HEAD = b"Host: a\r\nContent-Type: application/x-ndjson\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"


@dataclass
class Heard:
    """Remembers the requests: method, target, number of headers, body; None for one that is not complete."""

    deaf: bool = False
    requests: list[list[Any]] = field(default_factory=list)

    def begin(self) -> None:
        """Need nothing."""

    def head(self, method: str, target: bytes, version: str, headers: list[tuple[bytes, bytes]], keep: bool) -> None:
        """Remember a head."""
        self.requests.append([method, target, version, [n for n, _ in headers if n != b"upgrade"], keep, b"", False])

    def part(self, data: bytes) -> None:
        """Remember a part."""
        self.requests[-1][5] += data

    def end(self) -> None:
        """Remember the end."""
        self.requests[-1][6] = True


def heard(data: bytes, cuts: list[int]) -> list[list[Any]]:
    """Return the requests of a stream that comes in these pieces."""
    taker = Heard()
    parser = RequestParser(taker)
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        assert parser.feed(data[start:end]) is None
    return taker.requests


bodies = st.binary(max_size=40)
offers = st.booleans()


@given(st.lists(st.tuples(bodies, offers, st.booleans()), max_size=6), st.lists(st.integers(0, 3000), max_size=12))
def test_requests_are_the_same_with_and_without_an_offer_and_however_they_are_cut(
    sent: list[tuple[bytes, bool, bool]], cuts: list[int]
) -> None:
    data, names = b"", [b"host", b"content-type"]
    expected = []
    for i, (body, offer, in_chunks) in enumerate(sent):
        framing = b"Transfer-Encoding: chunked\r\n" if in_chunks else b"Content-Length: %d\r\n" % len(body)
        data += b"POST /%d HTTP/1.1\r\n%s%s%s\r\n" % (i, HEAD, OFFER if offer else b"", framing)
        data += (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n" if in_chunks else body
        also = [b"connection", b"http2-settings"] if offer else []
        last = b"transfer-encoding" if in_chunks else b"content-length"
        expected.append(["POST", b"/%d" % i, "1.1", [*names, *also, last], True, body, True])
    assert heard(data, cuts) == expected


def test_a_parser_that_was_closed_is_freed_at_once() -> None:
    gc.disable()
    try:
        parser = RequestParser(Heard())
        assert parser.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /") is None
        parser.close()
        gone = weakref.ref(parser)
        del parser
        assert gone() is None
    finally:
        gc.enable()
