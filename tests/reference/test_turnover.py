"""Columns that turn over in the reference are known as such, and left out of what they would poison."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from barograph.monitors.defaults import default_monitors
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.check import check

DAYS, ROWS = 42, 60
TURN = ["week", "counter", "campaign", "date"]
STAY = ["x", "wave", "kind", "tail", "trend"]


def frame(first: int = 0, days: int = DAYS, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng([seed, first])
    n = days * ROWS
    at = first + np.arange(n) / ROWS
    day = at.astype(int)
    x = rng.normal(size=n)
    score = 1 / (1 + np.exp(-x))
    return pl.DataFrame(
        {
            "timestamp": [datetime(2026, 1, 5) + timedelta(days=t) for t in at.tolist()],  # noqa: DTZ001  # UTC
            "week": day // 7,
            "counter": (at * ROWS).astype(int) // 3,
            "campaign": [f"sale {d // 14}" for d in day.tolist()],
            "date": [f"day {d}" for d in day.tolist()],
            "x": x,
            "wave": np.sin(at / DAYS * 2 * np.pi) + rng.normal(size=n),
            "kind": rng.choice(["a", "b", "c"], n),
            "tail": [f"user {u}" for u in rng.integers(0, 10_000, n).tolist()],
            "trend": rng.normal(size=n) + at / DAYS,
            "score": score,
            "label": (rng.random(n) < np.where(day // 7 % 2, 0.9 * score, score)).astype(int),
        }
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit(frame(), features=[*TURN, *STAY], chunk="1d")


def test_what_turns_over_is_known(reference: Reference) -> None:
    assert list(reference.yardstick.turning) == TURN
    assert Reference.from_bytes(reference.to_bytes()).yardstick.turning == reference.yardstick.turning


def test_the_order_of_the_rows_does_not_matter() -> None:
    shuffled = frame().sample(fraction=1.0, shuffle=True, seed=3)
    assert list(fit(shuffled, features=[*TURN, *STAY]).yardstick.turning) == TURN


def test_without_time_or_with_few_rows_nothing_turns_over() -> None:
    assert fit(frame().drop("timestamp"), features=TURN).yardstick.turning == ()
    assert fit(frame(days=3), features=["counter"]).yardstick.turning == ()


def test_it_is_in_neither_partition_nor_alarms(reference: Reference) -> None:
    yardstick = reference.yardstick
    cut = {yardstick.columns[i].name for i in yardstick.partition.features.tolist()}
    assert "x" in cut
    assert not cut & set(TURN)
    telling = {m.name for m in default_monitors(yardstick) if m.alerts and m.column in TURN}
    assert {name.split(".")[1] for name in telling} == {"missing_share", "type_error_share"}
    shown = {m.metric.name for m in default_monitors(yardstick) if m.column == "campaign"}
    assert {"unseen_share", "total_variation"} <= shown


def test_it_is_named_once_with_what_to_do(reference: Reference) -> None:
    report = check(reference, frame(first=DAYS, days=21), chunk="1d")
    assert report.incidents == []
    (said,) = [one for one in report.not_checked if "not features?" in one.why]
    assert all(f"`{name}`" in said.what for name in TURN[:3])
    assert "`ignore`" in said.why
