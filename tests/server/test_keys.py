"""Every route with keys of each action, and with those that must not get through."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from serving import Served, serving, wait_for

from barograph.server.app import create_api
from barograph.server.permissions import PERMISSIONS, ROLES
from barograph.server.problems import MEDIA_TYPE
from barograph.server.route_table import RULES, Rule
from barograph.store.clock import wall_clock_us

PLACES = {
    "model": "flights",
    "number": "1",
    "chunk": "2024-01-01",
    "incident": "nobody",
    "silence": "1",
    "job": "1",
    "key": "1",
    "poison": "1",
    "change": "1",
    "comment": "1",
    "event": "1",
    "removal": "1",
    "erasure": "1",
    "delivery": "1",
    "receiver": "nobody",
    "project": "1",
    "user": "1",
    "session": "1",
}
GUARDED = [rule for rule in RULES if rule.permission is not None]
OPEN = [rule for rule in RULES if rule.permission is None]


def path_of(rule: Rule) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: PLACES[match[1]], rule.path)


def call(served: Served, rule: Rule, **headers: str) -> httpx.Response:
    """Ask without a key unless there is one in `headers`."""
    return served.client.request(rule.method, path_of(rule), headers=headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server that asks everybody for a key, with one thing of each kind, all with the number 1."""
    with serving(tmp_path_factory.mktemp("guarded"), local=False) as served:
        client, headers = served.client, bearer(served.key("admin"))
        assert client.put("/v1/models/flights", json={"task": "binary"}, headers=headers).status_code == 201
        silence = {"matchers": {"column": "x"}, "reason": "a test", "ends_at": "2100-01-01T00:00:00Z"}
        assert client.post("/v1/silences", json=silence, headers=headers).json()["id"] == 1
        sent = client.post(
            "/v1/models/flights/references", content=b"a\n1\n", headers={**headers, "Content-Type": "text/csv"}
        )
        assert sent.json()["number"] == 1
        assert client.get("/v1/jobs/1", headers=headers).status_code == 200
        yield served


def routes_of(api: FastAPI) -> set[tuple[str, str]]:
    document = api.openapi()
    return {(method.upper(), path) for path, item in document["paths"].items() for method in item}


def test_the_table_has_every_route_and_no_other(guarded: Served) -> None:
    assert routes_of(create_api(guarded.service)) == {(rule.method, rule.path) for rule in RULES}
    assert len({(rule.method, rule.path) for rule in RULES}) == len(RULES)
    assert {rule.permission for rule in GUARDED} == set(PERMISSIONS) - {"operate"}


def test_only_these_answer_anybody(guarded: Served) -> None:
    assert {rule.path for rule in OPEN} == {"/healthz", "/readyz", "/v1/openapi.json"}
    for rule in OPEN:
        assert call(guarded, rule).status_code == 200


@pytest.mark.parametrize("role", ROLES)
def test_a_key_opens_what_its_role_may(guarded: Served, role: str) -> None:
    headers = bearer(guarded.key(role))
    for rule in GUARDED:
        if rule.method == "DELETE" and rule.path == "/v1/models/{model}":
            continue  # it would be gone for the others
        status = call(guarded, rule, **headers).status_code
        if rule.permission in ROLES[role]:
            assert status not in (401, 403), rule
            assert status < 500, rule
        else:
            assert status == 403, rule


def test_without_a_valid_key_nothing_opens(guarded: Served) -> None:
    good = guarded.key("admin")
    expired = guarded.key("admin", expires_us=wall_clock_us() - 1)
    another = guarded.key("admin")
    mixed = "_".join([*another.split("_")[:2], good.split("_", 2)[2]])
    for headers in (
        {},
        bearer(expired),
        bearer(mixed),
        bearer(good[:-1]),
        bearer("baro_" + "x" * 12 + "_" + "y" * 43),
        {"Authorization": f"Basic {good}"},
        {"Authorization": good},
    ):
        for rule in GUARDED:
            answer = call(guarded, rule, **headers)
            assert answer.status_code == 401, (rule, headers)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert answer.headers["Content-Type"] == MEDIA_TYPE
            assert "baro_x" not in answer.text
            assert good[20:] not in answer.text


def test_a_revoked_key_stops_within_five_seconds_in_this_process_at_once(guarded: Served) -> None:
    admin, victim = bearer(guarded.key("admin")), guarded.key("viewer")
    assert guarded.client.get("/v1/models", headers=bearer(victim)).status_code == 200
    keys = guarded.client.get("/v1/keys?limit=1000", headers=admin).json()["items"]
    number = next(key["id"] for key in keys if key["prefix"] == victim.split("_")[1])
    assert guarded.client.delete(f"/v1/keys/{number}", headers=admin).status_code == 204
    assert guarded.client.get("/v1/models", headers=bearer(victim)).status_code == 401


def test_a_key_that_another_process_revokes_stops_within_five_seconds(guarded: Served) -> None:
    from barograph.store.catalog.database import writing
    from barograph.store.catalog.keys import revoke_key
    from barograph.store.catalog.scope import Scope

    victim, admin = bearer(guarded.key("viewer")), bearer(guarded.key("admin"))
    assert guarded.client.get("/v1/models", headers=victim).status_code == 200
    keys = guarded.client.get("/v1/keys?limit=1000", headers=admin).json()["items"]
    number = next(key["id"] for key in keys if key["prefix"] == victim["Authorization"].split("_")[1])
    with writing(guarded.service.engine) as connection:
        revoke_key(Scope(connection, 1), number, now_us=wall_clock_us())

    def stopped() -> bool:
        return guarded.client.get("/v1/models", headers=victim).status_code == 401

    wait_for(stopped, "the key stops", seconds=5.0)


def test_another_project_s_things_are_not_there(guarded: Served) -> None:
    other = guarded.project("other")
    headers = bearer(guarded.key("admin", project_id=other))
    for rule in GUARDED:
        if rule.permission not in ROLES["admin"]:
            continue
        if "{" not in rule.path or (rule.method == "PUT" and rule.path == "/v1/models/{model}"):
            continue
        content = b'{"event_id":"1","timestamp":"2024-01-01T00:00:00Z"}'
        sent = {**headers, "Content-Type": "application/json"}
        if rule.path.endswith("/cloudevents"):
            sent["Content-Type"] = "application/cloudevents+json"
            content = b'{"specversion": "1.0", "id": "1", "source": "/x", "type": "x", "data": {"x": 1}}'
        if rule.path.endswith("/references"):
            sent["Content-Type"] = "text/csv"
        if rule.path.endswith(("/spec", "/replay")):
            content = b"{}"
        if rule.path.endswith(("/changes", "/changes/{change}")):
            content = b'{"title": "x"}'
        if rule.path.endswith("/producers"):
            content = b'{"producer": "x"}'
        if rule.path.endswith("/probes"):
            content = b'{"probe": "x", "rows": 1}'
        if rule.path.endswith(("/comments", "/comments/{comment}")):
            content = b'{"text": "x"}'
        if rule.path.endswith("/assign"):
            content = b'{"to": "x"}'
        if rule.path.endswith("/verdict"):
            content = b'{"verdict": "real"}'
        if rule.path.endswith(("/pause", "/retire", "/resume")):
            content = b'{"reason": "x"}'
        if rule.method == "PATCH" and rule.path.endswith("/silences/{silence}"):
            content = b'{"duration": "2h"}'
        if rule.path.endswith("/purge"):
            content = b'{"everything": true}'
        if rule.method == "POST" and rule.path.endswith("/erasures"):
            content = b'{"id": "x"}'
        if rule.method == "PATCH" and rule.path == "/v1/users/{user}":
            content = b'{"role": null}'
        if rule.path.endswith(("/acknowledge", "/backfill", "/resolve", "/reopen")):
            content = b"{}"
        path = path_of(rule) + ("?metric=roc_auc" if rule.path.endswith("/series") else "")
        answer = guarded.client.request(rule.method, path, headers=sent, content=content)
        assert answer.status_code == 404, (rule, answer.text)
    assert guarded.client.get("/v1/models", headers=headers).json() == {"items": [], "next": None}
    # A model of the same name in the other project is another model.
    assert guarded.client.put("/v1/models/flights", json={}, headers=headers).status_code == 201
    mine = guarded.client.get("/v1/audit", headers=headers).json()["items"]
    assert [record["action"] for record in mine] == ["register model"]


def test_on_this_machine_no_key_is_needed_unless_the_request_comes_from_elsewhere(served: Served) -> None:
    assert served.client.get("/v1/keys").status_code == 200
    for headers in (
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"X-Forwarded-For": "10.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        bearer("baro_" + "x" * 12 + "_" + "y" * 43),  # who shows a key means it
    ):
        assert served.client.get("/v1/keys", headers=headers).status_code == 401, headers


def test_a_key_is_shown_once_and_its_use_is_noted(served: Served) -> None:
    made = served.client.post("/v1/keys", json={"name": "job", "role": "viewer"})
    assert made.status_code == 201
    token, number = made.json()["token"], made.json()["id"]
    assert served.client.get("/v1/models", headers=bearer(token)).status_code == 200
    listed = served.client.get("/v1/keys?limit=1000").text
    assert token not in listed
    assert token.split("_", 2)[2] not in listed + served.client.get("/v1/audit").text
    served.service.key_lookup.note_use()
    keys = {key["id"]: key for key in served.client.get("/v1/keys?limit=1000").json()["items"]}
    assert keys[number]["last_used_at"]
    assert served.client.delete("/v1/keys/424242").status_code == 404
    past = {"name": "x", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}
    assert served.client.post("/v1/keys", json=past).json()["errors"][0]["path"] == "$.expires_at"
