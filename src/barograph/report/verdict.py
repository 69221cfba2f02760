"""The verdict: one sentence that says whether the model is still all right, since when not, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barograph.alerts.alert import State
from barograph.alerts.breaches import NEARLY_ALL, PREDICTIONS
from barograph.alerts.incident import Incident
from barograph.alerts.severity import Severity
from barograph.charts.words import count
from barograph.monitors.defaults import ALERTING
from barograph.monitors.results import Result
from barograph.profiles.profiles import Profiles
from barograph.reference.reference import Reference

FEW_ROWS = 100  # below, the 95 % interval of an accuracy may be wider than ± 0.1
ALL = 0.95  # of the labels have arrived


def verdict(reference: Reference, profiles: Profiles, results: Sequence[Result], incidents: Sequence[Incident]) -> str:
    """Return one sentence; the worst incident speaks first. That nothing was found is said only of what was judged."""
    rows = sum(profile.n for profile in profiles.select())
    if not rows:
        return "No predictions came: the production data has no rows."
    worst = [i for i in incidents if i.severity is Severity.CRITICAL]
    broken = [i for i in incidents if i.severity is Severity.WARNING]
    moved = [i for i in incidents if i.severity is Severity.NOTICE]
    if worst:
        more = len(worst) + len(broken) - 1
        also = f" (and {more} more {'incident' if more == 1 else 'incidents'})" if more else ""
        return f"{_trouble(worst)}: {worst[0].title}{also}."
    judged = judge(reference, profiles, results)
    if broken:
        return _broken(broken[0], judged)
    noticed = f"noticed: {moved[0].title}" if moved else ""
    chunks = count(len(profiles.chunks), "chunk") if len(profiles.chunks) > 1 else "one chunk"
    size = f"{count(rows, 'row')} in {chunks}"
    if judged.how and not judged.doubt:
        rest = f"; {noticed}" if moved else ": nothing is beyond its limits"
        return f"The model is all right {judged.how} ({size}){rest}."
    rest = noticed or f"nothing that was checked is beyond its limits ({size})"
    return f"Whether the model is all right cannot be told, as {judged.doubt}; {rest}."


def _trouble(worst: Sequence[Incident]) -> str:
    root = worst[0].root.last_breach
    if root.family == "quality" and (root.column is not None or root.metric == PREDICTIONS):
        shares = [alert.worst.value or 0.0 for alert in worst[0].alerts if alert.last_breach.metric == PREDICTIONS]
        share = max(shares, default=1.0)
        return "No usable predictions come" if share >= NEARLY_ALL else f"{share:.0%} of the predictions cannot be used"
    critical = [alert for i in worst for alert in i.alerts if alert.severity is Severity.CRITICAL]
    if all(alert.state is State.RESOLVED for alert in critical):  # drift that came with it may last
        return "The model was in trouble, and is within its limits again"
    return "The model needs attention"


def _broken(incident: Incident, judged: Judged) -> str:
    if incident.root.last_breach.family == "concept":
        return f"The model is going wrong, within what its metrics vary by nature: {incident.title}."
    if incident.root.last_breach.family in ("performance", "estimation"):
        return f"The model as a whole is within its limits, but a part of it is not: {incident.title}."
    if judged.how and not judged.doubt:
        return f"No loss of performance is seen {judged.how}, but something is broken: {incident.title}."
    return f"Something is broken, and whether performance suffers cannot be told, as {judged.doubt}: {incident.title}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """By what the performance was judged, as part of a sentence; and why that is not enough, or empty."""

    how: str = ""
    doubt: str = ""


def judge(reference: Reference, profiles: Profiles, results: Sequence[Result]) -> Judged:
    """Return what the performance of all rows was judged by: labels, or estimates where there are none."""
    realised, estimated = (_judged(reference, results, family) for family in ("performance", "estimation"))
    if not realised and not estimated:
        return Judged(doubt=_why_not(reference, profiles, results))
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
    return Judged(how=how, doubt=doubt)


def _judged(reference: Reference, results: Sequence[Result], family: str) -> list[Result]:
    """Return the rows of the metrics that alert which have a value, and something to compare it with."""
    return [
        row
        for row in results
        if row.family == family
        and not row.segment
        and row.metric in ALERTING[reference.schema.task]
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
