"""What pages read of results, against the same found by hand."""

from __future__ import annotations

from statistics import mean

import pytest
from two_projects import DAY, NOW, Catalog, day_us, result

from barograph.monitors.coverage import SHOWN
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.store.catalog import overview, results

DAYS = 30
NAMES = ("performance.roc_auc", "quality.missing_share.x", "drift.psi.x")


def rows_of(name: str) -> list[Result]:
    """Return a month of one monitor: some days without a value, some only shown, some in breach."""
    found = []
    for day in range(DAYS):
        said: dict[str, object] = {"value": 0.5 + 0.01 * ((day * 7) % 11), "n": 10 + day}
        if day % 9 == 4:
            said = {"value": None, "status": Status.UNDEFINED, "reason": "no rows"}
        elif day % 9 == 6:
            said |= {"reason": f"{SHOWN}too few labels", "value": 99.0}
        elif day % 10 == 3:
            said |= {"status": Status.BREACH}
        found.append(result(name, day=day, **said))
    return found


@pytest.fixture
def model(catalog: Catalog) -> int:
    """Return a model with a month of results, of which a week was restated."""
    id = catalog.model().id
    every = [row for name in NAMES for row in rows_of(name)]
    with catalog.write() as scope:
        first = [result(name, day=day, value=0.1) for name in NAMES for day in range(7)]
        results.write_points(scope, id, results.pack(first), now_us=NOW)
        results.write_points(scope, id, results.pack(every), now_us=NOW + DAY)
    return id


def test_the_newest_points_of_each_series(catalog: Catalog, model: int) -> None:
    with catalog.read() as scope:
        of = results.list_series(scope, model)
        for count in (1, 5, DAYS, DAYS + 9):
            found = overview.newest_points(scope, of, count=count)
            for one in of:
                every = results.series(scope, model, metric=one.metric, column=one.column, limit=1000)
                assert found[one.id] == every[-count:]
        span = {"start_us": day_us(5), "end_us": day_us(12)}
        found = overview.newest_points(scope, of, count=3, **span)
        assert {tuple(p.chunk_us for p in points) for points in found.values()} == {(day_us(9), day_us(10), day_us(11))}
        assert overview.points_between(scope, of, **span)[of[0].id][0].chunk_us == day_us(5)
        assert overview.newest_points(scope, [], count=3) == {}
        assert overview.count_chunks(scope, of[0].id, **span) == 7
        newest = overview.newest_starts(scope, of[0].id, **span, count=2)
        assert newest == [(day_us(11), "2024-01-12"), (day_us(10), "2024-01-11")]


@pytest.mark.parametrize("days", [1, 4, 7, 100])
def test_runs_keep_mean_extremes_and_alarms(catalog: Catalog, model: int, days: int) -> None:
    with catalog.read() as scope:
        of = results.list_series(scope, model)
        start = day_us(2)
        found = overview.runs_between(
            scope, [s.id for s in of], start_us=start, end_us=day_us(DAYS), width_us=days * DAY
        )
        for one in of:
            rows = rows_of(one.monitor)[2:]
            wanted = [by_hand(rows[i : i + days]) for i in range(0, len(rows), days)]
            assert [run[1:] for run in found[one.id]] == [pytest.approx(run) for run in wanted]


def by_hand(rows: list[Result]) -> tuple[object, ...]:
    """Return a run without its series."""
    known = [r.value for r in rows if r.value is not None and not (r.reason or "").startswith(SHOWN)]
    breaches = sum(r.status is Status.BREACH for r in rows)
    start = rows_of(NAMES[0])[0].chunk_start
    first, last = rows[0].chunk_start, rows[-1].chunk_end
    assert start is not None
    assert first is not None
    assert last is not None
    return (
        day_us((first - start).days),
        day_us((last - start).days),
        len(rows),
        sum(r.n for r in rows),
        mean(known) if known else None,
        min(known, default=None),
        max(known, default=None),
        *[None] * 5,
        breaches,
        None,
    )


def test_what_is_flagged_and_what_has_no_value(catalog: Catalog, model: int) -> None:
    with catalog.read() as scope:
        (one,) = overview.flagged(scope, model, family="quality", start_us=day_us(0), end_us=day_us(DAYS))
        assert one.monitor == "quality.missing_share.x"
        assert overview.flagged(scope, model, family="quality", start_us=day_us(4), end_us=day_us(9)) == []
        unknown = overview.undefined_of(scope, model, chunk_us=day_us(4))
        assert {(row[0], row[3]) for row in unknown} == {(name.split(".")[0], "no rows") for name in NAMES}
        every = overview.bounds(scope, [s.id for s in results.list_series(scope, model)])
        assert every is not None
        assert (every.first_us, every.last_us, every.chunks) == (day_us(0), day_us(DAYS - 1), DAYS)
        assert overview.bounds(scope, [-1]) is None
