"""Names of columns that are no text any more: one error, whatever the file."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from barograph.errors import InputError
from barograph.frames.read import open_rows


def test_a_name_in_a_footer_that_is_no_text_is_one_error(tmp_path: Path) -> None:
    """The names of a Parquet file stand in it three times; the one of the column's chunk is read late."""
    path = tmp_path / "damaged.parquet"
    pq.write_table(pa.table({"event_id": ["a", "b"]}), path)
    content = path.read_bytes()
    places = [match.start() for match in re.finditer(b"event_id", content)]
    seen = 0
    for place in places:
        path.write_bytes(content[: place + 7] + b"\xe4" + content[place + 8 :])
        try:
            open_rows(path)
        except InputError as error:
            seen += "damaged.parquet" in str(error)
    assert seen, "no damage was noticed"


@pytest.mark.parametrize("suffix", ["arrow", "arrows"])
@pytest.mark.parametrize("name", [b"amount", b"inner"])
def test_a_name_in_an_arrow_file_that_is_no_text_is_one_error(name: bytes, suffix: str, tmp_path: Path) -> None:
    table, path = pa.table({"amount": [1.0], "features": [{"inner": 1}]}), tmp_path / f"damaged.{suffix}"
    with (pa.ipc.new_file if suffix == "arrow" else pa.ipc.new_stream)(path, table.schema) as file:
        file.write_table(table)
    path.write_bytes(path.read_bytes().replace(name, name[:2] + b"\xf4" + name[3:]))
    with pytest.raises(InputError, match="is not a whole Arrow file"):
        open_rows(path)
