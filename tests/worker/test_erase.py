"""Erasing an id: nothing of it is left anywhere, and the results are those of data that never had it."""

from __future__ import annotations

import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import sqlalchemy as sa
from plant import DAY_US, PROJECT, START_US, Plant, events, plant_in
from test_pipeline import assert_equal

from barograph.errors import Stopping, StoreError
from barograph.profiles.forget import hash_of
from barograph.reference.fit import fit
from barograph.store.batches import from_payload, to_payload
from barograph.store.catalog import audit, jobs, profiles, quarantine, references, removals, results, states
from barograph.store.catalog.database import reading
from barograph.store.catalog.removals import Removal
from barograph.store.catalog.row_security import across
from barograph.store.catalog.schema import METADATA
from barograph.store.catalog.sources import SourceState, list_sources, set_source
from barograph.store.delta.place import open_place
from barograph.store.model_files import poison_folder
from barograph.worker import erase as erasing
from barograph.worker.removals import run_next_removal
from barograph.worker.requests import digest_of, request_backfill, request_deletion, request_erasure
from barograph.worker.served_model import served
from barograph.worker.upkeep import keep_up
from remains import remains, unpacked

REFERENCE = events(30, 100, seed=1, start_us=START_US - 60 * DAY_US)
CURRENT = events(10, 100, seed=2)
ID, X, PLACE, EXTRA = "Marker-7f3a", 98765.4321012, "Marker-Place", "Marker-Extra"
TIME = CURRENT["timestamp"].to_list()[-1]


def person(**values: Any) -> pl.DataFrame:
    """Return the one event that is to be erased: the newest and most extreme of all."""
    row = {"event_id": ID, "timestamp": TIME + timedelta(seconds=7), "x": X, "where": PLACE, "score": 0.987654321}
    return pl.DataFrame([row | values]).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


def clear(*more: bytes) -> list[bytes]:
    """Return everything by which the row could be known: its id, the hash of that, and its values."""
    at = int(person()["timestamp"].dt.epoch("us")[0])
    numbers = [struct.pack("<d", X), struct.pack("<d", 0.987654321), struct.pack("<q", at), str(at).encode()]
    told = person()["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S")[0].encode()
    texts = [ID.encode(), PLACE.encode(), EXTRA.encode(), str(X).encode(), told]
    return [*texts, *numbers, int(hash_of(ID)).to_bytes(8, "little"), *more]


def erased(plant: Plant, id: str = ID) -> Removal:
    """Ask for an erasure and do it, until it is done."""
    with plant.ctx.write(PROJECT) as scope:
        asked = request_erasure(scope, plant.model, id, now_us=plant.now_us)
    return done(plant, asked)


def done(plant: Plant, removal: Removal) -> Removal:
    for _ in range(10):
        run_next_removal(plant.ctx, now_us=plant.now_us)
        found = now(plant, removal)
        if found.state == "done":
            return found
        plant.now_us = max(plant.now_us, found.due_us)
    raise AssertionError(found.reason)


def now(plant: Plant, removal: Removal) -> Removal:
    with plant.ctx.read(PROJECT) as scope:
        found = removals.get_removal(scope, removal.id)
    assert found is not None
    return found


def left(plant: Plant) -> list[str]:
    return remains(plant.ctx.settings.folder, *clear())


def test_nothing_of_an_id_is_left_and_the_results_are_those_without_it(plant: Plant) -> None:
    plant.register(REFERENCE)
    (plant.ctx.settings.folder / "reference.parquet").unlink()  # of the test
    plant.send(CURRENT[:500])
    plant.send(person(note=EXTRA))
    plant.work()
    plant.send(CURRENT[500:])
    plant.send(pl.DataFrame({"event_id": [ID, ID, "nobody"], "label": ["1", "0", "1"]}), "labels")
    plant.work()
    plant.now_us += DAY_US
    plant.send(pl.DataFrame({"event_id": [ID], "label": ["1"]}), "labels")  # it was restated: an older result exists
    plant.work()
    bad = {"event_id": ID, "x": "no number", "where": PLACE, "timestamp": "yesterday"}
    plant.send(pl.DataFrame([bad]))
    other = {"event_id": "other", "x": "no number", "where": "a", "timestamp": "yesterday"}
    plant.send(pl.DataFrame([other]))
    plant.file()
    keep_up(plant.ctx, now_us=plant.now_us)
    plant.send(person(timestamp=TIME, x=X))  # once more, the same id of the same day: it waits
    before = left(plant)
    wanted = ("tables/1/1/events", "tables/1/1/labels", "spool.db", "catalog.db: profiles", "catalog.db: quarantine")
    assert all(any(place.startswith(start) for place in before) for start in wanted), before
    said = erased(plant)
    assert left(plant) == []
    assert said.removed["events"] == 1
    assert said.removed["labels"] == 3
    assert said.removed["quarantine"] == 1
    assert said.removed["reference_rows"] == 0
    assert said.removed["profiles"] == 1
    assert said.removed["files"] > 2
    assert said.asked == {"digest": digest_of(ID)}
    assert_equal(plant, CURRENT)
    plant.work()
    assert_equal(plant, CURRENT)
    with plant.ctx.read(PROJECT) as scope:
        state = states.get_state(scope, plant.model_id)
        rows = quarantine.list_rows(scope, plant.model_id, limit=10)
    assert state is not None
    assert (state.events, state.labels) == (len(CURRENT), len(CURRENT) + 1)
    assert state.last_event_us == CURRENT["timestamp"].dt.epoch("us").max()
    assert len(rows) == 1
    # The model goes on: what comes later is counted, once.
    more = events(1, 100, seed=5, start_us=START_US + 10 * DAY_US)
    plant.send(more)
    plant.work()
    assert_equal(plant, pl.concat([CURRENT, more]))
    assert erased(plant).removed["events"] == 0


def test_how_far_a_source_has_got_is_no_value_of_a_row_any_more(plant: Plant) -> None:
    marks: list[tuple[Any, dict[str, Any]]] = [
        (
            {"datetime": "2024-05-01T10:00:07+00:00"},
            {"watermark": {"datetime": "2024-05-01T10:00:06.999999+00:00"}},
        ),
        ({"date": "2023-03-01"}, {"watermark": {"date": "2023-02-28"}}),
        (123456789, {"watermark": 123456788}),
        ("2024-05-01T10:00:07Z", {"watermark": "2024-05-01T10:00:06Z"}),
        (ID, {}),
    ]
    plant.register(REFERENCE)
    plant.send(person())
    plant.work()
    with plant.ctx.write(PROJECT) as scope:
        for i, (mark, _) in enumerate(marks):
            position = {"of": ["sqlite:///a.db"], "watermark": mark, "known": "0123456789"}
            set_source(
                scope, SourceState(model_id=plant.model_id, name=f"{i}", kind="sql", position=position, due_us=1)
            )
    erased(plant)
    with plant.ctx.read(PROJECT) as scope:
        now = [source.position for source in list_sources(scope, [plant.model_id])]
    assert now == [{"of": ["sqlite:///a.db"], **less} for _, less in marks]
    values = [str(next(iter(mark.values())) if isinstance(mark, dict) else mark).encode() for mark, _ in marks]
    assert remains(plant.ctx.settings.folder, *values, b"0123456789") == []


def test_an_id_alone_in_its_chunk_takes_the_chunk_with_it(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT)
    alone = person(timestamp=TIME + timedelta(days=3), label="1")
    plant.send(alone)
    plant.work()
    assert_equal(plant, pl.concat([CURRENT, alone], how="diagonal_relaxed"))
    erased(plant)
    assert_equal(plant, CURRENT)


def test_the_only_event_of_a_model(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(person(label="1"))
    plant.work()
    assert erased(plant).removed["events"] == 1
    with plant.ctx.read(PROJECT) as scope:
        assert results.rows(scope, plant.model_id, limit=10) == []
        state = states.get_state(scope, plant.model_id)
    assert state is not None
    assert (state.events, state.last_event_us) == (0, None)
    plant.send(CURRENT)
    plant.work()
    assert_equal(plant, CURRENT)


def test_where_the_reference_holds_it_the_reference_is_learned_anew(plant: Plant) -> None:
    plant.register(pl.concat([REFERENCE, person(label="1").select(REFERENCE.columns)]))
    (plant.ctx.settings.folder / "reference.parquet").unlink()
    plant.send(pl.concat([CURRENT, person(label="0").select(CURRENT.columns)]))
    plant.work()
    assert any("references" in place for place in left(plant))
    said = erased(plant)
    assert (said.removed["reference_rows"], said.removed["events"]) == (1, 1)
    assert left(plant) == []
    assert_equal(plant, CURRENT)
    learned = plant.live.reference
    with plant.ctx.write(PROJECT) as scope:
        (stored,) = references.list_references(scope, plant.model_id, limit=10)
    assert (stored.state, stored.rows, learned.total.n) == ("ready", len(REFERENCE), len(REFERENCE))
    # The same as if the reference had never had it.
    assert served(fit(REFERENCE, **plant.spec.roles())).to_bytes() == learned.to_bytes()


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("erase_aside", Stopping),
        ("file_all", StoreError),
        ("_erase_rows", StoreError),
        ("shrink", Stopping),
        ("evaluate_model", StoreError),
        ("sweep", Stopping),
        ("scrub", StoreError),
    ],
)
def test_an_erasure_that_is_cut_off_is_gone_on_with(
    plant: Plant, step: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.register(REFERENCE)
    (plant.ctx.settings.folder / "reference.parquet").unlink()
    plant.send(pl.concat([CURRENT, person(label="0").select(CURRENT.columns)]))
    plant.work()
    with plant.ctx.write(PROJECT) as scope:
        asked = request_erasure(scope, plant.model, ID, now_us=plant.now_us)
    real = getattr(erasing, step)

    def cut(*arguments: Any, **more: Any) -> Any:
        real(*arguments, **more)
        raise error("cut off")

    monkeypatch.setattr(erasing, step, cut)
    if error is Stopping:
        with pytest.raises(Stopping):
            run_next_removal(plant.ctx, now_us=plant.now_us)
    else:
        run_next_removal(plant.ctx, now_us=plant.now_us)
        assert now(plant, asked).reason == "cut off"
    monkeypatch.undo()
    plant.work()  # others work meanwhile
    plant.now_us += 10**9
    said = done(plant, asked)
    assert (said.removed["events"], said.removed["labels"]) == (1, 1)
    assert left(plant) == []
    plant.work()
    assert_equal(plant, CURRENT)
    with plant.ctx.read(PROJECT) as scope:
        state = states.get_state(scope, plant.model_id)
    assert state is not None
    assert (state.events, state.labels) == (len(CURRENT), len(CURRENT))


def test_hours_that_were_merged_into_days(plant: Plant) -> None:
    plant.register(REFERENCE, chunk="1h", service={"keep_hours": "2d"})
    early = person(timestamp=CURRENT["timestamp"][150], label="1").select(CURRENT.columns)
    plant.send(pl.concat([CURRENT, early]))
    plant.work()
    keep_up(plant.ctx, now_us=plant.now_us)
    with plant.ctx.read(PROJECT) as scope:
        days = profiles.profile_heads(scope, plant.live.reference_id, "day")
    assert sum(day.rows for day in days) > 600
    assert said_rows(plant) == len(CURRENT) + 1
    erased(plant)
    assert said_rows(plant) == len(CURRENT)
    assert remains(plant.ctx.settings.folder / "tables" / "1" / "1" / "events", ID.encode()) == []
    hash = int(hash_of(ID)).to_bytes(8, "little")
    assert "catalog.db: profiles" not in remains(plant.ctx.settings.folder, struct.pack("<d", X), hash)


def said_rows(plant: Plant) -> int:
    with plant.ctx.read(PROJECT) as scope:
        heads = [
            head
            for grain in ("chunk", "day")
            for head in profiles.profile_heads(scope, plant.live.reference_id, grain)  # type: ignore[arg-type]
        ]
    return sum(head.rows for head in heads)


def test_events_that_are_kept_no_more_are_forgotten_by_samples(plant: Plant) -> None:
    plant.register(REFERENCE, service={"keep_events": "5d"})
    early = person(timestamp=CURRENT["timestamp"][50], label="1").select(CURRENT.columns)
    plant.send(pl.concat([CURRENT, early]))
    plant.work()
    keep_up(plant.ctx, now_us=plant.now_us)
    rows = said_rows(plant)
    said = erased(plant)
    assert (said.removed["events"], said.removed["profiles"]) == (0, 1)
    assert said_rows(plant) == rows  # what was counted stays counted
    assert left(plant) == [place for place in left(plant) if "profiles" in place]
    assert remains(plant.ctx.settings.folder, ID.encode(), int(hash_of(ID)).to_bytes(8, "little")) == []


def test_batches_that_could_not_be_filed(plant: Plant) -> None:
    plant.register(REFERENCE)
    (plant.ctx.settings.folder / "reference.parquet").unlink()
    plant.send(CURRENT[:10])
    (one,) = plant.spool.take(plant.model_id, "events", max_rows=1000, max_bytes=10**9)
    plant.work()
    folder = poison_folder(plant.ctx.settings, plant.model_id)
    folder.mkdir(parents=True)
    rows = from_payload(one.batch.payload)
    mixed = rows.set_column(0, "event_id", pa.array([ID, *rows.column("event_id").to_pylist()[1:]]))
    (folder / "mixed.arrow").write_bytes(to_payload(mixed))
    (folder / "alone.arrow").write_bytes(to_payload(mixed.slice(0, 1)))
    (folder / "torn.arrow").write_bytes(to_payload(mixed)[:-200])
    (folder / "other.arrow").write_bytes(to_payload(rows))
    with plant.ctx.write(PROJECT) as scope:
        for name in ("mixed", "alone", "other"):
            position, why = str(folder / f"{name}.arrow"), f"{PLACE} cannot be filed" if name != "other" else "why"
            quarantine.add_poison(scope, plant.model_id, step="file events", position=position, reason=why, now_us=1)
    assert erased(plant).removed["poison"] == 3
    assert left(plant) == []
    assert sorted(path.name for path in folder.iterdir()) == ["mixed.arrow", "other.arrow"]
    assert from_payload((folder / "mixed.arrow").read_bytes()).num_rows == 9
    with plant.ctx.read(PROJECT) as scope:
        reasons = {p.position.rsplit("/", 1)[1]: p.reason for p in quarantine.list_poison(scope, limit=9)}
    assert reasons == {
        "mixed.arrow": "It could not be filed. The reason named values that have been erased.",
        "other.arrow": "why",
    }


def test_it_waits_for_a_job_that_works_with_rows(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT)
    plant.work()
    with plant.ctx.write(PROJECT) as scope:
        job = jobs.add_job(scope, plant.model_id, "replay", detail={}, now_us=plant.now_us)
        running = jobs.claim(scope, job.id, owner="a", now_us=plant.now_us, seconds=30)
        asked = request_erasure(scope, plant.model, ID, now_us=plant.now_us)
    assert running is not None
    assert run_next_removal(plant.ctx, now_us=plant.now_us)
    found = now(plant, asked)
    assert (found.state, found.failures) == ("waiting", 0)
    assert f"Job {job.id} works" in str(found.reason)
    with plant.ctx.write(PROJECT) as scope:
        jobs.finish(scope, running, now_us=plant.now_us)
    plant.now_us = found.due_us
    assert done(plant, asked).reason is None


def test_a_backfill_begins_anew(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(pl.concat([CURRENT, person(label="1").select(CURRENT.columns)]))
    plant.work()
    plant.send_reference(REFERENCE[100:])  # the profiles of the first one stay, with the id in them
    (plant.ctx.settings.folder / "reference.parquet").unlink()
    erased(plant)
    assert left(plant) == []
    with plant.ctx.write(PROJECT) as scope:
        old = references.list_references(scope, plant.model_id, limit=9)[-1]
        request_backfill(scope, plant.model, old, now_us=plant.now_us)
    plant.run_jobs()
    for key in plant.ctx.remembered.held():
        plant.ctx.remembered.drop(key)  # as in another process: this one takes its old results for those that hold
    plant.work()
    assert plant.live.reference_id == old.id
    assert_equal(plant, CURRENT)


def test_ids_that_are_alike_stay(plant: Plant) -> None:
    plant.register(REFERENCE)
    ids = ["7", "77", "07", "7.0", "seven", " 7"]
    alike = CURRENT[: len(ids)].with_columns(event_id=pl.Series(ids))
    plant.send(pl.concat([alike, CURRENT[100:]]))
    plant.work()
    assert erased(plant, "7").removed["events"] == 1
    assert_equal(plant, pl.concat([alike[1:], CURRENT[100:]]))
    with plant.ctx.read(PROJECT) as scope:
        assert "Marker" not in repr(audit.list_records(scope, limit=10))
    assert np.isfinite(X)


def test_catalog_on_postgresql_and_tables_on_object_storage(tmp_path: Path, postgres_url: str, bucket_url: str) -> None:
    with plant_in(tmp_path / "data", database_url=postgres_url, storage_url=bucket_url) as plant:
        plant.register(REFERENCE)
        (plant.ctx.settings.folder / "reference.parquet").unlink()
        plant.send(pl.concat([CURRENT, person(label="1").select(CURRENT.columns)]))
        plant.send(pl.DataFrame([{"event_id": ID, "x": "no number", "timestamp": "yesterday"}]))
        plant.work()
        before = stored(plant, bucket_url, tmp_path / "before")
        assert any("events" in place for place in before)
        assert {"quarantine", "profiles"} <= set(before)
        said = erased(plant)
        assert (said.removed["events"], said.removed["labels"], said.removed["quarantine"]) == (1, 1, 1)
        assert stored(plant, bucket_url, tmp_path / "after") == []
        assert_equal(plant, CURRENT)
        with plant.ctx.write(PROJECT) as scope:
            asked = request_deletion(scope, plant.model, now_us=plant.now_us)
        assert done(plant, asked).removed["files"] > 3
        assert [name for name in objects(bucket_url, tmp_path / "gone") if "parquet" in name or "json" in name] == []


def stored(plant: Plant, bucket_url: str, folder: Path) -> list[str]:
    """Return where the row still is: files of the bucket, tables of the catalog, files beside them."""
    objects(bucket_url, folder)
    found = remains(folder, *clear()) + left(plant)
    with reading(plant.ctx.engine) as connection, across(connection):  # PostgreSQL shows no project by itself
        for name, table in METADATA.tables.items():
            for row in connection.execute(sa.select(table)):
                values = [value if isinstance(value, bytes) else repr(value).encode() for value in row]
                parts = [part for value in values for part in (value, *unpacked(value))]
                if any(mark in part for part in parts for mark in clear()):
                    found.append(name)
    return sorted(set(found))


def objects(bucket_url: str, folder: Path) -> list[str]:
    """Copy what is in the bucket into a folder, and return the names."""
    place = open_place(bucket_url)
    names = [found.name for found in place.list()]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(place.read(name) or b"")
    return names
