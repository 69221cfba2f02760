"""The OpenAPI document: what FastAPI finds in the routes, the two routes of the hot path, keys and errors."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any  # Any: OpenAPI is JSON

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from barograph.ingest.decoders import catalogue
from barograph.ingest.expand import ENCODINGS
from barograph.server.api_models import ProblemAnswer
from barograph.server.problems import KINDS, MEDIA_TYPE
from barograph.server.route_table import Rule

Json = dict[str, Any]

_ABOUT = """Watches machine-learning models in production.

A request needs a key (`Authorization: Bearer baro_…`), but for one from this machine to a server that listens on a
loopback address alone. A key belongs to a project, sees nothing of others, and has a role there, which says what it may
do: `ingest` (send events and labels), `viewer`, `editor` (both, and change things) or `admin`. `owner` reaches all
projects of its organisation and `operator` all there are: the header `Barograph-Project` names one. Errors are
`application/problem+json`. Times are ISO 8601; those without a zone are UTC. Lists come in pages: follow `next` until
it is null.
"""
_COMMON = (
    "malformed",
    "unauthenticated",
    "forbidden",
    "not-found",
    "timeout",
    "too-large",
    "invalid",
    "internal",
    "unavailable",
)
_OPEN = ("malformed", "timeout", "too-large", "invalid", "internal", "unavailable")
_INGEST = ("not-ready", "unsupported", "busy")

_EVENT = {
    "event_id": "b2f6d1",
    "timestamp": "2024-05-01T10:00:00Z",
    "distance": 733.0,
    "origin": "JFK",
    "score": 0.31,
}
_LABEL = {"id": "b2f6d1", "label": "0", "label_timestamp": "2024-05-01T14:10:00Z"}
_TAKEN: Json = {
    "type": "object",
    "title": "Taken",
    "description": "What became of each row. Rows that were rejected are kept in the quarantine.",
    "properties": {
        "accepted": {"type": "integer", "description": "Rows that are on the disk now."},
        "duplicates": {"type": "integer", "description": "Rows with an id that came before in the same body."},
        "labels": {"type": "integer", "description": "Labels that came inside events."},
        "rejected_rows": {"type": "integer"},
        "rejected": {
            "type": "array",
            "description": "The first rows that were rejected.",
            "items": {
                "type": "object",
                "required": ["index", "reasons"],
                "properties": {
                    "index": {"type": "integer", "description": "Position in the body, from 0."},
                    "reasons": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
        "unknown_columns": {"type": "array", "items": {"type": "string"}},
        "missing_columns": {"type": "array", "items": {"type": "string"}},
        "doubts": {
            "type": "array",
            "description": "What was accepted and cannot be used as it is, such as a score above 1.",
            "items": {"type": "string"},
        },
    },
}
_TAKEN["required"] = list(_TAKEN["properties"])


def documented(api: FastAPI, rules: Iterable[Rule]) -> None:
    """Make `api.openapi()` return the whole document, made once, when it is asked for."""
    listed = tuple(rules)

    def document() -> Json:
        if api.openapi_schema is None:
            api.openapi_schema = _document(api, listed)
        return api.openapi_schema

    # FastAPI documents that this method may be replaced; a bound method cannot be assigned in a typed way.
    vars(api)["openapi"] = document


def _document(api: FastAPI, rules: Iterable[Rule]) -> Json:
    found = get_openapi(
        title="barograph", version=version("barograph"), description=_ABOUT, routes=api.routes, license_info=_license()
    )
    paths = found["paths"]
    for kind, example in (("events", _EVENT), ("labels", _LABEL)):
        paths.setdefault(f"/v1/models/{{model}}/{kind}", {})["post"] = _ingest(kind, example)
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas["Taken"] = _TAKEN
    schemas |= _schemas_of_problem()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    found["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A key that `barograph keys create` printed."}
    }
    for rule in rules:
        operation = paths[rule.path][rule.method.lower()]
        if rule.permission is None:
            operation["security"] = []
        else:
            operation["security"] = [{"key": []}]
            said = operation.get("description", "")
            operation["description"] = f"{said}\n\nNeeds the permission `{rule.permission}`.".strip()
        extra = tuple(operation.pop("x-problems", ()))
        _add_problems(operation, (*(_OPEN if rule.permission is None else _COMMON), *extra))
    return found


def _license() -> Json:
    return {"name": "Apache-2.0", "identifier": "Apache-2.0"}


def _schemas_of_problem() -> Json:
    schema = ProblemAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
    inner: Json = schema.pop("$defs", {})
    return {**inner, "ProblemAnswer": schema}


def _add_problems(operation: Json, kinds: Iterable[str]) -> None:
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        status, title = KINDS[kind]
        titles.setdefault(status, []).append(title)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    for status, said in sorted(titles.items()):
        described = operation["responses"].get(str(status), {})
        if status == 422 or not described.get("content"):
            operation["responses"][str(status)] = {"description": "; or: ".join(said), "content": content}


def _ingest(kind: str, example: Json) -> Json:
    what = "events" if kind == "events" else "labels"
    row: Json = {"type": "object", "example": example}
    return {
        "tags": ["ingest"],
        "summary": f"Send {what}",
        "operationId": f"send_{kind}",
        "description": (
            f"Takes {what}, one or many. The answer comes when they are on the disk: what was `accepted` survives a "
            "crash. A row with a mistake is rejected, told of and kept in the quarantine; the others are taken. To "
            "send a body again is safe: rows with an id that was filed before change nothing. On 429 and 503, wait as "
            "Retry-After says, and send the same again."
        ),
        "parameters": [
            {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}},
            {
                "name": "Content-Encoding",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "enum": list(ENCODINGS)},
            },
        ],
        "requestBody": {"required": True, "content": {name: d.described(row) for name, d in catalogue().items()}},
        "responses": {
            "200": {
                "description": "Taken, but for the rows that were rejected",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Taken"}}},
            }
        },
        "x-problems": list(_INGEST),
    }
