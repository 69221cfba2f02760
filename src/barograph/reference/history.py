"""The reference cut as production is cut: how many rows came, and what performance was, in each hour, day or month.

How much a metric varies from day to day is seen in days, and that it follows the weekday, too: neither in twenty blocks
of a longer reference. What is kept of each block is the value, its standard error and the rows behind it; the tables
that these were computed from are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self  # Any: arrays of several types

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.chunks import Chunk, ChunkRule, OneChunk, RowChunks, TimeChunks
from barograph.frames.read import Rows
from barograph.metrics import Metric, catalogue
from barograph.metrics.facts import alerting
from barograph.metrics.performance._excess import RESIDUAL
from barograph.profiles.build import build_profiles
from barograph.profiles.clock import clock_of, time_span
from barograph.profiles.join import regroup
from barograph.profiles.profiles import ALL, Profiles
from barograph.profiles.tables import empty_tables
from barograph.profiles.yardstick import Yardstick
from barograph.reference.measure import applies, measure_across
from barograph.reference.partition import single_leaf
from barograph.reference.phases import NO_TIME, has_cycles, length_of, phases
from barograph.tasks import Task
from barograph.times import to_microseconds

CALENDAR = ("h", "d", "w", "mo")  # lengths that are kept where the chunk is not known yet
FEWEST = 8  # blocks of a length that are worth keeping
ENOUGH_ROWS = 5.0  # of a block, on average
MOST_BLOCKS = 2_000
MOST_NUMBERS = 2**25  # that the tables of all blocks may hold while they are counted: 256 MiB
ALIKE = 0.12  # by which a chunk and a block may differ in length, as months do


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Values of metrics, in blocks of the reference that are cut by the rule `chunk`, in the order of time.

    `series` are pairs of a metric and a segment ("" for all rows); `values`, `errors` and `rows` are (blocks, series),
    NaN where there is no value or error. `starts` and `ends` are microseconds, `NO_TIME` without a timestamp. `came`
    are the rows that came, NaN where the reference does not fill the block.
    """

    chunk: str
    starts: Ints
    ends: Ints
    came: Floats
    series: tuple[tuple[str, str], ...]
    values: Floats
    errors: Floats
    rows: Floats

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def days(self) -> float:
        """Return how many days a block lasts, 0 for runs of rows."""
        return 0.0 if self.chunk.endswith("rows") else length_of(self.starts, self.ends)

    def has(self, metric: str, segment: str) -> bool:
        """Return whether a metric of a segment has a value in enough blocks."""
        if (metric, segment) not in self.series:
            return False
        return int(np.isfinite(self.values[:, self.series.index((metric, segment))]).sum()) >= FEWEST

    def phases(self, *, zone: str) -> Ints | None:
        """Return the phase of each block; None where there is no rhythm, or it is not held twice."""
        if not self.days or not has_cycles(self.starts, self.days):
            return None
        return phases(self.starts, self.days, zone=zone)

    def in_runs(self, length: int) -> History:
        """Return runs of `length` neighbours as one block: the mean of their values, weighted by rows.

        For sums of rows that is what the longer block has; for the others it is close.
        """
        count = len(self) // length
        if length == 1 or not count:
            return self
        cut = slice(len(self) - count * length, None)  # the latest are nearest to what comes

        def runs(array: Floats) -> Floats:
            return np.asarray(array[cut].reshape(count, length, -1))

        values, errors = runs(self.values), runs(self.errors)
        n = np.where(np.isfinite(values), runs(self.rows), 0.0)
        total = n.sum(axis=1)
        some = np.maximum(total, 1e-300)
        mean = (n * np.where(np.isfinite(values), values, 0.0)).sum(axis=1) / some
        variance = ((n * np.where(np.isfinite(errors), errors, 0.0)) ** 2).sum(axis=1) / some**2
        return replace(
            self,
            chunk=f"{length} times {self.chunk}",
            starts=self.starts[cut][::length],
            ends=self.ends[cut][length - 1 :: length],
            came=self.came[cut].reshape(count, length).sum(axis=1),
            values=np.where(total > 0, mean, np.nan),
            errors=np.where(variance > 0, np.sqrt(variance), np.nan),
            rows=total,
        )

    def parts(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return what `of_parts` reads: plain values, and arrays by name."""
        names = ("starts", "ends", "came", "values", "errors", "rows")
        plain = {"chunk": self.chunk, "series": [list(pair) for pair in self.series]}
        return plain, {name: getattr(self, name) for name in names}

    @classmethod
    def of_parts(cls, plain: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the history that `parts` took apart."""
        series = tuple((str(metric), str(segment)) for metric, segment in plain["series"])
        return cls(chunk=plain["chunk"], series=series, **arrays)


def best_for(histories: Sequence[History], *, days: float, rows: float | None) -> History | None:
    """Return the history in blocks like chunks that last so many `days` (or hold so many `rows`); None without one.

    Shorter blocks are put together where no others are as long.
    """
    found: list[tuple[int, History]] = []
    for history in histories:
        own = history.days
        if (own == 0) != (rows is not None):
            continue
        length = rows / float(np.nanmedian(history.came)) if rows and len(history) else days / own if own else 0.0
        times = round(length)
        if times >= 1 and abs(length / times - 1) <= ALIKE and len(history) // times >= FEWEST:
            found.append((times, history))
    if not found:
        return None
    times, history = min(found, key=lambda pair: pair[0])
    return history.in_runs(times)


def histories(yardstick: Yardstick, rows: Rows, chunk: ChunkRule | None) -> tuple[History, ...]:
    """Return the histories of reference rows: cut by `chunk`, or by the calendar where it is not known.

    Only when rows came, what the model said and what was true is read. Lengths of which there are too few blocks, or
    that hold too few rows, are left out; so are segments, where the tables of all would be too large.
    """
    narrow = _outputs_only(yardstick)
    names = [
        name for name in (*headlines(yardstick.schema.task), *_of_all_rows()) if applies(headline(name), narrow, None)
    ]
    if yardstick.schema.label is None:
        names = []
    if isinstance(chunk, OneChunk):
        return ()
    if isinstance(chunk, RowChunks):
        many = rows.rows is not None and rows.rows > MOST_BLOCKS * chunk.size
        return () if many else _kept([_history(_counted(narrow, rows, chunk), chunk, names)])
    if clock_of(rows, yardstick.schema) is None:
        return ()
    lengths = _lengths(yardstick, rows) if chunk is None else [chunk]
    if not lengths:
        return ()
    # The shortest blocks may be too many to be counted by segment: then that is done from the next length on.
    cuts = [lengths] if _fits(narrow, rows, lengths[0]) or len(lengths) == 1 else [lengths[:1], lengths[1:]]
    found = []
    for same in cuts:
        finest = _counted(narrow, rows, same[0])
        found += [_history(_longer(finest, rule), rule, names) for rule in same]
    return _kept(found)


def headlines(task: Task) -> list[str]:
    """Return the metrics that say how a model of this task is, and that need nothing but what was said and true."""
    return [name for name in alerting(task) if not catalogue()["performance", name].takes("values")]


def headline(name: str) -> Metric:
    """Return the metric of one of the series of a history."""
    if name == RESIDUAL.name:
        return RESIDUAL
    return next(m for m in catalogue().values() if m.name == name and (m.family == "performance" or m.foretells))


def _of_all_rows() -> list[str]:
    """Return what is kept beside the headline metrics, and not of segments."""
    return [RESIDUAL.name, *(m.name for m in catalogue().values() if m.foretells)]


def _kept(found: Sequence[History]) -> tuple[History, ...]:
    return tuple(history for history in found if len(history) >= FEWEST)


def _outputs_only(yardstick: Yardstick) -> Yardstick:
    """Return the yardstick of a model without features: performance is counted from what it said and what was true."""
    schema = yardstick.schema
    outputs = {c for c in (*schema.scores.values(), schema.prediction, schema.label) if c}
    return replace(
        yardstick,
        schema=replace(schema, features={}, id=None, groups=()),
        columns=tuple(c for c in yardstick.columns if c.name in outputs),
        partition=single_leaf(),
        covariance=(),
        kept={},
    )


def _lengths(yardstick: Yardstick, rows: Rows) -> list[TimeChunks]:
    """Return the calendar lengths of which there are enough blocks with enough rows, the shortest first."""
    clock = clock_of(rows, yardstick.schema)
    assert clock is not None
    span = time_span(rows, clock)
    seconds = (span.last - span.first) / 1e6
    found = []
    for rule in (TimeChunks(unit, yardstick.schema.timezone) for unit in CALENDAR):
        blocks = seconds / rule.seconds
        if FEWEST - 1 <= blocks <= MOST_BLOCKS and span.rows / max(blocks, 1.0) >= ENOUGH_ROWS:
            found.append(rule)
    return found


def _counted(narrow: Yardstick, rows: Rows, rule: ChunkRule) -> Profiles:
    """Count rows by blocks; without segments where the tables would be too large."""
    if not _fits(narrow, rows, rule):
        narrow = replace(narrow, segments={}, schema=replace(narrow.schema, segments=()))
    threads = 1 if 2 * _size(narrow) * _blocks(narrow, rows, rule) > MOST_NUMBERS else None
    return build_profiles(narrow, rows, chunk=rule, threads=threads)


def _fits(narrow: Yardstick, rows: Rows, rule: ChunkRule) -> bool:
    """Return whether rows can be counted by blocks and segments."""
    each = 1 + sum(column.width for column in narrow.segments.values())
    return _size(narrow) * each * _blocks(narrow, rows, rule) <= MOST_NUMBERS


def _size(narrow: Yardstick) -> int:
    return sum(array.size for array in empty_tables(narrow, 1, products=False).values())


def _blocks(narrow: Yardstick, rows: Rows, rule: ChunkRule) -> float:
    if isinstance(rule, TimeChunks) and (clock := clock_of(rows, narrow.schema)) is not None:
        span = time_span(rows, clock)
        return max((span.last - span.first) / 1e6 / rule.seconds, 1.0)
    return (rows.rows or 0) / rule.size if isinstance(rule, RowChunks) else 1.0


def _longer(finest: Profiles, rule: TimeChunks) -> Profiles:
    """Return the same rows cut by a longer rule."""
    starts = [rule.floor(c.start) for c in finest.chunks if c.start is not None]
    if len(starts) != len(finest.chunks):
        return finest
    each = sorted(set(starts))
    chunks = tuple(Chunk(key=rule.key(start), start=start, end=rule.next(start)) for start in each)
    place = {start: i for i, start in enumerate(each)}
    return regroup(finest, chunks, np.array([place[start] for start in starts], np.intp))


def _history(profiles: Profiles, rule: TimeChunks | RowChunks, names: Sequence[str]) -> History:
    segments, apart = [ALL, *(s for s in profiles.segments if profiles.total(s).n)], _of_all_rows()
    series = tuple((name, segment) for segment in segments for name in names if segment == ALL or name not in apart)
    columns: dict[str, list[Floats]] = {"values": [], "errors": [], "rows": []}
    for name, segment in series:
        found = measure_across(headline(name), profiles, profiles.total(segment), segment=segment)
        nothing = np.full(found.shape, np.nan)
        columns["values"].append(np.where(found.defined, found.value, np.nan))
        error = nothing if found.standard_error is None else found.standard_error
        columns["errors"].append(np.where(found.defined, error, np.nan))
        columns["rows"].append(np.where(found.defined, found.n, 0).astype(np.float64))
    chunk = rule.name if isinstance(rule, TimeChunks) else f"{rule.size}rows"
    filled = np.array([c.complete for c in profiles.chunks], np.bool_)
    return History(
        chunk=chunk,
        starts=_times(c.start for c in profiles.chunks),
        ends=_times(c.end for c in profiles.chunks),
        came=np.where(filled, profiles.tables["rows"], np.nan),
        series=series,
        **{name: np.array(found).reshape(len(series), len(filled)).T for name, found in columns.items()},
    )


def _times(times: Any) -> Ints:
    return np.array([NO_TIME if time is None else to_microseconds(time) for time in times], np.int64)
