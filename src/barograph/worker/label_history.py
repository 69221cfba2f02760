"""What the newest days of the tables tell of labels: how late they come, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from barograph.arrays import Bools, Floats, Ints
from barograph.labels.delay import DelayCurves, delay_curves
from barograph.labels.ledger import Events, LabelProblems, Labels, labels_as_of
from barograph.spec.schema import Schema
from barograph.store.layout import ID, LABEL, LABEL_TIMESTAMP, RECEIVED, SEQUENCE
from barograph.store.tables import UNKNOWN, ModelTables
from barograph.times import DAY_US, SECOND_US, from_microseconds, start_of_day

MOST_ROWS = 200_000  # events that are looked through: the newest days that have no more
_ALL = from_microseconds(2**57)  # everything that is filed is known, whatever a clock says


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsFound:
    """What the newest `days`, of all `of_days`, tell of `events` with `labelled` labels."""

    curves: DelayCurves
    positive_share: float
    days: int
    of_days: int
    events: int
    labelled: int
    problems: LabelProblems
    without_event: int

    def within(self, share: float) -> float | None:
        """Return within how many seconds a share of the labels comes that come at all; None without labels."""
        curves = self.curves
        if not curves.n:
            return None
        both = (1 - self.positive_share) * curves.arrived[0] + self.positive_share * curves.arrived[1]
        return float(curves.ages[min(int(np.searchsorted(both, share)), len(both) - 1)])

    def arrived(self) -> list[tuple[float, float]]:
        """Return ages in seconds and the share of all events that has a label by then."""
        curves = self.curves
        both = (1 - self.positive_share) * curves.arrived[0] + self.positive_share * curves.arrived[1]
        return list(zip(curves.ages.tolist(), (both * (1 - curves.never)).tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelHistory:
    """The events of the newest days with their labels. `days` is how many, of all that have events.

    `ids` (n,), `times` and `scores` are those of the events, `labelled` says which have a label, and `delays` (n,) by
    how many seconds it came later than its event, or how old the event is that waits for one. `positive` (n,) are those
    whose label is the positive class of a binary model. `without_event` counts labels whose event has not come.
    """

    days: int
    of_days: int
    ids: npt.NDArray[np.object_]
    times: Ints
    scores: Floats
    labelled: Bools
    delays: Floats
    positive: Bools
    problems: LabelProblems = field(default_factory=LabelProblems)
    without_event: int = 0

    @property
    def curves(self) -> DelayCurves:
        """Return the share of labels that have come by an age in seconds."""
        return delay_curves(self.delays[self.labelled], self.positive[self.labelled], self.delays[~self.labelled])

    @property
    def found(self) -> LabelsFound:
        """Return what is told of it: a small part of its size."""
        n = int(self.labelled.sum())
        return LabelsFound(
            curves=self.curves,
            positive_share=int(self.positive.sum()) / max(n, 1),
            days=self.days,
            of_days=self.of_days,
            events=len(self.ids),
            labelled=n,
            problems=self.problems,
            without_event=self.without_event,
        )


def label_history(tables: ModelTables, schema: Schema, *, now_us: int) -> LabelHistory | None:
    """Read the newest days with at most `MOST_ROWS` events; None without events, or if a day alone has more."""
    sizes = {day: size.rows for day, size in tables.statistics("events").days.items() if size.rows}
    days = list(_newest(sizes))
    if not days:
        return None
    score = next(iter(schema.scores.values()), None) if schema.task.has_positive else None
    ids, times, scores = _events(tables, schema, days, score)
    waiting = tables.statistics("labels").days.get(UNKNOWN)
    labels, values = _labels(tables, days, schema)
    state = labels_as_of(Events(ids=ids, times=times), labels, as_of=_ALL)
    known = np.where(state.labelled, state.times, now_us)
    positive = np.zeros(len(ids), bool)
    if schema.task.has_positive:
        positive = state.labelled & (state.values == values.get(schema.positive, -1.0))
    return LabelHistory(
        days=len(days),
        of_days=len(sizes),
        ids=ids,
        times=times,
        scores=scores,
        labelled=state.labelled,
        delays=np.maximum((known - times) / SECOND_US, 0.0),
        positive=positive,
        problems=state.problems,
        without_event=waiting.rows if waiting else 0,
    )


def _newest(sizes: Mapping[str, int]) -> Iterator[str]:
    rows = 0
    for day in sorted(sizes, reverse=True):
        rows += sizes[day]
        if rows > MOST_ROWS:
            return
        yield day


def _events(
    tables: ModelTables, schema: Schema, days: Sequence[str], score: str | None
) -> tuple[npt.NDArray[np.object_], Ints, Floats]:
    there = tables.schema("events")
    columns = [c for c in (schema.id, schema.timestamp, score) if c and there is not None and c in there.names]
    start, end = start_of_day(min(days)), start_of_day(max(days)) + DAY_US
    table = pa.Table.from_batches(list(tables.events_between(start, end, columns=columns)))
    assert schema.id is not None
    assert schema.timestamp is not None
    ids = np.asarray(table.column(schema.id).cast(pa.string()).to_numpy(zero_copy_only=False), object)
    scores = np.full(len(ids), np.nan)
    if score in columns:
        numbers = pc.cast(table.column(score), pa.float64(), safe=False)
        scores = np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)
    return ids, _microseconds(table.column(schema.timestamp)), scores


def _labels(tables: ModelTables, days: Sequence[str], schema: Schema) -> tuple[Labels, dict[str, float]]:
    """Return labels in the order of receipt, with classes as numbers, and the number of each class."""
    columns = (ID, LABEL, LABEL_TIMESTAMP, RECEIVED, SEQUENCE)
    batches = list(tables.labels_of_days(days, columns=columns))
    if not batches:
        return Labels(ids=np.empty(0, object), values=np.empty(0), times=np.empty(0, np.int64)), {}
    table = pa.Table.from_batches(batches).sort_by(SEQUENCE)
    ids = np.asarray(table.column(ID).cast(pa.string()).to_numpy(zero_copy_only=False), object)
    told, received = _microseconds(table.column(LABEL_TIMESTAMP)), _microseconds(table.column(RECEIVED))
    times = np.where(told == _NULL, received, told)
    if schema.task.numeric:
        numbers = pc.cast(table.column(LABEL), pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return Labels(ids=ids, values=np.asarray(numbers, np.float64), times=times), {}
    encoded = table.column(LABEL).cast(pa.string()).combine_chunks().dictionary_encode()
    names = {str(name): float(i) for i, name in enumerate(encoded.dictionary.to_pylist())}
    codes = np.asarray(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), np.float64)
    return Labels(ids=ids, values=np.where(codes < 0, np.nan, codes), times=times), names


_NULL = np.iinfo(np.int64).min


def _microseconds(times: pa.ChunkedArray) -> Ints:
    numbers = pc.fill_null(times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()), _NULL)
    return np.asarray(numbers.to_numpy(), np.int64)
