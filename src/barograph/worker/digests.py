"""Digests: once a week, what has moved in each project, to those who asked for it; each exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa

from barograph.delivery.compose import owner_of
from barograph.delivery.digest import Digest, Moved, digest_message
from barograph.delivery.file import Delivery
from barograph.delivery.routes import matches
from barograph.store.catalog import deliveries, leases
from barograph.store.catalog.conditions import FIRING, conditions
from barograph.store.catalog.database import reading
from barograph.store.catalog.incidents import StoredIncident
from barograph.store.catalog.models import Model
from barograph.store.catalog.projects import Project, list_projects
from barograph.store.catalog.schema import incidents, models
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.silenced import see_incidents
from barograph.times import from_microseconds, to_microseconds
from barograph.worker.context import WorkerContext
from barograph.worker.lease_guard import hold

READ = 1_000  # incidents of a week, at most: the newest


def tell_of_the_week(ctx: WorkerContext, delivery: Delivery, *, now_us: int) -> bool:
    """Make the digests that are due in all projects; return whether there was any."""
    now = from_microseconds(now_us)
    due = [one for one in delivery.digests if one.week(now) is not None]
    if not due:
        return False
    with reading(ctx.engine) as connection:
        projects = list_projects(connection)
        if not any(_missing(Scope(connection, p.id), one, now_us) for p in projects for one in due):
            return False
    with hold(ctx, "telling", now_us=now_us) as lease:
        if lease is None:
            return False
        made = 0
        for project in projects:
            with ctx.write(project.id) as scope:
                leases.check(scope.connection, lease)
                made += sum(_tell(scope, delivery, project, one, now_us) for one in due)
    return made > 0


def _missing(scope: Scope, digest: Digest, now_us: int) -> list[str]:
    """Return the receivers that have not been told yet."""
    week = digest.week(from_microseconds(now_us))
    assert week is not None  # it is due
    thread = digest.thread(week[1])
    return [name for name in digest.receivers if not deliveries.has_thread(scope, name, thread)]


def _tell(scope: Scope, delivery: Delivery, project: Project, digest: Digest, now_us: int) -> int:
    mine = {
        model.id: model
        for model in scope.records(Model, scope.pick(models, Model))
        if matches(digest.match, {"model": [model.name], "project": [project.name], "owner": [owner_of(model)]})
    }
    missing = _missing(scope, digest, now_us)
    week = digest.week(from_microseconds(now_us))
    if not mine or not missing or week is None:
        return 0
    found = list(_moved(scope, digest, mine, to_microseconds(week[0]), now_us))
    judged = Counter(one.condition.judgement for one in conditions(scope, now_us=now_us, model_ids=set(mine)).values())
    message = digest_message(
        [one for one in found if one is not None],
        judged=judged,
        silenced=found.count(None),
        project=project.name,
        week=week,
        thread=digest.thread(week[1]),
        link=f"{delivery.url}/incidents" if delivery.url else "",
    )
    for receiver in missing:
        deliveries.add_delivery(
            scope,
            receiver=receiver,
            thread=message.thread,
            kind=message.kind.value,
            message=message.to_dict(),
            now_us=now_us,
        )
    return len(missing)


def _moved(scope: Scope, digest: Digest, mine: dict[int, Model], start_us: int, now_us: int) -> Iterator[Moved | None]:
    """Yield the incidents that fire, or have ended since the week began; None for one that is silenced."""
    c = incidents.c
    ended = sa.func.coalesce(c.said_us, c.until_us) >= start_us
    statement = scope.pick(incidents, StoredIncident).where(c.withdrawn.is_(False), (c.state == FIRING) | ended)
    stored = scope.records(StoredIncident, statement.order_by(c.opened_us.desc()).limit(READ))
    for seen in see_incidents(scope, [one for one in stored if one.model_id in mine], now_us=now_us):
        if seen.severity < digest.least:
            continue
        one = seen.stored
        fires = one.state == FIRING
        yield (
            None
            if seen.silenced_by
            else Moved(
                model=mine[one.model_id].name,
                title=one.title,
                severity=seen.severity,
                how="over" if not fires else "new" if one.opened_us >= start_us else "goes on",
            )
        )
