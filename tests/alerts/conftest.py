"""Histories of breaches, written as text: one line a monitor, one character a chunk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from barograph.alerts.breach import Breach
from barograph.alerts.severity import Severity
from barograph.chunks import Chunk

MARKS = {"n": Severity.NOTICE, "w": Severity.WARNING, "c": Severity.CRITICAL}
MONDAY = datetime(2013, 8, 26, tzinfo=UTC)
USUAL: dict[str, dict[str, Any]] = {
    "missing_share": {"value": 1.0, "reference_value": 0.02, "limit": 0.05},
    "type_error_share": {"value": 1.0, "reference_value": 0.0, "limit": 0.01},
    "unseen_share": {"value": 0.04, "reference_value": 0.0, "limit": 0.02},
    "constant_column": {"value": 1.0, "reference_value": 0.0, "limit": 0.0},
    "row_count": {"value": 0.0, "reference_value": 5000.0, "limit": 1.0},
    "roc_auc": {"value": 0.636, "reference_value": 0.735, "limit": 0.71, "harm": 0.099},
    "psi": {"value": 0.5, "limit": 0.2},
    "cell_drift": {"value": 0.3, "limit": 0.2},
}


def weeks(n: int) -> list[Chunk]:
    """Return `n` weeks from 26 August 2013."""
    starts = [MONDAY + timedelta(weeks=i) for i in range(n + 1)]
    return [Chunk(key=f"{a:%Y-%m-%d}", start=a, end=b) for a, b in pairwise(starts)]


def breach(name: str, position: int, severity: Severity, **changes: Any) -> Breach:
    """Return a breach of `family.metric[.column][@segment]`, with values that such a one usually has."""
    what, _, segment = name.partition("@")
    family, metric, *column = what.split(".")
    chunk = weeks(position + 1)[position]
    usual = dict(USUAL.get(metric, {}))
    if family == "estimation":
        usual["value"] = 0.65
    return Breach(
        **{
            "model": "flights",
            "monitor": name,
            "metric": metric,
            "family": family,
            "column": column[0] if column else None,
            "segment": segment or None,
            "chunk": chunk.key,
            "position": position,
            "start": chunk.start,
            "end": chunk.end,
            "severity": severity,
            "text": f"{metric} is beyond its limit",
            **usual,
            **changes,
        }
    )


def history(text: str, **changes: Any) -> list[Breach]:
    """Return the breaches that `text` draws: `.` none, `n` notice, `w` warning, `c` critical."""
    found = []
    for line in text.strip().splitlines():
        name, marks = line.split()
        found += [breach(name, i, MARKS[mark], **changes) for i, mark in enumerate(marks) if mark in MARKS]
    return found


@pytest.fixture(scope="session", name="weeks")
def weeks_fixture() -> Callable[[int], list[Chunk]]:
    return weeks


@pytest.fixture(scope="session", name="breach")
def breach_fixture() -> Callable[..., Breach]:
    return breach


@pytest.fixture(scope="session", name="history")
def history_fixture() -> Callable[..., list[Breach]]:
    return history
