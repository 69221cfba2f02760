"""The spool on real files: what is acknowledged is there, once, in order, after anything."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from barograph.errors import SpoolFull, StoreError
from barograph.store.batches import Kind
from barograph.store.spool import PAGE_BYTES, Batch, Spool, Stored

GIB = 2**30


def batch(payload: bytes = b"x", *, model_id: int = 1, kind: Kind = "events", rows: int = 1, at: int = 0) -> Batch:
    return Batch(project_id=7, model_id=model_id, kind=kind, rows=rows, payload=payload, received_us=at)


def everything(spool: Spool, *, model_id: int = 1, kind: Kind = "events") -> list[Stored]:
    return spool.take(model_id, kind, max_rows=10**9, max_bytes=GIB)


def test_batches_come_back_as_they_were_and_in_order(tmp_path: Path) -> None:
    given = [batch(bytes([i]) * i * 1000, rows=i, at=i) for i in range(20)]
    with Spool(tmp_path / "spool.db", max_bytes=GIB) as spool:
        last = [spool.append(given[:5]), spool.append([]), spool.append(given[5:])]
        stored = everything(spool)
        assert [s.batch for s in stored] == given
        assert [s.sequence for s in stored] == list(range(1, 21))
        assert last == [5, 0, 20]
        assert (spool.rows, spool.size_bytes) == (190, 190_000)


def test_what_waits_is_still_there_after_a_restart_and_numbers_are_never_used_again(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with Spool(path, max_bytes=GIB) as spool:
        node = spool.node
        spool.append([batch(b"one", rows=3), batch(b"two", model_id=2)])
    with Spool(path, max_bytes=GIB) as spool:
        assert spool.node == node
        assert (spool.rows, spool.size_bytes) == (4, 6)
        assert [s.batch.payload for s in everything(spool)] == [b"one"]
        assert spool.release(1, "events", through=2) == 1
        assert spool.release(2, "events", through=2) == 1
        assert (spool.rows, spool.size_bytes) == (0, 0)
    with Spool(path, max_bytes=GIB) as spool:
        assert spool.append([batch()]) == 3


def test_waiting_is_told_by_model_and_kind_with_the_oldest_first(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", max_bytes=GIB) as spool:
        assert spool.waiting() == []
        spool.append([batch(b"ab", model_id=2, rows=5, at=30), batch(b"c", kind="labels", at=10)])
        spool.append([batch(b"d", model_id=2, rows=2, at=20)])
        first, second = spool.waiting()
    assert (first.model_id, first.kind, first.batches, first.rows, first.size_bytes) == (2, "events", 2, 7, 3)
    assert (first.project_id, first.oldest_us, first.first_sequence) == (7, 20, 1)
    assert (second.model_id, second.kind, second.first_sequence) == (1, "labels", 2)


def test_take_stops_at_its_bounds_but_gives_at_least_one_batch(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", max_bytes=GIB) as spool:
        spool.append([batch(b"x" * 10, rows=10) for _ in range(10)])

        def taken(max_rows: int, max_bytes: int) -> int:
            return len(spool.take(1, "events", max_rows=max_rows, max_bytes=max_bytes))

        assert taken(35, 1000) == 3
        assert taken(1000, 40) == 4
        assert taken(1, 1) == 1
        assert taken(1000, 1000) == 10
        assert spool.take(9, "events", max_rows=1, max_bytes=1) == []


def test_release_goes_through_its_number_and_touches_nothing_else(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", max_bytes=GIB) as spool:
        spool.append([batch(), batch(kind="labels"), batch(model_id=2), batch(), batch()])
        assert spool.release(1, "events", through=4) == 2
        assert [s.sequence for s in everything(spool)] == [5]
        assert len(everything(spool, kind="labels")) == len(everything(spool, model_id=2)) == 1
        assert spool.release(1, "events", through=4) == 0


def test_no_more_is_taken_than_may_wait_and_all_or_nothing(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", max_bytes=1000) as spool:
        spool.append([batch(b"x" * 900)])
        with pytest.raises(SpoolFull, match=r"900 of 1,000 bytes wait.*BAROGRAPH_SPOOL_BYTES"):
            spool.append([batch(b"y" * 50), batch(b"z" * 51)])
        assert len(everything(spool)) == 1
        spool.append([batch(b"y" * 100)])
        spool.release(1, "events", through=1)
        spool.append([batch(b"z" * 900)])
        assert spool.size_bytes == 1000


def test_a_full_disk_refuses_all_and_the_spool_works_again_once_there_is_room(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", max_bytes=GIB) as spool:
        spool.append([batch(b"kept" * 1000)])
        pages = 40  # the same error of the same engine as that of a full file system
        spool._appender.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(SpoolFull, match="is full"):
            spool.append([batch(b"x" * PAGE_BYTES) for _ in range(pages)])
        assert [s.batch.payload for s in everything(spool)] == [b"kept" * 1000]
        assert (spool.rows, spool.size_bytes) == (1, 4000)
        spool._appender.execute("pragma max_page_count = 100000")
        assert spool.append([batch(b"again")]) == 2


def test_some_of_the_disk_is_left_free(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", max_bytes=GIB, free_bytes=10**18) as spool:
        with pytest.raises(SpoolFull, match=r"bytes left.*must stay free"):
            spool.append([batch()])
        assert (spool.rows, everything(spool)) == (0, [])


def test_a_file_that_is_no_spool_is_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match=r"text\.db"):
        Spool(tmp_path / "text.db", max_bytes=GIB)
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("create table t (x)")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="is no spool"):
        Spool(tmp_path / "other.db", max_bytes=GIB)
    Spool(tmp_path / "newer.db", max_bytes=GIB).close()
    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("pragma user_version = 99")
    newer.close()
    with pytest.raises(StoreError, match="got 99"):
        Spool(tmp_path / "newer.db", max_bytes=GIB)


def test_a_closed_spool_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", max_bytes=GIB)
    spool.close()
    spool.close()
    with pytest.raises(StoreError, match="closed"):
        spool.append([batch()])


def test_the_file_and_its_log_stay_small_however_much_goes_through(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with Spool(path, max_bytes=GIB) as spool:
        most = 0
        for _ in range(60):
            last = spool.append([batch(b"x" * 200_000) for _ in range(10)])
            spool.release(1, "events", through=last)
            most = max(most, path.stat().st_size + Path(f"{path}-wal").stat().st_size)
    assert most < 40 * 2**20, "120 MB went through"


def test_releasing_a_lot_does_not_hold_up_appends(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", max_bytes=GIB) as spool:
        for _ in range(15):
            last = spool.append([batch(b"x" * 500_000) for _ in range(10)])
        released: list[int] = []
        thread = threading.Thread(target=lambda: released.append(spool.release(1, "events", through=last)))
        appended = 0
        thread.start()
        while thread.is_alive():
            spool.append([batch(b"y", model_id=2)])
            appended += 1
        thread.join()
        assert released == [150]
        # One may slip in between any two of the ten slices; a release in one piece would let in one or two.
        assert appended >= 5
        assert spool.rows == len(everything(spool, model_id=2)) == appended


def test_threads_may_append_take_and_release_at_once(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.db", max_bytes=GIB) as spool:
        seen: list[bytes] = []
        done = threading.Event()

        def produce(name: int) -> None:
            for i in range(50):
                spool.append([batch(b"%d-%d" % (name, i))])

        def consume() -> None:
            while not done.is_set() or spool.rows:
                if stored := spool.take(1, "events", max_rows=7, max_bytes=GIB):
                    seen.extend(s.batch.payload for s in stored)
                    spool.release(1, "events", through=stored[-1].sequence)

        producers = [threading.Thread(target=produce, args=(n,)) for n in range(3)]
        consumer = threading.Thread(target=consume)
        for thread in (*producers, consumer):
            thread.start()
        for thread in producers:
            thread.join()
        done.set()
        consumer.join()
        assert sorted(seen) == sorted(b"%d-%d" % (n, i) for n in range(3) for i in range(50))
        assert (spool.rows, spool.size_bytes) == (0, 0)


_CHILD = """
import sys
from pathlib import Path
from barograph.store.spool import Batch, Spool

spool = Spool(Path(sys.argv[1]), max_bytes=2**30)
n = int(sys.argv[2])
while True:
    batches = [
        Batch(project_id=1, model_id=1, kind="events", rows=1, payload=b"%d " % i * 300, received_us=i)
        for i in range(n, n + 3)
    ]
    spool.append(batches)
    n += 3
    print(n - 1, flush=True)
    if n % 30 == 0:
        spool.release(1, "events", through=int(sys.argv[3]))
"""


def test_kill_9_at_any_moment_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    path, rng = tmp_path / "spool.db", random.Random(5)
    Spool(path, max_bytes=GIB).close()
    start, through, acknowledged = 0, 0, -1
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(path), str(start), str(through)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(rng.randrange(1, 60))]
        os.kill(child.pid, signal.SIGKILL)
        lines += child.stdout.readlines()
        child.stdout.close()
        child.wait()
        acknowledged = max(int(line) for line in lines if line.endswith(b"\n"))
        with Spool(path, max_bytes=GIB) as spool:
            stored = everything(spool)
        numbers = [s.batch.received_us for s in stored]
        assert all(s.batch.payload == b"%d " % s.batch.received_us * 300 for s in stored)
        assert len({s.sequence for s in stored}) == len(numbers)
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), "each once, in order, without a gap"
        assert numbers[0] <= through, "what was not released is there"
        assert numbers[-1] >= acknowledged
        assert (numbers[-1] + 1) % 3 == 0, "a transaction is kept whole"
        # The next child goes on after the last one, and lets go of what is old by then.
        start, through = numbers[-1] + 1, stored[len(stored) // 2].sequence
