"""Places for tables, rows of events and labels, and what a table holds of them, for the tests of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from barograph.store.tables import ModelTables, TableKind

TIME = pa.timestamp("us", "UTC")
SECOND, DAY_US = 1_000_000, 86_400_000_000
START_US = 1_704_067_200_000_000  # 2024-01-01
FIRST, SECOND_DAY, THIRD = "2024-01-01", "2024-01-02", "2024-01-03"


@dataclass(frozen=True)
class Site:
    """A place for tables; `open` opens them as a new process would."""

    root: str
    options: Mapping[str, str] | None
    index: Path

    def open(self, *, index: Path | None = None, clock: Callable[[], int] | None = None) -> ModelTables:
        more = {"clock": clock} if clock else {}
        return ModelTables(self.root, 1, 2, index_folder=index or self.index, storage_options=self.options, **more)


def event_rows(numbers: Iterable[int], *, day: int = 0, value: float = 0.0) -> pa.Table:
    """Return events `e<number>` at as many seconds after the start of a day; `value` tells one sending from another."""
    at = np.array(list(numbers), np.int64)
    return pa.table(
        {
            "event_id": pa.array([f"e{number}" for number in at], pa.string()),
            "timestamp": pa.array(START_US + day * DAY_US + at * SECOND, TIME),
            "x": np.full(len(at), value, np.float64),
            "colour": pa.array([("red", "green", None)[number % 3] for number in at], pa.string()),
            "_received": pa.array(np.full(len(at), START_US), TIME),
            "_extra": pa.nulls(len(at), pa.string()),
        }
    )


def label_rows(ids: Sequence[str], *, label: str = "1", at_us: int = START_US) -> pa.Table:
    """Return one label for each id."""
    times = pa.array(np.full(len(ids), at_us), TIME)
    texts, labels = pa.array(ids, pa.string()), pa.array([label] * len(ids), pa.string())
    return pa.table({"id": texts, "label": labels, "label_timestamp": times, "_received": times})


def held(tables: ModelTables, *, version: int | None = None) -> list[tuple[str, str, float]]:
    """Return day, id and value of all events, sorted."""
    rows = []
    for batch in tables.events_between(0, 2**60, version=version, columns=["_day", "event_id", "x"]):
        rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return sorted(rows)


def added_ids(tables: ModelTables, kind: TableKind = "events", since: int = -1) -> list[str]:
    """Return the ids of all rows that were added after a version, sorted."""
    name = "event_id" if kind == "events" else "id"
    return sorted(text for _, rows in tables.added(kind, since) for text in rows.column(name).to_pylist())


def labels_by_day(tables: ModelTables, *days: str) -> list[tuple[str, str]]:
    """Return the day and id of all labels of some days, sorted."""
    rows = labels_of(tables, *days)
    return sorted(zip(rows.column("_day").to_pylist(), rows.column("id").to_pylist(), strict=True))


def labels_of(tables: ModelTables, *days: str, version: int | None = None) -> pa.Table:
    """Return all labels of some days."""
    names = tables.schema("labels")
    assert names is not None, "labels were filed"
    return pa.Table.from_batches(tables.labels_of_days(days, version=version), names)
