"""What rows are measured with: the bins of each column, the partition of the features, the score bins.

A yardstick is learned once from the reference (`barograph.reference.fit`) and never changes: it turns each value
into a small integer code, and everything else counts codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.arrays import Floats, Ints
from barograph.plain_arrays import arrow_texts
from barograph.profiles.rulers import Ruler, ruler_of
from barograph.sketches.cells import BinaryCells, RegressionCells
from barograph.sketches.confusion import Confusion
from barograph.sketches.histogram import Histogram
from barograph.sketches.kept import Array, kept_named, under
from barograph.sketches.lattice import finest_bins_of, narrow_scores
from barograph.sketches.moments import Covariance
from barograph.sketches.scores import ScoreTable
from barograph.spec.schema import Schema


@dataclass(frozen=True, eq=False)
class NumericBins:
    """Bins of a numeric column: see `sketches.histogram.Histogram` for `edges`.

    The first edge is the reference minimum and the last the next float above its maximum, so the two open bins hold
    what is out of range. `cuts` are the positions of the edges that also bound coarse bins. After the `K + 1` bins
    come the codes of values that are no finite number.
    """

    SPECIAL: ClassVar[tuple[str, ...]] = ("null", "nan", "negative_inf", "positive_inf", "type_errors")

    name: str
    edges: Floats
    cuts: Ints
    center: float
    scale: float

    @property
    def bins(self) -> int:
        """Return the number of bins, the two open ones included."""
        return len(self.edges) + 1

    @property
    def width(self) -> int:
        """Return the number of codes."""
        return self.bins + len(self.SPECIAL)

    @cached_property
    def ruler(self) -> Ruler:
        """Return what finds the bin of any number."""
        return ruler_of(self.edges, self.center, self.scale, whole=False)

    @cached_property
    def whole_ruler(self) -> Ruler:
        """Return what finds the bin of a whole number."""
        return ruler_of(self.edges, self.center, self.scale, whole=True)


@dataclass(frozen=True, eq=False)
class CategoricalBins:
    """Categories of a column: the `names` that are counted one by one, the reference's `others`, and unseen ones.

    `others` is None when the reference has too many categories to remember: then none counts as unseen.
    A column without `names` (text, embeddings, times) is only checked for presence.
    """

    SPECIAL: ClassVar[tuple[str, ...]] = ("null", "type_errors")

    name: str
    names: tuple[str, ...]
    others: tuple[str, ...] | None
    cuts: Ints  # positions of the names that coarse bins keep
    classes: bool = False  # a label or prediction: values are matched as classes are, whatever their type
    novelty: float = 0.0  # the share of later rows whose category is new by nature

    @property
    def bins(self) -> int:
        """Return the number of bins: names, other, unseen."""
        return len(self.names) + 2

    @property
    def width(self) -> int:
        """Return the number of codes."""
        return self.bins + len(self.SPECIAL)

    @cached_property
    def codes(self) -> dict[str, int]:
        """Return the code of each known category."""
        other = len(self.names)
        return {**dict.fromkeys(self.others or (), other), **{name: i for i, name in enumerate(self.names)}}

    @cached_property
    def ordered(self) -> tuple[pa.Array, npt.NDArray[np.uint16]]:
        """Return the known categories as an Arrow array, and the code of each."""
        return arrow_texts(list(self.codes)), np.fromiter(self.codes.values(), np.uint16, len(self.codes))

    @property
    def unknown(self) -> int:
        """Return the code of a category that is not in `codes`."""
        return len(self.names) + (self.others is not None)


ColumnBins = NumericBins | CategoricalBins


@dataclass(frozen=True, eq=False)
class Partition:
    """A binary tree over codes. Node `i` sends a row left where `goes_left[i, code of features[i]]`.

    `children` is (nodes, 2): a node, or `-1 - leaf`. `features` are positions in `Yardstick.columns`.
    A partition without nodes has one leaf.
    """

    features: npt.NDArray[np.int32]
    goes_left: npt.NDArray[np.bool_]
    children: npt.NDArray[np.int32]
    leaves: int
    rules: tuple[str, ...] = ()  # of each leaf, for people

    @cached_property
    def steps(self) -> npt.NDArray[np.int16]:
        """Return the next node, or `-1 - leaf`, by node and code."""
        left, right = self.children[:, :1], self.children[:, 1:]
        return np.where(self.goes_left, left, right).astype(np.int16)


@dataclass(frozen=True, eq=False)
class BinaryOutcome:
    """How a yes-or-no question is counted: fine score bins and the cells made of them.

    `cell_of` is (2, B): the cell bin of a predicted class and a fine score bin.
    """

    edges: Floats
    cell_of: npt.NDArray[np.int32]
    predicted: npt.NDArray[np.bool_]
    order: Ints
    first_fine: Ints

    @cached_property
    def finest(self) -> Floats:
        """Return the cut points of the finest bins, closed by infinity."""
        return np.append(finest_bins_of(self.edges).edges, np.inf)

    @cached_property
    def narrowed(self) -> npt.NDArray[np.uint16]:
        """Return the finest bins that a score in each cell of a grid over [0, 1] can be in."""
        return narrow_scores(finest_bins_of(self.edges).edges)

    @cached_property
    def bin_of(self) -> npt.NDArray[np.int64]:
        """Return the score bin that each of the finest bins is in."""
        return finest_bins_of(self.edges).bin_of

    def cells(self, counts: Ints) -> BinaryCells:
        """Return the sketch with these counts, (L, J, 3)."""
        return BinaryCells(predicted=self.predicted, order=self.order, first_fine=self.first_fine, counts=counts)


@dataclass(frozen=True, eq=False)
class RegressionOutcome:
    """How a regression is counted: the cut points of its prediction bins, and the bins of its errors.

    `center` is the mean label of the reference, from which labels are summed.
    """

    edges: Floats
    errors: NumericBins
    center: float = 0.0


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Everything that is needed to encode rows.

    `columns` are the features in the schema's order, then the scores, the prediction and the label, as far as they
    exist. `outcomes` has one entry for a binary model, one a class for a multiclass model, and is empty without a
    prediction; a regression has `regression` instead. `segments` holds the categories of each segment column. `turning`
    are the features whose values turn over in the reference itself: nothing follows from new ones.
    """

    schema: Schema
    columns: tuple[ColumnBins, ...]
    partition: Partition
    outcomes: tuple[BinaryOutcome, ...] = ()
    regression: RegressionOutcome | None = None
    segments: Mapping[str, CategoricalBins] = field(default_factory=dict)
    covariance: tuple[str, ...] = ()  # the numeric features whose second moments are kept
    turning: tuple[str, ...] = ()
    kept: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # columns of the summaries under `@kept`, by name

    @cached_property
    def arrays(self) -> dict[str, Array]:
        """Return the arrays that profiles hold of each group of rows, as the summaries declare them."""
        leaves = self.partition.leaves
        found = {"rows": Array(), "counts": Array((int(self.offsets[-1]),)), **Histogram.arrays(len(self.numeric))}
        for i, outcome in enumerate(self.outcomes):
            scores = ScoreTable.arrays(len(outcome.edges) + 1, len(outcome.finest))
            found |= under(f"outcomes.{i}", scores | BinaryCells.arrays(leaves, len(outcome.predicted)))
        if self.outcomes:
            found["agreed"] = Array()
        if len(self.outcomes) > 1:
            found |= under("confusion", Confusion.arrays(len(self.schema.classes)))
        if self.regression:
            found |= under("regression", RegressionCells.arrays(leaves, len(self.regression.edges) + 1))
            found |= under("errors", {"counts": Array((self.regression.errors.width,)), **Histogram.arrays()})
        if self.covariance:
            found |= under("products", Covariance.arrays(len(self.covariance)))
        for name, columns in self.kept.items():
            for column in columns:
                found |= under(f"{name}.{column}", kept_named(name).ARRAYS)
        return found

    @cached_property
    def offsets(self) -> Ints:
        """Return where the codes of each column begin in the one long vector of counts, closed by its length."""
        return np.concatenate(([0], np.cumsum([c.width for c in self.columns]))).astype(np.int64)

    @cached_property
    def position(self) -> dict[str, int]:
        """Return the position of each column in `columns`."""
        return {column.name: i for i, column in enumerate(self.columns)}

    @cached_property
    def numbers(self) -> tuple[NumericBins, ...]:
        """Return the numeric columns, in their order."""
        return tuple(c for c in self.columns if isinstance(c, NumericBins))

    @cached_property
    def numeric(self) -> dict[str, int]:
        """Return the position of each numeric column among the numeric ones."""
        return {c.name: i for i, c in enumerate(self.numbers)}

    @cached_property
    def product_row(self) -> dict[str, int]:
        """Return the position of each column whose second moments are kept among those."""
        return {name: i for i, name in enumerate(self.covariance)}


def segment_names(yardstick: Yardstick) -> tuple[str, ...]:
    """Return the segments of a model, as in `origin=JFK`, in the order in which profiles hold them."""
    return tuple(f"{c.name}={value}" for c in yardstick.segments.values() for value in segment_values(c))


def segment_values(column: CategoricalBins) -> tuple[str, ...]:
    """Return the name of each code of a segment column; a value that looks like one of the last four keeps its name."""
    special = []
    for name in ("(other)", "(unseen)", "(missing)", "(mistyped)"):
        while name in column.names:
            name = f"({name})"
        special.append(name)
    return (*column.names, *special)
