"""Arrow IPC streams from outside: every size that a body claims is checked before memory is spent on it.

A few bytes can claim anything: a batch of 2^40 nulls, a compressed buffer of a terabyte, a dictionary of one huge text
that every row repeats. So the messages are first read alone: their metadata is a verified flatbuffer, which says how
many rows there are, where the buffers are, and whether they are compressed (then each begins with its expanded size).
What pyarrow then reads is validated in full: offsets, indices and UTF-8.
"""

from __future__ import annotations

import struct
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from barograph.errors import InputError, TooLarge
from barograph.ingest.expand import Body
from barograph.ingest.limits import MESSAGES, Limits
from barograph.ingest.memory import Reserve

DICTIONARY_ROWS = 1_000_000  # a shared dictionary may be longer than the batch that uses it

_INT16, _INT32, _INT64 = struct.Struct("<H"), struct.Struct("<i"), struct.Struct("<q")
_FIRST_FIELD = 4  # of a flatbuffer's table: where its vtable has the place of field 0


def read_stream(body: Body, limits: Limits, reserve: Reserve) -> pa.Table:
    """Return the rows of an Arrow IPC stream, valid and within bounds; columns may still be dictionaries.

    Raises InputError for what is no such stream, and TooLarge for more than the limits allow. What it expands to is
    reserved before it is read.
    """
    buffer = pa.py_buffer(body)
    try:
        with pa.ipc.open_stream(buffer) as reader:
            schema = reader.schema
        _check_schema(schema, limits)
        # Twice: as the stream has it, and in the types in which it is kept.
        reserve(2 * _check_messages(buffer, limits, limits.rows(count_fields(schema))))
        source = pa.BufferReader(buffer)
        with pa.ipc.open_stream(source) as reader:
            table = reader.read_all()
        after = len(buffer) - source.tell()
        table.validate(full=True)
        _ = [column.chunks for column in table.columns]  # made here: pyarrow has none of some types that it reads
    except KeyError as error:
        raise InputError(f"The body has a column of a type that cannot be read: {error}. Leave it out.") from error
    except (pa.ArrowException, OSError, struct.error, UnicodeDecodeError) as error:
        detail = str(error).strip().split("\n")[0]
        raise InputError(f"The body is not a valid Arrow IPC stream: {detail}.") from error
    if after:
        raise InputError(f"The body goes on for {after:,} bytes after the end of its Arrow stream. Send one at a time.")
    return table


def _check_schema(schema: pa.Schema, limits: Limits) -> None:
    fields = count_fields(schema)
    if fields > limits.body_columns:
        raise TooLarge(
            f"The body has {fields:,} columns, nested ones counted; at most {limits.body_columns:,} may come."
        )
    repeated = [name for name, times in Counter(schema.names).items() if times > 1]
    if repeated:
        raise InputError(f"The body has more than one column named {repeated[0]!r}. Give each a name of its own.")


def count_fields(schema: pa.Schema) -> int:
    """Return how many columns there are, those inside of nested ones counted."""

    def count(kind: pa.DataType) -> int:
        inner = [kind.field(i).type for i in range(kind.num_fields)]
        if pt.is_dictionary(kind):
            inner.append(kind.value_type)
        return 1 + sum(map(count, inner))

    return sum(count(field.type) for field in schema)


def _check_messages(buffer: pa.Buffer, limits: Limits, most: int) -> int:
    """Return how many bytes all messages expand to; raise TooLarge where they or their rows are too many."""
    reader = pa.ipc.MessageReader.open_stream(buffer)
    rows = expanded = messages = 0
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return expanded
        messages += 1
        if messages > MESSAGES:
            raise TooLarge(f"The body has more than {MESSAGES:,} Arrow messages. Send larger batches.")
        if message.type == "schema":
            continue
        if message.type not in ("record batch", "dictionary"):
            raise InputError(f"The body has a message of an unknown kind: {message.type!r}. Send record batches.")
        length, size = _claimed(message)
        if message.type == "dictionary":
            if not 0 <= length <= DICTIONARY_ROWS:
                raise TooLarge(f"The body has a dictionary of {length:,} values; at most {DICTIONARY_ROWS:,} may come.")
        else:
            rows += length
            if not 0 <= rows <= most or length < 0:
                raise TooLarge(f"The body has more than {most:,} rows. Send fewer at once.")
        expanded += size
        if not 0 <= expanded <= limits.expanded_bytes:
            raise TooLarge(f"The body expands to more than {limits.expanded_bytes:,} bytes. Send fewer rows at once.")


def check_batches(file: pa.NativeFile, most_bytes: int) -> None:
    """Raise TooLarge where a batch or dictionary of a stream expands to more; the stream begins at the file's start.

    What they hold is not looked at, nor how many there are. Raises InputError and OSError for what is no stream.
    """
    at = file.tell()
    file.seek(0)
    reader = pa.ipc.MessageReader.open_stream(file)
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            file.seek(at)
            return
        if message.type in ("record batch", "dictionary") and not 0 <= _claimed(message)[1] <= most_bytes:
            raise TooLarge(f"A batch of the stream expands to more than {most_bytes:,} bytes. Write smaller batches.")


def _claimed(message: pa.ipc.Message) -> tuple[int, int]:
    """Return how many rows, and how many bytes when expanded, a batch or dictionary says it has.

    The tables of the format are in `Message.fbs`: a Message has its header in field 2; a DictionaryBatch its record
    batch in field 1; a RecordBatch its length in field 0, its buffers (offset and length, 16 bytes each) in field 2,
    and its compression in field 3.
    """
    data = memoryview(message.metadata)
    table = _table(data, _offset(data, 0), 2)
    if table is not None and message.type == "dictionary":
        table = _table(data, table, 1)
    if table is None:
        raise InputError("The body is not a valid Arrow IPC stream: a message without a header.")
    at = _place(data, table, 0)
    length = _INT64.unpack_from(data, at)[0] if at is not None else 0
    vector = _table(data, table, 2)
    if vector is None:
        return length, 0
    count = _INT32.unpack_from(data, vector)[0]
    buffers = np.frombuffer(data, np.int64, 2 * count, vector + 4).reshape(-1, 2)
    if (buffers < 0).any():
        raise InputError("The body is not a valid Arrow IPC stream: a buffer of negative size.")
    if _place(data, table, 3) is None:
        return length, int(buffers[:, 1].sum())
    size, body = 0, memoryview(message.body)
    for start, stored in buffers.tolist():
        if stored >= 8:
            (claimed,) = _INT64.unpack_from(body, start)
            size += stored if claimed < 0 else claimed  # -1: this one is not compressed
    return length, size


def _place(data: memoryview, table: int, field: int) -> int | None:
    """Return where a field of a flatbuffer's table is; None if it is absent."""
    vtable = table - _INT32.unpack_from(data, table)[0]
    entry = _FIRST_FIELD + 2 * field
    if entry >= _INT16.unpack_from(data, vtable)[0]:
        return None
    offset: int = _INT16.unpack_from(data, vtable + entry)[0]
    return table + offset if offset else None


def _table(data: memoryview, table: int, field: int) -> int | None:
    """Return where the table or vector is that a field refers to."""
    at = _place(data, table, field)
    return None if at is None else _offset(data, at)


def _offset(data: memoryview, at: int) -> int:
    return at + int(_INT32.unpack_from(data, at)[0])
