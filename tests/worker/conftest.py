"""What tests of the pipeline share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from plant import Plant, plant_in


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """Return a plant in an empty folder."""
    with plant_in(tmp_path / "data") as one:
        yield one
