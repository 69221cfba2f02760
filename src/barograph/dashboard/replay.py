"""A change of how something is watched, and what it would have done over the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barograph.alerts.compared import Compared, Told
from barograph.dashboard.lists import Field
from barograph.dashboard.words import chunk_noun
from barograph.text.format import count


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedLine:
    """An incident in the comparison: what becomes of it, its severity now and then, and what people said of it."""

    change: str
    severity: str
    title: str
    span: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPage:
    """The page `/models/{model}/monitors/replay`. `given` are the fields of the change; `lines` None: not replayed."""

    title: str
    name: str
    sentence: str
    about: str
    fields: Sequence[Field]
    given: Sequence[tuple[str, str]]
    monitor: str
    lines: Sequence[ReplayedLine] | None = None
    difference: str = ""
    problem: str = ""


def replayed_lines(found: Compared, verdicts: Mapping[str, str]) -> list[ReplayedLine]:
    """Return the incidents of a comparison, those that differ first."""

    def one(told: Told, change: str, severity: str) -> ReplayedLine:
        return ReplayedLine(
            change=change,
            severity=severity,
            title=told.title,
            span=f"since {told.since}, ongoing" if told.until is None else f"{told.since} to {told.until}",
            verdict=verdicts.get(told.id, ""),
        )

    same = [
        one(told, "as now", told.severity)
        if told.severity == other.severity
        else one(told, f"{told.severity} → {other.severity}", other.severity)
        for told, other in found.same
    ]
    return [
        *(one(told, "would not have come", told.severity) for told in found.gone),
        *(one(told, "would be new", told.severity) for told in found.new),
        *sorted(same, key=lambda line: line.change == "as now"),
    ]


def over(chunks: int, chunk: str) -> str:
    """Return how long a past is, in words.

    >>> over(12, "1w")
    '12 weeks'
    """
    noun = chunk_noun(chunk)
    return count(chunks, noun)
