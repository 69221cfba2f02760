"""Labels of a source of their own reach the rows of their ids, and what finds no counterpart is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from barograph.errors import InputError, SpecError
from barograph.frames import labels as module
from barograph.frames.labels import labelled, read_labels, with_labels
from barograph.frames.read import Rows, open_rows

EVENTS = pl.DataFrame({"id": ["a", "b", "c", "d"], "x": [1, 2, 3, 4]})


def content(rows: Rows, column: str) -> list[Any]:
    found: list[Any] = []
    for part in rows.parts:
        for batch in part.batches([column]):
            found += batch.column(column).to_pylist() if batch.num_columns else [None] * batch.num_rows
    return found


def test_the_latest_label_of_an_id_counts_and_all_others_are_counted() -> None:
    labels = read_labels(
        pl.DataFrame(
            {
                "id": ["a", "b", "a", "z", None, "c", "b"],
                "label": [1, 0, 0, 1, 1, None, 1],
                "label_timestamp": [
                    "2024-01-03",
                    "2024-01-01",
                    "2024-01-02T23:00:00",
                    "2024-01-01",
                    "2024-01-01",
                    "2024-01-01",
                    None,
                ],
            }
        )
    )
    rows = with_labels(open_rows(EVENTS), labels)
    assert content(rows, "label") == [1, 0, None, None]
    assert content(rows, "label_timestamp") == ["2024-01-03", "2024-01-01", None, None]
    assert content(rows, "x") == [1, 2, 3, 4]
    assert rows.schema.names == ["id", "x", "label", "label_timestamp"]
    assert labels.left_out() == (
        ("1 label", "in frame: no row has their `id`"),
        ("2 labels", "in frame: a later one has the same `id`"),
        ("2 labels", "in frame: without `id` or `label`"),
    )
    assert rows.left_out == (("performance of 2 rows", "no label in frame has their `id`"),)
    assert rows.decisions[0] == "labels: from frame by `id`: 2 of 4 rows have one"


def test_without_times_the_last_counts_and_ids_are_the_same_as_numbers_and_text(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,late\n1,no\n2,yes\n1,yes\n")
    rows = with_labels(open_rows(pl.DataFrame({"id": [1, 2, 3]})), read_labels(tmp_path / "labels.csv"), label="y")
    assert content(rows, "y") == ["yes", "yes", None]


def test_a_row_without_a_label_in_the_source_keeps_its_own() -> None:
    own = EVENTS.with_columns(label=pl.Series([0, 0, 0, None]))
    rows = with_labels(open_rows(own), read_labels(pl.DataFrame({"id": ["a", "d"], "label": [1, 1]})))
    assert content(rows, "label") == [1, 0, 0, 1]
    mixed = with_labels(open_rows(own), read_labels(pl.DataFrame({"id": ["a"], "label": ["1"]})))
    assert content(mixed, "label") == ["1", "0", "0", None]


def test_two_ids_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    true = module._hashes
    monkeypatch.setattr(module, "_hashes", lambda ids, seed: true(ids, seed) * np.uint64(seed > 2) + np.uint64(1))
    labels = read_labels(pl.DataFrame({"id": ["a", "b", "c"], "label": [1, 2, 3]}))
    assert labels.seed > 2
    assert content(with_labels(open_rows(EVENTS), labels), "label") == [1, 2, 3, None]


def test_many_rows_in_parts_against_a_join() -> None:
    rng = np.random.default_rng(0)
    events = pl.DataFrame({"id": rng.integers(0, 10**6, 300_000).astype(str)})
    known = pl.DataFrame({"id": rng.integers(0, 10**6, 200_000).astype(str), "label": rng.normal(size=200_000)})
    rows = with_labels(open_rows(events), read_labels(known))
    last = known.unique("id", keep="last")
    assert content(rows, "label") == events.join(last, on="id", how="left", maintain_order="left")["label"].to_list()


def test_the_label_column_is_the_one_named_so_or_alone() -> None:
    assert read_labels(pl.DataFrame({"id": ["a"], "late": [1]})).label == "late"
    assert read_labels(pl.DataFrame({"id": ["a"], "z": [2], "target": [1]})).label == "target"
    assert read_labels(pl.DataFrame({"id": ["a"], "z": [2], "late": [1]}), label="late").label == "late"
    with pytest.raises(SpecError, match="which column of frame holds the label cannot be told: they are 'z', 'late'"):
        read_labels(pl.DataFrame({"id": ["a"], "z": [2], "late": [1]}))


def test_what_cannot_be_joined_is_refused() -> None:
    with pytest.raises(SpecError, match=r"--on: there is no column 'idd'\. Did you mean 'id'"):
        read_labels(pl.DataFrame({"id": ["a"], "late": [1]}), on="idd")
    with pytest.raises(SpecError, match="--on: which column of the labels holds the id cannot be told"):
        read_labels(pl.DataFrame({"key": ["a"], "late": [1]}))
    with pytest.raises(SpecError, match="--on: there is no column 'key'"):
        with_labels(open_rows(EVENTS), read_labels(pl.DataFrame({"key": ["a"], "late": [1]}), on="key"))
    with pytest.raises(InputError, match="has no rows"):
        read_labels(pa.table({"id": pa.array([], pa.string()), "label": pa.array([], pa.int64())}))


def test_a_reference_gets_labels_only_where_it_has_none() -> None:
    late = pl.DataFrame({"id": ["a"], "late": [1]})
    rows, roles = labelled(open_rows(EVENTS), late, None, {})
    assert (content(rows, "late"), roles) == ([1, None, None, None], {"label": "late"})
    own = EVENTS.with_columns(target=pl.lit(0))
    rows, roles = labelled(open_rows(own), late, None, {})
    assert (rows.schema.names, roles) == (["id", "x", "target"], {})
