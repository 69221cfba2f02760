"""Evaluating: from the profiles of a model's chunks to results, alerts, incidents, and by what it was judged.

The same functions as in `barograph check`, on the same profiles: the same numbers. Only chunks that no event is waited
for any more raise alerts; results are there for all. Silences are none of its business: see `store.catalog.silenced`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from barograph.alerts.habits import Habits
from barograph.alerts.lifecycle import watch
from barograph.checks.assess import Assessment, assess, outputs_of, unjudged
from barograph.checks.spec_check import plan_of
from barograph.checks.verdict import judge
from barograph.monitors.memory import evaluate_again
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.profiles.profiles import Profiles
from barograph.spec.file import seconds_of
from barograph.store.catalog import leases, results, states
from barograph.store.catalog.alerts import write_alerts
from barograph.store.catalog.conditions import LIVE
from barograph.store.catalog.leases import Lease
from barograph.store.catalog.outbox import Tells
from barograph.store.catalog.states import ModelState
from barograph.times import to_microseconds
from barograph.worker.chunk_profile import closed_chunks, joined
from barograph.worker.context import ModelCache, ServedModel, WorkerContext
from barograph.worker.profile_cache import remembered

TOLD = "told"  # in `detail` of a state: incidents of the model were evaluated for people since it is live


def evaluate_model(ctx: WorkerContext, live: ServedModel, lease: Lease, *, now_us: int) -> int:
    """Evaluate all chunks of a model, write what differs from before, and return how many results did."""
    known = remembered(ctx, live)
    pieces = [piece for _, piece in known.pieces.values()]
    profiles = joined(live.reference.yardstick, pieces, live.rule)
    revisions = {piece.chunk: revision for revision, piece in known.pieces.values()}

    def evaluated(all_chunks: Profiles, monitors: Sequence[Monitor]) -> list[Result]:
        return evaluate_again(
            known.memory,
            live.reference,
            all_chunks,
            monitors,
            revisions=revisions,
            model=live.name,
            version=live.spec.version,
        )

    found = assess(live.reference, profiles, replace(plan_of(live.spec), model=live.name), evaluated=evaluated)
    with ctx.read(live.project_id) as scope:
        state = states.get_state(scope, live.model_id)
    first = min((p.start_us for p in pieces), default=0)
    last = max((p.last_us for p in pieces), default=None)
    lateness = round(seconds_of(live.spec.service.lateness) * 1e6)
    # A producer's clock that is ahead must not close a chunk that others still fill; nor does ours open one.
    watermark = None if last is None else min(last, now_us) - lateness
    if state is not None and state.watermark_us is not None and watermark is not None:
        watermark = max(watermark, state.watermark_us)
    closed = closed_chunks(profiles.chunks, watermark)
    outputs = outputs_of(live.reference)
    alerts, troubles = watch(
        [b for b in found.breaches if b.position < closed],
        profiles.chunks[:closed],
        outputs=outputs,
        own=found.patience,
        unsettled=unjudged(found.rows, profiles, found.alerting),
    )
    changed = _changed(known, found, profiles)
    with ctx.write(live.project_id) as scope:
        leases.check(scope.connection, lease)
        written = 0
        if changed or not known.rows:
            starts = {to_microseconds(c.start) for c in profiles.chunks if c.key in changed and c.start}
            if not known.rows:  # a new process, or a new reference: chunks that were cut in another way hold no more
                starts |= results.current_chunks(scope, live.model_id, since_us=first)
            rows = [row for row in found.rows if row.chunk in changed]
            written = results.write_points(
                scope,
                live.model_id,
                rows,
                now_us=now_us,
                chunks=starts,
                resolution_us=round(ctx.settings.resolution_seconds * 1e6),
            )
        state = states.get_state(scope, live.model_id)
        tells = _tells(state)
        write_alerts(scope, live.model_id, alerts, troubles, since_us=first, now_us=now_us, tells=tells)
        if state is not None and tells is Tells.ALL:
            states.set_state(scope, live.model_id, detail={**state.detail, TOLD: True})
        states.set_state(
            scope,
            live.model_id,
            judged=asdict(judge(live.reference, profiles, found.rows)),
            evaluated_us=now_us,
            watermark_us=watermark,
            missing_columns=_missing(live, profiles),
        )
    known.rows = {(row.monitor, row.chunk): row for row in found.rows}
    return written


def _tells(state: ModelState | None) -> Tells:
    """Return of which incidents people may be told: of none while the past is filled in, of all when that is over."""
    if state is None or not Habits.from_dict(state.detail.get(LIVE, {})).is_live:
        return Tells.ENDS
    return Tells.NEW if state.detail.get(TOLD) else Tells.ALL


def _changed(known: ModelCache, found: Assessment, profiles: Profiles) -> set[str]:
    """Return the keys of chunks of which some result is another than what was written last."""
    if not known.rows:  # a new process does not know what was written
        return {chunk.key for chunk in profiles.chunks}
    changed = {row.chunk for row in found.rows if known.rows.get((row.monitor, row.chunk)) != row}
    new = {(row.monitor, row.chunk) for row in found.rows}
    return changed | {chunk for monitor, chunk in known.rows if (monitor, chunk) not in new}


def _missing(live: ServedModel, profiles: Profiles) -> list[str]:
    """Return the features, scores and predictions that no row of the newest chunk has."""
    newest = next((p for p in reversed(list(profiles.select())) if p.n), None)
    if newest is None:
        return []
    schema = live.reference.schema
    columns = [c.name for c in live.reference.yardstick.columns if c.name != schema.label]
    return [name for name in columns if not newest.counts(name).present]
