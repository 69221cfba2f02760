"""What rules are fed: result rows and profiles as arrays over chunks and monitors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from barograph.arrays import Bools, Floats, Ints
from barograph.chunks import Chunk
from barograph.monitors.evaluate import novelty
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.outcome import Estimate, Outcomes
from barograph.profiles.profiles import Profile, Profiles
from barograph.profiles.yardstick import CategoricalBins
from barograph.reference.history import History
from barograph.reference.measure import measure, measure_across, sketch, wanted
from barograph.reference.phases import NO_TIME, phases
from barograph.reference.reference import Reference
from barograph.rules import Feed, Takes
from barograph.sketches.cells import BinaryCells
from barograph.sketches.counts import Counts
from barograph.sketches.scores import NEGATIVE, PENDING, POSITIVE
from barograph.times import to_microseconds


def feed_of_chunks(
    takes: Takes,
    profiles: Profiles,
    segment: str,
    monitors: Sequence[Monitor],
    results: Mapping[str, Mapping[str, Result]],
    *,
    first: int = 0,
) -> Feed:
    """Return what a rule is fed of chunks; `results` are the rows of each monitor that count, by chunk.

    The first of the chunks has the place `first` among all.
    """
    across = profiles.across(segment)
    if takes == "values":
        cells = [[results.get(m.name, {}).get(chunk.key) for m in monitors] for chunk in profiles.chunks]
        shape = (len(profiles.chunks), len(monitors))
        values = np.array([[_number(c.value if c else None) for c in row] for row in cells], np.float64).reshape(shape)
        errors = np.array([[_number(c.standard_error if c else None) for c in row] for row in cells], np.float64)
        rows = np.array([[c.n if c and c.value is not None else 0 for c in row] for row in cells], np.float64)
        feed = _feed(profiles, across, first, values=values, errors=errors.reshape(shape), rows=rows.reshape(shape))
    else:
        feed = _feed(profiles, across, first, **_counted(takes, profiles, across, monitors))
    zone = profiles.yardstick.schema.timezone
    days = float(np.median(feed.days)) if len(feed) else 0.0
    return replace(feed, phase=phases(_starts(profiles.chunks), days, zone=zone))


def feed_of_reference(
    takes: Takes,
    blocks: Profiles,
    segment: str,
    monitors: Sequence[Monitor],
    *,
    total: Profile,
    phase: Ints | None = None,
) -> Feed:
    """Return what a rule learns from: the blocks of the reference that have rows; `total` is all of them."""
    across = blocks.across(segment)
    arrays: dict[str, Floats]
    if takes == "values":
        found = [
            measure_across(m.metric, blocks, total, column=m.column, segment=segment, options=m.options)
            for m in monitors
        ]
        arrays = {
            "values": np.column_stack([np.where(o.defined, o.value, np.nan) for o in found]),
            "errors": np.column_stack([_errors(o) for o in found]),
            "rows": np.column_stack([np.where(o.defined, o.n, 0).astype(np.float64) for o in found]),
        }
    else:
        arrays = _counted(takes, blocks, across, monitors)
        if takes == "parts":
            # The reference knows all of its own categories; of later rows some are new by nature.
            arrays["counts"][:, :, 0] += arrays["rows"] * [_novelty(across, m) for m in monitors]
    feed = _feed(blocks, across, 0, **arrays)
    some = feed.came
    return Feed(
        days=feed.days[some],
        came=feed.came[some],
        order=feed.order[some],
        values=_some(arrays, "values", some),
        errors=_some(arrays, "errors", some),
        counts=_some(arrays, "counts", some),
        rows=_some(arrays, "rows", some),
        phase=None if phase is None else phase[some],
    )


def feed_of_history(history: History, monitors: Sequence[Monitor], *, zone: str) -> Feed:
    """Return what a rule learns from blocks of the reference that are cut like the chunks."""
    columns = [history.series.index((m.metric.name, m.segment)) for m in monitors]
    rows = history.rows[:, columns]
    some = rows.any(axis=1)
    phase = history.phases(zone=zone)
    return Feed(
        days=np.full(int(some.sum()), history.days or 1.0),
        came=np.ones(int(some.sum()), np.bool_),
        order=np.flatnonzero(some),
        values=history.values[some][:, columns],
        errors=history.errors[some][:, columns],
        rows=rows[some],
        phase=None if phase is None else phase[some],
    )


def feed_of_whole(total: Profile, monitors: Sequence[Monitor]) -> Feed:
    """Return all of the reference as one block."""
    found = [measure(m.metric, total, total, column=m.column, options=m.options) for m in monitors]
    known = [o if isinstance(o, Estimate) else None for o in found]
    return Feed(
        days=np.ones(1),
        came=np.ones(1, np.bool_),
        order=np.zeros(1, np.int64),
        values=np.array([[_number(o.value if o else None) for o in known]]),
        errors=np.array([[_number(o.standard_error if o else None) for o in known]]),
        rows=np.array([[float(o.n) if o else 0.0 for o in known]]),
    )


def cut_of(chunks: Sequence[Chunk], most: float) -> tuple[float, float | None]:
    """Return how chunks are cut: their length in days, or the rows of a run, of which the longest has so many."""
    if all(c.start and c.end for c in chunks) and all(a.end == b.start for a, b in pairwise(chunks)):
        return (float(np.median(days_of(chunks))) if chunks else 1.0), None
    return 1.0, most or None


def history_like(reference: Reference, profiles: Profiles) -> History | None:
    """Return what performance was in blocks of the reference that are cut as these chunks are; None if unknown."""
    days, rows = cut_of(profiles.chunks, float(profiles.tables["rows"].max(initial=0)))
    return reference.history(days=days, rows=rows)


def days_of(chunks: Sequence[Chunk]) -> Floats:
    """Return how long each chunk lasts; without timestamps a chunk counts as a day."""
    spans = [(c.end - c.start).total_seconds() / 86_400 if c.start and c.end else 1.0 for c in chunks]
    return np.maximum(np.array(spans, np.float64), 1e-6)


def _feed(profiles: Profiles, across: Profile, first: int, **arrays: Floats) -> Feed:
    came: Bools = across.tables["rows"] > 0
    order: Ints = np.arange(first, first + len(profiles.chunks))
    return Feed(
        days=days_of(profiles.chunks),
        came=came,
        order=order,
        values=arrays.get("values"),
        errors=arrays.get("errors"),
        counts=arrays.get("counts"),
        rows=arrays.get("rows"),
    )


def _some(arrays: Mapping[str, Floats], name: str, which: Bools) -> Floats | None:
    return arrays[name][which] if name in arrays else None


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _starts(chunks: Sequence[Chunk]) -> Ints:
    return np.array([NO_TIME if c.start is None else to_microseconds(c.start) for c in chunks], np.int64)


def _errors(found: Outcomes) -> Floats:
    errors = found.standard_error
    return np.full(found.shape, np.nan) if errors is None else np.where(found.defined, errors, np.nan)


def _novelty(across: Profile, monitor: Monitor) -> float:
    yardstick = across.yardstick
    if monitor.column is None:
        return 0.0
    return novelty(yardstick.columns[yardstick.position[monitor.column]], monitor.metric)


def _counted(takes: Takes, profiles: Profiles, across: Profile, monitors: Sequence[Monitor]) -> dict[str, Floats]:
    if takes == "parts":
        pairs = [_part(profiles, across, m) for m in monitors]
        counts = np.stack([part for part, _ in pairs], axis=1).astype(np.float64)[:, :, None]
        return {"counts": counts, "rows": np.stack([rows for _, rows in pairs], axis=1).astype(np.float64)}
    if takes == "cells":
        errors, rows = _errors_by_cell(across)
        shape = (len(errors), len(monitors), errors.shape[1])
        return {
            "counts": np.broadcast_to(errors[:, None], shape).astype(np.float64),
            "rows": np.broadcast_to(rows[:, None], shape).astype(np.float64),
        }
    found = [_coarse(across, m.column) for m in monitors]
    padded = np.zeros((len(found[0]), len(found), max(c.shape[1] for c in found)))
    for j, of_column in enumerate(found):
        padded[:, j, : of_column.shape[1]] = of_column
    return {"counts": padded}


def _part(profiles: Profiles, across: Profile, monitor: Monitor) -> tuple[Ints, Ints]:
    part = monitor.metric.part
    assert part is not None  # what a rule of parts is chosen for
    if Counts not in wanted(monitor.metric):  # tables that are no arrays over chunks yet
        each = [part(sketch(monitor.metric, p, monitor.column)) for p in profiles.select(across.segment)]
        pairs = np.array(each, np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]
    of, rows = part(sketch(monitor.metric, across, monitor.column))
    return np.broadcast_to(of, np.shape(rows)), rows  # numbers have no unseen categories: a plain zero


def _coarse(across: Profile, column: str | None) -> Ints:
    """Return the coarse counts of a column, or the rows by leaf, as (chunks, bins)."""
    if column is not None:
        counts = across.binned(column, "coarse").counts
        bins = across.yardstick.columns[across.yardstick.position[column]]
        if isinstance(bins, CategoricalBins) and bins.novelty:
            # Where new categories are normal, they are rare ones that have not been seen; their share is watched apart.
            new = counts[:, -2:].sum(axis=1, keepdims=True)
            counts = np.concatenate((counts[:, :-2], new, np.zeros_like(new)), axis=1)
        return counts
    cells = across.cells
    table = cells[0].counts if cells else across.tables["regression.counts"]
    return np.asarray(table.sum(axis=(-2, -1)))


def _errors_by_cell(across: Profile) -> tuple[Ints, Ints]:
    """Return the wrong and all labelled predictions of each cell, as (chunks, cells)."""
    cells: BinaryCells = across.cells[0]
    wrong = np.where(cells.predicted, cells.counts[..., NEGATIVE], cells.counts[..., POSITIVE])
    rows = cells.counts[..., :PENDING].sum(axis=-1)
    return wrong.reshape(len(wrong), -1), rows.reshape(len(rows), -1)
