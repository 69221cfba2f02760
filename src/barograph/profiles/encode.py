"""One batch of rows to codes, groups and outcomes, counted into tables. No Python loop goes over rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from barograph.arrays import Floats
from barograph.frames import columns as arrow
from barograph.plain_arrays import numpy_of
from barograph.profiles import kernels
from barograph.profiles.tables import Tables
from barograph.profiles.yardstick import CategoricalBins, NumericBins, Yardstick
from barograph.sketches.confusion import SUM_TOLERANCE
from barograph.sketches.distinct import Distinct
from barograph.sketches.kept import kept_named
from barograph.sketches.sample import Sample
from barograph.spec.schema import Schema

BLOCK = 16_384  # rows that are encoded and counted while their codes are still in the cache
SAMPLE_SIZE = 1_000  # rows kept of a chunk
ID_SAMPLE_SIZE = 16_384  # different ids kept of a chunk: duplicates are exact below this many

_NOTHING = np.empty(0, np.float64)
_NO_FLAGS = np.empty(0, np.uint8)

Groups = npt.NDArray[np.int64]


@dataclass(slots=True)
class Counter:
    """Where one thread counts: the tables of all rows, of each segment column, and the samples."""

    yardstick: Yardstick
    tables: Tables
    segment_tables: Sequence[Tables]
    samples: BottomRows
    ids: BottomIds | None
    outside: int = 0


@dataclass(slots=True)
class Columns:
    """The columns of a batch as arrays: numbers with flags (1 null, 2 type error), or codes."""

    numbers: dict[str, tuple[Floats, npt.NDArray[np.uint8]]] = field(default_factory=dict)
    codes: dict[str, npt.NDArray[np.uint16]] = field(default_factory=dict)


def count_batch(counter: Counter, batch: pa.RecordBatch, chunk: npt.NDArray[np.int64], first_row: int) -> None:
    """Add the rows of `batch` to `counter`; `chunk` is the chunk of each row, -1 for none."""
    yardstick, schema = counter.yardstick, counter.yardstick.schema
    n = batch.num_rows
    counter.outside += int(np.count_nonzero(chunk < 0))
    read = _read_columns(yardstick, batch)
    groups = [_segment_groups(yardstick.segments[name], batch, name, chunk) for name in yardstick.segments]
    hashes = _hashes(batch, schema.id, first_row)
    codes = np.empty((len(yardstick.columns), n), np.uint16)
    products = "products.n" in counter.tables
    z_of = {name: i for i, name in enumerate(yardstick.covariance)} if products else {}
    leaves = np.zeros(n, np.int32)
    with_outcomes = bool(yardstick.outcomes or yardstick.regression)
    outputs = _outputs(yardstick, batch, read) if with_outcomes else None
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        block = codes[:, rows]
        z = np.zeros((len(z_of), block.shape[1]))
        targets = [(chunk[rows], counter.tables)]
        targets += [(group[rows], tables) for group, tables in zip(groups, counter.segment_tables, strict=True)]
        for group, tables in targets:
            kernels.count_rows(group, tables["rows"])
            for i, column in enumerate(yardstick.columns):
                _count_column(yardstick, column, i, read, rows, group, block[i], tables, z, z_of)
        if yardstick.partition.leaves > 1:
            kernels.find_leaves(block, yardstick.partition.features, yardstick.partition.steps, leaves[rows])
        for group, tables in targets:
            if outputs is not None:
                _count_outputs(yardstick, outputs, rows, group, leaves[rows], tables)
        if z_of:
            _sum_products(z, chunk[rows], counter.tables)
    for name, columns in yardstick.kept.items():
        for of in columns:
            values = _as_numbers(read, of, n)
            for group, tables in [(chunk, counter.tables), *zip(groups, counter.segment_tables, strict=True)]:
                sketch = kept_named(name)
                sketch.count(values, group, {a: tables[f"{name}.{of}.{a}"] for a in sketch.ARRAYS})
    sampled = outputs.sampled if outputs is not None else np.full((n, 3), np.nan)
    features = len(schema.features)
    counter.samples.add(chunk, hashes, codes[:features].T, sampled)
    if counter.ids is not None:
        counter.ids.add(chunk, hashes)


def encode_column(yardstick: Yardstick, name: str, array: pa.Array) -> npt.NDArray[np.uint16]:
    """Return the codes of one column, as `count_batch` would count them."""
    batch = pa.RecordBatch.from_arrays([array], names=[name])
    i = yardstick.position[name]
    read = _read_columns(yardstick, batch, only=name)
    codes = np.empty(len(array), np.uint16)
    group = np.full(len(array), -1, np.int64)
    column = yardstick.columns[i]
    if isinstance(column, NumericBins):
        values, flags = read.numbers[name]
        low = np.empty(0)
        _numeric(column, values, flags, group, codes, np.empty((0, 0), np.int64), np.empty((0, 4)), low, low, _NOTHING)
        return codes
    return read.codes[name]


def _count_column(
    yardstick: Yardstick,
    column: NumericBins | CategoricalBins,
    i: int,
    read: Columns,
    rows: slice,
    group: Groups,
    codes: npt.NDArray[np.uint16],
    tables: Tables,
    z: Floats,
    z_of: dict[str, int],
) -> None:
    counts = tables["counts"][:, yardstick.offsets[i] : yardstick.offsets[i + 1]]
    if isinstance(column, CategoricalBins):
        codes[:] = read.codes[column.name][rows]
        kernels.count_codes(codes, group, counts)
        return
    values, flags = read.numbers[column.name]
    k = yardstick.numeric[column.name]
    target = z[z_of[column.name]] if column.name in z_of else _NOTHING
    sums, lows, highs = tables["sums"][:, k], tables["lows"][:, k], tables["highs"][:, k]
    part = flags[rows] if len(flags) else flags
    _numeric(column, values[rows], part, group, codes, counts, sums, lows, highs, target)


def _numeric(
    column: NumericBins,
    values: Floats,
    flags: npt.NDArray[np.uint8],
    group: Groups,
    codes: npt.NDArray[np.uint16],
    counts: npt.NDArray[np.int64],
    sums: Floats,
    lows: Floats,
    highs: Floats,
    z: Floats,
) -> None:
    ruler = (column.closed, *column.grid, column.center, column.scale)
    kernels.count_numeric(values, flags, *ruler, group, codes, counts, sums, lows, highs, z)


def _read_columns(yardstick: Yardstick, batch: pa.RecordBatch, only: str | None = None) -> Columns:
    read, n = Columns(), batch.num_rows
    present = set(batch.schema.names)
    for column in yardstick.columns:
        name = column.name
        if only is not None and name != only:
            continue
        if isinstance(column, NumericBins):
            if name in present:
                values, null, wrong = arrow.numbers(batch.column(name))
                if name in (yardstick.schema.label, yardstick.schema.prediction):
                    null = arrow.or_null(values, null, yardstick.schema.null_values)
                read.numbers[name] = (values, _flags(null, wrong, n))
            else:
                read.numbers[name] = (np.zeros(n), np.ones(n, np.uint8))
        elif name in present:
            read.codes[name] = _category_codes(column, batch.column(name), yardstick.schema.null_values)
        else:
            read.codes[name] = np.full(n, column.bins, np.uint16)  # null
    return read


def _flags(null: arrow.Mask | None, wrong: arrow.Mask | None, n: int) -> npt.NDArray[np.uint8]:
    if wrong is None:
        return _NO_FLAGS if null is None else null.view(np.uint8)
    flags = wrong.astype(np.uint8) * np.uint8(2)
    return flags if null is None else np.where(null, np.uint8(1), flags)


def _category_codes(
    column: CategoricalBins, array: pa.Array, null_values: tuple[str, ...] = ()
) -> npt.NDArray[np.uint16]:
    codes = np.empty(len(array), np.uint16)
    if column.classes:
        positions = arrow.class_codes(array, column.names, null_values)
        codes[:] = np.select(
            (positions == arrow.OF_NULL, positions == arrow.OF_NO_CLASS), (column.bins, column.unknown), positions
        )
        return codes
    if not column.names and column.others is None:  # presence only: `other` or null
        codes[:] = 0
        if array.null_count:
            codes[arrow.is_null(array)] = column.bins
        return codes
    if isinstance(array, pa.DictionaryArray) and pa.types.is_string(array.dictionary.type):
        return _dictionary_codes(column, array)
    indices, values = arrow.categories(array)
    known, unknown = column.codes, column.unknown
    lookup = np.fromiter((known.get(v, unknown) for v in values), np.uint16, len(values))
    kernels.encode_categories(indices, lookup, column.bins, codes)
    return codes


def _dictionary_codes(column: CategoricalBins, array: pa.DictionaryArray) -> npt.NDArray[np.uint16]:
    """Return the codes of text that is stored as positions in a dictionary: the usual case, without Python strings."""
    texts, codes_of = column.ordered
    found = numpy_of(pc.index_in(array.dictionary, value_set=texts), null=-1)
    lookup = np.full(len(found), column.unknown, np.uint16)
    lookup[found >= 0] = codes_of[found[found >= 0]]
    if array.dictionary.null_count:
        lookup[arrow.is_null(array.dictionary)] = column.bins
    codes = np.empty(len(array), np.uint16)
    indices = numpy_of(pc.cast(array.indices, pa.int32()), null=-1)
    kernels.encode_categories(indices, lookup, column.bins, codes)
    return codes


def _segment_groups(column: CategoricalBins, batch: pa.RecordBatch, name: str, chunk: Groups) -> Groups:
    if name in batch.schema.names:
        codes = _category_codes(column, batch.column(name)).astype(np.int64)
    else:
        codes = np.full(batch.num_rows, column.bins, np.int64)
    return np.where(chunk < 0, -1, chunk * column.width + codes)


def _sum_products(z: Floats, group: Groups, tables: Tables) -> None:
    """Add the columns of `z` (k, rows) and their outer products to the sums of each group."""
    borders = np.empty(0, np.intp) if (group == group[0]).all() else np.flatnonzero(np.diff(group)) + 1
    if len(borders) > 32:  # not in the order of time
        order = np.argsort(group, kind="stable")
        z, group = z[:, order], group[order]
        borders = np.flatnonzero(np.diff(group)) + 1
    for start, end in pairwise((0, *borders.tolist(), len(group))):
        if (g := group[start]) >= 0:
            part = z[:, start:end]
            tables["products.n"][g] += end - start
            tables["products.z"][g] += part @ np.ones(end - start)
            tables["products.zz"][g] += part @ part.T


# Outcomes: what the model said and what was true


@dataclass(slots=True)
class Outputs:
    """Scores, predictions and labels of a batch, as the kernels take them."""

    scores: Floats  # (rows, questions); regression: (rows, 0)
    predicted: npt.NDArray[np.int64]  # class position, K: no known class, K + 1: none, -1: follows from the score
    label: npt.NDArray[np.int64]  # class position, K: no known class, K + 1: pending
    agreed: npt.NDArray[np.bool_]  # prediction and label are the same, and no known class
    numbers: tuple[Floats, Floats] | None  # regression: prediction and label, NaN for none
    sampled: Floats  # (rows, 3): score, prediction, label


def _outputs(yardstick: Yardstick, batch: pa.RecordBatch, read: Columns) -> Outputs:
    schema, n = yardstick.schema, batch.num_rows

    def as_numbers(name: str | None) -> Floats:
        return _as_numbers(read, name, n)

    if schema.task.numeric:
        numbers = as_numbers(schema.prediction), as_numbers(schema.label)
        nothing = np.empty(0, np.int64)
        sampled = np.column_stack((np.full(n, np.nan), *numbers))
        return Outputs(np.empty((n, 0)), nothing, nothing, np.empty(0, np.bool_), numbers, sampled)
    k = len(schema.classes)
    scores = np.column_stack([as_numbers(schema.scores.get(c)) for c in schema.questions])
    if schema.margins:
        scores = squashed(scores)
    predicted = _class_positions(batch, schema.prediction, schema)
    label = _class_positions(batch, schema.label, schema)
    agreed = _agreed(batch, schema, (predicted == k) & (label == k))
    if schema.by_score:
        predicted = np.where(predicted >= k, _from_scores(schema, scores), predicted)
    score = scores[:, 0] if k == 2 else np.max(np.where(np.isfinite(scores), scores, -1.0), axis=1, initial=-1.0)
    known_prediction = np.where((predicted >= 0) & (predicted < k), predicted, np.nan)
    known_label = np.where(label < k, label, np.nan)
    sampled = np.column_stack((score, known_prediction, known_label))
    return Outputs(scores, predicted, label, agreed, None, sampled)


def _as_numbers(read: Columns, name: str | None, n: int) -> Floats:
    """Return the numbers of a column, NaN where there is none."""
    if name is None or name not in read.numbers:
        return np.full(n, np.nan)
    values, flags = read.numbers[name]
    return np.where(flags > 0, np.nan, values) if len(flags) else values


def squashed(margins: Floats) -> Floats:
    """Return margins as numbers from 0 to 1 in the same order, 0 as one half; NaN where they are infinite.

    Not the logistic function: it makes all margins above 37 one, and probabilities of what are none.
    """
    size = np.abs(margins)
    finite = np.isfinite(margins)
    share = np.divide(margins, 1.0 + size, out=np.full(margins.shape, np.nan), where=finite)
    return np.asarray(0.5 + share / 2)


def margin_at(share: float) -> float:
    """Return the margin that `squashed` makes this number of.

    >>> margin_at(0.5), round(margin_at(squashed(np.array([2.5]))[0]), 9)
    (0.0, 2.5)
    """
    signed = 2.0 * float(share) - 1.0
    return signed / (1.0 - abs(signed)) if abs(signed) < 1.0 else signed * np.inf


def _class_positions(batch: pa.RecordBatch, name: str | None, schema: Schema) -> npt.NDArray[np.int64]:
    """Return the position of each row's class: K for what is no class, K + 1 for null."""
    k = len(schema.classes)
    if name is None or name not in batch.schema.names:
        return np.full(batch.num_rows, k + 1, np.int64)
    codes = arrow.class_codes(batch.column(name), schema.classes, schema.null_values).astype(np.int64)
    codes[codes == arrow.OF_NULL] = k + 1
    codes[codes == arrow.OF_NO_CLASS] = k
    return codes


def _from_scores(schema: Schema, scores: Floats) -> npt.NDArray[np.int64]:
    """Return what follows from the scores: -1 where the kernel applies the threshold, else the position of a class."""
    if len(schema.scores) < scores.shape[1]:
        return np.full(len(scores), len(schema.classes) + 1, np.int64)
    return schema.task.classes.by_scores(scores)


def _agreed(batch: pa.RecordBatch, schema: Schema, both: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return where prediction and label, of which `both` are no known class, are one text."""
    if not both.any():
        return both
    rows = pa.array(np.flatnonzero(both))
    said, true = (
        pc.utf8_lower(pc.utf8_trim_whitespace(arrow.as_text(batch.column(name).take(rows))))
        for name in (schema.prediction, schema.label)
    )
    agreed = both.copy()
    agreed[both] = pc.fill_null(pc.equal(said, true), False).to_numpy(zero_copy_only=False)
    return agreed


def _count_outputs(
    yardstick: Yardstick, outputs: Outputs, rows: slice, group: Groups, leaf: npt.NDArray[np.int32], tables: Tables
) -> None:
    schema = yardstick.schema
    if yardstick.regression is not None and outputs.numbers is not None:
        prediction, label = (values[rows] for values in outputs.numbers)
        counts, sums = tables["regression.counts"], tables["regression.sums"]
        edges = yardstick.regression.edges
        center, unusable = yardstick.regression.center, tables["regression.unusable"]
        kernels.count_regression(prediction, label, leaf, group, edges, center, counts, sums, unusable)
        errors = prediction - label
        flags = np.isnan(errors).astype(np.uint8)
        into = (tables["errors.counts"], tables["errors.sums"], tables["errors.lows"], tables["errors.highs"])
        codes = np.empty(len(errors), np.uint16)
        _numeric(yardstick.regression.errors, errors, flags, group, codes, *into, _NOTHING)
        return
    k = len(schema.classes)
    truth, predicted = outputs.label[rows], outputs.predicted[rows]
    for i, outcome in enumerate(yardstick.outcomes):
        said, answer = schema.task.classes.answers(i, predicted, truth, k)
        kernels.count_scores(
            outputs.scores[rows, i],
            said,
            answer,
            leaf,
            group,
            outcome.finest,
            outcome.narrowed,
            outcome.bin_of,
            schema.threshold,
            outcome.cell_of,
            *(tables[f"outcomes.{i}.{name}"] for name in ("counts", "sums", "finest", "losses", "cells")),
        )
    if len(yardstick.outcomes) > 1:
        scores = outputs.scores[rows] if len(schema.scores) == k else np.empty((len(truth), 0))
        confusion = (tables["confusion.counts"], tables["confusion.loss"], tables["confusion.off_sum"])
        kernels.count_confusion(predicted, truth, scores, group, SUM_TOLERANCE, *confusion)
    if yardstick.outcomes and (agreed := outputs.agreed[rows] & (group >= 0)).any():
        np.add.at(tables["agreed"], group[agreed], 1)


# Samples


def _hashes(batch: pa.RecordBatch, name: str | None, first_row: int) -> npt.NDArray[np.uint64]:
    """Return a hash of each row's id; of its position where there is no id."""
    out = np.empty(batch.num_rows, np.uint64)
    if name is None or name not in batch.schema.names:
        kernels.hash_integers(np.arange(first_row, first_row + batch.num_rows), out)
        return out
    ids = batch.column(name)
    if pa.types.is_integer(ids.type) and not ids.null_count:
        kernels.hash_integers(numpy_of(ids).astype(np.int64), out)
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
    limits: npt.NDArray[np.uint64]  # a row at or above its chunk's limit cannot be among the k smallest

    @classmethod
    def empty(cls, chunks: int, *, features: int, k: int = SAMPLE_SIZE) -> BottomRows:
        """Return the collector of no rows."""
        limits = np.full(chunks, np.iinfo(np.uint64).max, np.uint64)
        return cls(k, [Sample.empty(k, features=features)] * chunks, limits)

    def add(
        self,
        chunk: Groups,
        hashes: npt.NDArray[np.uint64],
        codes: npt.NDArray[np.uint16],
        outputs: Floats,
    ) -> None:
        """Take in the rows of a batch."""
        for c, rows in _below(chunk, hashes, self.limits, self.k):
            part = Sample.of(hashes[rows], codes[rows], outputs[rows], k=self.k)
            self.kept[c] = self.kept[c].merge(part)
            if self.kept[c].n == self.k:
                self.limits[c] = self.kept[c].hashes[-1]


@dataclass(slots=True)
class BottomIds:
    """The smallest id hashes of each chunk with their counts, while they are being collected."""

    k: int
    kept: list[Distinct]
    limits: npt.NDArray[np.uint64]

    @classmethod
    def empty(cls, chunks: int, *, k: int = ID_SAMPLE_SIZE) -> BottomIds:
        """Return the collector of no rows."""
        return cls(k, [Distinct.empty(k)] * chunks, np.full(chunks, np.iinfo(np.uint64).max, np.uint64))

    def add(self, chunk: Groups, hashes: npt.NDArray[np.uint64]) -> None:
        """Take in the rows of a batch."""
        for c, rows in _below(chunk, hashes, self.limits, None):
            self.kept[c] = self.kept[c].merge(Distinct.of(hashes[rows], k=self.k))
            if not self.kept[c].exact:
                self.limits[c] = self.kept[c].hashes[-1]


def _below(
    chunk: Groups, hashes: npt.NDArray[np.uint64], limits: npt.NDArray[np.uint64], k: int | None
) -> list[tuple[int, npt.NDArray[np.intp]]]:
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
