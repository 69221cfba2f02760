"""The page of labels: which have come and how late, what is wrong with them, and by what each chunk is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import log

from barograph.dashboard.model import Known
from barograph.dashboard.scales import Scale
from barograph.dashboard.svg import drawing, number, tag, text
from barograph.dashboard.words import chunk_noun, lasting
from barograph.labels.blend import Blend
from barograph.labels.ledger import LabelProblems
from barograph.metrics.facts import heading_of, unit_of
from barograph.monitors.results import Result
from barograph.outcome import Estimate
from barograph.text.format import count, percent, quantity

WIDTH, HEIGHT, AXIS, LEFT = 520.0, 130.0, 20.0, 44.0
_TICKS = ((60, "1 min"), (3600, "1 h"), (21_600, "6 h"), (86_400, "1 d"), (604_800, "1 w"), (2_592_000, "30 d"))
PROBLEMS = {
    "unknown_id": "of no event of these days",
    "before_event": "known before their event: not used",
    "impossible": "of no value, or none that can be: not used",
    "contradicting": "two values at one time: not used until a later one decides",
    "revised": "corrected later: the last one counts",
    "duplicate": "sent again with the same value: counted once",
    "repeated_event": "events whose id another event has: they share their label",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How late labels come: seconds within which half and nine tenths do, and the share of events without one.

    `arrived` are ages in seconds with the share of events that has a label by then; `days` of `of_days` were read.
    """

    half: float
    most: float
    never: float
    arrived: Sequence[tuple[float, float]]
    days: int
    of_days: int
    events: int
    labelled: int
    problems: LabelProblems
    without_event: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsData:
    """What is known of a model's labels: its main metric in the newest chunks, with how many labels each has."""

    known: Known
    measured: Sequence[Result]
    estimated: Sequence[Result]
    last_label_us: int | None
    delays: Delays | None = None
    blends: Mapping[str, Blend] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """A chunk, its labels, and by what it is judged."""

    chunk: str
    rows: str
    coverage: str
    look: str
    judged: str
    measured: str
    estimated: str
    best: str
    best_span: str
    parts: str
    due: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsPage:
    """The page `/models/{model}/labels`. `problems` are how many labels are what; `delay` is a drawing."""

    title: str
    name: str
    sentence: str
    last_label_us: int | None
    labels: int
    events: int
    metric: str
    rows: Sequence[LabelRow]
    noun: str
    has_blends: bool
    delay_title: str
    delay: str
    delay_note: str
    problems: Sequence[tuple[str, str]]
    waiting: int


def labels_page(data: LabelsData) -> LabelsPage:
    """Return what the page says."""
    guesses = {row.chunk: row for row in data.estimated}
    noun = chunk_noun(data.known.chunk)
    blends = data.blends or {}
    rows = [_label_row(row, guesses.get(row.chunk), blends.get(row.chunk)) for row in reversed(data.measured)]
    found = data.delays
    return LabelsPage(
        title=f"Labels of {data.known.name}",
        name=data.known.name,
        sentence=_sentence(rows, noun),
        last_label_us=data.last_label_us,
        labels=data.known.labels,
        events=data.known.events,
        metric=heading_of(data.measured[0].metric) if data.measured else "",
        rows=rows,
        noun=noun,
        has_blends=bool(blends),
        delay_title=_delay_title(found),
        delay=draw_delays(found) if found and found.labelled else "",
        delay_note=_delay_note(found),
        problems=_problems(found),
        waiting=found.events - found.labelled if found else 0,
    )


def _sentence(rows: Sequence[LabelRow], noun: str) -> str:
    judged = sum(row.judged == "by labels" for row in rows)
    waiting = next((i for i, row in enumerate(rows) if row.judged == "by labels"), len(rows))
    if not rows:
        return "Nothing is known of this model's labels yet."
    if not judged:
        return "No label judges this model yet: what is told of its performance is estimated."
    late = f"; the newest {count(waiting, noun)} wait for theirs" if waiting else ""
    return f"{judged} of the newest {count(len(rows), noun)} are judged by labels{late}."


def _label_row(row: Result, guess: Result | None, best: Blend | None) -> LabelRow:
    unit = unit_of(row.metric, row.family)
    guessed = guess is not None and guess.value is not None
    judged, look = ("by labels", "well") if row.is_judged else ("estimated", "held") if guessed else ("not", "unknown")
    found = best.outcomes.get(row.metric) if best is not None else None
    span = ""
    if isinstance(found, Estimate) and found.lower is not None and found.upper is not None:
        span = f"{quantity(found.lower, unit)} to {quantity(found.upper, unit)}"
    return LabelRow(
        chunk=row.chunk,
        rows=f"{row.n:,}",
        coverage="–" if row.label_coverage is None else percent(row.label_coverage),
        look=look,
        judged=judged,
        measured="–" if row.value is None else row.mark + quantity(row.value, unit),
        estimated="–" if guess is None or guess.value is None else f"≈ {quantity(guess.value, unit)}",
        best=f"≈ {quantity(found.value, unit)}" if isinstance(found, Estimate) else "–",
        best_span=span,
        parts="" if best is None else _parts(best),
        due="" if best is None else percent(min(best.maturity, 1.0)),
        why=(row.reason or "") if not row.is_judged else "",
    )


def _parts(best: Blend) -> str:
    """Return what the best estimate of a chunk rests on, as shares of its rows."""
    parts = (
        (best.labelled, "labelled"),
        (best.pending, "due"),
        (best.unlabelled, "without"),
    )
    return ", ".join(f"{percent(share)} {name}" for share, name in parts if share >= 0.0005)


def _delay_title(found: Delays | None) -> str:
    if found is None:
        return "How late labels come is not known"
    if not found.labelled:
        return "No label has come for the events of these days"
    return f"Half of the labels come within {lasting(found.half)}, nine tenths within {lasting(found.most)}"


def _delay_note(found: Delays | None) -> str:
    if found is None:
        return "There are no events, or more a day than are looked through here."
    said = f"Of the newest {count(found.days, 'day')}, {count(found.events, 'event')}"
    said += f" (of {count(found.of_days, 'day')} that are kept)." if found.days < found.of_days else "."
    if found.labelled:
        said += f" {percent(found.never)} of events have no label by the age of the latest one."
    return said


def _problems(found: Delays | None) -> list[tuple[str, str]]:
    if found is None:
        return []
    said = [(f"{found.without_event:,}", "wait for their event, which has not come")] if found.without_event else []
    numbers = {field.name: getattr(found.problems, field.name) for field in fields(LabelProblems)}
    return said + [(f"{numbers[name]:,}", what) for name, what in PROBLEMS.items() if numbers[name]]


def draw_delays(found: Delays) -> str:
    """Draw the share of events that has a label by its age, from a minute on, each ten times older as far apart."""
    points = [(max(age, 60.0), share) for age, share in found.arrived]
    end = max(points[-1][0] * 1.3, 7200.0)
    x, y = Scale(log(60.0), log(end), LEFT, WIDTH - 8), Scale(0.0, 1.0, HEIGHT, 8.0)
    parts = []
    for share in (0.0, 0.5, 1.0):
        parts.append(tag("line", class_="grid", x1=LEFT, x2=WIDTH - 8, y1=y(share), y2=y(share)))
        parts.append(text(percent(share), class_="label", x=LEFT - 8, y=y(share) + 4, text_anchor="end"))
    for seconds, name in _TICKS:
        if seconds <= end:
            at = x(log(seconds))
            parts.append(tag("line", class_="axis", x1=at, x2=at, y1=HEIGHT, y2=HEIGHT + 4))
            parts.append(text(name, class_="label", x=at, y=HEIGHT + 16, text_anchor="middle"))
    line = f"M{number(x(log(60.0)))} {number(y(0.0))}" if points[0][0] > 60.0 else ""
    for age, share in points:
        line += f"H{number(x(log(age)))}V{number(y(share))}" if line else f"M{number(x(log(age)))} {number(y(share))}"
    line += f"H{number(x.end)}"
    parts.append(tag("path", class_="line measured", d=line))
    parts.append(tag("line", class_="axis", x1=LEFT, x2=WIDTH - 8, y1=HEIGHT, y2=HEIGHT))
    said = f"The share of events with a label, by age. {_delay_title(found)}."
    return drawing("".join(parts), width=WIDTH, height=HEIGHT + AXIS, label=said, class_="distribution")
