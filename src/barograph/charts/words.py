"""What result rows say, in words: when they were, and how they stand to their limits."""

from __future__ import annotations

from math import inf

from barograph.alerts.wording import in_chunk
from barograph.chunks import Chunk
from barograph.metrics.facts import find_metric
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.text.format import printable


def when(row: Result) -> str:
    """Return when the chunk of a row was, as part of a sentence: "in 2013-10", "in the week of 2013-06-03"."""
    return in_chunk(Chunk(key=printable(row.chunk), start=row.chunk_start, end=row.chunk_end))


def bounds_of(row: Result) -> tuple[float, float]:
    """Return the least and the most that a row's metric can be."""
    metric = find_metric(row.metric, row.family)
    return metric.bounds if metric else (-inf, inf)


def limits_within_reach(row: Result) -> tuple[float | None, float | None]:
    """Return the limits that a value can cross: one at or beyond the end of what the metric can be is none."""
    least, most = bounds_of(row)
    lower = row.limit_lower if row.limit_lower is not None and row.limit_lower > least else None
    upper = row.limit_upper if row.limit_upper is not None and row.limit_upper < most else None
    return lower, upper


def crosses(row: Result) -> bool:
    """Return whether a value is outside of the limits of its own chunk, whatever the evidence of all chunks says."""
    if row.value is None:
        return False
    below = row.limit_lower is not None and row.value < row.limit_lower
    return below or (row.limit_upper is not None and row.value > row.limit_upper)


def judgement(row: Result) -> str:
    """Return what the rule says of a row, as the end of a sentence; "" for one that is all right."""
    if row.status == Status.BREACH:
        return "in alarm" if crosses(row) else "in alarm by the evidence so far"
    if crosses(row):
        return "beyond its limit, not enough evidence for an alarm"
    return "beyond the tolerance, not beyond its limit" if row.status == Status.WARNING else ""
