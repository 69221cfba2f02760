"""Back-filling: the profiles of all kept events, built with another reference while the old one stays in use."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from barograph.errors import LeaseLost, NotFoundError, SpecError
from barograph.spec.file import ModelSpec
from barograph.spec.plain import schema_to_plain
from barograph.store.catalog import jobs, leases, models, profiles, proposals
from barograph.store.catalog.jobs import Job
from barograph.store.catalog.leases import Lease
from barograph.store.catalog.profiles import Position
from barograph.worker.admission import check_fit
from barograph.worker.context import ServedModel, WorkerContext
from barograph.worker.count_rows import profile_added, starts_of_days
from barograph.worker.lease_guard import hold
from barograph.worker.rebuild import restate
from barograph.worker.requests import chunk_of, is_superseded, put_in_force
from barograph.worker.served_model import live_with

Clock = Callable[[], int]
SUPERSEDED = {"superseded": True}  # in what a job says whose specification was not wanted any more when it was done


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far back-filling is, in chunks."""

    done: int
    total: int


def backfill(ctx: WorkerContext, job: Job, *, chunk: str, now_us: Clock) -> Generator[Step | None]:
    """Build profiles with the reference that the job names, chunk by chunk, then use it; the job ends with that.

    Yields after each slice of some seconds how far it is, and None where it had to wait for the model. Then the model's
    lease is given back, so that its new events go on being counted with the old reference. What was built is kept when
    an attempt ends early: the next one goes on from there.
    """
    with ctx.read(job.project_id) as scope:
        model = models.get_model(scope, job.model_id)
    live = None if model is None else live_with(ctx, model, job.detail["reference_id"], chunk=chunk)
    if live is None:
        raise NotFoundError("The reference of this job is not ready, or gone.")
    total = job.total or 0
    while True:
        with hold(ctx, f"model/{live.model_id}", now_us=now_us()) as lease:
            if lease is not None:
                begin(ctx, live, lease, now_us=now_us())
                counted = profile_added(ctx, live, lease, now_us=now_us(), tell=False)
                restate(ctx, live, lease, now_us=now_us(), rest=False)
                with ctx.read(live.project_id) as scope:
                    left = profiles.count_dirty(scope, live.reference_id)
                total = max(total, left)
                if not left and not counted.more:
                    _use(ctx, live, lease, job, chunk=chunk, now_us=now_us())
                    return
        if lease is None:
            ctx.wake.wait(0.2)  # a worker is busy with the model
            yield None
        else:
            yield Step(done=total - left, total=total)


def begin(ctx: WorkerContext, live: ServedModel, lease: Lease, *, now_us: int) -> None:
    """Mark all chunks that have events, if nothing has been built with this reference yet."""
    with ctx.read(live.project_id) as scope:
        if profiles.get_position(scope, live.model_id, live.reference_id) != Position():
            return
    tables = ctx.tables_of(live)
    to = Position(events_version=tables.version("events"), labels_version=tables.version("labels"))
    if to == Position():
        return
    with ctx.write(live.project_id) as scope:
        leases.check(scope.connection, lease)
        starts = starts_of_days(live.rule, tables.statistics("events").days)
        profiles.mark_dirty(scope, live.model_id, live.reference_id, starts, now_us=now_us)
        profiles.set_position(scope, live.model_id, live.reference_id, to, expected=Position())


def _use(ctx: WorkerContext, live: ServedModel, lease: Lease, job: Job, *, chunk: str, now_us: int) -> None:
    with ctx.write(live.project_id) as scope:
        leases.check(scope.connection, lease)
        model = models.get_model(scope, live.model_id)
        if model is None:
            raise LeaseLost(f"Model {live.model_id} was deleted.")
        if is_superseded(scope, job):
            jobs.finish(scope, job, now_us=now_us, detail=SUPERSEDED)
            return
        spec = job.detail.get("spec")
        if spec is None and chunk_of(model.spec) != chunk:
            raise SpecError("$.chunk: the specification was changed while the past was filled in. Ask for it again.")
        # What was right when this was asked for may not be any more: then the model stays as it is; the job says why.
        check_fit(ModelSpec.model_validate(spec or model.spec), live.reference.yardstick, None)
        plain = schema_to_plain(live.reference.schema)
        put_in_force(scope, model, live.reference_id, chunk=chunk, schema=plain, spec=spec, now_us=now_us)
        proposals.settle(scope, model.id, job_id=job.id)
        jobs.finish(scope, job, now_us=now_us)
