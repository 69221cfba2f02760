"""Telling: from what happened to incidents to messages that wait to be sent, each exactly once.

One worker at a time, under a lease: what is found out, and that it was, are written in one transaction. So nothing is
lost and nothing is told twice, however often a process ends in between. Sending is in `send`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from barograph.alerts.alert import State
from barograph.alerts.dedupe import Told, tell
from barograph.alerts.severity import Severity
from barograph.delivery.compose import audible, compose, labels_of
from barograph.delivery.file import Delivery
from barograph.delivery.message import Kind
from barograph.delivery.routes import Labels, Target, targets
from barograph.delivery.telling import Decision, decide
from barograph.spec.file import seconds_of
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import deliveries, incidents, leases, models, outbox, tellings
from barograph.store.catalog.database import reading
from barograph.store.catalog.outbox import What
from barograph.store.catalog.projects import list_projects
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.silenced import SeenIncident, see_incidents
from barograph.store.catalog.tellings import Telling
from barograph.times import from_microseconds, to_microseconds
from barograph.worker.context import WorkerContext
from barograph.worker.lease_guard import hold

AT_ONCE = 25  # rows of the outbox, or tellings, in one transaction: on SQLite nobody else writes meanwhile
_OVER = (Kind.RESOLVED, Kind.WITHDRAWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """An incident with what its routes are."""

    seen: SeenIncident
    labels: Labels
    targets: Sequence[Target]

    def target_of(self, telling: Telling) -> Target | None:
        """Return the route that brings a telling to its receiver now; None if none does any more."""
        mine = [t for t in self.targets if telling.receiver in _receivers(t, telling.step)]
        return next((t for t in mine if t.path == telling.route), mine[0] if mine else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """One telling of which a message is made."""

    telling: Telling
    case: _Case
    decision: Decision
    target: Target


def tell_people(ctx: WorkerContext, delivery: Delivery, *, now_us: int) -> bool:
    """Find out who is told of what has happened, in all projects; return whether there was anything."""
    with reading(ctx.engine) as connection:
        projects = everywhere.projects_to_tell(connection, now_us=now_us)
        names = {one.id: one.name for one in list_projects(connection)} if projects else {}
    if not projects:
        return False
    with hold(ctx, "telling", now_us=now_us) as lease:
        if lease is None:
            return False
        for project_id in projects:
            with ctx.write(project_id) as scope:
                leases.check(scope.connection, lease)
                found = _Finder(scope, delivery, names[project_id], now_us)
                found.take_in()
                found.tell()
    return True


class _Finder:
    """One transaction of one project."""

    def __init__(self, scope: Scope, delivery: Delivery, project: str, now_us: int) -> None:
        self.scope, self.delivery, self.project, self.now_us = scope, delivery, project, now_us
        self.cases: dict[tuple[int, str], _Case | None] = {}

    def take_in(self) -> None:
        """Turn what happened to incidents into tellings that are due."""
        rows = outbox.waiting(self.scope, limit=AT_ONCE)
        happened: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
        for row in rows:
            happened[row.model_id, row.incident_id].append(row.what)
        for key, what in happened.items():
            case = self.case(*key) if self.delivery.receivers else None
            if case is not None:
                there = {one.receiver: one for one in tellings.of_incident(self.scope, *key)}
                changed = [self._again(one, case, what) for one in there.values()]
                if not {What.FIRES.value, What.CHANGED.value}.isdisjoint(what):
                    changed += self._new(case, there)
                tellings.save(self.scope, changed)
        outbox.handled(self.scope, [row.id for row in rows], now_us=self.now_us)

    def tell(self) -> None:
        """Decide of what is due, and make the messages."""
        due = tellings.due(self.scope, now_us=self.now_us, limit=AT_ONCE)
        asked = {(one.model_id, one.incident_id, one.receiver): one for one in due}
        for one in due:
            if one.grouped is not None and one.told_us is None:
                for mate in tellings.of_group(self.scope, one.receiver, one.grouped):
                    if mate.told_us is None and mate.due_us is not None:
                        asked.setdefault((mate.model_id, mate.incident_id, mate.receiver), mate)
        told: defaultdict[tuple[str, str, bool], list[_Sent]] = defaultdict(list)
        for telling in asked.values():
            sent = self._decided(telling)
            if sent is not None:
                together = telling.thread if telling.grouped is None else f"group {telling.grouped}"
                told[telling.receiver, together, sent.decision.kind in _OVER].append(sent)
        for _, sents in sorted(told.items(), key=lambda item: item[0][2]):
            self._message(sents)

    def case(self, model_id: int, incident_id: str) -> _Case | None:
        """Return an incident with its routes; None if it is gone."""
        key = model_id, incident_id
        if key not in self.cases:
            stored = incidents.get_incident(self.scope, incident_id, model_id=model_id)
            model = None if stored is None else models.get_model(self.scope, model_id)
            if stored is None or model is None:
                self.cases[key] = None
            else:
                (seen,) = see_incidents(self.scope, [stored], now_us=self.now_us)
                labels = labels_of(seen, model, self.project)
                self.cases[key] = _Case(seen=seen, labels=labels, targets=targets(self.delivery.routes, labels))
        return self.cases[key]

    def _again(self, telling: Telling, case: _Case, what: Sequence[str]) -> Telling:
        """Ask about a telling at once, unless it waits to be told for the first time."""
        if telling.told_us is not None or telling.due_us is None:
            due_us = self.now_us
            acknowledged = case.seen.stored.acknowledged_us is not None
            if telling.step and telling.told_us is None and What.ACKNOWLEDGED.value in what and not acknowledged:
                due_us += self._after_us(case, telling)
            return replace(telling, due_us=due_us)
        return telling

    def _after_us(self, case: _Case, telling: Telling) -> int:
        target = case.target_of(telling)
        return 0 if target is None else _us(seconds_of(target.escalate[telling.step - 1].after))

    def _new(self, case: _Case, there: Mapping[str, Telling]) -> list[Telling]:
        found: dict[str, Telling] = {}
        for target in case.targets:
            for receiver in target.receivers:
                earlier = found.get(receiver) or there.get(receiver)
                if earlier is None or (earlier.step and earlier.told_us is None):
                    found[receiver] = self._telling(case, target, receiver, step=0, after_us=_us(target.wait_s))
        return list(found.values())

    def _telling(self, case: _Case, target: Target, receiver: str, *, step: int, after_us: int) -> Telling:
        stored = case.seen.stored
        group = target.group_of(case.labels)
        return Telling(
            model_id=stored.model_id,
            incident_id=stored.id,
            receiver=receiver,
            route=target.path,
            step=step,
            grouped=None if group is None else f"{target.path} {group}",
            thread=f"{stored.model_id}/{stored.id}",
            due_us=self.now_us + after_us,
            created_us=self.now_us,
        )

    def _decided(self, telling: Telling) -> _Sent | None:
        """Return what is told; else write down when to ask again."""
        case = self.case(telling.model_id, telling.incident_id)
        target = None if case is None else case.target_of(telling)
        if case is None or telling.receiver not in self.delivery.receivers or (target is None and not telling.told_us):
            tellings.forget(self.scope, [telling])
            return None
        target = target or Target(repeat_s=None)  # the routes were changed: what is over is told all the same
        now = from_microseconds(self.now_us)
        decision = decide(audible(case.seen), _told(telling), target=target, step=telling.step, now=now)
        if decision.kind is not None:
            return _Sent(telling=telling, case=case, decision=decision, target=target)
        if decision.ends:
            tellings.forget(self.scope, [telling])
        else:
            due_us = None if decision.again is None else max(_us_of(decision), self.now_us + 1)
            tellings.save(self.scope, [replace(telling, due_us=due_us)])
        return None

    def _message(self, sents: Sequence[_Sent]) -> None:
        """Make one message of incidents that one receiver is told together, the gravest first."""
        sents = sorted(sents, key=lambda s: (-s.case.seen.severity.rank, s.telling.created_us, s.telling.incident_id))
        first = sents[0]
        receiver, thread = first.telling.receiver, self._thread(sents)
        for sent in sents:
            self._save_told(sent, thread)
        open_ones = [one for one in tellings.of_thread(self.scope, receiver, thread) if one.state == State.FIRING.value]
        assert first.decision.kind is not None  # else it would not be told
        message = compose(
            self.scope,
            first.case.seen,
            kind=first.decision.kind,
            thread=thread,
            is_open=bool(open_ones),
            labels=first.case.labels,
            url=self.delivery.url,
            now_us=self.now_us,
            others=[sent.case.seen for sent in sents[1:]],
        )
        deliveries.add_delivery(
            self.scope,
            receiver=receiver,
            thread=thread,
            kind=message.kind.value,
            message=message.to_dict(),
            model_id=first.telling.model_id,
            incident_id=first.telling.incident_id,
            now_us=self.now_us,
        )

    def _thread(self, sents: Sequence[_Sent]) -> str:
        """Return the thread of what is told together: one that is open, else that of the first incident."""
        first = sents[0].telling
        if first.grouped is None:
            return first.thread
        mates = tellings.of_group(self.scope, first.receiver, first.grouped)
        told = [mate.thread for mate in mates if mate.state == State.FIRING.value]
        return told[0] if told else first.thread

    def _save_told(self, sent: _Sent, thread: str) -> None:
        case, decision, telling = sent.case, sent.decision, sent.telling
        now = from_microseconds(self.now_us)
        known = tell(audible(case.seen), _told(telling), now=now, least=sent.target.least)
        saved = replace(
            telling,
            thread=thread,
            due_us=None if decision.again is None else _us_of(decision),
            told_us=self.now_us,
            severity=known.severity.value,
            state=known.state.value,
            alerts=sorted(known.alerts),
        )
        changed = [saved]
        if telling.step == 0 and decision.kind in (Kind.NEW, Kind.BACK):
            there = {one.receiver for one in tellings.of_incident(self.scope, telling.model_id, telling.incident_id)}
            for step, escalation in enumerate(sent.target.escalate, start=1):
                after_us = _us(seconds_of(escalation.after))
                for receiver in escalation.receivers:
                    if receiver not in there:
                        changed.append(self._telling(case, sent.target, receiver, step=step, after_us=after_us))
                        there.add(receiver)
        tellings.save(self.scope, changed)


def _receivers(target: Target, step: int) -> Sequence[str]:
    if step == 0:
        return target.receivers
    return target.escalate[step - 1].receivers if step <= len(target.escalate) else ()


def _told(telling: Telling) -> Told | None:
    if telling.told_us is None or telling.severity is None or telling.state is None:
        return None
    return Told(
        at=from_microseconds(telling.told_us),
        severity=Severity(telling.severity),
        state=State(telling.state),
        alerts=frozenset(telling.alerts or ()),
    )


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


def _us_of(decision: Decision) -> int:
    assert decision.again is not None
    return to_microseconds(decision.again)
