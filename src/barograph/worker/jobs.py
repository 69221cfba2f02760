"""Jobs: learning from reference data, filling in the past with a reference, taking rejected rows again.

They work in slices, between which they look whether they were cancelled or the process ends; what takes long goes to
the back of the queue after its turn, if jobs of other models wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any  # Any: JSON values

from barograph.errors import BarographError, InputError, LeaseLost, NotFoundError, SpecError, Stopping, StoreError
from barograph.frames.read import open_rows
from barograph.ingest.replay import replay_rows
from barograph.logs import logger
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.spec.file import ModelSpec
from barograph.spec.plain import schema_to_plain
from barograph.store.batches import from_payload, to_payload
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import jobs, models, proposals, quarantine, references
from barograph.store.catalog.database import reading
from barograph.store.catalog.jobs import Job
from barograph.store.model_files import poison_folder
from barograph.store.reference_files import reference_file
from barograph.store.spool import Batch
from barograph.worker.admission import check_fit, kept_by
from barograph.worker.backfill import SUPERSEDED, backfill
from barograph.worker.context import WorkerContext
from barograph.worker.halting import checked
from barograph.worker.lease_guard import kept_alive
from barograph.worker.requests import DEFAULT_CHUNK, FILING, is_superseded, needs_learning, request_activation
from barograph.worker.served_model import served

CHANGES = 5  # of a specification, while a reference is learned, after which its job gives up
LOOKED_AT = 20  # jobs that a worker tries to claim at once
REPLAYED = 10_000  # rows that are taken again in one step
BEATEN_S = 3.0  # within which a worker learns that its job was cancelled

log = logger(__name__)


def run_next_job(ctx: WorkerContext, *, now_us: int, turn_s: float = inf, most_cells: float = inf) -> bool:
    """Run a job that nobody runs, and return whether there was one.

    It is the oldest of the model for which nothing was done for the longest time. After `turn_s` seconds it is put back
    if it can go on later. What would learn from more than `most_cells` values, which cannot be put back, is left to
    others.
    """
    with reading(ctx.engine) as connection:
        waiting = everywhere.next_jobs(connection, now_us=now_us, seconds=ctx.settings.lease_seconds, limit=LOOKED_AT)
    for one in waiting:
        if one.kind in ("replay", "refile") and ctx.spool is None:
            continue  # only a process that takes events can take them again
        if one.kind == "fit" and one.detail.get("cells", inf) > most_cells:
            continue
        with ctx.write(one.project_id) as scope:
            job = jobs.claim(scope, one.job_id, owner=ctx.owner, now_us=now_us, seconds=ctx.settings.lease_seconds)
        if job is not None:
            _run(ctx, job, turn_s)
            return True
    return False


def _run(ctx: WorkerContext, job: Job, turn_s: float) -> None:
    step = {"fit": _fit, "backfill": _backfill, "replay": _replay, "refile": _refile}[job.kind]
    ctx.running[job.id] = job
    try:
        with _beating(ctx, job, turn_s) as turn:
            step(ctx, job, turn)
    except Stopping:
        with suppress(LeaseLost), ctx.write(job.project_id) as scope:
            jobs.put_back(scope, job, now_us=ctx.now_us())
    except LeaseLost as error:
        log.warning("job lost", job=job.id, kind=job.kind, reason=str(error))
    except StoreError:
        raise  # the catalog or the disk: another attempt follows when this one has been silent for long enough
    except Exception as error:  # the job says why, whatever it is
        reason = str(error) if isinstance(error, BarographError) else f"{type(error).__name__}: {error}"
        log.error(
            "job failed", job=job.id, kind=job.kind, reason=reason, exc_info=not isinstance(error, BarographError)
        )
        with suppress(NotFoundError), ctx.write(job.project_id) as scope:  # its model may have been deleted meanwhile
            jobs.fail(scope, job, reason=reason, now_us=ctx.now_us(), final=isinstance(error, BarographError))
            if job.kind == "fit" and isinstance(error, BarographError):
                references.reference_failed(scope, job.detail["reference_id"], reason=reason)
    finally:
        ctx.running.pop(job.id, None)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One worker's turn at a job. `lost` is set when the job was cancelled, or given to another."""

    ctx: WorkerContext
    job: Job
    lost: threading.Event
    until_s: float

    def check(self) -> None:
        """Raise Stopping or LeaseLost if this should not go on."""
        self.ctx.check()
        if self.lost.is_set():
            raise LeaseLost(f"Job {self.job.id} was cancelled, or another worker does it.")

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until_s

    def told(self, done: int, total: int | None) -> None:
        """Say how far the job is. Raises like `check`."""
        self.check()
        with self.ctx.write(self.job.project_id) as scope:
            seconds = self.ctx.settings.lease_seconds
            jobs.progress(scope, self.job, done=done, total=total, now_us=self.ctx.now_us(), seconds=seconds)

    def put_back(self, **detail: Any) -> None:
        """Let the job go on later, with this in its detail."""
        with self.ctx.write(self.job.project_id) as scope:
            jobs.put_back(scope, self.job, now_us=self.ctx.now_us(), detail=detail)


@contextmanager
def _beating(ctx: WorkerContext, job: Job, turn_s: float) -> Iterator[_Turn]:
    """Say that the job's worker lives, as long as the block runs."""
    seconds = ctx.settings.lease_seconds

    def beat() -> None:
        with ctx.write(job.project_id) as scope:
            now = jobs.get_job(scope, job.id)
            jobs.progress(scope, job, done=now.done if now else 0, now_us=ctx.now_us(), seconds=seconds)

    with kept_alive(beat, seconds=min(seconds, BEATEN_S)) as lost:
        yield _Turn(ctx, job, lost, time.monotonic() + turn_s)


def _fit(ctx: WorkerContext, job: Job, turn: _Turn) -> None:
    """Learn from reference data, and use what was learned."""
    for _ in range(CHANGES):
        with ctx.read(job.project_id) as scope:
            model = models.get_model(scope, job.model_id)
        if model is None:
            return
        plain = job.detail.get("spec", model.spec)
        learned = _learned(ctx, job, ModelSpec.model_validate(plain), turn)
        check_fit(ModelSpec.model_validate(plain), learned.yardstick, kept_by(ctx.settings, model))
        turn.check()
        if _keep(ctx, job, learned, plain):
            return
    raise SpecError("The specification was changed each time while this was learned. Send the reference again.")


def _learned(ctx: WorkerContext, job: Job, spec: ModelSpec, turn: _Turn) -> Reference:
    number = job.detail.get("data", job.detail["reference"])
    of_model = {"project_id": job.project_id, "model_id": job.model_id}
    with reference_file(ctx.settings, **of_model, number=number) as path:
        try:
            rows = checked(open_rows(path), turn.check)
            return served(fit(rows, check=turn.check, **spec.roles()))
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


def _backfill(ctx: WorkerContext, job: Job, turn: _Turn) -> None:
    """Build the profiles of all kept events with a reference, then use it."""
    steps = backfill(ctx, job, chunk=job.detail.get("chunk") or DEFAULT_CHUNK, now_us=ctx.now_us)
    for step in steps:
        if step is None:
            turn.check()
            continue
        turn.told(step.done, step.total)
        if turn.over:
            steps.close()
            turn.put_back()
            return


def _replay(ctx: WorkerContext, job: Job, turn: _Turn) -> None:
    """Take rows again that were rejected, with the schema of today."""
    assert ctx.spool is not None
    # What an earlier turn has seen: rows that were rejected again stay where they are, and are not tried twice.
    taken, rejected = job.detail.get("taken", 0), job.detail.get("rejected_again", 0)
    after: int | None = job.detail.get("after")
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
        turn.told(taken + rejected, None)
        if turn.over:
            turn.put_back(taken=taken, rejected_again=rejected, after=after)
            return
    with ctx.write(job.project_id) as scope:
        jobs.finish(scope, job, now_us=ctx.now_us(), detail={"taken": taken, "rejected_again": rejected})


def _refile(ctx: WorkerContext, job: Job, turn: _Turn) -> None:
    """Put rows that could not be filed into the spool again, from the file in which they were set aside."""
    assert ctx.spool is not None
    with ctx.read(job.project_id) as scope:
        poison = quarantine.get_poison(scope, job.detail["poison"])
    if poison is None:
        raise NotFoundError("What was to be filed again has been dropped.")
    path = Path(poison.position)
    if path.parent != poison_folder(ctx.settings, job.model_id) or not path.is_file():
        raise InputError(f"{poison.position} is not on this machine. Retry it where it lies, or drop it.")
    table = from_payload(path.read_bytes())
    done = job.detail.get("filed", 0)  # in an earlier turn; rows that come twice are filed once
    while done < table.num_rows:
        turn.check()
        rows = table.slice(done, REPLAYED)
        batch = Batch(
            project_id=job.project_id,
            model_id=job.model_id,
            kind="labels" if poison.step == f"{FILING}labels" else "events",
            rows=rows.num_rows,
            payload=to_payload(rows),
            received_us=poison.at_us,
        )
        ctx.spool.append([batch])
        done += rows.num_rows
        turn.told(done, table.num_rows)
        if turn.over and done < table.num_rows:
            turn.put_back(filed=done)
            return
    with ctx.write(job.project_id) as scope:
        quarantine.delete_poison(scope, poison.id)
        jobs.finish(scope, job, now_us=ctx.now_us(), detail={"rows": table.num_rows})
    path.unlink(missing_ok=True)
