"""The columns of a batch as the addresses of their buffers, which compiled loops read: nothing is copied that fits.

Addresses say nothing of how long what is there will live, so that what holds them keeps the arrays, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # Any: Arrow arrays of any type

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from barograph.arrays import Floats, Ints
from barograph.frames import columns as arrow
from barograph.plain_arrays import arrow_numbers, numpy_of
from barograph.profiles import numeric_kernels
from barograph.profiles.rulers import Rulers, stack
from barograph.profiles.yardstick import CategoricalBins, NumericBins

AS_THEY_COME = np.empty(0, np.int64)
NO_PRODUCTS: tuple[Ints, Floats, Floats] = (np.empty(0, np.int64), np.empty((0, 0)), np.empty((0, 0, 0)))

Codes = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of each group: `runs` (·, 3) from row to row in `order` (empty: as they come), and the group."""

    group: Ints
    order: Ints
    runs: Ints

    @classmethod
    def of(cls, group: Ints, groups: int) -> Plan:
        """Return the plan for rows whose group is below `groups`, -1 for none."""
        return cls(group, *numeric_kernels.plan_runs(group, groups))


@dataclass(frozen=True, slots=True)
class NumberColumns:
    """Numeric columns of one batch."""

    columns: Sequence[NumericBins]
    arrays: Ints  # (k, 4), see `numeric_kernels.count_numbers`
    rulers: Rulers
    wrong: dict[int, arrow.Mask]  # by column, the values that are no numbers; they are null in `arrays`
    kept: object

    @classmethod
    def of(
        cls, columns: Sequence[NumericBins], batch: pa.RecordBatch, null_values: Mapping[str, tuple[str, ...]]
    ) -> NumberColumns:
        """Read columns, at least one; `null_values` of a column are null, too. One that is absent is null."""
        arrays, wrong, kept, rulers = np.empty((len(columns), 4), np.int64), {}, [], []
        for j, column in enumerate(columns):
            array, mistyped = _numbers(column.name, batch, null_values.get(column.name, ()))
            if mistyped is not None:
                wrong[j] = mistyped
            whole = pa.types.is_integer(array.type)
            arrays[j] = (*_addresses(array), whole)
            rulers.append(column.whole_ruler if whole else column.ruler)
            kept.append(array)
        return cls(columns, arrays, stack(rulers, [c.edges for c in columns]), wrong, kept)

    def count(
        self,
        places: Sequence[tuple[int, int, int]],
        plan: Plan,
        counts: Ints,
        sums: Floats,
        lows: Floats,
        highs: Floats,
        products: tuple[Ints, Floats, Floats] = NO_PRODUCTS,
    ) -> None:
        """Add the rows to the tables of their groups: see `numeric_kernels.count_numbers`."""
        where = np.array(places, np.int64)
        into = (counts, sums, lows, highs, len(products[0]) > 0, *products)
        numeric_kernels.count_numbers(self.arrays, where, plan.order, plan.runs, *self.rulers, *into)
        for j, mask in self.wrong.items():
            groups = plan.group[mask & (plan.group >= 0)]
            null = where[j, numeric_kernels.OFFSET] + self.columns[j].bins
            np.subtract.at(counts, (groups, null), 1)
            np.add.at(counts, (groups, null + 4), 1)

    def codes(self, which: Sequence[int], rows: Ints, start: int, out: Codes) -> None:
        """Write the codes (columns, rows) of some columns: those of `rows`, or without any those from `start` on."""
        at = list(which)
        bins = np.array([self.columns[j].bins for j in at], np.int64)
        numeric_kernels.encode_numbers(self.arrays[at], bins, rows, *(r[at] for r in self.rulers), start, out)
        for i, j in enumerate(at):
            if j in self.wrong:
                wrong = self.wrong[j][rows] if len(rows) else self.wrong[j][start : start + out.shape[1]]
                out[i][wrong] = self.columns[j].bins + 4


def _numbers(name: str, batch: pa.RecordBatch, null_values: tuple[str, ...]) -> tuple[pa.Array[Any], arrow.Mask | None]:
    """Return a column as float64 or int64, null where it has no number, and which values are none."""
    if name not in batch.schema.names:
        return pa.nulls(batch.num_rows, pa.float64()), None
    array = batch.column(name)
    if not null_values and (pa.types.is_float64(array.type) or pa.types.is_int64(array.type)):
        return array, None
    values, null, wrong = arrow.numbers(array)
    null = arrow.or_null(values, null, null_values)
    wrong = wrong if wrong is None or null is None else wrong & ~null
    missing = null if wrong is None else wrong if null is None else null | wrong
    return arrow_numbers(values) if missing is None else null_where(missing, values), wrong


def null_where(missing: arrow.Mask, values: Floats) -> pa.Array[Any]:
    """Return numbers as an Arrow array that is null where they are missing."""
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(pa.float64(), len(values), [valid, arrow_numbers(values).buffers()[1]])


def _addresses(array: pa.Array[Any]) -> tuple[int, int, int]:
    """Return the address of the values, of the bitmap (0: no nulls), and the bitmap's offset."""
    valid, data = array.buffers()
    values = data.address + array.offset * (array.type.bit_width // 8) if data is not None else 0
    return values, valid.address if valid is not None and array.null_count else 0, array.offset


@dataclass(frozen=True, slots=True)
class CategoryColumn:
    """A categorical column of one batch: positions in a dictionary, and the code of each of its entries."""

    bins: CategoricalBins
    addresses: tuple[int, int, int]
    lookup: Codes
    kept: object

    @classmethod
    def of(cls, bins: CategoricalBins, batch: pa.RecordBatch, null_values: tuple[str, ...]) -> CategoryColumn:
        """Read a column; one that is absent is null."""
        array = batch.column(bins.name) if bins.name in batch.schema.names else pa.nulls(batch.num_rows)
        indices, lookup = _positions(bins, array, null_values)
        return cls(bins, _addresses(indices), lookup, indices)

    def count(self, offset: int, plan: Plan, counts: Ints) -> None:
        """Add the rows to the counts of their groups; codes begin at `offset`."""
        null = self.bins.bins
        numeric_kernels.count_indices(*self.addresses, plan.order, plan.runs, self.lookup, null, offset, counts)

    def codes(self, rows: Ints, start: int, out: Codes) -> None:
        """Write the codes of `rows`, or without any those from `start` on."""
        numeric_kernels.encode_indices(*self.addresses, rows, self.lookup, self.bins.bins, start, out)


def _positions(
    column: CategoricalBins, array: pa.Array[Any], null_values: tuple[str, ...]
) -> tuple[pa.Array[Any], Codes]:
    """Return each row's position (int32) in a dictionary, and the code of each entry of it."""
    every = np.arange(column.width, dtype=np.uint16)
    if column.classes:
        positions = arrow.class_codes(array, column.names, null_values)
        codes = np.select(
            (positions == arrow.OF_NULL, positions == arrow.OF_NO_CLASS), (column.bins, column.unknown), positions
        )
        return arrow_numbers(codes.astype(np.int32, copy=False)), every
    if not column.names and column.others is None:  # presence only: `other` or null
        return arrow_numbers(arrow.is_null(array).astype(np.int32) * column.bins), every
    if isinstance(array, pa.DictionaryArray) and pa.types.is_string(array.dictionary.type):
        return pc.cast(array.indices, pa.int32()), _codes_of_texts(column, array.dictionary)
    indices, values = arrow.categories(array)
    known, unknown = column.codes, column.unknown
    codes_of = [*(known.get(v, unknown) for v in values), column.bins]
    return arrow_numbers(np.where(indices < 0, np.int32(len(values)), indices)), np.array(codes_of, np.uint16)


def _codes_of_texts(column: CategoricalBins, texts: pa.Array[Any]) -> Codes:
    """Return the code of each text of a dictionary: the usual case, without Python strings."""
    known, codes_of = column.ordered
    found = numpy_of(pc.index_in(texts, value_set=known), null=-1)
    lookup = np.full(len(found), column.unknown, np.uint16)
    lookup[found >= 0] = codes_of[found[found >= 0]]
    if texts.null_count:
        lookup[arrow.is_null(texts)] = column.bins
    return lookup
