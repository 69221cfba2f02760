"""Concept drift as result rows: are labels what the reference expects of these very rows?"""

from __future__ import annotations

from datetime import datetime
from math import inf, isfinite, log

from barograph.causes.explain import Trust
from barograph.metrics.intervals import Z
from barograph.monitors.results import Result
from barograph.profiles.profiles import Profiles
from barograph.rules.limits import Status

MONITOR = "concept.concept_residual"
MATERIAL = 0.02  # of accuracy: what is material by default
MATERIAL_SHARE = 0.1  # of the mean absolute error


def concept_rows(
    profiles: Profiles,
    trust: Trust,
    *,
    first: int = 0,
    model: str = "model",
    version: str = "",
    as_of: datetime | None = None,
) -> list[Result]:
    """Return one row for each chunk with labels: realised less expected accuracy (or mean absolute error).

    The first chunk of `profiles` has the place `first` among all. A row is in breach when all labels up to it are
    evidence of another concept, in either direction.
    """
    task = profiles.yardstick.schema.task
    sign = 1.0 if task.facts.rises else -1.0  # of a loss as accuracy
    rows = []
    for r in trust.residuals:
        profile = profiles.at(r.position - first)
        evidence = r.log_evidence if isfinite(r.log_evidence) else None
        rows.append(
            Result(
                model=model,
                version=version,
                monitor=MONITOR,
                metric="concept_residual",
                family="concept",
                column=None,
                segment=None,
                chunk=profile.chunk.key,
                chunk_start=profile.chunk.start,
                chunk_end=profile.chunk.end,
                n=r.labels,
                value=sign * r.gap,
                lower=sign * r.gap - Z * r.error,
                upper=sign * r.gap + Z * r.error,
                reference_value=0.0,
                limit_lower=None if task.numeric else -MATERIAL,
                limit_upper=MATERIAL_SHARE * r.expected if task.numeric else None,
                evidence=evidence,
                status=Status.BREACH if (evidence if evidence is not None else -inf) >= log(trust.arl) else Status.OK,
                as_of=as_of,
                label_coverage=profile.label_coverage,
                standard_error=r.error,
            )
        )
    return rows
