"""Projects are made, renamed and chosen; what one has, the others do not see."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from serving import Served, serving

from barograph.server.permissions import ROLES

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("projects"), local=False) as served:
        yield served


def bearer(token: str, project: str | None = None) -> dict[str, str]:
    named = {} if project is None else {"Barograph-Project": project}
    return {"Authorization": f"Bearer {token}", **named}


def made(served: Served, token: str, **asked: str) -> httpx.Response:
    return served.client.post("/v1/projects", json=asked, headers=bearer(token))


def listed(served: Served, headers: dict[str, str]) -> list[str]:
    found = served.client.get("/v1/projects", headers=headers).json()["items"]
    return [f"{one['organisation']}/{one['name']}" for one in found]


def test_who_makes_projects_and_who_is_let_into_them(guarded: Served) -> None:
    keys = {role: guarded.key(role) for role in ROLES}
    for role in ("ingest", "viewer", "editor", "admin"):
        assert made(guarded, keys[role], name="x").status_code == 403
    fraud = made(guarded, keys["owner"], name="fraud")
    assert (fraud.status_code, fraud.json()["organisation"]) == (201, "default")
    assert made(guarded, keys["owner"], name="fraud").status_code == 409
    assert made(guarded, keys["owner"], name="a/b").status_code == 422
    assert made(guarded, keys["owner"], name="x", organisation="acme").status_code == 403
    other = made(guarded, keys["operator"], name="theft", organisation="acme")
    assert (other.status_code, other.json()["organisation"]) == (201, "acme")
    assert made(guarded, keys["owner"], name="x", organisation="acme").status_code == 403

    every = ["default/default", "default/fraud", "acme/theft"]
    seen = {role: listed(guarded, bearer(keys[role])) for role in ROLES if role != "ingest"}
    assert seen == {
        "viewer": every[:1],
        "editor": every[:1],
        "admin": every[:1],
        "owner": every[:2],
        "operator": every,
    }

    def status(role: str, project: str) -> int:
        return guarded.client.get("/v1/models", headers=bearer(keys[role], project)).status_code

    for role in ("viewer", "editor", "admin"):
        assert [status(role, name) for name in ("default", "fraud", "acme/theft", "none")] == [200, 404, 404, 404]
    assert [status("owner", name) for name in ("default", "fraud", "acme/theft", "none")] == [200, 200, 404, 404]
    assert [status("operator", name) for name in ("default", "fraud", "acme/theft", "none")] == [200, 200, 200, 404]
    assert status("operator", "theft") == 404  # a plain name is one of the key's own organisation

    renamed = {"name": "scams"}
    path = f"/v1/projects/{fraud.json()['id']}"
    assert guarded.client.patch(path, json=renamed, headers=bearer(keys["admin"])).status_code == 403
    theirs = f"/v1/projects/{other.json()['id']}"
    assert guarded.client.patch(theirs, json=renamed, headers=bearer(keys["owner"])).status_code == 404
    assert guarded.client.patch(path, json=renamed, headers=bearer(keys["owner"])).json()["name"] == "scams"
    taken = guarded.client.patch(path, json={"name": "default"}, headers=bearer(keys["owner"]))
    assert taken.status_code == 409
    assert [status("owner", name) for name in ("fraud", "scams")] == [404, 200]
    acts = guarded.client.get("/v1/audit", headers=bearer(keys["owner"], "scams")).json()["items"]
    assert [(act["action"], act["actor"]["kind"], act["actor"]["name"]) for act in acts] == [
        ("rename project", "key", "owner"),
        ("create project", "key", "owner"),
    ]


def test_events_go_into_the_project_that_is_named(guarded: Served) -> None:
    owner = guarded.key("owner")
    assert made(guarded, owner, name="second").status_code == 201
    for project in ("default", "second"):
        answer = guarded.client.put("/v1/models/same", json={}, headers=bearer(owner, project))
        assert answer.status_code == 201
    assert guarded.client.delete("/v1/models/same", headers=bearer(owner, "second")).status_code in (200, 202, 204)
    found = guarded.client.get("/v1/models", headers=bearer(owner)).json()["items"]
    assert [model["name"] for model in found] == ["same"]
    event = {"event_id": "1", "timestamp": "2024-01-01T00:00:00Z"}
    sent = guarded.client.post("/v1/models/same/events", json=event, headers=bearer(owner, "nowhere"))
    assert (sent.status_code, sent.json()["detail"]) == (404, "There is no project 'nowhere'.")


def test_a_key_is_never_given_more_than_its_maker_has(guarded: Served) -> None:
    order = ["ingest", "viewer", "editor", "admin", "owner", "operator"]
    for maker in ("admin", "owner", "operator"):
        headers = bearer(guarded.key(maker))
        got = [guarded.client.post("/v1/keys", json={"name": "k", "role": role}, headers=headers) for role in order]
        may = order.index(maker) + 1
        assert [answer.status_code for answer in got] == [201] * may + [403] * (len(order) - may)


def test_two_headers_and_odd_names_are_refused(guarded: Served) -> None:
    owner = guarded.key("owner")
    authorization = ("Authorization", f"Bearer {owner}")
    twice = [authorization, ("Barograph-Project", "default"), ("Barograph-Project", "default")]
    assert guarded.client.get("/v1/models", headers=twice).status_code == 400
    for odd in (b"\xff", b"", b"/", b"default/", b"x" * 500, "fr\u00e4ud".encode()):
        named = [authorization, ("Barograph-Project", odd)]
        assert guarded.client.get("/v1/models", headers=named).status_code in (400, 404)  # type: ignore[arg-type]  # of a test


def test_a_browser_looks_at_one_project_and_goes_to_another(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("local")) as served:
        client = served.client
        assert 'name="project"' not in client.get("/", headers=HTML).text  # there is one alone
        assert client.post("/v1/projects", json={"name": "fraud"}).status_code == 201
        assert client.put("/v1/models/mine", json={}).status_code == 201
        assert client.put("/v1/models/theirs", json={}, headers={"Barograph-Project": "fraud"}).status_code == 201
        page = client.get("/", headers=HTML).text
        assert ("/models/mine" in page, "/models/theirs" in page) == (True, False)
        elsewhere = page[page.index("Other projects") :]
        assert re.search(r'value="2">default/fraud</button>.*?nobody knows how it is', elsewhere, re.DOTALL)
        counts = [one["models"] for one in client.get("/v1/projects").json()["items"]]
        assert counts == [{"not known": 1}, {"not known": 1}]
        csrf = re.search(r'data-csrf="(\w+)"', page)
        assert csrf is not None
        assert client.post("/project", data={"project": "2"}).status_code == 403
        assert client.post("/project", data={"project": "99", "csrf": csrf[1]}, headers=HTML).status_code == 404
        went = client.post("/project", data={"project": "2", "csrf": csrf[1]})
        assert (went.status_code, went.headers["Location"]) == (303, "/")
        page = client.get("/", headers=HTML).text
        assert ("/models/mine" in page, "/models/theirs" in page) == (False, True)
        assert client.get("/models/mine", headers=HTML).status_code == 404
        assert "default/fraud</option>" in page
        client.cookies.set("barograph_project", "99")  # what is not theirs, or not there, changes nothing
        assert client.get("/models/mine", headers=HTML).status_code == 200
