"""A short story, told to a real server."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from barograph.demo.api import Api
from barograph.demo.flights import DEPLOYED, late_flights, today
from barograph.demo.found import outcome
from barograph.demo.play import Seen, back_fill, look, states, stream
from barograph.demo.server import served
from barograph.demo.story import DAY
from barograph.errors import InputError


def test_a_wrong_unit_after_a_deployment_is_found_within_two_days_while_it_is_streamed(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    told = late_flights(now, since=DEPLOYED - 30 * DAY, watched_from=DEPLOYED - 2 * DAY, ends=DEPLOYED + 2 * DAY)
    assert [trouble.title[:8] for trouble in told.troubles] == ["pressure"]
    end = today(now)
    start = end - 3 * DAY
    said: list[str] = []
    seen = Seen()

    def say(at: datetime, model: str, what: str) -> None:
        said.append(f"{(at - start).total_seconds() / 86_400:.2f} {model} {what}")

    with served(tmp_path / "data", port=0) as url:
        api = Api(url)
        back_fill(api, told, until=start)
        api.wait_idle([told.model])
        look(api, [told], at=start, say=say, seen=seen, is_past=True)
        stream(api, [told], start=start, end=end, day_s=0.0, say=say, seen=seen)
        after = states(api, [told])
        lines, wrong = outcome([told], seen, after)
        changes = api.items(f"/v1/models/{told.model}/changes")
        api.close()
    assert not wrong, (lines, said)
    assert re.search(r"found 1\.[23] days after it began \(warning\): pressure comes in inches", lines[0])
    assert after[told.model]["events"] == len(told.events)
    assert after[told.model]["labels"] == len(told.labels)
    assert after[told.model]["lifecycle"] == "live"
    assert [change["version"] for change in changes if change["kind"] == "deployment"] == ["2"]
    assert any("deployment: Version 2" in line for line in said)
    assert any("INCIDENT warning" in line and "pressure" in line for line in said)
    assert (tmp_path / "data" / "server.log").read_text().splitlines() == [f"barograph serves at {url}"]


def test_the_demo_begins_with_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").touch()
    with pytest.raises(InputError, match="not empty"), served(tmp_path, port=0):
        pass


def test_a_server_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barograph.demo.server._CODE", "raise SystemExit('no luck')")
    with pytest.raises(InputError, match="no luck"), served(tmp_path / "data", port=0):
        pass
