"""How time and rows are cut: what can be said, and where the borders lie."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.chunks import UNITS, Chunk, OneChunk, RowChunks, TimeChunks, noun_of, parse_chunk_rule
from barograph.errors import SpecError

BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(month: int, day: int, hour: int, minute: int = 0, *, fold: int = 0) -> datetime:
    return datetime(2024, month, day, hour, minute, tzinfo=BERLIN, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("1d", TimeChunks("d")),
        ("12h", TimeChunks("h", count=12)),
        ("30min", TimeChunks("min", count=30)),
        ("2w", TimeChunks("w", count=2)),
        (" 7d ", TimeChunks("d", count=7)),
        ("6mo", TimeChunks("mo", count=6)),
        (500, RowChunks(500)),
        ("500", RowChunks(500)),
        ("5000 rows", RowChunks(5000)),
        ("1row", RowChunks(1)),
        ("all", OneChunk()),
        (RowChunks(3), RowChunks(3)),
    ],
)
def test_what_can_be_said(said: object, rule: object) -> None:
    assert parse_chunk_rule(said) == rule  # type: ignore[arg-type]  # also what is no text


@pytest.mark.parametrize(
    "said", ["D", "1m", "0d", "-1d", 0, -5, 1.5, True, None, "", "1.5h", "1d1h", "\u0663d", "9" * 30 + "y"]
)
def test_anything_else_is_told_what_can_be_said(said: object) -> None:
    with pytest.raises(SpecError) as error:
        parse_chunk_rule(said)  # type: ignore[arg-type]  # that is what is tested
    for word in (*UNITS, "rows", "'all'", repr(said)):
        assert word in str(error.value)


@pytest.mark.parametrize("said", ["7h", "48h", "7min", "90min", "120min"])
def test_minutes_divide_the_hour_and_hours_the_day(said: str) -> None:
    with pytest.raises(SpecError, match="must divide the hour"):
        parse_chunk_rule(said)


@pytest.mark.parametrize(
    ("rule", "time", "start", "following"),
    [
        # By hand, from a calendar. 2024-01-31 is a Wednesday; from 1970-01-05 to 2024-01-22 are 1,410 fortnights.
        (TimeChunks("d", count=7), "2024-01-31 12:00", "2024-01-29", "2024-02-05"),
        (TimeChunks("w", count=2), "2024-01-31 12:00", "2024-01-22", "2024-02-05"),
        (TimeChunks("h", count=12), "2024-01-31 13:59", "2024-01-31 12:00", "2024-02-01"),
        (TimeChunks("min", count=30), "2024-01-31 13:59", "2024-01-31 13:30", "2024-01-31 14:00"),
        (TimeChunks("mo", count=2), "2024-02-29", "2024-01-01", "2024-03-01"),
        (TimeChunks("q", count=2), "2024-12-31", "2024-07-01", "2025-01-01"),
        (TimeChunks("y", count=5), "2024-02-29", "2020-01-01", "2025-01-01"),
        (TimeChunks("q", count=2), "1969-12-31", "1969-07-01", "1970-01-01"),
    ],
)
def test_several_units(rule: TimeChunks, time: str, start: str, following: str) -> None:
    assert rule.floor(utc(time)) == utc(start)
    assert rule.next(utc(start)) == utc(following)


def test_seven_days_are_a_week() -> None:
    first, last = utc("2023-12-30"), utc("2024-04-02")
    assert TimeChunks("d", "Europe/Berlin", 7).edges(first, last) == TimeChunks("w", "Europe/Berlin").edges(first, last)


def test_hours_follow_the_wall_clock_where_it_changes() -> None:
    rule = TimeChunks("h", "Europe/Berlin", 2)
    # On 2024-03-31 02:00 became 03:00, on 2024-10-27 03:00 became 02:00 again.
    spring = rule.edges(local(3, 31, 0), local(3, 31, 5))
    assert [end - start for start, end in pairwise(spring)] == [timedelta(hours=n) for n in (2, 1, 2)]
    autumn = rule.edges(local(10, 27, 0), local(10, 27, 5))
    assert [end - start for start, end in pairwise(autumn)] == [timedelta(hours=n) for n in (2, 3, 2)]
    assert rule.floor(local(10, 27, 2, 30, fold=1)) == local(10, 27, 2)


zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"])
rules = (
    st.builds(TimeChunks, st.sampled_from(["d", "w", "mo", "q", "y"]), zones, st.integers(1, 9))
    | st.builds(TimeChunks, st.just("min"), zones, st.sampled_from([1, 5, 15, 20, 30, 60]))
    | st.builds(TimeChunks, st.just("h"), zones, st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24]))
)


@given(rules, st.integers(31_536_000, 4_070_908_800))
def test_an_interval_holds_its_time_and_the_next_one_follows(rule: TimeChunks, seconds: int) -> None:
    time = datetime.fromtimestamp(seconds, UTC)
    start = rule.floor(time)
    end = rule.next(start)
    assert start <= time < end
    assert rule.floor(start) == start
    assert rule.floor(end) == end
    assert rule.floor(end - timedelta(microseconds=1)) == start


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Auckland", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("said", ["15min", "1h", "6h", "12h", "1d", "2d", "1w", "2w", "1mo", "2mo", "1q", "1y"])
def test_every_chunk_is_called_as_its_rule_is(said: str, zone: str) -> None:
    rule = parse_chunk_rule(said, zone=zone)
    assert isinstance(rule, TimeChunks)
    first = datetime(2023, 11, 1, tzinfo=UTC)
    edges = rule.edges(first, first + timedelta(days=400 if rule.seconds > 3600 else 10))
    chunks = [Chunk(key=rule.key(a), start=a, end=b) for a, b in pairwise(edges)]
    runs = [chunks[max(i - 5, 0) : i] for i in range(5 if len(chunks) > 5 else 1, len(chunks) + 1)]
    assert {noun_of(run) for run in runs} == {rule.noun}
    names = {"15min": "15-minute span", "1h": "hour", "12h": "12-hour span", "1w": "week", "2mo": "2-month span"}
    assert names.get(said, rule.noun) == rule.noun


def test_runs_of_rows_are_parts() -> None:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    assert noun_of([Chunk(key="rows 0-99", start=now, end=now + timedelta(days=1))]) == noun_of([]) == "part"
    assert {parse_chunk_rule(said).noun for said in ("500rows", "all")} == {"part"}
