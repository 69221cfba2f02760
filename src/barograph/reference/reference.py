"""The reference: the yardstick learned from good data, and the profiles of that data itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from barograph.chunks import ChunkRule, OneChunk, RowChunks, parse_chunk_rule
from barograph.errors import FormatError, InputError
from barograph.frames.read import Rows, Source
from barograph.metrics import Metric
from barograph.profiles.build import Progress, build_profiles
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.profiles.serial import yardstick_from, yardstick_parts
from barograph.profiles.yardstick import Yardstick
from barograph.reference.history import ALIKE, History, best_for
from barograph.reference.rhythm import block_days, columns_only
from barograph.reference.variability import Variability, variability
from barograph.sketches.serial import pack, unpack
from barograph.spec.schema import Schema

T = TypeVar("T")
FORMAT_VERSION = 5
BLOCKS = 20
ALL_ROWS = OneChunk()
SMALLEST_BLOCK = 50
FEWEST_BLOCKS = 5  # fewer say nothing of how much blocks differ


@dataclass(frozen=True, eq=False)
class Reference:
    """What current data is compared with.

    `blocks` are the profiles of about 20 runs of reference rows, in the order of time where there is a timestamp:
    how much they differ from each other is the natural variability. `leaf_codes` counts a sample of the reference by
    leaf and code: (leaves, codes). `decisions` says in words how each role was found. `histories` are how many rows
    came and what performance was in blocks that are cut like chunks, one for each length that is known; `rhythms` are
    the columns in such blocks, of lengths that have phases.
    """

    yardstick: Yardstick
    blocks: Profiles
    leaf_codes: npt.NDArray[np.int64]
    decisions: tuple[str, ...] = ()
    histories: tuple[History, ...] = ()
    rhythms: tuple[Profiles, ...] = ()

    @property
    def schema(self) -> Schema:
        """Return the roles and types of the columns."""
        return self.yardstick.schema

    @cached_property
    def total(self) -> Profile:
        """Return the profile of all reference rows."""
        return self.blocks.total()

    def total_of(self, segment: str = ALL) -> Profile:
        """Return the profile of the reference rows of one segment."""
        if segment == ALL:
            return self.total
        return self.once(("total", segment), lambda: self.blocks.total(segment))

    def once(self, what: tuple[Hashable, ...], make: Callable[[], T]) -> T:
        """Return what `make` returns for `what`, which follows from the reference alone: it is made once."""
        if what not in self._made:
            self._made[what] = make()
        made: T = self._made[what]
        return made

    def blocks_like(self, n: int) -> Profiles:
        """Return the reference in blocks of about `n` rows: the ones there are, merged, but at least `FEWEST_BLOCKS`.

        A metric of a month is not the mean of the metrics of its days: only blocks that are cut like the chunks say
        what is normal for a chunk.
        """
        count = len(self.blocks.chunks)
        typical = max(self.total.n / max(count, 1), 1.0)
        length = min(max(round(n / typical), 1), max(count // FEWEST_BLOCKS, 1))
        if length not in self._in_runs:
            self._in_runs[length] = self.blocks.in_runs(length)
        return self._in_runs[length]

    def natural(self, metric: Metric, column: str | None = None, *, n: int) -> Variability:
        """Return how much a metric varies by nature between chunks of about `n` rows; computed once.

        How much comes from all blocks, what is normal from those that are as long as the chunks.
        """
        like = self.blocks_like(n)
        key = (metric.family, metric.name, column, len(like.chunks))
        if key not in self._natural:
            found = variability(metric, list(self.blocks.select()), self.total, column=column)
            if like is not self.blocks and found.center is not None:
                normal = variability(metric, list(like.select()), self.total, column=column)
                found = replace(found, center=normal.center)
            self._natural[key] = found
        return self._natural[key]

    def history(self, *, days: float, rows: float | None = None) -> History | None:
        """Return what performance was in blocks like chunks of so many `days`, or so many `rows`; None if unknown."""
        key = (round(days, 6), rows)
        if key not in self._like:
            self._like[key] = best_for(self.histories, days=days, rows=rows)
        return self._like[key]

    def rhythm(self, *, days: float) -> Profiles | None:
        """Return the counts of columns in blocks like chunks of so many `days`; None where none are known."""
        return next((p for p in self.rhythms if abs(block_days(p) / days - 1) <= ALIKE), None)

    @cached_property
    def _like(self) -> dict[tuple[float, float | None], History | None]:
        return {}

    def __getstate__(self) -> dict[str, Any]:  # Any: the fields, and what was cached of them
        return {name: value for name, value in self.__dict__.items() if name != "_made"}  # functions cannot be pickled

    @cached_property
    def _made(self) -> dict[tuple[Hashable, ...], Any]:  # Any: whatever was made
        return {}

    @cached_property
    def _in_runs(self) -> dict[int, Profiles]:
        return {}

    @cached_property
    def _natural(self) -> dict[tuple[str, str, str | None, int], Variability]:
        return {}

    def profile(
        self,
        frame: Source | Rows,
        *,
        chunk: str | int | ChunkRule = ALL_ROWS,
        progress: Progress | None = None,
        threads: int | None = None,
    ) -> Profiles:
        """Return the profiles of a frame or file, measured with this reference.

        `chunk` is, for example, "1d", "12h", "1mo" or 5000 (rows); without it, all rows are one chunk. The frame
        may hold columns that the reference does not know, and lack some: both are listed in the result.
        """
        rule = parse_chunk_rule(chunk, zone=self.schema.timezone)
        return build_profiles(self.yardstick, frame, chunk=rule, progress=progress, threads=threads)

    def to_bytes(self) -> bytes:
        """Return a portable form."""
        meta, arrays = yardstick_parts(self.yardstick)
        arrays["blocks"] = np.frombuffer(self.blocks.to_bytes(), np.uint8)
        # The smallest type that holds the counts: this is most of a file with many features.
        arrays["leaf_codes"] = self.leaf_codes.astype(np.min_scalar_type(self.leaf_codes.max(initial=0)))
        plain = []
        for i, history in enumerate(self.histories):
            said, numbers = history.parts()
            plain.append(said)
            arrays |= {f"history{i}.{name}": array for name, array in numbers.items()}
        arrays |= {f"rhythm{i}": np.frombuffer(p.to_bytes(), np.uint8) for i, p in enumerate(self.rhythms)}
        meta |= {"decisions": list(self.decisions), "histories": plain, "rhythms": len(self.rhythms)}
        return pack("reference", FORMAT_VERSION, meta, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Reference:
        """Return the reference that `to_bytes` wrote; raise FormatError for damaged or newer data."""
        meta, arrays = unpack(data, kind="reference", version=FORMAT_VERSION)
        try:
            yardstick = yardstick_from(meta, arrays)
            blocks = Profiles.from_bytes(arrays["blocks"].tobytes(), yardstick)
            histories = tuple(
                History.of_parts(
                    plain, {n.split(".", 1)[1]: a for n, a in arrays.items() if n.startswith(f"history{i}.")}
                )
                for i, plain in enumerate(meta["histories"])
            )
            columns = columns_only(yardstick)
            rhythms = tuple(
                Profiles.from_bytes(arrays[f"rhythm{i}"].tobytes(), columns) for i in range(meta["rhythms"])
            )
            codes = arrays["leaf_codes"].astype(np.int64)
            return cls(yardstick, blocks, codes, tuple(meta["decisions"]), histories, rhythms)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            raise FormatError(f"This barograph reference is damaged: {error!r}. Learn it again.") from error

    def save(self, path: str | PathLike[str]) -> None:
        """Write the reference to one file."""
        Path(path).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Reference:
        """Return the reference that `save` wrote; raise FormatError if it is damaged or newer than this barograph."""
        try:
            return cls.from_bytes(Path(path).read_bytes())
        except FileNotFoundError as error:
            raise InputError(f"There is no saved reference {str(path)!r}. Check the path.") from error
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error


def block_rule(rows: int) -> ChunkRule:
    """Return how `rows` reference rows are cut into blocks."""
    return RowChunks(max(SMALLEST_BLOCK, -(-rows // BLOCKS)))
