"""Which incidents people are told of by default: all that are loud, and a few notices, those of one cause as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barograph.alerts.incident import Incident
from barograph.alerts.inhibition import root_reason
from barograph.alerts.severity import Severity

MOST_NOTICES = 5  # that are told by default; the rest is counted


@dataclass(frozen=True, slots=True)
class Notice:
    """Notices of one cause: the latest of them, and in how many incidents it was seen."""

    latest: Incident
    times: int

    @property
    def title(self) -> str:
        """Return the latest, with how often it came before."""
        before = self.times - 1
        more = f"; {before} {'time' if before == 1 else 'times'} before" if before else ""
        return self.latest.title + more


@dataclass(frozen=True, slots=True)
class Told:
    """The incidents of at least a warning, the notices that are told, and how many incidents are in no told notice."""

    loud: tuple[Incident, ...]
    notices: tuple[Notice, ...]
    more: int


def told(incidents: Sequence[Incident], *, most: int = MOST_NOTICES) -> Told:
    """Return what is told of incidents, which come the gravest first; notices of one cause stand where its first is.

    One cause is what is about the same columns, and of the same kind.
    """
    loud = tuple(i for i in incidents if i.severity is not Severity.NOTICE)
    by_cause: dict[tuple[object, ...], list[Incident]] = {}
    for incident in incidents:
        if incident.severity is Severity.NOTICE:
            root = incident.root
            kind = root_reason(root) or root.last_breach.family
            by_cause.setdefault((incident.model, kind, frozenset(incident.columns)), []).append(incident)
    groups = [Notice(max(of, key=lambda i: i.last_position), len(of)) for of in by_cause.values()]
    left = sum(notice.times for notice in groups[most:])
    return Told(loud, tuple(groups[:most]), left)
