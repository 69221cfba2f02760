"""Incidents in a list, and what all pages say of one in a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barograph.dashboard.timeline import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentLine:
    """An incident in a list. `muted` says why nobody hears of it, "" if somebody does.

    `verdict` is what people said of it: real, false alarm, or nothing. `since` and `until` are the keys of its first
    and last chunk, where it has any: days of the model's own calendar.
    """

    id: str
    model: str
    severity: str
    title: str
    advice: str
    family: str
    since_us: int
    until_us: int | None
    acknowledged_by: str | None
    muted: str
    since: str = ""
    until: str = ""
    verdict: str = ""
    assigned_to: str = ""
    harm: float | None = None
    columns: Sequence[str] = ()
    segments: Sequence[str] = ()

    @property
    def is_over(self) -> bool:
        """Return whether it has ended."""
        return self.until_us is not None

    @property
    def order(self) -> tuple[bool, bool, int, float, int]:
        """Return what orders incidents: those that go on, that are heard, the gravest, the most harmful, the newest."""
        rank = ("critical", "warning", "notice").index(self.severity)
        return self.is_over, bool(self.muted), rank, -(self.harm or 0.0), -self.since_us


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsPage:
    """The page `/incidents`."""

    title: str
    sentence: str
    incidents: Sequence[IncidentLine]
    state: str
    page: int
    pages: int
    found: int


def span_of(incident: IncidentLine, href: str) -> Span:
    """Return an incident as it stands on the axis of time."""
    state = "over" if incident.muted or (incident.is_over and incident.severity == "notice") else incident.severity
    end = "" if incident.is_over else ", ongoing"
    muted = f"; silenced: {incident.muted}" if incident.muted else ""
    return Span(
        start_us=incident.since_us,
        end_us=incident.until_us,
        label=incident.title,
        state=state,
        href=href,
        text=f"{incident.severity}{end}: {incident.title}{muted}",
    )


def incidents_sentence(incidents: Sequence[IncidentLine]) -> str:
    """Return how many incidents go on, and how many of these somebody must act on.

    >>> incidents_sentence([])
    'No incident goes on.'
    """
    going = [one for one in incidents if not one.is_over and not one.muted]
    loud = [one for one in going if one.severity != "notice"]
    if not going:
        return "No incident goes on."
    unseen = sum(one.acknowledged_by is None for one in loud)
    many = f"{len(loud)} {'incident needs' if len(loud) == 1 else 'incidents need'} somebody"
    notices = len(going) - len(loud)
    rest = f"{notices} {'notice goes' if notices == 1 else 'notices go'} on, without harm seen"
    if not loud:
        return f"Nobody need act: {rest}."
    seen = "" if not unseen else f", {'nobody has' if unseen == len(loud) else f'of {unseen} nobody has'} seen to "
    seen += "" if not unseen else ("it" if len(loud) == 1 else "them")
    return f"{many}{seen}" + (f"; {rest}." if notices else ".")
