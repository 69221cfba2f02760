"""Files, folders, patterns and lists of them: the same rows by each way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from barograph.errors import InputError
from barograph.frames.read import Rows, open_rows

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03")


def content(rows: Rows) -> list[dict[str, Any]]:
    found = []
    for part in rows.parts:
        for batch in part.batches(rows.schema.names):
            found += pa.Table.from_batches([batch]).to_pylist()
    return [{key: str(value) for key, value in row.items()} for row in found]


def write(frame: pl.DataFrame, path: Path) -> None:
    match path.suffix:
        case ".csv":
            frame.write_csv(path)
        case ".parquet":
            frame.write_parquet(path)
        case ".jsonl":
            frame.write_ndjson(path)
        case _:
            frame.write_ipc(path, compat_level=pl.CompatLevel.oldest())


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl", "arrow"])
def test_every_way_to_name_files_gives_the_same_rows(suffix: str, tmp_path: Path) -> None:
    expected = []
    for i, day in enumerate(DAYS):
        (tmp_path / f"day={day}").mkdir()
        write(pl.DataFrame({"x": [10 * i, 10 * i + 1]}), tmp_path / f"day={day}" / f"0.{suffix}")
        expected += [{"x": str(10 * i + j), "day": day} for j in range(2)]
    files = [tmp_path / f"day={day}" / f"0.{suffix}" for day in DAYS]
    ways: dict[str, object] = {
        "folder": tmp_path,
        "pattern": str(tmp_path / "day=*" / f"*.{suffix}"),
        "any depth": str(tmp_path / "**" / f"*.{suffix}"),
        "folders that match": str(tmp_path / "day=*"),
        "list": files,
        "relative list": [os.path.relpath(file) for file in files],
    }
    for way, source in ways.items():
        assert content(open_rows(source)) == expected, way
    rows = open_rows(files)
    assert rows.name == f"{files[0]} and 2 more"
    assert rows.schema.field("day").type == pa.string()
    assert rows.rows == (6 if suffix in ("parquet", "jsonl") else None)


def test_one_file_has_no_partitions_and_a_column_of_its_own_comes_first(tmp_path: Path) -> None:
    (tmp_path / "day=1").mkdir()
    pl.DataFrame({"x": [1], "day": ["own"]}).write_csv(tmp_path / "day=1" / "a.csv")
    assert content(open_rows(tmp_path / "day=1" / "a.csv")) == [{"x": "1", "day": "own"}]
    assert content(open_rows(tmp_path)) == [{"x": "1", "day": "own"}]


def test_a_name_with_the_signs_of_a_pattern_is_a_name_where_there_is_such_a_file(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1]}).write_csv(tmp_path / "a[1].csv")
    assert content(open_rows(tmp_path / "a[1].csv")) == [{"x": "1"}]


def test_frames_and_files_can_be_listed_together(tmp_path: Path) -> None:
    pl.DataFrame({"x": [2]}).write_parquet(tmp_path / "a.parquet")
    rows = open_rows([pl.DataFrame({"x": [1], "y": ["u"]}), tmp_path / "a.parquet"])
    assert content(rows) == [{"x": "1", "y": "u"}, {"x": "2"}]


def test_what_was_decided_for_some_files_says_for_how_many(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\nü,1\n", "utf-8")
    (tmp_path / "2.csv").write_text("a,b\nü,1\n", "latin-1")
    rows = open_rows(tmp_path)
    assert rows.decisions == ("encoding: WINDOWS-1252 (in 1 of 2 files)",)
    assert [row["a"] for row in content(rows)] == ["ü", "ü"]


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No file with content matches"):
        open_rows(str(tmp_path / "*.csv"))
    with pytest.raises(InputError, match=r"gone\.csv"):
        open_rows([tmp_path / "gone.csv"])
    pl.DataFrame({"x": [1]}).write_csv(tmp_path / "a.csv")
    pl.DataFrame({"x": [1]}).write_ndjson(tmp_path / "a.jsonl")
    with pytest.raises(InputError, match=r"CSV and JSON files, such as 'a\.csv' and 'a\.jsonl'"):
        open_rows([tmp_path / "a.csv", tmp_path / "a.jsonl"])


# Arrow files


@pytest.mark.parametrize("stream", [True, False])
def test_an_arrow_file_that_is_cut_off_is_refused(stream: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    table = pa.table({"x": list(range(1000))})
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=100)
    whole = path.read_bytes()
    assert len(content(open_rows(path))) == 1000
    for size in [*range(1, len(whole), 41), *range(8, len(whole), 8)]:  # messages end at multiples of 8
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"a\.arrow"):
            content(open_rows(path))


def test_an_arrow_stream_after_the_end_of_another_is_refused(tmp_path: Path) -> None:
    table = pa.table({"x": [1, 2]})
    with pa.ipc.new_stream(str(tmp_path / "a.arrows"), table.schema) as writer:
        writer.write_table(table)
    (tmp_path / "a.arrows").write_bytes((tmp_path / "a.arrows").read_bytes() * 2)
    with pytest.raises(InputError, match="bytes after the end of its stream"):
        content(open_rows(tmp_path / "a.arrows"))


# CSV


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_csv_in_any_encoding_is_the_same_rows(encoding: str, tmp_path: Path) -> None:
    text = 'größe;"a ""b"""\nÄß€;1\n"ö\nü";2\n' * 1 + "é;3\n" * 50
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    (tmp_path / "b.csv").write_bytes(text.encode("utf-8"))
    assert content(open_rows(tmp_path / "a.csv")) == content(open_rows(tmp_path / "b.csv"))
    said = open_rows(tmp_path / "a.csv").decisions
    assert said == (() if encoding.startswith("utf-8") else said)
    assert bool(said) != encoding.startswith("utf-8")


def test_empty_columns_at_the_end_are_left_out_and_said(tmp_path: Path) -> None:
    for text in ("a;b;;\n1;2;;\n3;4;;\n", "a;b;;\n1;2;;\n3;4;NA;\n"):
        (tmp_path / "a.csv").write_text(text)
        rows = open_rows(tmp_path / "a.csv")
        assert content(rows) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
        assert rows.decisions == ("columns without a name, the last 2: left out, as they are empty",)
    (tmp_path / "a.csv").write_text("a;b\n1;2;\n3;4;\n")  # the names do without
    assert content(open_rows(tmp_path / "a.csv")) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    (tmp_path / "a.csv").write_text("a;b;;\n1;2;;\n3;4;;x\n")
    with pytest.raises(InputError, match="column 4 has no name, but values such as 'x'"):
        content(open_rows(tmp_path / "a.csv"))


def test_the_delimiter_is_what_cuts_the_records_alike(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("price (net, EUR);qty\n1,5;2\n2,25;3\n")
    assert open_rows(tmp_path / "a.csv").schema.names == ["price (net, EUR)", "qty"]
    (tmp_path / "a.csv").write_text('"a;b",c\n1,2\n')
    assert open_rows(tmp_path / "a.csv").schema.names == ["a;b", "c"]
    (tmp_path / "a.csv").write_text("a|b\n1|x,y\n2|z;w\n")
    assert open_rows(tmp_path / "a.csv").schema.names == ["a", "b"]


def test_a_wrong_record_is_named_though_the_first_line_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\n\na,b\n1,2\n3,4,5\n6,7\n")
    with pytest.raises(InputError, match="line 5: expected 2 fields, got 3"):
        content(open_rows(tmp_path / "a.csv"))
