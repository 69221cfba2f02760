"""Work that failed each time can be seen, tried again and dropped, by API and on the command line."""

from __future__ import annotations

import pytest
from serving import Served
from typer.testing import CliRunner

from barograph.cli.app import app
from barograph.store.catalog import models, quarantine
from barograph.store.catalog.database import writing
from barograph.store.catalog.scope import Scope

NOW = 1_700_000_000_000_000


@pytest.fixture
def numbers(served: Served) -> list[int]:
    """Set three pieces of work aside, the oldest first."""
    served.client.put("/v1/models/poisoned", json={})
    with writing(served.service.engine) as connection:
        scope = Scope(connection, 1)
        model = models.find_model(scope, "poisoned")
        assert model is not None
        made = [
            quarantine.add_poison(scope, model.id, step=step, position="p", reason=f"why {step}", now_us=NOW)
            for step in ("process_model", "file events", "process_model")
        ]
    return [one.id for one in made]


def listed(served: Served) -> list[int]:
    return [one["id"] for one in served.client.get("/v1/poison?model=poisoned").json()["items"]]


def test_it_is_listed_tried_again_and_dropped(served: Served, numbers: list[int]) -> None:
    client, (first, rows, last) = served.client, numbers
    page = client.get("/v1/poison?limit=2").json()
    assert [one["id"] for one in page["items"]] == [last, rows]
    assert page["items"][1]["reason"] == "why file events"
    assert client.get(page["next"]).json()["items"][0]["id"] == first
    tried = client.post(f"/v1/poison/{last}/retry")
    assert (tried.status_code, tried.json()) == (202, {"job": None})
    job = client.post(f"/v1/poison/{rows}/retry").json()["job"]
    assert client.get(f"/v1/jobs/{job}").json()["detail"] == {"poison": rows}
    assert listed(served) == [rows, first]  # rows stay until they are filed
    assert client.delete(f"/v1/poison/{rows}").status_code == 204
    assert client.delete(f"/v1/poison/{rows}").status_code == 404
    assert client.post("/v1/poison/0/retry").status_code == 404
    assert client.delete(f"/v1/poison/{first}").status_code == 204
    acts = [record["action"] for record in client.get("/v1/audit?limit=4").json()["items"]]
    assert acts == ["drop poison", "drop poison", "retry poison", "retry poison"]


def test_another_project_does_not_see_it(served: Served, numbers: list[int]) -> None:
    key = {"Authorization": f"Bearer {served.key('admin', project_id=served.project('stranger'))}"}
    assert served.client.get("/v1/poison", headers=key).json()["items"] == []
    assert served.client.delete(f"/v1/poison/{numbers[0]}", headers=key).status_code == 404
    assert served.client.post(f"/v1/poison/{numbers[0]}/retry", headers=key).status_code == 404


def test_on_the_command_line(served: Served, numbers: list[int]) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["poison", *arguments, "--data", str(served.service.settings.folder)])
        assert done.exception is None, done.exception
        return done.output

    assert f"{numbers[0]}  " in run("list")
    assert "poisoned  process_model: why process_model" in run("list")
    assert "looked at again" in run("retry", str(numbers[0]))
    assert "files the rows" in run("retry", str(numbers[1]))
    assert "Dropped process_model" in run("drop", str(numbers[2]))
    assert listed(served)[:1] == [numbers[1]]
