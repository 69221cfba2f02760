"""The same nested data give the same columns, however they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from barograph.errors import InputError
from barograph.frames import nested
from barograph.frames.nested import MAX_DEPTH, flat_batch
from barograph.frames.read import Rows, open_rows

ROWS: list[dict[str, Any]] = [
    {"id": "a", "features": {"x": 1.5, "who": {"country": "DE", "age": 30}}, "tags": ["u", "v"], "v": [0.5, 1.5]},
    {"id": "b", "features": None, "tags": None, "v": None},
    {"id": "c", "features": {"x": None, "who": None}, "tags": [], "v": [2.5, 3.5]},
    {"id": "d", "features": {"x": -2.0, "who": {"country": None, "age": 31}}, "tags": ["w"], "v": [1.0, 1.0]},
]
FLAT = {
    "id": ["a", "b", "c", "d"],
    "features.x": [1.5, None, None, -2.0],
    "features.who.country": ["DE", None, None, None],
    "features.who.age": [30, None, None, 31],
    "tags": [["u", "v"], None, [], ["w"]],
    "v": [[0.5, 1.5], None, [2.5, 3.5], [1.0, 1.0]],
}


def content(rows: Rows, columns: list[str] | None = None) -> dict[str, list[Any]]:
    names = rows.schema.names if columns is None else columns
    found: dict[str, list[Any]] = {name: [] for name in names}
    for part in rows.parts:
        for batch in part.batches(names):
            for name in names:
                found[name] += batch.column(name).to_pylist() if name in batch.schema.names else [None] * batch.num_rows
    return found


def as_parquet(folder: Path) -> object:
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "a.parquet")
    return folder / "a.parquet"


def as_lines(folder: Path) -> object:
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    return folder / "a.jsonl"


def as_list(folder: Path) -> object:
    (folder / "a.json").write_text(json.dumps(ROWS, indent=1))
    return folder / "a.json"


def as_arrow(folder: Path) -> object:
    pl.DataFrame(ROWS).write_ipc(folder / "a.arrow", compat_level=pl.CompatLevel.oldest())
    return folder / "a.arrow"


FORMS: dict[str, Callable[[Path], object]] = {
    "table": lambda _: pa.Table.from_pylist(ROWS),
    "polars": lambda _: pl.DataFrame(ROWS),
    "pandas": lambda _: pd.DataFrame(ROWS),
    "parquet": as_parquet,
    "lines": as_lines,
    "list": as_list,
    "arrow": as_arrow,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_columns(form: str, tmp_path: Path) -> None:
    rows = open_rows(FORMS[form](tmp_path))
    assert set(rows.schema.names) == set(FLAT)
    assert content(rows) == {name: FLAT[name] for name in rows.schema.names}
    assert content(rows, ["features.who.age"]) == {"features.who.age": FLAT["features.who.age"]}
    assert [what for what, _ in rows.left_out] == ["`features` as a whole", "`tags`"]
    assert dict(rows.left_out)["`tags`"] == "lists of text"
    assert rows.decisions == ("`features`: its fields are columns, such as `features.x`",)


def test_maps_become_a_column_a_key_and_the_last_of_a_key_counts() -> None:
    kind = pa.map_(pa.string(), pa.int64())
    values = [[("x", 1), ("y", 2)], None, [], [("y", 3), ("x", 4), ("y", 5)]]
    table = pa.table({"f": pa.array(values, kind)})
    for source in (table, pa.concat_tables([table.slice(0, 2), table.slice(2)]), pa.concat_tables([table, table])[4:]):
        rows = open_rows(source)
        assert content(rows) == {"f.x": [1, None, None, 4], "f.y": [2, None, None, 5]}


def test_what_is_too_deep_or_too_many_stays_whole_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH + 2):
        deep = {"k": deep}
    rows = open_rows(pa.Table.from_pylist([{"x": 1, "deep": deep}]))
    assert rows.schema.names == ["x", ".".join(["deep", *["k"] * MAX_DEPTH])]
    assert any(why == f"nested more than {MAX_DEPTH} deep" for _, why in rows.left_out)
    monkeypatch.setattr(nested, "MAX_COLUMNS", 3)
    rows = open_rows(pa.Table.from_pylist([{"x": 1, "few": {"a": 1}, "many": {str(i): i for i in range(4)}}]))
    assert rows.schema.names == ["x", "few.a", "many"]
    assert dict(rows.left_out)["`many`"] == "an object with 4 fields: at most 3 become columns"
    assert content(rows, ["few.a", "many"])["few.a"] == [1]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    both = {"f": {"x": 1}, "f.x": 2}
    with pytest.raises(InputError, match=r"more than one column named 'f\.x'"):
        open_rows(pa.Table.from_pylist([both]))
    (tmp_path / "a.jsonl").write_text(json.dumps({"f": 1}) + "\n" + json.dumps(both))
    with pytest.raises(InputError, match=r"line 2: 'f\.x' comes twice|more than one column named 'f\.x'"):
        open_rows(tmp_path / "a.jsonl")


def test_objects_that_are_null_are_null_in_their_fields_also_in_a_slice() -> None:
    inner = pa.array([1, 2, 3, 4])
    struct = pa.StructArray.from_arrays([inner], names=["x"], mask=pa.array([False, True, False, True]))
    batch = pa.record_batch([struct], names=["f"]).slice(1)
    assert flat_batch(batch).to_pydict() == {"f.x": [None, 3, None]}


def test_lists_of_objects_are_told_as_not_watched() -> None:
    rows = open_rows(pa.Table.from_pylist([{"x": 1, "items": [{"price": 2}]}]))
    assert rows.schema.names == ["x", "items"]
    assert rows.left_out == (("`items`", "lists of objects"),)
