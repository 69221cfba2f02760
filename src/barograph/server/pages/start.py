"""The start: a model gets a name, a reference, roles, a budget; its first event is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any  # Any: JSON values of a specification

from starlette.responses import JSONResponse, Response

from barograph.dashboard.start import (
    BUDGETS,
    CHUNKS,
    MANY_VALUES,
    ROLES,
    TYPES,
    ColumnChoice,
    Lines,
    ModelStart,
    StartPage,
    label_line,
    lines_of,
    why_of,
)
from barograph.errors import BarographError
from barograph.profiles.profiles import Profile
from barograph.reference.reference import Reference
from barograph.server.catalog_lookup import audited, model_named
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem, of_error
from barograph.server.routes import references as routes
from barograph.server.routes.models import put_plain
from barograph.server.spec_body import check_name
from barograph.sketches.histogram import Categories, Histogram
from barograph.spec.schema import Schema
from barograph.store.catalog.models import Model
from barograph.store.catalog.proposals import get_proposal
from barograph.store.catalog.references import StoredReference, add_reference, list_references
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.states import get_state
from barograph.store.layout import DEFAULT_ID, DEFAULT_TIMESTAMP
from barograph.tasks import Task
from barograph.worker.requests import data_of, request_fit

WAIT_S = 45  # that an upload waits until the reference is learned


def start(visit: Visit) -> Response:
    """Return the page on which a model gets its name."""
    return visit.page("start.html", StartPage(title="Watch a model"))


def create(visit: Visit) -> Response:
    """Register a model, and go on with its reference."""
    name = visit.form.get("name", "").strip()
    try:
        check_name(name)
        with visit.read() as scope:
            from barograph.store.catalog.models import find_model

            if find_model(scope, name) is not None:
                raise Problem("conflict", f"There is a model named {name!r} already. Choose another name.")
        plain = {"chunk": _of(visit, "chunk", CHUNKS), "budget": _of(visit, "budget", BUDGETS)}
        put_plain(name, plain, visit.request, visit.service, visit.caller, create=True)
    except Problem as problem:
        page = StartPage(title="Watch a model", name=name[:100], problem=problem.first)
        return visit.page("start.html", page, status=problem.status)
    return visit.go("/start/{model}", model=name)


def model_start(visit: Visit) -> Response:
    """Return how far a model is on its way, and what comes next."""
    return _page(visit)


async def upload(visit: Visit) -> Response:
    """Take reference data, as the API does; the answer says what became of it."""
    return await routes.send(visit.parts["model"], visit.request, visit.service, visit.caller, wait=min(WAIT_S, 300))


def roles(visit: Visit) -> Response:
    """Take what a person says of the columns, and learn from the same data anew where that changes it."""
    name = visit.parts["model"]
    try:
        with visit.read() as scope:
            plain = dict(model_named(scope, name).spec)
        wanted = {**plain, **_roles(visit.form, plain)}
        put_plain(name, wanted, visit.request, visit.service, visit.caller, create=False)
        _learn_again(visit, name)
    except Problem as problem:
        return _page(visit, problem=problem.first, status=problem.status)
    except BarographError as error:
        told = of_error(error)
        return _page(visit, problem=told.first, status=told.status)
    return visit.go("/start/{model}", model=name)


def watching(visit: Visit) -> Response:
    """Take the length of a chunk and the false-alarm budget."""
    name = visit.parts["model"]
    with visit.read() as scope:
        plain = dict(model_named(scope, name).spec)
    wanted = {**plain, "chunk": _of(visit, "chunk", CHUNKS), "budget": _of(visit, "budget", BUDGETS)}
    try:
        put_plain(name, wanted, visit.request, visit.service, visit.caller, create=False)
    except BarographError as error:
        told = of_error(error)
        return _page(visit, problem=told.first, status=told.status)
    return visit.go("/start/{model}", model=name)


def progress(visit: Visit) -> Response:
    """Return what a page that waits looks at."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        state = get_state(scope, found.id)
        newest = next(iter(list_references(scope, found.id, limit=1)), None)
    said = {
        "events": state.events if state else 0,
        "received": state.last_received_us if state else None,
        "labels": state.labels if state else 0,
        "evaluated": bool(state and state.evaluated_us),
        "reference": newest.state if newest else "",
    }
    return JSONResponse(said, headers={"Cache-Control": "no-store"})


def _of(visit: Visit, name: str, known: tuple[tuple[str, str], ...]) -> str:
    value = visit.form.get(name, "")
    if value not in {key for key, _ in known}:
        raise Problem("invalid", f"{name} must be one of {', '.join(key for key, _ in known)}. Got {value[:40]!r}.")
    return value


def _roles(form: Mapping[str, str], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form says of the columns, as keys of a specification.

    Its fields are `role:NAME` and `type:NAME`.
    """
    said: dict[str, Any] = {"ignore": [], "features": [], "types": dict(plain.get("types") or {})}
    for one in ("label", "score", "prediction", "timestamp", "id", "label_timestamp"):
        said[one] = None
    for field, value in form.items():
        kind, _, column = field.partition(":")
        if not column:
            continue
        if kind == "type" and value in TYPES:
            if value != form.get(f"was:{column}", value):
                said["types"][column] = value
        elif kind == "role" and value in ("feature", "ignore"):
            said["features" if value == "feature" else "ignore"].append(column)
        elif kind == "role" and value in ROLES:
            if said[value] is not None:
                raise Problem("invalid", f"Two columns are said to be the {value}: {said[value]!r} and {column!r}.")
            said[value] = column
    said["types"] = {name: kind for name, kind in said["types"].items() if name in said["features"]}
    if form.get("task") in list(Task):
        said["task"] = form["task"]
    if not said["features"]:
        said["features"] = None
    return said


def _learn_again(visit: Visit, name: str) -> None:
    """Learn from the newest data anew, where nothing is in use yet: else the specification has asked for that."""
    now_us = visit.now_us
    with visit.write() as scope:
        found = model_named(scope, name)
        newest = next(iter(list_references(scope, found.id, limit=1)), None)
        if found.reference_id is not None or newest is None or newest.state == "waiting":
            return
        data = data_of(scope, found, newest)
        new = add_reference(scope, found.id, data_bytes=newest.data_bytes, digest=newest.digest, now_us=now_us)
        request_fit(scope, found, new, now_us=now_us, data=data)
        audited(scope, visit.caller, "learn again", name, {"reference": new.number}, now_us=now_us)


def _page(visit: Visit, *, problem: str = "", status: int = 200) -> Response:
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        state = get_state(scope, found.id)
        newest = next(iter(list_references(scope, found.id, limit=1)), None)
        reference = None if found.reference_id is None else visit.reference(scope, found.reference_id)
        pending = _pending(scope, found)
    url = _address(visit)
    needs_key = visit.caller.actor.kind != "system"
    event = {} if reference is None else example(reference, visit.now_us)
    id_name = DEFAULT_ID if reference is None else reference.schema.id or DEFAULT_ID
    page = ModelStart(
        title=f"Watch {found.name}",
        name=found.name,
        reference=_state(newest, reference),
        reference_number=newest.number if newest else None,
        reason=(newest.reason or "") if newest else "",
        rows=newest.rows if newest else None,
        pending=pending,
        task=reference.schema.task.value if reference else str(found.spec.get("task") or ""),
        columns=[] if reference is None else choices(reference),
        roles=ROLES,
        types=TYPES,
        chunk=str(found.spec.get("chunk") or found.chunk),
        budget=str(found.spec.get("budget") or ""),
        chunks=_with(CHUNKS, str(found.spec.get("chunk") or found.chunk)),
        budgets=_with(BUDGETS, str(found.spec.get("budget") or "")),
        lines=lines_of(url, found.name, event, needs_key=needs_key) if event else list[Lines](),
        label_lines=label_line(url, found.name, str(event.get(id_name, "")), _label(reference), needs_key=needs_key),
        events=state.events if state else 0,
        labels=state.labels if state else 0,
        last_received_us=state.last_received_us if state else None,
        is_evaluated=bool(state and state.evaluated_us and state.events),
        problem=problem,
        doubts=[] if reference is None else doubts(reference.schema),
        upload_line=f"curl '{url}/v1/models/{found.name}/references?wait=60' --data-binary @reference.parquet "
        "-H 'Content-Type: application/vnd.apache.parquet'",
    )
    return visit.page("start_model.html", page, status=status)


def _with(known: tuple[tuple[str, str], ...], value: str) -> tuple[tuple[str, str], ...]:
    """Return the choices, with one more for a value that is none of them."""
    return known if not value or value in {key for key, _ in known} else (*known, (value, value))


def _state(newest: StoredReference | None, reference: Reference | None) -> str:
    if newest is None:
        return ""
    return "ready" if reference is not None and newest.state != "waiting" else newest.state


def _pending(scope: Scope, found: Model) -> str:
    proposal = get_proposal(scope, found.id)
    if proposal is None or found.reference_id is None:
        return ""
    if proposal.is_pending:
        return "A change of the columns is being learned; this page shows it when that is done."
    return f"The last change could not be put in force: {proposal.reason}"


def _address(visit: Visit) -> str:
    """Return the address under which programs reach the service."""
    public = visit.service.settings.public_url
    if public:
        return public.rstrip("/")
    host = visit.request.headers.get("host", "127.0.0.1:8321")
    return f"http://{host}" if all(c.isalnum() or c in ".:-[]_" for c in host) else "http://127.0.0.1:8321"


def choices(reference: Reference) -> list[ColumnChoice]:
    """Return what each column was taken for."""
    schema = reference.schema
    roles = _role_names(schema)
    found = []
    for column, role in roles.items():
        kind, why = schema.features.get(column), why_of(column, reference.decisions)
        if role in ("id", "timestamp") and not why:
            continue  # the service adds both where a reference has none
        found.append(
            ColumnChoice(
                name=column,
                role=role,
                type=kind.value if kind else "",
                why=why,
                doubt=_doubt(reference.total, column) if role == "feature" else "",
            )
        )
    found += [
        ColumnChoice(name=name, role="ignore", type="", why=why_of(name, reference.decisions))
        for name in schema.ignored
    ]
    return found


def doubts(schema: Schema) -> list[str]:
    """Return what is missing for the model to be judged."""
    found = []
    if schema.label is None:
        found.append("No column was taken for the label: without what was later true, nobody knows how good it is.")
    if not schema.scores and schema.prediction is None:
        found.append("No column was taken for the score or the prediction: only the inputs of the model are watched.")
    return found


def _role_names(schema: Schema) -> dict[str, str]:
    roles: dict[str, str] = {}
    for role in ("id", "timestamp", "label", "label_timestamp", "prediction"):
        if (column := getattr(schema, role)) is not None:
            roles[column] = role
    roles |= dict.fromkeys(schema.scores.values(), "score")
    return {**roles, **{name: "feature" for name in schema.features if name not in roles}}


def _doubt(total: Profile, column: str) -> str:
    """Return what looks odd about a feature: an id is none, and a constant says nothing."""
    sketch = total.binned(column)
    if isinstance(sketch, Categories):
        known = int(sketch.counts[: len(sketch.names)].sum())
        if sketch.n and known < (1 - MANY_VALUES) * sketch.n:
            return "Nearly every value is another one: it looks like an id, which is no feature."
    if isinstance(sketch, Histogram) and sketch.n and len(sketch.edges) < 2:
        return "It has hardly more than one value."
    return ""


def example(reference: Reference, now_us: int) -> dict[str, Any]:
    """Return an event as this model's programs could log it, with usual values."""
    schema, total = reference.schema, reference.total
    now = datetime.fromtimestamp(now_us / 1e6, UTC)
    event: dict[str, Any] = {schema.id or DEFAULT_ID: "event-1"}
    event[schema.timestamp or DEFAULT_TIMESTAMP] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    for column in (*schema.features, *schema.scores.values(), schema.prediction):
        if column is not None and column in {c.name for c in reference.yardstick.columns}:
            event[column] = _usual(total, column)
    return event


def _usual(total: Profile, column: str) -> object:
    sketch = total.binned(column)
    if isinstance(sketch, Categories):
        counts = sketch.counts[: len(sketch.names)]
        return sketch.names[int(counts.argmax())] if len(counts) else "a"
    moments = total.moments(column)
    return float(f"{moments.mean:.4g}") if moments.n else 0.0


def _label(reference: Reference | None) -> object:
    if reference is None or reference.schema.task.numeric:
        return 1.0
    return reference.schema.classes[-1] if reference.schema.classes else "1"
