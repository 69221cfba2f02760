"""Which models have something to do."""

from __future__ import annotations

import pytest
from two_projects import NOW, Catalog

from barograph.errors import NotFoundError
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import work
from barograph.store.catalog.cross_project import Due


def due(catalog: Catalog, *, at: int = NOW + 1000) -> list[Due]:
    with catalog.read() as scope:
        return everywhere.due_work(scope.connection, now_us=at, limit=9)


def test_the_earliest_time_counts_and_the_longest_due_comes_first(catalog: Catalog) -> None:
    first, second = catalog.model(), catalog.model("second", project=catalog.other)
    with catalog.write() as scope:
        for at in (30, 20, 40):
            work.mark(scope, first.id, due_us=NOW + at)
    with catalog.write(catalog.other) as scope:
        work.mark(scope, second.id, due_us=NOW + 10)
    assert due(catalog) == [
        Due(project_id=catalog.other, model_id=second.id, due_us=NOW + 10, marks=1, failures=0),
        Due(project_id=catalog.mine, model_id=first.id, due_us=NOW + 20, marks=3, failures=0),
    ]
    assert [d.model_id for d in due(catalog, at=NOW + 10)] == [second.id]
    assert due(catalog, at=NOW + 9) == []


def test_a_mark_that_was_set_again_is_not_cleared(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        work.mark(scope, model.id, due_us=NOW)
        work.mark(scope, model.id, due_us=NOW)
        assert not work.done(scope, model.id, marks=1)
        assert work.done(scope, model.id, marks=2)
        assert not work.done(scope, model.id, marks=2)
    assert due(catalog) == []


def test_what_failed_comes_later_and_is_counted(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        work.mark(scope, model.id, due_us=NOW)
        work.fail(scope, model.id, due_us=NOW + 50, reason="why", now_us=NOW)
        work.fail(scope, model.id, due_us=NOW + 60, reason="why", now_us=NOW)
    assert [(d.due_us, d.failures) for d in due(catalog)] == [(NOW + 60, 2)]
    with catalog.write() as scope:
        work.mark(scope, model.id, due_us=NOW + 5)  # new rows do not make it fail more often
        work.fail(scope, model.id, due_us=NOW + 70, reason="why", now_us=NOW)
    assert [(d.due_us, d.marks, d.failures) for d in due(catalog)] == [(NOW + 70, 2, 3)]
    with catalog.write() as scope:
        work.later(scope, model.id, marks=2, due_us=NOW + 90)
        work.mark(scope, model.id, due_us=NOW + 5)
    assert [(d.due_us, d.marks, d.failures) for d in due(catalog)] == [(NOW + 5, 3, 0)]


def test_a_clock_that_ran_ahead_does_not_put_work_off(catalog: Catalog) -> None:
    model = catalog.model()
    ahead = NOW + 5 * 3_600_000_000
    with catalog.write() as scope:
        work.mark(scope, model.id, due_us=ahead)
    assert [d.model_id for d in due(catalog, at=NOW)] == [model.id]
    assert due(catalog, at=ahead - work.FARTHEST_US) == []
    assert [d.model_id for d in due(catalog, at=ahead)] == [model.id]
    with catalog.write() as scope:
        work.fail(scope, model.id, due_us=ahead, reason="why", now_us=NOW)
    assert due(catalog, at=ahead - work.FARTHEST_RETRY_US) == []
    assert [d.model_id for d in due(catalog, at=NOW)] == [model.id]


def test_an_unknown_model_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError), catalog.write() as scope:
        work.mark(scope, 99, due_us=NOW)
