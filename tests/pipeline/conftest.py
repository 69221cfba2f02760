"""What tests of the pipeline share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

sys.path.insert(0, str(Path(__file__).parent))

from plant import Plant, plant_in


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Write logs as lines: the default renderer draws all local variables of a traceback, which takes seconds."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """Return a plant in an empty folder."""
    with plant_in(tmp_path / "data") as one:
        yield one
