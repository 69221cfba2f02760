"""Evaluating: from the profiles of a model's chunks to results, alerts, incidents, and what its state says.

The same functions as in `barograph check`, on the same profiles: the same numbers. Only chunks that no event is waited
for any more raise alerts; results are there for all.
"""

from __future__ import annotations

from collections.abc import Sequence

from barograph.alerts.alert import State
from barograph.alerts.severity import Severity
from barograph.alerts.watch import watch
from barograph.charts.words import count
from barograph.chunks import to_microseconds
from barograph.monitors.memory import evaluate_again
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.pipeline.pieces import closed_chunks, joined
from barograph.pipeline.remembering import remembered
from barograph.pipeline.workshop import Live, Remembered, Workshop
from barograph.profiles.profiles import Profiles
from barograph.report.assess import Assessment, Plan, assess, outputs_of, unjudged
from barograph.report.check import values_of
from barograph.report.verdict import verdict
from barograph.rules.budget import parse_budget
from barograph.spec.file import ModelSpec, seconds_of
from barograph.store.catalog import incidents, leases, results, states
from barograph.store.catalog.incidents import StoredIncident
from barograph.store.catalog.leases import Lease

MOST_FIRING = 1000  # incidents of one model that are counted


def plan_of(spec: ModelSpec, *, model: str) -> Plan:
    """Return what a specification says is watched."""
    return Plan(
        budget=parse_budget(spec.budget),
        model=model,
        version=spec.version,
        values=values_of(spec.value.model_dump() if spec.value else None),
        tolerances=spec.tolerance,
        asked=spec.monitors,
    )


def rejected_apart(rows: int) -> str:
    """Return the sentence that a verdict ends with, where rows were rejected: it is not about them.

    >>> rejected_apart(1)
    ' Apart from 1 row that was rejected.'
    """
    return f" Apart from {count(rows, 'row')} that {'was' if rows == 1 else 'were'} rejected." if rows else ""


def evaluate_model(shop: Workshop, live: Live, lease: Lease, *, now_us: int) -> int:
    """Evaluate all chunks of a model, write what differs from before, and return how many results did."""
    known = remembered(shop, live)
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

    found = assess(live.reference, profiles, plan_of(live.spec, model=live.name), evaluated=evaluated)
    with shop.read(live.project_id) as scope:
        state = states.get_state(scope, live.model_id)
        first = min((p.start_us for p in pieces), default=0)
        silences = [s.as_silence() for s in incidents.silences_since(scope, live.model_id, since_us=first)]
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
        silences=silences,
        unsettled=unjudged(found.rows, profiles, found.alerting),
    )
    changed = _changed(known, found, profiles)
    with shop.write(live.project_id) as scope:
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
                resolution_us=round(shop.settings.resolution_seconds * 1e6),
            )
        incidents.write_alerts(scope, live.model_id, alerts, troubles, since_us=first, now_us=now_us)
        firing = incidents.list_incidents(scope, model_id=live.model_id, state="firing", limit=MOST_FIRING)
        states.set_state(
            scope,
            live.model_id,
            verdict=verdict(live.reference, profiles, found.rows, troubles)
            + rejected_apart(0 if state is None else state.rejected),
            severity=gravest(firing),
            firing=sum(1 for alert in alerts if alert.state is State.FIRING),
            incidents=len(firing),
            evaluated_us=now_us,
            watermark_us=watermark,
            missing_columns=_missing(live, profiles),
        )
    known.rows = {(row.monitor, row.chunk): row for row in found.rows}
    return written


def gravest(firing: Sequence[StoredIncident]) -> str | None:
    """Return the highest severity among incidents that fire; None without any."""
    found = {Severity(incident.severity) for incident in firing}
    return max(found).value if found else None


def _changed(known: Remembered, found: Assessment, profiles: Profiles) -> set[str]:
    """Return the keys of chunks of which some result is another than what was written last."""
    if not known.rows:  # a new process does not know what was written
        return {chunk.key for chunk in profiles.chunks}
    changed = {row.chunk for row in found.rows if known.rows.get((row.monitor, row.chunk)) != row}
    new = {(row.monitor, row.chunk) for row in found.rows}
    return changed | {chunk for monitor, chunk in known.rows if (monitor, chunk) not in new}


def _missing(live: Live, profiles: Profiles) -> list[str]:
    """Return the features, scores and predictions that no row of the newest chunk has."""
    newest = next((p for p in reversed(list(profiles.select())) if p.n), None)
    if newest is None:
        return []
    schema = live.reference.schema
    columns = [c.name for c in live.reference.yardstick.columns if c.name != schema.label]
    return [name for name in columns if not newest.counts(name).present]
