"""Silences: alerts that nobody wants to be told of for a while. They stay listed, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from barograph.alerts.alert import LABELS, Alert, Labels
from barograph.chunks import Chunk
from barograph.errors import SpecError, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Mute the alerts whose labels match, in `[start, end)`, for a stated `reason`.

    `matchers` are pairs of a label (model, monitor, metric, family, column, segment) and a value, or a pattern with
    `*`, `?` and `[…]`. All must match; an alert without that label has the value "". Without `start` it has always
    held, without `end` it holds until it is taken away.

    >>> silence = Silence(matchers=(("column", "dep_*"),), reason="the feed is rebuilt until Friday")
    >>> silence.matches(frozenset({("column", "dep_delay")})), silence.matches(frozenset({("column", "origin")}))
    (True, False)
    """

    matchers: tuple[tuple[str, str], ...]
    reason: str
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        problems = [
            f"A silence matches the labels {', '.join(LABELS)}. Got {name!r}.{did_you_mean(name, LABELS)}"
            for name, _ in self.matchers
            if name not in LABELS
        ]
        if not self.matchers:
            problems.append('A silence needs at least one matcher, such as ("column", "dep_*").')
        if not self.reason.strip():
            problems.append("A silence needs a reason: those who come later will ask for it.")
        problems += [
            f"The {name} of a silence needs a time zone. Got {time!r}."
            for name, time in (("start", self.start), ("end", self.end))
            if time is not None and time.tzinfo is None
        ]
        if not problems and self.start and self.end and self.end <= self.start:
            problems.append(f"A silence ends after it starts. Got start {self.start} and end {self.end}.")
        if problems:
            raise SpecError(problems)

    def matches(self, labels: Labels) -> bool:
        """Return whether it is meant for an alert with these labels, whatever the time."""
        of = dict(labels)
        return all(
            of.get(name, "") == pattern or fnmatchcase(of.get(name, ""), pattern) for name, pattern in self.matchers
        )

    def holds_at(self, time: datetime) -> bool:
        """Return whether it is in force at a time."""
        return (self.start is None or self.start <= time) and (self.end is None or time < self.end)

    def covers(self, chunk: Chunk) -> bool:
        """Return whether it is in force for at least half of a chunk's time.

        A chunk of rows without timestamps is covered by a silence with neither start nor end alone.
        """
        if self.start is None and self.end is None:
            return True
        if chunk.start is None or chunk.end is None:
            return False
        since = max(chunk.start, self.start or chunk.start)
        until = min(chunk.end, self.end or chunk.end)
        return since < until and 2 * (until - since) >= chunk.end - chunk.start


def silenced_by(alert: Alert, silences: Sequence[Silence]) -> tuple[Silence, ...]:
    """Return the silences that mute an alert in its latest chunk in breach: one that outlasts its silence is heard."""
    return tuple(silence for silence in silences if silence.matches(alert.labels) and silence.covers(alert.last.chunk))
