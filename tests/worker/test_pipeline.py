"""From the spool to results: the same numbers as `check` gives for the same data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from plant import DAY_US, PROJECT, START_US, Plant, events, plant_in

from barograph.report.check import check
from barograph.report.report import Report
from barograph.store.catalog import incidents, models, profiles, proposals, quarantine, results, states, work
from barograph.times import to_microseconds
from barograph.worker import rebuild as restating

REFERENCE = events(30, 100, seed=1, start_us=START_US - 60 * DAY_US)
CURRENT = events(20, 100, seed=2)


def batch(plant: Plant, rows: pl.DataFrame) -> Report:
    live = plant.live
    return check(live.reference, rows, chunk=plant.model.chunk, spec=plant.spec, model="m")


def assert_equal(plant: Plant, rows: pl.DataFrame) -> None:
    """The results in the catalog are those of a batch check of the same rows."""
    report = batch(plant, rows)
    expected = {(r.monitor, to_microseconds(r.chunk_start)): r for r in report.rows if r.chunk_start}
    with plant.ctx.read(PROJECT) as scope:
        found = {(p.monitor, p.chunk_us): p for p in results.rows(scope, plant.model_id, limit=10**6)}
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        point = found[key]
        assert (point.n, point.status, point.reason, point.chunk) == (row.n, row.status, row.reason, row.chunk), key
        for name in ("value", "lower", "upper", "reference_value", "limit_lower", "limit_upper", "evidence"):
            there, wanted = getattr(point, name), getattr(row, name)
            assert (there is None) == (wanted is None), (key, name)
            assert there is None or there == pytest.approx(wanted, rel=1e-9, abs=1e-12), (key, name)
        assert point.label_coverage == row.label_coverage


@pytest.mark.parametrize("run_rows", [restating.RUN_ROWS, 35])
def test_events_and_labels_in_any_order_end_with_the_results_of_a_batch(
    plant: Plant, run_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restating, "RUN_ROWS", run_rows)  # 35: each chunk of 100 is rebuilt in three slices
    plant.register(REFERENCE)
    rng = np.random.default_rng(3)
    order = rng.permutation(len(CURRENT))
    labels = CURRENT.select("event_id", "label").sample(fraction=0.7, seed=4, shuffle=True)
    early, late = labels[:200], labels[200:]
    plant.send(early, "labels")  # before their events
    plant.work()
    for part in np.array_split(order, 7):
        plant.send(CURRENT[part].drop("label"))
        plant.work()
    for at in range(0, len(late), 300):
        plant.send(late[at : at + 300], "labels")
        plant.work()
    known = CURRENT.drop("label").join(labels, on="event_id", how="left")
    assert_equal(plant, known)
    with plant.ctx.read(PROJECT) as scope:
        state = states.get_state(scope, plant.model_id)
    assert state is not None
    assert (state.events, state.labels) == (len(CURRENT), len(labels))


def test_labels_of_another_class_end_with_the_results_of_a_batch(plant: Plant) -> None:
    plant.register(REFERENCE)
    other = pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.lit("lost")).otherwise("label").alias("label")
    strange = CURRENT.with_columns(other)
    plant.send(strange.drop("label"))
    plant.send(strange.select("event_id", "label"), "labels")
    plant.work()
    assert_equal(plant, strange)
    with plant.ctx.read(PROJECT) as scope:
        rows = [p for p in results.rows(scope, plant.model_id, limit=10**6) if p.monitor == "performance.accuracy"]
    right = (strange["label"] == (strange["score"] >= 0.5).cast(pl.Int64).cast(pl.String)).sum()
    assert sum((p.value or 0.0) * p.n for p in rows) == pytest.approx(right)


def test_catalog_on_postgresql_and_tables_on_object_storage(tmp_path: Path, postgres_url: str, bucket_url: str) -> None:
    with plant_in(tmp_path / "data", database_url=postgres_url, storage_url=bucket_url) as plant:
        plant.register(REFERENCE)
        plant.send(CURRENT[:1500].drop("label"))
        plant.work()
        plant.send(CURRENT.select("event_id", "label"), "labels")
        plant.work()
        plant.send(CURRENT[1400:].drop("label"))
        plant.work()
        assert_equal(plant, CURRENT)
        assert {path.name for path in plant.ctx.settings.folder.iterdir()} >= {"spool.db"}
        assert not (plant.ctx.settings.folder / "catalog.db").exists()
        assert not (plant.ctx.settings.folder / "tables").exists()


def test_what_is_sent_or_filed_again_counts_once(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT.drop("label"))
    plant.work()
    plant.send(CURRENT[:500].drop("label"))
    plant.send(CURRENT[300:900])  # with labels inside
    plant.work()
    some = pl.col("event_id").is_in(CURRENT["event_id"][300:900].implode())
    assert_equal(plant, CURRENT.with_columns(label=pl.when(some).then("label")))


def test_corrected_labels_restate_results_and_the_past_can_be_read(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT)
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        before = results.series(scope, plant.model_id, metric="accuracy", family="performance", limit=100)
    then = plant.now_us
    plant.now_us += 3600 * 1_000_000
    wrong = CURRENT[:100].with_columns(label=pl.when(pl.col("label") == "1").then(pl.lit("0")).otherwise(pl.lit("1")))
    plant.send(wrong.select("event_id", "label"), "labels")
    plant.work()
    assert_equal(plant, pl.concat([wrong, CURRENT[100:]]))
    with plant.ctx.read(PROJECT) as scope:
        of = {"metric": "accuracy", "family": "performance", "limit": 100}
        assert results.series(scope, plant.model_id, **of, as_of_us=then) == [
            p._replace(until_us=q.until_us)
            for p, q in zip(before, results.series(scope, plant.model_id, **of, as_of_us=then), strict=True)
        ]
        after = results.series(scope, plant.model_id, **of)
    assert after[0].value == pytest.approx(1 - (before[0].value or 0))
    assert [p.value for p in after[1:]] == [p.value for p in before[1:]]


def test_a_late_event_restates_its_chunk(plant: Plant) -> None:
    plant.register(REFERENCE)
    late = CURRENT[150:152]
    plant.send(pl.concat([CURRENT[:150], CURRENT[152:]]))
    plant.work()
    plant.send(late)
    plant.work()
    assert_equal(plant, CURRENT)
    with plant.ctx.read(PROJECT) as scope:
        state = states.get_state(scope, plant.model_id)
    assert state is not None
    assert state.late == 2


def test_only_closed_chunks_raise_alerts(plant: Plant) -> None:
    plant.register(REFERENCE)
    broken = CURRENT.with_columns(x=pl.when(pl.col("timestamp").dt.day() == 20).then(None).otherwise(pl.col("x")))
    plant.send(broken)
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        assert not incidents.list_incidents(scope, limit=10)
    plant.send(events(1, 100, seed=9, start_us=START_US + 20 * DAY_US))
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        found = incidents.list_incidents(scope, limit=10)
    assert [i.severity for i in found] == ["warning"]
    assert "x" in found[0].title


def test_a_segment_added_later_is_filled_in_from_stored_events(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT)
    plant.work()
    from barograph.worker.requests import request_relearning

    old = plant.model
    wanted = {**old.spec, "segments": ["where"], "chunk": "1w", "version": "2"}
    with plant.ctx.write(PROJECT) as scope:
        request_relearning(scope, old, wanted, now_us=plant.now_us)
    assert plant.model == old  # nothing of it is in force before all of it is
    plant.run_jobs()
    assert (plant.model.spec, plant.model.version) == (wanted, "2")
    with plant.ctx.read(PROJECT) as scope:
        assert proposals.get_proposal(scope, plant.model_id) is None
    plant.work()
    assert plant.live.reference.schema.segments == ("where",)
    report = batch(plant, CURRENT)
    assert any(r.segment for r in report.rows)
    assert plant.model.chunk == "1w"
    with plant.ctx.read(PROJECT) as scope:
        assert not profiles.count_dirty(scope, plant.live.reference_id)
        rows = profiles.profile_heads(scope, plant.live.reference_id, "chunk")
        found = {p.segment for p in results.rows(scope, plant.model_id, limit=10**6)}
    assert sum(r.rows for r in rows) == len(CURRENT)
    assert found == {None, "where=a", "where=b", "where=c"}
    assert_equal(plant, CURRENT)


def test_rejected_rows_are_listed_and_taken_again(plant: Plant) -> None:
    plant.register(REFERENCE)
    bad = CURRENT[:3].with_columns(x=pl.Series(["?", "1.5", "high"]))
    plant.send(bad)
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        kept = quarantine.list_rows(scope, plant.model_id, limit=10)
    assert len(kept) == 2
    assert all("x" in reason for row in kept for reason in row.reasons)


def test_new_events_of_the_newest_chunk_restate_that_chunk_alone(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT.head(1_950))
    plant.work()
    plant.now_us += 3_600_000_000  # what is younger would be replaced in place
    before = plant.now_us
    plant.send(CURRENT.tail(50))
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        now = [p.chunk for p in results.rows(scope, plant.model_id, limit=10**6) if p.from_us > before]
    assert set(now) == {"2024-01-20"}
    assert_equal(plant, CURRENT)


def test_a_new_process_writes_nothing_that_is_there_and_all_that_is_not(tmp_path: Path) -> None:
    with plant_in(tmp_path / "data") as first:
        first.register(REFERENCE)
        first.send(CURRENT.head(1_500))
        first.work()
        model_id, before = first.model_id, first.now_us + 3_600_000_000
    with plant_in(tmp_path / "data") as second:
        second.model_id, second.now_us = model_id, before
        second.send(CURRENT.tail(500))
        second.work()
        with second.ctx.read(PROJECT) as scope:
            now = {p.chunk for p in results.rows(scope, model_id, limit=10**6) if p.from_us > before}
        assert now == {f"2024-01-{day}" for day in range(16, 21)}
        assert_equal(second, CURRENT)


def test_what_another_process_judged_by_another_specification_is_judged_again(tmp_path: Path) -> None:
    with plant_in(tmp_path / "data") as first, plant_in(tmp_path / "data") as second:
        first.register(REFERENCE)
        second.model_id = first.model_id
        first.send(CURRENT)
        first.work()
        said = first.model.spec
        for plant, spec in ((second, {**said, "budget": "1 false alarm per day"}), (first, said)):
            with plant.ctx.write(PROJECT) as scope:
                models.update_model(scope, plant.model_id, spec=spec, now_us=plant.now_us)
                work.mark(scope, plant.model_id, due_us=plant.now_us)
            plant.work()
            assert_equal(plant, CURRENT)
