"""Events and labels into tables: once, whole, and found again. The same on a disk and in an object store."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from table_rows import (
    DAY_US,
    FIRST,
    SECOND,
    SECOND_DAY,
    START_US,
    THIRD,
    TIME,
    Site,
    added_ids,
    event_rows,
    held,
    label_rows,
    labels_by_day,
    labels_of,
)

from barograph.errors import InputError, MismatchError, StoreError
from barograph.store.tables import UNKNOWN, Filed, ModelTables


def test_what_is_filed_is_there_after_a_restart(site: Site) -> None:
    tables = site.open()
    rows = pa.concat_tables([event_rows(range(5), value=1.5), event_rows(range(3, 6), day=1, value=2.5)])
    assert tables.version("events") == -1
    assert tables.schema("events") is None
    filed = tables.file_events(rows, writer="node", sequence=3)
    assert filed == Filed(filed.version, 8, 0, (FIRST, SECOND_DAY))
    expected = [(FIRST, f"e{n}", 1.5) for n in range(5)] + [(SECOND_DAY, f"e{n}", 2.5) for n in range(3, 6)]
    for opened in (tables, site.open()):
        assert opened.version("events") == filed.version
        assert held(opened) == expected
        batches = list(opened.events_between(0, 2**60, columns=rows.schema))
        assert pa.Table.from_batches(batches).sort_by([("_received", "ascending")]).schema == rows.schema
        assert sum(batch.num_rows for batch in batches) == 8


def test_a_batch_is_filed_once(site: Site) -> None:
    tables = site.open()
    tables.file_events(event_rows(range(5)), writer="node", sequence=3)
    for opened in (tables, site.open()):
        for sequence in (3, 1):
            again = opened.file_events(event_rows(range(100, 110)), writer="node", sequence=sequence)
            assert again == Filed(tables.version("events"), 0, 0, (), repeated=True)
    assert site.open().file_events(event_rows(range(5, 7)), writer="other", sequence=0).rows == 2
    assert len(held(tables)) == 7


def test_an_id_is_filed_once_a_day(tables: ModelTables) -> None:
    twice = pa.concat_tables([event_rows([1, 2], value=1.0), event_rows([2, 3], value=2.0)])
    assert tables.file_events(twice, writer="node", sequence=0) == Filed(1, 3, 1, (FIRST,))
    sent_again = tables.file_events(event_rows([2, 3, 4], value=3.0), writer="node", sequence=1)
    assert (sent_again.rows, sent_again.duplicates) == (1, 2)
    next_day = tables.file_events(event_rows([1], day=1, value=4.0), writer="node", sequence=2)
    assert next_day.rows == 1
    nothing_new = tables.file_events(event_rows([1, 4], value=5.0), writer="node", sequence=3)
    assert (nothing_new.rows, nothing_new.duplicates, nothing_new.days) == (0, 2, ())
    assert held(tables) == [
        (FIRST, "e1", 1.0), (FIRST, "e2", 1.0), (FIRST, "e3", 2.0), (FIRST, "e4", 3.0), (SECOND_DAY, "e1", 4.0)
    ]  # fmt: skip


def test_columns_may_come_and_go(tables: ModelTables) -> None:
    tables.file_events(event_rows([1]), writer="node", sequence=0)
    more = event_rows([2]).append_column("new one", pa.array([7.0]))
    tables.file_events(more, writer="node", sequence=1)
    tables.file_events(event_rows([3]).drop_columns(["colour", "x"]), writer="node", sequence=2)
    batches = list(tables.events_between(0, 2**60, columns=["event_id", "x", "new one", "_day"]))
    assert sorted(pa.Table.from_batches(batches).to_pylist(), key=lambda row: row["event_id"]) == [
        {"event_id": "e1", "x": 0.0, "new one": None, "_day": FIRST},
        {"event_id": "e2", "x": 0.0, "new one": 7.0, "_day": FIRST},
        {"event_id": "e3", "x": None, "new one": None, "_day": FIRST},
    ]
    schema = pa.schema([("never came", pa.float64()), ("x", pa.float64())])
    assert [b.schema for b in tables.events_between(0, 2**60, columns=schema)] == [schema] * 3
    with pytest.raises(MismatchError, match=r"no column 'colur'\. Did you mean 'colour'"):
        list(tables.events_between(0, 2**60, columns=["colur"]))


def test_a_column_keeps_its_type(tables: ModelTables) -> None:
    tables.file_events(event_rows([1]), writer="node", sequence=0)
    as_text = event_rows([2]).set_column(2, "x", pa.array(["12.5"]))
    tables.file_events(as_text, writer="node", sequence=1)
    assert held(tables)[-1] == (FIRST, "e2", 12.5)
    with pytest.raises(MismatchError, match="'x' of the table holds double"):
        tables.file_events(event_rows([3]).set_column(2, "x", pa.array(["red"])), writer="node", sequence=2)
    with pytest.raises(MismatchError, match="'x' and 'X' differ in capitals"):
        tables.file_events(event_rows([3]).append_column("X", pa.array([1.0])), writer="node", sequence=2)
    assert tables.version("events") == 2
    assert tables.file_events(event_rows([3]), writer="node", sequence=2).rows == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (event_rows([1]).set_column(0, "event_id", pa.array([None], pa.string())), "must have an id"),
        (event_rows([1]).set_column(1, "timestamp", pa.array([None], TIME)), "must have a time"),
        (event_rows([1]).drop_columns(["event_id"]), "must have a column 'event_id'"),
        (event_rows([1]).append_column("list", pa.array([[1]])), "'list' is of type list"),
    ],
)
def test_rows_that_cannot_be_kept_are_refused(folder: Site, rows: pa.Table, message: str) -> None:
    tables = folder.open()
    with pytest.raises(InputError, match=message):
        tables.file_events(rows, writer="node", sequence=0)
    assert added_ids(tables) == []


def test_the_id_and_time_columns_stay(folder: Site) -> None:
    folder.open().file_events(event_rows([1]), writer="node", sequence=0)
    other = ModelTables(folder.root, 1, 2, index_folder=folder.index, id_column="order")
    rows = event_rows([2]).rename_columns(["order", "timestamp", "x", "colour", "_received", "_extra"])
    with pytest.raises(MismatchError, match="made with the id column 'event_id', and now it is 'order'"):
        other.file_events(rows, writer="node", sequence=1)


def test_texts_of_all_kinds_are_ids(tables: ModelTables) -> None:
    ids = ["", " ", "a" * 16, "a" * 17, "ä" * 200, "0", "\x00", "\x00\x00", "𝄞", "a\nb"]
    rows = event_rows(range(len(ids))).set_column(0, "event_id", pa.array(ids))
    assert tables.file_events(rows, writer="node", sequence=0).rows == len(ids)
    assert tables.file_events(rows.slice(3), writer="node", sequence=1).duplicates == len(ids) - 3
    assert tables.locate(pa.chunked_array([ids, ["other"]])).to_pylist() == [FIRST] * len(ids) + [None]


def test_odd_names_times_and_types_are_kept(tables: ModelTables) -> None:
    rows = pa.table(
        {
            "event_id": pa.array(["a", "b", "c"]),
            "timestamp": pa.array([START_US, -5, 2**62], TIME),
            "a": [1.0, 2.0, 3.0],
            "a.b": [4.0, 5.0, 6.0],
            "ü {}\n=;,": pa.array(["x", None, "z"]).dictionary_encode(),
            "none": pa.nulls(3),
            "small": pa.array([1, 2, None], pa.int32()),
            "when": pa.array([0, 1, 1001], pa.timestamp("ns")),
        }
    )
    filed = tables.file_events(rows, writer="node", sequence=0)
    assert filed.days == ("148108-07-06", "1969-12-31", FIRST)
    columns = ["event_id", "a.b", "ü {}\n=;,", "none", "small"]
    found = pa.Table.from_batches(tables.events_between(-(2**62), 2**62 + 1, columns=columns)).sort_by("event_id")
    assert [list(row.values()) for row in found.to_pylist()] == [
        ["a", 4.0, "x", None, 1],
        ["b", 5.0, None, None, 2],
        ["c", 6.0, "z", None, None],
    ]
    assert [b.num_rows for b in tables.events_between(-6, 0)] == [1]
    assert tables.file_events(rows, writer="node", sequence=1).duplicates == 3


def test_a_batch_may_be_empty(tables: ModelTables) -> None:
    assert tables.file_events(event_rows([]), writer="node", sequence=0) == Filed(1, 0, 0, ())
    assert tables.file_labels(label_rows([]), writer="node", sequence=0) == Filed(1, 0, 0, ())
    assert tables.file_events(event_rows([1]), writer="node", sequence=0).repeated


def test_time_is_cut_at_both_ends(tables: ModelTables) -> None:
    many = event_rows(range(1000))
    tables.file_events(many, writer="node", sequence=0)
    tables.file_events(event_rows(range(2000, 2010), day=1), writer="node", sequence=1)

    def between(start: int, end: int) -> list[str]:
        found = tables.events_between(START_US + start, START_US + end, columns=["event_id"])
        return [text for batch in found for text in batch.column(0).to_pylist()]

    assert between(5 * SECOND, 8 * SECOND) == ["e5", "e6", "e7"]
    assert between(5 * SECOND + 1, 6 * SECOND) == []
    assert between(998 * SECOND, DAY_US + 2001 * SECOND) == ["e998", "e999", "e2000"]
    assert between(DAY_US, 2 * DAY_US) == [f"e{n}" for n in range(2000, 2010)]
    assert between(2 * DAY_US, 3 * DAY_US) == []
    assert len(between(0, DAY_US)) == 1000


def test_added_gives_each_append_in_order(tables: ModelTables) -> None:
    versions = [tables.file_events(event_rows([n]), writer="node", sequence=n).version for n in range(5)]
    assert [version for version, _ in tables.added("events", -1)] == versions
    assert added_ids(tables, since=versions[2]) == ["e3", "e4"]
    assert [v for v, _ in tables.added("events", versions[0], until=versions[2])] == versions[1:3]
    assert [v for v, _ in tables.added("events", -1, limit=2)] == versions[:2]
    rows = next(tables.added("events", -1, columns=["x", "_day"]))[1]
    assert rows.to_pylist() == [{"x": 0.0, "_day": FIRST}]
    assert added_ids(tables, "labels") == []
    with pytest.raises(StoreError, match="has no version 99 yet"):
        held(tables, version=99)


def test_old_versions_stay_readable(site: Site) -> None:
    tables = site.open()
    versions = [tables.file_events(event_rows([n]), writer="node", sequence=n).version for n in range(4)]
    for opened in (tables, site.open()):
        for count, version in enumerate(versions, 1):
            assert len(held(opened, version=version)) == count
        assert held(opened, version=-1) == []


def test_other_programs_read_the_table(site: Site) -> None:
    tables = site.open()
    tables.file_events(event_rows(range(10)), writer="node", sequence=4)
    tables.file_events(event_rows(range(5, 15), day=1), writer="node", sequence=5)
    options = {**site.options, "AWS_ALLOW_HTTP": "true"} if site.options else None
    delta = DeltaTable(f"{site.root}/1/2/events", storage_options=options)
    assert delta.version() == tables.version("events")
    assert delta.count() == 20
    assert delta.transaction_version("node") == 5
    assert delta.metadata().partition_columns == ["_day"]
    assert {row["_day"] for row in delta.partitions()} == {FIRST, SECOND_DAY}
    assert pa.schema(delta.schema().to_arrow()) == tables.schema("events")
    low = pa.table(delta.get_add_actions(flatten=True)).column("min.timestamp").to_pylist()
    assert sorted(int(time.timestamp()) for time in low) == [START_US // SECOND, (START_US + DAY_US) // SECOND + 5]


def test_the_index_is_made_again_where_it_is_gone_or_torn(site: Site) -> None:
    site.open().file_events(event_rows(range(50)), writer="node", sequence=0)
    sidecars = [*site.index.rglob("*.ids")]
    assert len(sidecars) == 1
    whole = sidecars[0].read_bytes()
    for damage in (whole[:-1], b"", b"BAROIDS0" + whole[8:], None):
        if damage is None:
            shutil.rmtree(site.index)
        else:
            sidecars[0].write_bytes(damage)
        assert set(site.open().locate(pa.array([f"e{n}" for n in range(50)])).to_pylist()) == {FIRST}
        assert sidecars[0].read_bytes() == whole


def test_two_that_file_at_once_add_each_id_once(site: Site) -> None:
    """Both check their ids against a table that the other is changing."""
    rng = np.random.default_rng(3)
    batches = [rng.choice(60, 20, replace=False) for _ in range(12)]

    def file(which: int) -> int:
        tables = site.open(index=site.index / str(which))
        sent = [tables.file_events(event_rows(b, value=which), writer=f"w{which}", sequence=n).rows
                for n, b in enumerate(batches[which::3])]  # fmt: skip
        return sum(sent)

    with ThreadPoolExecutor(3) as pool:
        filed = sum(pool.map(file, range(3)))
    ids = sorted(f"e{n}" for n in set(np.concatenate(batches).tolist()))
    tables = site.open()
    assert sorted(text for _, text, _ in held(tables)) == ids == added_ids(tables)
    assert filed == len(ids)


def test_readers_see_whole_versions_while_others_file(folder: Site) -> None:
    tables = folder.open()
    tables.file_events(event_rows(range(10)), writer="node", sequence=0)

    def read() -> None:
        reader = folder.open()
        for _ in range(20):
            version = reader.version("events")
            counts = {len(held(reader, version=version)) for _ in range(2)}
            assert counts == {version * 10}
            assert len(added_ids(reader)) >= version * 10

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        sequence = 1
        while not reading.done():
            tables.file_events(event_rows(range(sequence * 10, sequence * 10 + 10)), writer="node", sequence=sequence)
            sequence += 1
        reading.result()


def test_labels_lie_beside_their_events(tables: ModelTables) -> None:
    tables.file_events(event_rows([1, 2]), writer="node", sequence=0)
    tables.file_events(event_rows([2, 3], day=1), writer="node", sequence=1)
    filed = tables.file_labels(label_rows(["e1", "e2", "e3", "later"]), writer="node", sequence=0)
    assert filed == Filed(filed.version, 4, 0, (FIRST, SECOND_DAY, UNKNOWN))
    assert labels_by_day(tables, FIRST) == [(FIRST, "e1")]
    assert labels_by_day(tables, SECOND_DAY) == [(SECOND_DAY, "e2"), (SECOND_DAY, "e3")]
    assert labels_by_day(tables, UNKNOWN, THIRD) == [(UNKNOWN, "later")]
    assert tables.file_labels(label_rows(["e1"]), writer="node", sequence=0).repeated
    corrected = tables.file_labels(label_rows(["e1"], label="0"), writer="node", sequence=1)
    rows = labels_of(tables, FIRST).sort_by("_sequence")
    assert rows.column("label").to_pylist() == ["1", "0"]
    assert [n >> 24 for n in rows.column("_sequence").to_pylist()] == [filed.version, corrected.version]
    assert added_ids(tables, "labels") == ["e1", "e1", "e2", "e3", "later"]
    assert [days for _, days in tables.changed_days("labels", -1)] == [{FIRST, SECOND_DAY, UNKNOWN}, {FIRST}]
    assert labels_of(tables, FIRST, version=filed.version).num_rows == 1


def test_a_model_without_labels_has_an_empty_table_of_them(tables: ModelTables) -> None:
    assert list(tables.labels_of_days([FIRST])) == []
    assert tables.locate(pa.array(["e1"])).to_pylist() == [None]
    assert tables.adopt_unknown().rows == 0


def test_waiting_labels_are_adopted_when_their_event_comes(site: Site) -> None:
    tables = site.open()
    for sequence, ids in enumerate((["e1", "e2", "never"], ["e3"], ["e1"])):
        tables.file_labels(label_rows(ids, label=str(sequence)), writer="node", sequence=sequence)
    before = labels_of(tables, UNKNOWN).drop_columns("_day").sort_by("_sequence")
    tables.file_events(event_rows([1]), writer="node", sequence=0)
    version = tables.version("labels")
    assert tables.adopt(pa.array(["e7"])).rows == 0
    assert tables.version("labels") == version
    adopted = tables.adopt(pa.array(["e1"]))
    assert (adopted.rows, adopted.days) == (2, (FIRST,))
    assert labels_by_day(tables, FIRST, UNKNOWN) == [
        (FIRST, "e1"), (FIRST, "e1"), (UNKNOWN, "e2"), (UNKNOWN, "e3"), (UNKNOWN, "never")
    ]  # fmt: skip
    tables.file_events(event_rows([2, 3], day=1), writer="node", sequence=1)
    again = site.open().adopt_unknown()
    assert (again.rows, again.days) == (2, (SECOND_DAY,))
    assert tables.adopt_unknown().rows == 0
    assert labels_by_day(tables, UNKNOWN) == [(UNKNOWN, "never")]
    after = labels_of(tables, FIRST, SECOND_DAY, UNKNOWN).drop_columns("_day").sort_by("_sequence")
    assert after == before
    assert added_ids(tables, "labels", since=version) == []
    assert [days for _, days in tables.changed_days("labels", version)] == [{FIRST, UNKNOWN}, {SECOND_DAY, UNKNOWN}]


def test_labels_are_neither_lost_nor_doubled_when_two_adopt_at_once(site: Site) -> None:
    tables = site.open()
    for n in range(12):
        tables.file_labels(label_rows([f"e{n}", f"x{n}"]), writer="node", sequence=n)
    tables.file_events(event_rows(range(12)), writer="node", sequence=0)

    def adopt(which: int) -> int:
        return site.open(index=site.index / str(which)).adopt_unknown().rows

    with ThreadPoolExecutor(4) as pool:
        adopting = [pool.submit(adopt, which) for which in range(3)]
        for n in range(12, 16):
            tables.file_labels(label_rows([f"x{n}"]), writer="node", sequence=n)
        adopted = sum(each.result() for each in adopting)
    assert adopted == 12
    assert labels_by_day(tables, FIRST) == sorted((FIRST, f"e{n}") for n in range(12))
    assert labels_by_day(tables, UNKNOWN) == sorted((UNKNOWN, f"x{n}") for n in range(16))


def test_only_folders_and_buckets_hold_tables(folder: Site) -> None:
    with pytest.raises(StoreError, match="folder or in s3://"):
        ModelTables("ftp://somewhere", 1, 2, index_folder=folder.index)
