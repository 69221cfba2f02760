"""Which alerts and incidents are silenced now: found out whenever they are read, so that the clock alone decides.

What is stored of them knows nothing of silences. So a silence that is made, changed or ended has its effect in the next
answer, and one whose time is over has none any more, without an event or an evaluation in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial

from barograph.alerts.alert import LABELS, Labels
from barograph.alerts.condition import HELD
from barograph.alerts.severity import Severity
from barograph.alerts.silence import Silence, heard
from barograph.store.catalog import incidents as stored
from barograph.store.catalog.incidents import Place, StoredAlert, StoredIncident, StoredSilence
from barograph.store.catalog.models import ModelHead
from barograph.store.catalog.schema import alerts, models, silences
from barograph.store.catalog.scope import Scope

READ = 500  # incidents or alerts that are read at once to find those that are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Why nobody hears of an alert, and until when: a silence, or (`id` None) that its model is paused or retired."""

    id: int | None
    reason: str
    ends_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An alert of an incident, as far as it matters who hears of it."""

    id: str
    model_id: int
    incident_id: str
    state: str
    severity: str
    family: str
    metric: str
    monitor: str | None
    column: str | None
    segment: str | None
    is_root: bool
    is_explained: bool
    silenced_by: tuple[Mute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAlert:
    """An alert, and what mutes it now."""

    stored: StoredAlert
    silenced_by: tuple[Mute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenIncident:
    """An incident as it is seen now.

    `severity` is that of its gravest alert that is heard; `silenced_by` names what mutes it if none is, and the
    severity is then that of all. `loud` are the alerts that are heard.
    """

    stored: StoredIncident
    severity: Severity
    root: Member
    loud: tuple[Member, ...]
    silenced_by: tuple[Mute, ...]


@dataclass(frozen=True, slots=True)
class Mutes:
    """All that mutes alerts of a project at one time."""

    silences: Sequence[tuple[StoredSilence, Silence]]
    held: Mapping[int, Mute]
    names: Mapping[int, str]

    def of(self, model_id: int, labels: Mapping[str, str | None]) -> tuple[Mute, ...]:
        """Return what mutes an alert of a model with these labels, of which the model's name is none."""
        found = [self.held[model_id]] if model_id in self.held else []
        if self.silences:
            whole = _labels({**labels, "model": self.names.get(model_id)})
            found += [
                Mute(id=row.id, reason=row.reason, ends_us=row.ends_us)
                for row, silence in self.silences
                if row.model_id in (None, model_id) and silence.matches(whole)
            ]
        return tuple(found)

    def __bool__(self) -> bool:
        return bool(self.silences or self.held)


def mutes_at(scope: Scope, now_us: int) -> Mutes:
    """Return what mutes alerts of the project at a time."""
    holds = (silences.c.starts_us <= now_us) & (silences.c.ends_us > now_us)
    rows = scope.records(StoredSilence, scope.pick(silences, StoredSilence).where(holds).order_by(silences.c.id))
    held = scope.pick(models, ModelHead).where(models.c.lifecycle.in_([lifecycle.value for lifecycle in HELD]))
    of_models = {
        model.id: Mute(id=None, reason=f"the model is {model.lifecycle}: {model.lifecycle_reason}", ends_us=None)
        for model in scope.records(ModelHead, held)
    }
    names = scope.rows(scope.select(models, models.c.id, models.c.name)) if rows else ()
    return Mutes([(row, row.as_silence()) for row in rows], of_models, {row[0]: row[1] for row in names})


def see_alerts(scope: Scope, rows: Sequence[StoredAlert], *, now_us: int) -> list[SeenAlert]:
    """Return alerts with what mutes each at a time."""
    mutes = mutes_at(scope, now_us)
    return [SeenAlert(stored=row, silenced_by=mutes.of(row.model_id, _of_alert(row))) for row in rows]


def see_incidents(scope: Scope, rows: Sequence[StoredIncident], *, now_us: int) -> list[SeenIncident]:
    """Return incidents as they are seen at a time."""
    return see_with(scope, rows, mutes_at(scope, now_us))


def see_with(scope: Scope, rows: Sequence[StoredIncident], mutes: Mutes) -> list[SeenIncident]:
    """Return incidents as they are seen with what mutes alerts."""
    members = _members(scope, rows, mutes)
    return [_seen(row, members.get((row.model_id, row.id), [_only(row, mutes)])) for row in rows]


def list_seen_alerts(
    scope: Scope,
    *,
    now_us: int,
    silenced: bool | None = None,
    model_id: int | None = None,
    state: str | None = None,
    severity: str | None = None,
    withdrawn: bool | None = False,
    limit: int,
    after: Place | None = None,
) -> list[SeenAlert]:
    """Return alerts as `incidents.list_alerts` does, as seen at a time. `silenced`: None lists both."""
    found: list[SeenAlert] = []
    read = partial(stored.list_alerts, scope, model_id=model_id, state=state, severity=severity, withdrawn=withdrawn)
    while True:
        rows = read(limit=limit if silenced is None else READ, after=after)
        found += [a for a in see_alerts(scope, rows, now_us=now_us) if silenced in (None, bool(a.silenced_by))]
        if silenced is None or len(rows) < READ or len(found) >= limit:
            return found[:limit]
        after = rows[-1].opened_us, rows[-1].model_id, rows[-1].id


def list_seen_incidents(
    scope: Scope,
    *,
    now_us: int,
    silenced: bool | None = None,
    model_id: int | None = None,
    state: str | None = None,
    severity: str | None = None,
    withdrawn: bool | None = False,
    limit: int,
    after: Place | None = None,
) -> list[SeenIncident]:
    """Return incidents as `incidents.list_incidents` does, as seen at a time, also for the `severity`.

    `silenced`: None lists both.
    """
    found: list[SeenIncident] = []
    sifts = silenced is not None or (severity is not None and bool(mutes_at(scope, now_us)))
    read = partial(stored.list_incidents, scope, model_id=model_id, state=state, withdrawn=withdrawn)
    while True:
        rows = read(severity=None if sifts else severity, limit=READ if sifts else limit, after=after)
        seen = see_incidents(scope, rows, now_us=now_us)
        found += [
            one for one in seen if silenced in (None, bool(one.silenced_by)) and severity in (None, one.severity.value)
        ]
        if not sifts or len(rows) < READ or len(found) >= limit:
            return found[:limit]
        after = rows[-1].opened_us, rows[-1].model_id, rows[-1].id


def _members(scope: Scope, rows: Sequence[StoredIncident], mutes: Mutes) -> dict[tuple[int, str], list[Member]]:
    columns = [alerts.c[field.name] for field in fields(Member) if field.name in alerts.c]
    found: defaultdict[tuple[int, str], list[Member]] = defaultdict(list)
    for part in _parts(rows):
        these = alerts.c.incident_id.in_({row.id for row in part})  # hardly ever do two models have the same id
        for row in scope.rows(scope.select(alerts, *columns).where(these, alerts.c.withdrawn.is_(False))):
            said = dict(row._mapping)
            member = Member(**said, silenced_by=mutes.of(said["model_id"], said))
            found[member.model_id, member.incident_id].append(member)
    return found


def _parts(rows: Sequence[StoredIncident]) -> Iterator[Sequence[StoredIncident]]:
    for i in range(0, len(rows), READ):
        yield rows[i : i + READ]


def _seen(row: StoredIncident, members: Sequence[Member]) -> SeenIncident:
    root = next((member for member in members if member.is_root), members[0])
    loud = heard(root, members)
    return SeenIncident(
        stored=row,
        severity=max(Severity(member.severity) for member in loud or members),
        root=root,
        loud=tuple(loud),
        silenced_by=() if loud else tuple(dict.fromkeys(mute for member in members for mute in member.silenced_by)),
    )


def _only(row: StoredIncident, mutes: Mutes) -> Member:
    """Return an incident as its own only alert: its alerts were withdrawn, or stored before they named it."""
    return Member(
        id=row.id,
        model_id=row.model_id,
        incident_id=row.id,
        state=row.state,
        severity=row.severity,
        family=row.family,
        metric="",
        monitor=None,
        column=None,
        segment=None,
        is_root=True,
        is_explained=False,
        silenced_by=mutes.of(row.model_id, {"family": row.family}),
    )


def _of_alert(row: StoredAlert) -> dict[str, str | None]:
    return {name: getattr(row, name) for name in LABELS if name != "model"}


def _labels(values: Mapping[str, str | None]) -> Labels:
    return frozenset((name, value) for name in LABELS if (value := values.get(name)))
