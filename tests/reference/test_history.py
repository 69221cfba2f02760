"""The reference cut like production: values of each block, longer blocks, rhythm, and the file that keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from barograph.errors import FormatError
from barograph.metrics import catalogue
from barograph.outcome import Estimate
from barograph.profiles.profiles import Profiles
from barograph.reference.fit import fit
from barograph.reference.history import History, best_for
from barograph.reference.phases import has_cycles, phases
from barograph.reference.reference import FORMAT_VERSION, Reference
from barograph.sketches.serial import pack

DAYS, ROWS = 24, 120
MICROSECONDS = 86_400_000_000


def frame(days: int = DAYS) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    n = days * ROWS
    x = rng.normal(size=n)
    start = datetime(2026, 1, 5, tzinfo=UTC)
    return pl.DataFrame(
        {
            "timestamp": [start + timedelta(days=i / ROWS) for i in range(n)],
            "x": x,
            "place": rng.choice(["a", "b"], n),
            "score": 1 / (1 + np.exp(-x)),
            "label": (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int),
        }
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit(frame(), segments=["place"])


def by_length(reference: Reference) -> dict[str, History]:
    return {history.chunk: history for history in reference.histories}


def test_values_are_those_of_the_metric_in_each_block(reference: Reference) -> None:
    """Profiles of the whole yardstick, cut by the day, are another way to the same numbers."""
    days = by_length(reference)["1d"]
    profiles: Profiles = reference.profile(frame(), chunk="1d")
    for segment in ("", "place=a"):
        for name in ("roc_auc", "accuracy", "log_loss"):
            column = days.series.index((name, segment))
            for i, profile in enumerate(profiles.select(segment)):
                outcome = catalogue()["performance", name].function(profile.outcomes)
                assert isinstance(outcome, Estimate)
                assert days.values[i, column] == pytest.approx(outcome.value)
                assert days.errors[i, column] == pytest.approx(outcome.standard_error)
                assert days.rows[i, column] == outcome.n


def test_lengths_of_which_there_are_enough_blocks_are_kept(reference: Reference) -> None:
    assert set(by_length(reference)) == {"1h", "1d"}  # three weeks are too few
    assert len(by_length(reference)["1h"]) == 24 * DAYS


def test_without_labels_it_is_known_when_rows_came() -> None:
    found = fit(frame().drop("label"), score="score", task="binary").histories
    assert {h.chunk: (h.series, float(h.came.sum())) for h in found} == {
        "1h": ((), DAYS * ROWS),
        "1d": ((), DAYS * ROWS),
    }


def test_the_chunk_that_is_known_is_kept_alone() -> None:
    assert [h.chunk for h in fit(frame(), chunk="12h").histories] == ["12h"]
    assert [h.chunk for h in fit(frame(), chunk="200rows").histories] == ["200rows"]
    assert fit(frame(), chunk="all").histories == ()


def test_longer_chunks_are_put_together_from_shorter_ones(reference: Reference) -> None:
    two = reference.history(days=2.0)
    assert two is not None
    days = by_length(reference)["1d"]
    column = days.series.index(("accuracy", ""))
    assert two.values[:, column] == pytest.approx(days.values[:, column].reshape(-1, 2).mean(axis=1))
    assert two.rows[:, column].sum() == DAYS * ROWS
    assert reference.history(days=30.0) is None  # a month is longer than all of it
    assert best_for(reference.histories, days=1.0, rows=500.0) is None


def test_phases_are_hours_and_weekdays_of_the_zone() -> None:
    monday = 4 * MICROSECONDS
    hours = monday + np.arange(48) * MICROSECONDS // 24
    utc, tokyo = (phases(hours, 1 / 24, zone=zone) for zone in ("UTC", "Asia/Tokyo"))
    assert utc is not None
    assert tokyo is not None
    assert np.array_equal(utc, np.arange(48) % 24)
    assert np.array_equal(tokyo[:3], [9, 10, 11])
    assert phases(monday + np.arange(8) * 7 * MICROSECONDS, 7.0, zone="UTC") is None
    assert has_cycles(monday + np.arange(14) * MICROSECONDS, 1.0)
    assert not has_cycles(monday + np.arange(13) * MICROSECONDS, 1.0)


def test_it_is_kept_in_the_file(reference: Reference) -> None:
    loaded = by_length(Reference.from_bytes(reference.to_bytes()))
    for length, history in by_length(reference).items():
        assert loaded[length].series == history.series
        for name in ("starts", "ends", "values", "errors", "rows"):
            assert np.array_equal(getattr(loaded[length], name), getattr(history, name), equal_nan=True)


def test_an_older_file_is_refused_with_the_remedy() -> None:
    old = pack("reference", FORMAT_VERSION - 1, {}, {})
    with pytest.raises(FormatError, match="Learn the reference again"):
        Reference.from_bytes(old)
