"""Jobs: begun by one worker, begun again when it dies, ended once."""

from __future__ import annotations

import threading

import pytest
from two_projects import NOW, SECOND, Catalog

from barograph.errors import LeaseLost, NotFoundError
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import jobs
from barograph.store.catalog.jobs import Job


def add(catalog: Catalog) -> Job:
    model = catalog.model()
    with catalog.write() as scope:
        return jobs.add_job(scope, model.id, "fit", detail={"reference": 1}, now_us=NOW)


def claim(catalog: Catalog, job: Job, *, owner: str = "a", at: int = NOW) -> Job | None:
    with catalog.write() as scope:
        return jobs.claim(scope, job.id, owner=owner, now_us=at, seconds=30, attempts=3)


def test_a_job_from_beginning_to_end(catalog: Catalog) -> None:
    job = add(catalog)
    assert (job.state, job.done, job.total, job.attempts) == ("waiting", 0, None, 0)
    running = claim(catalog, job)
    assert running is not None
    assert (running.state, running.attempts, running.owner, running.until_us) == ("running", 1, "a", NOW + 30 * SECOND)
    assert claim(catalog, job, owner="b") is None
    with catalog.write() as scope:
        jobs.progress(scope, running, done=5, total=10, now_us=NOW + 20 * SECOND, seconds=30)
    assert claim(catalog, job, owner="b", at=NOW + 40 * SECOND) is None
    with catalog.write() as scope:
        jobs.finish(scope, running, now_us=NOW + 1, detail={"rows": 7})
        done = jobs.get_job(scope, job.id)
    assert done is not None
    assert (done.state, done.done, done.total, done.owner) == ("done", 5, 10, None)
    assert done.detail == {"reference": 1, "rows": 7}
    assert claim(catalog, job, at=NOW + 999 * SECOND) is None


def test_an_attempt_that_fell_silent_is_followed_by_another_and_cannot_end_it(catalog: Catalog) -> None:
    job = add(catalog)
    silent = claim(catalog, job)
    assert silent is not None
    second = claim(catalog, job, at=NOW + 30 * SECOND)  # the same owner: the attempt tells them apart
    assert second is not None
    assert second.attempts == 2
    for end in (
        lambda scope: jobs.finish(scope, silent, now_us=NOW),
        lambda scope: jobs.fail(scope, silent, reason="x", now_us=NOW),
        lambda scope: jobs.progress(scope, silent, done=1, now_us=NOW, seconds=30),
    ):
        with pytest.raises(LeaseLost), catalog.write() as scope:
            end(scope)
    with catalog.write() as scope:
        jobs.finish(scope, second, now_us=NOW)


def test_after_the_last_attempt_it_is_failed_with_the_reason(catalog: Catalog) -> None:
    job = add(catalog)
    states = []
    for _ in range(3):
        running = claim(catalog, job)
        assert running is not None
        with catalog.write() as scope:
            jobs.fail(scope, running, reason="the file is gone", now_us=NOW, attempts=3)
            found = jobs.get_job(scope, job.id)
            assert found is not None
            states.append((found.state, found.attempts, found.reason))
    assert states == [(s, n, "the file is gone") for n, s in enumerate(("waiting", "waiting", "failed"), 1)]
    assert claim(catalog, job) is None
    with catalog.write() as scope:
        assert jobs.retry(scope, job.id, now_us=NOW)
        assert not jobs.retry(scope, job.id, now_us=NOW)
    again = claim(catalog, job)
    assert again is not None
    assert again.attempts == 1


def test_one_whose_workers_all_die_is_failed_too(catalog: Catalog) -> None:
    job = add(catalog)
    for attempt in range(3):
        assert claim(catalog, job, at=NOW + attempt * 30 * SECOND) is not None
    assert claim(catalog, job, at=NOW + 90 * SECOND) is None
    with catalog.read() as scope:
        found = jobs.get_job(scope, job.id)
    assert found is not None
    assert (found.state, found.owner) == ("failed", None)
    assert "begun 3 times" in (found.reason or "")


def test_a_reason_that_would_come_again_fails_at_once(catalog: Catalog) -> None:
    running = claim(catalog, add(catalog))
    assert running is not None
    with catalog.write() as scope:
        jobs.fail(scope, running, reason="no label", now_us=NOW, final=True)
        found = jobs.get_job(scope, running.id)
    assert found is not None
    assert found.state == "failed"


def test_of_many_that_race_one_begins(catalog: Catalog) -> None:
    job = add(catalog)
    begun: list[Job] = []

    def race(owner: str) -> None:
        if (found := claim(catalog, job, owner=owner)) is not None:
            begun.append(found)

    threads = [threading.Thread(target=race, args=(str(i),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1


def test_jobs_are_listed_newest_first(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        made = [jobs.add_job(scope, model.id, kind, detail={}, now_us=NOW) for kind in ("fit", "backfill", "fit")]
        jobs.claim(scope, made[0].id, owner="a", now_us=NOW, seconds=30)

        def ids(**filters: object) -> list[int]:
            return [job.id for job in jobs.list_jobs(scope, **{"limit": 9, **filters})]  # type: ignore[arg-type]  # of a test

        assert ids() == [made[2].id, made[1].id, made[0].id]
        assert ids(after=made[2].id, limit=1) == [made[1].id]
        assert (ids(kind="backfill"), ids(state="running")) == ([made[1].id], [made[0].id])
        assert (ids(model_id=model.id), ids(model_id=99)) == (ids(), [])
        waiting = everywhere.next_jobs(scope.connection, now_us=NOW, seconds=30, limit=9)
        assert [(job.job_id, job.kind) for job in waiting] == [(made[1].id, "backfill"), (made[2].id, "fit")]
        silent = everywhere.next_jobs(scope.connection, now_us=NOW + 30 * SECOND, seconds=30, limit=1)
        assert [job.job_id for job in silent] == [made[0].id]
        assert everywhere.jobs_by_state(scope.connection) == [
            (1, "backfill", "waiting", 1),
            (1, "fit", "running", 1),
            (1, "fit", "waiting", 1),
        ]


def test_a_clock_that_ran_ahead_does_not_keep_a_job_for_ever(catalog: Catalog) -> None:
    job_id = add(catalog).id
    ahead = NOW + 3600 * SECOND
    with catalog.write() as scope:
        assert jobs.claim(scope, job_id, owner="a", now_us=ahead, seconds=30) is not None
        found = everywhere.next_jobs(scope.connection, now_us=NOW, seconds=30, limit=9)
        assert [job.job_id for job in found] == [job_id]
        again = jobs.claim(scope, job_id, owner="b", now_us=NOW, seconds=30)
    assert again is not None
    assert again.attempts == 2


def test_an_unknown_model_or_job_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError), catalog.write() as scope:
        jobs.add_job(scope, 99, "fit", detail={}, now_us=NOW)
    running = claim(catalog, add(catalog))
    assert running is not None
    with pytest.raises(NotFoundError), catalog.write(catalog.other) as scope:
        jobs.finish(scope, running, now_us=NOW)


def test_a_cancelled_job_is_not_begun_and_who_runs_it_learns_of_that(catalog: Catalog) -> None:
    job = add(catalog)
    running = claim(catalog, job)
    assert running is not None
    with catalog.write() as scope:
        assert jobs.cancel(scope, job.id, now_us=NOW + 1)
        assert not jobs.cancel(scope, job.id, now_us=NOW + 2)
    for end in (
        lambda scope: jobs.progress(scope, running, done=1, now_us=NOW, seconds=30),
        lambda scope: jobs.finish(scope, running, now_us=NOW),
        lambda scope: jobs.put_back(scope, running, now_us=NOW),
    ):
        with pytest.raises(LeaseLost), catalog.write() as scope:
            end(scope)
    assert claim(catalog, job, at=NOW + 999 * SECOND) is None
    with catalog.write() as scope:
        found = jobs.get_job(scope, job.id)
    assert found is not None
    assert (found.state, found.updated_us) == ("cancelled", NOW + 1)


def test_a_job_that_is_put_back_goes_on_later_and_that_is_no_attempt(catalog: Catalog) -> None:
    job = add(catalog)
    for turn in range(5):  # more often than it may be attempted
        running = claim(catalog, job, at=NOW + turn)
        assert running is not None
        assert (running.attempts, running.detail.get("after")) == (1, turn or None)
        with catalog.write() as scope:
            jobs.put_back(scope, running, now_us=NOW + turn, detail={"after": turn + 1})


def test_models_take_turns_however_many_jobs_each_has(catalog: Catalog) -> None:
    first, second, third = catalog.model("a"), catalog.model("b"), catalog.model("c")
    with catalog.write() as scope:
        for model in (first, first, first, second, second, third):
            jobs.add_job(scope, model.id, "backfill", detail={}, now_us=NOW)
    order, now = [], NOW
    for _ in range(7):
        now += SECOND
        with catalog.write() as scope:
            (following, *_) = everywhere.next_jobs(scope.connection, now_us=now, seconds=30, limit=10)
            running = jobs.claim(scope, following.job_id, owner="a", now_us=now, seconds=30)
            assert running is not None
            order.append(following.model_id)
            if len(order) == 1:
                jobs.put_back(scope, running, now_us=now)  # its turn is over, it is not
            else:
                jobs.finish(scope, running, now_us=now)
    assert order == [m.id for m in (first, second, third, first, second, first, first)]
