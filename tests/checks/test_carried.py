"""Assessing again, from the first chunk on that a change concerns, gives what assessing everything gives."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.alerts.incident import group
from barograph.alerts.levels import levels_of
from barograph.alerts.lifecycle import watch
from barograph.checks import assess as assess_module
from barograph.checks import carried as module
from barograph.checks.assess import assess, outputs_of, unjudged
from barograph.checks.carried import Carried, assess_again, levels_until, watched_until
from barograph.checks.plan import Plan
from barograph.checks.spec_check import plan_of
from barograph.checks.verdict import judge, judge_by
from barograph.chunks import Chunk, TimeChunks, noun_of
from barograph.monitors.results import Result
from barograph.profiles.build import time_chunks
from barograph.profiles.clock import Span
from barograph.profiles.join import join
from barograph.profiles.profiles import Profiles
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.spec.budget import parse_budget
from barograph.spec.file import spec_of

DAY = 86_400_000_000
START = 19_800  # days since 1970
HISTORIES = int(os.environ.get("BAROGRAPH_HISTORIES", "15"))


@dataclass(frozen=True)
class Day:
    """What is known of a day: its rows, how many have a label, and what is wrong with them."""

    rows: int
    labels: float = 0.0
    shift: float = 0.0
    wrong: float = 0.0
    missing: float = 0.0


def frame(day: int, like: Day, *, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng((seed, day + 1000))
    n = like.rows
    x = rng.normal(size=n) + like.shift
    score = 1 / (1 + np.exp(-x))
    label = (rng.random(n) < score) ^ (rng.random(n) < like.wrong)
    known, gone = rng.random(n) < like.labels, rng.random(n) < like.missing
    return pl.DataFrame(
        {
            "id": [f"{seed}-{day}-{i}" for i in range(n)],
            "timestamp": pl.Series((START + day) * DAY + np.sort(rng.integers(0, DAY, n))).cast(
                pl.Datetime("us", "UTC")
            ),
            "x": pl.Series(x).set(pl.Series(gone), None),
            "where": rng.choice(["a", "b", "c"], n, p=[0.6, 0.39, 0.01]),
            "score": score,
            "label": pl.Series(label.astype(int).astype(str)).set(pl.Series(~known), None),
        }
    )


@cache
def reference() -> Reference:
    days = [frame(-60 + day, Day(rows=60, labels=1.0), seed=1) for day in range(30)]
    return fit(pl.concat(days), segments=["where"], task="binary")


@cache
def profile_of(day: int, like: Day) -> Profiles:
    found = reference().profile(frame(day, like, seed=2), chunk="1d")
    assert len(found.chunks) == 1
    return found


PLANS: Sequence[Plan] = [
    Plan(budget=parse_budget("1 false alarm per month")),
    Plan(budget=parse_budget("1 false alarm per day"), tolerances={"accuracy": 0.0, "missing_share": 0.0}),
    plan_of(
        spec_of(
            {
                "budget": "1 false alarm per week",
                "value": {"tn": 1.0, "fp": -2.0, "fn": -1.0, "tp": 2.0},
                "monitors": [
                    {"metric": "missing_share", "columns": ["x"], "hold": 1, "quiet": 3},
                    {"metric": "accuracy", "rule": "constant", "options": {"lower": 0.7}},
                ],
            }
        )
    ),
]


@dataclass
class Watcher:
    """A model that is assessed again and again; `told` are its rows as a catalog would keep them."""

    days: dict[int, tuple[int, Day]] = field(default_factory=dict)
    plan: Plan = PLANS[0]
    before: Carried = field(default_factory=Carried)
    told: dict[str, list[Result]] = field(default_factory=dict)
    alerts: Any = None
    judged: Any = None

    def chunks(self) -> tuple[Chunk, ...]:
        first, last = min(self.days), max(self.days)
        span = Span((START + first) * DAY, (START + last) * DAY + DAY - 1, 100, DAY)
        return time_chunks(span, TimeChunks("d"))[1]

    def profiles(self, places: Sequence[int]) -> Profiles:
        chunks, first = self.chunks(), min(self.days)
        parts = {
            chunks[day - first].key: profile_of(day, like)
            for day, (_, like) in self.days.items()
            if day - first in {*places}
        }
        other = {"": profile_of(first, self.days[first][1])}
        return join(reference().yardstick, [chunks[i] for i in places], parts or other)

    def change(self, day: int, like: Day) -> None:
        revision = self.days[day][0] + 1 if day in self.days else 1
        self.days[day] = revision, like

    def work(self, *, closed: int, kept: bool = True) -> None:
        """Assess again; with `kept` False what was found is lost, as when a process dies before it could write."""
        chunks, first = self.chunks(), min(self.days)
        revisions = [self.days[first + i][0] if first + i in self.days else -1 for i in range(len(chunks))]
        segments = profile_of(first, self.days[first][1]).segments
        told: dict[str, list[Result]] = {}

        def tell(key: str, changed: Mapping[Chunk, Sequence[Result]]) -> None:
            assert not told.keys() & {chunk.key for chunk in changed}  # each once
            told.update({chunk.key: list(rows) for chunk, rows in changed.items()})

        again = assess_again(
            self.before, reference(), chunks, revisions, self.profiles, self.plan, segments=segments, tell=tell
        )
        until = max(len(chunks) - closed, 0)
        carried, watched = watched_until(again.carried, until)
        if not kept:
            return
        self.alerts = group(
            watched.alerts, chunks[:until], outputs=outputs_of(reference()), levels=levels_until(carried, until)
        )
        sizes = [one.size for one in carried.known]
        self.judged = judge_by(
            reference(),
            rows=sum(size.rows[0] for size in sizes),
            labelled=any(size.coverage[0] for size in sizes),
            by=[one.basis for one in carried.known],
            keys=[chunk.key for chunk in chunks],
            warns=True,  # as `judge` does, which has no incident of its own for labels that stop
            noun=noun_of(chunks),
        )
        assert not again.changed  # all was told
        self.told |= told
        self.before = carried

    def check(self, *, closed: int) -> None:
        """Compare with what assessing everything gives."""
        chunks = self.chunks()
        profiles = self.profiles(range(len(chunks)))
        found = assess(reference(), profiles, self.plan)
        until = max(len(chunks) - closed, 0)
        expected = {(row.chunk, row.monitor): row for row in found.rows}
        here = {(row.chunk, row.monitor): row for rows in self.told.values() for row in rows}
        assert here.keys() == expected.keys()
        for key, row in expected.items():
            assert_same(here[key], row)
        alerts = watch(
            [b for b in found.breaches if b.position < until],
            chunks[:until],
            outputs=outputs_of(reference()),
            own=found.patience,
            unsettled=unjudged(found.rows, profiles, found.alerting),
            levels=levels_of(found.rows, {chunk.key: i for i, chunk in enumerate(chunks[:until])}),
        )
        assert_same([one.to_dict() for one in self.alerts[0]], [one.to_dict() for one in alerts[0]])
        assert_same([one.to_dict() for one in self.alerts[1]], [one.to_dict() for one in alerts[1]])
        assert_same(self.judged, judge(reference(), profiles, found.rows))


def assert_same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, float) and isinstance(ours, float):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)
    elif is_dataclass(theirs):
        assert type(ours) is type(theirs)
        for one in fields(theirs):
            assert_same(getattr(ours, one.name), getattr(theirs, one.name))
    elif isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert_same(ours[name], value)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    else:
        assert ours == theirs


LIKES = st.builds(
    Day,
    rows=st.sampled_from([20, 60, 60, 60, 150]),
    labels=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    shift=st.sampled_from([0.0, 0.0, 1.5]),
    wrong=st.sampled_from([0.0, 0.0, 0.6]),
    missing=st.sampled_from([0.0, 0.0, 0.5]),
)
STEPS = st.one_of(
    st.tuples(st.just("next"), st.integers(0, 2), LIKES),  # events of the newest day, or after it
    st.tuples(st.just("late"), st.integers(0, 40), LIKES),  # events, labels and corrections of a day before
    st.tuples(st.just("labels"), st.integers(0, 40), st.sampled_from([0.0, 0.5, 1.0])),
    st.tuples(st.just("early"), st.integers(1, 3), LIKES),  # before the first day
    st.tuples(st.just("restart"), st.just(0), st.just(None)),
    st.tuples(st.just("lost"), st.just(0), st.just(None)),
    st.tuples(st.just("plan"), st.integers(0, len(PLANS) - 1), st.just(None)),
)


def test_a_long_history_is_judged_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    monkeypatch.setattr(module, "MEASURED", 1)
    one = Watcher()
    for day in range(14):
        one.change(day, Day(rows=60, labels=1.0 if 5 < day < 10 else 0.0, wrong=0.6 if day > 7 else 0.0))
    one.work(closed=1)
    one.check(closed=1)
    one.change(2, Day(rows=60, labels=1.0, wrong=0.6))
    one.work(closed=1)
    one.check(closed=1)


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=HISTORIES <= 50)
@given(
    length=st.integers(1, 16),
    likes=st.lists(LIKES, min_size=1, max_size=4),
    steps=st.lists(STEPS, min_size=1, max_size=6),
    closed=st.integers(0, 2),
)
def test_any_history_ends_with_what_assessing_everything_gives(
    length: int, likes: list[Day], steps: list[tuple[str, int, Any]], closed: int
) -> None:
    one = Watcher()
    for day in range(length):
        one.change(day, likes[day * len(likes) // length])
    one.work(closed=closed)
    for what, number, like in steps:
        newest = max(one.days)
        if what == "next":
            one.change(newest + number, like)
        elif what == "late":
            one.change(max(newest - number, min(one.days)), like)
        elif what == "labels":
            day = sorted(one.days)[number % len(one.days)]
            one.change(day, replace(one.days[day][1], labels=like))
        elif what == "early":
            one.change(min(one.days) - number, like)
        elif what == "restart":
            one.before = Carried()
        elif what == "plan":
            one.plan = PLANS[number]
        one.work(closed=closed, kept=what != "lost")
    one.work(closed=closed)
    one.check(closed=closed)


def test_a_change_of_the_newest_chunk_judges_that_chunk_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    one, judged = Watcher(), list[str]()
    for day in range(30):
        one.change(day, Day(rows=60, labels=1.0))
    one.work(closed=1)
    real = assess_module.go_on

    def counted(reference: Reference, profiles: Profiles, *more: Any, **named: Any) -> Any:
        judged.extend(chunk.key for chunk in profiles.chunks)
        return real(reference, profiles, *more, **named)

    monkeypatch.setattr(module, "go_on", counted)
    for missing in (0.1, 0.3, 0.5):
        one.change(29, Day(rows=60, labels=1.0, missing=missing))
        one.work(closed=1)
        assert judged == [one.chunks()[-1].key]
        judged.clear()
    one.change(30, Day(rows=60))
    one.work(closed=1)
    assert judged == [chunk.key for chunk in one.chunks()[-1:]]
    judged.clear()
    one.change(20, Day(rows=60, labels=1.0, shift=1.0))
    one.work(closed=1)
    keys = [chunk.key for chunk in one.chunks()]
    assert keys.index(judged[0]) in range(10, 21)  # from what is kept nearest before it
    assert judged == keys[keys.index(judged[0]) :]


def test_nothing_new_judges_nothing() -> None:
    one = Watcher()
    for day in range(5):
        one.change(day, Day(rows=60))
    one.work(closed=0)
    one.told = {}
    one.work(closed=0)
    assert one.told == {}
