"""What tests of delivery share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from post_office import Office, office_in
from sink import Sink, sink_on_loopback


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Return a sink that takes whatever comes."""
    with sink_on_loopback() as one:
        yield one


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Return a post office in an empty folder, with one webhook that hears of everything at once."""
    with office_in(tmp_path / "data") as one:
        one.said = {
            "receivers": {"hook": one.hook()},
            "routes": [{"receivers": ["hook"], "wait": "0s"}],
        }
        yield one
