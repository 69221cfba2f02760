"""Write `catalog.sql`: a catalog as revision 0001 leaves it, with rows in every table.

It was run once, when 0001 was the newest revision, and is kept to show where the rows come from. Later revisions are
tested by opening what is in `catalog.sql`: never make it anew.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))
from two_projects import DAY, NOW, day_us, profile, result

from barograph.store.catalog import (
    audit,
    changes,
    incidents,
    jobs,
    leases,
    models,
    profiles,
    quarantine,
    references,
    results,
    states,
    work,
)
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog.alerts import OperationsIncident, write_operations
from barograph.store.catalog.database import migrate, open_database, writing
from barograph.store.catalog.profiles import Position
from barograph.store.catalog.quarantine import Refused
from barograph.store.catalog.schema import keys, projects
from barograph.store.catalog.scope import Scope

TOKEN = f"baro_{'A' * 12}_{'B' * 43}"


def fill(scope: Scope) -> None:
    """Add rows to every table."""
    scope.change(sa.update(projects).values(created_us=NOW))
    everywhere.add_project(scope.connection, "second", now_us=NOW)
    model = models.create_model(scope, "flights", spec={"task": "binary", "name": "flüge"}, version="1", now_us=NOW)
    reference = references.add_reference(scope, model.id, data_bytes=3, digest="abc", now_us=NOW)
    references.reference_ready(scope, reference.id, rows=2, fitted=bytes(range(8)), now_us=NOW)
    models.activate_reference(scope, model.id, reference.id, schema={"id": "key"}, now_us=NOW)
    profiles.write_profiles(scope, model.id, reference.id, "chunk", [profile(0), profile(1)], now_us=NOW)
    moved = Position(events_version=4, labels_version=2)
    profiles.set_position(scope, model.id, reference.id, moved, expected=Position())
    profiles.mark_dirty(scope, model.id, reference.id, [day_us(1)], now_us=NOW)
    given = [result("drift.psi.x", day=day, value=day / 3) for day in range(2)]
    results.write_points(scope, model.id, results.pack(given), now_us=NOW)
    results.write_points(
        scope, model.id, results.pack([result("drift.psi.x", value=None, reason="no rows")]), now_us=NOW + DAY
    )
    states.set_state(scope, model.id, verdict="bad", severity="warning", events=7, detail={"a": [1.5, None]})
    changes.add_change(scope, model.id, at_us=NOW, kind="deployment", title="second try", version="2", now_us=NOW)
    silent = OperationsIncident(
        id="silent", state="firing", severity="critical", metric="row_count", title="No events", since_us=NOW, body={}
    )
    write_operations(scope, model.id, silent, now_us=NOW)
    incidents.acknowledge(scope, model.id, "silent", by="ada", now_us=NOW + 1)
    incidents.add_comment(scope, model.id, "silent", author="ada", text="It's the feed.", now_us=NOW)
    span = {"starts_us": 0, "ends_us": NOW + DAY, "now_us": NOW}
    said = {"matchers": [("column", "x*")], "reason": "rebuilt", "created_by": "ada"}
    incidents.add_silence(scope, model_id=None, **said, **span)  # type: ignore[arg-type]  # values of a test
    job = jobs.add_job(scope, model.id, "backfill", detail={"start_us": 0}, total=9, now_us=NOW)
    jobs.claim(scope, job.id, owner="worker", now_us=NOW, seconds=30)
    secret = sha256(TOKEN[18:].encode()).digest()
    key = {"name": "producer", "prefix": TOKEN[5:17], "hash": secret, "action": "ingest", "created_us": NOW}
    scope.insert(keys, [key])
    rows = [Refused(["no id"], '{"x": 1}')]
    quarantine.add(scope, model.id, "events", rows, origin="node 1", received_us=NOW, keep=9)
    quarantine.add_poison(scope, model.id, step="profile", position="7", reason="unreadable", now_us=NOW)
    work.mark(scope, model.id, due_us=NOW)
    leases.take(scope.connection, "model 1", "worker", now_us=NOW, seconds=30)
    audit.record(scope, action="model.create", target="flights", detail={"by": "ada"}, now_us=NOW)


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.db"
        engine = open_database(path)
        assert migrate(engine) == "0001"
        with writing(engine) as connection:
            fill(Scope(connection, 1))
        engine.dispose()
        with closing(sqlite3.connect(path)) as connection:
            lines = "\n".join(connection.iterdump())
    Path(__file__).with_name("catalog.sql").write_text(lines + "\n", "utf-8")


if __name__ == "__main__":
    main()
