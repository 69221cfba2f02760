"""The benchmark's data: 12 numeric, 4 integer and 4 categorical features with nulls, scores, labels, times and ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 2**18
COMPRESSION = "zstd"  # what Polars writes by default


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
    columns["timestamp"] = pa.array(seconds * 1_000_000 + 1_700_006_400_000_000, pa.timestamp("us", "UTC"))
    columns["event_id"] = pa.array(np.arange(start, start + n, dtype=np.int64))
    return pa.table(columns)


def write(path: Path, rows: int, *, seed: int = 7) -> Path:
    """Write the table to a Parquet file, unless it is there already."""
    if not path.exists():
        rng = np.random.default_rng(seed)
        unfinished = path.with_suffix(".tmp")
        writer = None
        for start in range(0, rows, ROW_GROUP):
            table = feature_table(rng, min(ROW_GROUP, rows - start), start, rows)
            writer = writer or pq.ParquetWriter(unfinished, table.schema, compression=COMPRESSION)
            writer.write_table(table, row_group_size=ROW_GROUP)
        assert writer is not None
        writer.close()
        unfinished.rename(path)
    return path
