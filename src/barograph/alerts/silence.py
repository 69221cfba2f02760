"""Silences: alerts that nobody wants to be told of for a while. They stay listed, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Protocol, TypeVar  # Any: JSON values

from barograph.alerts.alert import LABELS, Labels
from barograph.errors import SpecError, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Mute the alerts whose labels match, in `[start, end)`, for a stated `reason`.

    `matchers` are pairs of a label (model, monitor, metric, family, column, segment) and a value, or a pattern with
    `*`, `?` and `[…]`. All must match; an alert without that label has the value "". Without `start` it has always
    held, without `end` it holds until it is taken away.

    Times are those of the clock on the wall, not of the chunks: what a silence mutes it mutes from the moment in which
    it holds, whatever time the newest chunk is of, and what lasts longer is heard the moment in which it ends.

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

    def holds_at(self, time: datetime | None) -> bool:
        """Return whether it is in force at a time; at no time in particular (None), if it has neither start nor end."""
        if time is None:
            return self.start is None and self.end is None
        return (self.start is None or self.start <= time) and (self.end is None or time < self.end)

    def to_dict(self) -> dict[str, Any]:
        """Return what people are told of it: why, and until when; `end` is None where it has none."""
        return {"reason": self.reason, "end": self.end}


class Silenceable(Protocol):
    """An alert, in memory or in a catalog, as far as silences are concerned with it."""

    @property
    def silenced_by(self) -> Sequence[Any]:  # Any: silences of memory or of a catalog
        """Return the silences that mute it now."""

    @property
    def is_explained(self) -> bool:
        """Return whether another alert explains it."""


A = TypeVar("A", bound=Silenceable)


def silences_at(silences: Iterable[Silence], labels: Labels, now: datetime | None) -> tuple[Silence, ...]:
    """Return the silences that mute an alert with these labels at the time `now`, by the clock on the wall.

    Without a clock (`now` is None) those hold that have neither start nor end.
    """
    return tuple(silence for silence in silences if silence.holds_at(now) and silence.matches(labels))


def heard(root: A, members: Sequence[A]) -> list[A]:
    """Return the alerts of one incident that are not silenced, none if the incident is silenced as a whole.

    Where the alert that it is told by (`root`) is silenced, so is what that alert explains: it is as well known.
    """
    loud = [alert for alert in members if not alert.silenced_by]
    return [alert for alert in loud if not alert.is_explained] if root.silenced_by else loud
