"""A watched fleet behind a real server, and a browser that looks at it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "server"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from fleet_of_tests import BROWSER, SCRIPT, Watched, hostile, register
from serving import serving, wait_for

from logged import events


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Return a server that has evaluated its models."""
    with serving(tmp_path_factory.mktemp("watched"), workers=True, evaluation_seconds=0.2) as served:
        reference, came = events(3000, seed=1), events(3000, seed=2)
        late = pl.int_range(pl.len()) > 1500
        turned = came.with_columns(score=pl.when(late).then(1 - pl.col("score")).otherwise("score"))
        register(served, "flights", reference, turned, segments=["colour"])
        register(served, "hostile", hostile(reference), hostile(came, broken=True), segments=["kind"])
        assert served.client.put("/v1/models/empty", json={"task": "binary"}).status_code == 201
        change = {"at": "2024-01-11T00:00:00Z", "kind": "deployment", "title": f"Version 2 {SCRIPT}"}
        assert served.client.post("/v1/models/flights/changes", json=change).status_code == 201

        def is_done() -> bool:
            said = [served.client.get(f"/v1/models/{name}").json()["state"] for name in ("flights", "hostile")]
            return all(state["events"] >= 3000 and state["incidents"] for state in said)

        wait_for(is_done, "the models are evaluated", 60)
        found = served.client.get("/v1/incidents?model=flights&severity=critical").json()["items"]
        yield Watched(served, found[0]["id"])


@pytest.fixture(scope="module")  # while it is there, an event loop runs in this thread, which others cannot share
def chromium() -> Iterator[object]:
    """Return a browser; without one the tests that need it are skipped, and say so."""
    if BROWSER is None:
        pytest.skip("NO BROWSER: pages were NOT looked at. Install chromium (apt-get install chromium) to test them.")
    from playwright.sync_api import sync_playwright

    with warnings.catch_warnings(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
