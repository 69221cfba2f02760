"""The OpenAPI document: complete, valid, and what the service really does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving import PARQUET, Served, arrow, serving, wait_for

from barograph.server.problems import MEDIA_TYPE
from barograph.server.route_table import RULES
from logged import events

CHECKS = [not_a_server_error, response_schema_conformance, status_code_conformance, content_type_conformance]
OPERATIONS = [(rule.method, rule.path) for rule in RULES]
EXAMPLES = int(os.environ.get("BAROGRAPH_EXAMPLES", "8"))
KNOWN = {"model": "flights", "number": 1, "job": 1, "chunk": "2024-01-03"}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, reference_data: bytes) -> Iterator[Served]:
    """Return a server with a model that has results."""
    with serving(tmp_path_factory.mktemp("described"), workers=True, body_bytes=10_000) as served:
        client = served.client
        client.put("/v1/models/flights", json={"task": "binary", "label": "label"})
        client.post("/v1/models/flights/references?wait=60", content=reference_data, headers=PARQUET)
        kind = {"Content-Type": "application/vnd.apache.arrow.stream"}
        for part in events(600, seed=5).iter_slices(60):
            assert client.post("/v1/models/flights/events", content=arrow(part), headers=kind).status_code == 200
        wait_for(lambda: bool(client.get("/v1/models/flights/results").json()["items"]), "there are results", 60)
        yield served


@pytest.fixture(scope="module")
def document(described: Served) -> dict[str, Any]:
    found: dict[str, Any] = described.client.get("/v1/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def test_every_operation_reads_well(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for method, path, operation in operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        assert operation["tags"], path
        assert operation["operationId"].replace("_", "").isalpha(), operation["operationId"]
        assert "x-problems" not in operation
        assert "security" in operation, (method, path)


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        errors = {status: said for status, said in operation["responses"].items() if status >= "400"}
        assert {"422", "500", "503"} <= errors.keys(), path
        if operation["security"]:
            assert {"401", "403", "404"} <= errors.keys(), path
        for status, said in errors.items():
            if (path, status) == ("/readyz", "503"):
                continue
            if path.startswith("/v1/otlp/") and set(said["content"]) == {"application/x-protobuf", "application/json"}:
                continue  # they are messages of that protocol
            assert said["content"][MEDIA_TYPE]["schema"] == {"$ref": "#/components/schemas/ProblemAnswer"}, (
                path,
                status,
            )


def test_every_reference_in_it_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def named(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from named(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from named(inner)

    used = {name.rsplit("/", 1)[1] for name in named(document)}
    assert used <= set(schemas)
    assert set(schemas) - used == set()  # and nothing lies around


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_service_does_what_the_document_says(
    described: Served, document: dict[str, Any], method: str, path: str
) -> None:
    operation = schemathesis.openapi.from_dict(document)[path][method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=st.booleans())
    def check(case: schemathesis.Case, known: bool) -> None:
        if known and method != "DELETE":
            for name in case.path_parameters or {}:
                case.path_parameters[name] = KNOWN.get(name, case.path_parameters[name])
        if case.query and "wait" in case.query:
            case.query["wait"] = 0
        if case.headers:
            case.headers.pop("Authorization", None)  # it is generated, too; on this machine none is needed
        response = case.call(base_url=described.url)
        assert response.status_code not in (401, 403)
        case.validate_response(response, checks=CHECKS)

    check()
