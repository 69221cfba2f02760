"""Which ids are in which data file: sorted 128-bit hashes beside each, searched without reading the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # Any: Arrow arrays are untyped

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.errors import InputError
from barograph.store.delta import kernels
from barograph.store.delta.durable import make_folder, replace_with, storing
from barograph.store.delta.place import Place
from barograph.store.delta.snapshot import DataFile
from barograph.store.lru import LruCache

MAGIC = b"BAROIDS1"
OPEN_FILES = 1024  # maps kept open by one index; they hold address space, not memory


@dataclass(frozen=True, slots=True)
class Hashes:
    """The ids of some rows, sorted by `high`. `rows` are the rows' numbers in that order."""

    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int64]

    def keep(self, kept: npt.NDArray[np.bool_]) -> Hashes:
        """Return those that a mask in this order keeps."""
        return self if kept.all() else Hashes(self.high[kept], self.low[kept], self.rows[kept])


def hash_ids(ids: Any) -> Hashes:
    """Return the hashes of text ids, sorted. Raises InputError for nulls: such rows cannot be told apart."""
    high, low = halves(ids)
    order = np.argsort(high, kind="stable")
    return Hashes(high[order], low[order], order)


def halves(ids: Any) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return both halves of the hash of each text id, in the order of the rows. Raises InputError for nulls."""
    if ids.null_count:
        raise InputError(f"Every row must have an id. Got {ids.null_count} without, of {len(ids)}.")
    chunks = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
    high, low = np.empty(len(ids), np.uint64), np.empty(len(ids), np.uint64)
    start = 0
    for chunk in chunks:
        large = chunk.cast(pa.large_string())
        _, offsets, data = large.buffers()
        if not len(large):
            continue
        places = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1]
        texts = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        part = slice(start, start + len(large))
        kernels.hash_ids(texts, places, high[part], low[part])
        start += len(large)
    return high, low


def without_repeated(hashes: Hashes) -> Hashes:
    """Leave out ids that came before in the same rows."""
    repeated = np.zeros(len(hashes.high), np.bool_)
    kernels.mark_repeated(hashes.high, hashes.low, repeated)
    return hashes.keep(~repeated)


class IdIndex:
    """The hashes of the data files of one table. Derived: what is missing or torn is made again from the file."""

    def __init__(self, folder: Path, place: Place, *, id_column: str) -> None:
        self._folder, self._place, self._id_column = folder, place, id_column
        self._maps = LruCache[str, tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]](OPEN_FILES)

    def write(self, name: str, hashes: Hashes) -> None:
        """Keep the hashes of a new data file."""
        path = self._path(name)
        with storing("write", path):
            make_folder(path.parent)
            parts = [MAGIC, len(hashes.high).to_bytes(8, "little"), hashes.high.tobytes(), hashes.low.tobytes()]
            replace_with(path, list(parts), synced=True)

    def known(self, files: Iterable[DataFile], hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Return for each hash, in its order, whether its id is in one of the files."""
        known = np.zeros(len(hashes.high), np.bool_)
        for file in files:
            high, low = self._open(file)
            kernels.mark_known(hashes.high, hashes.low, high, low, known)
        return known

    def hashes(self, file: DataFile) -> Hashes:
        """Return the ids of a data file; `rows` are numbers in this order, not those of the file."""
        high, low = self._open(file)
        return Hashes(high, low, np.arange(len(high)))

    def forget(self, living: Iterable[DataFile]) -> None:
        """Delete the hashes of all other data files."""
        names = {self._path(file.name).name for file in living}
        with storing("tidy", self._folder):
            for path in list(self._folder.glob("*.ids")):
                if path.name not in names:
                    path.unlink(missing_ok=True)
        for name in self._maps.held():
            if self._path(name).name not in names:
                self._maps.drop(name)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name.rsplit('/', 1)[-1].removesuffix('.parquet')}.ids"

    def _open(self, file: DataFile) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        return self._maps.get(file.name, lambda: self._map(file))

    def _map(self, file: DataFile) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        found = _map(self._path(file.name))
        if found is None:
            self._rebuild(file)
            found = _map(self._path(file.name))
            assert found is not None, "just written"
        return found

    def _rebuild(self, file: DataFile) -> None:
        with storing("read", f"{self._place.url}/{file.name}"), self._place.open_parquet(file.name) as parquet:
            ids = parquet.read([self._id_column]).column(0)
        self.write(file.name, hash_ids(ids))


def _map(path: Path) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]] | None:
    """Return both halves, or None where the file is missing or torn."""
    try:
        if path.stat().st_size < 16:
            return None  # Arrow cannot map an empty file
        # Arrow closes the descriptor and keeps the map for as long as the buffer lives.
        with pa.memory_map(str(path)) as file:
            buffer = file.read_buffer()
    except FileNotFoundError:
        return None
    if bytes(buffer[:8]) != MAGIC:
        return None
    count = int.from_bytes(bytes(buffer[8:16]), "little")
    if buffer.size != 16 + 16 * count:
        return None
    both = np.frombuffer(buffer, np.uint64, offset=16)
    return both[:count], both[count:]
