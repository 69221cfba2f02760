"""From an empty folder to a watched model, in the browser alone."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from fleet_of_tests import looking
from serving import serving, wait_for

from barograph.dashboard.start import lines_of, why_of
from logged import events


def test_from_an_empty_folder_to_a_watched_model(chromium: Any, tmp_path: Path) -> None:
    data = events(2000, seed=1).rename({"label": "outcome"})
    data.write_parquet(tmp_path / "good.parquet")
    with (
        serving(tmp_path / "folder", workers=True, evaluation_seconds=0.2) as served,
        looking(chromium, served.url) as page,
    ):
        page.goto("/")
        assert "No model is watched yet" in page.text_content("h1")
        page.click("text=Watch a model")
        page.fill("[name=name]", "no spaces")
        page.evaluate("document.querySelector('[name=name]').removeAttribute('pattern')")
        page.click("text=Go on")
        assert "A model's name is" in page.text_content("[role=alert]")
        page.fill("[name=name]", "first")
        page.click("text=Go on")
        page.wait_for_url("**/start/first")

        # The label has a name that nobody could guess: the page says that there is none.
        page.set_input_files("[type=file]", tmp_path / "good.parquet")
        page.click("button:has-text('Send')")
        page.wait_for_selector("text=No column was taken for the label", timeout=40_000)
        page.select_option("select[name='role:outcome']", "label")
        page.click("button:has-text('Take these roles')")
        wait_for(lambda: served.client.get("/v1/models/first").json()["reference"] == 2, "the label is taken", 40)
        page.goto("/start/first")
        assert page.locator("text=No column was taken").count() == 0

        # What a column is can be changed, and is learned anew.
        page.select_option("select[name='role:amount']", "ignore")
        page.click("button:has-text('Take these roles')")
        wait_for(lambda: served.client.get("/v1/models/first").json()["reference"] == 3, "it is learned anew", 40)
        assert served.client.get("/v1/models/first/spec").json()["ignore"] == ["amount"]

        # The line for Python logs an event of this model.
        page.goto("/start/first")
        page.click("summary:has-text('Python')")
        said = page.text_content("#line-python")
        assert "amount" not in said
        exec(compile(said, "line", "exec"), {"print": lambda *_: None})
        page.wait_for_selector("text=✓ 1 event")
        place, body = re.findall(r"curl (\S+).*-d '(.*)'", page.text_content("#line-label"), re.DOTALL)[0]
        request = urllib.request.Request(place, data=body.encode(), headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["accepted"] == 1
        page.wait_for_selector("text=✓ 1 label")


def test_a_file_of_another_kind_is_told_of(chromium: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.parquet").write_text("hello")
    with serving(tmp_path / "folder") as served, looking(chromium, served.url) as page:
        served.client.put("/v1/models/first", json={})
        page.goto("/start/first")
        page.set_input_files("[type=file]", tmp_path / "notes.txt")
        page.click("button:has-text('Send')")
        page.wait_for_selector(".problem:has-text('.parquet or .csv')")
        page.set_input_files("[type=file]", tmp_path / "broken.parquet")
        page.click("button:has-text('Send')")
        page.wait_for_selector(".problem:has-text('Parquet')")


@pytest.mark.parametrize("key", ["curl", "python", "javascript"])
def test_the_lines_hold_the_event_whatever_it_says(key: str) -> None:
    event = {"a'b": 'it\'s "x"\n</script>', "n": None, "f": 1.5}
    text = next(one.text for one in lines_of("http://h", "m", event, needs_key=True) if one.key == key)
    assert "BAROGRAPH_KEY" in text
    if key == "python":
        names: dict[str, Any] = {}
        exec(text.split("request =")[0].split("urllib.request\n")[-1], names)
        assert names["event"] == event
    elif key == "javascript":
        assert json.loads(text.split("const event = ")[1].split(";\nconst answer")[0]) == event
    else:
        body = text.split("-d '")[1][:-1].replace("'\\''", "'")
        assert json.loads(body) == [event]


def test_why_a_column_is_what_it_is() -> None:
    assert why_of("late", ["label: `late` (as given)", "score: `s`"]) == "label: `late` (as given)"
    assert why_of("x", ["features: 3 columns"]) == ""
