"""Rows that go in one request, compressed once: what is tried again, or kept on the disk, is the same bytes."""

from __future__ import annotations

import zlib
from typing import NamedTuple

LEVEL = 1  # of compression: the quickest, which takes three quarters of the bytes away


class Batch(NamedTuple):
    """The body of one request: lines of JSON, compressed."""

    kind: str  # events or labels
    rows: int
    body: bytes


def compressed(data: bytes) -> bytes:
    """Return data as gzip.

    >>> zlib.decompress(compressed(b"abc"), 31)
    b'abc'
    """
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def halves(batch: Batch) -> list[Batch]:
    """Return the two halves of a batch of several rows.

    >>> [half.rows for half in halves(Batch("events", 3, compressed(b'{}\\n{}\\n{}')))]
    [1, 2]
    """
    lines = zlib.decompress(batch.body, 31).split(b"\n")
    middle = len(lines) // 2
    return [Batch(batch.kind, len(part), compressed(b"\n".join(part))) for part in (lines[:middle], lines[middle:])]
