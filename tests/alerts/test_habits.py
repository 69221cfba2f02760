"""How long a stream may be silent is learned from how its events come, not from history that was filled in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.alerts.habits import DAYS, REMEMBERED_DAYS, Habits, Receipt

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
MONDAY_US = 19_723 * DAY_US  # 2024-01-01


def live(*times_us: int, lag_us: int = MINUTE_US) -> list[Receipt]:
    return [Receipt(at_us=time, newest_us=time - lag_us) for time in times_us]


def every(step_us: int, start_us: int, end_us: int) -> list[Receipt]:
    return live(*range(start_us, end_us, step_us))


def learned(receipts: list[Receipt], chunk_us: int = DAY_US) -> Habits:
    return Habits().after(receipts, chunk_us=chunk_us)


def test_history_that_is_filled_in_is_no_habit() -> None:
    history = [Receipt(at_us=MONDAY_US + i * MINUTE_US, newest_us=MONDAY_US - (90 - i) * DAY_US) for i in range(80)]
    assert learned(history) == Habits()
    assert not learned(history).is_live
    upto_now = [*history, *live(MONDAY_US + 2 * HOUR_US)]  # its end is of today
    assert learned(upto_now).is_live
    assert learned(upto_now).allowed_us() is None


@pytest.mark.parametrize("days", range(1, 5))
def test_habits_need_several_days(days: int) -> None:
    habits = learned(every(MINUTE_US, MONDAY_US, MONDAY_US + days * DAY_US))
    assert (habits.allowed_us() is None) == (days < DAYS)


def test_a_first_weekend_is_no_silence() -> None:
    mornings = [MONDAY_US + day * DAY_US + 8 * HOUR_US for day in range(5)]
    receipts = [one for start in mornings for one in every(10 * MINUTE_US, start, start + 10 * HOUR_US)]
    allowed = learned(receipts).allowed_us()
    assert allowed is not None
    assert receipts[-1].at_us + allowed > MONDAY_US + 7 * DAY_US + 8 * HOUR_US  # Monday morning


def test_a_stream_that_never_rests_is_missed_soon() -> None:
    habits = learned(every(MINUTE_US, MONDAY_US, MONDAY_US + 9 * DAY_US))
    assert habits.allowed_us() == 15 * MINUTE_US


def test_the_longest_gap_counts_until_seven_days_have_come_after_it() -> None:
    receipts = every(MINUTE_US, MONDAY_US, MONDAY_US + 9 * DAY_US)
    gap = every(MINUTE_US, MONDAY_US + 9 * DAY_US + 2 * HOUR_US, MONDAY_US + 10 * DAY_US)
    habits = learned([*receipts, *gap])
    assert habits.allowed_us() == 3 * (2 * HOUR_US + MINUTE_US)
    for day in range(10, 10 + REMEMBERED_DAYS):
        assert habits.allowed_us() == 3 * (2 * HOUR_US + MINUTE_US)
        habits = habits.after(
            every(MINUTE_US, MONDAY_US + day * DAY_US, MONDAY_US + (day + 1) * DAY_US), chunk_us=DAY_US
        )
    assert habits.allowed_us() == 15 * MINUTE_US


@pytest.mark.parametrize(
    ("chunk_us", "lag_us", "expected"),
    [
        (HOUR_US, DAY_US, True),  # a daily file
        (HOUR_US, 3 * DAY_US, False),
        (30 * DAY_US, 40 * DAY_US, True),  # the file of a month
        (30 * DAY_US, 61 * DAY_US, False),
        (HOUR_US, -DAY_US, True),  # the clock of a producer is ahead
    ],
)
def test_what_is_live_is_measured_by_the_chunks(chunk_us: int, lag_us: int, expected: bool) -> None:
    assert learned(live(MONDAY_US, lag_us=lag_us), chunk_us).is_live is expected


def test_weekly_files_have_habits_after_three() -> None:
    habits = learned(live(*(MONDAY_US + week * 7 * DAY_US for week in range(3))), 7 * DAY_US)
    assert habits.allowed_us() == 21 * DAY_US


@given(st.lists(st.integers(0, 40 * 24 * 60), min_size=1, max_size=60), st.integers(0, 60))
def test_it_does_not_matter_in_how_many_steps_it_is_learned(minutes: list[int], cut: int) -> None:
    receipts = live(*(MONDAY_US + minute * MINUTE_US for minute in sorted(minutes)))
    at_once = learned(receipts)
    first = Habits.from_dict(learned(receipts[:cut]).to_dict())  # and what is stored is what was learned
    assert first.after(receipts[cut:], chunk_us=DAY_US) == at_once
    days = {receipt.at_us // DAY_US for receipt in receipts}
    allowed = at_once.allowed_us()
    assert (allowed is None) == (len(days) < DAYS)
    if allowed is not None and len(days) <= REMEMBERED_DAYS:
        longest = max(b.at_us - a.at_us for a, b in pairwise(receipts))
        assert allowed >= 3 * longest
