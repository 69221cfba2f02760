"""What a loss is blamed on, end to end: what is its cause, and not what merely came with it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from barograph.alerts.severity import Severity
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.report.explanations import why
from barograph.report.ranking import digest
from barograph.report.report import Report

ROWS = 400
MONDAY = datetime(2026, 1, 5)  # noqa: DTZ001  # UTC
ROLES = {"features": ["income", "other"], "score": "score", "prediction": "prediction", "label": "label"}


def rows(
    days: int, *, first: int = 0, seed: int, unit: float = 1.0, since: int = 0, flipped: float = 0.0
) -> pl.DataFrame:
    """Return a model of income: from a day on, its incomes are in another `unit`, or labels are flipped."""
    rng = np.random.default_rng(seed)
    n = days * ROWS
    day = np.repeat(np.arange(days), ROWS)
    income, other = rng.lognormal(8, 0.5, n), rng.normal(size=n)
    truth = rng.random(n) < 1 / (1 + np.exp(-4 * (np.log(income) - 8)))
    after = day >= since
    truth ^= after & (rng.random(n) < flipped)
    income = np.where(after, income * unit, income)
    score = 1 / (1 + np.exp(-4 * (np.log(income) - 8)))
    return pl.DataFrame(
        {
            "timestamp": [MONDAY + timedelta(days=first + t) for t in (np.arange(n) / ROWS).tolist()],
            "income": income,
            "other": other,
            "score": score,
            "prediction": (score >= 0.5).astype(int),
            "label": truth.astype(int),
        }
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit(rows(28, seed=1), chunk="1d", **ROLES)


def checked(reference: Reference, now: pl.DataFrame) -> Report:
    return check(reference, now, chunk="1d")


def test_a_loss_is_not_blamed_on_an_outage_before_it(reference: Reference) -> None:
    now = rows(20, first=28, seed=2, since=10, flipped=0.3)
    report = checked(reference, now.filter(pl.col("timestamp").dt.date() != (MONDAY + timedelta(days=37)).date()))
    loss, outage = [i for i in report.incidents if i.severity is Severity.CRITICAL]
    assert (outage.title, outage.explains) == ("No rows came on 2026-02-11, about 400 fewer than usual", ())
    assert loss.root.last_breach.family in ("performance", "concept")
    assert loss.since == "2026-02-12"
    # No estimate is to be believed since then, so nothing is praised about how often their intervals held.
    assert "2026-02-12" <= min(digest(report).distrusted) <= "2026-02-14"
    assert max(digest(report).distrusted) == "2026-02-21"
    assert not any("intervals" in sentence for sentence in why(report))


def test_a_column_that_the_model_does_not_need_is_no_cause(reference: Reference) -> None:
    now = rows(20, first=28, seed=3, since=10, flipped=0.3)
    gone = pl.Series(np.random.default_rng(4).random(now.height) < 0.4) & (
        pl.Series(np.arange(now.height)) >= 10 * ROWS
    )
    report = checked(reference, now.with_columns(other=pl.when(~gone).then(pl.col("other"))))
    (loss,) = [i for i in report.incidents if i.severity is Severity.CRITICAL]
    assert loss.root.last_breach.column is None
    assert "other" not in report.verdict
    (missing,) = [i for i in report.incidents if i.columns == ("other",)]
    assert not any(a.last_breach.family == "performance" for a in missing.alerts)


def test_another_unit_is_suspected_before_all_else(reference: Reference) -> None:
    report = checked(reference, rows(20, first=28, seed=5, since=10, unit=1 / 10.9))
    loss = report.incidents[0]
    assert loss.severity is Severity.CRITICAL
    assert "income" in loss.columns
    assert re.match(r"Suspect income, ÷ 1[01](\.\d)? since then: check its unit first\.", loss.advice)
    assert "retrain" not in loss.advice
    assert sum(i.severity is not Severity.NOTICE for i in report.incidents) == 1  # one trouble, one incident
