"""By what a model was judged, and the verdict of a check: how the model was in all of the time that was checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from barograph.alerts.condition import Condition, Judged, Lifecycle, condition, trouble_of
from barograph.alerts.incident import Incident
from barograph.metrics.facts import alerting
from barograph.monitors.results import Result
from barograph.profiles.profiles import Profiles
from barograph.reference.reference import Reference
from barograph.text.format import count

FEW_ROWS = 100  # below, the 95 % interval of an accuracy may be wider than ± 0.1
ALL = 0.95  # of the labels have arrived


def checked_condition(judged: Judged, incidents: Sequence[Incident]) -> Condition:
    """Return the state of a model in the whole time that was checked, also by incidents that are over."""
    return condition(
        lifecycle=Lifecycle.LIVE,
        judged=judged,
        troubles=[trouble_of(incident) for incident in incidents if not incident.silenced_by],
        silenced=sum(1 for incident in incidents if incident.silenced_by),
    )


def judge(reference: Reference, profiles: Profiles, results: Sequence[Result]) -> Judged:
    """Return what the performance of all rows was judged by: labels, or estimates where there are none."""
    size = Judged(rows=sum(profile.n for profile in profiles.select()), chunks=len(profiles.chunks))
    realised, estimated = (_judged(reference, results, family) for family in ("performance", "estimation"))
    if not size.rows:
        return replace(size, doubt="no rows came")
    if not realised and not estimated:
        return replace(size, doubt=_why_not(reference, profiles, results))
    known = {row.chunk for row in realised}
    coming = {row.chunk for row in results if row.family == "performance" and not row.segment and not row.judged}
    if realised and coming:
        how = f"by the labels of {len(known)} of {len(known | coming)} chunks"
        if coming <= {row.chunk for row in estimated}:
            how += ", and by estimates where labels have yet to come"
    elif realised:
        covered = [row.label_coverage or 0.0 for row in realised]
        mean = sum(covered) / len(covered)
        how = "by its labels" if mean > ALL else f"by the labels that have arrived ({mean:.0%})"
    else:
        how = "as far as can be estimated without labels"
    by_chunk: dict[str, int] = {}
    for row in realised or estimated:
        by_chunk[row.chunk] = max(by_chunk.get(row.chunk, 0), row.n)
    n = sum(by_chunk.values())
    doubt = ""
    if n < FEW_ROWS:
        behind = count(n, "labelled row") if realised else count(n, "row")
        doubt = f"{behind} {'is' if n == 1 else 'are'} too few"
    elif len(coming) > len(known) > 0:
        doubt = f"the labels of {len(coming)} of {len(known | coming)} chunks have yet to come"
    elif reference.total.n < FEW_ROWS:
        doubt = f"a reference of {count(reference.total.n, 'row')} is too small"
    return replace(size, how=how, doubt=doubt)


def _judged(reference: Reference, results: Sequence[Result], family: str) -> list[Result]:
    """Return the rows of the metrics that alert which have a value, and something to compare it with."""
    telling = alerting(reference.schema.task)
    return [
        row
        for row in results
        if row.family == family
        and not row.segment
        and row.metric in telling
        and row.is_judged
        and not (row.limit_lower is None and row.limit_upper is None)
    ]


def _why_not(reference: Reference, profiles: Profiles, results: Sequence[Result]) -> str:
    schema = reference.schema
    if schema.prediction is None and not schema.scores:
        return "neither a prediction nor a score is known"
    if not reference.total.label_coverage:
        return "the reference has no labels to compare with"
    estimates = [row for row in results if row.family == "estimation" and not row.segment and row.reason]
    if not profiles.total().label_coverage:
        why = f", and an estimate is impossible ({estimates[-1].reason})" if estimates else ""
        return "no labels have arrived" + (why or ", and without a score nothing is estimated")
    return "no row has both a prediction and a label"
