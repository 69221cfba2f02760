"""Predictive evidence: it keeps its rate and is early, on rows of several kinds; and its state does what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from barograph.metrics.scales import Scale
from barograph.rules import Context, Feed
from barograph.rules.predictive import Predictive, learn

Floats = npt.NDArray[np.float64]
MONITORS, BUDGET = 40, 60.0  # days between false alarms


def shares(rng: np.random.Generator, chunks: int, *, rows: int, p: float, day_sd: float, memory: float) -> Floats:
    """Return shares of right rows, whose log-odds vary from day to day."""
    a = np.zeros((chunks, MONITORS))
    for t in range(chunks):
        noise = rng.normal(0, day_sd, MONITORS) * np.sqrt(1 - memory**2 if t else 1.0)
        a[t] = (memory * a[t - 1] if t else 0.0) + noise
    odds = np.log(p / (1 - p)) + a
    return np.asarray(rng.binomial(rows, 1 / (1 + np.exp(-odds))) / rows, np.float64)


def feed_of(values: Floats, rows: float, **fields: Any) -> Feed:
    n = len(values)
    errors = np.sqrt(np.maximum(values * (1 - values), 1e-6) / rows)
    known = {"values": values, "errors": errors, "rows": np.full(values.shape, rows)}
    return Feed(days=np.ones(n), came=np.ones(n, np.bool_), order=np.arange(n), **{**known, **fields})


def context_of(count: int = MONITORS, *, scale: Scale = "share", better: str = "higher", **fields: Any) -> Context:
    given: dict[str, Any] = {"arl": np.full(count, BUDGET), "tolerance": np.full(count, 0.02), **fields}
    return Context(step=1.0, rows=1000.0, better=(better,) * count, scales=(scale,) * count, **given)


WORLDS = {
    "independent": {"rows": 1000, "p": 0.78, "day_sd": 0.0, "memory": 0.0},
    "day effects": {"rows": 1000, "p": 0.78, "day_sd": 0.12, "memory": 0.0},
    "with a memory": {"rows": 1000, "p": 0.78, "day_sd": 0.12, "memory": 0.6},
    "few rows": {"rows": 30, "p": 0.95, "day_sd": 0.0, "memory": 0.0},
}


@pytest.mark.parametrize("reference", [20, 90])
@pytest.mark.parametrize("world", WORLDS)
def test_false_alarms_stay_within_the_budget(world: str, reference: int) -> None:
    rng = np.random.default_rng([reference, list(WORLDS).index(world)])
    kind, days = WORLDS[world], 240
    rows = kind["rows"]
    rule = learn(feed_of(shares(rng, reference, **kind), rows), context_of())  # type: ignore[arg-type]  # of one type
    current = feed_of(shares(rng, days, **kind), rows)  # type: ignore[arg-type]  # of one type
    _, judged = rule.run(rule.start(), current, arl=np.full(MONITORS, BUDGET))
    began = judged.breach & ~np.vstack((np.zeros(MONITORS, np.bool_), judged.breach[:-1]))
    expected = MONITORS * days / BUDGET
    assert began.sum() <= expected + 2 * np.sqrt(expected)


@pytest.mark.parametrize(
    ("world", "loss", "within"), [("independent", 0.02, 4), ("day effects", 0.05, 3), ("few rows", 0.15, 4)]
)
def test_a_lasting_loss_is_found_soon(world: str, loss: float, within: float) -> None:
    rng = np.random.default_rng(8)
    kind = WORLDS[world]
    rule = learn(feed_of(shares(rng, 40, **kind), kind["rows"]), context_of())  # type: ignore[arg-type]  # of one type
    worse = shares(rng, 30, **{**kind, "p": kind["p"] - loss})  # type: ignore[arg-type]  # of one type
    _, judged = rule.run(rule.start(), feed_of(worse, kind["rows"]), arl=np.full(MONITORS, BUDGET))
    found = judged.breach.any(axis=0)
    assert found.mean() >= 0.95
    assert np.median(judged.breach.argmax(axis=0)[found]) <= within


def test_what_is_certain_of_a_loss_grows_until_it_is_material() -> None:
    rng = np.random.default_rng(3)
    rule = learn(feed_of(shares(rng, 60, **WORLDS["independent"]), 1000), context_of())  # type: ignore[arg-type]
    worse = shares(rng, 60, **{**WORLDS["independent"], "p": 0.74})  # type: ignore[arg-type]  # of one type
    _, judged = rule.run(rule.start(), feed_of(worse, 1000), arl=np.full(MONITORS, BUDGET))
    of_day = {day: [judged.changes[day, j] for j in range(MONITORS)] for day in (5, 50)}
    assert np.mean([c.value for c in of_day[50]]) == pytest.approx(0.04, abs=0.01)
    assert np.mean([c.is_material for c in of_day[50]]) > 0.9 > np.mean([c.is_material for c in of_day[5]])
    assert np.mean([c.lower <= 0.04 <= c.upper for c in of_day[50]]) > 0.9
    assert np.median([c.since for c in of_day[50]]) == 0


def test_one_outlandish_chunk_is_enough() -> None:
    rng = np.random.default_rng(4)
    rule = learn(feed_of(shares(rng, 40, **WORLDS["independent"]), 1000), context_of())  # type: ignore[arg-type]
    values = shares(rng, 12, **WORLDS["independent"])  # type: ignore[arg-type]  # of one type
    values[10] = 0.5
    _, judged = rule.run(rule.start(), feed_of(values, 1000), arl=np.full(MONITORS, 3650.0))
    assert judged.breach[10].all()


@pytest.mark.parametrize(("scale", "p", "rows"), [("share", 0.998, 30), ("share", 0.5, 1000), ("logit", 0.98, 20)])
def test_limits_stay_within_the_range_of_the_metric(scale: Scale, p: float, rows: int) -> None:
    rng = np.random.default_rng(5)
    kind: dict[str, Any] = {"rows": rows, "p": p, "day_sd": 0.3, "memory": 0.0}
    for better in ("higher", "lower", "neither"):
        rule = learn(feed_of(shares(rng, 30, **kind), rows), context_of(scale=scale, better=better))
        _, judged = rule.run(rule.start(), feed_of(shares(rng, 30, **kind), rows), arl=np.full(MONITORS, BUDGET))
        assert judged.lower is not None
        assert judged.upper is not None
        for limits in (judged.lower, judged.upper):
            known = limits[np.isfinite(limits)]
            assert ((known >= 0) & (known <= 1)).all()
        if better == "higher":
            assert np.isnan(judged.upper).all()


def test_about_one_chunk_in_a_thousand_is_beyond_its_limit() -> None:
    rng = np.random.default_rng(6)
    kind = WORLDS["day effects"]
    rule = learn(feed_of(shares(rng, 90, **kind), 1000), context_of())  # type: ignore[arg-type]  # of one type
    _, judged = rule.run(rule.start(), feed_of(shares(rng, 250, **kind), 1000), arl=np.full(MONITORS, BUDGET))  # type: ignore[arg-type]
    assert judged.beyond is not None
    assert 0 < judged.beyond.mean() < 0.004


def test_metrics_that_are_watched_together_have_one_alarm() -> None:
    rng = np.random.default_rng(7)
    kind = WORLDS["independent"]
    copies = np.repeat(shares(rng, 60, **kind)[:, :1], 3, axis=1)  # type: ignore[arg-type]  # of one type
    context = context_of(3, together=np.zeros(3, np.int64))
    rule = learn(feed_of(copies, 1000), context)
    assert rule.copies == pytest.approx(np.ones(3))
    values = shares(rng, 30, **kind)[:, :3]  # type: ignore[arg-type]  # of one type
    values[:, 0] -= 0.05
    _, judged = rule.run(rule.start(), feed_of(values, 1000), arl=context.arl)
    first = int(judged.breach.any(axis=1).argmax())
    assert first <= 2
    assert judged.breach[first].tolist() == [True, False, False]  # its own evidence is enough, too
    independent = learn(feed_of(shares(rng, 200, **kind)[:, :3], 1000), context)  # type: ignore[arg-type]
    assert independent.copies == pytest.approx(np.full(3, 3.0), abs=0.2)


def test_an_open_alarm_is_not_learned_away_and_ends_after_the_repair() -> None:
    rng = np.random.default_rng(9)
    kind = WORLDS["independent"]
    rule = learn(feed_of(shares(rng, 40, **kind), 1000), context_of())  # type: ignore[arg-type]  # of one type
    values = shares(rng, 160, **kind)  # type: ignore[arg-type]  # of one type
    values[20:120] -= 0.05
    _, judged = rule.run(rule.start(), feed_of(values, 1000), arl=np.full(MONITORS, 3650.0))
    assert judged.breach[30:120].all()
    assert not judged.breach[140:].any()


def test_a_chunk_is_counted_once_and_one_without_a_value_is_not_known() -> None:
    rng = np.random.default_rng(10)
    kind = WORLDS["independent"]
    rule = learn(feed_of(shares(rng, 40, **kind), 1000), context_of())  # type: ignore[arg-type]  # of one type
    values = shares(rng, 10, **kind)  # type: ignore[arg-type]  # of one type
    values[5] = np.nan
    feed = feed_of(values, 1000)
    state, judged = rule.run(rule.start(), feed, arl=np.full(MONITORS, BUDGET))
    assert not judged.known[5].any()
    assert np.array_equal(judged.known.all(axis=1), np.arange(10) != 5)
    again, _ = rule.run(state, feed, arl=np.full(MONITORS, BUDGET))
    assert again.to_bytes() == state.to_bytes()


def test_a_metric_that_cannot_be_judged_has_no_evidence() -> None:
    values = np.full((10, MONITORS), 0.7)
    values[2:] = np.nan
    rule: Predictive = learn(feed_of(values, 1000), context_of())
    feed = feed_of(np.full((5, MONITORS), 0.1), 1000)
    _, judged = rule.run(rule.start(), feed, arl=np.full(MONITORS, BUDGET))
    assert not judged.breach.any()
    assert not judged.known.any()
    assert np.isinf(rule.smallest_change(feed, context_of())).all()


def test_weekends_that_are_always_so_are_no_alarm() -> None:
    rng = np.random.default_rng(11)
    weekday = np.arange(42) % 7

    def days(n: int) -> Floats:
        p = np.where(np.arange(n)[:, None] % 7 >= 5, 0.72, 0.78)
        return np.asarray(rng.binomial(1000, np.broadcast_to(p, (n, MONITORS))) / 1000, np.float64)

    with_rhythm = learn(feed_of(days(42), 1000, phase=weekday), context_of())
    current = feed_of(days(84), 1000, phase=np.arange(84) % 7)
    _, judged = with_rhythm.run(with_rhythm.start(), current, arl=np.full(MONITORS, BUDGET))
    began = judged.breach & ~np.vstack((np.zeros(MONITORS, np.bool_), judged.breach[:-1]))
    assert began.sum() <= MONITORS * 84 / BUDGET
    worse = replace(current, values=days(84) - 0.04)
    _, found = with_rhythm.run(with_rhythm.start(), worse, arl=np.full(MONITORS, BUDGET))
    assert np.median(found.breach.argmax(axis=0)) <= 2


def test_a_slide_beyond_all_that_a_wandering_reference_has_shown_is_found() -> None:
    """A hypothesis that the metric wanders for ever would explain it: with one, a third of these are never told."""
    rng = np.random.default_rng(3)
    walk = rng.normal(0, 0.2, (22, MONITORS)).cumsum(axis=0)
    slide = np.linspace(walk[-1], walk.min(axis=0) - 0.5, 7)[1:]
    odds = 1.2 + np.vstack((walk, slide, np.broadcast_to(slide[-1], (24, MONITORS))))
    values = rng.binomial(1000, 1 / (1 + np.exp(-odds))) / 1000
    rule = learn(feed_of(values[:22], 1000), context_of())
    _, judged = rule.run(rule.start(), feed_of(values[22:], 1000), arl=np.full(MONITORS, BUDGET))
    assert judged.breach.any(axis=0).mean() >= 0.95


def test_near_copies_share_one_vote() -> None:
    rng = np.random.default_rng(4)
    one, other = (shares(rng, 60, **WORLDS["day effects"])[:, :1] for _ in range(2))  # type: ignore[arg-type]
    near = np.clip(one + rng.normal(0, 0.002, one.shape), 0.01, 0.99)
    rule = learn(feed_of(np.hstack((one, near, other)), 1000), context_of(3, together=np.zeros(3, np.int64)))
    assert rule.votes.sum() == pytest.approx(1.0)
    assert rule.votes[0] == pytest.approx(rule.votes[1], rel=0.1)
    assert rule.votes[2] == pytest.approx(0.5, abs=0.08)
    alone = learn(feed_of(one, 1000), context_of(1))
    assert alone.votes.tolist() == [1.0]
