"""Events with the labels that are known of them: what a chunk's profile is rebuilt from.

In memory are the ids and labels of some events only, as 128-bit hashes and numbers, however many labels the table has:
a large chunk is rebuilt in slices of the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self  # Any: columns of several types

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from barograph.arrays import Hashes, Ints
from barograph.frames.rows import Part, Rows
from barograph.labels.ledger import Events, Labels, labels_as_of
from barograph.spec.schema import Schema
from barograph.store.delta import kernels
from barograph.store.delta.ids import halves, hash_ids
from barograph.store.layout import ID, LABEL, LABEL_TIMESTAMP, RECEIVED, SEQUENCE
from barograph.times import from_microseconds

Batches = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]  # of these columns

COLUMNS = (ID, LABEL, LABEL_TIMESTAMP, RECEIVED, SEQUENCE)  # of labels


@dataclass(frozen=True, slots=True)
class Slice:
    """One of `of` equal parts of the hashes of all ids."""

    number: int = 0
    of: int = 1

    @classmethod
    def all(cls, of: int) -> list[Self]:
        """Return the slices that make up the whole."""
        return [cls(number, of) for number in range(of)]

    def holds(self, high: Hashes) -> npt.NDArray[np.bool_]:
        """Return which ids are in it, by the upper half of their hashes."""
        width = 2**64 // self.of
        held = high >= np.uint64(self.number * width)
        return held if self.number == self.of - 1 else held & (high < np.uint64((self.number + 1) * width))


WHOLE = Slice()


def labelled_rows(schema: Schema, names: pa.Schema, events: Batches, labels: Batches, part: Slice = WHOLE) -> Rows:
    """Return the filed events of a slice as rows with the schema's label column, read batch by batch.

    `events` and `labels` read their batches anew each time they are called; `names` is the Arrow schema of events.
    Labels have the columns `COLUMNS`, are in any order, and of these or other events. Which label counts is said by
    `ledger.labels_as_of`: the last revision; a label without a time of its own is known since it was received, but not
    before its event or such a label that came earlier. Events without a usable label have null. A schema without a
    label gets the events as they are.
    """
    needed = [c for c in (schema.id, schema.timestamp) if c]
    assert len(needed) == 2, "every model of the service has both"

    def of_slice(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if part.of == 1:
            yield from events(columns)
            return
        for batch in events(list(dict.fromkeys((*columns, needed[0])))):
            held = part.holds(halves(batch.column(needed[0]))[0])
            yield batch.filter(pa.array(held)).select([c for c in columns if c in batch.schema.names])

    if schema.label is None:
        return Rows(name="events", schema=names, parts=[Part(read=of_slice)])
    ids = _ids(batch.column(needed[0]) for batch in of_slice(needed[:1]))
    known = _Known(schema, ids, labels(COLUMNS))
    field = pa.field(schema.label, known.type)

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if field.name not in columns:
            yield from of_slice(columns)
            return
        wanted = [c for c in columns if c != field.name]
        for batch in of_slice(list(dict.fromkeys((*wanted, *needed)))):
            ids, times = (batch.column(c) for c in needed)
            present = [c for c in wanted if c in batch.schema.names]
            arrays = [*(batch.column(c) for c in present), known.of(ids, times)]
            yield pa.RecordBatch.from_arrays(arrays, names=[*present, field.name])

    return Rows(name="events", schema=names.append(field), parts=[Part(read=read)])


def _ids(columns: Iterator[pa.Array]) -> tuple[Hashes, Hashes]:
    """Return both halves of the hashes of ids, sorted by the first."""
    found = [halves(column) for column in columns]
    high, low = (np.concatenate([np.empty(0, np.uint64), *(both[i] for both in found)]) for i in (0, 1))
    order = np.argsort(high)
    return high[order], low[order]


class _Known:
    """The labels of some events by id, as numbers: positions of classes, the known ones first, or the values."""

    def __init__(self, schema: Schema, ids: tuple[Hashes, Hashes], labels: Iterator[pa.RecordBatch]) -> None:
        self.numeric = schema.task.numeric
        self.type = pa.float64() if self.numeric else pa.string()
        self.classes = {c: i for i, c in enumerate(schema.classes)}
        high, low, values, told, received, sequence = self._joined(ids, labels)
        # All labels of one id stand together, in the order in which they were received.
        order = np.lexsort((sequence, low, high))
        del sequence
        high, low, told, received = high[order], low[order], told[order], received[order]
        self.values = values[order]
        first = np.ones(len(high), bool)
        first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        self.of_label = np.cumsum(first) - 1
        self.ids = high[first], low[first]
        self.untimed = (told == _NULL) | (told == received)  # ingest fills in what a label does not say
        self.times, self.numbers = told, np.zeros_like(told)
        ordered = _in_order(received[self.untimed], self.of_label[self.untimed])
        self.times[self.untimed], self.numbers[self.untimed] = ordered

    def of(self, ids: pa.Array, times: pa.Array) -> pa.Array:
        """Return the label of each event, null where there is none."""
        codes = np.empty(len(ids), np.int64)
        kernels.find(*halves(ids), *self.ids, codes)
        at = np.flatnonzero(codes >= 0)
        values = np.full(len(codes), np.nan)
        if len(at):
            event_times = _microseconds(times)[at]
            state = labels_as_of(
                Events(ids=codes[at], times=event_times), self._of_events(codes[at], event_times), as_of=_ALL
            )
            values[at] = state.values
        if self.numeric:
            return pa.array(values, pa.float64(), from_pandas=True)
        positions = pa.array(np.nan_to_num(values, nan=0.0).astype(np.int32), mask=np.isnan(values))
        return pa.array(list(self.classes), pa.string()).take(positions)

    def _joined(self, ids: tuple[Hashes, Hashes], labels: Iterator[pa.RecordBatch]) -> list[npt.NDArray[Any]]:
        """Return the columns of `_kept` of all batches; the pieces of each are let go once they are joined."""
        kinds = (np.uint64, np.uint64, np.float64, np.int64, np.int64, np.int64)
        pieces: list[list[npt.NDArray[Any]]] = [[np.empty(0, kind)] for kind in kinds]
        for batch in labels:
            for column, piece in zip(pieces, self._kept(ids, batch), strict=True):
                column.append(piece)
        return [np.concatenate(pieces.pop(0)) for _ in kinds]

    def _kept(self, ids: tuple[Hashes, Hashes], labels: pa.RecordBatch) -> tuple[npt.NDArray[Any], ...]:
        """Return the labels of these ids: both halves, value, times and place in the order of receipt."""
        hashes = hash_ids(labels.column(ID))
        known = np.zeros(len(hashes.high), bool)
        kernels.mark_known(hashes.high, hashes.low, *ids, known)
        rows = hashes.rows[known]
        values = self._numbers(labels.column(LABEL))[rows]
        told, received = (_microseconds(labels.column(c))[rows] for c in (LABEL_TIMESTAMP, RECEIVED))
        sequence = labels.column(SEQUENCE).to_numpy(zero_copy_only=False)[rows]
        return hashes.high[known], hashes.low[known], values, told, received, sequence

    def _of_events(self, codes: Ints, event_times: Ints) -> Labels:
        """Return the labels of these events."""
        low, high = np.searchsorted(self.of_label, codes, "left"), np.searchsorted(self.of_label, codes, "right")
        counts = high - low
        rows = np.repeat(low - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) + np.arange(counts.sum())
        event = np.repeat(np.arange(len(codes)), counts)
        times = self.times[rows]
        after_event = np.maximum(times, event_times[event] + self.numbers[rows])
        times = np.where(self.untimed[rows], after_event, times)
        return Labels(ids=codes[event], values=self.values[rows], times=times)

    def _numbers(self, labels: pa.Array) -> npt.NDArray[np.float64]:
        if self.numeric:
            return np.asarray(labels.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
        encoded = labels.dictionary_encode()
        for text in encoded.dictionary.to_pylist():  # a label may be of a class that the reference does not have
            self.classes.setdefault(text, len(self.classes))
        places = np.array([*(self.classes[text] for text in encoded.dictionary.to_pylist()), np.nan])
        return np.asarray(places[pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)], np.float64)


def _in_order(received: Ints, of_label: Ints) -> tuple[Ints, Ints]:
    """Return when labels without a time of their own were known, and the number of each among those of its id.

    Rows of one id stand together, in the order of receipt, and their times grow in it: with a clock that was set back
    in between, or another node's, the older label would count else. Labels received at one moment stay at one.
    """
    same = of_label[1:] == of_label[:-1]
    numbers = np.concatenate(([0], np.cumsum(same & (received[1:] != received[:-1]))))[: len(received)]
    first = np.flatnonzero(np.concatenate(([True], ~same)))[: len(received)]
    numbers -= np.repeat(numbers[first], np.diff(np.append(first, len(received))))
    times = received.copy()
    for label in np.unique(of_label[1:][same & (received[1:] < received[:-1])]):
        few = slice(np.searchsorted(of_label, label, "left"), np.searchsorted(of_label, label, "right"))
        times[few] = np.maximum.accumulate(received[few] - numbers[few]) + numbers[few]
    return times, numbers


_NULL = np.iinfo(np.int64).min
_ALL = from_microseconds(2**57)  # everything that is filed is known, whatever a clock says


def _microseconds(times: pa.Array) -> Ints:
    numbers = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return np.asarray(pc.fill_null(numbers, _NULL).to_numpy(zero_copy_only=False), np.int64)
