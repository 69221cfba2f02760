"""The report of a model as the service keeps it, made by the functions of `barograph check --html`."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from barograph.alerts.alert import State
from barograph.alerts.condition import Condition
from barograph.checks.spec_check import plan_of
from barograph.profiles.join import join
from barograph.reference.reference import Reference
from barograph.report.check import report_of
from barograph.report.report import Report
from barograph.server.catalog_lookup import rule_of
from barograph.server.problems import Problem
from barograph.spec.file import ModelSpec
from barograph.store.catalog import incidents, profiles, references, states
from barograph.store.catalog.incidents import StoredIncident, StoredSilence
from barograph.store.catalog.models import Model
from barograph.store.catalog.profiles import ProfileHead, StoredProfile
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds
from barograph.worker.chunk_profile import ChunkProfile, closed_chunks, cut

NEEDED = ("jinja2", "vl_convert")  # what draws pages
WAIT_S = 20.0  # for pages that are drawn before
RETRY_S = 10
MOST_INCIDENTS = 1000

_DRAWING = threading.Semaphore(1)  # a page takes seconds of a core: the other ones are for the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the catalog keeps of a model, as far as its report tells of it."""

    model: Model
    fitted: bytes
    heads: Sequence[ProfileHead]
    stored: Sequence[StoredProfile]
    watermark_us: int | None
    silences: Sequence[StoredSilence]
    said: Sequence[StoredIncident]
    condition: Condition


def kept_of(scope: Scope, model: Model, condition: Condition, *, now_us: int) -> Kept:
    """Read what the report of a model is made of. The model must have a reference."""
    assert model.reference_id is not None
    fitted = references.fitted(scope, model.reference_id)
    assert fitted is not None  # it is the active one
    state = states.get_state(scope, model.id)
    known = incidents.list_incidents(scope, model_id=model.id, limit=MOST_INCIDENTS)
    return Kept(
        model=model,
        fitted=fitted,
        heads=profiles.profile_heads(scope, model.reference_id, "chunk"),
        stored=profiles.read_profiles(scope, model.reference_id, "chunk"),
        watermark_us=None if state is None else state.watermark_us,
        silences=incidents.list_silences(scope, model_id=model.id, at_us=now_us, limit=MOST_INCIDENTS),
        said=[incident for incident in known if incident.said_state is not None],
        condition=condition,
    )


def report_as_kept(kept: Kept, *, now_us: int) -> Report:
    """Return the report; its verdict is the model's state as every other answer tells it."""
    reference, rule = Reference.from_bytes(kept.fitted), rule_of(kept.model)
    found = cut(kept.heads, rule)
    pieces = {stored.chunk: ChunkProfile.of(reference, stored).profiles for stored in kept.stored}
    joined = join(reference.yardstick, found.chunks, pieces)
    all_chunks = replace(
        joined, outside=joined.outside + found.outside + found.astray, astray=joined.astray + found.astray
    )
    report = report_of(
        reference,
        all_chunks,
        replace(plan_of(ModelSpec.model_validate(kept.model.spec)), model=kept.model.name),
        closed=closed_chunks(all_chunks.chunks, kept.watermark_us),
        silences=[silence.as_silence() for silence in kept.silences],
        now=from_microseconds(now_us),
    )
    over = {incident.id for incident in kept.said if incident.state == State.RESOLVED.value}
    told = [replace(one, state=State.RESOLVED, until=one.last) if one.id in over else one for one in report.incidents]
    state = kept.condition
    return replace(report, incidents=told, verdict=state.verdict, judgement=state.judgement, severity=state.severity)


def check_installed() -> None:
    """Raise Problem where the server has not what draws pages."""
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            raise Problem(
                "not-installed",
                f"A report as a page needs the package {name!r}, which this server has not. Install what belongs to "
                "it there: pip install 'barograph[report]'",
            ) from None


def page_of(kept: Kept, *, now_us: int) -> bytes:
    """Draw the page, one after another. Raises Problem while too many wait."""
    if not _DRAWING.acquire(timeout=WAIT_S):
        raise Problem("busy", "Other reports are drawn.", headers={"Retry-After": str(RETRY_S)})
    try:
        return report_as_kept(kept, now_us=now_us).to_html().encode()
    finally:
        _DRAWING.release()
