"""The state of models as it is now: what is stored, brought to `alerts.condition.condition`.

Every answer that tells of a model's state reads it here: one model, lists, Prometheus, messages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any  # Any: JSON values

import sqlalchemy as sa

from barograph.alerts.alert import State
from barograph.alerts.condition import (
    OF_LABELS,
    Condition,
    Failure,
    Judged,
    Trouble,
    Unread,
    condition,
    lifecycle_of,
)
from barograph.alerts.habits import Habits
from barograph.alerts.severity import Severity
from barograph.store.catalog.incidents import StoredIncident
from barograph.store.catalog.models import ModelHead
from barograph.store.catalog.schema import incidents, models, states, work
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.silenced import Mutes, SeenIncident, mutes_at, see_with
from barograph.store.catalog.sources import list_sources
from barograph.times import from_microseconds

FIRING, RESOLVED, CRITICAL = State.FIRING.value, State.RESOLVED.value, Severity.CRITICAL.value
_IN_INDEX = sa.literal(FIRING, literal_execute=True)  # else SQLite could not tell that the index of these is enough
LIVE = "live"  # in `detail` of a state: the values of `Habits`

# Of a model of which no state was written yet, and of one whose work has not failed
_UNTOLD: tuple[int, dict[str, Any] | None, dict[str, Any], int, bool] = (0, None, {}, 0, False)
_NOT_FAILED: tuple[int, int | None, str | None] = (0, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCondition:
    """The state of a model, with what it follows from.

    `firing` and `incidents` count alerts and incidents that fire and are heard, `silenced` incidents that fire and are
    not. `failures` counts the attempts to evaluate it in a row that failed, `failed_us` is the time of the first of
    these, `reason` what the last one said.
    """

    condition: Condition
    firing: int = 0
    incidents: int = 0
    silenced: int = 0
    failures: int = 0
    failed_us: int | None = None
    reason: str | None = None


def condition_of(scope: Scope, model_id: int, *, now_us: int) -> ModelCondition | None:
    """Return the state of a model at a time; None if there is no such model."""
    return conditions(scope, now_us=now_us, model_ids=[model_id]).get(model_id)


def conditions(
    scope: Scope, *, now_us: int, model_ids: Collection[int] | None = None, mutes: Mutes | None = None
) -> dict[int, ModelCondition]:
    """Return the states of models of the project at a time, all if none are named, by their ids.

    `mutes` is what mutes alerts at that time, where it was read already.
    """
    heads, fire = scope.pick(models, ModelHead), scope.pick(incidents, StoredIncident)
    fire = fire.where(incidents.c.state == _IN_INDEX, incidents.c.withdrawn.is_(False))
    told = scope.select(
        states,
        *(states.c[name] for name in ("model_id", "events", "judged", "detail", "rejected")),
        sa.func.coalesce(states.c.last_received_us > states.c.evaluated_us, sa.false()),
    )
    failed = scope.select(work, work.c.model_id, work.c.failures, work.c.failed_us, work.c.reason)
    failed = failed.where(work.c.failures > 0)
    if model_ids is not None:
        heads = heads.where(models.c.id.in_(model_ids))
        fire = fire.where(incidents.c.model_id.in_(model_ids))
        told = told.where(states.c.model_id.in_(model_ids))
        failed = failed.where(work.c.model_id.in_(model_ids))
    firing: defaultdict[int, list[SeenIncident]] = defaultdict(list)
    seen = see_with(scope, scope.records(StoredIncident, fire), mutes_at(scope, now_us) if mutes is None else mutes)
    for incident in seen:
        firing[incident.stored.model_id].append(incident)
    by_model = {row[0]: tuple(row[1:]) for row in scope.rows(told)}
    failures = {row[0]: tuple(row[1:]) for row in scope.rows(failed)}
    unread: defaultdict[int, list[Unread]] = defaultdict(list)
    for source in list_sources(scope, model_ids, failing=True):
        since = from_microseconds(source.failed_us or now_us)
        unread[source.model_id].append(Unread(name=source.name, since=since, reason=source.reason or ""))
    found = {}
    for head in scope.records(ModelHead, heads):
        events, judged, detail, rejected, came_since = by_model.get(head.id, _UNTOLD)
        if judged is not None and not judged["rows"] and came_since:
            judged = None  # what came first was counted after the evaluation that found nothing
        times, failed_us, reason = failures.get(head.id, _NOT_FAILED)
        loud = [incident for incident in firing[head.id] if not incident.silenced_by]
        has_reference, is_live = head.reference_id is not None, Habits.from_dict(detail.get(LIVE, {})).is_live
        found[head.id] = ModelCondition(
            condition=condition(
                lifecycle=lifecycle_of(held=head.held, has_reference=has_reference, events=events, is_live=is_live),
                judged=None if judged is None else Judged(**judged),
                troubles=troubles_of(loud),
                silenced=len(firing[head.id]) - len(loud),
                held=head.held,
                failure=None if failed_us is None else Failure(since=from_microseconds(failed_us), reason=reason or ""),
                has_reference=has_reference,
                rejected=rejected,
                unread=unread[head.id],
            ),
            firing=sum(member.state == FIRING for incident in loud for member in incident.loud),
            incidents=len(loud),
            silenced=len(firing[head.id]) - len(loud),
            failures=times,
            failed_us=failed_us,
            reason=reason,
        )
    return found


def troubles_of(seen: Sequence[SeenIncident]) -> list[Trouble]:
    """Return what the state of a model follows from, the gravest first, in the order in which `check` has them."""

    def order(incident: SeenIncident) -> tuple[float, float, float, int, str]:
        body = incident.stored.body
        harm, exceedance = body.get("harm") or 0.0, body.get("exceedance") or 0.0
        return -incident.severity.rank, -harm, -exceedance, incident.stored.since_us, incident.stored.id

    return [
        Trouble(
            severity=one.severity,
            title=one.stored.title,
            family=one.root.family,
            metric=one.root.metric,
            column=one.root.column,
            segment=one.root.segment,
            unusable=one.stored.body.get("unusable"),
            by_itself=one.root.severity == one.severity,
            is_over=all(member.state == RESOLVED for member in one.loud if member.severity == one.severity),
            # What the chunks since show is told by reports, which have them.
            is_shown=not any(member.family in OF_LABELS for member in one.loud if member.severity == one.severity),
        )
        for one in sorted(seen, key=order)
    ]
