"""Messages are claimed by one at a time, in the order of their thread, whatever the clocks say."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from two_projects import NOW, SECOND, Catalog

from barograph.errors import LeaseLost
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import deliveries, receivers
from barograph.store.catalog.database import reading
from barograph.store.catalog.deliveries import Delivery

SAID: dict[str, Any] = {"receiver": "hook", "kind": "new", "message": {"what": "x"}}


def add(catalog: Catalog, thread: str = "t", **more: Any) -> Delivery:
    with catalog.write() as scope:
        return deliveries.add_delivery(scope, **{**SAID, "thread": thread, "now_us": NOW, **more})


def claim(catalog: Catalog, one: Delivery, *, owner: str = "a", at: int = NOW) -> Delivery | None:
    with catalog.write() as scope:
        return deliveries.claim(scope, one.id, owner=owner, now_us=at, seconds=30)


def due(catalog: Catalog, *, at: int = NOW) -> list[int]:
    with reading(catalog.engine) as connection:
        found = everywhere.due_deliveries(connection, now_us=at, seconds=30, limit=99)
    return [one.delivery_id for one in found]


def test_of_many_that_want_it_one_gets_it(catalog: Catalog) -> None:
    one, got = add(catalog), list[Delivery]()

    def take(i: int) -> None:
        mine = claim(catalog, one, owner=f"o{i}")
        if mine is not None:
            got.append(mine)

    threads = [threading.Thread(target=take, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert got[0].attempts == 1


def test_a_message_waits_for_those_before_it_in_its_thread(catalog: Catalog) -> None:
    first, second, other = add(catalog), add(catalog), add(catalog, "u")
    assert due(catalog) == [first.id, other.id]
    assert claim(catalog, second) is None
    mine = claim(catalog, first)
    assert mine is not None
    assert due(catalog) == [other.id]
    assert claim(catalog, second) is None
    with catalog.write() as scope:
        deliveries.sent(scope, mine, reference="r", now_us=NOW)
    assert due(catalog) == [second.id, other.id]
    with catalog.write() as scope:
        assert deliveries.reference_of(scope, "hook", "t") == "r"
        assert deliveries.reference_of(scope, "hook", "u") is None
    again = claim(catalog, second)
    assert again is not None
    with catalog.write() as scope:
        deliveries.give_up(scope, again, reason="no", now_us=NOW)
        assert deliveries.count_waiting(scope) == {"hook": 1}


def test_a_claim_runs_out_and_who_had_it_cannot_say_anything_any_more(catalog: Catalog) -> None:
    one = add(catalog)
    first = claim(catalog, one)
    assert first is not None
    assert claim(catalog, one, owner="b", at=NOW + 29 * SECOND) is None
    second = claim(catalog, one, owner="b", at=NOW + 30 * SECOND)
    assert second is not None
    assert second.attempts == 2
    for say in (
        lambda s: deliveries.sent(s, first, reference=None, now_us=NOW),
        lambda s: deliveries.put_off(s, first, reason="x", due_us=NOW),
        lambda s: deliveries.give_up(s, first, reason="x", now_us=NOW),
    ):
        with pytest.raises(LeaseLost), catalog.write() as scope:
            say(scope)
    with catalog.write() as scope:
        deliveries.sent(scope, second, reference=None, now_us=NOW)


def test_a_claim_by_a_clock_that_ran_ahead_keeps_nobody_waiting(catalog: Catalog) -> None:
    one = add(catalog)
    assert claim(catalog, one, at=NOW + 10**12) is not None
    assert claim(catalog, one, owner="b") is not None


def test_what_is_put_off_is_due_later_and_keeps_its_key(catalog: Catalog) -> None:
    one = add(catalog)
    mine = claim(catalog, one)
    assert mine is not None
    with catalog.write() as scope:
        deliveries.put_off(scope, mine, reason="y" * 9999, due_us=NOW + 5 * SECOND)
        found = deliveries.get_delivery(scope, one.id)
    assert found is not None
    assert (found.state, found.attempts, len(found.reason or "")) == ("waiting", 1, deliveries.MOST_REASON)
    assert due(catalog, at=NOW + 4 * SECOND) == []
    assert due(catalog, at=NOW + 5 * SECOND) == [one.id]
    assert found.message["key"] == one.message["key"]
    assert len({add(catalog).message["key"] for _ in range(9)}) == 9


def test_a_receiver_that_is_out_rests_and_is_tried_by_one_at_a_time(catalog: Catalog) -> None:
    one, test = add(catalog), add(catalog, "u", kind="test")
    with catalog.write() as scope:
        for i in range(receivers.FAILURES):
            assert receivers.try_one(scope, "hook", now_us=NOW, rest_us=SECOND)
            state = receivers.failed(scope, "hook", reason="x", now_us=NOW + i, rest_us=60 * SECOND)
            assert (state.failures, state.is_out) == (i + 1, i + 1 == receivers.FAILURES)
            assert state.failed_us == NOW
            assert state.told_us is None  # it is for this caller to tell others
        assert not receivers.try_one(scope, "hook", now_us=NOW, rest_us=SECOND)
        assert receivers.failed(scope, "hook", reason="x", now_us=NOW + 5, rest_us=60 * SECOND).told_us is not None
    assert due(catalog, at=NOW + SECOND) == [test.id]
    later = NOW + 61 * SECOND
    assert due(catalog, at=later) == [one.id, test.id]
    with catalog.write() as scope:
        assert receivers.try_one(scope, "hook", now_us=later, rest_us=SECOND)
        assert not receivers.try_one(scope, "hook", now_us=later, rest_us=SECOND)
        assert receivers.worked(scope, "hook").told_us is not None
        assert receivers.list_receivers(scope)["hook"] == receivers.ReceiverState(name="hook")
        assert receivers.worked(scope, "hook").told_us is None
    with catalog.write(catalog.other) as scope:
        assert receivers.list_receivers(scope) == {}
