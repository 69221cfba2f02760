"""Group commit on a real spool: nothing is said to be kept before it is, and one request's trouble is its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from barograph.errors import Busy, SpoolFull, StoreError
from barograph.store.batches import Part, PendingRows, Row
from barograph.store.group_commit import GroupCommit
from barograph.store.spool import Batch, Spool, Stored

GIB = 2**30


def whole(payload: bytes = b"x") -> Part:
    return Part(kind="events", rows=1, size=len(payload), content=payload)


def encode(rows: Sequence[Row]) -> bytes:
    return b",".join(b"%d" % value for (value,) in rows)


def few(*values: int | str, encode: Callable[[Sequence[Row]], bytes] = encode) -> Part:
    return Part(kind="events", rows=len(values), size=10, content=PendingRows([(v,) for v in values], encode))


def stored(spool: Spool, model_id: int = 1) -> list[Stored]:
    return spool.take(model_id, "events", max_rows=10**9, max_bytes=GIB)


class HeldSpool(Spool):
    """A spool whose appends wait until they may go on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, max_bytes=GIB)
        self.entered, self.go = threading.Event(), threading.Event()

    def append(self, batches: Sequence[Batch]) -> int:
        self.entered.set()
        assert self.go.wait(30)
        return super().append(batches)


def test_what_put_returned_for_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"

    async def main(spool: Spool) -> None:
        async with GroupCommit(spool) as commit:
            await commit.put(7, 1, [whole(b"a"), few(5)], received_us=9)
            with Spool(path, max_bytes=GIB) as other:  # another connection sees it: it is committed
                assert [s.batch.payload for s in stored(other)] == [b"a", b"5"]

    with Spool(path, max_bytes=GIB) as spool:
        asyncio.run(main(spool))
        first = stored(spool)[0].batch
        assert (first.project_id, first.model_id, first.received_us, first.rows) == (7, 1, 9, 1)


def test_requests_that_come_together_share_commits_and_small_ones_of_a_model_a_batch(tmp_path: Path) -> None:
    async def main(spool: Spool) -> int:
        async with GroupCommit(spool) as commit:
            await asyncio.gather(*(commit.put(1, i % 2, [few(i)], received_us=i) for i in range(200)))
            assert (commit.waiting_bytes, commit.waiting_requests) == (0, 0)
            return commit.commits

    with Spool(tmp_path / "spool.db", max_bytes=GIB) as spool:
        commits = asyncio.run(main(spool))
        assert commits <= 3
        for model_id in (0, 1):
            batches = [s.batch for s in stored(spool, model_id)]
            assert len(batches) <= commits
            assert sum(b.rows for b in batches) == 100
            values = [int(v) for b in batches for v in b.payload.split(b",")]
            assert values == list(range(model_id, 200, 2))
            assert batches[0].received_us == model_id


def test_parts_of_one_request_are_kept_together(tmp_path: Path) -> None:
    async def main(spool: Spool) -> None:
        async with GroupCommit(spool) as commit:
            with pytest.raises(SpoolFull):
                await commit.put(1, 1, [whole(b"x" * 60), few(1), whole(b"x" * 60)], received_us=0)
            await commit.put(1, 1, [], received_us=0)

    with Spool(tmp_path / "spool.db", max_bytes=100) as spool:
        asyncio.run(main(spool))
        assert stored(spool) == []


def test_beyond_the_bounds_of_the_queue_it_says_busy_at_once_and_takes_more_afterwards(tmp_path: Path) -> None:
    async def main(spool: HeldSpool) -> None:
        async with GroupCommit(spool, queue_bytes=100, queue_requests=3) as commit:
            tasks = [asyncio.create_task(commit.put(1, 1, [whole(b"x" * 30)], received_us=0)) for _ in range(3)]
            await asyncio.to_thread(spool.entered.wait, 30)
            with pytest.raises(Busy, match="3 requests with 90 bytes wait"):
                await commit.put(1, 1, [whole(b"y")], received_us=0)
            assert 1 <= commit.retry_after_s <= 30
            spool.go.set()
            await asyncio.gather(*tasks)
            await commit.put(1, 1, [whole(b"z" * 1000)], received_us=0)  # alone, it may be larger than the queue
            spool.entered.clear()
            spool.go.clear()
            task = asyncio.create_task(commit.put(1, 1, [whole(b"x" * 60)], received_us=0))
            await asyncio.to_thread(spool.entered.wait, 30)
            with pytest.raises(Busy, match="1 requests with 60 bytes"):
                await commit.put(1, 1, [whole(b"x" * 60)], received_us=0)
            spool.go.set()
            await task

    with HeldSpool(tmp_path / "spool.db") as spool:
        asyncio.run(main(spool))
        assert len(stored(spool)) == 5


def test_rows_that_cannot_be_encoded_fail_their_request_alone(tmp_path: Path) -> None:
    async def main(spool: HeldSpool) -> list[BaseException | None]:
        async with GroupCommit(spool) as commit:
            first = asyncio.create_task(commit.put(1, 1, [few(0)], received_us=0))
            await asyncio.to_thread(spool.entered.wait, 30)
            others = [commit.put(1, 1, [few(v)], received_us=0) for v in (1, "no number", 2)]
            gathered = asyncio.gather(first, *others, return_exceptions=True)
            await asyncio.sleep(0)  # they are in the queue
            spool.go.set()
            return list(await gathered)

    with HeldSpool(tmp_path / "spool.db") as spool:
        found = asyncio.run(main(spool))
        assert [type(f) for f in found] == [type(None), type(None), TypeError, type(None)]
        assert b",".join(s.batch.payload for s in stored(spool)) == b"0,1,2"


def test_a_caller_that_gives_up_disturbs_nobody(tmp_path: Path) -> None:
    async def main(spool: HeldSpool) -> None:
        async with GroupCommit(spool) as commit:
            tasks = [asyncio.create_task(commit.put(1, 1, [few(i)], received_us=0)) for i in range(3)]
            await asyncio.to_thread(spool.entered.wait, 30)
            tasks[1].cancel()
            spool.go.set()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(f) for f in found] == [type(None), asyncio.CancelledError, type(None)]
            await commit.put(1, 1, [few(3)], received_us=0)

    with HeldSpool(tmp_path / "spool.db") as spool:
        asyncio.run(main(spool))
        assert b",".join(s.batch.payload for s in stored(spool)) == b"0,1,2,3"


def test_closing_writes_what_waits_and_takes_nothing_more(tmp_path: Path) -> None:
    async def main(spool: Spool) -> None:
        commit = GroupCommit(spool)
        with pytest.raises(StoreError, match="ending"):
            await commit.put(1, 1, [few(0)], received_us=0)
        await commit.start()
        tasks = [asyncio.create_task(commit.put(1, 1, [few(i)], received_us=0)) for i in range(10)]
        await asyncio.sleep(0)
        await commit.close()
        await asyncio.gather(*tasks)
        with pytest.raises(StoreError, match="ending"):
            await commit.put(1, 1, [few(10)], received_us=0)

    with Spool(tmp_path / "spool.db", max_bytes=GIB) as spool:
        asyncio.run(main(spool))
        assert sum(s.batch.rows for s in stored(spool)) == 10


def test_a_spool_that_fails_fails_every_request_of_the_commit(tmp_path: Path) -> None:
    async def main(spool: Spool) -> None:
        async with GroupCommit(spool) as commit:
            await commit.put(1, 1, [few(0)], received_us=0)
            spool.close()
            found = await asyncio.gather(
                *(commit.put(1, 1, [few(i)], received_us=0) for i in range(5)), return_exceptions=True
            )
            assert all(isinstance(f, StoreError) for f in found)

    asyncio.run(main(Spool(tmp_path / "spool.db", max_bytes=GIB)))
