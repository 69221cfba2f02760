"""What people do with incidents and changes, as the API takes it, and the record of all of it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from serving import Served

from barograph.store.catalog.alerts import OperationsIncident, write_operations
from barograph.store.catalog.database import writing
from barograph.store.catalog.models import find_model
from barograph.store.catalog.scope import Scope
from barograph.times import to_microseconds

ONSET = datetime(2024, 5, 13, tzinfo=UTC)
NUMBERS = count(1)


@pytest.fixture(name="incident")
def incident_fixture(served: Served) -> str:
    """Return the path of an incident of a model of its own, with an onset on 13 May 2024."""
    number = next(NUMBERS)
    assert served.client.put(f"/v1/models/m{number}", json={"chunk": "1d"}).status_code == 201
    with writing(served.service.engine) as connection:
        scope = Scope(connection, 1)
        model = find_model(scope, f"m{number}")
        assert model is not None
        told = OperationsIncident(
            id=f"i{number}",
            state="firing",
            severity="critical",
            metric="freshness",
            title="no events have come since 2024-05-13",
            since_us=to_microseconds(ONSET),
            body={"advice": "See whether the model still answers."},
        )
        write_operations(scope, model.id, told, now_us=served.service.now_us())
    return f"/v1/incidents/i{number}"


def post(served: Served, url: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = served.client.post(url, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


LOCAL = {"kind": "system", "id": None, "name": "local"}


def acts(served: Served, target: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what the audit says was done to something, the newest first."""
    items = served.client.get(f"/v1/audit?target={target}").json()["items"]
    return [(item["action"], item["detail"]) for item in items]


def test_an_incident_is_resolved_and_reopened_by_a_person(served: Served, incident: str) -> None:
    said = post(served, f"{incident}/resolve", reason="mended", verdict="real")
    assert (said["state"], said["found"], said["said"]["state"], said["said"]["reason"]) == (
        "resolved",
        "firing",
        "resolved",
        "mended",
    )
    assert (said["until"], said["verdict"]["verdict"], said["verdict"]["reason"]) == (
        said["said"]["at"],
        "real",
        "mended",
    )
    model = said["model"]
    assert served.client.get(f"/v1/models/{model}").json()["state"]["incidents"] == 0
    assert [i["id"] for i in served.client.get(f"/v1/incidents?model={model}&state=resolved").json()["items"]]
    again = served.client.post(f"{incident}/reopen").json()  # no body is needed
    assert (again["state"], again["until"], again["said"]["state"]) == ("firing", None, "firing")
    assert served.client.get(f"/v1/models/{model}").json()["state"]["incidents"] == 1
    assert served.client.post(f"{incident}/resolve").json()["state"] == "resolved"
    assert [action for action, _ in acts(served, incident.rpartition("/")[2])] == [
        "resolve incident",
        "reopen incident",
        "resolve incident",
    ]


def test_an_incident_is_assigned_and_judged(served: Served, incident: str) -> None:
    said = post(served, f"{incident}/assign", to="ada")
    assert said["assigned"]["to"] == "ada"
    assert post(served, f"{incident}/assign", to=None)["assigned"] is None
    model = said["model"]
    (before,) = served.client.get(f"/v1/models/{model}/precision").json()["items"]
    assert (before["incidents"], before["unjudged"], before["precision"], before["lower"]) == (1, 1, None, None)
    judged = post(served, f"{incident}/verdict", verdict="false alarm", reason="a test")
    assert (judged["verdict"]["verdict"], judged["verdict"]["by"]) == ("false alarm", LOCAL)
    assert judged["state"] == "firing"  # that is another question
    (after,) = served.client.get(f"/v1/models/{model}/precision").json()["items"]
    assert (after["monitor"], after["false_alarms"], after["precision"]) == ("operations.freshness", 1, 0.0)
    assert after["lower"] == 0.0 < after["upper"] < 1
    assert post(served, f"{incident}/verdict", verdict=None)["verdict"] is None
    wrong = post(served, f"{incident}/verdict", 422, verdict="flase alarm")
    assert wrong["errors"] == [
        {
            "path": "$.verdict",
            "message": "This must be one of real, false alarm. Did you mean 'false alarm'? Got 'flase alarm'.",
        }
    ]
    assert acts(served, incident.rpartition("/")[2])[-1] == ("assign incident", {"to": "ada"})


def test_comments_are_edited_and_deleted(served: Served, incident: str) -> None:
    made = post(served, f"{incident}/comments", 201, text="It is the fede.")
    url = f"{incident}/comments/{made['id']}"
    edited = served.client.patch(url, json={"text": "It is the feed."}).json()
    assert (edited["text"], edited["edited_by"], edited["at"]) == ("It is the feed.", LOCAL, made["at"])
    assert served.client.get(incident).json()["comments"] == [edited]
    assert served.client.patch(url, json={"text": " "}).status_code == 422
    assert served.client.delete(url).status_code == 204
    assert served.client.delete(url).status_code == 404
    assert served.client.patch(url, json={"text": "again"}).status_code == 404
    assert served.client.get(incident).json()["comments"] == []
    found = acts(served, incident.rpartition("/")[2])
    assert [action for action, _ in found] == ["delete comment", "edit comment", "comment incident"]
    assert all("feed" not in str(detail) for _, detail in found)  # it may have been deleted for what it said


def test_changes_near_the_onset_are_named_others_are_not(served: Served, incident: str) -> None:
    model = served.client.get(incident).json()["model"]
    url = f"/v1/models/{model}/changes"
    for at, title in [
        ("2024-05-10T23:59:59Z", "too early"),
        ("2024-05-11T00:00:00Z", "two days before"),
        ("2024-05-12T16:00:00+02:00", "Model 7 went live"),
        ("2024-05-13T23:59:59Z", "on the day"),
        ("2024-05-14T00:00:00Z", "too late"),
    ]:
        post(served, url, 201, at=at, kind="deployment", title=title, version="7")
    said = served.client.get(incident).json()
    assert [change["title"] for change in said["changes"]] == ["on the day", "Model 7 went live", "two days before"]
    assert said["text"] == (
        "No events have come since 2024-05-13. See whether the model still answers. Changed near its onset: "
        "on the day (deployment, 2024-05-13 23:59 UTC); Model 7 went live (deployment, 2024-05-12 14:00 UTC); "
        "two days before (deployment, 2024-05-11 00:00 UTC)."
    )
    (listed,) = served.client.get(f"/v1/incidents?model={model}").json()["items"]
    assert listed["changes"] == said["changes"]


def test_changes_are_edited_and_deleted_but_not_those_of_the_service(served: Served, incident: str) -> None:
    model = served.client.get(incident).json()["model"]
    url = f"/v1/models/{model}/changes"
    made = post(served, url, 201, title="Model 7 went life", detail={"commit": "1f"})
    edited = served.client.patch(f"{url}/{made['id']}", json={"title": "Model 7 went live"}).json()
    assert edited == {
        **made,
        "title": "Model 7 went live",
        "edited_at": edited["edited_at"],
        "edited_by": LOCAL,
    }
    assert served.client.get(url).json()["items"] == [edited]
    assert served.client.delete(f"{url}/{made['id']}").status_code == 204
    assert served.client.delete(f"{url}/{made['id']}").status_code == 404
    assert served.client.patch(f"{url}/999999", json={}).status_code == 404
    assert [action for action, _ in acts(served, model)][:3] == ["delete change", "edit change", "tell change"]
    assert acts(served, model)[0][1]["before"]["title"] == "Model 7 went live"

    assert served.client.put(f"/v1/models/{model}", json={"chunk": "1d", "version": "8"}).status_code == 200
    assert served.client.put(f"/v1/models/{model}", json={"chunk": "1d", "version": "8"}).status_code == 200
    (own,) = served.client.get(url).json()["items"]  # what is as it was is no change
    assert (own["kind"], own["title"], own["version"], own["created_by"]) == (
        "specification",
        "The specification was changed: version",
        "8",
        LOCAL,
    )
    for answer in (
        served.client.patch(f"{url}/{own['id']}", json={"title": "x"}),
        served.client.delete(f"{url}/{own['id']}"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:barograph:conflict")
    assert served.client.post(url, json={"kind": "specification", "title": "x"}).status_code == 422
