"""Request bodies, bounded in bytes and in time before anything looks at them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from barograph.server.problems import Problem

SECONDS = 60.0  # for one body, from its first byte to its last

# The connection ends: the rest of the body would have to be read to find the next request.
CLOSE: Mapping[str, str] = {"Connection": "close"}


def too_large(limit: int, what: str = "The body") -> Problem:
    """Return the problem of a body above its limit."""
    return Problem("too-large", f"{what} has more than {limit:,} bytes. Send less at once.", headers=CLOSE)


def too_slow(seconds: float) -> Problem:
    """Return the problem of a body that did not end in time."""
    return Problem("timeout", f"The body did not arrive within {seconds:g} seconds.", headers=CLOSE)


def another_length(announced: int, size: int) -> Problem:
    """Return the problem of a body that is not as long as was announced: something on its way has changed it."""
    detail = f"The body has {size:,} bytes, and its Content-Length says {announced:,}."
    return Problem("malformed", detail, headers=CLOSE)


def empty() -> Problem:
    """Return the problem of a body that is empty where one is due."""
    return Problem("malformed", "The body is empty, and one is due here.")


def declared(value: bytes | None) -> int | None:
    """Return the number of a Content-Length header; None without one. The HTTP parser has refused all but digits."""
    return int(value) if value is not None and value.isdigit() else None


async def pieces(
    receive: Receive, *, limit: int, announced: int | None, seconds: float = SECONDS
) -> AsyncIterator[bytes]:
    """Yield a body piece by piece; `announced` is its length as its Content-Length says.

    Raises Problem beyond `limit` bytes or `seconds`, and if its length is another; ClientDisconnect if it breaks off.
    """
    if announced is not None and announced > limit:
        raise too_large(limit)
    size = 0
    end = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError:
            raise too_slow(seconds) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        if piece:
            yield piece
        if not message.get("more_body", False):
            if announced is not None and size != announced:
                raise another_length(announced, size)
            return


async def whole(receive: Receive, *, limit: int, announced: int | None, seconds: float = SECONDS) -> bytes:
    """Return a body; raises like `pieces`."""
    return b"".join([piece async for piece in pieces(receive, limit=limit, announced=announced, seconds=seconds)])


def check_text(body: bytes) -> None:
    """Raise Problem for JSON with halves of characters, which no answer could repeat. What is no JSON passes."""
    if b"\\ud" not in body.lower():
        return
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
    except (ValueError, RecursionError):
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise Problem(
            "malformed", f"The body has {half}, which is one half of a character without the other."
        ) from None


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives `body` first, then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
