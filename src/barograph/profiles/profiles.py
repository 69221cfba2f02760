"""Profiles: what is kept of the rows. A `Profile` is all sketches of one chunk and segment, read from shared arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypeVar, overload  # Any: sketches of several kinds

import numpy as np
import numpy.typing as npt

from barograph.chunks import Chunk
from barograph.errors import InputError, MismatchError, did_you_mean
from barograph.profiles.serial import digest
from barograph.profiles.tables import Tables, add_tables, column_slice, empty_tables, merge_groups, merge_runs
from barograph.profiles.yardstick import BinaryOutcome, CategoricalBins, NumericBins, Yardstick
from barograph.sketches import Sketch
from barograph.sketches.cells import BinaryCells, RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.confusion import Confusion
from barograph.sketches.counts import Counts
from barograph.sketches.distinct import Distinct
from barograph.sketches.histogram import Binned, Categories, Histogram
from barograph.sketches.kept import Kept
from barograph.sketches.moments import Covariance, Moments
from barograph.sketches.sample import Sample
from barograph.sketches.scores import ScoreTable, whole
from barograph.sketches.serial import pack, unpack
from barograph.times import from_microseconds, to_microseconds

FORMAT_VERSION = 3
ALL = ""  # the segment that holds every row


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """All sketches of one chunk and one segment. `segment` is "" for all rows, else, say, "origin=JFK".

    With a slice as `row` it is the sketches of many chunks at once, each with a leading axis of chunks: see
    `Profiles.across`. Samples and ids have no such form.
    """

    yardstick: Yardstick
    chunk: Chunk
    segment: str
    tables: Tables
    row: int | slice
    _sample: Sample | None = None
    _ids: Distinct | None = None
    _made: dict[tuple[str, str], Any] = field(default_factory=dict)  # sketches of columns: many metrics read each

    def of(self, chunk: int) -> Profile:
        """Return the sketches of the one chunk that has this place in the arrays."""
        return replace(self, row=chunk, _made={})

    @property
    def n(self) -> int:
        """Return the number of rows."""
        return int(self.tables["rows"][self.row].sum())

    def counts(self, column: str) -> Counts:
        """Return how many values of `column` are present, and in what ways the others are not."""
        if (column, "counts") in self._made:
            known: Counts = self._made[column, "counts"]
            return known
        bins = self._bins(column)
        codes = self.tables["counts"][self.row, column_slice(self.yardstick, column)]
        rows = self.tables["rows"][self.row]
        states = [codes[..., bins.bins + i] for i in range(len(bins.SPECIAL))]
        if isinstance(bins, NumericBins):
            # Without any finite number in the reference there is one bin, and no range to be out of.
            ends = {"below": codes[..., 0], "above": codes[..., bins.bins - 1]} if bins.bins > 1 else {}
        else:
            ends = {"other": codes[..., -4], "unseen": codes[..., -3]}
        found = {"rows": rows, **dict(zip(bins.SPECIAL, states, strict=True)), **ends}
        counts = Counts(**(found if isinstance(self.row, slice) else {name: int(n) for name, n in found.items()}))
        self._made[column, "counts"] = counts
        return counts

    def binned(self, column: str, bins: Literal["fine", "coarse"] = "fine") -> Binned:
        """Return the distribution of a feature, score, prediction or label."""
        if (column, bins) in self._made:
            known: Binned = self._made[column, bins]
            return known
        spec = self._bins(column)
        codes = self.tables["counts"][self.row, column_slice(self.yardstick, column)]
        sketch: Binned
        if isinstance(spec, NumericBins):
            i = self.yardstick.numeric[column]
            sums = self.tables["sums"][self.row, i]
            low, high = self.tables["lows"][self.row, i], self.tables["highs"][self.row, i]
            sketch = Histogram(spec.edges, codes[..., : spec.bins], sums[..., 2], sums[..., 3], low, high)
        else:
            sketch = Categories(spec.names, codes[..., : spec.bins])
        sketch = sketch if bins == "fine" else sketch.coarsen(spec.cuts)
        self._made[column, bins] = sketch
        return sketch

    def moments(self, column: str) -> Moments:
        """Return the mean and variance sums of a numeric column."""
        spec, i = self._bins(column), self.yardstick.numeric[column]
        assert isinstance(spec, NumericBins)
        finite = int(self.tables["counts"][self.row, column_slice(self.yardstick, column)][: spec.bins].sum())
        z, zz = self.tables["sums"][self.row, i, :2].tolist()
        return Moments(center=spec.center, scale=spec.scale, n=finite, z=z, zz=zz)

    @property
    def covariance(self) -> Covariance | None:
        """Return the second moments of the numeric features; None where they are not kept (segments)."""
        if "products.n" not in self.tables:
            return None
        return Covariance(
            names=self.yardstick.covariance,
            n=int(self.tables["products.n"][self.row]),
            z=self.tables["products.z"][self.row],
            zz=self.tables["products.zz"][self.row],
        )

    @property
    def ids(self) -> Distinct | None:
        """Return the different event ids; None without an id column, or for a segment."""
        return self._ids

    @property
    def sample(self) -> Sample | None:
        """Return the sample of rows; None for a segment."""
        return self._sample

    @property
    def outcomes(self) -> ScoreTable | ClassTables | RegressionCells | None:
        """Return what performance is computed from; None where the model's predictions are not in the data."""
        if ("", "outcomes") not in self._made:
            self._made["", "outcomes"] = self._outcomes()
        known: ScoreTable | ClassTables | RegressionCells | None = self._made["", "outcomes"]
        return known

    def _outcomes(self) -> ScoreTable | ClassTables | RegressionCells | None:
        if self.yardstick.regression:
            return self.cells_of_regression
        if not self.yardstick.outcomes:
            return None
        tables = [self._scores(i, outcome) for i, outcome in enumerate(self.yardstick.outcomes)]
        agreed = whole(self.tables["agreed"][self.row])
        if len(tables) == 1:
            return replace(tables[0], agreed=agreed)
        confusion = Confusion(
            classes=self.yardstick.schema.classes,
            counts=self.tables["confusion.counts"][self.row],
            loss=self.tables["confusion.loss"][self.row],
            agreed=agreed,
            off_sum=whole(self.tables["confusion.off_sum"][self.row]),
        )
        return ClassTables(scores=tuple(tables), confusion=confusion)

    @property
    def cells(self) -> tuple[BinaryCells, ...]:
        """Return leaf × score bin × outcome: one table for a binary model, one a class for a multiclass model."""
        return tuple(
            outcome.cells(self.tables[f"outcomes.{i}.cells"][self.row])
            for i, outcome in enumerate(self.yardstick.outcomes)
        )

    @property
    def cells_of_regression(self) -> RegressionCells | None:
        """Return leaf × prediction bin with sums of errors; None unless the task is regression."""
        if (regression := self.yardstick.regression) is None:
            return None
        unusable = self.tables["regression.unusable"][self.row]
        return RegressionCells(
            edges=regression.edges,
            counts=self.tables["regression.counts"][self.row],
            sums=self.tables["regression.sums"][self.row],
            unusable=whole(unusable),
            center=regression.center,
        )

    @property
    def errors(self) -> Histogram | None:
        """Return the distribution of prediction − label; None unless the task is regression."""
        if (regression := self.yardstick.regression) is None:
            return None
        counts = self.tables["errors.counts"][self.row, : regression.errors.bins]
        below, above = self.tables["errors.sums"][self.row, 2:].tolist()
        low, high = self.tables["errors.lows"][self.row], self.tables["errors.highs"][self.row]
        return Histogram(regression.errors.edges, counts, below, above, low, high)

    @property
    def label_coverage(self) -> float | None:
        """Return the share of rows with a label that can be used; None without a label column or rows.

        A label that is none of the known classes is a label; a number that is infinite is none.
        """
        label = self.yardstick.schema.label
        if label is None or label not in self.yardstick.position or not self.n:
            return None
        counts = self.counts(label)
        return float(counts.present - counts.negative_inf - counts.positive_inf) / self.n

    def _scores(self, i: int, outcome: BinaryOutcome) -> ScoreTable:
        return ScoreTable(
            edges=outcome.edges,
            counts=self.tables[f"outcomes.{i}.counts"][self.row],
            sums=self.tables[f"outcomes.{i}.sums"][self.row],
            losses=self.tables[f"outcomes.{i}.losses"][self.row],
            finest=self.tables[f"outcomes.{i}.finest"][self.row],
        )

    def kept(self, sketch: type[Kept], column: str) -> Kept | None:
        """Return a summary that is kept under `@kept`, of a column; None where the reference does not keep it."""
        if column not in self.yardstick.kept.get(sketch.__name__, ()):
            return None
        names = {name: f"{sketch.__name__}.{column}.{name}" for name in sketch.ARRAYS}
        return sketch.of_arrays({name: self.tables[full][self.row] for name, full in names.items()})

    def _bins(self, column: str) -> NumericBins | CategoricalBins:
        position = self.yardstick.position
        if column not in position:
            raise InputError(f"No profile of column {column!r} was made.{did_you_mean(column, position)}")
        return self.yardstick.columns[position[column]]


@dataclass(frozen=True, slots=True, eq=False)
class Profiles(Sequence[Profile]):
    """The profiles of one set of rows: all chunks in the order of time, first of all rows, then of each segment.

    Row `i` of `tables` is chunk `i` with all rows, and row `i` of `segment_tables[j]` its rows in segment `j`. Second
    moments, samples and ids exist for all rows only. Rows that fell in no chunk (no usable timestamp) are counted in
    `outside`; of these, `astray` have a time that is years from all others, such as `astray_example`. The last three
    fields say how the columns differ from those of the reference.
    """

    yardstick: Yardstick
    chunks: tuple[Chunk, ...]
    tables: Tables
    segments: tuple[str, ...] = ()
    segment_tables: tuple[Tables, ...] = ()
    samples: tuple[Sample, ...] = ()
    ids: tuple[Distinct, ...] = ()
    outside: int = 0
    astray: int = 0
    astray_example: datetime | None = None
    missing_columns: tuple[str, ...] = ()
    extra_columns: tuple[str, ...] = ()
    type_changes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.chunks) * (1 + len(self.segments))

    @overload
    def __getitem__(self, index: int) -> Profile: ...
    @overload
    def __getitem__(self, index: slice) -> list[Profile]: ...
    def __getitem__(self, index: int | slice) -> Profile | list[Profile]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        segment, chunk = divmod(index % len(self), len(self.chunks))
        return self.at(chunk, ALL if segment == 0 else self.segments[segment - 1])

    def at(self, chunk: int, segment: str = ALL) -> Profile:
        """Return the profile of the chunk at this position."""
        if segment == ALL:
            sample = self.samples[chunk] if self.samples else None
            ids = self.ids[chunk] if self.ids else None
            return Profile(self.yardstick, self.chunks[chunk], ALL, self.tables, chunk, sample, ids)
        tables = self.segment_tables[self.segments.index(segment)]
        return Profile(self.yardstick, self.chunks[chunk], segment, tables, chunk)

    def across(self, segment: str = ALL, at: slice = slice(None)) -> Profile:
        """Return the sketches of all chunks of a segment, or those `at` some places, with a leading axis of chunks."""
        tables = self.tables if segment == ALL else self.segment_tables[self.segments.index(segment)]
        return Profile(self.yardstick, Chunk(key="all"), segment, tables, at)

    def select(self, segment: str = ALL) -> Iterator[Profile]:
        """Yield the profiles of one segment, in the order of chunks."""
        return (self.at(chunk, segment) for chunk in range(len(self.chunks)))

    def total(self, segment: str = ALL) -> Profile:
        """Return one profile of all chunks."""
        starts = [c.start for c in self.chunks if c.start]
        ends = [c.end for c in self.chunks if c.end]
        chunk = Chunk(key="all", start=min(starts, default=None), end=max(ends, default=None))
        if not self.chunks:
            return Profile(self.yardstick, chunk, segment, empty_tables(self.yardstick, 1, products=True), 0)
        if segment != ALL:
            tables = self.segment_tables[self.segments.index(segment)]
            return Profile(self.yardstick, chunk, segment, merge_groups(self.yardstick, tables), 0)
        sample = _merge_all(self.samples)
        return Profile(
            self.yardstick, chunk, ALL, merge_groups(self.yardstick, self.tables), 0, sample, _merge_all(self.ids)
        )

    def in_runs(self, length: int) -> Profiles:
        """Return the same rows in longer chunks: each run of `length` neighbours becomes one; a rest joins the last."""
        n = len(self.chunks)
        starts = list(range(0, max(n - n % length, 1) if n else 0, length))
        if length == 1 or not starts:
            return self
        ends = [*starts[1:], n]
        chunks = []
        for start, end in zip(starts, ends, strict=True):
            first, last = self.chunks[start], self.chunks[end - 1]
            chunks.append(Chunk(key=f"{first.key} to {last.key}", start=first.start, end=last.end))
        samples = [_merge_all(self.samples[a:b]) for a, b in zip(starts, ends, strict=True)] if self.samples else []
        ids = [_merge_all(self.ids[a:b]) for a, b in zip(starts, ends, strict=True)] if self.ids else []
        return replace(
            self,
            chunks=tuple(chunks),
            tables=merge_runs(self.yardstick, self.tables, starts),
            segment_tables=tuple(merge_runs(self.yardstick, t, starts) for t in self.segment_tables),
            samples=tuple(s for s in samples if s is not None),
            ids=tuple(i for i in ids if i is not None),
        )

    def merge(self, other: Profiles) -> Profiles:
        """Return the profiles of both sets of rows; chunks with the same key become one.

        Where each of them was counted does not matter, only that it was with the same yardstick: by its digest.
        """
        same = self.yardstick is other.yardstick or digest(self.yardstick) == digest(other.yardstick)
        if not same or self.segments != other.segments:
            raise MismatchError("Profiles of different references cannot be merged: profile both with one reference.")
        both: dict[str, Chunk] = {}
        for chunk in (*self.chunks, *other.chunks):
            old = both.setdefault(chunk.key, chunk)
            if old != chunk:
                both[chunk.key] = replace(old, complete=old.complete or chunk.complete)
        far = from_microseconds(0)
        chunks = tuple(sorted(both.values(), key=lambda c: (to_microseconds(c.start or far), c.key)))
        index = {chunk.key: i for i, chunk in enumerate(chunks)}
        where = [np.array([index[c.key] for c in p.chunks], np.intp) for p in (self, other)]

        def combine(parts: Sequence[Tables], *, products: bool) -> Tables:
            into = empty_tables(self.yardstick, len(chunks), products=products)
            for positions, tables in zip(where, parts, strict=True):
                add_tables(self.yardstick, into, tables, positions)
            return into

        segment_tables = zip(self.segment_tables, other.segment_tables, strict=True)
        return Profiles(
            yardstick=self.yardstick,
            chunks=chunks,
            tables=combine([self.tables, other.tables], products=True),
            segments=self.segments,
            segment_tables=tuple(combine(pair, products=False) for pair in segment_tables),
            samples=_merge_by_chunk(self.samples, other.samples, where),
            ids=_merge_by_chunk(self.ids, other.ids, where),
            outside=self.outside + other.outside,
            astray=self.astray + other.astray,
            astray_example=self.astray_example or other.astray_example,
            missing_columns=tuple(c for c in self.missing_columns if c in other.missing_columns),
            extra_columns=tuple(dict.fromkeys((*self.extra_columns, *other.extra_columns))),
            type_changes=tuple(dict.fromkeys((*self.type_changes, *other.type_changes))),
        )

    @property
    def nbytes(self) -> int:
        """Return how much memory the arrays take."""
        return sum(array.nbytes for tables in (self.tables, *self.segment_tables) for array in tables.values())

    def to_bytes(self) -> bytes:
        """Return a portable form, without the yardstick."""
        arrays = {f"all/{name}": array for name, array in self.tables.items()}
        for i, tables in enumerate(self.segment_tables):
            arrays |= {f"segment{i}/{name}": array for name, array in tables.items()}
        sketches = [sketch.to_bytes() for sketch in self.samples] + [sketch.to_bytes() for sketch in self.ids]
        for i, data in enumerate(sketches):
            arrays[f"sketch{i}"] = np.frombuffer(data, np.uint8)
        times = [[c.start and to_microseconds(c.start), c.end and to_microseconds(c.end)] for c in self.chunks]
        meta = {
            "chunks": [[c.key, *t, c.complete] for c, t in zip(self.chunks, times, strict=True)],
            "segments": list(self.segments),
            "samples": len(self.samples),
            "ids": len(self.ids),
            "outside": self.outside,
            "astray": [self.astray, self.astray_example and to_microseconds(self.astray_example)],
            "missing_columns": list(self.missing_columns),
            "extra_columns": list(self.extra_columns),
            "type_changes": list(self.type_changes),
        }
        return pack("profiles", FORMAT_VERSION, meta, arrays)

    @classmethod
    def from_bytes(cls, data: bytes, yardstick: Yardstick) -> Profiles:
        """Return the profiles that `to_bytes` wrote, measured with `yardstick`."""
        meta, arrays = unpack(data, kind="profiles", version=FORMAT_VERSION)

        def under(prefix: str) -> Tables:
            return {name.split("/", 1)[1]: a for name, a in arrays.items() if name.startswith(prefix + "/")}

        def time(value: int | None) -> object:
            return None if value is None else from_microseconds(value)

        chunks = tuple(
            Chunk(key=key, start=time(start), end=time(end), complete=complete)  # type: ignore[arg-type]  # JSON
            for key, start, end, complete in meta["chunks"]
        )
        sketches = [arrays[f"sketch{i}"].tobytes() for i in range(meta["samples"] + meta["ids"])]
        return cls(
            yardstick=yardstick,
            chunks=chunks,
            tables=under("all"),
            segments=tuple(meta["segments"]),
            segment_tables=tuple(under(f"segment{i}") for i in range(len(meta["segments"]))),
            samples=tuple(map(Sample.from_bytes, sketches[: meta["samples"]])),
            ids=tuple(map(Distinct.from_bytes, sketches[meta["samples"] :])),
            outside=meta["outside"],
            astray=meta["astray"][0],
            astray_example=time(meta["astray"][1]),  # type: ignore[arg-type]  # JSON
            missing_columns=tuple(meta["missing_columns"]),
            extra_columns=tuple(meta["extra_columns"]),
            type_changes=tuple(meta["type_changes"]),
        )


S = TypeVar("S", bound=Sketch)


def _merge_all(sketches: Sequence[S]) -> S | None:
    merged: S | None = None
    for sketch in sketches:
        merged = sketch if merged is None else merged.merge(sketch)
    return merged


def _merge_by_chunk(ours: Sequence[S], theirs: Sequence[S], where: Sequence[npt.NDArray[np.intp]]) -> tuple[S, ...]:
    merged: dict[int, S] = {}
    for positions, sketches in zip(where, (ours, theirs), strict=True):
        for position, sketch in zip(positions.tolist(), sketches, strict=False):
            merged[position] = merged[position].merge(sketch) if position in merged else sketch
    return tuple(merged[i] for i in sorted(merged))
