"""The threads of a worker, several workers on one catalog, and work that fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from plant import DAY_US, PROJECT, START_US, Plant, events, plant_in

from barograph.errors import LeaseLost
from barograph.store.batches import to_payload
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import jobs, leases, proposals, quarantine, references, results, states
from barograph.store.catalog.database import reading, writing
from barograph.worker import jobs as worker_jobs
from barograph.worker import process_model as tending
from barograph.worker.evaluate_model import evaluate_model
from barograph.worker.jobs import run_next_job
from barograph.worker.lease_guard import hold
from barograph.worker.requests import request_relearning, request_retry
from barograph.worker.worker import run_workers

REFERENCE = events(30, 100, seed=1, start_us=START_US - 60 * DAY_US)
CURRENT = events(10, 100, seed=2)


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def test_threads_file_count_and_evaluate_until_they_are_stopped(plant: Plant) -> None:
    plant.register(REFERENCE)
    stop = threading.Event()
    workers = [
        threading.Thread(
            target=run_workers,
            args=(plant.ctx.settings,),
            kwargs={"threads": 2, "stop": stop, "spool": spool, "clock": plant.ctx.now_us},
        )
        for spool in (plant.spool, None)
    ]
    for worker in workers:
        worker.start()

    def evaluated() -> bool:
        plant.now_us += 100_000
        with plant.ctx.read(PROJECT) as scope:
            state = states.get_state(scope, plant.model_id)
            found = results.latest(scope, plant.model_id)
        return state is not None and state.events == len(CURRENT) and any(p.n == 100 for p in found)

    try:
        for at in range(0, len(CURRENT), 100):
            plant.send(CURRENT[at : at + 100])
        until(evaluated)
    finally:
        stop.set()
        for worker in workers:
            worker.join(timeout=20)
    assert not any(worker.is_alive() for worker in workers)
    assert not plant.spool.rows


def test_who_has_lost_the_lease_cannot_keep_what_was_done(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT)
    plant.work()
    with hold(plant.ctx, f"model/{plant.model_id}", now_us=plant.now_us) as lease:
        assert lease is not None
        late = plant.now_us + 3600 * 1_000_000
        with writing(plant.ctx.engine) as connection:
            assert leases.take(connection, lease.name, "another", now_us=late, seconds=30) is not None
        with plant.ctx.read(PROJECT) as scope:
            before = states.get_state(scope, plant.model_id)
        with pytest.raises(LeaseLost):
            evaluate_model(plant.ctx, plant.live, lease, now_us=plant.now_us)
        with plant.ctx.read(PROJECT) as scope:
            assert states.get_state(scope, plant.model_id) == before


def test_a_model_that_fails_is_tried_later_and_later_and_set_aside_for_people(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT)
    plant.file()

    def broken(*args: object, **more: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(tending, "profile_added", broken)
    waits = []
    for _ in range(6):
        with reading(plant.ctx.engine) as connection:
            due = everywhere.due_work(connection, now_us=plant.now_us, limit=1)[0]
        with hold(plant.ctx, f"model/{due.model_id}", now_us=plant.now_us) as lease:
            assert lease is not None
            tending.process_model(plant.ctx, due, lease, now_us=plant.ctx.now_us)
        with reading(plant.ctx.engine) as connection:
            (after,) = everywhere.due_work(connection, now_us=plant.now_us + DAY_US, limit=1)
        waits.append((after.due_us - plant.now_us) / 1e6)
        plant.now_us = after.due_us
    assert waits == [5, 10, 20, 40, 80, 160]
    with plant.ctx.read(PROJECT) as scope:
        (poison,) = quarantine.list_poison(scope, limit=10)
    assert "a defect" in poison.reason
    monkeypatch.undo()
    with plant.ctx.write(PROJECT) as scope:
        assert request_retry(scope, poison, now_us=plant.now_us) is None
        assert not quarantine.list_poison(scope, limit=10)
    with reading(plant.ctx.engine) as connection:
        (due,) = everywhere.due_work(connection, now_us=plant.now_us, limit=1)
    assert due.failures == 0
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        assert results.latest(scope, plant.model_id)


def test_another_process_goes_on_where_one_ended(tmp_path: Path) -> None:
    with plant_in(tmp_path / "data") as first:
        first.register(REFERENCE)
        first.send(CURRENT[:500])
        first.work()
        model, now = first.model_id, first.now_us
        first.send(CURRENT[500:])
        first.send(CURRENT.select("event_id", "label"), "labels")
    with plant_in(tmp_path / "data") as second:
        second.model_id, second.now_us = model, now
        second.work()
        with second.ctx.read(PROJECT) as scope:
            found = results.series(scope, model, metric="accuracy", family="performance", limit=100)
        assert [p.n for p in found] == [100] * 10


def test_a_batch_that_cannot_be_filed_is_kept_aside_and_the_others_go_on(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT[:500])
    (good,) = plant.spool.take(plant.model_id, "events", max_rows=1000, max_bytes=10**9)
    torn = good.batch.payload[:100]
    other = to_payload(pa.table({"event_id": ["a"], "timestamp": CURRENT["timestamp"][:1].to_arrow(), "x": ["text"]}))
    plant.spool.append([replace(good.batch, payload=torn), replace(good.batch, payload=other, rows=1)])
    plant.send(CURRENT[500:])
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        state = states.get_state(scope, plant.model_id)
        poison = quarantine.list_poison(scope, limit=10)
    assert state is not None
    assert state.events == len(CURRENT)
    assert {Path(p.position).read_bytes() for p in poison} == {torn, other}
    assert not plant.spool.rows
    # Tried again, what is torn stays and its job says why; what is whole is filed, or set aside anew.
    by_bytes = {Path(p.position).read_bytes(): p for p in poison}
    Path(by_bytes[other].position).write_bytes(good.batch.payload)  # as if somebody had mended it
    with plant.ctx.write(PROJECT) as scope:
        wanted = [request_retry(scope, by_bytes[payload], now_us=plant.now_us) for payload in (torn, other)]
    plant.run_jobs()
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        tried = [jobs.get_job(scope, job.id) for job in wanted if job is not None]
        left = quarantine.list_poison(scope, limit=10)
        again = states.get_state(scope, plant.model_id)
    assert [(job.state, job.kind) for job in tried if job] == [("failed", "refile"), ("done", "refile")]
    assert "damaged" in str(tried[0] and tried[0].reason)
    assert left == [by_bytes[torn]]
    assert not Path(by_bytes[other].position).exists()
    assert again is not None
    assert again.events == len(CURRENT)  # they had come before


def test_what_is_filed_again_goes_in_slices_and_ends_where_it_is_cancelled(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_jobs, "REPLAYED", 300)
    plant.register(REFERENCE)
    plant.send(CURRENT)
    (good,) = plant.spool.take(plant.model_id, "events", max_rows=10**6, max_bytes=10**9)
    plant.spool.release(plant.model_id, "events", through=good.sequence)
    path = plant.ctx.settings.folder / "poison" / str(plant.model_id) / "x-events.arrow"
    path.parent.mkdir(parents=True)
    path.write_bytes(good.batch.payload)
    with plant.ctx.write(PROJECT) as scope:
        poison = quarantine.add_poison(
            scope, plant.model_id, step="file events", position=str(path), reason="r", now_us=plant.now_us
        )
        job = request_retry(scope, poison, now_us=plant.now_us)
    assert job is not None
    turns = 0
    while run_next_job(plant.ctx, now_us=plant.now_us, turn_s=0.0):  # a turn is over after one slice
        turns += 1
    assert turns == -(-len(CURRENT) // 300)
    with plant.ctx.read(PROJECT) as scope:
        done = jobs.get_job(scope, job.id)
        assert not quarantine.list_poison(scope, limit=1)
    assert done is not None
    assert (done.state, done.done, done.total, done.detail["rows"]) == (
        "done",
        len(CURRENT),
        len(CURRENT),
        len(CURRENT),
    )
    assert not path.exists()
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        state = states.get_state(scope, plant.model_id)
    assert state is not None
    assert state.events == len(CURRENT)


def test_a_fit_with_a_pending_specification_that_is_cancelled_changes_nothing(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT)
    plant.work()
    before = plant.model
    new = {**before.spec, "segments": ["where"]}
    with plant.ctx.write(PROJECT) as scope:
        job = request_relearning(scope, before, new, now_us=plant.now_us)
    assert job.detail["cells"] == REFERENCE.height * REFERENCE.width

    def cancelling() -> int:  # what a job asks for the time last is what it is about to write down
        with plant.ctx.write(PROJECT) as scope:
            if jobs.cancel(scope, job.id, now_us=plant.now_us):
                references.reference_failed(scope, job.detail["reference_id"], reason="Learning was cancelled.")
        return plant.now_us

    assert run_next_job(replace(plant.ctx, now_us=cancelling), now_us=plant.now_us)
    with plant.ctx.read(PROJECT) as scope:
        ended = jobs.get_job(scope, job.id)
        reference = references.get_reference(scope, job.detail["reference_id"])
        proposal = proposals.get_proposal(scope, plant.model_id)
    assert ended is not None
    assert reference is not None
    assert proposal is not None
    assert (ended.state, reference.state, reference.reason) == ("cancelled", "failed", "Learning was cancelled.")
    assert (proposal.is_pending, proposal.state) == (False, "cancelled")
    assert plant.model == before
    assert not run_next_job(plant.ctx, now_us=plant.now_us)

    with plant.ctx.write(PROJECT) as scope:  # asked for again, it is learned from the data in use
        again = request_relearning(scope, before, new, now_us=plant.now_us)
    assert again.detail["data"] == job.detail["data"] == 1
    plant.run_jobs()
    assert plant.model.spec["segments"] == ["where"]
