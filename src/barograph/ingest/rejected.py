"""Rows that were not taken, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # Any: values of a row as they came

import msgspec

from barograph.ingest.limits import FEW, REJECTED_ALL_BYTES, REJECTED_BYTES
from barograph.store.batches import Kind, Part, PendingRows, Row

PART_ROWS = 5_000  # of one piece
_SHOWN = 80  # characters of a value in a reason


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken: its position in the body from 0, why, and its text as it came, cut at 4 KiB."""

    index: int
    reasons: tuple[str, ...]
    row: str


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
    return msgspec.json.encode(
        [{"kind": kind, "index": index, "reasons": reasons, "row": row} for kind, index, reasons, row in rows]
    )


def to_rejected(reasons: Mapping[int, Sequence[str]], texts: Mapping[int, bytes]) -> tuple[Rejected, ...]:
    """Return rejected rows in order, with their texts: as they came, or as JSON. Beyond 16 MiB texts are left out."""
    found, size = [], 0
    for index in sorted(reasons):
        text = shown_row(texts.get(index, b"")) if size < REJECTED_ALL_BYTES else ""
        size += len(text)
        found.append(Rejected(index, tuple(reasons[index]), text))
    return tuple(found)


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
