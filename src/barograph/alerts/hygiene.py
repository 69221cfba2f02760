"""Hygiene: monitors that are noisy or useless, and what to change about each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, pairwise
from math import ceil, erfc, sqrt
from statistics import median
from typing import Any  # JSON values

from barograph.alerts.alert import State
from barograph.alerts.incident import Incident
from barograph.alerts.severity import Severity
from barograph.metrics.broken import Broken
from barograph.metrics.facts import find_metric, title_of, what_breaks
from barograph.monitors.results import Result, noun_of_rows
from barograph.rules.limits import Status, default_tolerance
from barograph.text.format import count, number

FEWEST_CHUNKS = 8  # fewer tell nothing of habits
OFTEN = 0.01  # of the chunks are beyond the limit by chance: the limit lies within the noise
SAFE = 3.5  # standard deviations from the middle to a limit that is proposed: chance gets there in 1 of 2,000 chunks
LATEST = 8  # chunks in breach, up to now, after which a change is no news
OLD = timedelta(days=365)
RUNS = 4  # separate alarms of one chunk each: it flaps
MOVED = ("drift", "quality")  # families whose lasting breach says that the reference has aged


class Problem(StrEnum):
    """What is wrong with a monitor."""

    ALWAYS_UNDEFINED = "always undefined"
    CONSTANT_COLUMN = "constant column"
    OUT_OF_REACH = "limit out of reach"
    TINY_CHUNKS = "chunks too small"
    LIMIT_IN_NOISE = "limit within the noise"
    FLAPPING = "comes and goes"
    STALE_REFERENCE = "stale reference"


SAYS_LESS = (Problem.LIMIT_IN_NOISE, Problem.FLAPPING)  # what is proposed lets a monitor raise fewer alarms


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem of one monitor ("" for the model as a whole): what was seen, and what to change, as sentences."""

    monitor: str
    problem: Problem
    seen: str
    proposal: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"monitor": self.monitor, "problem": self.problem.value, "seen": self.seen, "proposal": self.proposal}


def hygiene(
    results: Iterable[Result], *, incidents: Iterable[Incident] = (), reference_end: datetime | None = None
) -> list[Finding]:
    """Return what is wrong with the monitors that gave `results`, the rows of one model in the order of time.

    A monitor has at most one finding: the one that explains the others. `incidents` are what its alarms were about: one
    that goes on or is critical was worth an alarm, so that nobody is advised to let a monitor that told of it say less,
    nor to take what is critical for how it is going to be. `reference_end` is when the reference's last event was.
    Nothing is said of a monitor with fewer than `FEWEST_CHUNKS` chunks, other than that it is undefined or
    that its limit is out of reach. No results give no findings.
    """
    ordered = sorted(results, key=lambda row: row.monitor)
    by_monitor = {name: list(rows) for name, rows in groupby(ordered, key=lambda row: row.monitor)}
    constant = {rows[0].column for rows in by_monitor.values() if _is_constant(rows[0]) and _always_one(rows)}
    incidents = list(incidents)
    critical = _monitors(one for one in incidents if one.severity is Severity.CRITICAL)
    right = critical | _monitors(one for one in incidents if one.state is State.FIRING)
    findings = []
    for name, rows in by_monitor.items():
        found = _constant_column(rows, constant) or next(filter(None, (check(rows) for check in _CHECKS)), None)
        if found and not (found.problem in SAYS_LESS and name in right):
            findings.append(found)
    return [*_stale(by_monitor, reference_end, critical), *findings]


def _monitors(incidents: Iterable[Incident]) -> set[str]:
    return {alert.last_breach.monitor for incident in incidents for alert in incident.alerts}


def _always_undefined(rows: Sequence[Result]) -> Finding | None:
    if not all(row.status is Status.UNDEFINED for row in rows):
        return None
    reason, times = Counter(row.reason or "no reason was given" for row in rows).most_common(1)[0]
    most = "" if times == len(rows) else ", mostly"
    return Finding(
        monitor=rows[0].monitor,
        problem=Problem.ALWAYS_UNDEFINED,
        seen=f"It was undefined in all of {_spans(rows)}{most}: {reason}.",
        proposal="Provide what it lacks, or remove it: as it is, it watches nothing.",
    )


def _is_constant(row: Result) -> bool:
    return what_breaks(row.metric, row.family) is Broken.CONSTANT


def _always_one(rows: Sequence[Result]) -> bool:
    """Return whether a column has one value in the reference and in all chunks."""
    known = [row for row in rows if row.value is not None]
    return len(known) >= FEWEST_CHUNKS and all(row.value and row.reference_value for row in known)


def _constant_column(rows: Sequence[Result], constant: set[str | None]) -> Finding | None:
    first = rows[0]
    if first.column is None or first.column not in constant or first.family != "drift":
        return None
    return Finding(
        monitor=first.monitor,
        problem=Problem.CONSTANT_COLUMN,
        seen=f"{first.column} has one value only, in the reference and in all of {_spans(rows)}.",
        proposal=f"Remove it; a second value of {first.column} is seen as an unseen or out-of-range one.",
    )


def _out_of_reach(rows: Sequence[Result]) -> Finding | None:
    metric = find_metric(rows[0].metric, rows[0].family)
    judged = [row for row in rows if row.limit_lower is not None or row.limit_upper is not None]
    if metric is None or not judged or any(row.evidence is not None for row in rows):
        return None
    lowest, highest = metric.bounds
    if any(_reachable(row, lowest, highest) for row in judged):
        return None
    last = judged[-1]
    limits = " and ".join(number(limit) for limit in (last.limit_lower, last.limit_upper) if limit is not None)
    return Finding(
        monitor=last.monitor,
        problem=Problem.OUT_OF_REACH,
        seen=f"Its limit {limits} can't be passed: {title_of(last.metric)} lies between {lowest:g} and {highest:g}.",
        proposal="Take longer spans of time, which have narrower limits, or a smaller tolerance; or remove it.",
    )


def _reachable(row: Result, lowest: float, highest: float) -> bool:
    below = row.limit_lower is not None and row.limit_lower > lowest
    return below or (row.limit_upper is not None and row.limit_upper < highest)


def _tiny_chunks(rows: Sequence[Result]) -> Finding | None:
    margins = [(*margin, row.n) for row in rows for margin in _margin(row)]
    if len(margins) < FEWEST_CHUNKS:
        return None
    matters, half, n = (median(column) for column in zip(*margins, strict=True))
    if half <= matters or matters <= 0:
        return None
    needed = ceil(n * (2 * half / matters) ** 2)  # sure to half of what matters, then
    return Finding(
        monitor=rows[0].monitor,
        problem=Problem.TINY_CHUNKS,
        seen=f"With {count(round(n), 'row')} a {noun_of_rows(rows)}, {title_of(rows[0].metric)} is known to "
        f"±{number(half)} only, but a change of {number(matters)} matters.",
        proposal=f"Take spans of about {_round_up(needed):,} rows, {ceil(needed / max(n, 1)):,} times longer.",
    )


def _margin(row: Result) -> list[tuple[float, float]]:
    """Return what matters (the way to the nearer limit, at most twice the tolerance) and half the interval's width."""
    if row.lower is None or row.upper is None or row.reference_value is None or row.evidence is not None:
        return []
    ways = [abs(limit - row.reference_value) for limit in (row.limit_lower, row.limit_upper) if limit is not None]
    metric = find_metric(row.metric, row.family)
    tolerance = default_tolerance(metric, row.reference_value) if metric else 0.0
    if tolerance > 0:
        ways.append(2 * tolerance)
    return [(min(ways), (row.upper - row.lower) / 2)] if ways else []


def _limit_in_noise(rows: Sequence[Result]) -> Finding | None:
    judged = [row for row in rows if row.value is not None and row.evidence is None]
    if len(judged) < FEWEST_CHUNKS:
        return None
    values = [row.value or 0.0 for row in judged]
    middle = median(values)
    # From chunk to chunk, so that a change of level is not taken for noise.
    noise = median(abs(b - a) for a, b in pairwise(values)) / (0.6745 * sqrt(2))
    last = judged[-1]
    sides = ((last.limit_lower, -1), (last.limit_upper, 1))
    limits = [(limit, side) for limit, side in sides if limit is not None]
    if noise <= 0 or not limits:
        return None
    chance = sum(0.5 * erfc(side * (limit - middle) / noise / sqrt(2)) for limit, side in limits)
    if not OFTEN < chance < 0.5:  # from a half on it is no noise: the level is beyond the limit
        return None
    span = noun_of_rows(rows)
    proposed = " and ".join(number(middle + side * SAFE * noise) for _, side in limits)
    return Finding(
        monitor=last.monitor,
        problem=Problem.LIMIT_IN_NOISE,
        seen=f"It varies by ±{number(noise)} around {number(middle)} from {span} to {span}: {chance:.0%} "
        f"of them are beyond the limit of {' or '.join(number(limit) for limit, _ in limits)} by chance.",
        proposal=f"Set the limit to {proposed}, or let the rule weigh evidence over several {span}s.",
    )


def _flapping(rows: Sequence[Result]) -> Finding | None:
    runs = [len(list(run)) for breach, run in groupby(rows, key=lambda row: row.status is Status.BREACH) if breach]
    if len(rows) < FEWEST_CHUNKS or len(runs) < RUNS or median(runs) > 1:
        return None
    return Finding(
        monitor=rows[0].monitor,
        problem=Problem.FLAPPING,
        seen=f"It was in alarm {len(runs)} times in {_spans(rows)}, mostly for a single one.",
        proposal=f"Let it hold for one {noun_of_rows(rows)} before it fires, or widen its tolerance.",
    )


_CHECKS: tuple[Callable[[Sequence[Result]], Finding | None], ...] = (
    _always_undefined,
    _out_of_reach,
    _tiny_chunks,
    _limit_in_noise,
    _flapping,
)


def _stale(by_monitor: dict[str, list[Result]], reference_end: datetime | None, critical: set[str]) -> list[Finding]:
    """Return at most one finding for the model: half of what can move has moved and stays, or the reference is old.

    What is `critical` is to be mended first.
    """
    watched = [
        rows
        for rows in by_monitor.values()
        if rows[0].family in MOVED and len(rows) >= LATEST and any(row.limit_upper is not None for row in rows)
    ]
    moved = [rows for rows in watched if all(row.status is Status.BREACH for row in rows[-LATEST:])]
    ends = [rows[-1].chunk_end for rows in by_monitor.values() if rows[-1].chunk_end is not None]
    age = max(ends) - reference_end if ends and reference_end else timedelta(0)
    proposal = "If this is how it is going to be, learn a new reference from events after that time."
    if len(moved) >= 2 and 2 * len(moved) >= len(watched) and not any(rows[0].monitor in critical for rows in moved):
        first = max(_since(rows) for rows in moved)
        seen = f"{len(moved)} of {count(len(watched), 'monitor')} of the input have been in alarm"
        return [
            _of_model(
                f"{seen} for {count(LATEST, noun_of_rows(moved[0]))} or more, the last of them since {first}.", proposal
            )
        ]
    if age > OLD:
        return [_of_model(f"The reference ends {age.days} days before the latest events.", "Learn a newer reference.")]
    return []


def _of_model(seen: str, proposal: str) -> Finding:
    return Finding(monitor="", problem=Problem.STALE_REFERENCE, seen=seen, proposal=proposal)


def _spans(rows: Sequence[Result]) -> str:
    return count(len(rows), noun_of_rows(rows))


def _since(rows: Sequence[Result]) -> str:
    """Return the key of the chunk in which the breach began that goes on."""
    chunk = rows[-1].chunk
    for row in reversed(rows):
        if row.status is not Status.BREACH:
            break
        chunk = row.chunk
    return chunk


def _round_up(n: int) -> int:
    """Return the next number with two significant digits.

    >>> _round_up(1234), _round_up(87)
    (1300, 87)
    """
    unit = int(10 ** max(len(str(n)) - 2, 0))
    return -(-n // unit) * unit
