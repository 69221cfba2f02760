"""Evaluating again computes what changed, and gives what evaluating everything gives."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from barograph.monitors import memory
from barograph.monitors.defaults import default_monitors
from barograph.monitors.evaluate import evaluate
from barograph.monitors.memory import Memory, evaluate_again
from barograph.profiles.join import join, split
from barograph.profiles.profiles import Profiles
from barograph.reference.fit import fit
from barograph.reference.reference import Reference

DAY = 86_400_000_000


def frame(days: int, rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=days * rows)
    score = 1 / (1 + np.exp(-x))
    return pl.DataFrame(
        {
            "id": [f"e{seed}-{i}" for i in range(days * rows)],
            "timestamp": pl.Series(np.repeat(np.arange(days) * DAY, rows)).cast(pl.Datetime("us", "UTC")),
            "x": x,
            "where": rng.choice(["a", "b"], days * rows),
            "score": score,
            "label": (rng.random(days * rows) < score).astype(int),
        }
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit(frame(20, 100, 1), segments=["where"])


@pytest.fixture(scope="module")
def profiles(reference: Reference) -> Profiles:
    return reference.profile(frame(12, 100, 2), chunk="1d")


def test_profiles_taken_apart_and_joined_are_the_same(profiles: Profiles) -> None:
    parts = {part.chunks[0].key: part for part in split(profiles)}
    joined = join(profiles.yardstick, profiles.chunks, parts)
    assert joined.to_bytes() == profiles.to_bytes()


def test_a_chunk_without_a_part_has_no_rows(profiles: Profiles) -> None:
    parts = {part.chunks[0].key: part for part in split(profiles)}
    gone = profiles.chunks[5].key
    del parts[gone]
    joined = join(profiles.yardstick, profiles.chunks, parts)
    assert [p.chunk.key for p in joined.select() if not p.n] == [gone]
    assert not joined.at(5, "where=a").n


def test_what_is_remembered_equals_what_is_computed(
    reference: Reference, profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitors = default_monitors(reference.yardstick, segments=["where=a"])
    remembered, computed = Memory(), []

    def counted(ref: Reference, some: Profiles, *args: object, **more: object) -> object:
        computed.append([c.key for c in some.chunks])
        return evaluate(ref, some, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(memory, "evaluate", counted)
    revisions = {c.key: 1 for c in profiles.chunks}
    for _ in range(2):
        rows = evaluate_again(remembered, reference, profiles, monitors, revisions=revisions)
        assert rows == evaluate(reference, profiles, monitors)
    revisions[profiles.chunks[3].key] = 2
    assert evaluate_again(remembered, reference, profiles, monitors, revisions=revisions) == rows
    assert computed == [[c.key for c in profiles.chunks], [profiles.chunks[3].key]]
