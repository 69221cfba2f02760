"""From nothing to incidents, with workers behind the server."""

from __future__ import annotations

import sys
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from serving import PARQUET, Served, arrow, parquet, serving, wait_for

from barograph.metrics.facts import heading_of
from barograph.profiles.profiles import Profiles
from barograph.reference.reference import Reference
from logged import events

ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}


@pytest.fixture(scope="module")
def model(working: Served, reference_data: bytes) -> str:
    """Return a model of which events came whose scores are upside down from the middle on."""
    client = working.client
    assert client.put("/v1/models/flights", json={"task": "binary", "label": "label"}).status_code == 201
    sent = client.post("/v1/models/flights/references?wait=60", content=reference_data, headers=PARQUET)
    assert sent.status_code == 201, sent.text
    came = events(6000, seed=2)
    turned = came.with_columns(
        score=pl.when(pl.int_range(pl.len()) > 3000).then(1 - pl.col("score")).otherwise("score")
    )
    answer = client.post("/v1/models/flights/events", content=arrow(turned), headers=ARROW)
    assert answer.json()["accepted"] == 6000
    bad = client.post("/v1/models/flights/events", json=[{"event_id": "bad", "timestamp": "yesterday"}])
    assert bad.status_code == 422

    def looked_at() -> bool:
        state = client.get("/v1/models/flights").json()["state"]
        return bool(state and state["events"] >= 6000 and state["incidents"])

    wait_for(looked_at, "the events are evaluated", seconds=60)
    return "flights"


def test_the_state_says_how_the_model_is(working: Served, model: str) -> None:
    said = working.client.get(f"/v1/models/{model}").json()
    assert said["reference"] == 1
    state = said["state"]
    assert state["severity"] == "critical"
    assert state["labels"] == 6000
    assert state["last_event_at"].startswith("2024-01-20")
    assert state.pop("label_age_seconds") > 0  # it grows from one answer to the next
    (listed,) = working.client.get("/v1/models").json()["items"]
    del listed["state"]["label_age_seconds"]
    assert listed == {**said, "notes": []}  # of one model alone


def test_results_and_series(working: Served, model: str) -> None:
    client, base = working.client, f"/v1/models/{model}"
    rows = everything(working, f"{base}/results?metric=roc_auc&family=performance&limit=3")
    assert [row["chunk"] for row in rows] == sorted(row["chunk"] for row in rows)
    assert len(rows) >= 18
    assert {row["status"] for row in rows} >= {"ok", "breach"}
    assert rows[0]["value"] > 0.7 > 0.4 > rows[-1]["value"]
    series = everything(working, f"{base}/series?metric=roc_auc&family=performance&limit=7")
    slip = working.client.get(f"{base}/series?metric=acuracy")
    assert (slip.status_code, slip.json()["detail"]) == (
        422,
        "There is no metric 'acuracy'. Did you mean 'accuracy'?",
    )
    assert series == rows
    for name, value, meant in [
        ("column", "amuont", "amount"),
        ("family", "perfomance", "performance"),
        ("monitor", "performance.roc_ac", "performance.roc_auc"),
        ("metric", "roc_ac", "roc_auc"),
        ("segment", "colour=red", None),
    ]:
        slip = working.client.get(f"{base}/results?{name}={value}").json()
        hint = f" Did you mean {meant!r}?" if meant else ""
        assert slip["errors"] == [{"path": f"query.{name}", "message": f"There is no such {name}.{hint}"}]
    one = client.get(f"{base}/results?chunk=2024-01-03&limit=1000").json()["items"]
    assert {row["chunk"] for row in one} == {"2024-01-03"}
    assert one == client.get(f"{base}/results?start=2024-01-03&end=2024-01-04&limit=1000").json()["items"]
    assert {row["status"] for row in client.get(f"{base}/results?status=breach").json()["items"]} == {"breach"}
    drift = client.get(f"{base}/results?column=x&family=drift&limit=1").json()["items"]
    assert drift[0]["column"] == "x"
    assert client.get(f"{base}/results?as_of=2024-01-01").json()["items"] == []  # nothing was known then
    assert client.get(f"{base}/results?chunk=2024-W3").json()["errors"] == []
    assert client.get(f"{base}/results?chunk=2024-W3").status_code == 422
    monitors = everything(working, f"{base}/monitors?limit=10")
    assert "performance.roc_auc" in {m["monitor"] for m in monitors}
    assert [m["monitor"] for m in monitors] == sorted({m["monitor"] for m in monitors})
    titles = {m["metric"]: m["title"] for m in monitors}
    assert titles["kolmogorov_smirnov"] == "Kolmogorov–Smirnov distance"
    assert titles == {metric: heading_of(metric) for metric in titles}


def everything(served: Served, url: str | None) -> list[dict[str, Any]]:
    """Return the items of all pages."""
    found = []
    while url:
        page = served.client.get(url)
        assert page.status_code == 200, page.text
        found += page.json()["items"]
        url = page.json()["next"]
    return found


def test_profiles(working: Served, model: str) -> None:
    client, base = working.client, f"/v1/models/{model}"
    heads = everything(working, f"{base}/profiles?limit=6")
    assert len(heads) == 20
    assert sum(head["rows"] for head in heads) == 6000
    chunk = heads[4]["chunk"]
    got = client.get(f"{base}/profiles/{chunk}")
    said = got.json()
    assert (said["chunk"], said["rows"], said["label_coverage"]) == (chunk, heads[4]["rows"], 1.0)
    x, colour = said["columns"]["x"], said["columns"]["colour"]
    assert sum(x["histogram"]["counts"]) == x["counts"]["rows"] == said["rows"]
    assert len(x["histogram"]["counts"]) == len(x["histogram"]["edges"]) + 1
    assert set(colour["categories"]["names"]) == {"red", "green", "blue"}
    assert sum(colour["categories"]["counts"]) == said["rows"]
    assert client.get(f"{base}/profiles/{chunk}", headers={"If-None-Match": got.headers["ETag"]}).status_code == 304
    fine = client.get(f"{base}/profiles/{chunk}?bins=fine").json()["columns"]["x"]["histogram"]
    assert len(fine["counts"]) > len(x["histogram"]["counts"])
    learned = Reference.from_bytes(client.get(f"{base}/references/1/data").content)
    kept = client.get(f"{base}/profiles/{chunk}", headers={"Accept": "application/octet-stream"}).content
    assert Profiles.from_bytes(kept, learned.yardstick).at(0).n == said["rows"]
    assert client.get(f"{base}/profiles/1999-01-01").status_code == 404
    assert client.get(f"{base}/profiles/{chunk}?segment=origin%3DJFK").status_code == 422


def test_incidents_are_told_and_seen_to(working: Served, model: str) -> None:
    client = working.client
    found = client.get("/v1/incidents?severity=critical").json()["items"]
    assert found
    assert all(i["model"] == model for i in found)
    url = f"/v1/incidents/{found[0]['id']}"
    assert found[0]["since_chunk"] in found[0]["title"]
    assert found[0]["since"] == f"{found[0]['since_chunk']}T00:00:00Z"
    kinds = [change["kind"] for change in client.get(f"/v1/models/{model}/changes").json()["items"]]
    assert kinds[-1] == "reference"  # when the first one was used
    assert client.get(url).json()["acknowledged_by"] is None
    bare = client.post(f"{url}/acknowledge")
    assert (bare.status_code, bare.json()["acknowledged_by"]["name"]) == (200, "local")
    assert client.post(f"{url}/acknowledge", json={"acknowledged": False}).json()["acknowledged_by"] is None
    seen = client.post(f"{url}/acknowledge", json={})
    assert (seen.status_code, seen.json()["acknowledged_by"]["name"]) == (200, "local")
    assert client.post(f"{url}/comments", json={"text": "The scores are upside down."}).status_code == 201
    assert [c["text"] for c in client.get(url).json()["comments"]] == ["The scores are upside down."]
    undone = client.post(f"{url}/acknowledge", json={"acknowledged": False}).json()
    assert undone["acknowledged_at"] is None
    alerts = everything(working, "/v1/alerts?limit=2")
    assert {a["id"] for a in alerts} >= {found[0]["body"]["root"]}
    assert client.get("/v1/incidents?model=nobody").status_code == 404
    # Of another project, it is not there, whatever its id.
    other = {"Authorization": f"Bearer {working.key('admin', project_id=working.project('others'))}"}
    for method, path in (("GET", url), ("POST", f"{url}/acknowledge"), ("POST", f"{url}/comments")):
        assert (
            client.request(method, path, json={"text": "x"} if "comm" in path else {}, headers=other).status_code == 404
        )
    assert client.get("/v1/incidents", headers=other).json()["items"] == []
    assert client.get("/v1/alerts", headers=other).json()["items"] == []
    assert "flights" not in client.get("/metrics", headers=other).text


def test_references(working: Served, model: str, tmp_path: Path) -> None:
    client, base = working.client, f"/v1/models/{model}/references"
    got = client.get(f"{base}/1").json()
    assert (got["state"], got["active"], got["rows"]) == ("ready", True, 3000)
    assert got["columns"]["label"] == "label"
    assert any("event_id" in decision for decision in got["decisions"])
    data = client.get(f"{base}/1/data")
    path = tmp_path / "reference.barograph"
    path.write_bytes(data.content)
    assert Reference.load(path).total.n == 3000
    assert client.get(f"{base}/1/data", headers={"If-None-Match": data.headers["ETag"]}).status_code == 304
    for number in (0, 77, -1, 2**40):
        assert client.get(f"{base}/{number}").status_code == 404
    assert client.post(f"{base}/77/activate").status_code == 404
    assert client.post(f"{base}/1/activate").json()["active"]


@pytest.mark.parametrize("form", ["parquet", "csv", "arrow"])
def test_a_reference_in_each_form_is_learned_alike(working: Served, form: str) -> None:
    frame, client = events(500, seed=4), working.client
    client.put(f"/v1/models/by-{form}", json={})
    file = BytesIO()
    if form == "parquet":
        frame.write_parquet(file)
    elif form == "csv":
        frame.write_csv(file)
    else:
        frame.write_ipc_stream(file)
    kinds = {"parquet": PARQUET["Content-Type"], "csv": "text/csv; charset=utf-8", "arrow": ARROW["Content-Type"]}
    sent = client.post(
        f"/v1/models/by-{form}/references?wait=60", content=file.getvalue(), headers={"Content-Type": kinds[form]}
    )
    assert (sent.status_code, sent.json()["state"]) == (201, "ready"), sent.text
    said = sent.json()["columns"]
    assert (said["label"], said["timestamp"], said["scores"]) == ("label", "timestamp", {"1": "score"})
    assert dict(map(tuple, said["features"])) == {"x": "numeric", "amount": "numeric", "colour": "categorical"}


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "text/csv", 422),
        (b"a,b\n", "text/csv", 422),
        (b"a,b\n1,2,3\n", "text/csv", 422),
        (b'a,b\n"1,2\n', "text/csv", 422),
        (b"PAR1nonsense", PARQUET["Content-Type"], 422),
        (b"nonsense", ARROW["Content-Type"], 422),
        (arrow(events(10))[:-200], ARROW["Content-Type"], 422),
        (b"x", "application/json", 415),
    ],
    ids=count(),
)
def test_reference_data_that_cannot_be_read(working: Served, content: bytes, kind: str, status: int) -> None:
    working.client.put("/v1/models/unread", json={})
    answer = working.client.post("/v1/models/unread/references", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert "uploads" not in answer.text  # no paths of the server
    assert working.client.get("/v1/models/unread/references").json()["items"] == []
    assert list((working.service.settings.folder / "uploads").iterdir()) == []


def test_reference_data_from_which_nothing_can_be_learned(working: Served) -> None:
    working.client.put("/v1/models/odd", json={"label": "nowhere"})
    sent = working.client.post(
        "/v1/models/odd/references?wait=60", content=b"a\n1\n", headers={"Content-Type": "text/csv"}
    )
    assert sent.status_code == 422
    assert sent.json()["detail"].startswith("Reference 1 cannot be used: ")
    assert "nowhere" in sent.json()["detail"]
    assert str(working.service.settings.folder) not in sent.text
    (listed,) = working.client.get("/v1/models/odd/references").json()["items"]
    assert (listed["state"], listed["number"]) == ("failed", 1)
    assert sent.headers["Location"] == "/v1/models/odd/references/1"
    assert working.client.get("/v1/models/odd/references/1/data").status_code == 409
    assert working.client.post("/v1/models/odd/references/1/activate").status_code == 409


def test_the_report_of_a_model_is_a_page_that_says_what_the_state_says(
    working: Served, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, url = working.client, f"/v1/models/{model}/report"
    page = client.get(url)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<svg" in page.text
    verdict = client.get(f"/v1/models/{model}").json()["state"]["verdict"]
    assert verdict.partition(":")[0] in page.text
    for incident in client.get(f"/v1/incidents?model={model}&severity=critical").json()["items"]:
        assert incident["since_chunk"] in page.text
    assert client.get(url, headers={"If-None-Match": page.headers["etag"]}).status_code == 304
    assert client.get("/v1/models/nobody/report").status_code == 404
    client.put("/v1/models/bare", json={})
    assert client.get("/v1/models/bare/report").json()["type"] == "urn:barograph:not-ready"
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    lacking = client.get(url)
    assert (lacking.status_code, lacking.json()["type"]) == (501, "urn:barograph:not-installed")
    assert "pip install 'barograph[report]'" in lacking.json()["detail"]


def test_jobs_and_the_quarantine(working: Served, model: str) -> None:
    client = working.client
    rows = client.get(f"/v1/models/{model}/quarantine").json()["items"]
    assert [(row["kind"], row["reasons"]) for row in rows] == [("events", rows[0]["reasons"])]
    assert "timestamp" in rows[0]["reasons"][0]
    started = client.post(f"/v1/models/{model}/quarantine/replay")
    assert started.status_code == 202
    url = started.headers["Location"]
    wait_for(lambda: client.get(url).json()["state"] == "done", "the rows are tried again")
    assert client.get(url).json()["model"] == model
    assert [job["kind"] for job in client.get(f"/v1/jobs?model={model}&kind=replay").json()["items"]] == ["replay"]
    again = client.post(f"/v1/models/{model}/backfill", json={})
    assert again.status_code == 202
    wait_for(lambda: client.get(again.headers["Location"]).json()["state"] == "done", "the past is computed")
    assert client.get("/v1/jobs/424242").status_code == 404


def test_reference_data_of_too_many_columns_is_refused_at_the_door(working: Served) -> None:
    client, most = working.client, working.service.settings.body_columns
    assert client.put("/v1/models/wide", json={}).status_code == 201
    for columns in (most + 1, 20_000):
        frame = pl.DataFrame({f"c{i}": [1.0] for i in range(columns)})
        csv = frame.write_csv().encode()
        for content, kind in [
            (parquet(frame), PARQUET["Content-Type"]),
            (arrow(frame), "application/vnd.apache.arrow.stream"),
            (csv, "text/csv"),
        ]:
            sent = client.post("/v1/models/wide/references", content=content, headers={"Content-Type": kind})
            assert (sent.status_code, sent.json()["type"]) == (413, "urn:barograph:too-large"), kind
            assert f"{columns:,} columns" in sent.json()["detail"]
    nested = pl.DataFrame({"s": [{f"c{i}": 1 for i in range(most)}]})  # with `s` itself, one too many
    deeper = pl.DataFrame({"s": [{"t": {f"c{i}": 1 for i in range(most)}}]})
    for frame in (nested, deeper):
        for content, headers in [(parquet(frame), PARQUET), (arrow(frame), ARROW)]:
            sent = client.post("/v1/models/wide/references", content=content, headers=headers)
            assert (sent.status_code, sent.json()["type"]) == (413, "urn:barograph:too-large"), headers
            assert f"{most + 1 + (frame is deeper):,} columns, nested ones counted" in sent.json()["detail"]
    assert not client.get("/v1/models/wide/references").json()["items"]


def test_jobs_are_cancelled(tmp_path: Path, reference_data: bytes) -> None:
    with serving(tmp_path) as served:  # without workers: the job waits
        client = served.client
        client.put("/v1/models/m", json={})
        assert client.post("/v1/models/m/references", content=reference_data, headers=PARQUET).status_code == 202
        (job,) = client.get("/v1/jobs").json()["items"]
        assert job["state"] == "waiting"
        url = f"/v1/jobs/{job['id']}"
        for _ in range(2):
            cancelled = client.delete(url)
            assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
        assert client.get("/v1/jobs?state=cancelled").json()["items"][0]["id"] == job["id"]
        reference = client.get("/v1/models/m/references/1").json()
        assert (reference["state"], reference["reason"]) == ("failed", "Learning from it was cancelled.")
        assert client.delete("/v1/jobs/424242").status_code == 404
    with serving(tmp_path, workers=True) as served:
        again = served.client.post("/v1/models/m/references?wait=60", content=reference_data, headers=PARQUET)
        assert (again.status_code, again.json()["number"]) == (201, 2)
        done = served.client.get("/v1/jobs?state=done").json()["items"][0]
        refused = served.client.delete(f"/v1/jobs/{done['id']}")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:barograph:conflict")
        assert served.client.get("/v1/models/m/references/1").json()["state"] == "failed"


def test_a_specification_whose_job_is_cancelled_is_not_in_force(tmp_path: Path, reference_data: bytes) -> None:
    old, new = {"label": "label"}, {"label": "label", "segments": ["colour"]}
    with serving(tmp_path, workers=True) as served:
        served.client.put("/v1/models/m", json=old)
        sent = served.client.post("/v1/models/m/references?wait=60", content=reference_data, headers=PARQUET)
        assert sent.status_code == 201
    with serving(tmp_path) as served:  # without workers: the job waits
        client = served.client
        asked = client.put("/v1/models/m", json=new)
        assert (asked.status_code, asked.json()["pending"]["state"]) == (202, "pending")
        assert client.delete(asked.headers["Location"]).json()["state"] == "cancelled"
        said = client.get("/v1/models/m").json()
        assert (said["pending"]["state"], said["pending"]["reason"]) == ("failed", "Its job was cancelled.")
        assert client.get("/v1/models/m/spec").json()["segments"] == []
        assert said["reference"] == 1
        again = client.put("/v1/models/m", json=new)
        assert (again.status_code, again.json()["pending"]["state"]) == (202, "pending")
        assert again.headers["Location"] != asked.headers["Location"]
        assert client.put("/v1/models/m", json=old).json()["pending"] is None  # what is in force is wanted
        client.put("/v1/models/m", json=new)
    with serving(tmp_path, workers=True) as served:
        wait_for(lambda: served.client.get("/v1/models/m").json()["pending"] is None, "it is in force", 60)
        assert served.client.get("/v1/models/m/spec").json()["segments"] == ["colour"]
        kinds = [c["kind"] for c in served.client.get("/v1/models/m/changes").json()["items"]]
        assert sorted(kinds) == ["reference", "reference", "specification"]


def test_without_workers_the_answer_comes_when_the_wait_is_over(tmp_path: Path, reference_data: bytes) -> None:
    with serving(tmp_path) as served:
        served.client.put("/v1/models/m", json={})
        url = "/v1/models/m/references?wait=0.3"
        sent = served.client.post(url, content=reference_data, headers=PARQUET)
        assert (sent.status_code, sent.json()["state"]) == (202, "waiting")
        assert sent.headers["Location"] == "/v1/models/m/references/1"
        assert served.client.get("/v1/models/m/profiles").json()["type"] == "urn:barograph:not-ready"
        kept = served.service.settings.folder / "tables" / "1" / "1" / "references" / "1.parquet"
        assert pl.read_parquet(kept).height == 3000
