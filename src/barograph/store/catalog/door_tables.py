"""The tables of the door: halves of inferences that wait for each other, fingerprints of keys."""

from __future__ import annotations

import sqlalchemy as sa

from barograph.store.catalog.column_types import RowId
from barograph.store.catalog.table_parts import METADATA, count, model, of_model, project, time, words

halves = sa.Table(
    "halves",
    METADATA,
    model(key=True),
    words("name", key=True),  # the id of the inference
    words("side", key=True),  # request or response; done: both are events by now, and what comes again is none
    project(),
    time("at_us"),
    time("received_us"),
    count("size_bytes"),
    sa.Column("rows", sa.LargeBinary, nullable=False),  # as JSON, sensitive values treated
    of_model(),
    sa.Index(None, "received_us"),
    sqlite_with_rowid=False,
)

privacy_keys = sa.Table(  # what is known of the files with which sensitive values are hashed
    "privacy_keys",
    METADATA,
    sa.Column("project_id", RowId, sa.ForeignKey("projects.id"), primary_key=True, autoincrement=False),
    words("fingerprint"),
)
