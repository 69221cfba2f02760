"""Inputs for the fuzz campaign: a valid file or body from a known table, and what may befall its bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any  # Any: values of a table

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

Row = dict[str, Any]

NAMES = ("event_id", "timestamp", "amount", "colour", "known", "score", "label")
_words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
_tricky = st.sampled_from(
    ["", " ", ",", ";", '"', "a\nb", "\r\n", "1,5", "1.234,5", "12 %", "é", "\ufeff", "NA", "null", "[", "{", "'", "\\"]
)
_numbers = st.none() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
_times = st.sampled_from(["2025-06-01T10:00:00Z", "2025-06-01 10:00", 1_748_772_000, "31.05.2025", None, ""])
_nested = st.dictionaries(st.sampled_from(["x", "y", "é", "a.b"]), st.none() | st.integers(0, 9) | _words, max_size=3)


@st.composite
def rows(draw: st.DrawFn, *, nested: bool) -> list[Row]:
    """Draw the rows of a table: each has an id of its own; the other fields may be absent or odd."""
    n = draw(st.integers(0, 8))
    fields: dict[str, st.SearchStrategy[Any]] = {
        "timestamp": _times,
        "amount": _numbers,
        "colour": st.none() | _words | _tricky,
        "known": st.none() | st.booleans(),
        "score": st.floats(0, 1),
        "label": st.sampled_from([0, 1, "1", None, 2]),
    }
    if nested:
        fields["features"] = st.none() | _nested
        fields["tags"] = st.lists(_words, max_size=2)
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), unique=True))
    if draw(st.integers(0, 3)) and "timestamp" not in chosen:
        chosen.append("timestamp")
    return [{"event_id": f"e{i}", **{name: draw(fields[name]) for name in chosen}} for i in range(n)]


# Forms


def as_csv(table: list[Row], *, delimiter: str = ",", end: str = "\n", encoding: str = "utf-8") -> bytes:
    names = list(dict.fromkeys(["event_id", *(name for row in table for name in row)]))
    out = io.StringIO(newline="")
    texts = [["" if row.get(n) is None else str(row[n]) for n in names] for row in table]
    # Some versions of `csv` leave a lone \r without quotation marks, though it ends a line for every reader.
    ends = any("\r" in text for row in texts for text in row)
    writer = csv.writer(
        out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL if ends else csv.QUOTE_MINIMAL
    )
    writer.writerow(names)
    writer.writerows(texts)
    return out.getvalue().encode(encoding, "replace")


def as_lines(table: list[Row]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in table)


def as_list(table: list[Row]) -> bytes:
    return json.dumps(table).encode()


def to_arrow(table: list[Row]) -> pa.Table:
    names = list(dict.fromkeys(["event_id", *(name for row in table for name in row)]))
    columns = {}
    for name in names:
        values = [row.get(name) for row in table]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowException, OverflowError, TypeError):
            columns[name] = pa.array([None if v is None else str(v) for v in values], pa.string())
        if pa.types.is_struct(columns[name].type) and not columns[name].type.num_fields:
            del columns[name]  # which Parquet cannot hold
    return pa.table(columns)


def as_parquet(table: list[Row]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(to_arrow(table), sink, row_group_size=3)
    return sink.getvalue()


def as_arrow(table: list[Row], *, stream: bool) -> bytes:
    sink, data = io.BytesIO(), to_arrow(table)
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, data.schema) as writer:
        writer.write_table(data, max_chunksize=3)
    return sink.getvalue()


FORMS: Mapping[str, Callable[[list[Row]], bytes]] = {
    "comma.csv": as_csv,
    "semicolon.csv": lambda table: as_csv(table, delimiter=";", end="\r\n"),
    "tab.tsv": lambda table: as_csv(table, delimiter="\t"),
    "marked.csv": lambda table: as_csv(table, encoding="utf-8-sig"),
    "utf16.csv": lambda table: as_csv(table, encoding="utf-16"),
    "western.csv": lambda table: as_csv(table, delimiter=";", encoding="cp1252"),
    "packed.csv.gz": lambda table: gzip.compress(as_csv(table), 1),
    "lines.jsonl": as_lines,
    "packed.jsonl.gz": lambda table: gzip.compress(as_lines(table), 1),
    "list.json": as_list,
    "columns.parquet": as_parquet,
    "file.arrow": lambda table: as_arrow(table, stream=False),
    "stream.arrows": lambda table: as_arrow(table, stream=True),
}
NESTED = tuple(name for name in FORMS if "csv" not in name and "tsv" not in name)


# What may befall the bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """A change of bytes: `kind`, and where and by how much as shares of the length, so that it fits any input."""

    kind: str
    at: float
    size: float
    byte: int

    def __call__(self, data: bytes) -> bytes:
        """Return the changed bytes."""
        start = int(self.at * len(data))
        end = min(len(data), start + 1 + int(self.size * 20))
        match self.kind:
            case "truncate":
                return data[:start]
            case "flip":
                return data[:start] + bytes(b ^ self.byte for b in data[start:end]) + data[end:]
            case "duplicate":
                return data[:end] + data[start:]
            case "delete":
                return data[:start] + data[end:]
            case "insert":
                return data[:start] + bytes([self.byte]) * (end - start) + data[start:]
            case "lines":  # in the reverse order but for the first
                first, *others = data.splitlines(keepends=True) or [b""]
                return first + b"".join(others[::-1])
            case _:
                return data[start:] + data[:start]


DAMAGES = ("truncate", "flip", "duplicate", "delete", "insert", "lines", "rotate")
damages = st.builds(
    Damage,
    st.sampled_from(DAMAGES),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1),
    st.sampled_from([0x00, 0x01, 0x0A, 0x20, 0x22, 0x2C, 0x3B, 0x7B, 0x7D, 0x80, 0xC3, 0xFF]),
)


@dataclass(frozen=True, slots=True)
class Input:
    """An input of the campaign. `rows` are those of the table that it was made from, before the damages."""

    form: str
    rows: list[Row]
    damages: tuple[Damage, ...]
    data: bytes


@st.composite
def inputs(draw: st.DrawFn, form: str) -> Input:
    """Draw an input of a form: one in four as it was written, the others with one to three damages."""
    table = draw(rows(nested=form in NESTED))
    done = tuple(draw(st.lists(damages, min_size=1, max_size=3))) if draw(st.integers(0, 3)) else ()
    data = FORMS[form](table)
    for damage in done:
        data = damage(data)
    return Input(form, table, done, data)
