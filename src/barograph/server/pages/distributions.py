"""Distributions of columns: of one chunk, from its profile, beside those of the reference."""

from __future__ import annotations

from dataclasses import replace

from barograph.dashboard.model_tables import Column, drift_order
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.server.pages.visit import Visit
from barograph.store.catalog.models import Model
from barograph.store.catalog.profiles import read_profiles_at
from barograph.store.catalog.scope import Scope
from barograph.times import to_microseconds
from barograph.worker.chunk_profile import ChunkProfile

DISTRIBUTIONS = 3


def with_distributions(visit: Visit, scope: Scope, found: Model, columns: list[Column]) -> list[Column]:
    """Return the columns; those that moved most with their distributions in one chunk and in the reference."""
    if found.reference_id is None:
        return columns
    moved = sorted((c for c in columns if any(r.status is Status.BREACH for r in c.rows)), key=drift_order)
    shown = (moved or sorted(columns, key=drift_order))[:DISTRIBUTIONS]
    rows = {c.name: _row_to_show(c) for c in shown}
    reference = visit.reference(scope, found.reference_id) if any(rows.values()) else None
    if reference is None:
        return columns
    starts = {row.chunk_start for row in rows.values() if row is not None}
    stored = read_profiles_at(scope, found.reference_id, "chunk", [to_microseconds(s) for s in starts if s])
    profiles = {one.start_us: ChunkProfile.of(reference, one).profiles.at(0) for one in stored}
    kept = {}
    for name, row in rows.items():
        profile = profiles.get(to_microseconds(row.chunk_start) or 0) if row is not None else None
        if row is not None and profile is not None:
            kept[name] = (reference.total.binned(name), profile.binned(name), row.chunk)
    return [
        replace(c, before=kept[c.name][0], now=kept[c.name][1], when=kept[c.name][2]) if c.name in kept else c
        for c in columns
    ]


def _row_to_show(column: Column) -> Result | None:
    """Return the chunk whose distribution is shown: the newest in alarm, else the newest but one, which is complete."""
    known = [row for row in column.rows if row.value is not None]
    alarms = [row for row in known if row.status is Status.BREACH]
    return next(iter((alarms or known[:-1] or known)[-1:]), None)
