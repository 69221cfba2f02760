"""Replayed alerts are counted and timed as defined."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from barograph.chunks import Chunk
from barograph.errors import SpecError
from barograph.monitors.replay import LIMITS, Fired, Replay, replay

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = {"a": "share", "b": "share", "c": "cdf_cut", "d": LIMITS}


def days(n: int) -> list[Chunk]:
    return [
        Chunk(key=f"{START + i * DAY:%Y-%m-%d}", start=START + i * DAY, end=START + (i + 1) * DAY) for i in range(n)
    ]


def random_past(seed: int) -> tuple[list[Fired], list[tuple[str, int]], list[datetime]]:
    rng = np.random.default_rng(seed)
    fired = []
    for monitor in RULES:
        position = int(rng.integers(0, 12))
        while position < 30:
            until = position + int(rng.integers(1, 8))
            fired.append(Fired(monitor=monitor, position=position, until=until if until < 30 else None))
            position = until + int(rng.integers(1, 12))
    breaches = [(a.monitor, i) for a in fired for i in range(a.position, a.until or 30)]
    changes = [START + float(t) * DAY for t in rng.uniform(0, 30, int(rng.integers(1, 4)))]
    return [fired[i] for i in rng.permutation(len(fired))], breaches, changes


def run(seed: int) -> tuple[Replay, list[Fired], list[tuple[str, int]], list[datetime]]:
    fired, breaches, changes = random_past(seed)
    found = replay(days(30), rules=RULES, breaches=breaches, fired=fired, changes=changes)
    return found, fired, breaches, sorted(changes)


@pytest.mark.parametrize("seed", range(20))
def test_delays_and_false_alarms_follow_from_the_times_of_the_alerts(seed: int) -> None:
    """By time instead of by place: an alert is known at the end of its chunk."""
    found, fired, _, changes = run(seed)
    known = {id(a): START + (a.position + 1) * DAY for a in fired}
    for record in found.records:
        own = [a for a in fired if record.rule in (None, RULES[a.monitor])]
        assert record.alerts == len(own)
        assert record.false_alarms == sum(known[id(a)] <= changes[0] for a in own)
        assert record.per_month == pytest.approx(len(own))
    assert len(found.detections) == len(changes) * len(found.records)
    for detection in found.detections:
        own = [a for a in fired if detection.rule in (None, RULES[a.monitor])]
        later = [c for c in changes if (c - START) // DAY > (detection.change - START) // DAY]
        until = later[0] if later else START + 30 * DAY
        after = [known[id(a)] for a in own if detection.change < known[id(a)] and (known[id(a)] <= until or not later)]
        if not after:
            assert detection.chunk is detection.chunks is detection.days is detection.monitor is None
            continue
        assert detection.days == pytest.approx((min(after) - detection.change) / DAY)
        assert detection.chunks == (min(after) - START) // DAY - (detection.change - START) // DAY
        assert detection.chunk == f"{min(after) - DAY:%Y-%m-%d}"
        place = (detection.change - START) // DAY
        assert detection.firing == sum(a.position < place <= (30 if a.until is None else a.until) for a in own)


@pytest.mark.parametrize("seed", range(5))
def test_the_rules_add_up_to_the_total(seed: int) -> None:
    found, _, breaches, _ = run(seed)
    *single, total = found.records
    assert [record.rule for record in found.records] == ["cdf_cut", "share", LIMITS, None]
    assert total is found.total
    assert total.monitors == sum(r.monitors for r in single) == len(RULES)
    assert total.alerts == sum(r.alerts for r in single)
    assert total.false_alarms == sum(r.false_alarms or 0 for r in single)
    assert total.first == min(r.first for r in single if r.first)
    assert total.chunks_in_breach == len({position for _, position in breaches}) <= 30
    assert max(r.chunks_in_breach for r in single) <= total.chunks_in_breach


def test_a_change_at_the_border_of_two_chunks_belongs_to_the_later_one() -> None:
    fired = [Fired(monitor="a", position=4, until=6), Fired(monitor="b", position=5)]
    found = replay(days(10), rules=RULES, breaches=[], fired=fired, changes=[START + 5 * DAY])
    assert found.total.false_alarms == 1
    assert found.days_before == 5
    best = found.detections[-1]
    assert (best.monitor, best.chunks, best.days, best.firing) == ("b", 1, 1.0, 1)


def test_an_alert_after_the_next_change_is_not_counted_for_the_one_before() -> None:
    fired = [Fired(monitor="c", position=7)]
    found = replay(days(10), rules=RULES, breaches=[], fired=fired, changes=[START + 6 * DAY, START + 2 * DAY])
    first, second = (d for d in found.detections if d.rule is None)
    assert first.chunk is None
    assert (second.chunks, second.days) == (2, 2.0)


def test_without_changes_nothing_is_called_false() -> None:
    found = replay(days(10), rules=RULES, breaches=[("a", 3)], fired=[Fired(monitor="a", position=3)])
    assert found.total.false_alarms is None
    assert found.days_before is None
    assert found.detections == ()


def test_without_timestamps_a_chunk_counts_as_a_day() -> None:
    chunks = [Chunk(key=f"rows {i}") for i in range(60)]
    found = replay(chunks, rules=RULES, breaches=[], fired=[Fired(monitor="a", position=3)])
    assert found.days == 60
    assert found.total.per_month == 0.5


def test_nothing_at_all_is_zero() -> None:
    found = replay([], rules={}, breaches=[], fired=[])
    assert found.days == found.total.alerts == found.total.per_month == 0


def test_every_change_outside_of_the_data_is_told_at_once() -> None:
    wrong = [START - DAY, START + 10 * DAY]
    with pytest.raises(SpecError) as caught:
        replay(days(10), rules=RULES, breaches=[], fired=[], changes=[*wrong, START + DAY])
    assert len(caught.value.problems) == 2
    assert all(time.isoformat() in problem for time, problem in zip(wrong, caught.value.problems, strict=True))


@pytest.mark.parametrize("chunks", [[], [Chunk(key="rows 0-9")]])
def test_a_change_needs_timestamps(chunks: list[Chunk]) -> None:
    with pytest.raises(SpecError, match="timestamps"):
        replay(chunks, rules=RULES, breaches=[], fired=[], changes=[START])
