"""What is kept of single rows while profiles are counted: those of each chunk whose hashes are the smallest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.arrays import Floats
from barograph.frames import columns as arrow
from barograph.plain_arrays import numpy_of
from barograph.profiles import kernels
from barograph.sketches.distinct import Distinct
from barograph.sketches.sample import Sample

SAMPLE_SIZE = 1_000  # rows kept of a chunk
ID_SAMPLE_SIZE = 16_384  # different ids kept of a chunk: duplicates are exact below this many

_ALL = np.iinfo(np.uint64).max

Groups = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


def hashes_of(batch: pa.RecordBatch, name: str | None, first_row: int) -> Hashes:
    """Return a hash of each row's id; of its position where there is no id."""
    out = np.empty(batch.num_rows, np.uint64)
    if name is None or name not in batch.schema.names:
        kernels.hash_integers(np.arange(first_row, first_row + batch.num_rows), out)
        return out
    ids = batch.column(name)
    if pa.types.is_integer(ids.type) and not ids.null_count:
        kernels.hash_integers(numpy_of(ids).astype(np.int64, copy=False), out)
        return out
    texts = arrow.as_text(ids)
    offsets = np.frombuffer(texts.buffers()[1], np.int32, len(texts) + 1, texts.offset * 4)
    data = texts.buffers()[2]
    kernels.hash_texts(np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8), offsets, out)
    return out


@dataclass(slots=True)
class BottomRows:
    """The rows with the smallest hashes of each chunk, while they are being collected."""

    k: int
    kept: list[Sample]
    limits: Hashes  # a row at or above its chunk's limit cannot be among the k smallest

    @classmethod
    def empty(cls, chunks: int, *, features: int, k: int = SAMPLE_SIZE) -> BottomRows:
        """Return the collector of no rows."""
        return cls(k, [Sample.empty(k, features=features)] * chunks, np.full(chunks, _ALL, np.uint64))

    def add(
        self,
        chunk: Groups,
        hashes: Hashes,
        codes: Callable[[npt.NDArray[np.intp]], npt.NDArray[np.uint16]],
        outputs: Floats | None,
    ) -> None:
        """Take in the rows of a batch; `codes` gives those of some rows, as (rows, features)."""
        for c, rows in _below(chunk, hashes, self.limits, self.k):
            some = np.full((len(rows), 3), np.nan) if outputs is None else outputs[rows]
            part = Sample.of(hashes[rows], codes(rows), some, k=self.k)
            self.kept[c] = self.kept[c].merge(part)
            if self.kept[c].n == self.k:
                self.limits[c] = self.kept[c].hashes[-1]


@dataclass(slots=True)
class BottomIds:
    """The smallest id hashes of each chunk with their counts, while they are being collected."""

    k: int
    kept: list[Distinct]
    limits: Hashes

    @classmethod
    def empty(cls, chunks: int, *, k: int = ID_SAMPLE_SIZE) -> BottomIds:
        """Return the collector of no rows."""
        return cls(k, [Distinct.empty(k)] * chunks, np.full(chunks, _ALL, np.uint64))

    def add(self, chunk: Groups, hashes: Hashes) -> None:
        """Take in the rows of a batch."""
        for c, rows in _below(chunk, hashes, self.limits, None):
            self.kept[c] = self.kept[c].merge(Distinct.of(hashes[rows], k=self.k))
            if not self.kept[c].exact:
                self.limits[c] = self.kept[c].hashes[-1]


def _below(chunk: Groups, hashes: Hashes, limits: Hashes, k: int | None) -> list[tuple[int, npt.NDArray[np.intp]]]:
    """Return, by chunk, the rows at or below the limit (at most the `k` smallest, with their ties)."""
    found = np.empty(len(hashes), np.intp)
    candidates = found[: kernels.find_small(hashes, chunk, limits, found)]
    if not len(candidates):
        return []
    order = candidates[np.argsort(chunk[candidates], kind="stable")]
    groups, starts = np.unique(chunk[order], return_index=True)
    parts = []
    for c, rows in zip(groups.tolist(), np.split(order, starts[1:]), strict=True):
        if k is not None and len(rows) > 2 * k:
            last = np.partition(hashes[rows], k)[k]
            rows = rows[hashes[rows] <= last]
        parts.append((c, rows))
    return parts
