"""Jobs: learning from reference data, filling in the past with a reference, taking rejected rows again.

They work in slices, between which they look whether they were cancelled or the process ends; what takes long goes to
the back of the queue after its turn, if jobs of other models wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import Any  # Any: JSON values

import structlog

from barograph.errors import BarographError, InputError, LeaseLost, SpecError, Stopping, StoreError
from barograph.ingest.replay import replay_rows
from barograph.pipeline.backfilling import backfill
from barograph.pipeline.halting import checked
from barograph.pipeline.holding import kept_alive
from barograph.pipeline.live import served
from barograph.pipeline.requests import DEFAULT_CHUNK, request_activation
from barograph.pipeline.workshop import Workshop
from barograph.profiles.read import open_rows
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.spec.file import ModelSpec
from barograph.spec.plain import schema_to_plain
from barograph.store.catalog import everywhere, jobs, models, quarantine, references
from barograph.store.catalog.database import reading
from barograph.store.catalog.jobs import Job
from barograph.store.layout import event_schema
from barograph.store.reference_files import reference_file

LOOKED_AT = 20  # jobs that a worker tries to claim at once
REPLAYED = 10_000  # rows that are taken again in one step
BEATEN_S = 3.0  # within which a worker learns that its job was cancelled

log = structlog.get_logger(__name__)


def run_next_job(shop: Workshop, *, now_us: int, turn_s: float = inf, most_cells: float = inf) -> bool:
    """Run a job that nobody runs, and return whether there was one.

    It is the oldest of the model for which nothing was done for the longest time. After `turn_s` seconds it is put back
    if it can go on later. What would learn from more than `most_cells` values, which cannot be put back, is left to
    others.
    """
    with reading(shop.engine) as connection:
        waiting = everywhere.next_jobs(connection, now_us=now_us, seconds=shop.settings.lease_seconds, limit=LOOKED_AT)
    for one in waiting:
        if one.kind == "replay" and shop.spool is None:
            continue  # only a process that takes events can take them again
        if one.kind == "fit" and one.detail.get("cells", inf) > most_cells:
            continue
        with shop.write(one.project_id) as scope:
            job = jobs.claim(scope, one.job_id, owner=shop.owner, now_us=now_us, seconds=shop.settings.lease_seconds)
        if job is not None:
            _run(shop, job, turn_s)
            return True
    return False


def _run(shop: Workshop, job: Job, turn_s: float) -> None:
    step = {"fit": _fit, "backfill": _backfill, "replay": _replay}[job.kind]
    shop.running[job.id] = job
    try:
        with _beating(shop, job, turn_s) as turn:
            step(shop, job, turn)
    except Stopping:
        with suppress(LeaseLost), shop.write(job.project_id) as scope:
            jobs.put_back(scope, job, now_us=shop.now_us())
    except LeaseLost as error:
        log.warning("job lost", job=job.id, kind=job.kind, reason=str(error))
    except StoreError:
        raise  # the catalog or the disk: another attempt follows when this one has been silent for long enough
    except Exception as error:  # the job says why, whatever it is
        reason = str(error) if isinstance(error, BarographError) else f"{type(error).__name__}: {error}"
        log.error(
            "job failed", job=job.id, kind=job.kind, reason=reason, exc_info=not isinstance(error, BarographError)
        )
        with shop.write(job.project_id) as scope:
            jobs.fail(scope, job, reason=reason, now_us=shop.now_us(), final=isinstance(error, BarographError))
            if job.kind == "fit" and isinstance(error, BarographError):
                references.reference_failed(scope, job.detail["reference_id"], reason=reason)
    finally:
        shop.running.pop(job.id, None)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One worker's turn at a job. `lost` is set when the job was cancelled, or given to another."""

    shop: Workshop
    job: Job
    lost: threading.Event
    until_s: float

    def check(self) -> None:
        """Raise Stopping or LeaseLost if this should not go on."""
        self.shop.check()
        if self.lost.is_set():
            raise LeaseLost(f"Job {self.job.id} was cancelled, or another worker does it.")

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until_s

    def told(self, done: int, total: int | None) -> None:
        """Say how far the job is. Raises like `check`."""
        self.check()
        with self.shop.write(self.job.project_id) as scope:
            seconds = self.shop.settings.lease_seconds
            jobs.progress(scope, self.job, done=done, total=total, now_us=self.shop.now_us(), seconds=seconds)

    def put_back(self, **detail: Any) -> None:
        """Let the job go on later, with this in its detail."""
        with self.shop.write(self.job.project_id) as scope:
            jobs.put_back(scope, self.job, now_us=self.shop.now_us(), detail=detail)


@contextmanager
def _beating(shop: Workshop, job: Job, turn_s: float) -> Iterator[_Turn]:
    """Say that the job's worker lives, as long as the block runs."""
    seconds = shop.settings.lease_seconds

    def beat() -> None:
        with shop.write(job.project_id) as scope:
            now = jobs.get_job(scope, job.id)
            jobs.progress(scope, job, done=now.done if now else 0, now_us=shop.now_us(), seconds=seconds)

    with kept_alive(beat, seconds=min(seconds, BEATEN_S)) as lost:
        yield _Turn(shop, job, lost, time.monotonic() + turn_s)


def _fit(shop: Workshop, job: Job, turn: _Turn) -> None:
    """Learn from reference data, and use what was learned."""
    with shop.read(job.project_id) as scope:
        model = models.get_model(scope, job.model_id)
    if model is None:
        return
    spec = ModelSpec.model_validate(model.spec)
    number = job.detail.get("data", job.detail["reference"])
    of_model = {"project_id": job.project_id, "model_id": job.model_id}
    with reference_file(shop.settings, **of_model, number=number) as path:
        try:
            rows = checked(open_rows(path), turn.check)
            learned = served(fit(rows, check=turn.check, **spec.roles()))
        except (InputError, SpecError) as error:  # whoever sent the data does not know where it lies here
            raise InputError(str(error).replace(str(path), "reference")) from error
    _check_columns(shop, job, learned)
    turn.check()
    now_us, schema = shop.now_us(), schema_to_plain(learned.schema)
    with shop.write(job.project_id) as scope:
        references.reference_ready(
            scope, job.detail["reference_id"], rows=learned.total.n, fitted=learned.to_bytes(), now_us=now_us
        )
        stored = references.get_reference(scope, job.detail["reference_id"])
        model = models.get_model(scope, job.model_id)
        assert stored is not None  # it has just been written
        assert model is not None
        following = request_activation(scope, model, stored, schema=schema, now_us=now_us)
        jobs.finish(scope, job, now_us=now_us, detail={"job": following.id} if following else None)


def _check_columns(shop: Workshop, job: Job, learned: Reference) -> None:
    """Raise SpecError if the model's events could not be kept in the table of those that are there."""
    table = shop.tables_for(job.project_id, job.model_id, learned.schema).schema("events")
    if table is None:
        return
    wanted = event_schema(learned.schema)
    problems = [
        f"The column {name!r} of the events that are kept is {table.field(name).type}, and would now be "
        f"{wanted.field(name).type}. Register another model."
        for name in wanted.names
        if name in table.names and table.field(name).type != wanted.field(name).type
    ]
    if problems:
        raise SpecError(problems)


def _backfill(shop: Workshop, job: Job, turn: _Turn) -> None:
    """Build the profiles of all kept events with a reference, then use it."""
    steps = backfill(shop, job, chunk=job.detail.get("chunk") or DEFAULT_CHUNK, now_us=shop.now_us)
    for step in steps:
        if step is None:
            turn.check()
            continue
        turn.told(step.done, step.total)
        if turn.over:
            steps.close()
            turn.put_back()
            return


def _replay(shop: Workshop, job: Job, turn: _Turn) -> None:
    """Take rows again that were rejected, with the schema of today."""
    assert shop.spool is not None
    # What an earlier turn has seen: rows that were rejected again stay where they are, and are not tried twice.
    taken, rejected = job.detail.get("taken", 0), job.detail.get("rejected_again", 0)
    after: int | None = job.detail.get("after")
    while True:
        with shop.read(job.project_id) as scope:
            model = models.get_model(scope, job.model_id)
            page = quarantine.list_rows(scope, job.model_id, replayed=False, limit=REPLAYED, after=after)
        if not page or model is None or model.schema is None:
            break
        after = page[-1].id
        batches, good = replay_rows(shop.settings, model.project_id, model.id, model.schema, page, now_us=shop.now_us())
        shop.spool.append(batches)
        taken, rejected = taken + len(good), rejected + len(page) - len(good)
        with shop.write(job.project_id) as scope:
            quarantine.mark_replayed(scope, job.model_id, good, now_us=shop.now_us())
        turn.told(taken + rejected, None)
        if turn.over:
            turn.put_back(taken=taken, rejected_again=rejected, after=after)
            return
    with shop.write(job.project_id) as scope:
        jobs.finish(scope, job, now_us=shop.now_us(), detail={"taken": taken, "rejected_again": rejected})
