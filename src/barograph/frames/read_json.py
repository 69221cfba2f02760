"""Rows of JSON files: an object a line, or one list of objects. Objects in objects are columns of their own.

Blocks of lines are read by Arrow. A block that it does not take (a column of numbers and texts, say) is read line by
line, which finds the line that is wrong, or the type that holds all values.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any  # Any: a JSON value

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.types as pt

from barograph.errors import InputError
from barograph.frames.combine import union
from barograph.frames.encoding import MARKED, UTF8, WESTERN, Utf8, find_encoding
from barograph.frames.json_values import NotAnObject, read_row, to_batch
from barograph.frames.nested import MAX_COLUMNS, SEPARATOR, flat_columns, said_of_opened
from barograph.frames.rows import Part, Rows, check_names, reading

SUFFIXES = tuple(kind + packed for kind in (".jsonl", ".ndjson", ".json") for packed in ("", ".gz", ".bz2", ".zst"))
_BLOCK_BYTES = 4 * 2**20
_LINE_BYTES = 64 * 2**20  # of one row; longer ones are no rows
_LIST_BYTES = 256 * 2**20  # of a list, which is read as a whole
_LIST_ROWS = 10_000  # of a list that become columns at a time
_WHOLE = "a JSON file that can be read"
_ROUNDED = 2.0**53  # from here on Arrow's floats may have been other whole numbers, such as ids

Block = tuple[int, bytes]  # line of its first byte, lines


def open_json(path: Path) -> Rows:
    """Read a file once, for its columns and how many rows there are.

    Raises InputError with the line for what is no object, and for a file without rows.
    """
    with reading(path, _WHOLE):
        encoding = find_encoding(path)
        if encoding == WESTERN:
            raise InputError(f"{str(path)!r} is not UTF-8, which JSON must be. Write it again as UTF-8.")
    file = _JsonFile(path, encoding)
    columns, rows = pa.schema([]), 0
    opened: dict[str, str] = {}  # column: the object that it comes from
    for batch, origins in file.batches():
        columns, rows = union([columns, batch.schema]), rows + batch.num_rows
        opened |= origins
    if not rows:
        raise InputError(f"{str(path)!r} has no rows. A JSON file holds an object a line, or a list of objects.")
    sizes = Counter(opened.values())
    large = [name for name, n in sizes.items() if n > MAX_COLUMNS]
    schema = pa.schema(
        [f for f in columns if opened.get(f.name) not in large and not _is_object_that_is_null(f, columns)]
    )
    check_names(schema.names, repr(str(path)))
    examples = {origin: leaf for leaf, origin in reversed(opened.items())}
    said, told = said_of_opened({name: examples[name] for name in sizes if name not in large})
    return Rows(
        name=str(path),
        schema=schema,
        parts=[Part(read=file, rows=rows, first_row=0)],
        rows=rows,
        decisions=(*said, *(() if encoding in (UTF8, MARKED) else (f"encoding: {encoding.upper()}",))),
        left_out=(
            *told,
            *((f"`{n}`", f"an object with {sizes[n]:,} fields: at most {MAX_COLUMNS:,} become columns") for n in large),
        ),
    )


@dataclass(frozen=True, slots=True)
class _JsonFile:
    path: Path
    encoding: str
    texts: list[pa.Schema] = field(default_factory=lambda: [pa.schema([])])  # what Arrow would take for times

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch, _ in self.batches():
            yield batch.select([c for c in columns if c in batch.schema.names])

    def batches(self) -> Iterator[tuple[pa.RecordBatch, dict[str, str]]]:
        """Yield the rows, flat, and of each column that was inside an object the name of that."""
        with reading(self.path, _WHOLE), pa.input_stream(str(self.path)) as stream:
            text = Utf8(self.path, self.encoding, stream)
            start = text.read(_BLOCK_BYTES)
            while start and not start.strip():
                start = text.read(_BLOCK_BYTES)
            if start.lstrip().startswith(b"["):
                yield from self._of_list(start, text)
            else:
                for line, block in self._blocks(start, text):
                    yield self._fast(block) or self._slow(line, block)

    def _blocks(self, start: bytes, text: Utf8) -> Iterator[Block]:
        line, held = 1, start
        while held:
            end = held.rfind(b"\n") + 1
            if end:
                if held[:end].strip():
                    yield line, held[:end]
                line, held = line + held.count(b"\n", 0, end), held[end:]
            if len(held) > _LINE_BYTES:
                raise InputError(
                    f"{str(self.path)!r}, line {line}: more than {_LINE_BYTES:,} bytes. Give an object a line."
                )
            more = text.read(_BLOCK_BYTES)
            if not more:
                if held.strip():
                    yield line, held
                return
            held += more

    def _fast(self, block: bytes) -> tuple[pa.RecordBatch, dict[str, str]] | None:
        lines = [text for line in block.split(b"\n") if (text := line.strip())]
        if not all(text[:1] == b"{" and text[-1:] == b"}" for text in lines):
            return None  # Arrow takes null for a row, and a file that begins with it ends the process
        try:
            table = self._parsed(block)
            if times := _as_text(table.schema, _is_time):
                self.texts[0] = pa.unify_schemas([self.texts[0], times], promote_options="permissive")
                table = self._parsed(block)
        except pa.ArrowException:
            return None
        if table.num_rows != len(lines):
            return None  # two rows in a line, or one in two
        batch = table.combine_chunks().to_batches()[0] if table.num_rows else None
        if batch is None or not batch.num_columns:
            return None
        flat, origins = _flat(batch, str(self.path))
        return None if any(map(_is_rounded, flat.columns)) else (flat, origins)

    def _parsed(self, block: bytes) -> pa.Table:
        options = pj.ParseOptions(explicit_schema=self.texts[0], newlines_in_values=False)
        read = pj.ReadOptions(use_threads=False, block_size=len(block) + 1)
        return pj.read_json(BytesIO(block), read_options=read, parse_options=options)

    def _slow(self, line: int, block: bytes) -> tuple[pa.RecordBatch, dict[str, str]]:
        rows, origins = [], dict[str, str]()
        for i, text in enumerate(block.split(b"\n"), line):
            if text.strip():
                try:
                    rows.append(read_row(json.loads(text), origins))
                except (ValueError, RecursionError, NotAnObject) as error:
                    raise InputError(
                        f"{str(self.path)!r}, line {i}: {_why(error)}. Write an object a line, or mend that line."
                    ) from error
        return to_batch(rows), origins

    def _of_list(self, start: bytes, text: Utf8) -> Iterator[tuple[pa.RecordBatch, dict[str, str]]]:
        whole = bytearray(start)
        while more := text.read(_BLOCK_BYTES):
            whole += more
            if len(whole) > _LIST_BYTES:
                raise InputError(
                    f"{str(self.path)!r} is a list of more than {_LIST_BYTES:,} bytes. Write an object a line instead."
                )
        try:
            values = json.loads(bytes(whole))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{str(self.path)!r} is no list of objects: {_why(error)}. Write it again.") from error
        for start_row in range(0, len(values), _LIST_ROWS):
            rows, origins = [], dict[str, str]()
            for i, value in enumerate(values[start_row : start_row + _LIST_ROWS], start_row):
                try:
                    rows.append(read_row(value, origins))
                except NotAnObject as error:
                    raise InputError(f"{str(self.path)!r}, row {i}: {error}. Mend it, or leave it out.") from error
            yield to_batch(rows), origins


def _is_object_that_is_null(column: pa.Field[Any], columns: pa.Schema) -> bool:
    """Return whether a column is an object whose fields are columns, from where it was null in all rows."""
    return pt.is_null(column.type) and any(name.startswith(column.name + SEPARATOR) for name in columns.names)


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, NotAnObject):
        return str(error)
    return f"not JSON ({str(error).rstrip('.')})"


def _flat(batch: pa.RecordBatch, where: str) -> tuple[pa.RecordBatch, dict[str, str]]:
    names: list[str] = []
    arrays: list[pa.Array[Any]] = []
    origins: dict[str, str] = {}
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        for leaf, values in flat_columns(name, array):
            names.append(leaf)
            arrays.append(values)
            if leaf != name:
                origins[leaf] = name
    if not names:  # objects without fields
        return to_batch([{} for _ in range(batch.num_rows)]), origins
    check_names(names, repr(where))
    return pa.RecordBatch.from_arrays(arrays, names=names), origins


def _is_rounded(array: pa.Array[Any]) -> bool:
    if not pt.is_floating(array.type):
        return False
    ends = pc.min_max(array).as_py()
    return ends["min"] is not None and bool(max(-ends["min"], ends["max"]) >= _ROUNDED)


def _is_time(kind: pa.DataType) -> bool:
    return bool(pt.is_temporal(kind))


def _as_text(schema: pa.Schema, found: Callable[[pa.DataType], bool]) -> pa.Schema | None:
    """Return the columns whose type, or one inside it, is `found`: with text in its place, and without the others."""
    fields = [pa.field(f.name, kind) for f in schema if (kind := _text_inside(f.type, found)) is not None]
    return pa.schema(fields) if fields else None


def _text_inside(kind: pa.DataType, found: Callable[[pa.DataType], bool]) -> pa.DataType | None:
    if found(kind):
        return pa.string()
    if pt.is_list(kind):
        inner = _text_inside(kind.value_type, found)
        return None if inner is None else pa.list_(inner)
    if pt.is_struct(kind):
        pairs = [(kind.field(i).name, _text_inside(kind.field(i).type, found)) for i in range(kind.num_fields)]
        fields = [pa.field(name, inner) for name, inner in pairs if inner is not None]
        return pa.struct(fields) if fields else None
    return None
