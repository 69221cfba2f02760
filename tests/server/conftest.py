"""Servers that several tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
from serving import Served, parquet, serving

from logged import events


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
