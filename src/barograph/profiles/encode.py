"""One batch of rows to codes, groups and outcomes, counted into tables. No Python loop goes over rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from barograph.arrays import Floats, Ints
from barograph.frames import columns as arrow
from barograph.profiles import kernels
from barograph.profiles.buffers import (
    AS_THEY_COME,
    NO_PRODUCTS,
    CategoryColumn,
    NumberColumns,
    Plan,
    null_where,
)
from barograph.profiles.samples import BottomIds, BottomRows, hashes_of
from barograph.profiles.tables import Tables
from barograph.profiles.yardstick import CategoricalBins, NumericBins, Yardstick
from barograph.sketches.confusion import SUM_TOLERANCE
from barograph.sketches.kept import kept_named
from barograph.spec.schema import Schema

BLOCK = 16_384  # rows whose outcomes are counted while their codes are still in the cache


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


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a batch: the numeric ones together, and each of the others."""

    yardstick: Yardstick
    numbers: NumberColumns | None
    categories: dict[str, CategoryColumn]

    @classmethod
    def of(cls, yardstick: Yardstick, batch: pa.RecordBatch) -> Columns:
        """Read the columns of a batch."""
        schema = yardstick.schema
        nulls = {name: schema.null_values for name in (schema.label, schema.prediction) if name is not None}
        others = (c for c in yardstick.columns if isinstance(c, CategoricalBins))
        return cls(
            yardstick,
            NumberColumns.of(yardstick.numbers, batch, nulls) if yardstick.numbers else None,
            {c.name: CategoryColumn.of(c, batch, schema.null_values) for c in others},
        )

    def count(self, plan: Plan, tables: Tables) -> None:
        """Add the rows to the tables of their groups."""
        yardstick = self.yardstick
        np.add.at(tables["rows"], plan.runs[:, 2], plan.runs[:, 1] - plan.runs[:, 0])
        if self.numbers is not None:
            places = [_place(yardstick, c) for c in yardstick.numbers]
            products = NO_PRODUCTS
            if "products.n" in tables:
                products = tables["products.n"], tables["products.z"], tables["products.zz"]
            into = (tables["counts"], tables["sums"], tables["lows"], tables["highs"])
            self.numbers.count(places, plan, *into, products)
        for name, column in self.categories.items():
            column.count(int(yardstick.offsets[yardstick.position[name]]), plan, tables["counts"])

    def codes(self, which: Sequence[int], rows: Ints, start: int, n: int) -> npt.NDArray[np.uint16]:
        """Return the codes (columns, n) of some columns, by position: of `rows`, or those from `start` on."""
        yardstick = self.yardstick
        names = [yardstick.columns[i].name for i in which]
        out = np.empty((len(names), n), np.uint16)
        numeric = [i for i, name in enumerate(names) if name in yardstick.numeric]
        if numeric and self.numbers is not None:
            codes = np.empty((len(numeric), n), np.uint16)
            self.numbers.codes([yardstick.numeric[names[i]] for i in numeric], rows, start, codes)
            out[numeric] = codes
        for i, name in enumerate(names):
            if name in self.categories:
                self.categories[name].codes(rows, start, out[i])
        return out


def _place(yardstick: Yardstick, column: NumericBins) -> tuple[int, int, int]:
    offset = int(yardstick.offsets[yardstick.position[column.name]])
    return column.bins, offset, yardstick.product_row.get(column.name, -1)


def count_batch(counter: Counter, batch: pa.RecordBatch, chunk: Groups, first_row: int) -> None:
    """Add the rows of `batch` to `counter`; `chunk` is the chunk of each row, -1 for none."""
    yardstick, schema = counter.yardstick, counter.yardstick.schema
    n = batch.num_rows
    counter.outside += int(np.count_nonzero(chunk < 0))
    columns = Columns.of(yardstick, batch)
    targets = [(Plan.of(chunk, len(counter.tables["rows"])), counter.tables)]
    for (name, segment), tables in zip(yardstick.segments.items(), counter.segment_tables, strict=True):
        group = _segment_groups(segment, batch, name, chunk)
        targets.append((Plan.of(group, len(tables["rows"])), tables))
    for plan, tables in targets:
        columns.count(plan, tables)
    outputs = _outputs(yardstick, batch) if yardstick.outcomes or yardstick.regression else None
    if outputs is not None:
        tree = yardstick.partition
        used, of_node = np.unique(tree.features, return_inverse=True)
        leaves = np.zeros(n, np.int32)
        for start in range(0, n, BLOCK):
            rows = slice(start, min(start + BLOCK, n))
            if tree.leaves > 1:
                codes = columns.codes(used.tolist(), AS_THEY_COME, start, rows.stop - start)
                kernels.find_leaves(codes, of_node.astype(np.int32), tree.steps, leaves[rows])
            for plan, tables in targets:
                _count_outputs(yardstick, outputs, rows, plan.group[rows], leaves[rows], tables)
        for plan, tables in targets:
            _count_errors(yardstick, outputs, plan, tables)
    for name, kept in yardstick.kept.items():
        for of in kept:
            values = _as_numbers(yardstick, batch, of)
            for plan, tables in targets:
                sketch = kept_named(name)
                sketch.count(values, plan.group, {a: tables[f"{name}.{of}.{a}"] for a in sketch.ARRAYS})
    features = range(len(schema.features))
    hashes = hashes_of(batch, schema.id, first_row)
    sampled = None if outputs is None else outputs.sampled
    counter.samples.add(chunk, hashes, lambda rows: columns.codes(features, rows, 0, len(rows)).T, sampled)
    if counter.ids is not None:
        counter.ids.add(chunk, hashes)


def encode_column(yardstick: Yardstick, name: str, array: pa.Array) -> npt.NDArray[np.uint16]:
    """Return the codes of one column, as `count_batch` would count them."""
    batch = pa.RecordBatch.from_arrays([array], names=[name])
    i = yardstick.position[name]
    alone = replace(yardstick, columns=(yardstick.columns[i],))
    return Columns.of(alone, batch).codes([0], AS_THEY_COME, 0, len(array)).ravel()


def _segment_groups(column: CategoricalBins, batch: pa.RecordBatch, name: str, chunk: Groups) -> Groups:
    codes = np.empty(batch.num_rows, np.uint16)
    CategoryColumn.of(column, batch, ()).codes(AS_THEY_COME, 0, codes)
    return np.where(chunk < 0, -1, chunk * column.width + codes)


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


def _as_numbers(yardstick: Yardstick, batch: pa.RecordBatch, name: str | None) -> Floats:
    """Return the values of a numeric column; NaN where there is none."""
    schema = yardstick.schema
    if name is None or name not in yardstick.numeric or name not in batch.schema.names:
        return np.full(batch.num_rows, np.nan)
    values, null, _ = arrow.numbers(batch.column(name))
    if name in (schema.label, schema.prediction):
        null = arrow.or_null(values, null, schema.null_values)
    return values if null is None else np.where(null, np.nan, values)


def _outputs(yardstick: Yardstick, batch: pa.RecordBatch) -> Outputs:
    schema, n = yardstick.schema, batch.num_rows

    def as_numbers(name: str | None) -> Floats:
        return _as_numbers(yardstick, batch, name)

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


def _count_errors(yardstick: Yardstick, outputs: Outputs, plan: Plan, tables: Tables) -> None:
    if yardstick.regression is None or outputs.numbers is None:
        return
    bins = yardstick.regression.errors
    errors = outputs.numbers[0] - outputs.numbers[1]
    batch = pa.RecordBatch.from_arrays([null_where(np.isnan(errors), errors)], names=[bins.name])
    sums, lows, highs = (tables[f"errors.{name}"][:, None] for name in ("sums", "lows", "highs"))
    where = [(bins.bins, 0, -1)]
    NumberColumns.of((bins,), batch, {}).count(where, plan, tables["errors.counts"], sums, lows, highs)
