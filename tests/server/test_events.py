"""What became of one event: on its way from the spool to the profiles, in the quarantine, and its label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from serving import PARQUET, Served, serving, wait_for

T = "2024-01-20T12:00:00Z"


def told(served: Served, id: str, status: int = 200) -> dict[str, Any]:
    answer = served.client.get(f"/v1/models/m/events/{id}")
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def send(served: Served, kind: str, *rows: dict[str, Any], status: int = 200) -> None:
    answer = served.client.post(f"/v1/models/m/{kind}", json=list(rows))
    assert answer.status_code == status, answer.text


def row(id: str, **more: Any) -> dict[str, Any]:
    return {"event_id": id, "timestamp": T, "x": 0.5, "amount": 3.0, "colour": "red", "score": 0.4, **more}


def test_an_event_is_told_of_wherever_it_is(tmp_path: Path, reference_data: bytes) -> None:
    with serving(tmp_path, workers=True) as served:
        assert served.client.put("/v1/models/m", json={"label": "label", "chunk": "1d"}).status_code == 201
        assert served.client.get("/v1/models/m/events/a").json()["type"] == "urn:barograph:not-ready"
        answer = served.client.post("/v1/models/m/references?wait=60", content=reference_data, headers=PARQUET)
        assert answer.status_code == 201

    with serving(tmp_path) as served:  # nobody files
        send(served, "events", row("a", more={"trace": 7}), row("with/slash ü", label="1"))
        send(served, "events", row("bad", x="far"), row("good"), status=200)
        send(served, "labels", {"id": "early", "label": "0"}, {"id": "a", "label": "1", "label_timestamp": T})
        said = told(served, "a")
        assert (said["state"], said["verdict"][:10], said["has_label"]) == ("waiting", "It arrived", True)
        (event,) = said["events"]
        assert (event["state"], event["timestamp"], event["day"], event["chunk"]) == (
            "waiting",
            T,
            "2024-01-20",
            "2024-01-20",
        )
        assert (event["values"]["x"], event["values"]["colour"]) == (0.5, "red")
        (label,) = said["labels"]
        assert (label["state"], label["label"], label["label_timestamp"]) == ("waiting", "1", T)
        assert told(served, "with%2Fslash%20%C3%BC")["labels"][0]["label"] == "1"
        bad = told(served, "bad")
        assert (bad["state"], bad["events"], bad["rejected"][0]["kind"]) == ("rejected", [], "events")
        assert bad["rejected"][0]["reasons"] == ["x: expected a number, got 'far'"]
        assert told(served, "early")["state"] == "only a label"
        assert "Nothing with the id 'ba' has arrived" in told(served, "ba", 404)["detail"]

    with serving(tmp_path, workers=True) as served:
        wait_for(lambda: told(served, "a")["state"] == "counted", "it is counted", 60)
        wait_for(lambda: told(served, "early")["labels"][0]["state"] == "without event", "its label is filed", 60)
        wait_for(lambda: told(served, "bad")["rejected"][0]["received_at"] != "", "it is set aside", 60)
        said = told(served, "a")
        assert [event["state"] for event in said["events"]] == ["counted"]
        assert [(label["state"], label["label"]) for label in said["labels"]] == [("filed", "1")]
        assert said["events"][0]["values"] == {**event["values"]}
        assert told(served, "with%2Fslash%20%C3%BC")["events"][0]["values"]["event_id"] == "with/slash ü"
        assert told(served, "bad")["rejected"][0]["replayed_at"] is None
        told(served, "ba", 404)
        send(served, "events", row("a", timestamp="2024-01-22T00:00:00Z"), row("early"))
        wait_for(lambda: [e["state"] for e in told(served, "a")["events"]] == ["counted"] * 2, "another day's", 60)
        assert [e["day"] for e in told(served, "a")["events"]] == ["2024-01-22", "2024-01-20"]
        wait_for(lambda: told(served, "early")["labels"][0]["state"] == "filed", "the label is adopted", 60)
        assert told(served, "early")["state"] == "counted"
