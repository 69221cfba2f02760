"""One id out of a table: the other rows stay as they were for every reader, and nothing of it stays in the folder."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from table_rows import (
    FIRST,
    SECOND,
    SECOND_DAY,
    START_US,
    Site,
    added_ids,
    event_rows,
    held,
    label_rows,
    labels_by_day,
)

from barograph.errors import StoreError
from barograph.store.delta import erase, upkeep
from barograph.store.delta.place import open_place
from barograph.store.tables import UNKNOWN, ModelTables


def filled(tables: ModelTables) -> None:
    """File some batches of two days, one of which is joined from files; the id e3 is in three of them."""
    for n in range(10):
        tables.file_events(event_rows(range(n, n + 2), value=n), writer="node", sequence=n)
    tables.file_events(event_rows([3, 40], day=1, value=50), writer="node", sequence=50)
    tables.compact("events", until_version=tables.version("events"))
    tables.file_events(event_rows([60, 61], value=60), writer="node", sequence=60)
    tables.file_labels(label_rows(["e3", "e4", "e3", "nobody"]), writer="node", sequence=0)
    tables.file_labels(label_rows(["e3"], label="0"), writer="node", sequence=1)


def test_the_rows_are_gone_and_no_others(site: Site) -> None:
    tables = site.open()
    filled(tables)
    before, labels = held(tables), labels_by_day(tables, FIRST, SECOND_DAY, UNKNOWN)
    at, old = tables.version("events"), tables.version("labels")
    assert tables.times_of("events", "e3") == [START_US + 3 * SECOND, START_US + 86_400 * SECOND + 3 * SECOND]
    assert len(tables.times_of("labels", "e3")) == 3
    assert (tables.erase("events", "e3"), tables.erase("labels", "e3")) == (2, 3)
    for opened in (tables, site.open()):
        assert held(opened) == [row for row in before if row[1] != "e3"]
        assert labels_by_day(opened, FIRST, SECOND_DAY, UNKNOWN) == [row for row in labels if row[1] != "e3"]
        assert added_ids(opened, since=at) == []  # nobody counts the others again
        assert added_ids(opened, "labels", since=old) == []
        assert [days for _, days in opened.changed_days("events", at)] == [{FIRST, SECOND_DAY}]
        assert held(opened, version=at) == before  # until it is swept
    assert (tables.erase("events", "e3"), tables.erase("labels", "nobody at all")) == (0, 0)
    again = tables.file_events(event_rows([3]), writer="node", sequence=70)
    assert (again.rows, again.duplicates) == (1, 0)  # a new event
    assert tables.file_events(event_rows([4]), writer="node", sequence=71).duplicates == 1


def test_a_table_that_is_not_there(site: Site) -> None:
    tables = site.open()
    assert (tables.erase("events", "e3"), tables.times_of("events", "e3"), tables.sweep("events")) == (0, [], 0)


def test_nothing_stays_in_the_folder(site: Site, tmp_path: Path) -> None:
    tables, reader = site.open(), site.open(index=tmp_path / "of another machine")
    filled(tables)
    assert len(held(reader)) == len(held(tables))  # it knows the table as it was
    for kind in ("events", "labels"):
        tables.erase(kind, "e3")  # type: ignore[arg-type]  # of both
        assert tables.sweep(kind) > 0  # type: ignore[arg-type]
    place = open_place(site.root, "1", "2", options=site.options)
    names = [found.name for found in place.list()]
    files = [name for name in names if name.endswith(".parquet") and "_delta_log" not in name]
    assert len(files) == sum(tables.statistics(kind).total.files for kind in ("events", "labels"))  # type: ignore[arg-type]
    for name in files:
        with place.open_parquet(name) as parquet:
            assert "e3" not in repr(parquet.read().to_pylist())
    for name in names:
        if "_delta_log" in name and name.endswith(".json") and "checkpoint" not in name:
            for line in (place.read(name) or b"").splitlines():
                add = json.loads(line).get("add")
                assert add is None or "minValues" not in add["stats"] or f"{name.split('/')[0]}/{add['path']}" in files
    # Whoever followed the log goes on, and so do others from its newest checkpoint.
    assert held(reader) == held(tables) == held(site.open())
    tables.file_events(event_rows([90]), writer="node", sequence=90)
    assert "e90" in added_ids(reader, since=tables.version("events") - 1)
    with pytest.raises(StoreError):
        held(site.open(), version=5)
    other = DeltaTable(place.url + "/events", storage_options=dict(place.options) or None)
    assert "e3" not in pa.table(other.to_pyarrow_table()).column("event_id").to_pylist()
    assert tables.sweep("events") == 0


def test_another_files_and_joins_at_the_same_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    tables, other = site.open(), site.open()
    filled(tables)
    before, real = held(tables), erase.commit_planned
    later: list[str] = []

    def overtaken(table: object, plan: object) -> object:
        if not later:
            later.append("once")
            other.file_events(event_rows([3, 99], day=2, value=7), writer="other", sequence=0)
            upkeep.compact(other._events, until_version=other.version("events"), most_rows=10**6, fewest=2)
        return real(table, plan)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(erase, "commit_planned", overtaken)
    assert tables.erase("events", "e3") == 3
    rows = [*before, ("2024-01-03", "e99", 7.0)]
    assert held(site.open()) == sorted(row for row in rows if row[1] != "e3")
