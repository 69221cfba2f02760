"""Servers that several tests share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from serving import Served, parquet, serving

from logged import events

InTable: TypeAlias = Callable[..., None]


@pytest.fixture
def in_table(record_property: Callable[[str, object], None]) -> InTable:
    """Return what notes a row of the table of docs/producers, which `make producers` writes: what came of a test."""

    def note(source: str, how: str, *, sent: str, arrived: str, rejected: int | str) -> None:
        record_property("producers", [source, how, sent, arrived, str(rejected)])

    return note


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server that takes requests and does nothing with what it takes."""
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server with workers behind it."""
    with serving(tmp_path_factory.mktemp("working"), workers=True) as running:
        yield running


@pytest.fixture(scope="session")
def reference_data() -> bytes:
    """Return reference data as Parquet."""
    return parquet(events(3000, seed=1))
