"""What is new shows by itself, in as many tabs as are open, and moves nothing that is being read."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fleet_of_tests import ARROW, Watched, looking
from serving import arrow

from barograph.server.pages import live
from logged import events


def send(watched: Watched, seed: int) -> None:
    body = arrow(events(50, seed=seed))
    answer = watched.served.client.post("/v1/models/flights/events", content=body, headers=ARROW)
    assert answer.status_code == 200


def test_eight_tabs_show_what_comes_without_being_loaded_anew(chromium: Any, watched: Watched) -> None:
    with looking(chromium, watched.url) as first:
        tabs = [first, *(first.context.new_page() for _ in range(7))]
        for tab in tabs:
            tab.goto("/models/flights")
            tab.evaluate("window.stays = true")
            tab.wait_for_selector("body[data-heard]")
        before = first.text_content(".where")
        first.wait_for_selector("body[data-heard]")  # the tab that leads knows how it stands
        send(watched, 11)
        for tab in tabs:
            tab.wait_for_function(
                "before => document.querySelector('.where').textContent !== before", arg=before, timeout=60_000
            )
            assert tab.evaluate("window.stays") is True


def test_nothing_moves_under_who_reads(chromium: Any, watched: Watched) -> None:
    with looking(chromium, watched.url) as page:
        page.goto("/models/flights")
        page.wait_for_selector("body[data-heard]")
        page.evaluate("window.scrollTo(0, 600)")
        page.evaluate("document.querySelector('main').dataset.old = 'yes'")
        send(watched, 12)
        page.wait_for_selector(".news:visible", timeout=60_000)
        assert page.locator("main[data-old]").count() == 1
        page.click(".news")
        page.wait_for_selector("main:not([data-old])")


def test_a_stream_says_how_it_stands_and_that_it_is_alive(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.3)
    with httpx.Client(base_url=watched.url, timeout=20) as client, client.stream("GET", "/live") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        said = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
        assert said["results"] > 0
        assert any(model.startswith("flights@") for model in said["models"])
        assert next(line for line in lines if line.startswith(":"))
    assert watched.served.client.get("/live/now").json()["results"] >= said["results"]


def test_streams_are_bounded(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_STREAMS", 0)
    answer = watched.served.client.get("/live")
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers
