"""Reports of small made-up models, made by `check` itself, once for all tests."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.report.report import Report

sys.path.append(str(Path(__file__).parent))
from checked import BASE
from evil import EVIL, QUOTED, events


@pytest.fixture(scope="session")
def reference() -> Reference:
    """Return the reference that the tests of `check` compare with."""
    return fit(BASE)


@pytest.fixture(scope="session")
def report_of() -> Callable[..., Report]:
    """Return a maker of reports: `events` against 4,000 calm ones, or any two frames."""

    def make(
        current: pl.DataFrame | None = None, reference: pl.DataFrame | None = None, *, model: str = EVIL, **given: Any
    ) -> Report:
        before = events(4000, seed=0) if reference is None else reference
        now = events(3000, seed=1) if current is None else current
        return check(before, now, **{"chunk": "1d", "model": model} | given)

    return make


@pytest.fixture(scope="session")
def broken_report(report_of: Callable[..., Report]) -> Report:
    """Return the report of a model that got worse, whose inputs moved and went missing, with evil names."""
    return report_of(events(6000, seed=2, drifted=True), segments=[QUOTED])


@pytest.fixture(scope="session")
def calm_report(report_of: Callable[..., Report]) -> Report:
    """Return the report of a model with which nothing is wrong."""
    return report_of()


@pytest.fixture(scope="session")
def unlabelled_report(report_of: Callable[..., Report]) -> Report:
    """Return the report of events without labels."""
    return report_of(events(3000, seed=3, labels=False), label="label")


@pytest.fixture(scope="session")
def empty_report(report_of: Callable[..., Report]) -> Report:
    """Return the report of no events."""
    return report_of(events(10, seed=3)[:0])


@pytest.fixture(scope="session")
def bare_report(report_of: Callable[..., Report]) -> Report:
    """Return the report of one feature without time, prediction, label or chunks."""
    rng = np.random.default_rng(0)
    before, now = (pl.DataFrame({"x": rng.normal(size=n)}) for n in (500, 300))
    return report_of(now, before, chunk="all")
