"""The pages that are lists: what the API lists, for people. What is done there is what the routes do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import ValidationError
from starlette.responses import Response

from barograph.dashboard.fleet import Chip
from barograph.dashboard.lists import Cell, Field, Form, ListPage, Row, state, text, time
from barograph.dashboard.readings import moment
from barograph.server.catalog_lookup import model_named, names_of
from barograph.server.pages.model import zone_of
from barograph.server.pages.visit import Visit
from barograph.server.pagination import cut, read_cursor
from barograph.server.permissions import may_give
from barograph.server.problems import Problem, of_validation
from barograph.server.route_table import url
from barograph.server.routes import changes as change_routes
from barograph.server.routes import jobs as job_routes
from barograph.server.routes import keys as key_routes
from barograph.server.routes import quarantine as quarantine_routes
from barograph.store.catalog.audit import list_records
from barograph.store.catalog.changes import Change, list_changes
from barograph.store.catalog.jobs import Job, list_jobs
from barograph.store.catalog.keys import list_keys
from barograph.store.catalog.models import Model
from barograph.store.catalog.quarantine import count_rows, list_rows
from barograph.text.format import count

PAGE = 50
T = TypeVar("T")
_JOB_LOOKS = {"waiting": "unknown", "running": "unknown", "done": "well", "failed": "attention", "cancelled": "held"}
_JOB_WORDS = {
    "fit": "learn from reference data",
    "backfill": "compute the past",
    "replay": "take set-aside rows again",
    "refile": "file rows again",
}
CHANGE_KINDS = ("deployment", "data", "config", "incident", "other")
KEY_ROLES = (
    ("ingest", "ingest: send events and labels"),
    ("viewer", "viewer: see everything"),
    ("editor", "editor: also send, and change models"),
    ("admin", "admin: everything in this project"),
)


def jobs(visit: Visit, *, problem: str = "") -> Response:
    """Return the page of jobs."""
    with visit.read() as scope:
        rows = list_jobs(scope, limit=visit.most(PAGE) + 1, after=_after(visit))
        names = names_of(scope, [job.model_id for job in rows])
    kept, following = cut(rows, visit.most(PAGE), lambda j: (j.id,))
    running = sum(job.state in ("waiting", "running") for job in kept)
    under_way = f"{count(running, 'job')} {'is' if running == 1 else 'are'}" if running else "No job is"
    return visit.page(
        "list.html",
        ListPage(
            title="Jobs",
            sentence=f"{under_way} under way.",
            header=("What", "Model", "State", "How far", "Asked", "Changed", "Said"),
            rows=[_job(visit, job, names[job.model_id]) for job in kept],
            empty="No job was ever asked for: they learn references, compute the past and take rows again.",
            twin="/v1/jobs",
            next=following,
            problem=problem,
        ),
    )


def _job(visit: Visit, job: Job, model: str) -> Row:
    far = f"{job.done:,} of {job.total:,}" if job.total else ""
    href = visit.site.url("/models/{model}", model=model)
    forms = []
    if job.state in ("waiting", "running"):
        forms = [Form(path=f"/jobs/{job.id}/cancel", button="Cancel")]
    return Row(
        cells=(
            text(_JOB_WORDS.get(job.kind, job.kind)),
            _link(model, href),
            state(job.state, _JOB_LOOKS[job.state]),
            text(far, "number"),
            time(job.created_us),
            time(job.updated_us, "ago"),
            text(job.reason),
        ),
        forms=forms,
    )


def cancel_job(visit: Visit) -> Response:
    """Cancel a job."""
    number = visit.parts["job"]
    job_routes.cancel(int(number) if number.isdigit() else 0, visit.service, visit.caller)
    return visit.go("/jobs")


def changes(visit: Visit, *, problem: str = "", status: int = 200) -> Response:
    """Return the page of what was changed around a model."""
    after = visit.asked("after", most=2048)
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        place = None
        if after:
            at, id = read_cursor(after, (int, int))
            place = int(at or 0), int(id or 0)
        rows = list_changes(scope, model_id=found.id, limit=visit.most(PAGE) + 1, after=place)
    kept, following = cut(rows, visit.most(PAGE), lambda c: (c.at_us, c.id))
    path = url("/models/{model}/changes", model=found.name)
    told = [Row(cells=(time(c.at_us), text(c.kind), text(c.title), text(c.version), text(c.created_by))) for c in kept]
    return visit.page(
        "list.html",
        ListPage(
            title=f"Changes of {found.name}",
            sentence=_changed(kept[0], found) if kept and not after else "What was changed around the model.",
            header=("When", "Kind", "What", "Version", "Told by"),
            rows=told,
            empty="No change was told of. A pipeline tells of a deployment with one request; see below.",
            twin=f"/v1{path}",
            model=found.name,
            tab="Changes",
            next=following,
            problem=problem,
            forms=[
                Form(
                    path=path,
                    title="Tell of a change",
                    button="Tell of it",
                    fields=(
                        Field(name="title", label="What was changed", is_needed=True),
                        Field(name="kind", label="Kind", choices=[(kind, kind) for kind in CHANGE_KINDS]),
                        Field(name="at", label="When, in UTC (default: now)", kind="datetime-local"),
                        Field(name="version", label="Version of the model from then on, if it has another"),
                    ),
                )
            ],
        ),
        status=status,
    )


def _changed(newest: Change, found: Model) -> str:
    return f"The newest change: {newest.title}, {moment(newest.at_us, zone_of(found))}."


def add_change(visit: Visit) -> Response:
    """Tell of a change."""
    given = {name: value.strip() for name, value in visit.form.items() if name != "csrf" and value.strip()}
    try:
        asked = asked_of(lambda: change_routes.ChangeAsked.model_validate(given))
        change_routes.add(visit.parts["model"], asked, visit.service, visit.caller)
    except Problem as wrong:
        return changes(visit, problem=wrong.first, status=wrong.status)
    return visit.go("/models/{model}/changes", model=visit.parts["model"])


def quarantine(visit: Visit, *, problem: str = "", status: int = 200) -> Response:
    """Return the page of the rows that were not taken."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        rows = list_rows(scope, found.id, limit=visit.most(PAGE) + 1, after=_after(visit))
        waiting = count_rows(scope, found.id, replayed=False)
    kept, following = cut(rows, visit.most(PAGE), lambda r: (r.id,))
    path = url("/models/{model}/quarantine", model=found.name)
    listed = [
        Row(
            cells=(
                time(row.received_us),
                text(row.kind),
                text("; ".join(row.reasons)),
                text(row.row[:300] + ("…" if len(row.row) > 300 else ""), "code", value=row.row),
                time(row.replayed_us),
            )
        )
        for row in kept
    ]
    said = f"{count(waiting, 'row')} could not be taken, and {'waits' if waiting == 1 else 'wait'} here."
    return visit.page(
        "list.html",
        ListPage(
            title=f"Quarantine of {found.name}",
            sentence=said if waiting else "Every row that came was taken.",
            header=("Received", "Kind", "Why", "Row", "Taken after all"),
            rows=listed,
            empty="Rows with a mistake are set aside here with the reason, and can be taken once that is mended.",
            twin=f"/v1{path}",
            model=found.name,
            tab="Quarantine",
            next=following,
            problem=problem,
            forms=[Form(path=f"{path}/replay", button="Try all of them again")] if waiting else [],
        ),
        status=status,
    )


def replay(visit: Visit) -> Response:
    """Try the rows again that were not taken."""
    try:
        quarantine_routes.replay(visit.parts["model"], Response(), visit.service, visit.caller)
    except Problem as wrong:
        return quarantine(visit, problem=wrong.first, status=wrong.status)
    return visit.go("/jobs")


def audit(visit: Visit) -> Response:
    """Return the page of who changed what."""
    with visit.read() as scope:
        rows = list_records(scope, limit=visit.most(PAGE) + 1, after=_after(visit))
    kept, following = cut(rows, visit.most(PAGE), lambda r: (r.id,))
    listed = [
        Row(
            cells=(
                time(row.at_us),
                text(row.actor.name if row.actor.kind == "system" else f"{row.actor.name} ({row.actor.kind})"),
                text(row.action),
                text(row.target, "name"),
                _detail(row.detail),
            )
        )
        for row in kept
    ]
    return visit.page(
        "list.html",
        ListPage(
            title="Audit",
            sentence="Who changed what: written once, and never changed.",
            header=("When", "Who", "What they did", "To what", "Details"),
            rows=listed,
            empty="Nothing was changed yet.",
            twin="/v1/audit",
            next=following,
        ),
    )


def keys(visit: Visit, *, told: str = "", problem: str = "", status: int = 200) -> Response:
    """Return the page of keys."""
    with visit.read() as scope:
        rows = list_keys(scope, limit=visit.most(PAGE) + 1, after=_after(visit))
    kept, following = cut(rows, visit.most(PAGE), lambda k: (k.id,))
    listed = []
    for key in kept:
        over = key.expires_us is not None and key.expires_us <= visit.now_us
        word = "revoked" if key.revoked_us is not None else "expired" if over else "valid"
        may = word == "valid" and may_give(visit.caller.permissions, key.role)
        forms = [Form(path=f"/settings/keys/{key.id}/revoke", button="Revoke")] if may else []
        cells = (
            text(key.name, "name"),
            text(f"baro_{key.prefix}…", "code"),
            text(key.role),
            state(word, "well" if word == "valid" else "held"),
            time(key.created_us),
            time(key.expires_us),
            time(key.last_used_us, "ago"),
        )
        listed.append(Row(cells=cells, forms=forms))
    return visit.page(
        "list.html",
        ListPage(
            title="Settings",
            sentence="Keys of this project: what programs send, and what people sign in with.",
            header=("Name", "Key", "May", "State", "Made", "Ends", "Last used"),
            rows=listed,
            empty="There is no key yet. On this machine none is needed; programs elsewhere send one.",
            twin="/v1/keys",
            next=following,
            told=told,
            problem=problem,
            forms=[
                Form(
                    path="/settings/keys",
                    button="Make a key",
                    fields=(
                        Field(name="name", label="Who or what will use it", is_needed=True),
                        Field(name="role", label="What it may do", choices=KEY_ROLES, value="viewer"),
                        Field(name="expires_at", label="When it ends, in UTC (default: never)", kind="datetime-local"),
                    ),
                )
            ],
        ),
        status=status,
    )


def add_key(visit: Visit) -> Response:
    """Make a key; the page that follows is the only one that ever shows it."""
    given = {name: value.strip() for name, value in visit.form.items() if name != "csrf" and value.strip()}
    try:
        asked = asked_of(lambda: key_routes.KeyAsked.model_validate(given))
        made = key_routes.create(asked, visit.service, visit.caller)
    except Problem as wrong:
        return keys(visit, problem=wrong.first, status=wrong.status)
    return keys(visit, told=f"{made.token}\n\nThis is the key {made.name!r}. It is shown this once: keep it now.")


def revoke_key(visit: Visit) -> Response:
    """Make a key useless."""
    number = visit.parts["key"]
    key_routes.revoke(int(number) if number.isdigit() else 0, visit.service, visit.caller)
    return visit.go("/settings")


def asked_of(make: Callable[[], T]) -> T:
    """Return what a form asks for; raise Problem for what it cannot."""
    try:
        return make()
    except ValidationError as error:
        raise of_validation([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from None


def _after(visit: Visit) -> int | None:
    after = visit.asked("after", most=2048)
    return int(read_cursor(after, (int,))[0] or 0) if after else None


def _link(said: str, href: str) -> Cell:
    return Cell(text=said, href=href)


def _detail(detail: Mapping[str, object], most: int = 200) -> Cell:
    said = json.dumps(detail, ensure_ascii=False) if detail else ""
    return text(said if len(said) <= most else said[: most - 1] + "…", "code", value=said)


def kinds(visit: Visit, known: tuple[str, ...], name: str = "kind") -> list[Chip]:
    """Return the filter of a list by one of its words."""
    asked = visit.asked(name)
    every = [Chip(key="", name="all", count=0, is_on=asked not in known)]
    return [*every, *(Chip(key=one, name=one, count=0, is_on=asked == one) for one in known)]
