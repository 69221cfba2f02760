"""The pages in a real browser: they are read, used, and looked through for faults of accessibility."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fleet_of_tests import SCRIPT, Watched, looking

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text("utf-8")
PAGES = [
    "/",
    "/?state=trouble",
    "/incidents",
    "/models/flights",
    "/models/hostile",
    "/models/empty",
    "/models/nobody",
    *(
        f"/models/flights/{part}"
        for part in ("labels", "monitors", "compare", "events", "changes", "quarantine", "settings")
    ),
    "/models/flights/monitors/replay?monitor=drift.kolmogorov_smirnov.x&hold=1",
    "/models/hostile/feature?column=x",
    "/models/flights/segment?segment=colour%3Dred",
    "/jobs",
    "/audit",
    "/settings",
    "/start",
    "/start/flights",
    "/start/empty",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_of_accessibility(chromium: Any, watched: Watched, scheme: str) -> None:
    with looking(chromium, watched.url, color_scheme=scheme) as page:
        for path in [*PAGES, f"/incidents/{watched.incident}", "/sign-in"]:
            page.goto(path)
            page.evaluate(AXE)
            rules = "{runOnly: ['color-contrast']}" if scheme == "dark" else "{}"  # all else is the same in both
            found = page.evaluate(f"axe.run(document, {rules})")
            assert found["passes"], "it has looked"
            grave = [
                (path, fault["id"], [node["html"][:200] for node in fault["nodes"][:3]])
                for fault in found["violations"]
                if fault["impact"] in ("serious", "critical")
            ]
            assert not grave


def test_from_the_fleet_to_the_incident_and_back(chromium: Any, watched: Watched) -> None:
    with looking(chromium, watched.url) as page:
        page.goto("/")
        assert "in trouble" in page.text_content("h1")
        page.fill("[data-search]", "fli")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?search=fli*")
        assert page.locator("tbody tr").count() == 1
        page.click("tbody th a")
        page.wait_for_url("**/models/flights")
        assert page.locator("svg.timeline .span.critical").first.is_visible()
        page.click(".incident.critical a.said")
        page.wait_for_url("**/incidents/*")
        page.fill("#comment", "It was <b>me</b>")
        page.click("text=Comment >> nth=-1")
        page.wait_for_selector("text=It was <b>me</b>")
        page.click("text=I see to it")
        page.wait_for_selector("text=Nobody sees to it after all")
        page.click("summary:has-text('Silence')")
        page.fill("form[action$='/silence'] [name=reason]", "we know")
        page.click("text=Silence it")
        page.wait_for_selector("text=silenced: we know")
        page.click("button:has-text('False alarm')")
        page.wait_for_selector(".tag:has-text('a false alarm')")
        page.click("summary:has-text('Resolve')")
        page.fill("form[action$='/resolve'] [name=reason]", "the feed was mended")
        page.click("text=It is over")
        page.wait_for_selector("text=said that it is over: the feed was mended")
        page.click("text=It is not over")
        page.wait_for_selector("summary:has-text('Resolve')")
        page.click("text=Take back")
        page.wait_for_selector("button:has-text('False alarm')")
        page.keyboard.press("g")
        page.keyboard.press("f")
        page.wait_for_url(watched.url + "/")
        for silence in watched.served.client.get("/v1/silences").json()["items"]:
            watched.served.client.delete(f"/v1/silences/{silence['id']}")


def test_dragging_over_the_chart_looks_at_a_part_of_it(chromium: Any, watched: Watched) -> None:
    with looking(chromium, watched.url, viewport={"width": 1300, "height": 900}) as page:
        page.goto("/models/flights")
        box = page.locator(".wide svg.timeline").bounding_box()
        page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.5)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5, steps=4)
        page.mouse.up()
        page.wait_for_url("**from=*")
        assert "1 Jan 2024" not in page.text_content(".controls")


def test_keys_and_what_stands_beside_the_pointer(chromium: Any, watched: Watched) -> None:
    with looking(chromium, watched.url, viewport={"width": 1300, "height": 900}) as page:
        page.goto("/models/flights")
        page.keyboard.press("?")
        assert page.locator("dialog[open]").is_visible()
        page.keyboard.press("Escape")
        page.locator(".wide svg .hit").nth(3).hover()
        assert "measured" in page.text_content(".tip")
        page.keyboard.press("/")
        page.wait_for_url(watched.url + "/")


def test_names_that_would_do_harm_do_none(chromium: Any, watched: Watched) -> None:
    with looking(chromium, watched.url) as page:
        for path in ("/", "/incidents", "/models/hostile", "/models/flights", f"/incidents/{watched.incident}"):
            page.goto(path)
            assert "taken" not in page.title()
        page.goto("/models/hostile")
        assert SCRIPT in page.text_content("#main")
        widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1]


@pytest.mark.parametrize("path", ["/", "/models/flights", "/models/hostile", "incident"])
def test_a_phone_has_no_need_to_scroll_sideways(chromium: Any, watched: Watched, path: str) -> None:
    path = f"/incidents/{watched.incident}" if path == "incident" else path
    with looking(chromium, watched.url, viewport={"width": 390, "height": 844}) as page:
        page.goto(path)
        widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1]


def test_without_scripts_a_page_is_whole(chromium: Any, watched: Watched) -> None:
    with looking(chromium, watched.url, java_script_enabled=False) as page:
        page.goto("/models/flights")
        assert page.locator("svg.timeline").first.is_visible()
        assert "UTC" in page.text_content(".where")
