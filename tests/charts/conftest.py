from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from barograph.monitors.results import Result
from barograph.rules.limits import Status

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def row() -> Callable[..., Result]:
    """Return a maker of result rows: chunk `i` is a day of January 2024; whatever is given replaces the defaults."""

    def make(i: int = 0, value: float | None = 0.7, **given: Any) -> Result:
        start = START + timedelta(days=i)
        fields: dict[str, Any] = {
            "model": "m",
            "version": "",
            "monitor": "performance.roc_auc",
            "metric": "roc_auc",
            "family": "performance",
            "column": None,
            "segment": None,
            "chunk": f"{start:%Y-%m-%d}",
            "chunk_start": start,
            "chunk_end": start + timedelta(days=1),
            "n": 1000,
            "value": value,
            "lower": None if value is None else value - 0.02,
            "upper": None if value is None else value + 0.02,
            "reference_value": 0.72,
            "limit_lower": 0.65,
            "status": Status.UNDEFINED if value is None else Status.OK,
            "reason": "no label has arrived" if value is None else None,
            "label_coverage": 0.5,
        }
        return Result(**(fields | given))

    return make


@pytest.fixture
def drift_row(row: Callable[..., Result]) -> Callable[..., Result]:
    """Return a maker of rows of a drift metric with the limit 0.1."""

    def make(i: int = 0, value: float | None = 0.02, **given: Any) -> Result:
        breach = value is not None and value > 0.1
        fields: dict[str, Any] = {
            "monitor": "drift.kolmogorov_smirnov.x",
            "metric": "kolmogorov_smirnov",
            "family": "drift",
            "column": "x",
            "reference_value": None,
            "limit_lower": None,
            "limit_upper": 0.1,
            "status": Status.BREACH if breach else Status.UNDEFINED if value is None else Status.OK,
        }
        return row(i, value, **(fields | given))

    return make
