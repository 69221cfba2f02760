"""The tables of what is fetched: how far each source has got, and the files that were handed on."""

from __future__ import annotations

import sqlalchemy as sa

from barograph.store.catalog.table_parts import METADATA
from barograph.store.catalog.table_parts import count as _count
from barograph.store.catalog.table_parts import document as _document
from barograph.store.catalog.table_parts import model as _model
from barograph.store.catalog.table_parts import number as _number
from barograph.store.catalog.table_parts import of_model as _of_model
from barograph.store.catalog.table_parts import project as _project
from barograph.store.catalog.table_parts import time as _time
from barograph.store.catalog.table_parts import words as _words

sources = sa.Table(
    "sources",
    METADATA,
    _model(key=True),
    _words("name", key=True),
    _project(),
    _words("kind"),
    _document("position"),  # how far it has got, as its kind says it
    _time("due_us"),
    _time("read_us", optional=True),  # when it was read to its end
    *(_count(name) for name in ("accepted", "rejected", "duplicates")),
    _number("lag_seconds"),
    _count("lag_rows", optional=True),
    _document("notes"),
    _count("failures"),
    _time("failed_us", optional=True),
    _words("reason", optional=True),
    _of_model(),
    sqlite_with_rowid=False,
)

source_files = sa.Table(
    "source_files",
    METADATA,
    _model(key=True),
    _words("name", key=True),
    _words("path", key=True),
    _project(),
    _words("stamp"),  # when it was changed, or its version
    _count("size"),
    _words("digest"),  # of its content
    _of_model(),
    sa.Index(None, "model_id", "name", "digest"),
    sqlite_with_rowid=False,
)
