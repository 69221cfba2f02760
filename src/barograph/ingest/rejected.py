"""Rows that were not taken, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, overload  # Any: values of a row as they came

import pyarrow as pa

from barograph.ingest.limits import FEW, REJECTED_ALL_BYTES, REJECTED_BYTES
from barograph.store.batches import Kind, Part, PendingRows, Row, from_payload, to_payload

PART_ROWS = 2_000  # of one piece
_SHOWN = 80  # characters of a value in a reason
_COLUMNS = pa.schema(
    {"kind": pa.string(), "index": pa.int64(), "reasons": pa.list_(pa.string()), "row": pa.string()}.items()
)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken: its position in the body from 0, why, and its text as it came, cut at 4 KiB."""

    index: int
    reasons: tuple[str, ...]
    row: str


@dataclass(frozen=True, slots=True, eq=False)
class ManyRejected(Sequence[Rejected]):
    """Rejected rows in the pieces that the spool keeps: objects are made of those that are looked at, and soon gone.

    As objects, the rows of bodies that are read at the same time would lie among each other, and Python gives memory
    back only where all of a stretch of it is free.
    """

    payloads: Sequence[bytes]

    def __len__(self) -> int:
        return sum(from_payload(payload).num_rows for payload in self.payloads)

    def __iter__(self) -> Iterator[Rejected]:
        for payload in self.payloads:
            for row in rows_of(payload):
                yield Rejected(row["index"], tuple(row["reasons"]), row["row"])

    @overload
    def __getitem__(self, at: int) -> Rejected: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Rejected]: ...
    def __getitem__(self, at: int | slice) -> Rejected | Sequence[Rejected]:
        wanted = range(len(self))[at]
        if isinstance(wanted, int):
            return next(islice(self, wanted, None))
        return list(islice(self, wanted.start, wanted.stop, wanted.step))


def rows_of(payload: bytes) -> Iterator[dict[str, Any]]:
    """Yield the rows of a piece of rejected rows: `kind`, `index`, `reasons` and `row`."""
    for batch in from_payload(payload).to_batches(max_chunksize=500):
        yield from batch.to_pylist()


def to_rejected(
    kind: Kind, reasons: Mapping[int, tuple[str, ...]], texts: Callable[[Sequence[int]], Iterable[bytes]]
) -> tuple[Sequence[Rejected], list[Part]]:
    """Return rejected rows in order, and the pieces of them that the spool keeps.

    `texts` gives those of rows, one by one: as they came, or as JSON. Beyond 16 MiB they are left out.
    """
    where, size = sorted(reasons), 0
    found: list[Rejected] = []
    parts: list[Part] = []
    rows = iter(texts(where))
    for index in where:
        row = shown_row(next(rows)) if size < REJECTED_ALL_BYTES else ""
        size += len(row)
        found.append(Rejected(index, reasons[index], row))
        if len(found) == PART_ROWS:
            parts += rejected_parts(kind, found)
            found.clear()
    parts += rejected_parts(kind, found)
    return ManyRejected([part.payload() for part in parts]) if len(where) > FEW else tuple(found), parts


def rejected_parts(kind: Kind, rejected: Sequence[Rejected]) -> list[Part]:
    """Return rejected rows of events or labels as the spool keeps them, in pieces that are filed one by one."""
    parts = []
    for start in range(0, len(rejected), PART_ROWS):
        rows = [(kind, r.index, r.reasons, r.row) for r in rejected[start : start + PART_ROWS]]
        if len(rows) <= FEW:
            size = sum(100 + len(row) + sum(map(len, reasons)) for _, _, reasons, row in rows)
            parts.append(Part(kind="rejected", rows=len(rows), size=size, content=PendingRows(rows, _encode)))
        else:
            payload = _encode(rows)
            parts.append(Part(kind="rejected", rows=len(rows), size=len(payload), content=payload))
    return parts


def _encode(rows: Sequence[Row]) -> bytes:
    return to_payload(pa.table(dict(zip(_COLUMNS.names, zip(*rows, strict=True), strict=True)), schema=_COLUMNS))


def shown_row(row: bytes | bytearray | memoryview) -> str:
    """Return the first 4 KiB of a row as text that any database can hold."""
    # A NUL is what PostgreSQL refuses in text; a cut character becomes a replacement character.
    return bytes(row[:REJECTED_BYTES]).decode("utf-8", "replace").replace("\x00", "\ufffd")


def shown(value: Any) -> str:
    """Return a value for a reason, cut at 80 characters.

    >>> shown("x" * 200)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"
    """
    if isinstance(value, str):
        value = value[: _SHOWN + 1]
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
