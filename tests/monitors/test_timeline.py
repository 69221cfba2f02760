"""Where chunks lie, in lengths of the reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from barograph.monitors.timeline import Timeline
from barograph.reference.fit import fit

START = datetime(2024, 1, 1, tzinfo=UTC)


def frame(days: int, *, after: int = 0, timed: bool = True) -> pl.DataFrame:
    rng = np.random.default_rng(after)
    n = days * 24
    times = [START + timedelta(days=after, hours=i) for i in range(n)]
    score = rng.random(n)
    label = (rng.random(n) < score).astype(int)
    columns = {"x": rng.normal(size=n), "score": score, "prediction": (score > 0.5).astype(int), "label": label}
    return pl.DataFrame({**({"timestamp": times} if timed else {}), **columns})


def test_time_is_counted_in_lengths_of_the_reference() -> None:
    reference = fit(frame(100))
    timeline = Timeline.of(reference)
    assert timeline.timed
    assert timeline.blocks == pytest.approx((np.arange(len(timeline.blocks)) + 0.5) / len(timeline.blocks), abs=0.02)
    profiles = reference.profile(frame(50, after=150), chunk="10d")
    found = timeline.places(profiles.select())
    places = [(chunk, found[chunk.key]) for chunk in profiles.chunks if chunk.start and chunk.end]
    assert len(places) == len(found)
    for chunk, when in places:
        assert chunk.start
        assert chunk.end
        middle = chunk.start + (chunk.end - chunk.start) / 2
        assert when.middle == pytest.approx((middle - START) / timedelta(days=100), rel=2e-3)
        assert when.length == pytest.approx(0.1, rel=2e-3)


def test_rows_stand_for_time_where_there_is_none() -> None:
    reference = fit(frame(100, timed=False))
    timeline = Timeline.of(reference)
    assert not timeline.timed
    profiles = reference.profile(frame(50, after=1, timed=False), chunk=240)
    found = timeline.places(profiles.select())
    places = [found[chunk.key] for chunk in profiles.chunks]
    assert [when.middle for when in places] == pytest.approx([1.05, 1.15, 1.25, 1.35, 1.45])
    assert [when.length for when in places] == pytest.approx([0.1] * 5)


def test_what_lies_before_is_as_far_as_what_lies_after() -> None:
    timeline = Timeline.of(reference := fit(frame(100, after=100)))
    before = next(iter(reference.profile(frame(20), chunk="all").select()))
    inside = next(iter(reference.profile(frame(20, after=140), chunk="all").select()))
    assert timeline.places([before])[before.chunk.key].middle == pytest.approx(1.9, abs=0.01)
    assert timeline.places([inside])[inside.chunk.key].middle == 1.0
