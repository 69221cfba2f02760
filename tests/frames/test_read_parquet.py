"""What Parquet files say without being read, and who decodes their numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from barograph.frames import read_parquet
from barograph.frames.read import open_rows

N = 20_000


def table(unit: str = "us", tz: str | None = "UTC") -> pa.Table:
    rng = np.random.default_rng(1)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    times = pa.array([start + timedelta(seconds=60 * i) for i in range(N)], pa.timestamp("us", "UTC"))
    if tz is None:
        times = times.cast(pa.int64()).cast(pa.timestamp("us"))
    return pa.table(
        {
            "text": pa.array([f"level {i % 7}" if i % 5 else None for i in range(N)]),
            "x": pa.array(rng.normal(size=N), mask=rng.random(N) < 0.1),
            "when": times.cast(pa.timestamp(unit, tz)),
            "n": pa.array(rng.integers(-5, 5, N).astype(np.int16)),
            "f": pa.array(rng.normal(size=N).astype(np.float32)),
            "flag": pa.array(rng.random(N) < 0.5),
        }
    )


@pytest.mark.parametrize("columns", [["n", "text", "x", "when", "f", "flag"], ["x", "when"], ["text"]])
def test_numbers_decoded_by_polars_are_those_that_arrow_decodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: list[str]
) -> None:
    folder = tmp_path / "day=3*"  # neither a pattern nor a column for Polars
    folder.mkdir()
    pq.write_table(table(), folder / "rows.parquet", row_group_size=3_000)
    monkeypatch.setattr(read_parquet, "PART_ROWS", 7_000)
    parts = open_rows(folder / "rows.parquet").parts
    assert len(parts) > 2
    by_arrow = [pa.Table.from_batches(part.batches(columns)) for part in parts]
    monkeypatch.setattr(read_parquet, "_POLARS_ROWS", 0)
    assert pa.concat_tables(by_arrow).num_rows == N
    for part, other in zip(parts, by_arrow, strict=True):
        decoded = pa.Table.from_batches(part.batches(columns))
        assert decoded.schema == other.schema
        assert decoded.column_names == columns
        assert decoded.equals(other)


def test_what_polars_cannot_read_is_told_by_arrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(table(), path)
    part = open_rows(path).parts[0]
    monkeypatch.setattr(read_parquet, "_POLARS_ROWS", 0)
    path.write_bytes(path.read_bytes()[:4] + b"\0" * 20_000 + path.read_bytes()[20_004:])
    with pytest.raises(Exception, match=r"is not a whole Parquet file"):
        list(part.batches(["x", "text"]))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("tz", ["UTC", None])
def test_the_bounds_of_times_are_known_without_reading(tmp_path: Path, unit: str, tz: str | None) -> None:
    pq.write_table(table(unit, tz), tmp_path / "rows.parquet", row_group_size=3_000)
    (part,) = open_rows(tmp_path / "rows.parquet").parts
    start = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1e6)
    assert part.time_bounds("when", "UTC") == (start, start + (N - 1) * 60_000_000)
    if tz is None:
        assert part.time_bounds("when", "Europe/Berlin") is None
    assert part.time_bounds("x", "UTC") is None
    assert part.time_bounds("absent", "UTC") is None


def test_bounds_of_times_with_nulls_or_without_statistics_are_not_known(tmp_path: Path) -> None:
    rows = table()
    pq.write_table(rows, tmp_path / "silent.parquet", write_statistics=False)
    rows = rows.set_column(2, "when", pa.concat_arrays([pa.nulls(1, rows["when"].type), *rows["when"].chunks])[:N])
    pq.write_table(rows, tmp_path / "nulls.parquet")
    for name in ("silent", "nulls"):
        assert open_rows(tmp_path / f"{name}.parquet").parts[0].time_bounds("when", "UTC") is None
