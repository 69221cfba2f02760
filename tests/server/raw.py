"""HTTP by hand: bytes over a socket of one's own, in the packets that are wanted, and what comes back."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Answer:
    """One answer, with the names of its headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """Give a connection, each of whose sends is a packet."""
    address = httpx.URL(url)
    with socket.create_connection((str(address.host), int(address.port or 0)), PATIENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def said(url: str, *packets: bytes) -> list[Answer]:
    """Send packets and return every answer until the server closes; fail if it does not."""
    with connected(url) as connection:
        for packet in packets:
            connection.sendall(packet)
        return answers_of(until_closed(connection))


def until_closed(connection: socket.socket) -> bytes:
    """Return what comes until the server closes the connection."""
    got = bytearray()
    while piece := connection.recv(65536):
        got += piece
    return bytes(got)


def next_answer(connection: socket.socket, *, head_only: bool = False) -> Answer:
    """Return one answer, and read nothing that comes after it."""
    got = bytearray()
    while not got.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        assert piece, bytes(got)
        got += piece
    head = answers_of(bytes(got), head_only=True)[0]
    length = 0 if head_only else int(head.headers.get("content-length", 0))
    body = bytearray()
    while len(body) < length:
        piece = connection.recv(length - len(body))
        assert piece, bytes(body)
        body += piece
    return Answer(head.status, head.headers, bytes(body))


def answers_of(data: bytes, *, head_only: bool = False) -> list[Answer]:
    """Return the answers in what came; all of them have a Content-Length. Fail for anything that is none."""
    found = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        assert separator, head
        line, *rest = head.decode().split("\r\n")
        assert line.startswith("HTTP/1.1 "), line
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
        length = 0 if head_only else int(headers.get("content-length", 0))
        body, data = data[:length], data[length:]
        assert len(body) == length, "the answer is cut off"
        found.append(Answer(int(line.split()[1]), headers, body))
    return found


def reset(connection: socket.socket) -> None:
    """Break a connection off, as a machine that goes down does: nothing that is on its way arrives."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
