"""Back-filling: the profiles of all kept events, built with another reference while the old one stays in use."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from barograph.errors import LeaseLost, NotFoundError
from barograph.pipeline.holding import hold
from barograph.pipeline.live import live_with
from barograph.pipeline.profiling import profile_added, starts_of_days
from barograph.pipeline.restating import restate
from barograph.pipeline.workshop import Live, Workshop
from barograph.spec.plain import schema_to_plain
from barograph.store.catalog import jobs, leases, models, profiles, work
from barograph.store.catalog.jobs import Job
from barograph.store.catalog.leases import Lease
from barograph.store.catalog.profiles import Position

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far back-filling is, in chunks."""

    done: int
    total: int


def backfill(shop: Workshop, job: Job, *, chunk: str, now_us: Clock) -> Generator[Step | None]:
    """Build profiles with the reference that the job names, chunk by chunk, then use it; the job ends with that.

    Yields after each slice of some seconds how far it is, and None where it had to wait for the model. Then the model's
    lease is given back, so that its new events go on being counted with the old reference. What was built is kept when
    an attempt ends early: the next one goes on from there.
    """
    with shop.read(job.project_id) as scope:
        model = models.get_model(scope, job.model_id)
    live = None if model is None else live_with(shop, model, job.detail["reference_id"], chunk=chunk)
    if live is None:
        raise NotFoundError("The reference of this job is not ready, or gone.")
    total = job.total or 0
    while True:
        with hold(shop, f"model/{live.model_id}", now_us=now_us()) as lease:
            if lease is not None:
                begin(shop, live, lease, now_us=now_us())
                counted = profile_added(shop, live, lease, now_us=now_us(), tell=False)
                restate(shop, live, lease, now_us=now_us(), rest=False)
                with shop.read(live.project_id) as scope:
                    left = profiles.count_dirty(scope, live.reference_id)
                total = max(total, left)
                if not left and not counted.more:
                    _use(shop, live, lease, job, chunk=chunk, now_us=now_us())
                    return
        if lease is None:
            shop.wake.wait(0.2)  # a worker is busy with the model
            yield None
        else:
            yield Step(done=total - left, total=total)


def begin(shop: Workshop, live: Live, lease: Lease, *, now_us: int) -> None:
    """Mark all chunks that have events, if nothing has been built with this reference yet."""
    with shop.read(live.project_id) as scope:
        if profiles.get_position(scope, live.model_id, live.reference_id) != Position():
            return
    tables = shop.tables_of(live)
    to = Position(events_version=tables.version("events"), labels_version=tables.version("labels"))
    if to == Position():
        return
    with shop.write(live.project_id) as scope:
        leases.check(scope.connection, lease)
        starts = starts_of_days(live.rule, tables.statistics("events").days)
        profiles.mark_dirty(scope, live.model_id, live.reference_id, starts, now_us=now_us)
        profiles.set_position(scope, live.model_id, live.reference_id, to, expected=Position())


def _use(shop: Workshop, live: Live, lease: Lease, job: Job, *, chunk: str, now_us: int) -> None:
    with shop.write(live.project_id) as scope:
        leases.check(scope.connection, lease)
        model = models.get_model(scope, live.model_id)
        if model is None:
            raise LeaseLost(f"Model {live.model_id} was deleted.")
        if model.chunk != chunk:
            models.update_model(scope, model.id, chunk=chunk, now_us=now_us)
        plain = schema_to_plain(live.reference.schema)
        models.activate_reference(scope, model.id, live.reference_id, schema=plain, now_us=now_us)
        work.mark(scope, model.id, due_us=now_us)
        jobs.finish(scope, job, now_us=now_us)
