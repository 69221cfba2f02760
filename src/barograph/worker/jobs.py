"""Jobs: learning from reference data, filling in the past with a reference, taking rejected rows again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any  # Any: JSON values

from barograph.errors import BarographError, InputError, LeaseLost, NotFoundError, SpecError, StoreError
from barograph.ingest.replay import replay_rows
from barograph.logs import logger
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.spec.file import ModelSpec
from barograph.spec.plain import schema_to_plain
from barograph.store.batches import from_payload
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import jobs, models, proposals, quarantine, references
from barograph.store.catalog.database import reading
from barograph.store.catalog.jobs import Job
from barograph.store.reference_files import reference_file
from barograph.store.spool import Batch
from barograph.worker.admission import check_fit, kept_by
from barograph.worker.backfill import SUPERSEDED, backfill
from barograph.worker.context import WorkerContext
from barograph.worker.lease_guard import kept_alive
from barograph.worker.requests import DEFAULT_CHUNK, FILING, is_superseded, needs_learning, request_activation
from barograph.worker.served_model import served

CHANGES = 5  # of a specification, while a reference is learned, after which its job gives up
LOOKED_AT = 20  # jobs that a worker tries to claim at once
REPLAYED = 10_000  # rows that are taken again in one step

log = logger(__name__)


def run_next_job(ctx: WorkerContext, *, now_us: int) -> bool:
    """Run the oldest job that nobody runs, and return whether there was one."""
    with reading(ctx.engine) as connection:
        waiting = everywhere.next_jobs(connection, now_us=now_us, seconds=ctx.settings.lease_seconds, limit=LOOKED_AT)
    for one in waiting:
        if one.kind in ("replay", "refile") and ctx.spool is None:
            continue  # only a process that takes events can take them again
        with ctx.write(one.project_id) as scope:
            job = jobs.claim(scope, one.job_id, owner=ctx.owner, now_us=now_us, seconds=ctx.settings.lease_seconds)
        if job is not None:
            _run(ctx, job)
            return True
    return False


def _run(ctx: WorkerContext, job: Job) -> None:
    step = {"fit": _fit, "backfill": _backfill, "replay": _replay, "refile": _refile}[job.kind]
    try:
        with _beating(ctx, job):
            step(ctx, job)
    except LeaseLost as error:
        log.warning("job lost", job=job.id, kind=job.kind, reason=str(error))
    except StoreError:
        raise  # the catalog or the disk: another attempt follows when this one has been silent for long enough
    except Exception as error:  # the job says why, whatever it is
        reason = str(error) if isinstance(error, BarographError) else f"{type(error).__name__}: {error}"
        log.error(
            "job failed", job=job.id, kind=job.kind, reason=reason, exc_info=not isinstance(error, BarographError)
        )
        with ctx.write(job.project_id) as scope:
            jobs.fail(scope, job, reason=reason, now_us=ctx.now_us(), final=isinstance(error, BarographError))
            if job.kind == "fit" and isinstance(error, BarographError):
                references.reference_failed(scope, job.detail["reference_id"], reason=reason)


@contextmanager
def _beating(ctx: WorkerContext, job: Job) -> Iterator[None]:
    """Say that the job's worker lives, as long as the block runs."""
    seconds = ctx.settings.lease_seconds

    def beat() -> None:
        with ctx.write(job.project_id) as scope:
            now = jobs.get_job(scope, job.id)
            jobs.progress(scope, job, done=now.done if now else 0, now_us=ctx.now_us(), seconds=seconds)

    with kept_alive(beat, seconds=seconds):
        yield


def _fit(ctx: WorkerContext, job: Job) -> None:
    """Learn from reference data, and use what was learned."""
    for _ in range(CHANGES):
        with ctx.read(job.project_id) as scope:
            model = models.get_model(scope, job.model_id)
        if model is None:
            return
        plain = job.detail.get("spec", model.spec)
        learned = _learned(ctx, job, ModelSpec.model_validate(plain))
        check_fit(ModelSpec.model_validate(plain), learned.yardstick, kept_by(ctx.settings, model))
        if _keep(ctx, job, learned, plain):
            return
    raise SpecError("The specification was changed each time while this was learned. Send the reference again.")


def _learned(ctx: WorkerContext, job: Job, spec: ModelSpec) -> Reference:
    number = job.detail.get("data", job.detail["reference"])
    of_model = {"project_id": job.project_id, "model_id": job.model_id}
    with reference_file(ctx.settings, **of_model, number=number) as path:
        try:
            return served(fit(path, **spec.roles()))
        except (InputError, SpecError) as error:  # whoever sent the data does not know where it lies here
            raise InputError(str(error).replace(str(path), "reference")) from error


def _keep(ctx: WorkerContext, job: Job, learned: Reference, plain: Mapping[str, Any]) -> bool:
    """Write down what was learned, and have it used; or return False if it was learned for what holds no more."""
    now_us, schema = ctx.now_us(), schema_to_plain(learned.schema)
    with ctx.write(job.project_id) as scope:
        model = models.get_model(scope, job.model_id)
        if model is None:
            raise LeaseLost(f"Model {job.model_id} was deleted.")
        proposed = job.detail.get("spec")
        if proposed is None and needs_learning(model.spec, plain):
            return False
        check_fit(ModelSpec.model_validate(proposed or model.spec), learned.yardstick, None)
        references.reference_ready(
            scope, job.detail["reference_id"], rows=learned.total.n, fitted=learned.to_bytes(), now_us=now_us
        )
        if is_superseded(scope, job):
            jobs.finish(scope, job, now_us=now_us, detail=SUPERSEDED)
            return True
        stored = references.get_reference(scope, job.detail["reference_id"])
        assert stored is not None  # it has just been written
        following = request_activation(scope, model, stored, schema=schema, now_us=now_us, spec=proposed)
        if following is None:
            proposals.settle(scope, model.id, job_id=job.id)
        jobs.finish(scope, job, now_us=now_us, detail={"job": following.id} if following else None)
        return True


def _backfill(ctx: WorkerContext, job: Job) -> None:
    """Build the profiles of all kept events with a reference, then use it."""

    def told(done: int, total: int) -> None:
        with ctx.write(job.project_id) as scope:
            jobs.progress(scope, job, done=done, total=total, now_us=ctx.now_us(), seconds=ctx.settings.lease_seconds)

    backfill(ctx, job, chunk=job.detail.get("chunk") or DEFAULT_CHUNK, progress=told, now_us=ctx.now_us)


def _replay(ctx: WorkerContext, job: Job) -> None:
    """Take rows again that were rejected, with the schema of today."""
    assert ctx.spool is not None
    taken = rejected = 0
    after: int | None = None
    while True:
        with ctx.read(job.project_id) as scope:
            model = models.get_model(scope, job.model_id)
            page = quarantine.list_rows(scope, job.model_id, replayed=False, limit=REPLAYED, after=after)
        if not page or model is None or model.schema is None:
            break
        after = page[-1].id
        batches, good = replay_rows(ctx.settings, model.project_id, model.id, model.schema, page, now_us=ctx.now_us())
        ctx.spool.append(batches)
        taken, rejected = taken + len(good), rejected + len(page) - len(good)
        with ctx.write(job.project_id) as scope:
            quarantine.mark_replayed(scope, job.model_id, good, now_us=ctx.now_us())
            jobs.progress(scope, job, done=taken + rejected, now_us=ctx.now_us(), seconds=ctx.settings.lease_seconds)
    with ctx.write(job.project_id) as scope:
        jobs.finish(scope, job, now_us=ctx.now_us(), detail={"taken": taken, "rejected_again": rejected})


def _refile(ctx: WorkerContext, job: Job) -> None:
    """Put rows that could not be filed into the spool again, from the file in which they were set aside."""
    assert ctx.spool is not None
    with ctx.read(job.project_id) as scope:
        poison = quarantine.get_poison(scope, job.detail["poison"])
    if poison is None:
        raise NotFoundError("What was to be filed again has been dropped.")
    path = Path(poison.position)
    if path.parent != ctx.settings.folder / "poison" or not path.is_file():
        raise InputError(f"{poison.position} is not on this machine. Retry it where it lies, or drop it.")
    payload = path.read_bytes()
    batch = Batch(
        project_id=job.project_id,
        model_id=job.model_id,
        kind="labels" if poison.step == f"{FILING}labels" else "events",
        rows=from_payload(payload).num_rows,
        payload=payload,
        received_us=poison.at_us,
    )
    ctx.spool.append([batch])
    with ctx.write(job.project_id) as scope:
        quarantine.delete_poison(scope, poison.id)
        jobs.finish(scope, job, now_us=ctx.now_us(), detail={"rows": batch.rows})
    path.unlink(missing_ok=True)
