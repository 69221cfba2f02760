"""What the tests of `check` share: rows before something is done to them, and what holds for every report."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from barograph.alerts.severity import Severity
from barograph.monitors.results import COLUMNS
from barograph.report.report import Report
from barograph.rules.limits import Status

sys.path.insert(0, str(Path(__file__).parents[1]))
from logged import events

N = 3000
BASE = events(N, seed=1)  # the reference, and the production data before something is done to it
DAY = datetime(2024, 1, 1, tzinfo=UTC)
Change = Callable[[pl.DataFrame], pl.DataFrame]


def assert_sound(report: Report) -> None:
    """Check what holds for every report: each row has a value or a reason, the JSON is JSON, the verdict a sentence."""
    assert report.verdict.endswith(".")
    assert "nan" not in report.verdict.lower().split()
    assert len({(row.monitor, row.chunk) for row in report.rows}) == len(report.rows)
    for row in report.rows:
        assert (row.value is None) == (row.status is Status.UNDEFINED), row
        assert row.value is not None or row.reason, row
        for name in ("value", "lower", "upper", "reference_value", "limit_lower", "limit_upper", "evidence"):
            number = getattr(row, name)
            assert number is None or math.isfinite(number), (name, row)
    for entry in report.not_checked:
        assert entry.what
        assert entry.why
    read = json.loads(report.to_json(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert [list(row) for row in read["results"][:1]] in ([], [list(COLUMNS)])


def undefined(report: Report, prefix: str) -> set[str]:
    """Return the reasons why monitors whose name begins so have no value; all rows of all of them must have none."""
    rows = [row for row in report.rows if row.monitor.startswith(prefix)]
    assert rows
    assert {row.status for row in rows} == {Status.UNDEFINED}
    return {row.reason or "" for row in rows}


def left_out(report: Report) -> dict[str, str]:
    return {entry.what: entry.why for entry in report.not_checked}


def titles(report: Report, severity: Severity) -> list[str]:
    return [incident.title for incident in report.incidents if incident.severity is severity]


def assert_same(one: Report, other: Report) -> None:
    """Check that all numbers are the same; sums of floats depend on their order, by a hair."""

    def numbers(report: Report) -> list[float]:
        columns = ("value", "lower", "upper", "limit_lower", "limit_upper", "evidence", "label_coverage")
        return [math.nan if (n := getattr(r, c)) is None else n for r in report.rows for c in columns]

    same = [[(r.monitor, r.chunk, r.n, r.status, r.reason) for r in report.rows] for report in (one, other)]
    assert same[0] == same[1]
    assert numbers(one) == pytest.approx(numbers(other), rel=1e-9, abs=1e-9, nan_ok=True)
    assert one.verdict == other.verdict
