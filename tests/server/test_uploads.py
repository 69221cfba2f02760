"""Reference data that comes over HTTP: what it takes is known before it is read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from barograph.server.uploads import size_of_names


def _written(folder: Path, suffix: str, columns: int) -> Path:
    path, table = folder / f"{columns}{suffix}", pa.table({f"c{i}": [0.0] for i in range(columns)})
    if suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".arrows"])
def test_names_are_weighed_by_their_number_without_being_read(suffix: str, tmp_path: Path) -> None:
    few, many = (size_of_names(_written(tmp_path, suffix, columns)) for columns in (100, 10_000))
    assert 50 * few < many < 200 * few
    names = sum(len(f"c{i}") for i in range(10_000))
    assert many > 10 * names  # a name takes up much more in memory than its letters


@pytest.mark.parametrize("suffix", [".parquet", ".arrows", ".csv"])
@pytest.mark.parametrize("body", [b"", b"PAR1", b"\xff" * 4, b"\xff" * 1_000])
def test_of_what_is_nothing_of_the_kind_no_more_is_expected_than_it_holds(
    suffix: str, body: bytes, tmp_path: Path
) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(body)
    assert 0 <= size_of_names(path) <= 20 * len(body)
