"""What is told of a model's labels: how late they come, what is wrong with them, and what each chunk rests on."""

from __future__ import annotations

from collections.abc import Sequence

from barograph.estimation.calibration import calibrate
from barograph.labels.blend import Blend, Cohort, blend, shift_of
from barograph.labels.delay import DelayCurves
from barograph.monitors.estimates import out_of_time_of
from barograph.monitors.timeline import Timeline
from barograph.profiles.profiles import Profile
from barograph.reference.reference import Reference
from barograph.server.service import Service
from barograph.sketches.scores import ScoreTable
from barograph.store.catalog.models import Model
from barograph.store.catalog.profiles import read_profiles_at
from barograph.store.catalog.scope import Scope
from barograph.store.model_tables import tables_of
from barograph.times import SECOND_US, to_microseconds
from barograph.worker.chunk_profile import ChunkProfile
from barograph.worker.label_history import LabelHistory, LabelsFound, label_history

CLOCK_US = 60 * SECOND_US  # by which what waits for labels grows older before it is looked at again


def history_of(service: Service, found: Model, *, now_us: int) -> LabelHistory | None:
    """Return the newest days of the tables; None for a model without events, or with too many a day."""
    if found.schema is None:
        return None
    tables, schema = tables_of(service.settings, found)
    return label_history(tables, schema, now_us=now_us)


def labels_found(service: Service, found: Model, *, now_us: int) -> LabelsFound | None:
    """Return what is told of labels, kept as long as the tables and the clock stand still."""
    if found.schema is None:
        return None
    tables, schema = tables_of(service.settings, found)
    key = (found.id, tables.version("events"), tables.version("labels"), now_us // CLOCK_US)

    def read() -> LabelsFound | None:
        history = label_history(tables, schema, now_us=now_us)
        return None if history is None else history.found

    return service.labels.get(key, read)


def blends(
    scope: Scope, found: Model, reference: Reference, starts: Sequence[int], curves: DelayCurves, *, now_us: int
) -> dict[str, Blend]:
    """Return the best current estimate of chunks by their keys, and what it rests on; {} unless the model is binary."""
    total = reference.total.outcomes
    if not isinstance(total, ScoreTable) or not total.by_score.sum():
        return {}
    assert found.reference_id is not None
    stored = read_profiles_at(scope, found.reference_id, "chunk", starts)
    profiles = [ChunkProfile.of(reference, one).profiles.at(0) for one in stored]
    cohorts = {one.chunk.key: cohort for one in profiles if (cohort := _cohort(one, now_us)) is not None}
    calibration = calibrate(reference.total.cells[0], total)
    shift = shift_of(calibration, list(cohorts.values()), curves)
    out_of_time, places = out_of_time_of(reference), Timeline.of(reference).places(profiles)
    return {
        key: blend(calibration, cohort, curves, shift, out_of_time=out_of_time(places[key]))
        for key, cohort in cohorts.items()
    }


def _cohort(profile: Profile, now_us: int) -> Cohort | None:
    scores, chunk = profile.outcomes, profile.chunk
    start_us, end_us = to_microseconds(chunk.start), to_microseconds(chunk.end)
    if not isinstance(scores, ScoreTable) or start_us is None or end_us is None or not profile.n:
        return None
    age = max(now_us - (start_us + end_us) / 2, 0.0) / SECOND_US
    return Cohort(cells=profile.cells[0], scores=scores, age=age)
