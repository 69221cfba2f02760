"""Points: what changes is restated, what does not stays, and the past can be read as it was known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import event
from two_projects import NOW, SECOND, Catalog, day_us, result

from barograph.errors import InputError, NotFoundError
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.store.catalog import results
from barograph.store.catalog.results import Point
from barograph.store.catalog.schema import FOREVER


def write(catalog: Catalog, model_id: int, *given: Result, at: int = NOW, **options: object) -> int:
    with catalog.write() as scope:
        return results.write_points(scope, model_id, results.pack(given), now_us=at, **options)  # type: ignore[arg-type]  # of a test


def every(catalog: Catalog, model_id: int, **filters: object) -> list[Point]:
    with catalog.read() as scope:
        return results.rows(scope, model_id, limit=1000, **filters)  # type: ignore[arg-type]  # of a test


def test_a_point_says_what_the_result_said(catalog: Catalog) -> None:
    model = catalog.model()
    given = result(
        "performance.roc_auc.x",
        segment="origin=JFK",
        value=0.1 + 0.2,
        lower=-1e-308,
        upper=math.inf,
        reference_value=1 / 3,
        limit_lower=None,
        limit_upper=1e300,
        evidence=-0.5,
        status=Status.BREACH,
        reason="worse",
        label_coverage=0.25,
    )
    assert write(catalog, model.id, given) == 1
    (point,) = every(catalog, model.id)
    for name in set(Point._fields) & set(Result.__slots__):
        assert getattr(point, name) == getattr(given, name), name
    assert (point.chunk_us, point.from_us, point.until_us) == (day_us(0), NOW, FOREVER)


def test_the_same_again_is_not_written(catalog: Catalog) -> None:
    model = catalog.model()
    given = [result(day=day, value=math.nan if day else None, as_of=None) for day in range(3)]
    assert write(catalog, model.id, *given) == 3
    before = every(catalog, model.id)
    assert write(catalog, model.id, *given, at=NOW + 1) == 0
    assert every(catalog, model.id) == before


@pytest.mark.parametrize(
    "change",
    [
        {"value": 0.5 + 2**-30},
        {"n": 11},
        {"status": Status.WARNING},
        {"reason": "why"},
        {"version": "2"},
        {"lower": 0.1},
        {"label_coverage": 1.0},
        {"evidence": 0.0},
    ],
)
def test_whatever_differs_is_restated(catalog: Catalog, change: dict[str, object]) -> None:
    model = catalog.model()
    write(catalog, model.id, result(), result(day=1))
    assert write(catalog, model.id, result(**change), result(day=1), at=NOW + SECOND) == 1
    new, same = every(catalog, model.id)
    assert (new.from_us, same.from_us) == (NOW + SECOND, NOW)
    old, _ = every(catalog, model.id, as_of_us=NOW + SECOND - 1)
    assert (old.value, old.from_us, old.until_us) == (0.5, NOW, NOW + SECOND)
    assert every(catalog, model.id, as_of_us=NOW - 1) == []


def test_what_vanished_holds_no_more_but_only_in_chunks_that_were_evaluated(catalog: Catalog) -> None:
    model = catalog.model()
    write(catalog, model.id, result(day=0), result(day=1), result("quality.freshness", day=1))
    assert write(catalog, model.id, result(day=1), at=NOW + 1, chunks=[day_us(1)]) == 1
    assert [(p.metric, p.chunk_us) for p in every(catalog, model.id)] == [
        ("row_count", day_us(0)),
        ("row_count", day_us(1)),
    ]
    assert write(catalog, model.id, result(day=1), at=NOW + 2) == 1
    assert [p.chunk_us for p in every(catalog, model.id)] == [day_us(1)]
    assert len(every(catalog, model.id, as_of_us=NOW)) == 3
    assert write(catalog, model.id, at=NOW + 3, chunks=[]) == 0
    assert write(catalog, model.id, at=NOW + 3) == 1
    assert every(catalog, model.id) == []


def test_a_clock_that_steps_back_leaves_one_truth_at_each_time(catalog: Catalog) -> None:
    model = catalog.model()
    for step, value in enumerate([0.1, 0.2, None, 0.3, 0.4]):
        given = [] if value is None else [result(value=value)]
        write(catalog, model.id, *given, at=NOW - step * SECOND)
    seen = [[p.value for p in every(catalog, model.id, as_of_us=NOW + offset)] for offset in range(-1, 6)]
    assert seen == [[], [0.1], [0.2], [], [0.3], [0.4], [0.4]]


def test_a_filling_chunk_is_restated_in_place_within_the_resolution(catalog: Catalog) -> None:
    model = catalog.model()
    for second in range(10):
        assert write(catalog, model.id, result(n=second), at=NOW + second * SECOND, resolution_us=4 * SECOND) == 1
    spans = {
        (p.from_us - NOW, p.n) for second in range(10) for p in every(catalog, model.id, as_of_us=NOW + second * SECOND)
    }
    assert spans == {(0, 3), (4 * SECOND, 7), (8 * SECOND, 9)}


def test_numbers_that_differ_by_rounding_say_the_same(catalog: Catalog) -> None:
    model = catalog.model()
    write(catalog, model.id, result(value=0.429332456329152))
    assert write(catalog, model.id, result(value=0.42933245632915207), at=NOW + 1) == 0
    assert write(catalog, model.id, result(value=0.4293324563), at=NOW + 2) == 1


def test_chunks_are_compared_by_their_starts_however_many_they_are(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "_MOST_NAMED", 2)
    model = catalog.model()
    write(catalog, model.id, *(result(day=day) for day in range(6)))
    evaluated = [day_us(day) for day in (0, 2, 4)]
    assert write(catalog, model.id, result(day=2), at=NOW + 1, chunks=evaluated) == 2
    assert [p.chunk_us for p in every(catalog, model.id)] == [day_us(day) for day in (1, 2, 3, 5)]


def test_a_series_is_exact_about_column_segment_and_family(catalog: Catalog) -> None:
    model = catalog.model()
    whole = result("performance.accuracy")
    given = [
        replace(whole, chunk_start=result(day=day).chunk_start, chunk_end=result(day=day).chunk_end, **of)  # type: ignore[arg-type]  # of a test
        for day in range(3)
        for of in (
            {},
            {"monitor": "performance.accuracy.a=1", "segment": "a=1"},
            {"monitor": "performance.accuracy.x", "column": "x"},
            {"monitor": "estimation.accuracy", "family": "estimation"},
        )
    ]
    write(catalog, model.id, *given)
    with catalog.read() as scope:

        def monitors(**options: object) -> list[tuple[int, str]]:
            found = results.series(scope, model.id, metric="accuracy", **{"limit": 100, **options})  # type: ignore[arg-type]  # of a test
            return [((p.chunk_us - day_us(0)) // (86_400 * SECOND), p.monitor) for p in found]

        assert monitors(segment="a=1") == [(day, "performance.accuracy.a=1") for day in range(3)]
        assert monitors(column="x", start_us=day_us(1), end_us=day_us(2)) == [(1, "performance.accuracy.x")]
        assert monitors(column="y") == []
        both = monitors()
        assert sorted(both) == [
            (day, f"{family}.accuracy") for day in range(3) for family in ("estimation", "performance")
        ]
        assert [day for day, _ in both] == [0, 0, 1, 1, 2, 2]
        assert monitors(family="estimation") == [(day, "estimation.accuracy") for day in range(3)]
        assert [s.monitor for s in results.list_series(scope, model.id)] == [
            "estimation.accuracy",
            "performance.accuracy",
            "performance.accuracy.a=1",
            "performance.accuracy.x",
        ]


def test_pages_hold_each_row_once(catalog: Catalog) -> None:
    model = catalog.model()
    rng = np.random.default_rng(0)
    monitors = [f"drift.psi.c{i}" for i in range(7)]
    given = [result(m, day=day) for m in monitors for day in range(11) if rng.random() < 0.7]
    write(catalog, model.id, *given)
    for read in (results.rows, lambda *a, **k: results.series(*a, metric="psi", column="c3", **k)):
        with catalog.read() as scope:
            whole, paged, after = read(scope, model.id, limit=1000), [], None
            while page := read(scope, model.id, limit=4, after=after):
                paged += page
                after = page[-1].chunk_us, page[-1].series_id
        assert paged == whole
        assert [(p.chunk_us, p.series_id) for p in whole] == sorted({(p.chunk_us, p.series_id) for p in whole})


def test_rows_are_filtered_by_what_they_say(catalog: Catalog) -> None:
    model = catalog.model()
    given = [result(m, day=day) for m in ("drift.psi.a", "drift.psi.b", "quality.freshness") for day in range(4)]
    given[0] = replace(given[0], status=Status.BREACH)
    write(catalog, model.id, *given)
    for filters, n in (
        ({"family": "drift"}, 8),
        ({"metric": "freshness"}, 4),
        ({"column": "a"}, 4),
        ({"monitor": "drift.psi.b", "start_us": day_us(1), "end_us": day_us(3)}, 2),
        ({"status": "breach"}, 1),
        ({"segment": "none"}, 0),
    ):
        assert len(every(catalog, model.id, **filters)) == n, filters


def test_the_newest_chunk(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.read() as scope:
        assert results.latest(scope, model.id) == []
        assert results.current_chunks(scope, model.id, since_us=0) == set()
    write(catalog, model.id, *(result(m, day=day) for m in ("drift.psi.a", "drift.psi.b") for day in range(3)))
    write(catalog, model.id, at=NOW + 1, chunks=[day_us(2)])
    with catalog.read() as scope:
        found = results.latest(scope, model.id)
        assert results.current_chunks(scope, model.id, since_us=0) == {day_us(0), day_us(1)}
        assert results.current_chunks(scope, model.id, since_us=day_us(1)) == {day_us(1)}
    assert [(p.column, p.chunk_us) for p in found] == [("a", day_us(1)), ("b", day_us(1))]


def test_texts_that_no_database_takes_are_the_same_the_second_time(catalog: Catalog) -> None:
    model = catalog.model()
    odd = replace(
        result("drift.psi.a"), monitor="drift.psi.\x00\ud800é", column="\x00\ud800é", reason="\x00", segment="\ud800"
    )
    assert write(catalog, model.id, odd) == 1
    assert write(catalog, model.id, odd, at=NOW + 1) == 0
    with catalog.read() as scope:
        assert len(results.series(scope, model.id, metric="psi", column="\x00\ud800é", segment="\ud800", limit=9)) == 1


def test_results_that_cannot_be_kept_are_refused(catalog: Catalog) -> None:
    model = catalog.model()
    with pytest.raises(InputError, match="chunks of time"):
        write(catalog, model.id, result(chunk_start=None))
    with pytest.raises(InputError, match="two results of"):
        write(catalog, model.id, result(), result(value=2.0))
    with pytest.raises(NotFoundError):
        write(catalog, model.id + 1, result())
    assert every(catalog, model.id) == []


def test_many_points_take_few_statements(catalog: Catalog) -> None:
    """A statement a row would take minutes for a model of usual size."""
    model = catalog.model()
    given = [result(f"drift.psi.c{i}", day=day, value=i / 7) for day in range(20) for i in range(100)]
    statements: list[str] = []
    event.listen(catalog.engine, "before_cursor_execute", lambda _c, _u, text, *_: statements.append(text))
    assert write(catalog, model.id, *given) == len(given)
    changed = [replace(r, value=-1.0) for r in given[-100:]]
    assert write(catalog, model.id, *changed, at=NOW + 1, chunks=[day_us(19)]) == 100
    assert len([text for text in statements if "series" in text or "points" in text]) <= 10
