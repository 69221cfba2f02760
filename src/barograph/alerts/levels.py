"""Levels: what was measured in the chunks of an incident, those that raise no alarm included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from barograph.metrics.broken import Broken
from barograph.metrics.facts import what_breaks
from barograph.monitors.results import Result

_FAMILIES = ("performance", "estimation", "concept")


@dataclass(frozen=True, slots=True)
class Level:
    """What one monitor measured in one chunk that was judged: a value of `n` rows, and that of the reference."""

    value: float
    n: int
    reference: float | None


Levels: TypeAlias = Mapping[tuple[str, int], Level]  # by the monitor and the position of the chunk
NO_LEVELS: Levels = MappingProxyType({})


def levels_of(rows: Iterable[Result], positions: Mapping[str, int]) -> dict[tuple[str, int], Level]:
    """Return the levels of what titles speak of: performance of all rows, and how many came.

    `positions` gives the place of each chunk by its key. Chunks that could not be judged have no level.
    """
    return {
        (row.monitor, positions[row.chunk]): Level(row.value, row.n, row.reference_value)
        for row in rows
        if row.segment is None and row.value is not None and row.judged and row.chunk in positions and _is_told(row)
    }


def _is_told(row: Result) -> bool:
    return row.family in _FAMILIES or what_breaks(row.metric, row.family) is Broken.NO_ROWS


def between(levels: Levels, monitor: str, first: int, last: int) -> dict[int, Level]:
    """Return the levels of a monitor from one position to another, by position."""
    return {i: level for i in range(first, last + 1) if (level := levels.get((monitor, i))) is not None}


def missing_rows(levels: Iterable[Level]) -> float | None:
    """Return how many rows fewer came than usually do; None where that is not known of every chunk.

    >>> missing_rows([Level(0.0, 0, 1100.0), Level(100.0, 100, 1200.0)]), missing_rows([Level(0.0, 0, None)])
    (2200.0, None)
    """
    found = list(levels)
    known = [level.reference - level.value for level in found if level.reference is not None]
    return sum(known) if known and len(known) == len(found) else None


def average(levels: Iterable[tuple[float, int]]) -> float | None:
    """Return the mean of values, each weighted by its number of rows; None without a row.

    >>> average([(0.9, 300), (0.8, 100)]), average([])
    (0.875, None)
    """
    found = list(levels)
    n = sum(n for _, n in found)
    return sum(value * n for value, n in found) / n if n else None
