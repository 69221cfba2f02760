"""The tables of the catalog.

Every table but `organisations`, `projects`, `leases` and those of people has a `project_id`, and what belongs to a
model refers to it by project and id together, so that a row can never hang on the model of another project.
Times are microseconds since 1970 UTC and end in `_us`. A change here needs a new migration; a test compares the two.

`sqlite_autoincrement`: ids are never given twice, also after a deletion, as they stand in audit records and cursors.
`sqlite_with_rowid=False`: rows lie in the order of the primary key, so that one series is read in one run.
"""

from __future__ import annotations

import sqlalchemy as sa

from barograph.store.catalog.column_types import Document, RowId, Words
from barograph.store.catalog.delivery_tables import deliveries as deliveries  # here, so that METADATA is complete
from barograph.store.catalog.delivery_tables import outbox as outbox
from barograph.store.catalog.delivery_tables import receivers as receivers
from barograph.store.catalog.delivery_tables import tellings as tellings
from barograph.store.catalog.door_tables import halves as halves
from barograph.store.catalog.door_tables import privacy_keys as privacy_keys
from barograph.store.catalog.profile_tables import carried as carried
from barograph.store.catalog.profile_tables import dirty as dirty
from barograph.store.catalog.profile_tables import positions as positions
from barograph.store.catalog.profile_tables import profiles as profiles
from barograph.store.catalog.source_tables import source_files as source_files
from barograph.store.catalog.source_tables import sources as sources
from barograph.store.catalog.table_parts import METADATA as METADATA
from barograph.store.catalog.table_parts import count as _count
from barograph.store.catalog.table_parts import document as _document
from barograph.store.catalog.table_parts import if_any as _if_any
from barograph.store.catalog.table_parts import model as _model
from barograph.store.catalog.table_parts import number as _number
from barograph.store.catalog.table_parts import of_model as _of_model
from barograph.store.catalog.table_parts import project as _project
from barograph.store.catalog.table_parts import row_id as _id
from barograph.store.catalog.table_parts import time as _time
from barograph.store.catalog.table_parts import who as _who
from barograph.store.catalog.table_parts import words as _words
from barograph.store.catalog.user_tables import attempts as attempts
from barograph.store.catalog.user_tables import devices as devices
from barograph.store.catalog.user_tables import links as links
from barograph.store.catalog.user_tables import members as members
from barograph.store.catalog.user_tables import owners as owners
from barograph.store.catalog.user_tables import sessions as sessions
from barograph.store.catalog.user_tables import users as users

FOREVER = 2**62  # the `until_us` of a row that holds now

organisations = sa.Table(
    "organisations", METADATA, _id(), sa.Column("name", Words, nullable=False, unique=True), sqlite_autoincrement=True
)

projects = sa.Table(
    "projects",
    METADATA,
    _id(),
    sa.Column("organisation_id", RowId, sa.ForeignKey("organisations.id"), nullable=False),
    _words("name"),
    _time("created_us"),
    sa.UniqueConstraint("organisation_id", "name"),
    sqlite_autoincrement=True,
)

keys = sa.Table(
    "keys",
    METADATA,
    _id(),
    _project(),
    _words("name"),
    sa.Column("prefix", Words, nullable=False, unique=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),  # SHA-256 of the secret part
    _words("role"),
    _time("created_us"),
    _time("expires_us", optional=True),
    _time("revoked_us", optional=True),
    _time("last_used_us", optional=True),
    _document("models", optional=True),  # names of the models that it is limited to
    _document("acts", optional=True),  # permissions that it is limited to
    sa.Index(None, "project_id", "id"),
    sqlite_autoincrement=True,
)

models = sa.Table(
    "models",
    METADATA,
    _id(),
    _project(),
    _words("name"),
    _document("spec"),
    _document("schema", optional=True),
    _words("chunk"),
    _words("version"),
    # Points to `references`, which points here: checked by code, because two tables cannot both be made second.
    sa.Column("reference_id", RowId, nullable=True),
    _time("results_us", optional=True),  # of the newest write of results; it only grows
    _words("lifecycle", optional=True),  # paused or retired, if a person said so; else it follows from the events
    _time("lifecycle_us", optional=True),  # when a person last said so, or took it back
    _who("lifecycle_by", optional=True),
    _words("lifecycle_reason", optional=True),
    _time("created_us"),
    _time("updated_us"),
    _count("revision"),
    sa.UniqueConstraint("project_id", "name"),
    sa.UniqueConstraint("project_id", "id"),
    sqlite_autoincrement=True,
)

_HELD = models.c.lifecycle.is_not(None)
sa.Index("ix_models_held", models.c.project_id, sqlite_where=_HELD, postgresql_where=_HELD)

references = sa.Table(
    "references",
    METADATA,
    _id(),
    _project(),
    _model(),
    _count("number"),
    _words("state"),
    _words("reason", optional=True),
    _count("rows", optional=True),
    _count("data_bytes"),
    _words("digest"),
    _time("created_us"),
    _time("ready_us", optional=True),
    sa.Column("fitted", sa.LargeBinary, nullable=True),  # Reference.to_bytes()
    _of_model(),
    sa.UniqueConstraint("model_id", "number"),
    sa.UniqueConstraint("project_id", "model_id", "id"),
    sqlite_autoincrement=True,
)

changes = sa.Table(
    "changes",
    METADATA,
    _id(),
    _project(),
    _model(),
    _time("at_us"),
    _words("kind"),
    _words("title"),
    _document("detail"),
    _words("version", optional=True),
    _time("created_us"),
    _who("created_by", optional=True),
    *_if_any("edited_us edited_by"),
    _of_model(),
    sa.Index(None, "model_id", "at_us", "id"),
    sqlite_autoincrement=True,
)

series = sa.Table(
    "series",
    METADATA,
    _id(),
    _project(),
    _model(),
    _words("monitor"),
    _words("metric"),
    _words("family"),
    _words("column", optional=True),
    _words("segment", optional=True),
    _of_model(),
    sa.UniqueConstraint("model_id", "monitor"),
    sqlite_autoincrement=True,
)

points = sa.Table(
    "points",
    METADATA,
    sa.Column(
        "series_id", RowId, sa.ForeignKey("series.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    _time("chunk_us", key=True),
    _time("from_us", key=True),
    _time("until_us"),
    _project(),
    _model(),
    _words("chunk"),
    _time("end_us"),
    _words("version"),
    _count("n"),
    _number("value"),
    _number("lower"),
    _number("upper"),
    _number("reference_value"),
    _number("limit_lower"),
    _number("limit_upper"),
    _number("evidence"),
    _words("status"),
    _words("reason", optional=True),
    _number("label_coverage"),
    sqlite_with_rowid=False,
)
# What holds now, in the order in which it is listed and compared. History is only read series by series.
sa.Index(
    "ix_points_current",
    points.c.model_id,
    points.c.chunk_us,
    points.c.series_id,
    sqlite_where=points.c.until_us == FOREVER,
    postgresql_where=points.c.until_us == FOREVER,
)

states = sa.Table(
    "states",
    METADATA,
    _model(key=True),
    _project(),
    _time("evaluated_us", optional=True),
    _time("last_event_us", optional=True),
    _time("last_received_us", optional=True),
    _time("watermark_us", optional=True),
    _count("events"),
    _count("labels"),
    _count("rejected"),
    _document("unknown_columns"),
    _document("missing_columns"),
    _count("late"),
    _document("detail"),
    _document("judged", optional=True),  # by what the newest evaluation judged; None before the first one
    _time("last_label_us", optional=True),
    _of_model(),
    sa.Index(None, "project_id"),
)

alerts = sa.Table(
    "alerts",
    METADATA,
    _model(key=True),
    _words("id", key=True),
    _project(),
    _words("state"),
    _words("severity"),
    _words("family"),
    _words("metric"),
    _words("column", optional=True),
    _words("segment", optional=True),
    _time("first_us"),
    _time("fired_us", optional=True),
    _time("resolved_us", optional=True),
    _document("body"),
    _time("opened_us"),
    _time("updated_us"),
    sa.Column("withdrawn", sa.Boolean, nullable=False),
    _words("monitor", optional=True),
    _words("incident_id", optional=True),  # of the incident that it is part of
    sa.Column("is_root", sa.Boolean, nullable=True),
    sa.Column("is_explained", sa.Boolean, nullable=True),
    _of_model(),
    sa.Index(None, "project_id", "incident_id"),
    sa.Index(None, "project_id", "opened_us"),
)

incidents = sa.Table(
    "incidents",
    METADATA,
    _model(key=True),
    _words("id", key=True),
    _project(),
    _words("state"),
    _words("severity"),
    _words("family"),  # of its root alert; "operations": made by the service itself
    _words("title"),
    _time("since_us"),
    _time("until_us", optional=True),
    _document("body"),
    _time("acknowledged_us", optional=True),
    _who("acknowledged_by", optional=True),
    _time("opened_us"),
    _time("updated_us"),
    sa.Column("withdrawn", sa.Boolean, nullable=False),
    *_if_any("said_state said_us said_by said_reason said_from_us"),  # by a person, against evaluations: see `handling`
    *_if_any("assigned_to assigned_us assigned_by verdict verdict_us verdict_by verdict_reason"),
    _of_model(),
    sa.Index(None, "project_id", "opened_us"),
)

_FIRING = incidents.c.state == "firing"
sa.Index(
    "ix_incidents_firing",
    incidents.c.project_id,
    incidents.c.model_id,
    sqlite_where=_FIRING,
    postgresql_where=_FIRING,
)

comments = sa.Table(
    "comments",
    METADATA,
    _id(),
    _project(),
    _model(),
    _words("incident_id"),
    _time("at_us"),
    _who("author"),
    _words("text"),
    *_if_any("edited_us edited_by"),
    _of_model(),
    sa.Index(None, "model_id", "incident_id", "id"),
    sqlite_autoincrement=True,
)

silences = sa.Table(
    "silences",
    METADATA,
    _id(),
    _project(),
    sa.Column("model_id", RowId, nullable=True),  # None: all models of the project
    _document("matchers"),
    _time("starts_us"),
    _time("ends_us"),
    _words("reason"),
    _who("created_by"),
    _time("created_us"),
    _of_model(),
    sa.Index(None, "model_id"),
    sa.Index(None, "project_id", "ends_us"),
    sqlite_autoincrement=True,
)

jobs = sa.Table(
    "jobs",
    METADATA,
    _id(),
    _project(),
    _model(),
    _words("kind"),
    _words("state"),
    _document("detail"),
    _count("done"),
    _count("total", optional=True),
    _words("reason", optional=True),
    _count("attempts"),
    _words("owner", optional=True),  # of the running attempt, and until when it is believed to be alive
    _time("until_us", optional=True),
    _time("created_us"),
    _time("updated_us"),
    _of_model(),
    sa.Index(None, "state", "id"),
    sa.Index(None, "model_id", "id"),
    sa.Index(None, "project_id", "id"),
    sqlite_autoincrement=True,
)

proposals = sa.Table(  # what is asked of a model, and not in force before a job has prepared it
    "proposals",
    METADATA,
    _model(key=True),
    _project(),
    sa.Column("spec", Document, nullable=True),
    sa.Column("job_id", RowId, nullable=False),  # no foreign key: the job says how it stands as long as it is there
    _time("asked_us"),
    _of_model(),
)

work = sa.Table(  # models with something to do: marked by whoever files rows, cleared by the worker that has done it
    "work",
    METADATA,
    _model(key=True),
    _project(),
    _time("due_us"),
    _count("marks"),  # grows with each mark, so that one set during the work is not cleared by it
    _count("failures"),
    _time("failed_us", optional=True),  # of the first of these failures
    _words("reason", optional=True),  # of the last one
    _of_model(),
    sa.Index(None, "due_us"),
)

leases = sa.Table("leases", METADATA, _words("name", key=True), _words("owner"), _time("until_us"), _count("token"))

quarantine = sa.Table(
    "quarantine",
    METADATA,
    _id(),
    _project(),
    _model(),
    _words("kind"),
    _time("received_us"),
    _document("reasons"),
    _words("row"),
    _words("origin"),  # where in which spool it was: taking it out of the spool twice adds it once
    _time("replayed_us", optional=True),
    _of_model(),
    sa.Index(None, "model_id", "id"),
    sa.Index(None, "model_id", "origin"),
    sqlite_autoincrement=True,
)

poison = sa.Table(
    "poison",
    METADATA,
    _id(),
    _project(),
    _model(),
    _words("step"),
    _words("position"),
    _words("reason"),
    _time("at_us"),
    _of_model(),
    sa.Index(None, "model_id", "id"),
    sqlite_autoincrement=True,
)

audit = sa.Table(
    "audit",
    METADATA,
    _id(),
    _project(),
    _time("at_us"),
    _who("actor"),
    _words("action"),
    _words("target"),
    _document("detail"),
    sa.Column("digest", sa.LargeBinary, nullable=False),  # of this record and of all before it: see `audit`
    sa.Index(None, "project_id", "id"),
    sqlite_autoincrement=True,
)

removals = sa.Table(  # of a model's data, or of all of it: the record outlives what it names
    "removals",
    METADATA,
    _id(),
    _project(),
    sa.Column("model_id", RowId, nullable=False),  # no foreign key: the model may be what is removed
    _words("model"),
    _words("kind"),
    _words("state"),
    _document("asked"),
    _words("subject", optional=True),  # the id that is to be erased; forgotten when it has been
    _document("detail"),  # what the next attempt must know of those before
    _document("removed"),
    _words("step"),
    _count("done"),
    _count("total", optional=True),
    _words("reason", optional=True),
    _count("failures"),
    _time("due_us"),
    _time("asked_us"),
    _time("updated_us"),
    _time("ended_us", optional=True),
    sa.Index(None, "project_id", "id"),
    sa.Index(None, "state", "due_us"),
    sqlite_autoincrement=True,
)
