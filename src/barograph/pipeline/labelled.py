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
    before its event. Events without a usable label have null. A schema without a label gets the events as they are.
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
        self.untimed = told == _NULL
        self.times = np.where(self.untimed, received, told)

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
        times = np.where(self.untimed[rows], np.maximum(self.times[rows], event_times[event]), self.times[rows])
        return Labels(ids=codes[event], values=self.values[rows], times=times)

    def _numbers(self, labels: pa.Array) -> npt.NDArray[np.float64]:
        if self.regression:
            return np.asarray(labels.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
        found = pc.index_in(labels, value_set=self.classes).cast(pa.float64())
        return np.asarray(found.to_numpy(zero_copy_only=False), np.float64)


_NULL = np.iinfo(np.int64).min
_ALL = from_microseconds(2**57)  # everything that is filed is known, whatever a clock says


def _microseconds(times: pa.Array | pa.ChunkedArray) -> Ints:
    numbers = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return np.asarray(pc.fill_null(numbers, _NULL).to_numpy(), np.int64)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
