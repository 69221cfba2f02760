"""The verdict: one sentence that says whether the model is still all right, since when not, and by how much."""

from __future__ import annotations

from collections.abc import Sequence

from barograph.alerts.incident import Incident
from barograph.alerts.severity import Severity
from barograph.monitors.results import Result
from barograph.profiles.profiles import Profiles
from barograph.reference.reference import Reference


def verdict(reference: Reference, profiles: Profiles, results: Sequence[Result], incidents: Sequence[Incident]) -> str:
    """Return one sentence; the worst incident speaks first."""
    rows = sum(profile.n for profile in profiles.select())
    if not rows:
        return "Nothing can be said: the production data has no rows."
    where = f"{len(profiles.chunks)} chunks" if len(profiles.chunks) > 1 else "one chunk"
    size = f"{rows:,} rows in {where}"
    worst = [i for i in incidents if i.severity is Severity.CRITICAL]
    broken = [i for i in incidents if i.severity is Severity.WARNING]
    moved = [i for i in incidents if i.severity is Severity.NOTICE]
    if worst:
        more = len(worst) + len(broken) - 1
        also = f" {more} more {'incident' if more == 1 else 'incidents'} below." if more else ""
        return f"The model needs attention: {worst[0].title}.{also}"
    how_known = _how_known(results)
    if broken:
        return f"No loss of performance is seen {how_known}, but something is broken: {broken[0].title}."
    if moved:
        return f"The model is all right {how_known} ({size}); what moved did no harm: {moved[0].title}."
    return f"The model is all right {how_known} ({size}): nothing is beyond its limits."


def _how_known(results: Sequence[Result]) -> str:
    covered = [r.label_coverage or 0.0 for r in results if r.family == "performance" and r.value is not None]
    if covered:
        mean = sum(covered) / len(covered)
        return "by its labels" if mean > 0.95 else f"by the labels that have arrived ({mean:.0%})"
    if any(r.family == "estimation" and r.value is not None for r in results):
        return "as far as can be estimated without labels"
    return "as far as can be seen without labels"
