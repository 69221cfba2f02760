"""By what a model was judged, and the verdict of a check: how the model was in all of the time that was checked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """By what the model is judged in one chunk.

    `realised` and `estimated` are the rows behind the metrics that alert, None where none of them counts; `covered` are
    how many realised metrics count, and the sum of their label coverage. `coming` says that labels have yet to come,
    `why_not` why nothing could be estimated.
    """

    realised: int | None = None
    estimated: int | None = None
    covered: tuple[int, float] = (0, 0.0)
    coming: bool = False
    why_not: str = ""


NOTHING = Basis()


def bases(reference: Reference, results: Sequence[Result]) -> dict[str, Basis]:
    """Return by what each chunk is judged, by its key; chunks that say nothing of it are left out."""
    rows: dict[str, list[Result]] = {}
    for row in results:
        if row.family in ("performance", "estimation") and not row.segment:
            rows.setdefault(row.chunk, []).append(row)
    metrics = alerting(reference.schema.task)
    return {chunk: _basis(of_chunk, metrics) for chunk, of_chunk in rows.items()}


def _basis(rows: Sequence[Result], metrics: Collection[str]) -> Basis:
    """Return by what a chunk is judged: metrics that alert, with a value and something to compare it with."""
    counted = [
        row
        for row in rows
        if row.metric in metrics and row.is_judged and not (row.limit_lower is None and row.limit_upper is None)
    ]
    realised = [row for row in counted if row.family == "performance"]
    return Basis(
        realised=max((row.n for row in realised), default=None),
        estimated=max((row.n for row in counted if row.family == "estimation"), default=None),
        covered=(len(realised), sum(row.label_coverage or 0.0 for row in realised)),
        coming=any(row.family == "performance" and not row.judged for row in rows),
        why_not=next((row.reason for row in reversed(rows) if row.family == "estimation" and row.reason), ""),
    )


def judge(reference: Reference, profiles: Profiles, results: Sequence[Result]) -> Judged:
    """Return what the performance of all rows was judged by: labels, or estimates where there are none."""
    found = bases(reference, results)
    chunks = list(profiles.select())
    return judge_by(
        reference,
        rows=sum(chunk.n for chunk in chunks),
        labelled=any(chunk.label_coverage for chunk in chunks),
        by=[found.get(chunk.chunk.key, NOTHING) for chunk in chunks],
    )


def judge_by(reference: Reference, *, rows: int, labelled: bool, by: Sequence[Basis]) -> Judged:
    """Return what `judge` does for so many rows, with or without any label, of what each chunk is judged by."""
    size = Judged(rows=rows, chunks=len(by))
    if not rows:
        return replace(size, doubt="no rows came")
    realised = [one for one in by if one.realised is not None]
    estimated = [one for one in by if one.estimated is not None]
    if not realised and not estimated:
        return replace(size, doubt=_why_not(reference, by, labelled=labelled))
    known, coming = len(realised), [one for one in by if one.coming]
    several = sum(1 for one in by if one.coming or one.realised is not None)
    if realised and coming:
        how = f"by the labels of {known} of {several} chunks"
        if all(one.estimated is not None for one in coming):
            how += ", and by estimates where labels have yet to come"
    elif realised:
        mean = sum(one.covered[1] for one in realised) / sum(one.covered[0] for one in realised)
        how = "by its labels" if mean > ALL else f"by the labels that have arrived ({mean:.0%})"
    else:
        how = "as far as can be estimated without labels"
    n = sum((one.realised if realised else one.estimated) or 0 for one in realised or estimated)
    doubt = ""
    if n < FEW_ROWS:
        behind = count(n, "labelled row") if realised else count(n, "row")
        doubt = f"{behind} {'is' if n == 1 else 'are'} too few"
    elif len(coming) > known > 0:
        doubt = f"the labels of {len(coming)} of {several} chunks have yet to come"
    elif reference.total.n < FEW_ROWS:
        doubt = f"a reference of {count(reference.total.n, 'row')} is too small"
    return replace(size, how=how, doubt=doubt)


def _why_not(reference: Reference, by: Sequence[Basis], *, labelled: bool) -> str:
    schema = reference.schema
    if schema.prediction is None and not schema.scores:
        return "neither a prediction nor a score is known"
    if not reference.total.label_coverage:
        return "the reference has no labels to compare with"
    if not labelled:
        reason = next((one.why_not for one in reversed(by) if one.why_not), "")
        why = f", and an estimate is impossible ({reason})" if reason else ""
        return "no labels have arrived" + (why or ", and without a score nothing is estimated")
    return "no row has both a prediction and a label"
