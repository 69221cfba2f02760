"""The benchmark's data: 12 numeric, 4 integer and 4 categorical features with nulls, scores, labels, times and ids."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 2**18
COMPRESSION = "zstd"  # what Polars writes by default
DAY_US, START_US = 86_400_000_000, 1_700_006_400_000_000


def feature_table(rng: np.random.Generator, n: int, start: int, total: int) -> pa.Table:
    """Return `n` rows of 20 features with the columns that a binary model logs, in the order of time."""
    columns: dict[str, pa.Array] = {}
    noise = rng.normal(size=(4, n))
    for i in range(12):
        values = rng.standard_gamma(2.0, n) if i % 3 == 2 else noise[i % 4] * (1 + i) + rng.normal(size=n)
        columns[f"numeric_{i}"] = pa.array(values, mask=rng.random(n) < 0.02 if i % 2 else None)
    for i in range(4):
        columns[f"integer_{i}"] = pa.array(rng.poisson(3 * 10**i, n), mask=rng.random(n) < 0.01 if i % 2 else None)
    for i, levels in enumerate((5, 30, 200, 1000)):
        index = pa.array((levels * rng.random(n) ** 2).astype(np.int32), mask=rng.random(n) < 0.01)
        names = pa.array([f"level {k}" for k in range(levels)])
        columns[f"categorical_{i}"] = pa.DictionaryArray.from_arrays(index, names).cast(pa.string())
    score = 1 / (1 + np.exp(-(noise[0] + 0.5 * noise[1] - 1)))
    columns["score"] = pa.array(score)
    columns["label"] = pa.array((rng.random(n) < score).astype(np.int8))
    seconds = (np.arange(start, start + n) * (20 * 86_400 / total)).astype(np.int64)  # 20 days
    columns["timestamp"] = pa.array(seconds * 1_000_000 + START_US, pa.timestamp("us", "UTC"))
    columns["event_id"] = pa.array(np.arange(start, start + n, dtype=np.int64))
    return pa.table(columns)


def write(
    path: Path, rows: int, *, seed: int = 7, compression: str = COMPRESSION, start: int = 0, total: int | None = None
) -> Path:
    """Write rows to a Parquet file, unless it is there already: those from `start` on of a table of `total` rows."""
    rng = np.random.default_rng(seed)
    parts = ((at, min(ROW_GROUP, rows - at)) for at in range(0, rows, ROW_GROUP))
    return _written(path, (feature_table(rng, n, start + at, total or rows) for at, n in parts), compression)


def write_wide(path: Path, features: int, *, seed: int, rows: int = 100_000) -> Path:
    """Write a model of many features, one in five of them text, the others with nulls in every second."""
    rng = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {}
    for i in range(features):
        if i % 5 == 4:
            columns[f"categorical_{i}"] = pa.array((50 * rng.random(rows) ** 2).astype(np.int64)).cast(pa.string())
        else:
            columns[f"numeric_{i}"] = pa.array(rng.normal(size=rows), mask=rng.random(rows) < 0.02 if i % 2 else None)
    score = 1 / (1 + np.exp(-columns["numeric_0"].to_numpy(zero_copy_only=False)))
    return _written(path, [pa.table({**columns, **_outputs(rng, score, 20 * DAY_US // rows)})])


def write_year(path: Path, *, seed: int, a_hour: int = 100) -> Path:
    """Write a year of hours of 20 features, one with 5 values and one with 50 to cut into segments."""
    rng = np.random.default_rng(seed)
    n = 8_760 * a_hour
    columns: dict[str, pa.Array] = {f"numeric_{i}": pa.array(rng.normal(size=n)) for i in range(18)}
    for levels in (5, 50):
        columns[f"of_{levels}"] = pa.array(rng.integers(0, levels, n)).cast(pa.string())
    score = 1 / (1 + np.exp(-columns["numeric_0"].to_numpy()))
    return _written(path, [pa.table({**columns, **_outputs(rng, score, 365 * DAY_US // n)})])


def write_levels(path: Path, levels: int, *, seed: int, rows: int = 1_000_000) -> Path:
    """Write four text features of so many levels each."""
    rng = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {}
    for i in range(4):
        columns[f"categorical_{i}"] = pa.array((levels * rng.random(rows) ** 2).astype(np.int64)).cast(pa.string())
    return _written(path, [pa.table({**columns, **_outputs(rng, rng.random(rows), 20 * DAY_US // rows)})])


def _outputs(rng: np.random.Generator, score: npt.NDArray[np.float64], step_us: int) -> dict[str, pa.Array]:
    times = START_US + np.arange(len(score)) * step_us
    return {
        "score": pa.array(score),
        "label": pa.array((rng.random(len(score)) < score).astype(np.int8)),
        "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
    }


def _written(path: Path, tables: Iterable[pa.Table], compression: str = COMPRESSION) -> Path:
    if not path.exists():
        unfinished = path.with_suffix(".tmp")
        writer = None
        for table in tables:
            writer = writer or pq.ParquetWriter(unfinished, table.schema, compression=compression)
            writer.write_table(table, row_group_size=ROW_GROUP)
        assert writer is not None
        writer.close()
        unfinished.rename(path)
    return path
