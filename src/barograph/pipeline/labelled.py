"""Events with the labels that are known of them: what a chunk's profile is rebuilt from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from barograph.chunks import from_microseconds
from barograph.ledger.labels import Events, Labels, labels_as_of
from barograph.profiles.rows import Part, Rows
from barograph.spec.schema import Schema, Task

Ints = npt.NDArray[np.int64]
Batches = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]  # of these columns


def labelled_rows(schema: Schema, names: pa.Schema, events: Batches, labels: pa.Table) -> Rows:
    """Return filed events as rows with the schema's label column, read batch by batch.

    `events` reads the batches anew each time it is called; `names` is their Arrow schema. `labels` are rows of the
    label table (`store.layout.label_schema`) in any order, of these or other events. Which label counts is said by
    `ledger.labels_as_of`: the last revision; a label without a time of its own is known since it was received, but not
    before its event or such a label that came earlier. Events without a usable label have null. A schema without a
    label gets the events as they are.
    """
    if schema.label is None:
        return Rows(name="events", schema=names, parts=[Part(read=events)])
    known = _Known(schema, labels)
    field = pa.field(schema.label, known.type)
    needed = [c for c in (schema.id, schema.timestamp) if c]

    def read(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if field.name not in columns:
            yield from events(columns)
            return
        wanted = [c for c in columns if c != field.name]
        for batch in events(list(dict.fromkeys((*wanted, *needed)))):
            ids, times = (batch.column(c) for c in needed)
            present = [c for c in wanted if c in batch.schema.names]
            arrays = [*(batch.column(c) for c in present), known.of(ids, times)]
            yield pa.RecordBatch.from_arrays(arrays, names=[*present, field.name])

    return Rows(name="events", schema=names.append(field), parts=[Part(read=read)])


class _Known:
    """The labels by event id, as numbers: positions of classes, or the values of a regression."""

    def __init__(self, schema: Schema, labels: pa.Table) -> None:
        labels = labels.sort_by("_sequence").combine_chunks()
        self.regression = schema.task is Task.REGRESSION
        self.type = pa.float64() if self.regression else pa.string()
        self.classes = pa.array(schema.classes, pa.string())
        encoded = _one_array(labels.column("id")).dictionary_encode()
        self.ids = encoded.dictionary
        self.of_label = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        # All labels of one id stand together, in the order in which they were received.
        order = np.argsort(self.of_label, kind="stable")
        self.of_label = self.of_label[order]
        self.values = self._numbers(_one_array(labels.column("label")))[order]
        told = _microseconds(labels.column("label_timestamp"))[order]
        received = _microseconds(labels.column("_received"))[order]
        self.untimed = (told == _NULL) | (told == received)  # ingest fills in what a label does not say
        self.times, self.numbers = told.copy(), np.zeros_like(told)
        ordered = _in_order(received[self.untimed], self.of_label[self.untimed])
        self.times[self.untimed], self.numbers[self.untimed] = ordered

    def of(self, ids: pa.Array, times: pa.Array) -> pa.Array:
        """Return the label of each event, null where there is none."""
        found = pc.index_in(ids, value_set=self.ids)
        codes = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        at = np.flatnonzero(codes >= 0)
        values = np.full(len(codes), np.nan)
        if len(at):
            event_times = _microseconds(times)[at]
            state = labels_as_of(
                Events(ids=codes[at], times=event_times), self._of_events(codes[at], event_times), as_of=_ALL
            )
            values[at] = state.values
        if self.regression:
            return pa.array(values, pa.float64(), from_pandas=True)
        positions = pa.array(np.nan_to_num(values, nan=0.0).astype(np.int32), mask=np.isnan(values))
        return self.classes.take(positions)

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
        if self.regression:
            return np.asarray(labels.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
        found = pc.index_in(labels, value_set=self.classes).cast(pa.float64())
        return np.asarray(found.to_numpy(zero_copy_only=False), np.float64)


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


def _microseconds(times: pa.Array | pa.ChunkedArray) -> Ints:
    numbers = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return np.asarray(pc.fill_null(numbers, _NULL).to_numpy(), np.int64)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
