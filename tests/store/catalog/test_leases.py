"""Leases: one owner at a time, also when workers die, race, or have clocks that step."""

from __future__ import annotations

import threading

import pytest
from two_projects import NOW, SECOND, Catalog

from barograph.errors import LeaseLost
from barograph.store.catalog import leases
from barograph.store.catalog.database import writing
from barograph.store.catalog.leases import Lease


def take(catalog: Catalog, owner: str, *, at: int = NOW, seconds: float = 30) -> Lease | None:
    with writing(catalog.engine) as connection:
        return leases.take(connection, "model 1", owner, now_us=at, seconds=seconds)


def test_the_second_waits_until_the_time_is_over(catalog: Catalog) -> None:
    first = take(catalog, "a")
    assert first == Lease(name="model 1", owner="a", until_us=NOW + 30 * SECOND, token=1)
    assert take(catalog, "b", at=NOW + 30 * SECOND - 1) is None
    assert take(catalog, "a") is None
    second = take(catalog, "b", at=NOW + 30 * SECOND)
    assert second is not None
    assert second.token == 2


def test_who_has_lost_it_can_neither_renew_nor_commit(catalog: Catalog) -> None:
    first = take(catalog, "a")
    assert first is not None
    second = take(catalog, "b", at=NOW + 30 * SECOND)
    assert second is not None
    for use in (leases.check, lambda c, lease: leases.renew(c, lease, now_us=NOW, seconds=30)):
        with pytest.raises(LeaseLost, match="'model 1'"), writing(catalog.engine) as connection:
            use(connection, first)
    with writing(catalog.engine) as connection:
        leases.release(connection, first)  # nothing of another's
        leases.check(connection, second)
        renewed = leases.renew(connection, second, now_us=NOW + 50 * SECOND, seconds=30)
    assert renewed.until_us == NOW + 80 * SECOND
    assert take(catalog, "a", at=NOW + 70 * SECOND) is None


def test_what_is_given_back_is_free_and_the_token_goes_on(catalog: Catalog) -> None:
    first = take(catalog, "a")
    assert first is not None
    with writing(catalog.engine) as connection:
        leases.release(connection, first)
    again = take(catalog, "a")
    assert again is not None
    assert again.token == 2
    with pytest.raises(LeaseLost), writing(catalog.engine) as connection:
        leases.check(connection, first)


def test_a_clock_that_ran_ahead_does_not_lock_others_out(catalog: Catalog) -> None:
    assert take(catalog, "a", at=NOW + 3600 * SECOND) is not None
    assert take(catalog, "b") is not None
    assert take(catalog, "c", at=NOW - 20 * SECOND) is None  # a small difference between clocks changes nothing


def test_of_many_that_race_one_wins(catalog: Catalog) -> None:
    won: list[Lease] = []
    start = threading.Barrier(6)

    def race(owner: str) -> None:
        start.wait(10)
        if (lease := take(catalog, owner)) is not None:
            won.append(lease)

    threads = [threading.Thread(target=race, args=(str(i),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_nobody_takes_over_between_check_and_commit(catalog: Catalog) -> None:
    """The guarded write holds the lease's row: a take-over waits, and comes after the commit."""
    lease = take(catalog, "a", seconds=1)
    assert lease is not None
    order: list[str] = []

    def take_over() -> None:
        assert take(catalog, "b", at=NOW + 60 * SECOND) is not None
        order.append("taken over")

    thread = threading.Thread(target=take_over)
    with writing(catalog.engine) as connection:
        leases.check(connection, lease)
        thread.start()
        thread.join(0.2)
        order.append("committed")
    thread.join(10)
    assert order == ["committed", "taken over"]
