"""A data folder that the first migration wrote opens after `migrate`, with all that was in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from two_projects import DAY, NOW, day_us, profile

from barograph.store.catalog import (
    audit,
    changes,
    conditions,
    incidents,
    jobs,
    keys,
    leases,
    models,
    profiles,
    quarantine,
    references,
    results,
    states,
)
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.database import check_migrated, migrate, open_database, reading, writing
from barograph.store.catalog.profiles import DirtyChunk, Position
from barograph.store.catalog.projects import list_projects
from barograph.store.catalog.schema import METADATA
from barograph.store.catalog.scope import Scope

WRITTEN = Path(__file__).with_name("first_migration") / "catalog.sql"
TOKEN = f"baro_{'A' * 12}_{'B' * 43}"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "catalog.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(WRITTEN.read_text("utf-8"))
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    engine = open_database(path)
    migrate(engine)
    check_migrated(engine)
    yield engine
    engine.dispose()


def test_it_has_rows_of_every_table_of_the_first_form(engine: Engine) -> None:
    first = WRITTEN.read_text("utf-8")
    with reading(engine) as connection:
        empty = {
            name
            for name, table in METADATA.tables.items()
            if f"CREATE TABLE {name} (" in first or f'CREATE TABLE "{name}" (' in first
            if not connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
        }
    assert empty == set()
    assert first.count("CREATE TABLE") > 20


def test_everything_is_read_back(engine: Engine) -> None:
    with reading(engine) as connection:
        scope = Scope(connection, 1)
        assert [project.name for project in list_projects(connection)] == ["default", "second"]
        model = models.find_model(scope, "flights")
        assert model is not None
        assert (model.spec, model.schema) == ({"task": "binary", "name": "flüge"}, {"id": "key"})
        reference = model.reference_id
        assert reference is not None
        assert references.fitted(scope, reference) == bytes(range(8))
        assert profiles.read_profiles(scope, reference, "chunk") == [profile(0), profile(1)]
        assert profiles.get_position(scope, model.id, reference) == Position(events_version=4, labels_version=2)
        assert profiles.list_dirty(scope, reference, limit=9) == [DirtyChunk(start_us=day_us(1), since_us=NOW, marks=1)]
        (point,) = results.rows(scope, model.id, limit=9)
        assert (point.monitor, point.value, point.reason, point.from_us) == ("drift.psi.x", None, "no rows", NOW + DAY)
        before = results.series(scope, model.id, metric="psi", column="x", as_of_us=NOW, limit=9)
        assert [p.value for p in before] == [0.0, 1 / 3]
        state = states.get_state(scope, model.id)
        assert state is not None
        assert (state.events, state.detail, state.judged) == (7, {"a": [1.5, None]}, None)
        told = conditions.condition_of(scope, model.id, now_us=NOW)
        assert told is not None  # what it was judged by was not kept then, but what fires was
        assert (told.condition.lifecycle, told.condition.severity, told.incidents) == ("back-filling", "critical", 1)
        assert told.condition.verdict == "The model is silent: No events."
        assert [c.version for c in changes.list_changes(scope, limit=9)] == ["2"]
        assert [a.metric for a in incidents.list_alerts(scope, limit=9)] == ["row_count"]
        (incident,) = incidents.list_incidents(scope, limit=9)
        assert (incident.title, incident.acknowledged_by) == ("No events", Actor("key", None, "ada"))
        (comment,) = incidents.list_comments(scope, model.id, "silent", limit=9)
        assert comment.text == "It's the feed."
        assert [s.matchers for s in incidents.list_silences(scope, limit=9)] == [[["column", "x*"]]]
        (job,) = jobs.list_jobs(scope, limit=9)
        assert (job.state, job.owner, job.total, job.detail) == ("running", "worker", 9, {"start_us": 0})
        key = keys.find_key(connection, TOKEN, now_us=NOW)
        assert key is not None
        assert key.role == "ingest"
        (row,) = quarantine.list_rows(scope, model.id, limit=9)
        assert (row.reasons, row.row) == (["no id"], '{"x": 1}')
        assert [p.step for p in quarantine.list_poison(scope, limit=9)] == ["profile"]
        assert [d.model_id for d in everywhere.due_work(connection, now_us=NOW, limit=9)] == [model.id]
        (act,) = audit.list_records(scope, limit=9)
        assert (act.actor, act.detail) == (Actor("system", None, "ada"), {})
        assert audit.verify(scope) == audit.Chain(records=1, digest=act.digest, broken=None)


def test_ids_and_tokens_go_on_where_they_were(engine: Engine) -> None:
    with writing(engine) as connection:
        scope = Scope(connection, 1)
        assert models.create_model(scope, "second", spec={}, now_us=NOW).id == 2
        lease = leases.take(connection, "model 1", "other", now_us=NOW + DAY, seconds=30)
    assert lease is not None
    assert lease.token == 2
