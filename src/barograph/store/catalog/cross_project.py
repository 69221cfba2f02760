"""What is read across projects: to find out which project a key belongs to, to share out work, to count for operators.

Everything here says the project of each row. What answers a user's question about their project belongs elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar  # Any: a row of several columns

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from barograph.store.catalog.halves import Half
from barograph.store.catalog.leases import over
from barograph.store.catalog.removals import Removal
from barograph.store.catalog.row_security import across
from barograph.store.catalog.schema import (
    deliveries,
    halves,
    jobs,
    keys,
    models,
    outbox,
    receivers,
    removals,
    sources,
    states,
    tellings,
    work,
)
from barograph.store.catalog.scope import columns_of
from barograph.store.catalog.work import FARTHEST_RETRY_US, FARTHEST_US

P = ParamSpec("P")
R = TypeVar("R")
_WAITS = sa.literal("waiting", literal_execute=True)  # else SQLite could not tell that the index of these is enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A model that has had something to do since `due_us`."""

    project_id: int
    model_id: int
    due_us: int
    marks: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """A model whose specification names sources, at one revision."""

    project_id: int
    model_id: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NextJob:
    """A job that a worker may try to claim."""

    project_id: int
    model_id: int
    job_id: int
    kind: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDelivery:
    """A message that a worker may try to claim."""

    project_id: int
    delivery_id: int
    receiver: str
    thread: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetModel:
    """A model as operators see it; what was never said of it is 0 or None. `lifecycle` is what a person said."""

    project_id: int
    model_id: int
    name: str
    chunk: str
    reference_id: int | None
    lifecycle: str | None
    evaluated_us: int | None
    last_event_us: int | None
    last_received_us: int | None
    last_label_us: int | None
    watermark_us: int | None
    events: int
    labels: int
    rejected: int
    late: int


def _everywhere(
    function: Callable[Concatenate[Connection, P], R],
) -> Callable[Concatenate[Connection, P], R]:
    """Let a function look across projects, and no statement after it in the same transaction."""

    @wraps(function)
    def looked(connection: Connection, /, *args: P.args, **more: P.kwargs) -> R:
        with across(connection):
            return function(connection, *args, **more)

    return looked


def key_row(connection: Connection, prefix: str) -> sa.Row[Any] | None:
    """Return the row of the key with this prefix, with its hash, for `keys.find_key`; None if there is none."""
    return connection.execute(sa.select(keys).where(keys.c.prefix == prefix)).first()


@_everywhere
def fetching(connection: Connection) -> list[Fetching]:
    """Return the models that fetch their events, by id: those that have a reference, and that nobody has retired."""
    said = sa.cast(models.c.spec["sources"], sa.Text)
    columns = (models.c.project_id, models.c.id.label("model_id"), models.c.revision)
    statement = sa.select(*columns).where(models.c.schema.is_not(None), said.is_not(None), said != "{}")
    live = sa.func.coalesce(models.c.lifecycle, "") != "retired"
    return [Fetching(**row._mapping) for row in connection.execute(statement.where(live).order_by(models.c.id))]


@_everywhere
def fetched(connection: Connection) -> list[tuple[int, int, str]]:
    """Return the project, model and name of every source of which something is kept."""
    found = connection.execute(sa.select(sources.c.project_id, sources.c.model_id, sources.c.name))
    return [(int(project_id), int(model_id), str(name)) for project_id, model_id, name in found]


@_everywhere
def due_work(connection: Connection, *, now_us: int, limit: int) -> list[Due]:
    """Return up to `limit` models that have something to do by now, the longest due first.

    What is due much later than work is ever put off was written by a clock that ran ahead, and is due now.
    """
    farthest = sa.case((work.c.failures > 0, FARTHEST_RETRY_US), else_=FARTHEST_US)
    by_now = (work.c.due_us <= now_us) | (work.c.due_us - now_us > 2 * farthest)
    columns = (work.c.project_id, work.c.model_id, work.c.due_us, work.c.marks, work.c.failures)
    statement = sa.select(*columns).where(by_now).order_by(work.c.due_us, work.c.model_id).limit(limit)
    return [Due(**row._mapping) for row in connection.execute(statement)]


@_everywhere
def next_jobs(connection: Connection, *, now_us: int, seconds: float, limit: int) -> list[NextJob]:
    """Return up to `limit` jobs that wait, or whose worker has been silent for too long.

    Those of models come first for which nothing was done for the longest time, so that many jobs of one model do not
    keep others waiting; of these, the oldest. `seconds` are as in `jobs.claim`.
    """
    silent = (jobs.c.state == "running") & over(jobs.c.until_us, now_us=now_us, seconds=seconds)
    columns = (jobs.c.project_id, jobs.c.model_id, jobs.c.id.label("job_id"), jobs.c.kind, jobs.c.detail)
    other = jobs.alias("other")
    # One that waits and has changed since it came has had a turn.
    had = (other.c.state != "waiting") | (other.c.updated_us > other.c.created_us)
    turn = sa.select(sa.func.max(other.c.updated_us)).where(other.c.model_id == jobs.c.model_id, had).scalar_subquery()
    statement = sa.select(*columns).where((jobs.c.state == "waiting") | silent)
    statement = statement.order_by(sa.func.coalesce(turn, 0), jobs.c.updated_us, jobs.c.id).limit(limit)
    return [NextJob(**row._mapping) for row in connection.execute(statement)]


@_everywhere
def old_halves(connection: Connection, *, before_us: int, limit: int) -> list[tuple[int, Half]]:
    """Return halves of inferences that came before a time, the oldest first, each with its project."""
    statement = sa.select(halves.c.project_id, *columns_of(halves, Half)).where(halves.c.received_us < before_us)
    found = connection.execute(statement.order_by(halves.c.received_us).limit(limit))
    return [(row.project_id, Half(**{k: v for k, v in row._mapping.items() if k != "project_id"})) for row in found]


@_everywhere
def left_pairs(connection: Connection, *, before_us: int, limit: int) -> list[tuple[int, int, str]]:
    """Return project, model and name of inferences whose halves were both there before a time, and still are."""
    keys_of = (halves.c.project_id, halves.c.model_id, halves.c.name)
    statement = sa.select(*keys_of).where(halves.c.side.in_(("request", "response"))).group_by(*keys_of)
    both = (sa.func.count() == 2) & (sa.func.max(halves.c.received_us) < before_us)
    return [(row[0], row[1], row[2]) for row in connection.execute(statement.having(both).limit(limit))]


@_everywhere
def size_of_halves(connection: Connection) -> int:
    """Return how many bytes all halves take up."""
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(halves.c.size_bytes), 0))).scalar_one())


@_everywhere
def projects_to_tell(connection: Connection, *, now_us: int) -> list[int]:
    """Return the ids of projects in which something has happened, or is due, of which somebody may be told."""
    happened = sa.select(outbox.c.project_id).where(outbox.c.handled_us.is_(None))
    due = sa.select(tellings.c.project_id).where(tellings.c.due_us <= now_us)
    return sorted({row[0] for row in connection.execute(sa.union(happened, due))})


@_everywhere
def due_deliveries(connection: Connection, *, now_us: int, seconds: float, limit: int) -> list[DueDelivery]:
    """Return up to `limit` messages to send by now that nobody is sending, the longest due first.

    Those of receivers that are left alone for a while are not among them, but for tests; nor those that others of
    their thread go before. `seconds` are as in `deliveries.claim`.
    """
    c, earlier = deliveries.c, deliveries.alias("earlier")
    before = (earlier.c.project_id == c.project_id) & (earlier.c.receiver == c.receiver)
    before &= (earlier.c.thread == c.thread) & (earlier.c.id < c.id) & (earlier.c.state == "waiting")
    rests = (
        (receivers.c.project_id == c.project_id) & (receivers.c.name == c.receiver) & (receivers.c.retry_us > now_us)
    )
    statement = sa.select(c.project_id, c.id.label("delivery_id"), c.receiver, c.thread, c.kind).where(
        c.state == _WAITS,
        c.due_us <= now_us,
        c.until_us.is_(None) | over(c.until_us, now_us=now_us, seconds=seconds),
        ~sa.select(sa.literal(1)).where(before).exists(),
        (c.kind == "test") | ~sa.select(sa.literal(1)).where(rests).exists(),
    )
    found = connection.execute(statement.order_by(c.due_us, c.id).limit(limit))
    return [DueDelivery(**row._mapping) for row in found]


@_everywhere
def due_removals(connection: Connection, *, now_us: int, limit: int) -> list[Removal]:
    """Return up to `limit` removals that are to be done, or to be gone on with, by now: those first asked for first.

    What is due later than removals are ever put off was written by a clock that ran ahead, and is due now.
    """
    by_now = (removals.c.due_us <= now_us) | (removals.c.due_us - now_us > 2 * FARTHEST_RETRY_US)
    statement = sa.select(*columns_of(removals, Removal)).where(removals.c.state != "done", by_now)
    found = connection.execute(statement.order_by(removals.c.id).limit(limit))
    return [Removal(**row._mapping) for row in found]


@_everywhere
def deleted_models(connection: Connection, *, since_us: int) -> list[tuple[int, int]]:
    """Return (project_id, model_id) of the models whose files were deleted since then."""
    since = (removals.c.kind == "delete") & (removals.c.state == "done") & (removals.c.ended_us >= since_us)
    statement = sa.select(removals.c.project_id, removals.c.model_id).where(since)
    return [(row[0], row[1]) for row in connection.execute(statement)]


@_everywhere
def fleet(connection: Connection) -> list[FleetModel]:
    """Return all models of all projects with their states, by id."""
    of_model = (
        models.c.project_id,
        models.c.id.label("model_id"),
        models.c.name,
        models.c.chunk,
        models.c.reference_id,
        models.c.lifecycle,
    )
    said = ("evaluated_us", "last_event_us", "last_received_us", "last_label_us", "watermark_us")
    counts = ("events", "labels", "rejected", "late")
    statement = sa.select(
        *of_model,
        *(states.c[name] for name in said),
        *(sa.func.coalesce(states.c[name], 0).label(name) for name in counts),
    ).select_from(models.outerjoin(states, states.c.model_id == models.c.id))
    return [FleetModel(**row._mapping) for row in connection.execute(statement.order_by(models.c.id))]


@_everywhere
def jobs_by_state(connection: Connection) -> Sequence[tuple[int, str, str, int]]:
    """Return (project_id, kind, state, how many) of all jobs."""
    key = (jobs.c.project_id, jobs.c.kind, jobs.c.state)
    return [tuple(row) for row in connection.execute(sa.select(*key, sa.func.count()).group_by(*key).order_by(*key))]
