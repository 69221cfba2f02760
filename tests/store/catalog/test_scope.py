"""Nothing of one project is seen or changed from another: by construction, and by trying every function."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from two_projects import ADA, DAY, NOW, Catalog, day_us, profile, result

import barograph.store.catalog as package
from barograph.alerts.condition import Lifecycle
from barograph.errors import BarographError
from barograph.rules.limits import Status
from barograph.store.catalog import (
    audit,
    carried,
    changes,
    conditions,
    deliveries,
    halves,
    handling,
    incidents,
    jobs,
    keys,
    links,
    models,
    outbox,
    overview,
    precision,
    privacy_keys,
    profiles,
    proposals,
    quarantine,
    receivers,
    references,
    removals,
    results,
    sessions,
    silenced,
    sources,
    states,
    tellings,
    throttle,
    users,
    work,
)
from barograph.store.catalog.alerts import (
    OperationsIncident,
    firing_operations,
    forget_alerts,
    write_alerts,
    write_operations,
)
from barograph.store.catalog.database import reading
from barograph.store.catalog.halves import Half
from barograph.store.catalog.outbox import Happened, Tells, What
from barograph.store.catalog.profiles import DirtyChunk, Position
from barograph.store.catalog.quarantine import Refused
from barograph.store.catalog.row_security import across
from barograph.store.catalog.schema import METADATA
from barograph.store.catalog.scope import Scope

FOLDER = Path(inspect.getfile(package)).parent
PEOPLE = {"users", "owners", "sessions", "devices", "attempts"}
UNSCOPED_TABLES = {"organisations", "projects", "leases"} | PEOPLE
UNSCOPED_MODULES = {"scope", "cross_project", "projects", "leases", "database", "user_tables"}
UNSCOPED_MODULES |= {"users", "sessions", "links", "throttle", "row_security"}
STATEMENTS = {"select", "insert", "update", "delete", "text", "exec_driver_sql", "execute", "connection"}


def modules() -> Iterator[str]:
    for module in pkgutil.iter_modules([str(FOLDER)]):
        if not module.ispkg and module.name not in UNSCOPED_MODULES:
            yield module.name


def test_every_table_has_a_project() -> None:
    assert {name for name, table in METADATA.tables.items() if "project_id" not in table.c} == UNSCOPED_TABLES
    for name, table in METADATA.tables.items():
        if name not in UNSCOPED_TABLES:
            assert not table.c.project_id.nullable, name
            assert "projects.id" in {key.target_fullname for key in table.c.project_id.foreign_keys}, name


def test_what_belongs_to_a_model_names_it_by_project_and_id() -> None:
    for name, table in METADATA.tables.items():
        # A point hangs on its series, which names the model; a removal outlives its model.
        if "model_id" in table.c and name not in ("points", "removals"):
            composite = [set(key.column_keys) for key in table.foreign_key_constraints]
            assert any({"project_id", "model_id"} <= keys for keys in composite), name


def test_only_the_scope_makes_statements() -> None:
    wrong = []
    for name in modules():
        for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in STATEMENTS:
                of = node.value.id if isinstance(node.value, ast.Name) else ""
                if of != "scope" or node.attr in ("text", "exec_driver_sql", "execute", "connection"):
                    wrong.append(f"{name}.py:{node.lineno}: {of}.{node.attr}")
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
                wrong += [f"{name}.py:{node.lineno}: {a.name}" for a in node.names if a.name != "Connection"]
    assert not wrong


DETAIL = {"by": "x"}


class Theirs:
    """One of everything in a project, and a call of every repository function that names it."""

    def __init__(self, catalog: Catalog) -> None:
        self.model = m = catalog.model("secret").id
        self.reference = r = catalog.reference(catalog.model("second")).id
        with catalog.write() as scope:
            self.own = references.add_reference(scope, m, data_bytes=1, digest="d", now_us=NOW).id
            references.reference_ready(scope, self.own, rows=1, fitted=b"secret", now_us=NOW)
            r = self.own
            profiles.write_profiles(scope, m, r, "chunk", [profile()], now_us=NOW)
            profiles.set_position(scope, m, r, Position(events_version=1), expected=Position())
            profiles.mark_dirty(scope, m, r, [7], now_us=NOW)
            carried.write(scope, m, b"secret", new={"chunk": {7: b"secret"}}, gone=None)
            results.write_points(scope, m, results.pack([result(value=0.25)]), now_us=NOW - 1)
            beyond = result("drift.psi.x", status=Status.BREACH)
            unknown = result("quality.missing_share.x", value=None, status=Status.UNDEFINED, reason="r")
            results.write_points(scope, m, results.pack([result(), beyond, unknown]), now_us=NOW)
            self.series = results.list_series(scope, m)
            states.set_state(scope, m, events=1, last_event_us=NOW)
            self.change = changes.add_change(scope, m, at_us=NOW, kind="data", title="t", detail=DETAIL, now_us=NOW).id
            self.job = jobs.add_job(scope, m, "fit", detail={}, now_us=NOW)
            running = jobs.claim(scope, self.job.id, owner="a", now_us=NOW, seconds=30)
            assert running is not None
            self.running = running
            self.failed = jobs.add_job(scope, m, "fit", detail={}, now_us=NOW).id
            given_up = jobs.claim(scope, self.failed, owner="a", now_us=NOW, seconds=30)
            assert given_up is not None
            jobs.fail(scope, given_up, reason="r", now_us=NOW, final=True)
            proposals.propose(scope, m, job_id=self.job.id, spec=None, now_us=NOW)
            self.key = keys.create_key(scope, name="k", role="viewer", now_us=NOW).key.id
            connection = scope.connection
            user = users.create_user(connection, "secret", now_us=NOW).id
            users.set_member(connection, user, scope.project_id, "admin")
            users.set_owner(connection, user, 1, True)
            sessions.open_session(connection, user_id=user, now_us=NOW)
            links.make_link(connection, user, project_id=scope.project_id, made_by=ADA, now_us=NOW)
            throttle.know(connection, user, now_us=NOW)
            throttle.charge(connection, ["name x"], now_us=NOW)
            of = {"origin": "o", "received_us": NOW, "keep": 9}
            quarantine.add(scope, m, "events", [Refused(["why"], "{}")], **of)  # type: ignore[arg-type]  # of a test
            self.row = quarantine.list_rows(scope, m, limit=1)[0].id
            self.poison = quarantine.add_poison(scope, m, step="s", position="p", reason="r", now_us=NOW).id
            self.incident = OperationsIncident(
                id="i", state="firing", severity="critical", metric="x", title="t", since_us=NOW, body={}
            )
            write_operations(scope, m, self.incident, now_us=NOW)
            alert = {"id": "q", "state": "firing", "severity": "notice", "family": "drift", "metric": "psi"}
            alert |= {"column": "x", "body": {"worst": {"harm": 1.0}}}
            times = {"first_us": NOW, "opened_us": NOW, "updated_us": NOW, "withdrawn": False}
            scope.insert(METADATA.tables["alerts"], [{**alert, **times, "model_id": m}])
            silence = {"matchers": [("column", "x")], "starts_us": 0, "ends_us": DAY, "reason": "why"}
            self.silence_values: dict[str, Any] = {**silence, "created_by": ADA, "now_us": NOW}
            self.silence = incidents.add_silence(scope, model_id=m, **self.silence_values).id
            models.set_lifecycle(scope, m, Lifecycle.RETIRED, by=ADA, reason="x", now_us=NOW)
            write_operations(scope, m, replace(self.incident, id="h"), now_us=NOW)
            held = incidents.get_incident(scope, "h")
            assert held is not None
            handling.resolve(scope, held, by=ADA, now_us=NOW)
            self.comment = incidents.add_comment(scope, m, "i", author=ADA, text="secret", now_us=NOW).id
            self.alerts = incidents.list_alerts(scope, limit=9)
            self.incidents = incidents.list_incidents(scope, limit=9)
            work.mark(scope, m, due_us=NOW)
            privacy_keys.note_fingerprint(scope, "secret")
            self.half = Half(model_id=m, name="n", side="request", at_us=NOW, received_us=NOW, rows=b"secret")
            halves.add_halves(scope, m, [self.half])
            said: dict[str, Any] = {"receiver": "hook", "thread": "t", "kind": "new", "message": {"what": "secret"}}
            of_incident: dict[str, Any] = {"model_id": m, "incident_id": "i"}
            self.said, self.of_incident = said, of_incident
            deliveries.add_delivery(scope, **{**said, "kind": "digest", "thread": "w"}, now_us=NOW)
            claimed = {"owner": "a", "now_us": NOW, "seconds": 30}
            first = deliveries.add_delivery(scope, **said, **of_incident, now_us=NOW)
            taken = deliveries.claim(scope, first.id, **claimed)  # type: ignore[arg-type]  # of a test
            assert taken is not None
            deliveries.sent(scope, taken, reference="secret", now_us=NOW)
            dead = deliveries.add_delivery(scope, **said, **of_incident, now_us=NOW)
            taken = deliveries.claim(scope, dead.id, **claimed)  # type: ignore[arg-type]  # of a test
            assert taken is not None
            deliveries.give_up(scope, taken, reason="r", now_us=NOW)
            self.dead = dead.id
            self.waits = deliveries.add_delivery(scope, **{**said, "thread": "u"}, **of_incident, now_us=NOW).id
            other = deliveries.add_delivery(scope, **{**said, "thread": "v"}, **of_incident, now_us=NOW)
            sending = deliveries.claim(scope, other.id, **claimed)  # type: ignore[arg-type]  # of a test
            assert sending is not None
            self.sending = sending
            for _ in range(receivers.FAILURES):
                receivers.failed(scope, "hook", reason="r", now_us=NOW, rest_us=1)
            more: dict[str, Any] = {"route": "$", "step": 0, "thread": "t", "due_us": NOW, "created_us": NOW}
            self.telling = tellings.Telling(**of_incident, receiver="hook", grouped="g", **more)
            tellings.save(scope, [self.telling])
            over = replace(self.telling, receiver="old", told_us=0, state="resolved", grouped=None, thread="x")
            tellings.save(scope, [replace(over, due_us=None)])
            self.source = sources.SourceState(
                model_id=m, name="s", kind="sql", position={"watermark": 1}, due_us=NOW, failures=1
            )
            sources.set_source(scope, self.source)
            self.file = sources.SourceFile(path="p", stamp="1", size=1, digest="d")
            sources.keep_file(scope, m, "s", self.file)
            self.act = audit.record(scope, action="a", target="t", actor=ADA, now_us=NOW)
            self.removal = removals.add_removal(scope, m, "erase", model="secret", subject="x", now_us=NOW).id
        assert self.reference != r

    def seen(self, scope: Scope) -> list[silenced.SeenIncident]:
        """Return how these incidents look in a scope."""
        return silenced.see_incidents(scope, self.incidents, now_us=NOW)

    def calls(self) -> dict[str, Callable[[Scope], object]]:
        """Return what a foreign scope tries, by the function that it calls."""
        m, r, k = self.model, self.own, self.key
        at: dict[str, Any] = {"now_us": NOW + 1}
        page: dict[str, Any] = {"limit": 99}
        every, ids = self.series, [one.id for one in self.series]
        span: dict[str, Any] = {"start_us": day_us(0), "end_us": day_us(1)}
        claimed: dict[str, Any] = {"owner": "b", "now_us": NOW + DAY, "seconds": 30}
        return {
            "models.get_model": lambda s: models.get_model(s, m),
            "models.find_model": lambda s: models.find_model(s, "secret"),
            "models.specifications": lambda s: models.specifications(s),
            "models.list_models": lambda s: models.list_models(s, **page),
            "models.update_model": lambda s: models.update_model(s, m, name="taken", **at),
            "models.set_lifecycle": lambda s: models.set_lifecycle(s, m, Lifecycle.PAUSED, by=ADA, reason="x", **at),
            "models.activate_reference": lambda s: models.activate_reference(s, m, r, schema={}, **at),
            "models.delete_model": lambda s: models.delete_model(s, m),
            "references.add_reference": lambda s: references.add_reference(s, m, data_bytes=1, digest="x", **at),
            "references.get_reference": lambda s: references.get_reference(s, r),
            "references.find_reference": lambda s: references.find_reference(s, m, number=1),
            "references.list_references": lambda s: references.list_references(s, m, **page),
            "references.reference_ready": lambda s: references.reference_ready(s, r, rows=9, fitted=b"x", **at),
            "references.reference_failed": lambda s: references.reference_failed(s, r, reason="x"),
            "references.reference_forgotten": lambda s: references.reference_forgotten(s, r, reason="x"),
            "references.fitted": lambda s: references.fitted(s, r),
            "carried.read_head": lambda s: carried.read_head(s, m),
            "carried.read_pieces": lambda s: carried.read_pieces(s, m, "chunk"),
            "carried.void": lambda s: carried.void(s, m),
            "carried.write": lambda s: carried.write(s, m, b"x", new={"chunk": {7: b"x"}}, gone=None),
            "profiles.write_profiles": lambda s: profiles.write_profiles(
                s, m, r, "chunk", [profile(data=b"forged")], **at
            ),
            "profiles.read_profiles": lambda s: profiles.read_profiles(s, r, "chunk"),
            "profiles.read_profiles_at": lambda s: profiles.read_profiles_at(s, r, "chunk", [day_us(0)]),
            "profiles.profile_heads": lambda s: profiles.profile_heads(s, r, "chunk"),
            "profiles.heads_at": lambda s: profiles.heads_at(s, r, "chunk", [day_us(0)]),
            "profiles.stamp": lambda s: any(profiles.stamp(s, r, "chunk")),
            "profiles.delete_profiles": lambda s: profiles.delete_profiles(s, r, "chunk", [day_us(0)]),
            "profiles.forget_profiles": lambda s: profiles.forget_profiles(s, m),
            "profiles.get_position": lambda s: profiles.get_position(s, m, r) != Position(),
            "profiles.set_position": lambda s: profiles.set_position(
                s, m, r, Position(events_version=9), expected=Position(events_version=1)
            ),
            "profiles.mark_dirty": lambda s: profiles.mark_dirty(s, m, r, [7], **at),
            "profiles.list_dirty": lambda s: profiles.list_dirty(s, r, **page),
            "profiles.count_dirty": lambda s: profiles.count_dirty(s, r),
            "profiles.clear_dirty": lambda s: profiles.clear_dirty(
                s, r, [DirtyChunk(start_us=7, since_us=NOW, marks=1)]
            ),
            "results.write_points": lambda s: results.write_points(s, m, results.pack([result(value=9.0)]), **at),
            "results.list_series": lambda s: results.list_series(s, m),
            "results.series": lambda s: results.series(s, m, metric="row_count", **page),
            "results.rows": lambda s: results.rows(s, m, **page),
            "results.current_chunks": lambda s: results.current_chunks(s, m, since_us=0),
            "results.forget_chunks": lambda s: results.forget_chunks(s, m, [day_us(0)]),
            "results.forget_history": lambda s: results.forget_history(s, m, [day_us(0)]),
            "results.latest": lambda s: results.latest(s, m),
            "states.get_state": lambda s: states.get_state(s, m),
            "states.set_state": lambda s: states.set_state(s, m, events=9),
            "states.count_rows": lambda s: states.count_rows(s, m, events=9),
            "states.states_of": lambda s: states.states_of(s, [m]),
            "conditions.condition_of": lambda s: conditions.condition_of(s, m, **at),
            "conditions.conditions": lambda s: conditions.conditions(s, **at),
            "silenced.list_seen_alerts": lambda s: silenced.list_seen_alerts(s, withdrawn=None, **at, **page),
            "silenced.list_seen_incidents": lambda s: silenced.list_seen_incidents(s, withdrawn=None, **at, **page),
            "silenced.mutes_at": lambda s: silenced.mutes_at(s, DAY // 2),
            "silenced.see_alerts": lambda s: [a for a in silenced.see_alerts(s, self.alerts, **at) if a.silenced_by],
            "silenced.see_incidents": lambda s: [i for i in self.seen(s) if i.root.metric],
            "silenced.see_with": lambda s: [
                i for i in silenced.see_with(s, self.incidents, silenced.mutes_at(s, NOW)) if i.root.metric
            ],
            "changes.add_change": lambda s: changes.add_change(s, m, at_us=NOW, kind="data", title="x", **at),
            "changes.get_change": lambda s: changes.get_change(s, m, self.change),
            "changes.latest_change": lambda s: changes.latest_change(s, m, kind="data", name=("by", "x")),
            "changes.edit_change": lambda s: changes.edit_change(s, m, self.change, title="x", by=ADA, **at),
            "changes.delete_change": lambda s: changes.delete_change(s, m, self.change),
            "changes.list_changes": lambda s: changes.list_changes(s, **page),
            "jobs.add_job": lambda s: jobs.add_job(s, m, "fit", detail={}, **at),
            "jobs.get_job": lambda s: jobs.get_job(s, self.job.id),
            "jobs.list_jobs": lambda s: jobs.list_jobs(s, **page),
            "jobs.claim": lambda s: jobs.claim(s, self.job.id, **claimed),
            "jobs.progress": lambda s: jobs.progress(s, self.running, done=9, seconds=30, **at),
            "jobs.put_back": lambda s: jobs.put_back(s, self.running, **at),
            "jobs.cancel": lambda s: jobs.cancel(s, self.job.id, **at),
            "jobs.finish": lambda s: jobs.finish(s, self.running, **at),
            "jobs.fail": lambda s: jobs.fail(s, self.running, reason="x", **at),
            "jobs.retry": lambda s: jobs.retry(s, self.failed, **at),
            "proposals.propose": lambda s: proposals.propose(s, m, job_id=self.job.id, spec={"x": 1}, **at),
            "proposals.get_proposal": lambda s: proposals.get_proposal(s, m),
            "proposals.find_proposals": lambda s: proposals.find_proposals(s, [m]),
            "proposals.is_current": lambda s: proposals.is_current(s, m, job_id=self.job.id),
            "proposals.settle": lambda s: proposals.settle(s, m),
            "keys.touch_key": lambda s: keys.touch_key(s, k, **at),
            "keys.revoke_key": lambda s: keys.revoke_key(s, k, **at),
            "keys.get_key": lambda s: keys.get_key(s, k),
            "keys.list_keys": lambda s: keys.list_keys(s, **page),
            "privacy_keys.fingerprint_of": lambda s: privacy_keys.fingerprint_of(s),
            "halves.add_halves": lambda s: halves.add_halves(s, m, [replace(self.half, name="n", rows=b"forged")]),
            "halves.end_halves": lambda s: halves.end_halves(s, m, ["n"], **at),
            "halves.forget_halves": lambda s: halves.forget_halves(s, m),
            "quarantine.add": lambda s: quarantine.add(
                s, m, "events", [Refused(["x"], "x")], origin="x", received_us=NOW, keep=1
            ),
            "quarantine.list_rows": lambda s: quarantine.list_rows(s, m, **page),
            "quarantine.count_rows": lambda s: quarantine.count_rows(s, m),
            "quarantine.rows_with": lambda s: quarantine.rows_with(s, m, ["{"], **page),
            "quarantine.delete_rows": lambda s: quarantine.delete_rows(s, m, ids=[self.row]),
            "quarantine.change_poison": lambda s: quarantine.change_poison(s, self.poison, reason="x"),
            "quarantine.mark_replayed": lambda s: quarantine.mark_replayed(s, m, [self.row], **at),
            "quarantine.add_poison": lambda s: quarantine.add_poison(s, m, step="x", position="x", reason="x", **at),
            "quarantine.list_poison": lambda s: quarantine.list_poison(s, **page),
            "quarantine.get_poison": lambda s: quarantine.get_poison(s, self.poison),
            "quarantine.delete_poison": lambda s: quarantine.delete_poison(s, self.poison),
            "alerts.write_alerts": lambda s: write_alerts(s, m, [], [], since_us=0, **at),
            "alerts.write_operations": lambda s: write_operations(s, m, replace(self.incident, title="x"), **at),
            "deliveries.add_delivery": lambda s: deliveries.add_delivery(s, **self.said, **self.of_incident, **at),
            "deliveries.get_delivery": lambda s: deliveries.get_delivery(s, self.dead),
            "deliveries.list_deliveries": lambda s: deliveries.list_deliveries(s, **page),
            "deliveries.has_thread": lambda s: deliveries.has_thread(s, "hook", "t"),
            "deliveries.forget_digests": deliveries.forget_digests,
            "deliveries.claim": lambda s: deliveries.claim(s, self.waits, **claimed),
            "deliveries.sent": lambda s: deliveries.sent(s, self.sending, reference="x", **at),
            "deliveries.put_off": lambda s: deliveries.put_off(s, self.sending, reason="x", due_us=0),
            "deliveries.give_up": lambda s: deliveries.give_up(s, self.sending, reason="x", **at),
            "deliveries.retry": lambda s: deliveries.retry(s, self.dead, **at),
            "deliveries.reference_of": lambda s: deliveries.reference_of(s, "hook", "t"),
            "deliveries.count_waiting": lambda s: deliveries.count_waiting(s),
            "deliveries.prune": lambda s: deliveries.prune(s, now_us=NOW + 99 * DAY),
            "incidents.members_of": lambda s: incidents.members_of(s, m, "i"),
            "receivers.list_receivers": lambda s: receivers.list_receivers(s),
            "tellings.of_incident": lambda s: tellings.of_incident(s, m, "i"),
            "tellings.due": lambda s: tellings.due(s, **at, **page),
            "tellings.of_group": lambda s: tellings.of_group(s, "hook", "g"),
            "tellings.of_thread": lambda s: tellings.of_thread(s, "hook", "t"),
            "tellings.save": lambda s: tellings.save(s, [replace(self.telling, due_us=0)]),
            "tellings.forget": lambda s: tellings.forget(s, [self.telling]),
            "tellings.prune": lambda s: tellings.prune(s, now_us=NOW),
            "outbox.add": lambda s: outbox.add(s, m, Happened(fires=("i",)), tells=Tells.NEW, **at),
            "outbox.add_one": lambda s: outbox.add_one(s, m, ["i"], what=What.CHANGED, **at),
            "outbox.waiting": lambda s: outbox.waiting(s, **page),
            "outbox.handled": lambda s: outbox.handled(s, [1], **at),
            "outbox.prune": lambda s: outbox.prune(s, now_us=NOW + 8 * DAY),
            "alerts.forget_alerts": lambda s: forget_alerts(s, m, before_us=None),
            "alerts.firing_operations": lambda s: firing_operations(s, m, "x"),
            "incidents.list_alerts": lambda s: incidents.list_alerts(s, withdrawn=None, **page),
            "incidents.list_incidents": lambda s: incidents.list_incidents(s, withdrawn=None, **page),
            "incidents.get_incident": lambda s: incidents.get_incident(s, "i"),
            "incidents.acknowledge": lambda s: incidents.acknowledge(s, m, "i", by=ADA, **at),
            "incidents.add_comment": lambda s: incidents.add_comment(s, m, "i", author=ADA, text="x", **at),
            "incidents.list_comments": lambda s: incidents.list_comments(s, m, "i", **page),
            "incidents.edit_comment": lambda s: incidents.edit_comment(s, m, "i", self.comment, text="x", by=ADA, **at),
            "incidents.delete_comment": lambda s: incidents.delete_comment(s, m, "i", self.comment),
            "handling.resolve": lambda s: handling.resolve(s, self.incidents[0], by=ADA, **at),
            "handling.reopen": lambda s: handling.reopen(s, self.incidents[0], by=ADA, **at),
            "handling.assign": lambda s: handling.assign(s, self.incidents[0], to="x", by=ADA, **at),
            "handling.give_verdict": lambda s: handling.give_verdict(s, self.incidents[0], "real", by=ADA, **at),
            "handling.hold_to": lambda s: [
                row for row in handling.hold_to(s, m, [{"id": "h", "state": "firing"}], {}) if row["state"] != "firing"
            ],
            "precision.precision_of_monitors": lambda s: precision.precision_of_monitors(s, m, since_us=0),
            "incidents.add_silence": lambda s: incidents.add_silence(s, model_id=m, **self.silence_values),
            "incidents.get_silence": lambda s: incidents.get_silence(s, self.silence),
            "incidents.list_silences": lambda s: incidents.list_silences(s, **page),
            "incidents.change_silence": lambda s: incidents.change_silence(s, self.silence, reason="x"),
            "incidents.end_silence": lambda s: incidents.end_silence(s, self.silence, **at),
            "work.mark": lambda s: work.mark(s, m, due_us=0),
            "work.again": lambda s: work.again(s, m, now_us=NOW - 1),
            "work.done": lambda s: work.done(s, m, marks=1),
            "work.fail": lambda s: work.fail(s, m, due_us=0, reason="x", **at),
            "work.later": lambda s: work.later(s, m, marks=1, due_us=0),
            "overview.series_of": lambda s: overview.series_of(s, [m]),
            "overview.newest_points": lambda s: any(overview.newest_points(s, every, count=9).values()),
            "overview.points_between": lambda s: any(overview.points_between(s, every, **span).values()),
            "overview.runs_between": lambda s: any(overview.runs_between(s, ids, **span, width_us=DAY).values()),
            "overview.bounds": lambda s: overview.bounds(s, ids),
            "overview.count_chunks": lambda s: sum(overview.count_chunks(s, one, **span) for one in ids),
            "overview.newest_starts": lambda s: next(iter(overview.newest_starts(s, ids[0], **span, count=9)), None),
            "overview.flagged": lambda s: overview.flagged(s, m, family="drift", **span),
            "overview.undefined_of": lambda s: overview.undefined_of(s, m, chunk_us=day_us(0)),
            "overview.firing_since": lambda s: overview.firing_since(s),
            "overview.last_events": lambda s: overview.last_events(s),
            "overview.named": lambda s: overview.named(s, [m]),
            "overview.model_names": lambda s: overview.model_names(s),
            "overview.waits_since": lambda s: overview.waits_since(s),
            "overview.news": lambda s: any(overview.news(s)),
            "overview.harms": lambda s: overview.harms(s, m),
            "overview.alerts_of": lambda s: overview.alerts_of(s, m, "i"),
            "sources.list_sources": lambda s: sources.list_sources(s),
            "sources.set_source": lambda s: sources.set_source(s, replace(self.source, due_us=0)),
            "sources.forget_sources": lambda s: sources.forget_sources(s, m, but=[]),
            "sources.seen_files": lambda s: sources.seen_files(s, m, "s", ["p"]),
            "sources.file_with": lambda s: sources.file_with(s, m, "s", "d"),
            "sources.keep_file": lambda s: sources.keep_file(s, m, "s", replace(self.file, size=2)),
            "audit.list_actions": lambda s: audit.list_actions(s),
            "removals.get_removal": lambda s: removals.get_removal(s, self.removal),
            "removals.list_removals": lambda s: removals.list_removals(s, **page),
            "removals.subject_of": lambda s: removals.subject_of(s, self.removal),
            "removals.forget_subject": lambda s: removals.forget_subject(s, self.removal),
            "removals.advance": lambda s: removals.advance(s, self.removal, step="x", **at),
            "removals.put_off": lambda s: removals.put_off(s, self.removal, reason="x", due_us=0, **at),
            "removals.finish_removal": lambda s: removals.finish_removal(s, self.removal, **at),
            "audit.verify": lambda s: audit.verify(s).records,
            "audit.has_digest": lambda s: audit.has_digest(s, self.act.digest.hex()),
            "audit.list_records": lambda s: audit.list_records(s, **page),
        }


# They make something new in the project of their scope, and name nothing of another.
NAME_NOTHING = {
    "privacy_keys.note_fingerprint",
    "removals.add_removal",
    "models.create_model",
    "keys.create_key",
    "audit.record",
    "receivers.worked",  # each project has its own state of a receiver of the installation
    "receivers.failed",
    "receivers.try_one",
}


def functions() -> set[str]:
    """Return every public function that takes a scope."""
    found = set()
    for name in modules():
        module = importlib.import_module(f"barograph.store.catalog.{name}")
        for what, function in inspect.getmembers(module, inspect.isfunction):
            takes = next(iter(inspect.signature(function).parameters), "")
            if not what.startswith("_") and takes == "scope" and function.__module__ == module.__name__:
                found.add(f"{name}.{what}")
    return found


def contents(catalog: Catalog) -> dict[str, list[tuple[Any, ...]]]:
    with reading(catalog.engine) as connection:
        return everything(connection)


def everything(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all projects, which row-level security would hide."""
    with across(connection):
        return {
            name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for name, table in METADATA.tables.items()
        }


def test_no_function_sees_or_changes_another_project(catalog: Catalog) -> None:
    theirs = Theirs(catalog)
    before = contents(catalog)
    assert all(before[name] for name in METADATA.tables if name not in ("leases",)), "something of every table"
    seen = {}
    for name, call in theirs.calls().items():
        try:
            with catalog.write(catalog.other) as scope:
                seen[name] = call(scope)
        except BarographError:
            seen[name] = None
        assert contents(catalog) == before, name
    assert {name: value for name, value in seen.items() if value} == {}


def test_that_every_function_is_tried(catalog: Catalog) -> None:
    tried = set(Theirs(catalog).calls())
    assert tried | NAME_NOTHING == functions()


def test_the_same_calls_do_something_in_their_own_project(catalog: Catalog) -> None:
    """Without this, the test above could not fail."""
    theirs = Theirs(catalog)
    before = contents(catalog)
    for name, call in theirs.calls().items():
        seen, after = None, before
        with pytest.raises(ZeroDivisionError), catalog.write() as scope:  # noqa: PT012 - taken back each time
            seen = call(scope)
            after = everything(scope.connection)
            1 / 0
        assert seen or after != before, name
