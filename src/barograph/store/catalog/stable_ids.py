"""Ids that last: an alert whose first chunk was restated is still the one that people know, acknowledged, and link to.

An alert's own id follows from its first chunk, so it is another one when late labels or events move that chunk. What is
stored then keeps its id: the alert of the same metric that was there at the same time, and the incident of that alert.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any  # Any: JSON values

from barograph.alerts.alert import Alert, exceedance
from barograph.alerts.condition import unusable_share
from barograph.alerts.incident import Incident
from barograph.times import to_microseconds

Row = tuple[Any, ...]  # of the catalog


@dataclass(frozen=True, slots=True)
class Lasting:
    """The ids under which alerts and incidents are stored, by their own ones; those that are not named keep theirs."""

    alerts: Mapping[str, str]
    incidents: Mapping[str, str]

    def alert(self, id: str) -> str:
        """Return the id under which an alert is stored."""
        return self.alerts.get(id, id)

    def alert_body(self, alert: Alert) -> dict[str, Any]:
        """Return what an alert says, with ids that last. Silences are not part of it: the clock decides of them."""
        said = alert.to_dict()
        del said["silenced_by"]
        by = said["inhibited_by"]
        return {**said, "id": self.alert(alert.id), "inhibited_by": by and {**by, "by": self.alert(by["by"])}}

    def incident(self, id: str) -> str:
        """Return the id under which an incident is stored."""
        return self.incidents.get(id, id)

    def incident_body(self, incident: Incident) -> dict[str, Any]:
        """Return what an incident says, with ids that last, and how far beyond its limit its root alert was."""
        said = {
            **incident.to_dict(),
            "exceedance": exceedance(incident.root.worst),
            "unusable": unusable_share(incident),
        }
        del said["silenced_by"]
        members = {"root": self.alert(said["root"]), "explains": [self.alert(id) for id in said["explains"]]}
        return {**said, "id": self.incident(incident.id), **members}


def lasting_ids(
    given: Sequence[Alert], grouped: Sequence[Incident], live_alerts: Sequence[Row], live_incidents: Sequence[Row]
) -> Lasting:
    """Return which alerts and incidents go on under an id that is stored.

    `live_alerts` are rows of id, family, metric, column, segment, begin and end (None: it lasts) in microseconds;
    `live_incidents` are rows of id, body, and when it was acknowledged.
    """
    of_alerts = _alerts(given, live_alerts)
    return Lasting(of_alerts, _incidents(grouped, of_alerts, live_incidents))


def _alerts(given: Sequence[Alert], live: Sequence[Row]) -> dict[str, str]:
    orphans: defaultdict[Row, list[tuple[float, float, str]]] = defaultdict(list)
    for id, *of, first, resolved in _without(live, {alert.id for alert in given}):
        orphans[tuple(of)].append((first, inf if resolved is None else resolved, id))
    there = {row[0] for row in live}
    shared = []
    for alert in given:
        if alert.id in there or alert.active_at is None:
            continue
        said, first = alert.last_breach, to_microseconds(alert.active_at)
        end = inf if alert.resolved_at is None else to_microseconds(alert.resolved_at)
        for began, ended, id in orphans[said.family, said.metric, said.column, said.segment]:
            if (common := min(end, ended) - max(first, began)) > 0:
                shared.append((common, alert.id, id))
    return _matched(shared)


def _incidents(grouped: Sequence[Incident], named: Mapping[str, str], live: Sequence[Row]) -> dict[str, str]:
    orphans, there = _without(live, {incident.id for incident in grouped}), {row[0] for row in live}
    shared = []
    for incident in grouped:
        members = {named.get(alert.id, alert.id) for alert in incident.alerts}
        for id, body, acknowledged_us in orphans if incident.id not in there else ():
            if common := len(members & {body["root"], *body["explains"]}):
                shared.append(((common, acknowledged_us is not None), incident.id, id))
    return _matched(shared)


def _matched(shared: Iterable[tuple[Any, str, str]]) -> dict[str, str]:
    """Return new ids with the old ones that they take: those that share most first, each once."""
    found: dict[str, str] = {}
    for _, new, old in sorted(shared, reverse=True):
        if new not in found and old not in found.values():
            found[new] = old
    return found


def _without(rows: Sequence[Row], ids: Collection[str]) -> list[Row]:
    return [row for row in rows if row[0] not in ids]
