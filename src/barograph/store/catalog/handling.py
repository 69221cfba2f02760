"""What people do with incidents: resolve and reopen them, take them over, and say whether they were real.

What a person says of the state of an incident holds against the evaluations that follow: one that is resolved by hand
stays so although its alerts have yet to end, until a chunk is in breach that begins after what was known when it was
resolved: then it fires anew. One that is reopened by hand stays open until somebody resolves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal  # Any: values of rows

from barograph.alerts.alert import State
from barograph.errors import NotFoundError
from barograph.store.catalog import outbox
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.incidents import StoredIncident
from barograph.store.catalog.outbox import What
from barograph.store.catalog.schema import incidents
from barograph.store.catalog.scope import Scope, columns_of
from barograph.store.catalog.states import get_state
from barograph.times import to_microseconds

FIRING, RESOLVED = State.FIRING.value, State.RESOLVED.value
Verdict = Literal["real", "false alarm"]
NOTHING_SAID: Mapping[str, None] = dict.fromkeys(("said_state", "said_us", "said_by", "said_reason", "said_from_us"))


def resolve(
    scope: Scope, incident: StoredIncident, *, by: Actor, reason: str | None = None, now_us: int
) -> StoredIncident:
    """Say that an incident is over, and return it as it is now. Raises NotFoundError."""
    values = {
        "state": RESOLVED,
        "until_us": incident.until_us if incident.state == RESOLVED else now_us,
        "said_state": RESOLVED,
        "said_us": now_us,
        "said_by": by,
        "said_reason": reason,
        "said_from_us": _known_until(scope, incident, now_us),
    }
    if incident.state != RESOLVED:
        outbox.add_one(scope, incident.model_id, [incident.id], what=What.RESOLVED, now_us=now_us)
    return _changed(scope, incident, values, now_us)


def reopen(
    scope: Scope, incident: StoredIncident, *, by: Actor, reason: str | None = None, now_us: int
) -> StoredIncident:
    """Say that an incident is not over, and return it as it is now. Raises NotFoundError."""
    if incident.state != FIRING:
        outbox.add_one(scope, incident.model_id, [incident.id], what=What.FIRES, now_us=now_us)
    said = {"said_state": FIRING, "said_us": now_us, "said_by": by, "said_reason": reason, "said_from_us": None}
    return _changed(scope, incident, {"state": FIRING, "until_us": None, **said}, now_us)


def assign(scope: Scope, incident: StoredIncident, *, to: str | None, by: Actor, now_us: int) -> StoredIncident:
    """Say who sees to an incident, with None that nobody does, and return it as it is now. Raises NotFoundError."""
    return _changed(scope, incident, {"assigned_to": to, "assigned_us": now_us, "assigned_by": by}, now_us)


def give_verdict(
    scope: Scope,
    incident: StoredIncident,
    verdict: Verdict | None,
    *,
    by: Actor,
    reason: str | None = None,
    now_us: int,
) -> StoredIncident:
    """Say whether an incident was real, with None take it back, and return it as it is now. Raises NotFoundError."""
    said = {"verdict": verdict, "verdict_us": now_us, "verdict_by": by, "verdict_reason": reason}
    return _changed(scope, incident, said, now_us)


def hold_to(
    scope: Scope, model_id: int, rows: Sequence[dict[str, Any]], last_us: Mapping[str, int | None]
) -> list[dict[str, Any]]:
    """Return rows of incidents, as an evaluation found them, with the states that people said.

    `last_us` is when the newest chunk in breach of each began, in microseconds.
    """
    these = (incidents.c.model_id == model_id) & incidents.c.id.in_([row["id"] for row in rows])
    columns = (incidents.c.id, incidents.c.said_state, incidents.c.said_us, incidents.c.said_from_us)
    said = {row[0]: row[1:] for row in scope.rows(scope.select(incidents, *columns).where(these)) if row[1]}
    found = []
    for row in rows:
        state, at_us, from_us = said.get(row["id"], (None, None, None))
        if state == FIRING:
            row = {**row, "state": FIRING, "until_us": None}
        elif state == RESOLVED and row["state"] == FIRING and (last_us.get(row["id"]) or 0) < from_us:
            row = {**row, "state": RESOLVED, "until_us": at_us}
        found.append(row)
    return found


def _known_until(scope: Scope, incident: StoredIncident, now_us: int) -> int:
    """Return the time of events, in microseconds, from which on a chunk is news to whoever resolves an incident now.

    Events may be of a history that is filled in, and a producer's clock that is ahead hides nothing. The newest chunk
    in breach is known, also where all its events are of its first moment, as they are in daily files.
    """
    state = get_state(scope, incident.model_id)
    newest = now_us if state is None or state.last_event_us is None else min(state.last_event_us, now_us)
    last = incident.body.get("last_at")
    return newest if last is None else max(newest, to_microseconds(datetime.fromisoformat(last)) + 1)


def _changed(scope: Scope, incident: StoredIncident, values: Mapping[str, Any], now_us: int) -> StoredIncident:
    change = scope.update(incidents).where(incidents.c.model_id == incident.model_id, incidents.c.id == incident.id)
    change = change.values(**values, updated_us=now_us)
    now = scope.record(StoredIncident, change.returning(*columns_of(incidents, StoredIncident)))
    if now is None:
        raise NotFoundError(f"This model has no incident {incident.id!r}.")
    return now
