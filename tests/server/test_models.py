"""Models and their specifications."""

from __future__ import annotations

from itertools import count

import pytest
from serving import Served

from barograph.spec.file import load_spec

TOML = {"Content-Type": "application/toml"}


def test_a_model_is_registered_and_changed(served: Served) -> None:
    client = served.client
    made = client.put("/v1/models/m1", json={"task": "binary", "label": "late", "chunk": "1w"})
    assert (made.status_code, made.headers["Location"]) == (201, "/v1/models/m1")
    assert made.json()["chunk"] == "1w"
    got = client.get("/v1/models/m1")
    assert got.headers["ETag"] == made.headers["ETag"]
    assert got.json() == made.json()
    assert made.json()["notes"] == [
        "Every event needs `timestamp`: one without is rejected, unless service.no_timestamp is 'receipt'."
    ]
    changed = client.put("/v1/models/m1", content=b'task = "binary"\nlabel = "later"\nversion = "7"', headers=TOML)
    assert changed.status_code == 200
    assert changed.json()["version"] == "7"
    assert changed.headers["ETag"] != made.headers["ETag"]
    on_request = {"timestamp": "at", "service": {"no_timestamp": "receipt"}}
    told = client.put("/v1/models/m1", json=on_request | {"task": "binary", "label": "later", "version": "7"}).json()
    assert told["notes"] == ["An event without `at` is of the time when it comes."]
    said = client.get("/v1/models/m1/spec").json()
    assert (said["name"], said["label"], said["budget"]) == ("m1", "later", "1 false alarm per month")
    text = client.get("/v1/models/m1/spec", headers={"Accept": "application/toml"}).text
    assert load_spec(text).label == "later"
    again = client.put("/v1/models/m1/spec", json=said)  # what is read can be written
    assert (again.status_code, client.get("/v1/models/m1/spec").json()) == (200, said)
    assert client.put("/v1/models/nobody/spec", json={}).status_code == 404
    assert client.delete("/v1/models/m1").status_code == 202
    assert client.get("/v1/models/m1").status_code == 404
    acts = [r["action"] for r in client.get("/v1/audit?target=m1").json()["items"]]
    assert acts == ["delete model", *["change model"] * 3, "register model"]


def test_everything_that_is_wrong_is_told_at_once(served: Served) -> None:
    answer = served.client.put("/v1/models/m2", json={"lable": "x", "threshold": 7, "monitors": [{"metric": "pssi"}]})
    assert answer.status_code == 422
    assert {e["path"] for e in answer.json()["errors"]} == {"$.lable", "$.threshold", "$.monitors[0].metric"}
    assert "Did you mean 'psi'?" in answer.text


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 422),
        (b"[" * 50_000, {"Content-Type": "application/json"}, 400),
        (b'{"threshold": NaN}', {"Content-Type": "application/json"}, 400),
        (b'{"name": "another"}', {"Content-Type": "application/json"}, 422),
        (b'{"chunk": "500rows"}', {"Content-Type": "application/json"}, 422),
        (b"task = ", TOML, 400),
        (b"/etc/passwd.toml", TOML, 400),
        (b"\xff", TOML, 400),
        (b"<a/>", {"Content-Type": "application/xml"}, 415),
        (b" " * (2**20 + 1), TOML, 413),
    ],
    ids=count(),
)
def test_bodies_that_are_no_specification(served: Served, content: bytes, headers: dict[str, str], status: int) -> None:
    answer = served.client.put("/v1/models/m3", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert served.client.get("/v1/models/m3").status_code == 404


@pytest.mark.parametrize("name", ["-x", "..x", "a" * 101, "%C3%A4", "a%20b", "%00"])
def test_names_that_cannot_be(served: Served, name: str) -> None:
    assert served.client.put(f"/v1/models/{name}", json={}).status_code in (404, 422)


def test_two_people_do_not_overwrite_each_other(served: Served) -> None:
    client = served.client
    first = client.put("/v1/models/m4", json={}, headers={"If-None-Match": "*"})
    assert first.status_code == 201
    assert client.put("/v1/models/m4", json={}, headers={"If-None-Match": "*"}).status_code == 412
    seen = {"If-Match": first.headers["ETag"]}
    assert client.put("/v1/models/m4", json={"version": "2"}, headers=seen).status_code == 200
    lost = client.put("/v1/models/m4", json={"version": "3"}, headers=seen)
    assert (lost.status_code, lost.json()["type"]) == (412, "urn:barograph:changed")
    assert client.delete("/v1/models/m4", headers=seen).status_code == 412
    assert client.put("/v1/models/m5", json={}, headers=seen).status_code == 412
    same = {"If-None-Match": client.get("/v1/models/m4/spec").headers["ETag"]}
    assert client.get("/v1/models/m4/spec", headers=same).status_code == 304


def test_pages_show_each_model_once(served: Served) -> None:
    names = sorted(f"page{i:02}" for i in range(7))
    for name in names:
        served.client.put(f"/v1/models/{name}", json={})
    seen, url, pages = [], "/v1/models?limit=3", 0
    while url:
        page = served.client.get(url).json()
        assert len(page["items"]) <= 3
        seen += [model["name"] for model in page["items"]]
        url, pages = page["next"], pages + 1
    assert [name for name in seen if name.startswith("page")] == names
    assert len(seen) == len(set(seen))
    assert pages >= 3
    for wrong in ("limit=0", "limit=1001", "limit=x", "after=nonsense", "after=WzFd"):
        answer = served.client.get(f"/v1/models?{wrong}")
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:barograph:invalid")


def test_changes(served: Served) -> None:
    client = served.client
    client.put("/v1/models/m6", json={})
    told = {"kind": "deployment", "title": "Model 7 went live", "at": "2024-05-01T12:00:00+02:00", "version": "7"}
    made = client.post("/v1/models/m6/changes", json=told)
    assert made.status_code == 201
    assert made.json()["at"] == "2024-05-01T10:00:00Z"
    assert made.json()["created_by"]["name"] == "local"
    client.post("/v1/models/m6/changes", json={"title": "and another"})
    titles = [c["title"] for c in client.get("/v1/models/m6/changes").json()["items"]]
    assert titles == ["and another", "Model 7 went live"]
    before = client.get("/v1/models/m6/changes?end=2024-06-01").json()["items"]
    assert [c["title"] for c in before] == ["Model 7 went live"]
    wrong = client.post("/v1/models/m6/changes", json={"kind": "magic", "titel": "x"})
    assert {e["path"] for e in wrong.json()["errors"]} == {"$.kind", "$.title", "$.titel"}


def test_silences(served: Served) -> None:
    client = served.client
    client.put("/v1/models/m7", json={})
    asked = {"model": "m7", "matchers": {"column": "dep_*"}, "reason": "rebuilt", "ends_at": "2100-01-01T00:00:00Z"}
    made = client.post("/v1/silences", json=asked)
    assert made.status_code == 201
    number = made.json()["id"]
    assert [s["id"] for s in client.get("/v1/silences?model=m7").json()["items"]] == [number]
    assert client.delete(f"/v1/silences/{number}").status_code == 204
    assert client.get("/v1/silences?model=m7").json()["items"][0]["ends_at"] < "2100"
    assert client.delete("/v1/silences/424242").status_code == 404
    wrong = client.post("/v1/silences", json={**asked, "matchers": {"colour": "x"}})
    assert "Did you mean 'column'?" in wrong.text
    assert client.post("/v1/silences", json={**asked, "ends_at": "2001-01-01"}).status_code == 422
