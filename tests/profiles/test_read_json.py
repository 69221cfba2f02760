"""JSON files: all rows with all their columns, or one error that names the line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import InputError
from barograph.frames import read_json
from barograph.frames.columns import as_text
from barograph.frames.read import open_rows, sample_rows


def texts(path: Path) -> dict[str, list[str | None]]:
    """Return each column as text, null where it is absent."""
    rows = open_rows(path)
    found: dict[str, list[str | None]] = {name: [] for name in rows.schema.names}
    for part in rows.parts:
        for batch in part.batches(rows.schema.names):
            for name, values in found.items():
                here = name in batch.schema.names
                values += as_text(batch.column(name)).to_pylist() if here else [None] * batch.num_rows
    assert {len(values) for values in found.values()} <= {rows.rows}
    return found


def test_types_follow_from_all_values(tmp_path: Path) -> None:
    lines = [
        '{"n": 1, "t": "2024-01-31T08:30:00+01:00", "mixed": 1, "flag": true, "long": 12345678901234567890123}',
        "",
        '{"n": 2.5, "t": "2024-02-01", "mixed": "x", "flag": false, "late": 1}\r',
        '{"n": null, "mixed": true, "nan": NaN}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert texts(tmp_path / "a.jsonl") == {
        "n": ["1", "2.5", None],
        "t": ["2024-01-31T08:30:00+01:00", "2024-02-01", None],  # as it was written, with its zone
        "mixed": ["1", "x", "True"],
        "flag": ["True", "False", None],
        "long": ["12345678901234567890123", None, None],
        "late": [None, "1", None],
        "nan": [None, None, None],
    }


@pytest.mark.parametrize("value", ["2024-01-31T08:30:00+01:00", "2024-01-31", "10:30"])
def test_times_stay_text(value: str, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text(json.dumps({"t": value, "o": {"t": value}, "l": [value]}) + "\n" + "{}")
    rows = open_rows(tmp_path / "a.ndjson")
    assert rows.schema.field("t").type == rows.schema.field("o.t").type == pa.string()
    assert texts(tmp_path / "a.ndjson")["o.t"] == [value, None]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "c d", "é"]),
            st.none() | st.integers(-(2**70), 2**70) | st.booleans() | st.text(max_size=5),
            max_size=4,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_objects_are_read_as_they_are(rows: list[dict[str, Any]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for name, body in {"a.jsonl": "\n".join(map(json.dumps, rows)), "a.json": json.dumps(rows)}.items():
            path = Path(folder, name)
            path.write_text(body, "utf-8")
            if not any(rows):
                with pytest.raises(InputError, match="no columns"):
                    open_rows(path)
                continue
            found = texts(path)
            assert set(found) == {key for row in rows for key in row}
            for name, values in found.items():
                told = [row.get(name) for row in rows]
                assert values == [None if value is None else str(value) for value in told]


def test_blocks_are_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_json, "_BLOCK_BYTES", 100)
    rows = [{"i": i, "x": "text" if i == 77 else i / 2, **({"new": i} if i > 90 else {})} for i in range(100)]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    found = texts(tmp_path / "a.jsonl.gz")
    assert found["i"] == [str(i) for i in range(100)]
    assert found["x"][76:79] == ["38", "text", "39"]
    assert found["new"] == [None] * 91 + [str(i) for i in range(91, 100)]
    sample = sample_rows(open_rows(tmp_path / "a.jsonl.gz"), ["x"], 1000)
    assert sample["x"].to_pylist()[76:79] == ["38", "text", "39"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}\n\n{"a": ', "line 3: not JSON"),
        ('{"a": 1}\n[1, 2]\n', r"line 2: expected an object, got \[1, 2\]"),
        ('{"a": 1}\n{"a": 1}{"a": 2}\n', "line 2: not JSON"),
        ("null", "line 1: expected an object, got None"),
        ('{"a": 1}\nnull\n', "line 2: expected an object, got None"),
        ("null}\n{}", "line 1: not JSON"),
        ('{"a": 1}null{}\n', "line 1: not JSON"),
        ('{"a": 1}\n5\n', "line 2: expected an object, got 5"),
        ('{\n"a": 1\n}\n', "line 1: not JSON"),
        ('[{"a": 1}, 5]', "row 1: expected an object, got 5"),
        ('[{"a": 1}, {"a"', "is no list of objects: not JSON .*line 1 column"),
        ("[]", "has no rows"),
        ("  \n", "has no rows"),
        ("{}\n{}", "has no columns"),
        ("[" * 100_000, "nested too deeply|not JSON"),
        ('{"a": "\udce9"}'.encode("utf-8", "surrogateescape"), "is not UTF-8"),
    ],
)
def test_what_is_no_object_is_refused_with_its_place(text: str | bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=said):
        open_rows(path)


def test_utf_16_is_read_and_said(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": "ü"}\n', "utf-16")
    assert texts(tmp_path / "a.jsonl") == {"a": ["ü"]}
    assert open_rows(tmp_path / "a.jsonl").decisions == ("encoding: UTF-16",)
