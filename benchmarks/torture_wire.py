"""Requests as bytes, sound and changed at random, and what a server says to them."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

QUIET_S = 0.7  # after which a server that has not answered waits for more
_BYTES = (b"\r", b"\n", b"\0", b" ", b"\t", b":", b"0", b"f", b";", b",", b"\x80", b"\r\n", b"\r\n ", b"\n\n")
_HEADERS = (
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding:\x0bchunked",
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"Content-Length: +7",
    b"Connection: Upgrade\r\nUpgrade: h2c",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Expect: 100-continue",
    b"Host: elsewhere",
    b"X: a\r\n folded",
    b"X: a\nContent-Length: 1",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, with the names of its headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A request as lines and chunk lines, which may be changed, and the payload between them, which may not."""

    parts: tuple[tuple[bytes, bool], ...]  # and whether it is payload

    @property
    def data(self) -> bytes:
        """Return the request as it is sent."""
        return b"".join(part for part, _ in self.parts)


def request(prefix: str, *, rows: int, form: int) -> Request:
    """Return a request with events whose ids begin with `prefix`, in one of four forms."""
    events = [
        {"event_id": f"{prefix}-{i}", "timestamp": "2024-01-05T12:00:00Z", "x": 0.5, "score": 0.25} for i in range(rows)
    ]
    lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    body = json.dumps(events).encode() if form % 4 == 0 else lines
    head = b"POST /v1/models/torture/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/%s\r\n" % (
        b"json" if form % 4 == 0 else b"x-ndjson"
    )
    if form % 2:
        head += b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    if form % 4 < 2:
        return Request(((head + b"Content-Length: %d\r\n\r\n" % len(body), False), (body, True)))
    cut = len(body) // 2
    chunks = [(head + b"Transfer-Encoding: chunked\r\n\r\n", False)]
    for piece in (body[:cut], body[cut:]):
        chunks += [(b"%x\r\n" % len(piece), False), (piece, True), (b"\r\n", False)]
    return Request((*chunks, (b"0\r\n\r\n", False)))


def mutated(base: Request, rng: np.random.Generator, after: bytes) -> list[bytes]:
    """Return a request that was changed once or twice, what comes after it, and all of it in random packets."""
    parts = list(base.parts)
    for _ in range(int(rng.integers(1, 3))):
        places = [i for i, (part, payload) in enumerate(parts) if part and not payload]
        i = places[0] if rng.random() < 0.6 else int(rng.choice(places))
        parts[i] = (_changed(parts[i][0], rng), False)
    data = b"".join(part for part, _ in parts)
    if rng.random() < 0.05:
        data = data[: int(rng.integers(2, len(data) + 1))]  # what came after it would belong to it
    else:
        data += after
    cuts = sorted({0, len(data), *(int(cut) for cut in rng.integers(1, len(data), int(rng.integers(0, 4))))})
    return [data[start:end] for start, end in pairwise(cuts)]


def _changed(text: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(0, len(text)))
    lines = text.split(b"\r\n")
    line = int(rng.integers(0, len(lines)))
    match int(rng.integers(0, 9)):
        case 0:
            return text[:at] + bytes([text[at] ^ (1 << int(rng.integers(0, 8)))]) + text[at + 1 :]
        case 1:
            return text[:at] + text[at + 1 :]
        case 2 | 3:
            return text[:at] + _BYTES[int(rng.integers(0, len(_BYTES)))] + text[at:]
        case 4:
            return b"\r\n".join([*lines[:line], lines[line], *lines[line:]])
        case 5:
            return b"\r\n".join([*lines[:line], *lines[line + 1 :]])
        case 6 | 7:
            added = _HEADERS[int(rng.integers(0, len(_HEADERS)))]
            return b"\r\n".join([lines[0], added, *lines[1:]]) if len(lines) > 2 else text
        case _:
            return text.replace(b"\r\n", (b"\n", b"\r", b"\r\r\n")[int(rng.integers(0, 3))])


def sent_and_heard(port: int, packets: list[bytes]) -> tuple[list[Answer], bool]:
    """Send packets; return the answers until the server closes or is quiet, and whether they were nothing else."""
    got = bytearray()
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for packet in packets:
                connection.sendall(packet)
            connection.settimeout(QUIET_S)
            while piece := connection.recv(65536):
                got += piece
        except (TimeoutError, ConnectionError):
            pass
    return answers_of(bytes(got))


def next_answer(connection: socket.socket, first: bytes = b"") -> list[Answer]:
    """Return the next answer, of which `first` has come already; none if the server closes before it is whole."""
    got = first
    while not (found := answers_of(got)[0]):
        piece = connection.recv(65536)
        if not piece:
            return []
        got += piece
    return found


def answers_of(data: bytes) -> tuple[list[Answer], bool]:
    """Return the answers in what came, without "100 Continue", and whether nothing else was there."""
    found: list[Answer] = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        if not separator or not line.startswith("HTTP/1.1 "):
            return found, False
        status = int(line.split()[1])
        if status == 100:
            continue
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
        length = int(headers.get("content-length", 0))
        if len(data) < length:
            return found, False
        found.append(Answer(status, headers, data[:length]))
        data = data[length:]
    return found, True


def reset(connection: socket.socket) -> None:
    """Break a connection off as a machine that goes down does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
