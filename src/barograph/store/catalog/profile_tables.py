"""The tables of profiles, of how far they have got, and of what evaluations carry over them."""

from __future__ import annotations

import sqlalchemy as sa

from barograph.store.catalog.table_parts import (
    METADATA,
    count,
    model,
    of_model,
    of_reference,
    project,
    reference,
    time,
    words,
)

profiles = sa.Table(
    "profiles",
    METADATA,
    reference(),
    words("grain", key=True),
    time("start_us", key=True),
    project(),
    model(),
    time("end_us"),
    words("chunk"),
    count("rows"),
    time("first_us", optional=True),
    time("last_us", optional=True),
    count("revision"),
    sa.Column("data", sa.LargeBinary, nullable=False),  # Profiles.to_bytes() of one chunk
    time("updated_us"),
    of_reference(),
)

# What is known of profiles without their bytes, which lie on pages of their own: those are not read for it.
_HEAD = "reference_id grain start_us project_id revision updated_us end_us chunk rows first_us last_us"
sa.Index("ix_profiles_heads", *(profiles.c[name] for name in _HEAD.split()))

positions = sa.Table(
    "positions",
    METADATA,
    model(key=True),
    reference(),
    project(),
    count("events_version"),
    count("labels_version"),
    of_reference(),
    sa.Index(None, "reference_id"),
    sqlite_with_rowid=False,
)

dirty = sa.Table(
    "dirty",
    METADATA,
    reference(),
    time("start_us", key=True),
    project(),
    model(),
    time("since_us"),
    count("marks"),  # grows with each mark, so that one set during a rebuild is not cleared by it
    of_reference(),
    sqlite_with_rowid=False,
)

carried = sa.Table(  # what an evaluation has from the chunks before, derived from their profiles
    "carried",
    METADATA,
    model(key=True),
    words("kind", key=True),
    time("at", key=True),  # of a chunk, its start; of what came after some chunks, their number
    project(),
    sa.Column("body", sa.LargeBinary, nullable=False),
    of_model(),
    sqlite_with_rowid=False,
)
