"""What a reference cannot support is said: when it is learned, beside the verdict, and in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from barograph.alerts.condition import Judgement
from barograph.checks.reference_review import finest, review
from barograph.reference.fit import fit
from barograph.report.check import check

ROWS = 300


def errors(days: int, *, worse: float = 0.0, seed: int = 0, first: int = 0) -> pl.DataFrame:
    """Return a regression whose error grows by `worse` of itself from the first day to the last."""
    rng = np.random.default_rng(seed)
    n = days * ROWS
    x = rng.normal(size=n)
    size = 1 + worse * np.repeat(np.arange(days), ROWS) / days
    start = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=first)
    return pl.DataFrame(
        {
            "timestamp": [start + timedelta(days=i / ROWS) for i in range(n)],
            "x": x,
            "y_pred": 2 * x,
            "y_true": 2 * x + rng.normal(size=n) * size,
        }
    )


def said(frame: pl.DataFrame) -> dict[str, str]:
    reference = fit(frame)
    return {doubt.what: doubt.why for doubt in review(reference, finest(reference))}


def test_a_steady_reference_is_only_shorter_than_a_year() -> None:
    assert list(said(errors(30))) == ["the rhythm of the year"]


def test_one_that_gets_worse_is_told_with_its_halves() -> None:
    found = said(errors(40, worse=0.3))
    (what,) = [what for what in found if what.startswith("slow changes")]
    assert "MAE" in what
    assert "drift" in found[what] or "trend" in found[what]


def test_a_short_one_is_told() -> None:
    found = said(errors(10))
    assert "the reference has 10 days" in found["small losses of performance"]
    assert "weekends" in found["the rhythm of the week"]


def test_days_that_were_put_together_are_counted_as_blocks() -> None:
    reference = fit(errors(20))
    history = finest(reference)
    assert history is not None
    found = {doubt.what: doubt.why for doubt in review(reference, history.in_runs(2))}
    assert "the reference has 10 blocks" in found["small losses of performance"]


def test_it_is_not_called_all_right_beside_a_reference_that_drifts() -> None:
    before, now = errors(40, worse=1.5), errors(20, seed=1, first=40)
    report = check(before, now, chunk="1d")
    assert report.judgement is Judgement.NOT_KNOWN
    assert "the reference itself" in report.verdict
    assert any(entry.what.startswith("slow changes") for entry in report.not_checked)
