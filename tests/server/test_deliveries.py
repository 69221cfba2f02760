"""Messages and receivers over the API and on the command line: seen, sent again, tried."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Served, serving, wait_for
from typer.testing import CliRunner

from barograph.cli.app import app
from barograph.errors import DeliveryError, SpecError
from barograph.store.catalog import models
from barograph.store.catalog.alerts import OperationsIncident, write_operations
from barograph.store.catalog.database import writing
from barograph.store.catalog.scope import Scope
from barograph.store.clock import wall_clock_us

sys.path.append(str(Path(__file__).parents[1] / "delivery"))
from sink import Sink, sink_on_loopback

FILE = """
[delivery]
url = "https://barograph.example.org/"
allow = ["127.0.0.0/8"]

[receivers.hook]
type = "webhook"
url = "{url}/hook"

[receivers.nobody]
type = "webhook"
url = "http://127.0.0.1:9/"
secret = {{env = "BAROGRAPH_TEST_SECRET"}}

[[routes]]
match = {{model = "flights"}}
receivers = ["hook"]
wait = "0s"
escalate = [{{after = "30m", receivers = ["nobody"]}}]
quiet = [{{from = "22:00", to = "07:00", timezone = "Europe/Berlin"}}]
"""


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with sink_on_loopback() as one:
        yield one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Path:
    path = tmp_path_factory.mktemp("telling")
    (path / "barograph.toml").write_text(FILE.format(url=sink.url))
    return path


@pytest.fixture(scope="module")
def told(folder: Path) -> Iterator[Served]:
    """Return a server with workers whose file has two receivers, one that cannot be reached."""
    with serving(folder, workers=True) as running:
        assert running.client.put("/v1/models/flights", json={}).status_code == 201
        yield running


def fire(served: Served, id: str) -> None:
    now_us = wall_clock_us()
    with writing(served.service.engine) as connection:
        scope = Scope(connection, 1)
        model = models.find_model(scope, "flights")
        assert model is not None
        one = OperationsIncident(
            id=id, state="firing", severity="critical", metric="freshness", title="no events", since_us=now_us, body={}
        )
        write_operations(scope, model.id, one, now_us=now_us)


def listed(served: Served, **only: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = served.client.get("/v1/deliveries", params=only).json()["items"]
    return items


def test_an_incident_comes_to_the_webhook_and_is_listed(told: Served, sink: Sink) -> None:
    fire(told, "one")
    wait_for(lambda: bool(listed(told, incident="one", state="sent")), "it is sent")
    (one,) = listed(told, incident="one")
    assert (one["receiver"], one["kind"], one["model"], one["attempts"]) == ("hook", "new", "flights", 1)
    (taken,) = [t for t in sink.taken if t.json["incident"] == "one"]
    assert taken.json["key"] == one["message"]["key"] == taken.headers["idempotency-key"]
    assert taken.json["link"] == "https://barograph.example.org/incidents/one"
    assert told.client.get(f"/v1/deliveries/{one['id']}").json() == one
    conflict = told.client.post(f"/v1/deliveries/{one['id']}/retry")
    assert (conflict.status_code, conflict.json()["detail"]) == (
        409,
        f"The message {one['id']} was not given up: it is sent.",
    )
    assert told.client.get("/v1/deliveries/0").status_code == 404


def test_a_receiver_is_tried_and_says_what_became_of_it(told: Served) -> None:
    made = told.client.post("/v1/receivers/hook/test")
    assert made.status_code == 202
    where = made.headers["Location"]
    wait_for(lambda: told.client.get(where).json()["state"] == "sent", "it is sent")
    where = told.client.post("/v1/receivers/nobody/test").headers["Location"]
    wait_for(lambda: told.client.get(where).json()["state"] == "dead", "it is given up")
    failed = told.client.get(where).json()
    assert failed["attempts"] == 1
    assert "environment variable BAROGRAPH_TEST_SECRET" in failed["reason"]
    assert told.client.post("/v1/receivers/noone/test").status_code == 404
    again = told.client.post(f"{where}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "waiting")
    acts = [record["action"] for record in told.client.get("/v1/audit?limit=3").json()["items"]]
    assert acts == ["retry delivery", "test receiver", "test receiver"]


def test_receivers_are_listed_without_their_settings(told: Served) -> None:
    answer = told.client.get("/v1/receivers")
    said = answer.json()
    assert [(one["name"], one["type"], one["state"]) for one in said["items"]] == [
        ("hook", "webhook", "ok"),
        ("nobody", "webhook", "ok"),
    ]
    assert said["problem"] is None
    assert "127.0.0.1" not in answer.text


def test_a_file_that_becomes_wrong_changes_nothing_and_is_told(told: Served, folder: Path, sink: Sink) -> None:
    path = folder / "barograph.toml"
    path.write_text(FILE.format(url=sink.url) + "[[routes]]\nreceivers = ['noone']\n")
    said = told.client.get("/v1/receivers").json()
    assert len(said["items"]) == 2
    assert said["problem"].startswith("$.routes[1].receivers: there is no receiver 'noone'.")
    path.write_text(FILE.format(url=sink.url))
    assert told.client.get("/v1/receivers").json()["problem"] is None


def test_another_project_does_not_see_the_messages(told: Served) -> None:
    fire(told, "two")
    wait_for(lambda: bool(listed(told, incident="two")), "it is told")
    (one,) = listed(told, incident="two")
    key = {"Authorization": f"Bearer {told.key('admin', project_id=told.project('stranger'))}"}
    assert told.client.get("/v1/deliveries", headers=key).json()["items"] == []
    assert told.client.get(f"/v1/deliveries/{one['id']}", headers=key).status_code == 404
    assert told.client.post(f"/v1/deliveries/{one['id']}/retry", headers=key).status_code == 404


# The command line


def run(folder: Path, *arguments: str) -> list[str]:
    result = CliRunner().invoke(app, [*arguments, "--data", str(folder)])
    if result.exception is not None:
        raise result.exception
    return result.output.splitlines()


def test_the_command_line_says_who_would_be_told_and_when(told: Served, folder: Path) -> None:
    at = ("--at", "2024-01-10T23:00+01:00")
    assert run(folder, "routes", "test", "--model", "flights", *at) == [
        "model=flights  project=default  severity=critical",
        "$.routes[0]  2024-01-10T22:00:00Z  hook  (at once)",
        "$.routes[0]  2024-01-10T22:30:00Z  nobody  (30m later, if nobody has acknowledged it)",
        "$.routes[0]  2024-01-11T22:00:00Z  hook  (again each 1d while it fires and nobody has acknowledged it)",
    ]
    assert run(folder, "routes", "test", "--model", "flights", "--severity", "warning", *at)[1:] == [
        "$.routes[0]  2024-01-11T06:00:00Z  hook  (when the quiet hours end)",
        "$.routes[0]  2024-01-11T06:30:00Z  nobody  (30m later, if nobody has acknowledged it)",
        "$.routes[0]  2024-01-12T06:00:00Z  hook  (again each 1d while it fires and nobody has acknowledged it)",
    ]
    assert run(folder, "routes", "test", "--model", "flights", "--severity", "notice")[1:] == [
        "$.routes[0]  nobody  (people are told from warning on)"
    ]
    assert run(folder, "routes", "test", "--model", "trains")[1:] == ["nobody: no route takes it"]
    fire(told, "three")
    assert run(folder, "routes", "test", "three", *at)[1].startswith("$.routes[0]  2024-01-10T22:00:00Z  hook")
    with pytest.raises(SpecError, match="no incident"):
        run(folder, "routes", "test", "none")


def test_the_command_line_checks_the_file_and_its_secrets(
    told: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SpecError, match=r"\$\.receivers\.nobody: Its secret cannot be read"):
        run(folder, "routes", "check")
    monkeypatch.setenv("BAROGRAPH_TEST_SECRET", "x")
    assert run(folder, "routes", "check") == ["hook  webhook", "nobody  webhook", "$.routes[0]  hook"]


def test_the_command_line_lists_and_sends_again_and_tries(told: Served, folder: Path, sink: Sink) -> None:
    where = told.client.post("/v1/receivers/nobody/test").headers["Location"]
    wait_for(lambda: told.client.get(where).json()["state"] == "dead", "it is given up")
    number = where.rpartition("/")[2]
    assert run(folder, "deliveries", "list", "--state", "dead")[0].startswith(f"{number}  ")
    assert run(folder, "deliveries", "retry", number) == [f"The message {number} is sent to nobody again."]
    with pytest.raises(SpecError, match="no message"):
        run(folder, "deliveries", "retry", "999999")
    before = len(sink.taken)
    assert run(folder, "deliveries", "test", "hook") == ["The receiver 'hook' has taken a test message."]
    assert len(sink.taken) == before + 1
    with pytest.raises(DeliveryError, match="BAROGRAPH_TEST_SECRET"):
        run(folder, "deliveries", "test", "nobody")
    with pytest.raises(SpecError, match="no receiver"):
        run(folder, "deliveries", "test", "noone")
