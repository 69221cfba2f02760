"""The bound on the memory of all bodies together."""

from __future__ import annotations

import gzip
import threading

import pytest
import zstandard

from barograph.errors import Busy, TooLarge
from barograph.ingest.expand import expand
from barograph.ingest.limits import Limits
from barograph.ingest.memory import Memory, give_back


def test_shares_add_up_and_are_let_go_of() -> None:
    memory = Memory(100)
    with memory.share() as one, memory.share() as two:
        one.reserve(60)
        two.reserve(40)
        with pytest.raises(Busy):
            two.reserve(1)
        assert (two.size_bytes, memory.held_bytes) == (40, 100)  # what could not be had is not counted
        one.keep(10)
        two.reserve(50)
        with pytest.raises(TooLarge):  # alone it would be too much, too: to wait would be in vain
            two.reserve(11)
    assert memory.held_bytes == 0


def test_a_share_is_let_go_of_when_its_request_fails() -> None:
    memory = Memory(100)

    def fail() -> None:
        with memory.share() as one:
            one.reserve(60)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert memory.held_bytes == 0


def test_threads_never_hold_more_than_the_bound() -> None:
    memory, most = Memory(1000), []

    def work(seed: int) -> None:
        for step in range(300):
            with memory.share() as share:
                try:
                    for _ in range(5):
                        share.reserve(1 + (seed * 7 + step * 13) % 199)
                        most.append(memory.held_bytes)
                except Busy:
                    continue

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < max(most) <= 1000
    assert memory.held_bytes == 0


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_what_is_expanded_is_reserved_before_it_is_kept(pack: object) -> None:
    assert callable(pack)
    name = "gzip" if pack is gzip.compress else "zstd"
    body = pack(b"ab" * 500_000)
    memory = Memory(1_000_000)
    with memory.share() as share:
        assert expand([body], name, Limits(), reserve=share.reserve) == b"ab" * 500_000
        assert share.size_bytes == 1_000_000
    with Memory(999_999).share() as share, pytest.raises(TooLarge):
        expand([body], name, Limits(), reserve=share.reserve)


def test_giving_back_does_no_harm() -> None:
    kept = [bytes(100) for _ in range(1000)]
    give_back()
    assert kept == [bytes(100)] * 1000
