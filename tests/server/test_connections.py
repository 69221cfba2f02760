"""How many connections there are, and which of them gives way."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys

import pytest

from barograph.server.connections import RESERVED, Connections


class Peer:
    """A connection that only remembers what became of it."""

    def __init__(self) -> None:
        self.deadline = math.inf
        self.gone = self.late = False

    def overdue(self) -> None:
        """Remember it."""
        self.late, self.deadline = True, math.inf

    def give_way(self) -> None:
        """Remember it."""
        self.gone = True


def test_who_was_silent_for_the_longest_time_gives_way() -> None:
    async def run() -> None:
        connections = Connections(most=4, head_seconds=10)
        old = [Peer() for _ in range(4)]
        for peer in old:
            assert connections.opened(peer)
            connections.waits(peer, 10)
        connections.heard(old[0])
        connections.works(old[1])
        for gone in (2, 3, 0):
            assert not old[gone].gone
            new = Peer()
            assert connections.opened(new)
            assert old[gone].gone
            connections.works(new)
            assert len(connections) == 4
        assert not old[1].gone
        assert not connections.opened(Peer())  # all of them are being answered
        connections.closed(old[1])
        assert connections.opened(Peer())

    asyncio.run(run())


def test_who_gave_way_is_not_counted_again() -> None:
    async def run() -> None:
        connections = Connections(most=1, head_seconds=10)
        first, second, third = Peer(), Peer(), Peer()
        for peer in (first, second):
            assert connections.opened(peer)
            connections.waits(peer)
        connections.waits(first)  # it is closing, and still told of
        assert connections.opened(third)
        assert (first.gone, second.gone, third.gone) == (True, True, False)
        assert len(connections) == 1

    asyncio.run(run())


def test_who_is_late_is_told_once_and_only_then() -> None:
    async def run() -> None:
        connections = Connections(most=10, head_seconds=0.04)
        late, working, patient = Peer(), Peer(), Peer()
        for peer in (late, working, patient):
            assert connections.opened(peer)
            connections.waits(peer, 0.02)
        connections.works(working)
        connections.waits(patient, 1000)
        while not late.late:
            await asyncio.sleep(0)
        assert (working.late, patient.late) == (False, False)
        for peer in (late, working, patient):
            connections.closed(peer)

    asyncio.run(run())


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
@pytest.mark.parametrize(
    ("soft", "hard", "most", "files"),
    [
        (300, 5000, 4000, 4000 + RESERVED),
        (300, 2000, 2000 - RESERVED, 2000),
        (100, 300, 150, 300),
        (6000, 6000, 4000, 6000),
    ],
)
def test_open_files_bound_connections(soft: int, hard: int, most: int, files: int) -> None:
    program = (
        f"import resource as r; r.setrlimit(r.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from barograph.server.connections import most_connections\n"
        "print(most_connections(4000), r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split()[-2:] == [str(most), str(files)]
