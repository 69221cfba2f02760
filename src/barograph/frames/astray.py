"""Times that are astray: zero, in 1970 or years from all others, as of senders whose clock was never set.

One such row would stretch the time that is cut into chunks over decades.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from barograph.times import DAY_US

Ints = npt.NDArray[np.int64]


GAP_DAYS = 366  # without any row, on both sides of which times are judged apart
FAR = 3  # times as long as the bulk of the rows lasts, at least, is how far away a few rows are astray
FEW = 0.05  # of the rows: more are no stray ones
ZERO_DAYS = (-1, 366)  # 1970 in any zone: a time of zero, or one that was counted in a thousandth of its unit


class Bulk(NamedTuple):
    """The first and last day, since 1970, of the rows that are not astray."""

    first: int
    last: int


def bulk(days: Ints, rows: Ints) -> Bulk:
    """Return between which days the times lie that are believed; `days` ascend, and each has some `rows`.

    Days are judged in runs, between which there is a year or more without a row. The run with the most rows is the
    bulk. Another one is astray if it holds at most a twentieth of all rows and is farther from the bulk than a year
    and three times as long as the bulk lasts; one in 1970 is astray however many rows it has, if the bulk is not.

    >>> bulk(np.array([0, 19_723, 19_750]), np.array([1, 60, 40]))
    Bulk(first=19723, last=19750)
    """
    if not len(days):
        raise ValueError("there is no day")
    cuts = [0, *(np.flatnonzero(np.diff(days) > GAP_DAYS) + 1).tolist(), len(days)]
    runs = [(int(days[a]), int(days[b - 1]), int(rows[a:b].sum())) for a, b in pairwise(cuts)]
    believed = [run for run in runs if not (ZERO_DAYS[0] <= run[0] and run[1] <= ZERO_DAYS[1])] or runs
    first, last, _ = max(believed, key=lambda run: (run[2], run[0]))
    few, far = FEW * rows.sum(), FAR * (last - first)
    kept = [(a, b) for a, b, n in believed if n > few or max(first - b, a - last) <= far]
    return Bulk(min(a for a, _ in kept), max(b for _, b in kept))


def days_of(times: Ints) -> tuple[Ints, Ints]:
    """Return the days since 1970 that have times, in microseconds, and how many each has."""
    found, counts = np.unique(times // DAY_US, return_counts=True)
    return found, counts.astype(np.int64)


def together(parts: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Return the days and counts of several parts as of one."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    days, at = np.unique(np.concatenate([days for days, _ in parts]), return_inverse=True)
    counts = np.zeros(len(days), np.int64)
    np.add.at(counts, at, np.concatenate([counts for _, counts in parts]))
    return days, counts
