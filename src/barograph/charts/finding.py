"""What a series of result rows says, in one clause: the title of its chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from barograph.charts.words import crosses, when
from barograph.metrics.facts import capital, title_of, unit_of, worse_by
from barograph.monitors.results import Result, noun_of_rows
from barograph.rules.limits import Status
from barograph.text.format import count, percent, printable, quantity


def finding(rows: Sequence[Result], *, estimated: Sequence[Result] = (), name: str = "") -> str:
    """Return what one metric did over chunks, without a full stop.

    Speaks of `rows`, or of `estimated` ones where `rows` have no value that counts. `name` replaces the metric's.

    >>> row = Result(model="m", version="", monitor="", metric="roc_auc", family="performance", column=None,
    ...              segment=None, chunk="2013-10", chunk_start=None, chunk_end=None, n=9, value=0.66,
    ...              reference_value=0.73, limit_lower=0.7, status=Status.BREACH)
    >>> finding([row])
    'ROC AUC fell from 0.730 to 0.660 in 2013-10'
    """
    spoken = rows if any(row.is_judged for row in rows) else estimated or rows
    if not spoken:
        return name or "No result"
    first = spoken[0]
    guessed = spoken is not rows or first.family == "estimation"
    name = name or capital(f"{'estimated ' if guessed else ''}{title_of(first.metric)}")
    defined = [row for row in spoken if row.is_judged] or [row for row in spoken if row.value is not None]
    if not defined:
        reasons = list(dict.fromkeys(row.reason for row in spoken if row.reason))
        return f"{name} could not be computed: {printable(reasons[0])}" if reasons else f"{name} could not be computed"
    unit = unit_of(first.metric, first.family)
    breaches = [i for i, row in enumerate(defined) if row.status == Status.BREACH]
    if not breaches:
        return _calm(name, defined, unit)
    if breaches[-1] < len(defined) - 1:
        worst, after = worst_of([defined[i] for i in breaches]), defined[breaches[-1] + 1]
        assert worst is not None
        return f"{name} {_moved(worst, unit)} {when(worst)}; no alarm since {after.chunk}"
    run = newest_run(defined)
    if len(run) == 1:
        return f"{name} {_moved(run[0], unit)} {when(run[0])}"
    return f"{name} {_moved(middle_of(run), unit, about=len(run) > 2)}; in alarm since {run[0].chunk}"


def newest_run(rows: Sequence[Result]) -> list[Result]:
    """Return the judged rows in breach that follow each other up to the newest one; [] where that is in none.

    One chunk of them may look well: evidence is of all of them, and so is what is said of it.
    """
    run: list[Result] = []
    for row in reversed([row for row in rows if row.is_judged]):
        if row.status != Status.BREACH:
            break
        run.append(row)
    return run[::-1]


def middle_of(run: Sequence[Result]) -> Result:
    """Return the newest row of a run with the middle of all of its values."""
    return replace(run[-1], value=median(row.value for row in run if row.value is not None))


def worst_of(rows: Sequence[Result]) -> Result | None:
    """Return the judged row with the worst value; of a metric without a worse side that which is farthest off."""
    known = [row for row in rows if row.is_judged and row.value is not None]
    return max(known, key=_badness, default=None)


def _badness(row: Result) -> float:
    centers = (row.reference_value, row.limit_lower, row.limit_upper, 0.0)
    center = next(center for center in centers if center is not None)
    return worse_by(row.value or 0.0, center, row.metric, row.family)


def _moved(row: Result, unit: str, *, about: bool = False) -> str:
    value, reference = row.value or 0.0, row.reference_value
    now = ("about " if about else "") + quantity(value, unit)
    if reference is None:
        return f"is {now}"
    was = quantity(reference, unit)
    if was == quantity(value, unit):  # rounded to the same text
        return f"is {now}"
    return f"{'fell' if value < reference else 'rose'} from {was} to {now}"


def _calm(name: str, defined: Sequence[Result], unit: str) -> str:
    found = [row.value for row in defined if row.value is not None]
    low, high = quantity(min(found), unit), quantity(max(found), unit)
    span = low if low == high else f"{low} to {high}"
    limited = any(row.limit_lower is not None or row.limit_upper is not None for row in defined)
    reference = defined[-1].reference_value
    beside = f" (reference {quantity(reference, unit)})" if reference is not None else ""
    if not limited:
        return f"{name} was {span}{beside}"
    beyond_one = sum(map(crosses, defined))
    if beyond_one:
        times = count(beyond_one, noun_of_rows(defined))
        return f"{name} was {span}{beside}; beyond the limit of {times}, not enough for an alarm"
    if any(row.status == Status.WARNING for row in defined):  # beyond the tolerance, not beyond chance
        return f"{name} was {span}, within its natural variation{beside}"
    return f"{name} stayed within its limits: {span}{beside}"


def in_breach(rows: Sequence[Result]) -> str:
    """Return in how many of the chunks the metric was in breach; "never" for none."""
    defined = [row for row in rows if row.is_judged]
    breaches = sum(row.status == Status.BREACH for row in defined)
    if not defined:
        return "never"
    some = f"in {breaches} of {count(len(defined), noun_of_rows(defined))} ({percent(breaches / len(defined))})"
    return some if breaches else "never"
