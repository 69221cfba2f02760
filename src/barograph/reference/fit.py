"""Learn a reference: two passes over the data, the first to learn the yardstick from a sample, the second to count."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar  # role overrides are passed through to the inference of the schema

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.arrays import Codes, Floats
from barograph.chunks import ChunkRule, parse_chunk_rule
from barograph.errors import InputError, SpecError
from barograph.frames import columns as arrow
from barograph.frames.labels import Labels, labelled
from barograph.frames.read import Rows, Source, open_rows, sample_rows
from barograph.profiles.build import Progress, build_profiles
from barograph.profiles.encode import encode_column, squashed
from barograph.profiles.kernels import find_leaves
from barograph.profiles.yardstick import (
    BinaryOutcome,
    CategoricalBins,
    ColumnBins,
    NumericBins,
    RegressionOutcome,
    Yardstick,
)
from barograph.reference.bins import class_bins, fit_categorical_bins, fit_numeric_bins, presence_bins
from barograph.reference.history import histories
from barograph.reference.partition import fit_partition, single_leaf
from barograph.reference.reference import Reference, block_rule
from barograph.reference.rhythm import rhythms
from barograph.reference.scores import find_threshold, fit_binary_outcome, fit_regression_outcome
from barograph.reference.turnover import turning
from barograph.sketches.kept import all_kept
from barograph.spec.infer import infer_schema
from barograph.spec.roles import Roles
from barograph.spec.schema import ColumnType, Schema

NO_ROWS = "{}: the reference has no rows. Give data on which the model was known to be good."
INFER_ROWS = 10_000  # rows that roles and types are found from
FIT_ROWS = 200_000  # rows from which bins and categories are learned
FIT_CELLS = 100_000_000  # of these rows: of more than 500 columns there are fewer rows
TREE_ROWS = 100_000
TREE_CELLS = 20_000_000
MAX_COVARIANCE = 64  # numeric features whose second moments are kept: work and size grow with the square
MAX_SEGMENT_VALUES = 50
TRUTH = ("False", "True")
Chunked = str | int | ChunkRule | Callable[[Yardstick], ChunkRule | None] | None

T = TypeVar("T")


def fit(
    reference: Source | Rows,
    schema: Schema | None = None,
    *,
    labels: Source | Labels | None = None,
    on: str | None = None,
    progress: Progress | None = None,
    check: Callable[[], None] = lambda: None,
    threads: int | None = None,
    seed: int = 0,
    current: Collection[str] | None = None,
    chunk: Chunked = None,
    **roles: Any,
) -> Reference:
    """Learn a reference from data on which the model was known to be good.

    Without a `schema`, roles are found by conventional column names; `roles` (task, label, score, prediction,
    timestamp, id, features, ignore, segments, timezone, threshold, positive, types) override them. Labels may be
    missing, but without any there is no realised performance to compare with; where the reference has no label column,
    they may come from a source of their own, `labels`, joined by the column `on` (default: the id). `current` are the
    columns of production data, where it is known: what only the reference has may be its label, and is asked for.
    `chunk` is how production will be cut, or a function that finds it once the columns are known; without it, what
    performance was is kept by the hour, day, week and month.
    `check` is called again and again, and may raise to end this early. Raises InputError with no rows, and SpecError,
    with all problems at once, when the roles do not fit the columns.
    """
    rows = reference if isinstance(reference, Rows) else open_rows(reference)
    if labels is not None:
        rows, roles = labelled(rows, labels, on, roles if schema is None else {"label": schema.label})
    learned = learn_yardstick(rows, schema, seed=seed, current=current, check=check, **roles)
    count = rows.rows if rows.rows is not None else _count(rows)
    blocks = build_profiles(learned.yardstick, rows, chunk=block_rule(count), progress=progress, threads=threads)
    rule = chunk(learned.yardstick) if callable(chunk) else chunk
    if rule is not None:
        rule = parse_chunk_rule(rule, zone=learned.yardstick.schema.timezone)
    kept = histories(learned.yardstick, rows, rule)
    rhythm = rhythms(learned.yardstick, learned.sample, rule)
    return Reference(learned.yardstick, blocks, learned.leaf_codes, learned.decisions, kept, rhythm)


class Learned(NamedTuple):
    """What is learned from a `sample` of reference rows: the yardstick, how it counts them, how roles were found."""

    yardstick: Yardstick
    leaf_codes: npt.NDArray[np.int64]
    decisions: tuple[str, ...]
    sample: pa.Table


def learn_yardstick(
    rows: Rows,
    schema: Schema | None = None,
    *,
    seed: int = 0,
    current: Collection[str] | None = None,
    check: Callable[[], None] = lambda: None,
    **roles: Any,
) -> Learned:
    """Do the first pass of `fit`: the same for the same rows, and with the same errors."""
    decisions = rows.decisions
    if schema is None:
        sample = sample_rows(rows, list(rows.schema.names), INFER_ROWS, seed=seed)
        if not sample.num_rows:
            raise InputError(NO_ROWS.format(rows.name))
        Roles.of(roles)  # what is wrong with what was said has nothing to do with the data
        try:
            inferred = infer_schema(sample, current=current, check=check, **roles)
        except SpecError as error:
            raise SpecError(error.problems, where=rows.name) from error
        schema, decisions = inferred.schema, (*rows.decisions, *inferred.decisions)
    wanted = [c for c in schema.columns() if c in rows.schema.names]
    table = sample_rows(rows, wanted, min(FIT_ROWS, FIT_CELLS // max(len(wanted), 1)), seed=seed)
    if not table.num_rows:
        raise InputError(NO_ROWS.format(rows.name))
    yardstick, leaf_codes = fit_yardstick(schema, table, check)
    return Learned(yardstick, leaf_codes, decisions, table)


def fit_yardstick(
    schema: Schema, table: pa.Table, check: Callable[[], None] = lambda: None
) -> tuple[Yardstick, npt.NDArray[np.int64]]:
    """Return the yardstick of a sample of reference rows, and the counts of that sample by leaf and code."""
    table = table.combine_chunks()
    features = tuple(_feature_bins(table, name, kind) for name, kind in _each(schema.features.items(), check))
    turns = turning(schema, table)
    steady = tuple(c for c in features if c.name not in turns)
    outputs = _Outputs(schema, table)
    schema = outputs.schema
    yardstick = Yardstick(
        schema=schema,
        columns=(*features, *outputs.columns()),
        partition=single_leaf(),
        outcomes=outputs.binary,
        regression=outputs.regression,
        segments={name: _segment_bins(table, name) for name in schema.segments},
        covariance=tuple(c.name for c in steady if isinstance(c, NumericBins))[:MAX_COVARIANCE],
        turning=turns,
    )
    yardstick = replace(yardstick, kept=_kept(yardstick))
    codes = np.vstack(
        [encode_column(yardstick, c.name, _column(table, c.name)) for c in _each(yardstick.columns, check)]
    )
    target, known = outputs.target()
    at = np.flatnonzero(known)[: min(TREE_ROWS, TREE_CELLS // max(len(features), 1))]
    check()
    if len(at):
        cut_by = np.flatnonzero([c.name not in turns for c in features])
        tree = fit_partition(steady, codes[np.ix_(cut_by, at)], target[at])
        places = cut_by[tree.features] if len(cut_by) else tree.features
        yardstick = replace(yardstick, partition=replace(tree, features=places.astype(np.int32)))
    return yardstick, _leaf_codes(yardstick, codes, check)


def _kept(yardstick: Yardstick) -> dict[str, tuple[str, ...]]:
    """Return the columns of which each summary under `@kept` is kept."""
    features = yardstick.schema.features
    wanted = {
        name: tuple(c for c in yardstick.numeric if sketch.wants(c, feature=c in features))
        for name, sketch in all_kept().items()
    }
    return {name: columns for name, columns in wanted.items() if columns}


def _each(items: Iterable[T], check: Callable[[], None]) -> Iterator[T]:
    for item in items:
        check()
        yield item


def _leaf_codes(yardstick: Yardstick, codes: Codes, check: Callable[[], None]) -> npt.NDArray[np.int64]:
    tree, offsets = yardstick.partition, yardstick.offsets
    leaves = np.empty(codes.shape[1], np.int32)
    find_leaves(codes, tree.features, tree.steps, leaves)
    counts = np.zeros((tree.leaves, offsets[-1]), np.int64)
    for i, column in enumerate(_each(yardstick.columns, check)):
        joint = leaves.astype(np.int64) * column.width + codes[i]
        table = np.bincount(joint, minlength=tree.leaves * column.width)
        counts[:, offsets[i] : offsets[i + 1]] = table.reshape(tree.leaves, column.width)
    return counts


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _feature_bins(table: pa.Table, name: str, kind: ColumnType) -> ColumnBins:
    if name not in table.column_names or kind.presence_only:
        return presence_bins(name)
    if kind.is_number:
        return fit_numeric_bins(name, _numbers(table, name))
    return _category_bins(table, name)


def _category_bins(table: pa.Table, name: str) -> CategoricalBins:
    indices, values = arrow.categories(_column(table, name))
    counts = np.bincount(indices[indices >= 0], minlength=len(values))
    texts = [str(v) for v in values]
    if texts and {text.strip().casefold() for text in texts} <= {"true", "false"}:
        return class_bins(name, TRUTH)  # a CSV file says true where a frame holds a truth value
    return fit_categorical_bins(name, [t for t, n in zip(texts, counts, strict=True) if n], counts[counts > 0])


def _segment_bins(table: pa.Table, name: str) -> CategoricalBins:
    bins = _category_bins(table, name)
    if bins.classes:
        return bins
    names, rest = bins.names[:MAX_SEGMENT_VALUES], bins.names[MAX_SEGMENT_VALUES:]
    others = None if bins.others is None else (*rest, *bins.others)
    return CategoricalBins(name, names, others, np.arange(len(names), dtype=np.int64))


def _numbers(table: pa.Table, name: str) -> Floats:
    values, null, wrong = arrow.numbers(_column(table, name))
    bad = np.zeros(len(values), bool)
    for mask in (null, wrong):
        if mask is not None:
            bad |= mask
    return np.where(bad, np.nan, values)


class _Outputs:
    """What the model says and what was true, in the sample: the bins of both, and the target of the partition."""

    def __init__(self, schema: Schema, table: pa.Table) -> None:
        self.schema, self.table = schema, table
        self.binary: tuple[BinaryOutcome, ...] = ()
        self.regression: RegressionOutcome | None = None
        n = table.num_rows
        if schema.task.numeric:
            self.prediction = self._number(schema.prediction)
            self.label = self._number(schema.label)
            if schema.prediction:
                self.regression = fit_regression_outcome(self.prediction, self.label)
            return
        self.label_class = self._classes(schema.label)
        self.predicted = self._classes(schema.prediction)
        self.raw_scores = {c: self._number(column) for c, column in schema.scores.items()}
        self.scores = {c: squashed(v) if schema.margins else v for c, v in self.raw_scores.items()}
        if not schema.scores and not schema.prediction:
            return
        nothing = np.full(n, np.nan)
        if schema.task.has_positive:
            score = self.scores.get(schema.positive, nothing)
            threshold = self._threshold(score)
            positive = self.label_class == 1
            self.binary = (fit_binary_outcome(score, positive, threshold=threshold),)
            if threshold is not None:
                self.schema = replace(schema, threshold=threshold)
            return
        cell_bins = schema.task.classes.cell_bins(len(schema.classes))
        self.binary = tuple(
            fit_binary_outcome(self.scores.get(c, nothing), self.label_class == i, threshold=None, cell_bins=cell_bins)
            for i, c in enumerate(schema.classes)
        )

    def _threshold(self, score: Floats) -> float | None:
        """Return the threshold that the prediction follows from; None where it follows from none."""
        if not self.schema.prediction:
            return self.schema.threshold
        both = np.isfinite(score) & (self.predicted >= 0)
        if not both.any():
            return None
        said = self.predicted[both] == 1
        if np.array_equal(said, score[both] >= self.schema.threshold):
            return self.schema.threshold
        return find_threshold(score[both], said)

    def _number(self, name: str | None) -> Floats:
        if name is None or name not in self.table.column_names:
            return np.full(self.table.num_rows, np.nan)
        values = _numbers(self.table, name)
        if name in (self.schema.label, self.schema.prediction):
            none = arrow.or_null(values, None, self.schema.null_values)
            return values if none is None else np.where(none, np.nan, values)
        return values

    def _classes(self, name: str | None) -> npt.NDArray[np.int64]:
        if name is None or name not in self.table.column_names:
            return np.full(self.table.num_rows, -1, np.int64)
        return arrow.class_codes(_column(self.table, name), self.schema.classes, self.schema.null_values).astype(
            np.int64
        )

    def columns(self) -> tuple[ColumnBins, ...]:
        """Return the bins of scores, prediction and label."""
        schema, bins = self.schema, []
        if schema.task.numeric:
            for name, values in ((schema.prediction, "prediction"), (schema.label, "label")):
                if name:
                    bins.append(fit_numeric_bins(name, getattr(self, values)))
            return tuple(bins)
        for c, column in schema.scores.items():
            low, high = (None, None) if schema.margins else (0.0, 1.0)
            bins.append(fit_numeric_bins(column, self.raw_scores[c], low=low, high=high))
        for name in (schema.prediction, schema.label):
            if name:
                bins.append(class_bins(name, schema.classes))  # type: ignore[arg-type]  # the list holds both kinds
        return tuple(bins)

    def target(self) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return what the partition separates, and the rows where it is known.

        The label of a classifier and the absolute error of a regression; where no label has arrived, the score or
        the prediction.
        """
        if self.schema.task.numeric:
            error = self.schema.task.facts.loss(self.prediction, self.label)
            target = error if np.isfinite(error).any() else self.prediction
            return target, np.isfinite(target)
        if (self.label_class >= 0).any():
            target = self._one_hot(self.label_class)
            return target, self.label_class >= 0
        if self.scores:
            score = next(iter(self.scores.values()))
            return score, np.isfinite(score)
        if (self.predicted >= 0).any():
            return self._one_hot(self.predicted), self.predicted >= 0
        return np.zeros(self.table.num_rows), np.zeros(self.table.num_rows, np.bool_)  # nothing to separate

    def _one_hot(self, classes: npt.NDArray[np.int64]) -> Floats:
        every = np.arange(len(self.schema.classes))
        one_hot: Floats = (classes[:, None] == every).astype(np.float64)
        return self.schema.task.classes.separated(one_hot)


def _count(rows: Rows) -> int:
    first = list(rows.schema.names[:1])
    return sum(batch.num_rows for part in rows.parts for batch in part.batches(first))
