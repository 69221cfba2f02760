"""Things of a project that its neighbours must not see: some of each kind that has an id, and what they hold."""

from __future__ import annotations

from typing import Any  # Any: JSON values

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from barograph.store.catalog import changes, deliveries, incidents, jobs, keys, quarantine, removals, sessions, users
from barograph.store.catalog.actor import LOCAL
from barograph.store.catalog.alerts import OperationsIncident, write_operations
from barograph.store.catalog.database import reading, writing
from barograph.store.catalog.models import find_model
from barograph.store.catalog.row_security import across
from barograph.store.catalog.schema import METADATA
from barograph.store.catalog.scope import Scope

SECRET = "seen by nobody else"
DAY = 86_400_000_000


def furnish(engine: Engine, project_id: int, organisation_id: int, model: str, *, now_us: int) -> dict[str, object]:
    """Put two of everything into a project, and return the ids of one by the names that they have in paths."""
    with writing(engine) as connection:
        scope = Scope(connection, project_id)
        found = find_model(scope, model)
        assert found is not None
        m, name = found.id, f"p{project_id}"
        user = users.create_user(connection, f"secret-{name}", organisation_id=organisation_id, now_us=now_us).id
        users.set_member(connection, user, project_id, "viewer")
        ids: dict[str, object] = {"model": model, "user": user, "project": project_id}
        for i in range(2):
            more: dict[str, Any] = {"severity": "critical", "metric": "x", "since_us": now_us, "body": {}}
            about = OperationsIncident(id=f"{name}-{i}", state="firing", title=SECRET, **more)
            write_operations(scope, m, about, now_us=now_us)
            silence: dict[str, Any] = {"matchers": [("column", "x")], "starts_us": now_us, "ends_us": now_us + DAY}
            silence |= {"created_by": LOCAL, "now_us": now_us, "reason": SECRET}
            message: dict[str, Any] = {"receiver": "hook", "thread": name, "kind": "new", "message": {"what": SECRET}}
            of: dict[str, Any] = {"model_id": m, "incident_id": about.id, "now_us": now_us}
            key = keys.create_key(scope, name=SECRET, role="viewer", now_us=now_us).key.id
            text = {"author": LOCAL, "text": SECRET, "now_us": now_us}
            ids |= {
                "incident": about.id,
                "comment": incidents.add_comment(scope, m, about.id, **text).id,  # type: ignore[arg-type]  # of a test
                "silence": incidents.add_silence(scope, model_id=m, **silence).id,
                "delivery": deliveries.add_delivery(scope, **message, **of).id,
                "job": jobs.add_job(scope, m, "fit", detail={"what": SECRET}, now_us=now_us).id,
                "change": changes.add_change(
                    scope, m, at_us=now_us, kind="data", title=SECRET, detail={"by": "x"}, now_us=now_us
                ).id,
                "poison": quarantine.add_poison(scope, m, step="s", position="p", reason=SECRET, now_us=now_us).id,
                "removal": removals.add_removal(scope, m, "erase", model=SECRET, now_us=now_us).id,
                "key": key,
                "session": sessions.open_session(connection, key_id=key, now_us=now_us)[1].id,
            }
        return ids | {"erasure": ids["removal"]}


def rows(engine: Engine, project_ids: set[int]) -> dict[str, list[str]]:
    """Return all rows of some projects, and of the users and sessions of everybody."""
    found = {}
    with reading(engine) as connection, across(connection):
        for name, table in METADATA.tables.items():
            if "project_id" in table.c:
                mine = sa.select(table).where(table.c.project_id.in_(project_ids))
                found[name] = sorted(repr(tuple(row)) for row in connection.execute(mine))
        for name in ("users", "owners"):
            found[name] = sorted(repr(tuple(row)) for row in connection.execute(sa.select(METADATA.tables[name])))
    return found


def least(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    """Return the least that a schema of the OpenAPI document takes."""
    if "$ref" in schema:
        return least(known[schema["$ref"].rsplit("/", 1)[1]], known)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return least(schema[several][0], known)
    match schema.get("type"):
        case "object":
            own = schema.get("properties", {})
            return {name: least(own[name], known) for name in schema.get("required", []) if name in own}
        case "array":
            return [least(schema["items"], known)] if schema.get("minItems") else []
        case "string":
            return "2030-01-01T00:00:00Z" if schema.get("format") == "date-time" else "x" * schema.get("minLength", 1)
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
    return None
