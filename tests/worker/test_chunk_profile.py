"""Which chunks are evaluated, as far as is known without reading any profile."""

from __future__ import annotations

import pytest

from barograph.chunks import TimeChunks
from barograph.store.catalog.profiles import ProfileHead
from barograph.worker import chunk_profile
from barograph.worker.chunk_profile import cut

DAY = 86_400_000_000
DAYS = TimeChunks("d")


def head(day: int) -> ProfileHead:
    start = (19_800 + day) * DAY
    return ProfileHead(
        start_us=start,
        end_us=start + DAY,
        chunk=f"day {day}",
        rows=10,
        first_us=start,
        last_us=start + DAY - 1,
        revision=1,
        updated_us=0,
    )


@pytest.mark.parametrize("known", [True, False])
def test_the_oldest_chunks_are_let_go_of_many_at_a_time(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_profile, "MOST_CHUNKS", 20)
    monkeypatch.setattr(chunk_profile, "LET_GO", 5)
    before, firsts = (), []
    for newest in range(60):
        found = cut([head(day) for day in range(newest + 1)], DAYS, before=before if known else ())
        assert len(found.chunks) == len(found.heads) <= 20
        assert len(found.chunks) > 15 or newest < 20
        assert found.outside == 10 * (newest + 1 - len(found.heads))
        firsts.append(found.chunks[0].key)
        before = found.chunks
    assert len(set(firsts)) == 1 + 8  # each change of the first chunk restates the evidence of all


def test_what_is_taken_from_the_last_time_is_what_is_made_anew() -> None:
    days = [0, 1, 2, 5, 6]
    before = cut([head(day) for day in days], DAYS).chunks
    for more in ([], [6], [7], [20], [-1], [3]):
        heads = [head(day) for day in sorted({*days, *more})]
        assert cut(heads, DAYS, before=before) == cut(heads, DAYS)
    assert cut([head(day) for day in days[:3]], DAYS, before=before) == cut([head(day) for day in days[:3]], DAYS)
    assert cut([], DAYS, before=before).chunks == ()
