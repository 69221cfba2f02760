"""The tables of what is delivered: what happened, who has heard of it, and messages on their way."""

from __future__ import annotations

import sqlalchemy as sa

from barograph.store.catalog.column_types import RowId
from barograph.store.catalog.table_parts import METADATA
from barograph.store.catalog.table_parts import count as _count
from barograph.store.catalog.table_parts import document as _document
from barograph.store.catalog.table_parts import model as _model
from barograph.store.catalog.table_parts import of_model as _of_model
from barograph.store.catalog.table_parts import project as _project
from barograph.store.catalog.table_parts import row_id as _id
from barograph.store.catalog.table_parts import time as _time
from barograph.store.catalog.table_parts import words as _words

outbox = sa.Table(  # what happened to incidents: written in the transaction in which it did
    "outbox",
    METADATA,
    _id(),
    _project(),
    _model(),
    _words("incident_id"),
    _words("what"),
    _time("at_us"),
    _time("handled_us", optional=True),  # when it was found out whom to tell
    _of_model(),
    sa.Index(None, "model_id", "incident_id"),
    sa.Index(None, "project_id", "at_us"),
    sqlite_autoincrement=True,
)

_WAITS = outbox.c.handled_us.is_(None)
sa.Index("ix_outbox_waiting", outbox.c.project_id, outbox.c.id, sqlite_where=_WAITS, postgresql_where=_WAITS)

tellings = sa.Table(  # what each receiver has heard of an incident, and when to ask again whether it is told
    "tellings",
    METADATA,
    _model(key=True),
    _words("incident_id", key=True),
    _words("receiver", key=True),
    _project(),
    _words("route"),
    _count("step"),  # 0: the route's own receivers; else the number of the escalation
    _words("grouped", optional=True),  # what it has in common with others that are told together
    _words("thread"),
    _time("due_us", optional=True),
    _time("created_us"),
    _time("told_us", optional=True),
    _words("severity", optional=True),
    _words("state", optional=True),
    _document("alerts", optional=True),
    _of_model(),
    sa.Index(None, "due_us"),
    sa.Index(None, "project_id", "receiver", "thread"),
)

deliveries = sa.Table(  # messages, each to one receiver
    "deliveries",
    METADATA,
    _id(),
    _project(),
    sa.Column("model_id", RowId, nullable=True),  # None: it is about no model, but about the receiver or another
    _words("incident_id", optional=True),
    _words("receiver"),
    _words("thread"),
    _words("kind"),
    _document("message"),
    _words("state"),
    _count("attempts"),
    _time("due_us"),
    _words("owner", optional=True),  # of the attempt that runs, and until when it is believed to be alive
    _time("until_us", optional=True),
    _words("reason", optional=True),
    _words("reference", optional=True),  # what the next message of the thread needs to know
    _time("created_us"),
    _time("ended_us", optional=True),
    _of_model(),
    sa.Index(None, "model_id"),
    sa.Index(None, "project_id", "id"),
    sa.Index(None, "project_id", "receiver", "thread", "id"),
    sqlite_autoincrement=True,
)

_UNSENT = deliveries.c.state == "waiting"
sa.Index("ix_deliveries_waiting", deliveries.c.due_us, sqlite_where=_UNSENT, postgresql_where=_UNSENT)

receivers = sa.Table(  # how sending to them goes
    "receivers",
    METADATA,
    sa.Column("project_id", RowId, sa.ForeignKey("projects.id"), primary_key=True, autoincrement=False),
    _words("name", key=True),
    _count("failures"),  # in a row
    _time("failed_us", optional=True),  # of the first of these
    _time("retry_us", optional=True),  # before which nothing is sent to it, as it could not be reached
    _words("reason", optional=True),
    _time("told_us", optional=True),  # when others were told of it
)
