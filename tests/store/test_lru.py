"""What is kept in memory, and what is let go of first."""

from __future__ import annotations

from barograph.store.lru import LruCache


def no_value() -> int:
    raise AssertionError("it is there already")


def test_the_one_not_used_for_longest_goes_first() -> None:
    cache = LruCache[str, int](2)
    assert cache.get("a", lambda: 1) == 1
    assert cache.get("b", lambda: 2) == 2
    assert cache.get("a", no_value) == 1
    assert cache.get("c", lambda: 3) == 3
    assert cache.held() == ["a", "c"]
    assert cache.get("b", lambda: 4) == 4
    assert cache.held() == ["c", "b"]


def test_what_is_dropped_is_made_again_and_what_is_not_there_can_be_dropped() -> None:
    cache = LruCache[str, int](2)
    cache.get("a", lambda: 1)
    cache.drop("a")
    cache.drop("a")
    assert cache.get("a", lambda: 2) == 2


def test_of_two_that_make_one_value_at_once_the_first_stays() -> None:
    cache = LruCache[str, list[int]](2)
    first: list[int] = []

    def slow() -> list[int]:
        assert cache.get("a", lambda: first) is first  # another thread is quicker
        return [1]

    assert cache.get("a", slow) is first
