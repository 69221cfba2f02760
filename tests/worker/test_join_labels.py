"""Events get the labels that a simple join, label by label, gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from barograph.spec.schema import Schema
from barograph.store.layout import label_schema
from barograph.tasks import Task
from barograph.times import from_microseconds
from barograph.worker.join_labels import WHOLE, Slice, labelled_rows

BINARY = Schema(task=Task.BINARY, id="key", timestamp="ts", label="late", classes=("0", "1"))
REGRESSION = Schema(task=Task.REGRESSION, id="key", timestamp="ts", label="y")


def events(n: int) -> pa.Table:
    times = [from_microseconds(1000 * i) for i in range(n)]
    return pa.table(
        {"key": [f"e{i}" for i in range(n)], "ts": pa.array(times, pa.timestamp("us", "UTC")), "x": range(n)}
    )


def labels(schema: Schema, rows: Sequence[tuple[str, object, int | None, int]]) -> pa.Table:
    """Return label rows of (id, label, label time or None, received time)."""
    ids, values, told, received = zip(*rows, strict=True) if rows else ((), (), (), ())
    names = label_schema(schema)
    time = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "label": pa.array(values, names.field("label").type),
            "label_timestamp": pa.array([None if t is None else from_microseconds(t) for t in told], time),
            "_received": pa.array([from_microseconds(t) for t in received], time),
            "_sequence": pa.array(range(len(ids)), pa.int64()),
        }
    )


def joined(
    schema: Schema, table: pa.Table, known: pa.Table, *, rows_a_batch: int = 7, part: Slice = WHOLE
) -> list[object]:
    return [label for _, label in numbered(schema, table, known, rows_a_batch=rows_a_batch, part=part)]


def numbered(
    schema: Schema, table: pa.Table, known: pa.Table, *, rows_a_batch: int, part: Slice
) -> list[tuple[int, object]]:
    """Return the number and label of each event of a slice, in their order."""

    def batches_of(rows: pa.Table, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return iter(rows.select(columns).to_batches(max_chunksize=rows_a_batch))

    rows = labelled_rows(schema, table.schema, partial(batches_of, table), partial(batches_of, known), part)
    assert schema.label is not None
    wanted = ["x", schema.label]
    batches = [b for part in rows.parts for b in part.batches(wanted)]
    assert all(b.schema.names == wanted for b in batches)
    found = pa.Table.from_batches(batches).to_pydict()
    return list(zip(found["x"], found[schema.label], strict=True))


def test_the_last_revision_counts_whatever_the_order_of_receipt() -> None:
    known = labels(BINARY, [("e1", "1", 90_000, 100_000), ("e1", "0", 50_000, 200_000), ("e2", "1", None, 100_000)])
    assert joined(BINARY, events(4), known) == [None, "1", "1", None]


def test_a_label_without_a_time_is_not_known_before_its_event() -> None:
    received_by_a_clock_that_was_behind = labels(BINARY, [("e3", "1", None, 0)])
    assert joined(BINARY, events(4), received_by_a_clock_that_was_behind) == [None, None, None, "1"]
    told_too_early = labels(BINARY, [("e3", "1", 2_999, 0)])
    assert joined(BINARY, events(4), told_too_early) == [None] * 4


@pytest.mark.parametrize("told", [True, False])
def test_of_labels_without_a_time_the_one_that_came_last_counts_whatever_the_clock_said(told: bool) -> None:
    def label(value: str, received: int) -> tuple[str, object, int | None, int]:
        return "e3", value, received if told else None, received  # ingest says when it came, as when it was known

    came = [[90_000, 50_000], [90_000, 50_000, 60_000], [50_000, 10, 90_000], [2_000, 1_000], [5, 4, 3_001]]
    for times in came:
        values = ["01"[i % 2] for i in range(len(times))]
        known = labels(BINARY, [label(value, time) for value, time in zip(values, times, strict=True)])
        assert joined(BINARY, events(4), known) == [None, None, None, values[-1]], times
    at_once = labels(BINARY, [label("0", 9_000), label("1", 9_000)])
    assert joined(BINARY, events(4), at_once) == [None] * 4


def test_labels_that_contradict_each_other_are_not_used() -> None:
    known = labels(REGRESSION, [("e0", 1.0, 9_000, 1), ("e0", 2.0, 9_000, 2), ("e1", 3.0, 9_000, 3)])
    assert joined(REGRESSION, events(2), known) == [None, 3.0]


def test_without_labels_all_are_null() -> None:
    assert joined(BINARY, events(3), labels(BINARY, [])) == [None] * 3
    assert joined(REGRESSION, events(3), labels(REGRESSION, [])) == [None] * 3


@pytest.mark.parametrize("schema", [BINARY, REGRESSION])
def test_many_labels_equal_a_join_label_by_label(schema: Schema) -> None:
    rng = np.random.default_rng(5)
    n = 200
    rows = []
    for i, event in enumerate(rng.integers(0, n + 20, 500).tolist()):
        value: object = str(rng.integers(0, 2)) if schema is BINARY else float(rng.normal())
        told = None if rng.random() < 0.3 else int(1000 * event + 1_000_000 + i)
        rows.append((f"e{event}", value, told, 2_000_000 + i))
    expected: list[object] = []
    for event in range(n):
        mine = [
            (told if told is not None else received, value) for key, value, told, received in rows if key == f"e{event}"
        ]
        expected.append(max(mine, key=lambda pair: pair[0])[1] if mine else None)
    # Labels lie in their files in no order, and a chunk in several days' files.
    known = labels(schema, rows).take(rng.permutation(len(rows)))
    assert joined(schema, events(n), known, rows_a_batch=33) == expected
    slices = [numbered(schema, events(n), known, rows_a_batch=33, part=part) for part in Slice.all(3)]
    assert min(len(found) for found in slices) > n / 6
    assert sorted(row for found in slices for row in found) == list(enumerate(expected))


def test_slices_hold_each_hash_once() -> None:
    high = np.array([0, 1, 2**63 - 1, 2**63, 2**64 - 1, *np.random.default_rng(1).integers(0, 2**63, 50)], np.uint64)
    for of in (1, 2, 3, 7):
        assert np.array_equal(sum(part.holds(high).astype(int) for part in Slice.all(of)), np.ones(len(high)))


def test_labels_of_classes_that_the_reference_does_not_have_stay_what_they_are() -> None:
    rows = [("e0", "lost", None, 10**6), ("e1", "1", None, 10**6), ("e2", "stolen", None, 10**6)]
    corrected = [("e2", "lost", None, 2 * 10**6), ("e3", "0", None, 2 * 10**6)]
    assert joined(BINARY, events(5), labels(BINARY, rows + corrected), rows_a_batch=2) == [
        "lost",
        "1",
        "lost",
        "0",
        None,
    ]
