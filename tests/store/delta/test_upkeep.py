"""Compaction, retention, vacuum and tidying: what readers see stays what it was. On a disk and in an object store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from table_rows import (
    FIRST,
    SECOND_DAY,
    START_US,
    THIRD,
    Site,
    added_ids,
    event_rows,
    held,
    label_rows,
    labels_by_day,
    labels_of,
)

from barograph.errors import StoreError
from barograph.store.delta import upkeep
from barograph.store.tables import UNKNOWN, ModelTables

HOUR_US = 3_600_000_000


def fill(tables: ModelTables, batches: int, *, start: int = 0) -> int:
    """File batches of two days each, newest rows first; return the newest version."""
    version = -1
    for n in range(start, start + batches):
        numbers = range(100 - n, 103 - n)
        rows = pa.concat_tables([event_rows(numbers, value=n), event_rows([200 - n], day=1, value=n)])
        version = tables.file_events(rows, writer="node", sequence=n).version
    return version


def test_compaction_changes_files_and_nothing_else(site: Site) -> None:
    tables = site.open()
    versions = [fill(tables, 1, start=n) for n in range(10)]
    before, seen = held(tables), added_ids(tables)
    consumed = versions[8]
    done = tables.compact("events", until_version=consumed)
    assert (done.files_before, done.files_after, done.rows) == (18, 2, 11 + 9)
    assert {day: size.files for day, size in tables.statistics("events").days.items()} == {FIRST: 2, SECOND_DAY: 2}
    for opened in (tables, site.open()):
        assert held(opened) == before
        assert held(opened, version=consumed) == [row for row in before if row[2] < 9]
        assert added_ids(opened) == seen
        assert added_ids(opened, since=consumed) == ["e191", "e91"]
        assert list(opened.changed_days("events", done.version - 1)) == []
        assert opened.file_events(event_rows([95]), writer="node", sequence=9).repeated
        assert opened.file_events(event_rows([95]), writer=f"node {id(opened)}", sequence=0).duplicates == 1
    first = next(b for b in tables.events_between(0, 2**60, version=done.version) if b.num_rows > 3)
    assert first.column("timestamp").to_pylist() == sorted(first.column("timestamp").to_pylist())
    assert tables.compact("events", until_version=tables.version("events")).files_before == 0, "too few to pay"


def test_compaction_stops_after_enough_rows(folder: Site) -> None:
    tables = folder.open()
    version = fill(tables, 10)
    assert tables.compact("events", until_version=version, most_rows=1).files_after == 1
    assert tables.compact("events", until_version=version).files_after == 1
    assert tables.compact("events", until_version=-1).files_after == 0


def test_files_that_came_later_are_not_compacted(folder: Site) -> None:
    """A reader that began anew knows no version before the one it began with, and asks the log."""
    tables = folder.open()
    version = fill(tables, 9)
    fill(tables, 3, start=9)
    again = folder.open()
    again.version("events")
    assert again.compact("events", until_version=version).files_before == 18
    assert again.statistics("events").total.files == 2 + 6


def test_filing_goes_on_while_files_are_compacted(site: Site) -> None:
    tables = site.open()
    fill(tables, 10)

    def compact(which: int) -> int:
        other = site.open(index=site.index / str(which))
        return sum(other.compact("events", until_version=other.version("events")).files_before for _ in range(3))

    with ThreadPoolExecutor(2) as pool:
        compacting = [pool.submit(compact, which) for which in range(2)]
        fill(tables, 8, start=10)
        assert sum(each.result() for each in compacting) >= 20
    everything = {(FIRST, f"e{n}") for n in range(83, 103)} | {(SECOND_DAY, f"e{n}") for n in range(183, 201)}
    rows = held(site.open())
    assert {row[:2] for row in rows} == everything
    assert len(rows) == len(everything) == len(added_ids(tables))


def test_labels_are_compacted_and_adopted_still(site: Site) -> None:
    tables = site.open()
    tables.file_events(event_rows(range(4)), writer="node", sequence=0)
    for n in range(14):
        tables.file_labels(label_rows([f"e{n}"]), writer="node", sequence=n)
    assert tables.compact("labels", until_version=tables.version("labels")).files_before == 10, "4 files are too few"
    tables.file_events(event_rows(range(4, 8)), writer="node", sequence=1)
    assert tables.adopt(pa.array(["e6"])).rows == 4, "all of the file whose event has come"
    for n in range(10):
        tables.file_labels(label_rows([f"e{n}"], label="0"), writer="node", sequence=14 + n)
    tables.compact("labels", until_version=tables.version("labels"))
    rows = labels_of(tables, FIRST)
    assert sorted(rows.column("id").to_pylist()) == sorted([f"e{n}" for n in range(8)] * 2)
    newest = rows.sort_by([("_sequence", "descending")]).slice(0, 8)
    assert set(newest.column("label").to_pylist()) == {"0"}
    assert len(labels_by_day(tables, UNKNOWN)) == 6 + 2


def test_days_are_dropped(site: Site) -> None:
    tables = site.open()
    for day in range(3):
        tables.file_events(event_rows([1, 2], day=day), writer="node", sequence=day)
        tables.file_labels(label_rows([f"e{day}", f"x{day}"], at_us=START_US + day * 24 * HOUR_US + 1),
                           writer="node", sequence=day)  # fmt: skip
    version = tables.version("events")
    assert tables.drop_days(SECOND_DAY) == (2, 2)
    assert [row[:2] for row in held(tables)] == [(SECOND_DAY, "e1"), (SECOND_DAY, "e2"), (THIRD, "e1"), (THIRD, "e2")]
    assert labels_by_day(tables, UNKNOWN) == [(UNKNOWN, "x1"), (UNKNOWN, "x2")]
    assert tables.drop_days(SECOND_DAY) == (0, 0)
    assert tables.locate(pa.array(["e1"])).to_pylist() == [THIRD]
    assert added_ids(tables, since=version) == []
    assert [days for _, days in tables.changed_days("events", version)] == [{FIRST}]
    assert len(held(tables, version=version)) == 6


def test_vacuum_deletes_what_no_one_can_need(site: Site) -> None:
    tables = site.open()
    version = fill(tables, 10)
    rows = held(tables)
    tables.compact("events", until_version=version)
    assert tables.vacuum("events", 1) == 0, "within the hour"
    assert tables.vacuum("events", 0, keep_version=-1) == 0, "someone has read nothing yet"
    assert added_ids(tables) == sorted(text for _, text, _ in rows)
    assert tables.vacuum("events", 0, keep_version=version) == 20
    assert len(list(site.index.rglob("*.ids"))) == 2
    for opened in (tables, site.open()):
        assert held(opened) == rows
    with pytest.raises(StoreError, match="If it was vacuumed, ask for a newer version"):
        added_ids(tables)
    fill(tables, 2, start=10)
    assert added_ids(tables, since=version) == ["e189", "e190", "e89", "e90"]


def test_the_log_is_tidied_behind_all_readers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "CHECKPOINT_EVERY", 20)
    tables = site.open()
    consumed = fill(tables, 21)
    fill(tables, 3, start=21)
    idle = site.open()
    idle.version("events")
    assert tables.tidy_log("events", keep_version=consumed) == 0, "a checkpoint, but all entries are young"
    fill(tables, 2, start=24)
    late = added_ids(tables, since=consumed)
    assert len(late) == 5 * 2
    assert tables.tidy_log("events", keep_version=consumed, keep_hours=-1) == 0, "the checkpoint is after a reader"
    assert added_ids(tables, since=consumed) == late
    newest = tables.version("events")
    assert tables.tidy_log("events", keep_version=newest, keep_hours=-1) > 20
    for opened in (tables, idle, site.open()):
        assert opened.version("events") == newest
        assert opened.file_events(event_rows([0]), writer="node", sequence=25).repeated
        assert opened.file_events(event_rows([0]), writer="node", sequence=3).repeated
    assert len(held(site.open())) == len(held(tables)) == 28 + 26
    with pytest.raises(StoreError, match="was tidied away before it was read"):
        added_ids(tables)
    options = {**site.options, "AWS_ALLOW_HTTP": "true"} if site.options else None
    assert DeltaTable(f"{site.root}/1/2/events", storage_options=options).version() == newest


def test_one_who_slept_while_the_log_was_tidied_wakes_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "CHECKPOINT_EVERY", 10)
    tables = site.open()
    fill(tables, 5)
    asleep = site.open()
    asleep.file_events(event_rows([4000]), writer="sleeper", sequence=0)
    fill(tables, 10, start=5)
    tables.tidy_log("events", keep_version=10**9)
    fill(tables, 1, start=15)
    assert tables.tidy_log("events", keep_version=10**9, keep_hours=-1) > 10
    try:
        filed = asleep.file_events(event_rows([5000]), writer="sleeper", sequence=1)
    except StoreError as error:
        assert "was tidied during a commit" in str(error)  # noqa: PT017  # in a bucket, delta-rs sees it before
        filed = asleep.file_events(event_rows([5000]), writer="sleeper", sequence=1)
    assert filed.rows == 1
    assert asleep.version("events") == tables.version("events")
    assert {"e5000", "e100"} <= {text for _, text, _ in held(site.open())}


def test_statistics_count_rows_by_day(tables: ModelTables) -> None:
    assert tables.statistics("events").days == {}
    tables.file_events(pa.concat_tables([event_rows(range(4)), event_rows([1], day=1)]), writer="node", sequence=0)
    found = tables.statistics("events")
    assert (found.version, found.total.files, found.total.rows) == (1, 2, 5)
    assert {day: size.rows for day, size in found.days.items()} == {FIRST: 4, SECOND_DAY: 1}
    assert found.total.size_bytes == sum(size.size_bytes for size in found.days.values()) > 500
