"""Why an incident is there, as far as the labels of its worst chunk tell."""

from __future__ import annotations

from barograph.causes.explain import why_worse
from barograph.server.catalog_lookup import bounds_of
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem
from barograph.store.catalog.models import Model
from barograph.store.catalog.overview import alerts_of
from barograph.store.catalog.profiles import read_profiles_at
from barograph.store.catalog.scope import Scope
from barograph.worker.chunk_profile import ChunkProfile

OF_LABELS = ("performance", "estimation", "concept")


def cause_of(visit: Visit, scope: Scope, found: Model, incident_id: str) -> str:
    """Return what the change in the worst chunk is made of, in a sentence; "" where that is not known."""
    members = alerts_of(scope, found.id, incident_id)
    root = next(iter(members), None)
    if root is None or root.family not in OF_LABELS:
        return ""
    return made_of(visit, scope, found, (root.body.get("worst") or {}).get("chunk") or "")


def made_of(visit: Visit, scope: Scope, found: Model, chunk: str) -> str:
    """Return what the change since the reference in a chunk is made of; "" where that is not known."""
    if found.reference_id is None:
        return ""
    try:
        start_us, _ = bounds_of(found, chunk)
    except Problem:
        return ""
    stored = read_profiles_at(scope, found.reference_id, "chunk", [start_us])
    reference = visit.reference(scope, found.reference_id) if stored else None
    if reference is None:
        return ""
    said = why_worse(reference, ChunkProfile.of(reference, stored[0]).profiles.at(0))
    return f"In {chunk}, {said}." if said else ""
