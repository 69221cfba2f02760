"""A server that takes what clients send, and clients."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))
from taking import MODEL, Running, Taker

from barograph.sdk import Client


@pytest.fixture
def running(given: ModuleType) -> Iterator[Running]:
    made = Running(Taker(given))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def taker(running: Running) -> Taker:
    return running.taker


@pytest.fixture
def make(taker: Taker, tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Return what makes a client of that server with a folder of its own; all are closed at the end."""
    made: list[Client] = []

    def new(**options: Any) -> Client:
        given = {"spill": tmp_path / "spill", "interval_s": 0.01, "signals": False, "environment": False, **options}
        client = Client(given.pop("url", taker.url), MODEL, **given)
        made.append(client)
        return client

    yield new
    for client in made:
        client.close(0.5)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barograph.sdk.sender._FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("barograph.sdk.sender._LONGEST_PAUSE_S", 0.02)
