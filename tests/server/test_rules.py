"""The table of routes: which bodies are due, and HEAD wherever GET is answered."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from raw import answers_of, connected, next_answer, until_closed
from serving import Served, serving
from test_ingest import learn

from barograph.server.route_table import RULES, Body, Routes, Rule

NUMBERS = dict.fromkeys(
    [
        "number",
        "job",
        "silence",
        "key",
        "change",
        "comment",
        "poison",
        "erasure",
        "removal",
        "delivery",
        "project",
        "user",
        "session",
    ],
    "1",
)
KNOWN = {"model": "flights", "chunk": "2024-01-03", "incident": "x", "event": "x", "receiver": "x", **NUMBERS}
DUE = [rule for rule in RULES if rule.body is not Body.NONE]
READ = [rule for rule in RULES if rule.method == "GET"]


def path_of(rule: Rule) -> str:
    return rule.path.format(**KNOWN)


def id_of(rule: Rule) -> str:
    return f"{rule.method} {rule.path}"


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, reference_data: bytes) -> Iterator[Served]:
    """Return a server with a model that has a reference."""
    folder: Path = tmp_path_factory.mktemp("learned")
    learn(folder, reference_data)
    with serving(folder) as served:
        yield served


def test_the_table_and_the_documentation_agree_on_which_bodies_are_due(learned: Served) -> None:
    paths = learned.client.get("/v1/openapi.json").json()["paths"]
    said = {id_of(r): paths[r.path][r.method.lower()].get("requestBody", {}).get("required", False) for r in RULES}
    assert {rule for rule, required in said.items() if required} == {id_of(rule) for rule in DUE}


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson", "application/toml", "text/csv", None])
@pytest.mark.parametrize("rule", DUE, ids=id_of)
def test_an_empty_body_is_never_taken_where_one_is_due(learned: Served, rule: Rule, kind: str | None) -> None:
    before = learned.client.get("/v1/audit").json()
    for body in (b"", b"\n", b" \r\n\t"):
        headers = {} if kind is None else {"Content-Type": kind}
        answer = learned.client.request(rule.method, path_of(rule), content=body, headers=headers)
        assert answer.status_code in (400, 404, 415, 422), (body, answer.text)
        # The answers of OpenTelemetry have no status beside that of HTTP.
        assert answer.json().get("status", answer.status_code) == answer.status_code
        assert answer.json().get("detail") or answer.json()["message"]
    assert learned.client.get("/v1/audit").json() == before


@pytest.mark.parametrize("kind", ["events", "labels"])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_what_expands_to_nothing_is_empty(learned: Served, kind: str, encoding: str) -> None:
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress, "identity": bytes}[encoding]
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": encoding}
    for body in (b"", b"\n\n"):
        answer = learned.client.post(f"/v1/models/flights/{kind}", content=pack(body), headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:barograph:malformed")
        assert "empty" in answer.json()["detail"]


@pytest.mark.parametrize("rule", READ, ids=id_of)
def test_head_is_answered_as_get_without_the_body(learned: Served, rule: Rule) -> None:
    path = path_of(rule) + ("?metric=roc_auc" if rule.path.endswith("/series") else "")
    got = learned.client.get(path)
    with connected(learned.url) as connection:
        for _ in range(2):  # the second would find a body that was sent after all
            connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: {httpx.URL(learned.url).host}\r\n\r\n".encode())
            head = next_answer(connection, head_only=True)
            assert head.status == got.status_code
            varies = {"x-request-id", *(["content-length"] if path == "/metrics" else [])}
            same = {name: value for name, value in got.headers.items() if name not in varies}
            assert {name: value for name, value in head.headers.items() if name not in varies} == same
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert [answer.status for answer in answers_of(until_closed(connection))] == [200]


PARAMETERS = [
    ("?limt=3", "limt", "limit"),
    ("?zzz=", "zzz", None),
    ("?format=json&frmat=1", "frmat", "format"),
]


@pytest.mark.parametrize("rule", RULES, ids=id_of)
def test_a_parameter_that_is_not_there_is_told_of_on_every_route(learned: Served, rule: Rule) -> None:
    path = path_of(rule)
    known = [p["name"] for p in parameters(learned, rule)]
    for query, slip, meant in PARAMETERS:
        answer = learned.client.request(rule.method, path + query, content=b"{}", headers={"If-Match": '"none"'})
        said = answer.json()
        assert (answer.status_code, said["type"]) == (422, "urn:barograph:invalid"), (query, answer.text)
        messages = {error["path"]: error["message"] for error in said["errors"]}
        hint = f" Did you mean {meant!r}?" if meant in known else ""
        assert messages[f"query.{slip}"] == f"There is no such parameter.{hint}"
    for name in known:
        twice = learned.client.request(rule.method, f"{path}?{name}=1&{name}=1", content=b"{}")
        assert twice.status_code == 422, name


@pytest.mark.parametrize("rule", RULES, ids=id_of)
def test_a_value_that_cannot_be_is_told_of_on_every_route(learned: Served, rule: Rule) -> None:
    """One that is mistyped by a letter: names are suggested, times and numbers explained; nothing of a library's."""
    for parameter in parameters(learned, rule):
        kinds = [parameter["schema"], *parameter["schema"].get("anyOf", [])]
        names = [name for kind in kinds for name in kind.get("enum", [])]
        free = not names and {kind.get("type") for kind in kinds} <= {"string", "null", None}
        free = free and not any(kind.get("format") == "date-time" for kind in kinds)
        if free and parameter["name"] not in ("model", "after", "action", "metric", "family"):
            continue  # what a user named: columns, segments, targets; `test_flow` has those of results
        meant = max(names, key=len, default="")
        wrong = f"{meant[:-1]}_" if names else "nowhere"
        needed = "&metric=roc_auc" if rule.path.endswith("/series") and parameter["name"] != "metric" else ""
        url = f"{path_of(rule)}?{parameter['name']}={wrong}{needed}"
        answer = learned.client.request(rule.method, url, headers={"If-Match": '"none"'})
        assert answer.status_code == (404 if parameter["name"] == "model" else 422), (url, answer.text)
        for said in ("Value error", "Input should", "pydantic", "type="):
            assert said not in answer.text
        if names:
            assert f"Did you mean {meant!r}?" in answer.text, url


def parameters(served: Served, rule: Rule) -> list[dict[str, Any]]:
    """Return the parameters of the query of a route, as the documentation has them."""
    operation = served.client.get("/v1/openapi.json").json()["paths"][rule.path][rule.method.lower()]
    return [p for p in operation.get("parameters", []) if p["in"] == "query"]


def test_head_of_what_is_not_there(learned: Served) -> None:
    assert learned.client.head("/nowhere").status_code == 404
    assert learned.client.head("/v1/models/nobody").status_code == 404
    answer = learned.client.head("/v1/models/flights/events")
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (405, "POST", b"")
    assert learned.client.put("/v1/models", json={}).headers["Allow"] == "GET, HEAD"


def test_head_needs_the_key_that_get_needs(learned: Served) -> None:
    headers = {"Authorization": f"Bearer {learned.key('ingest')}"}
    for rule in READ:
        status = learned.client.head(path_of(rule), headers=headers).status_code
        assert (status == 403) == (rule.permission is not None), rule


def test_head_has_the_rule_of_get() -> None:
    routes = Routes()
    assert routes.find("HEAD", "/v1/models/a") == routes.find("GET", "/v1/models/a")
