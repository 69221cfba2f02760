"""Two ways of watching the same past: which incidents both tell of, which would not have come, and which are new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self  # Any: JSON values

from barograph.alerts.incident import Incident
from barograph.alerts.severity import Severity
from barograph.text.format import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An incident as far as it is compared: from the place `first` among the chunks to `last`, by these monitors."""

    id: str
    severity: str
    title: str
    since: str
    until: str | None
    monitors: tuple[str, ...]
    first: int
    last: int

    @classmethod
    def of(cls, incident: Incident) -> Self:
        """Return what is compared of an incident."""
        return cls(
            id=incident.id,
            severity=incident.severity.value,
            title=incident.title,
            since=incident.since,
            until=incident.until,
            monitors=tuple(sorted({alert.last_breach.monitor for alert in incident.alerts})),
            first=incident.first_position,
            last=incident.last_position,
        )

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` made plain."""
        return cls(**{**plain, "monitors": tuple(plain["monitors"])})

    @property
    def is_loud(self) -> bool:
        """Return whether somebody has to act on it."""
        return self.severity != Severity.NOTICE.value

    def common(self, other: Told) -> int:
        """Return in how many chunks both are there and share a monitor."""
        if not set(self.monitors) & set(other.monitors):
            return 0
        return max(0, min(self.last, other.last) - max(self.first, other.first) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """`same` are incidents that both tell of, as they are and as they would have been; `gone` and `new` the rest."""

    same: tuple[tuple[Told, Told], ...]
    gone: tuple[Told, ...]
    new: tuple[Told, ...]

    def sentence(self, verdicts: Mapping[str, str], *, over: str) -> str:
        """Return what would have been otherwise; `verdicts` are those of people by the ids of incidents of now.

        >>> quiet = Told(id="a", severity="warning", title="t", since="1", until="1", monitors=("m",), first=0, last=0)
        >>> compare([quiet], []).sentence({"a": "false alarm"}, over="9 days")
        'It would have told of no incident instead of 1 over 9 days. The 1 that was a false alarm would not have come.'
        """
        before = sum(a.is_loud for a, _ in self.same) + sum(t.is_loud for t in self.gone)
        after = sum(b.is_loud for _, b in self.same) + sum(t.is_loud for t in self.new)
        many = count(after, "incident") if after else "no incident"
        said = [f"It would have told of {many} instead of {before:,} over {over}."]
        if before == after:
            said = [f"It would have told of {many} over {over}, as many as now."]
        other = sum(a.severity != b.severity for a, b in self.same)
        if other:
            said.append(f"{count(other, 'incident')} would have another severity.")
        silent = {a.id for a, b in self.same if a.is_loud and not b.is_loud} | {t.id for t in self.gone if t.is_loud}
        for verdict, was, were in (
            ("false alarm", "was a false alarm", "were false alarms"),
            ("real", "was real", "were real"),
        ):
            of = [id for id, said_of in verdicts.items() if said_of == verdict]
            lost = len(silent.intersection(of))
            if lost and lost == len(of):
                said.append(f"The {lost} that {was if lost == 1 else were} would not have come.")
            elif lost:
                said.append(f"Of the {len(of)} that {were}, {lost} would not have come.")
        return " ".join(said)


def compare(now: Sequence[Told], then: Sequence[Told]) -> Compared:
    """Return which incidents are the same: by their id, else those that share a monitor and the most chunks.

    Each is the same as one other at most. Without any, all three are empty.
    """
    rest = {one.id: one for one in then}
    pairs = [(one, rest.pop(one.id)) for one in now if one.id in rest]
    found = {one.id for one, _ in pairs}
    left = [one for one in now if one.id not in found]
    both = sorted(
        ((one.common(other), one, other) for one in left for other in rest.values() if one.common(other)),
        key=lambda pair: (-pair[0], pair[1].id, pair[2].id),
    )
    for _, one, other in both:
        if one.id not in found and other.id in rest:
            pairs.append((one, rest.pop(other.id)))
            found.add(one.id)
    order = {one.id: i for i, one in enumerate(now)}
    return Compared(
        same=tuple(sorted(pairs, key=lambda pair: order[pair[0].id])),
        gone=tuple(one for one in left if one.id not in found),
        new=tuple(rest.values()),
    )
