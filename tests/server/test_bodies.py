"""Bodies as they are announced, and as they come."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Receive

from barograph.server.bodies import whole
from barograph.server.problems import Problem


def coming(*parts: bytes) -> Receive:
    """Return a `receive` that gives these parts."""
    left = [*parts]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return receive


@pytest.mark.parametrize("announced", [None, 6])
def test_a_body_that_is_as_announced(announced: int | None) -> None:
    assert asyncio.run(whole(coming(b"abc", b"", b"def"), limit=6, announced=announced)) == b"abcdef"


@pytest.mark.parametrize("parts", [(b"",), (b"abc",), (b"abc", b"defg")])
def test_a_body_of_another_length_is_refused(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(Problem, match="Content-Length says 6") as caught:
        asyncio.run(whole(coming(*parts), limit=10, announced=6))
    assert (caught.value.status, caught.value.headers["Connection"]) == (400, "close")


def test_a_body_that_is_announced_to_be_too_large_is_not_read() -> None:
    with pytest.raises(Problem, match="more than 10 bytes"):
        asyncio.run(whole(coming(), limit=10, announced=11))
