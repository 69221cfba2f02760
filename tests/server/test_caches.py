"""Caches: fresh within seconds, usable while the catalog is away, bounded, one read at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from barograph.errors import StoreError
from barograph.server.caches import Cache


class Catalog:
    """A catalog whose values can change, that can be away, and that counts what is asked."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {"a": "1"}
        self.away = False
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, key: str) -> str | None:
        self.asked.append(key)
        value = self.values.get(key)
        assert self.gate.wait(10)
        if self.away:
            raise StoreError("away")
        return value


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def running(test: Callable[[Catalog, Clock, Cache[str, str]], Awaitable[None]], **options: float) -> None:
    catalog, clock = Catalog(), Clock()
    cache: Cache[str, str] = Cache(catalog, clock=clock, away=(StoreError,), **options)  # type: ignore[arg-type]  # mixed
    asyncio.run(asyncio.wait_for(test(catalog, clock, cache), 20))  # type: ignore[arg-type]  # a coroutine


def test_a_change_is_seen_within_five_seconds() -> None:
    async def test(catalog: Catalog, clock: Clock, cache: Cache[str, str]) -> None:
        assert await cache.get("a") == "1"
        assert cache.peek("a") == "1"
        del catalog.values["a"]
        clock.now = 1.9
        assert cache.peek("a") == "1"
        clock.now = 5.0
        assert cache.peek("a") is None
        assert await cache.get("a") is None

    running(test)


def test_a_usable_value_is_read_again_behind_the_request() -> None:
    async def test(catalog: Catalog, clock: Clock, cache: Cache[str, str]) -> None:
        await cache.get("a")
        catalog.values["a"] = "2"
        clock.now = 3.0
        assert await cache.get("a") == "1"
        while cache.peek("a") != "2":
            await asyncio.sleep(0)

    running(test)


def test_many_requests_read_once() -> None:
    async def test(catalog: Catalog, clock: Clock, cache: Cache[str, str]) -> None:
        assert await asyncio.gather(*(cache.get("a") for _ in range(50))) == ["1"] * 50
        assert catalog.asked == ["a"]

    running(test)


def test_while_the_catalog_is_away_what_is_known_is_used() -> None:
    async def test(catalog: Catalog, clock: Clock, cache: Cache[str, str]) -> None:
        await cache.get("a")
        catalog.away = True
        clock.now = 100.0
        for _ in range(20):
            assert await cache.get("a") == "1"
        assert len(catalog.asked) == 2  # not asked for each request
        with pytest.raises(StoreError):
            await cache.get("b")
        clock.now = 90_000.0
        with pytest.raises(StoreError):
            await cache.get("a")
        catalog.away = False
        catalog.values["a"] = "3"
        assert await cache.get("a") == "3"

    running(test)


def test_a_catalog_that_hangs_does_not_stop_requests() -> None:
    async def test(catalog: Catalog, clock: Clock, cache: Cache[str, str]) -> None:
        await cache.get("a")
        catalog.gate.clear()
        clock.now = 10.0
        assert await cache.get("a") == "1"
        catalog.gate.set()

    running(test, patience_s=0.05)


def test_what_is_forgotten_is_read_again_also_if_a_read_is_under_way() -> None:
    async def test(catalog: Catalog, clock: Clock, cache: Cache[str, str]) -> None:
        catalog.gate.clear()
        first = asyncio.create_task(cache.get("a"))
        while not catalog.asked:
            await asyncio.sleep(0)
        catalog.values["a"] = "2"  # the read under way has seen what was before
        cache.forget("a")
        await asyncio.sleep(0)
        catalog.gate.set()
        assert await first == "1"
        assert await cache.get("a") == "2"

    running(test)


def test_nothing_is_remembered_for_half_a_second_only() -> None:
    async def test(catalog: Catalog, clock: Clock, cache: Cache[str, str]) -> None:
        assert await cache.get("b") is None
        catalog.values["b"] = "new"
        assert await cache.get("b") is None
        clock.now = 0.6
        assert await cache.get("b") == "new"

    running(test)


def test_it_is_bounded_and_nonsense_does_not_drive_out_what_is_known() -> None:
    async def test(catalog: Catalog, clock: Clock, cache: Cache[str, str]) -> None:
        for name in "abcd":
            catalog.values[name] = name
            await cache.get(name)
        for number in range(100):
            await cache.get(f"nonsense {number}")
        assert [cache.peek(name) for name in "abcd"] == list("abcd")
        for number in range(100):
            catalog.values[f"v{number}"] = "x"
            await cache.get(f"v{number}")
        assert len(cache._entries) <= 10
        assert cache._absent == sum(e.value is None for e in cache._entries.values())

    running(test, size=10)
