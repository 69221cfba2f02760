"""Frames and files of every kind are read as the same rows, or refused with one clear error."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from barograph.errors import InputError
from barograph.frames.read import BATCH_ROWS, PART_ROWS, Rows, open_rows, sample_rows

TABLE = pa.table(
    {
        "number": pa.array([1.5, None, 3.0, 4.0, float("inf")]),
        "count": pa.array([1, 2, None, 4, 5]),
        "größe v1.0": pa.array(["a", None, "b", "a", "c"]),
    }
)


def content(rows: Rows, columns: list[str] | None = None) -> dict[str, list[Any]]:
    """Return the values of all batches, and check what every part promises."""
    names = rows.schema.names if columns is None else columns
    found: dict[str, list[Any]] = {name: [] for name in names}
    start = 0
    for part in rows.parts:
        assert part.first_row in (None, start)
        read = 0
        for batch in part.batches(names):
            assert 0 < batch.num_rows <= BATCH_ROWS
            assert set(batch.schema.names) <= set(names)
            for name in names:
                column = batch.column(name).to_pylist() if name in batch.schema.names else ["absent"] * batch.num_rows
                found[name] += column
            read += batch.num_rows
        assert part.rows in (None, read)
        start += read
    assert rows.rows in (None, start)
    return found


def as_parquet(folder: Path) -> object:
    pq.write_table(TABLE, folder / "a.parquet")
    return folder / "a.parquet"


def as_parquet_of_small_groups(folder: Path) -> object:
    pq.write_table(TABLE, folder / "a.data", row_group_size=2)
    return str(folder / "a.data")


def as_parquet_folder(folder: Path) -> object:
    pq.write_table(TABLE[:2], folder / "1.parquet")
    (folder / "sub").mkdir()
    pq.write_table(TABLE[2:], folder / "sub" / "2.pq")
    (folder / "_SUCCESS").touch()
    pq.write_table(TABLE, folder / ".hidden.parquet")
    return folder


def as_delta(folder: Path) -> object:
    write_deltalake(folder, TABLE[:2])
    write_deltalake(folder, TABLE[2:], mode="append")
    return folder


FORMS: dict[str, Callable[[Path], object]] = {
    "table": lambda _: TABLE,
    "record batch": lambda _: TABLE.to_batches()[0],
    "record batches": lambda _: TABLE[:2].to_batches() + TABLE[2:].to_batches(),
    "record batch reader": lambda _: TABLE.to_reader(),
    "polars": lambda _: pl.from_arrow(TABLE),
    "lazy polars": lambda _: pl.from_arrow(TABLE).lazy(),  # type: ignore[union-attr]
    "narwhals": lambda _: nw.from_native(TABLE),
    "pandas of arrow types": lambda _: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
    "parquet": as_parquet,
    "parquet of small row groups, any suffix": as_parquet_of_small_groups,
    "folder of parquet": as_parquet_folder,
    "delta": as_delta,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows(form: str, tmp_path: Path) -> None:
    rows = open_rows(FORMS[form](tmp_path))
    assert rows.schema.names == TABLE.schema.names
    assert content(rows) == TABLE.to_pydict()
    assert content(rows) == TABLE.to_pydict()  # a second time
    assert content(rows, ["größe v1.0"]) == {"größe v1.0": TABLE["größe v1.0"].to_pylist()}
    assert content(rows, ["count", "gone"])["gone"] == ["absent"] * 5
    assert rows.name == ("frame" if form in list(FORMS)[:8] else rows.name)
    assert open_rows(rows) is rows


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_counted_without_a_column(form: str, tmp_path: Path) -> None:
    rows = open_rows(FORMS[form](tmp_path))
    assert sum(batch.num_rows for part in rows.parts for batch in part.batches([])) == 5


def test_large_data_comes_in_parts_and_bounded_batches(tmp_path: Path) -> None:
    n = 2 * PART_ROWS + 10
    table = pa.table({"x": np.arange(n), "c": np.array(["a", "b"])[np.arange(n) % 2]})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=n)
    pq.write_table(table, tmp_path / "y.parquet", row_group_size=100_000)
    pcsv.write_csv(table, tmp_path / "z.csv")
    counts = []
    for source in (table, pl.from_arrow(table), table.to_pandas(), tmp_path / "x.parquet", tmp_path / "y.parquet"):
        rows = open_rows(source)
        assert content(rows, ["x"])["x"] == list(range(n))
        counts.append(len(rows.parts))
    assert counts == [3, 3, 3, 1, 3]
    assert content(open_rows(tmp_path / "z.csv"), ["x"])["x"] == [str(i) for i in range(n)]
    assert content(open_rows(pl.scan_parquet(tmp_path / "x.parquet")), ["x"])["x"] == list(range(n))


def test_memory_does_not_grow_with_the_size_of_a_row_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 16 * BATCH_ROWS
    pq.write_table(pa.table({"x": rng.normal(size=n)}), tmp_path / "x.parquet", row_group_size=n)  # 16 MB
    before, most = pa.total_allocated_bytes(), 0
    for batch in open_rows(tmp_path / "x.parquet").parts[0].batches(["x"]):
        assert batch.num_rows <= BATCH_ROWS
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 8 * 2**20


def test_text_of_few_values_comes_dictionary_encoded_from_parquet_and_ids_do_not(tmp_path: Path) -> None:
    n = 10_000
    columns = {"few": ["red", "green"] * (n // 2), "id": [f"{i:032x}" for i in range(n)], "a.b": ["x"] * n}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    rows = open_rows(tmp_path / "a.parquet")
    batch = next(rows.parts[0].batches(["few", "id", "a.b"]))
    assert [pa.types.is_dictionary(t) for t in batch.schema.types] == [True, False, True]
    assert set(rows.schema.types) == {pa.string()}


# pandas


def test_pandas_types_come_as_what_they_mean() -> None:
    frame = pd.DataFrame(
        {
            "Int64": pd.array([1, None, 3], "Int64"),
            "category": pd.Categorical(["u", None, "v"], categories=["v", "u", "w"]),
            "string": pd.array(["a", None, "b"], "string"),
            "boolean": pd.array([True, None, False], "boolean"),
            "object of strings": np.array(["a", None, "b"], object),
            "object of booleans": np.array([True, None, False], object),
            "object of several": np.array([1, "x", None], object),
            "object of too large": np.array([2**70, None, 1], object),
            "decimal": [Decimal("1.10"), None, Decimal("22.5")],
            "nan": [1.0, np.nan, np.inf],
            "zoned": pd.to_datetime(["2024-01-01", None, "2024-01-02"]).tz_localize("Europe/Berlin"),
            "date": [date(2024, 1, 1), None, date(2024, 1, 2)],
            "period": pd.PeriodIndex(["2024-01", None, "2024-03"], freq="M"),
            "interval": pd.interval_range(0, 3),
            "sparse": pd.arrays.SparseArray([0, 0, 1]),
            "list": [[1.0], None, [2.0, 3.0]],
            7: [1, 2, 3],
        },
        index=pd.Index([5, 5, 6], name="number"),
    )
    before = frame.copy(deep=True)
    found = content(open_rows(frame))
    berlin = timezone(timedelta(hours=1))
    assert found.pop("nan")[0::2] == [1.0, np.inf]
    assert found == {
        "Int64": [1, None, 3],
        "category": ["u", None, "v"],
        "string": ["a", None, "b"],
        "boolean": [True, None, False],
        "object of strings": ["a", None, "b"],
        "object of booleans": [True, None, False],
        "object of several": ["1", "x", None],
        "object of too large": [str(2**70), None, "1"],
        "decimal": [Decimal("1.10"), None, Decimal("22.50")],
        "zoned": [datetime(2024, 1, 1, tzinfo=berlin), None, datetime(2024, 1, 2, tzinfo=berlin)],
        "date": [date(2024, 1, 1), None, date(2024, 1, 2)],
        "period": ["2024-01", None, "2024-03"],
        "interval": ["(0, 1]", "(1, 2]", "(2, 3]"],
        "sparse": [0, 0, 1],
        "list": [[1.0], None, [2.0, 3.0]],
        "7": [1, 2, 3],
    }
    pd.testing.assert_frame_equal(frame, before)


def test_a_column_that_is_mixed_only_far_down_is_text_from_the_first_row() -> None:
    values = np.empty(PART_ROWS + 1, object)
    values[:] = 1
    values[-1] = "x"
    rows = open_rows(pd.DataFrame({"a": values}))
    assert rows.schema.field("a").type == pa.string()
    assert {batch.column("a").type for part in rows.parts for batch in part.batches(["a"])} == {pa.string()}


def test_naive_times_among_zoned_ones_are_not_taken_for_utc() -> None:
    mixed = [datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1)]  # noqa: DTZ001
    found = content(open_rows(pd.DataFrame({"t": np.array(mixed, object)})))
    assert found == {"t": ["2024-01-01 00:00:00+00:00", "2024-01-01 00:00:00"]}


def test_the_index_of_pandas_is_no_column_of_its_parquet(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2]}, index=[3, 4]).to_parquet(tmp_path / "a.parquet")
    assert open_rows(tmp_path / "a.parquet").schema.names == ["a"]


def test_polars_types_come_as_what_they_mean() -> None:
    frame = pl.DataFrame(
        {
            "category": pl.Series(["x", None], dtype=pl.Categorical),
            "enum": pl.Series(["x", None], dtype=pl.Enum(["y", "x"])),
            "decimal": [Decimal("1.5"), None],
            "wide": pl.Series([1, None], dtype=pl.Int128),
            "null": [None, None],
        }
    )
    expected = {"category": ["x", None], "enum": ["x", None], "decimal": [Decimal("1.5"), None], "wide": [1.0, None]}
    assert content(open_rows(frame)) == {**expected, "null": [None, None]}
    assert content(open_rows(frame.lazy())) == {**expected, "null": [None, None]}


# CSV


def test_csv_is_text_without_the_marks_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\ufeffa b,é.c\n1,NA\n,x\n\n2.50,"two\nlines, and a ""mark"""\nNULL,5" pipe\n', "utf-8")
    assert content(open_rows(path)) == {
        "a b": ["1", None, "2.50", None],
        "é.c": [None, "x", 'two\nlines, and a "mark"', '5" pipe'],
    }
    assert content(open_rows(str(path)), ["é.c", "gone"])["gone"] == ["absent"] * 4
    assert sum(b.num_rows for p in open_rows(path).parts for b in p.batches([])) == 4


@pytest.mark.parametrize("name", ["a.csv.gz", "a.CSV"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_packed_and_with_other_delimiters(name: str, delimiter: str, tmp_path: Path) -> None:
    data = delimiter.join("ab") + "\r\n" + delimiter.join("12") + "\r\n"
    (tmp_path / name).write_bytes(gzip.compress(data.encode()) if name.endswith("gz") else data.encode())
    assert content(open_rows(tmp_path / name)) == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize("text", ["a,b", "a,b\n"])
def test_csv_of_only_a_header_has_no_rows(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    rows = open_rows(tmp_path / "a.csv")
    assert content(rows) == {"a": [], "b": []}
    assert sample_rows(rows, ["a"], 5).to_pydict() == {"a": []}


def test_folder_of_csv_with_a_column_that_comes_later(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a\n1\n")
    (tmp_path / "2.csv").write_text("a,b\n2,x\n")
    rows = open_rows(tmp_path)
    assert content(rows) == {"a": ["1", "2"], "b": ["absent", "x"]}
    assert sample_rows(rows, ["a", "b"], 9).to_pydict() == {"a": ["1", "2"], "b": [None, "x"]}


# Folders and Delta


def test_folders_of_files_that_differ(tmp_path: Path) -> None:
    for key, table in {
        "day=2024-01-01": pa.table({"a": [1], "c": ["x"]}),
        "day=__HIVE_DEFAULT_PARTITION__": pa.table({"a": [2.5], "b": [True], "c": [7]}),
    }.items():
        (tmp_path / key).mkdir()
        pq.write_table(table, tmp_path / key / "0.parquet")
    rows = open_rows(tmp_path)
    assert {f.name: f.type for f in rows.schema} == {
        "a": pa.float64(),
        "c": pa.string(),
        "day": pa.string(),
        "b": pa.bool_(),
    }
    assert content(rows) == {"a": [1, 2.5], "c": ["x", 7], "day": ["2024-01-01", None], "b": ["absent", True]} or (
        content(rows) == {"a": [2.5, 1], "c": [7, "x"], "day": [None, "2024-01-01"], "b": [True, "absent"]}
    )
    sample = sample_rows(rows, rows.schema.names, 5)
    assert sorted(sample["c"].to_pylist()) == ["7", "x"]
    assert sample.schema == rows.schema


def test_delta_reads_the_live_rows_of_the_newest_version(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2, 3], "day": [date(2024, 1, 1), date(2024, 1, 2), None]})
    write_deltalake(tmp_path, table, partition_by=["day"])
    DeltaTable(tmp_path).delete("a = 2")
    write_deltalake(
        tmp_path, pa.table({"a": [4], "day": [date(2024, 1, 4)], "new": ["x"]}), mode="append", schema_mode="merge"
    )
    rows = open_rows(tmp_path)
    assert {f.name: f.type for f in rows.schema} == {"a": pa.int64(), "day": pa.date32(), "new": pa.string()}
    found = content(rows)
    assert sorted(zip(found["a"], map(str, found["day"]), found["new"], strict=True)) == [
        (1, "2024-01-01", "absent"),
        (3, "None", "absent"),
        (4, "2024-01-04", "x"),
    ]


def test_delta_without_rows_and_with_odd_partition_values(tmp_path: Path) -> None:
    write_deltalake(tmp_path, pa.table({"a": [1], "k": ["x y/z=%"]}), partition_by=["k"])
    assert content(open_rows(tmp_path)) == {"a": [1], "k": ["x y/z=%"]}
    DeltaTable(tmp_path).delete()
    rows = open_rows(tmp_path)
    assert (rows.rows, content(rows)) == (0, {"a": [], "k": []})
    assert sample_rows(rows, ["a"], 5).num_rows == 0


def test_delta_with_a_damaged_log_or_a_lost_file_is_refused(tmp_path: Path) -> None:
    write_deltalake(tmp_path, TABLE)
    for file in tmp_path.glob("*.parquet"):
        file.unlink()
    assert "There is no file" in refused(tmp_path)
    for log in (tmp_path / "_delta_log").glob("*.json"):
        log.write_text("{")
    assert "is not a whole Delta table" in refused(tmp_path)


def test_delta_without_the_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_deltalake(tmp_path, TABLE)
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(InputError, match=r"pip install 'barograph\[delta\]'"):
        open_rows(tmp_path)


# Samples


@pytest.mark.parametrize("n", [0, 1, 100, 5_000])
def test_the_sample_is_the_same_from_every_source(n: int, tmp_path: Path) -> None:
    table = pa.table({"x": np.arange(4_000), "c": np.array(["a", "b"])[np.arange(4_000) % 2]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=700)
    pcsv.write_csv(table, tmp_path / "a.csv")
    from_table = sample_rows(open_rows(table), ["x", "c"], n, seed=3)
    assert from_table.num_rows == min(n, 4_000)
    positions = from_table["x"].to_pylist()
    assert positions == sorted(set(positions))
    assert from_table["c"].to_pylist() == ["ab"[x % 2] for x in positions]
    for source in (tmp_path / "a.parquet", pl.scan_parquet(tmp_path / "a.parquet")):
        assert sample_rows(open_rows(source), ["x", "c"], n, seed=3).to_pydict() == from_table.to_pydict()
    assert sample_rows(open_rows(tmp_path / "a.csv"), ["x"], n, seed=3)["x"].to_pylist() == list(map(str, positions))


def test_a_stream_longer_than_the_sample_keeps_the_smallest_hashes(tmp_path: Path) -> None:
    table = pa.table({"x": np.arange(3 * BATCH_ROWS)})
    pq.write_table(table, tmp_path / "a.parquet")
    known = sample_rows(open_rows(table), ["x"], 50, seed=1)
    stream = sample_rows(open_rows(pl.scan_parquet(tmp_path / "a.parquet")), ["x"], 50, seed=1)
    assert known["x"].to_pylist() == stream["x"].to_pylist()


def test_the_sample_is_uniform() -> None:
    rows = open_rows(pa.table({"x": np.arange(1_000)}))
    hits = np.zeros(1_000)
    for seed in range(300):
        hits[sample_rows(rows, ["x"], 100, seed=seed)["x"].to_numpy()] += 1
    # Each row is drawn 300 × 0.1 times on average: χ² with 999 degrees, less the 10 % that sampling without
    # replacement takes off, is below 1.2 × 999 but for one seed in ten thousand.
    assert 0.75 * 999 < np.sum((hits - 30) ** 2 / 30) < 1.1 * 999
    assert abs(hits[:500].mean() - 30) < 1


def test_a_sample_of_unknown_columns_has_those_that_exist() -> None:
    assert sample_rows(open_rows(TABLE), ["count", "gone", "count"], 2).schema.names == ["count"]


# Bad input


def refused(source: object) -> str:
    with pytest.raises(InputError) as caught:
        content(open_rows(source))
    return str(caught.value)


@pytest.mark.parametrize("rows", [0, 1])
def test_no_rows_and_one_row(rows: int, tmp_path: Path) -> None:
    table = TABLE[:rows]
    pq.write_table(table, tmp_path / "a.parquet")
    for source in (table, pl.from_arrow(table), table.to_pandas(), tmp_path / "a.parquet", pl.from_arrow(table).lazy()):  # type: ignore[union-attr]
        opened = open_rows(source)
        assert [len(v) for v in content(opened).values()] == [rows] * 3
        assert sample_rows(opened, opened.schema.names, 10).num_rows == rows


def test_csv_with_a_bad_line_names_file_line_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,"x\ny"\n\n3\n4,5\n')
    message = refused(path)
    assert "a.csv', line 5: expected 2 fields, got 1" in message
    path.write_text("a,b\n" + "1,2\n" * 500_000 + "1,2,3\n")
    assert "line 500002: expected 2 fields, got 3" in refused(path)


def test_csv_with_an_open_quotation_mark_does_not_lose_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('a,b\n1,2\n3,"4\n5,6\n7,8\n')
    assert "line 3: a quotation mark is opened and never closed" in refused(path)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,a,b\n1,2,3\n", "more than one column named 'a'"),
        (b"a,b\n1,2\n3,\x90\n", "line 3: a character is not UTF-8"),
        ("a,b\nä,ö\nü,ß".encode() + b"\xe9\n", "line 3: a character is not UTF-8"),
        ("a,b\n1,ü".encode("utf-16")[:-1], "not all UTF-16"),
    ],
)
def test_csv_that_cannot_be_read(data: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    message = refused(path)
    assert expected in message
    assert "a.csv" in message


def test_cut_off_files_are_named(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for cut in (1, 6, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.parquet").write_bytes(whole[:cut])
        assert "cut.parquet' is not a whole Parquet file" in refused(tmp_path / "cut.parquet")
    damaged = b"PAR1" + b"\xff" * 100 + whole[104:]
    (tmp_path / "damaged.parquet").write_bytes(damaged)
    open_rows(tmp_path / "damaged.parquet")  # the footer is whole
    assert "damaged.parquet' is not a whole Parquet file" in refused(tmp_path / "damaged.parquet")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n" + os.urandom(2000).hex().encode() + b",2\n")[:-500])
    assert "cut.csv.gz" in refused(tmp_path / "cut.csv.gz")


def test_paths_that_hold_nothing_to_read(tmp_path: Path) -> None:
    assert "There is no file" in refused(tmp_path / "gone.parquet")
    assert "holds no Parquet, CSV, JSON or Arrow file" in refused(tmp_path)
    (tmp_path / "a.parquet").touch()
    assert "is empty" in refused(tmp_path / "a.parquet")
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04rest")
    assert "none of Parquet" in refused(tmp_path / "a.xlsx")
    pq.write_table(TABLE, tmp_path / "b.parquet")
    (tmp_path / "b.csv").write_text("a\n1\n")
    assert "CSV and Parquet files" in refused(tmp_path)
    assert "polars.scan_parquet('hdfs://bucket/a.parquet')" in refused("hdfs://bucket/a.parquet")


def test_columns_that_no_name_can_tell_apart_are_refused() -> None:
    assert "more than one column named '1'" in refused(pd.DataFrame([[1, 2]], columns=["1", 1]))
    assert "more than one column named 'a'" in refused(pa.table([[1], [2]], names=["a", "a"]))
    assert "has no columns" in refused(pd.DataFrame(index=[1]))
    assert "has no columns" in refused(pl.DataFrame())


def test_what_is_no_frame_is_refused() -> None:
    assert "Got builtins.int" in refused(3)
    assert "Got builtins.list" in refused([])
    assert "Python objects" in refused(pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)}))
    assert "has no schema" in refused(pl.scan_parquet("/nowhere/a.parquet"))
    assert "cannot be collected" in refused(pl.LazyFrame({"s": ["x"]}).with_columns(pl.col("s").cast(pl.Int32)))
