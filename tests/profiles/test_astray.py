"""Times that are years from all others are set aside, and named: in a check, and in a reference."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.chunks import ChunkRule, OneChunk, RowChunks, TimeChunks
from barograph.frames.astray import GAP_DAYS, bulk
from barograph.profiles.build import build_profiles, default_chunk
from barograph.reference.fit import fit
from barograph.report.check import check
from barograph.store.catalog.profiles import ProfileHead
from barograph.store.layout import with_id_and_timestamp
from barograph.worker.chunk_profile import cut, pieces_of

N = 2_000
START = datetime(2024, 1, 1, tzinfo=UTC)
TIMES = [START + timedelta(minutes=20 * i) for i in range(N)]  # about four weeks


def frame(times: list[datetime]) -> pl.DataFrame:
    rng, n = np.random.default_rng(0), len(times)
    return pl.DataFrame({"timestamp": times, "x": rng.normal(size=n), "y_true": rng.integers(0, 2, n)})


def odd(*times: datetime) -> pl.DataFrame:
    return frame([*TIMES[: -len(times)], *times])


REFERENCE = fit(frame(TIMES))
ZERO = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("rule", [TimeChunks("w"), TimeChunks("d"), RowChunks(500), OneChunk()])
@pytest.mark.parametrize(
    "time",
    [ZERO, ZERO + timedelta(days=19, hours=5), datetime(1900, 1, 1, tzinfo=UTC), datetime(2001, 9, 9, tzinfo=UTC),
     datetime(2099, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)],
)  # fmt: skip
def test_one_row_years_away_is_in_no_chunk(rule: ChunkRule, time: datetime) -> None:
    calm, found = (build_profiles(REFERENCE.yardstick, data, chunk=rule) for data in (frame(TIMES[:-1]), odd(time)))
    assert [c.key for c in found.chunks] == [c.key for c in calm.chunks]
    assert [p.n for p in found.select()] == [p.n for p in calm.select()]
    assert (found.outside, found.astray, found.astray_example) == (1, 1, time)


def test_the_chunks_are_chosen_as_without_it() -> None:
    assert default_chunk_of(odd(ZERO)) == default_chunk_of(frame(TIMES))


def default_chunk_of(data: pl.DataFrame) -> ChunkRule:
    from barograph.frames.read import open_rows

    return default_chunk(open_rows(data), REFERENCE.yardstick)


def test_a_reference_leaves_it_out_too() -> None:
    learned = fit(odd(ZERO, ZERO))
    assert (learned.total.n, learned.blocks.outside, learned.blocks.astray) == (N - 2, 2, 2)
    assert learned.blocks.astray_example == ZERO
    kept = type(learned).from_bytes(learned.to_bytes())
    assert (kept.blocks.astray, kept.blocks.astray_example) == (2, ZERO)


def test_many_rows_at_zero_are_astray_and_many_of_another_year_are_not() -> None:
    third = N // 3
    zeros = build_profiles(REFERENCE.yardstick, frame([ZERO] * third + TIMES[third:]), chunk=TimeChunks("mo"))
    assert (zeros.astray, len(zeros.chunks)) == (third, 1)
    year = [t - timedelta(days=900) for t in TIMES[:third]]
    old = build_profiles(REFERENCE.yardstick, frame(year + TIMES[third:]), chunk=TimeChunks("mo"))
    assert (old.astray, old.outside) == (0, 0)


def test_times_that_are_all_in_1970_are_believed() -> None:
    moved = [t - (START - ZERO) for t in TIMES]
    assert build_profiles(REFERENCE.yardstick, frame(moved), chunk=TimeChunks("w")).outside == 0


days = st.lists(st.tuples(st.integers(-40_000, 60_000), st.integers(1, 500)), min_size=1, max_size=12)


@given(days)
def test_at_least_the_run_with_the_most_rows_is_kept(found: list[tuple[int, int]]) -> None:
    counts = dict(sorted(found))
    at, rows = np.array(list(counts)), np.array(list(counts.values()))
    first, last = bulk(at, rows)
    assert first in counts
    assert last in counts
    kept = (first <= at) & (at <= last)
    in_1970 = (at >= -1) & (at <= 366)
    assert rows[kept].sum() * len(at) >= rows[~in_1970].sum()
    # What is kept is as near to the others as to belong to them: another year of the same length always is.
    if at[-1] - at[0] <= GAP_DAYS:
        assert kept.all()


def test_the_stream_of_a_service_leaves_out_the_same() -> None:
    yardstick = replace(REFERENCE.yardstick, schema=with_id_and_timestamp(REFERENCE.schema))
    rule = TimeChunks("w")

    def heads(data: pl.DataFrame) -> list[ProfileHead]:
        return [
            ProfileHead(
                start_us=p.start_us,
                end_us=p.end_us,
                chunk=p.chunk,
                rows=p.rows,
                first_us=p.first_us,
                last_us=p.last_us,
                revision=1,
                updated_us=0,
            )
            for p in pieces_of(yardstick, data, rule)
        ]

    calm = cut(heads(frame(TIMES)), rule)
    found = cut([*heads(frame(TIMES)), *heads(frame([datetime(2001, 9, 9, tzinfo=UTC)] * 3))], rule)
    assert found.chunks == calm.chunks == build_profiles(yardstick, frame(TIMES), chunk=rule).chunks
    assert (found.outside, found.astray, len(found.heads)) == (3, 3, len(calm.heads))
    grown = cut(heads(frame([*TIMES, TIMES[-1] + timedelta(days=9)])), rule)
    assert cut(heads(frame([*TIMES, TIMES[-1] + timedelta(days=9)])), rule, before=calm.chunks) == grown


def test_a_check_names_them() -> None:
    report = check(REFERENCE, odd(ZERO))
    said = {item.what: item.why for item in report.not_checked}
    assert said["1 row"] == "of an impossible time, 1970-01-01 00:00:00 UTC, years from all others: it is in no chunk"
    two = {item.what: item.why for item in check(REFERENCE, odd(ZERO, ZERO)).not_checked}
    assert two["2 rows"].startswith("of impossible times, such as 1970-01-01 00:00:00 UTC, years from all others: they")


def test_what_was_learned_and_found_can_be_pickled() -> None:
    report = check(REFERENCE, frame(TIMES))
    again, learned = pickle.loads(pickle.dumps(report)), pickle.loads(pickle.dumps(REFERENCE))
    assert again.results.equals(report.results)
    assert learned.to_bytes() == REFERENCE.to_bytes()
    assert copy.deepcopy(report).verdict == report.verdict
