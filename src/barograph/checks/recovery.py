"""Is a model that was worse as good as before? That is shown by the chunks since, not by an alarm that is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

import numpy as np
from scipy.special import ndtri

from barograph.alerts.alert import Alert, State
from barograph.alerts.condition import OF_LABELS
from barograph.alerts.incident import Incident
from barograph.alerts.silence import heard
from barograph.arrays import Floats
from barograph.chunks import Chunk
from barograph.metrics.facts import find_metric, worse_by
from barograph.monitors.results import Result
from barograph.rules.change import MISSES
from barograph.rules.limits import default_tolerance
from barograph.rules.predictive import ALPHA

FEWEST = 3  # chunks that can show anything


def is_equivalent(worse: Floats, spread: Floats, tolerance: float) -> bool:
    r"""Return whether chunks that are `worse` than the reference by so much show that nothing material is left.

    That is so when the upper end of a normal-mixture confidence sequence of their mean (see `rules.change`),

    .. math:: \bar d + \sqrt{s^2\,(N + 1) \ln\frac{N + 1}{0.05^2} \Big/ N^2},

    is below the tolerance; :math:`s` is the `spread` of a chunk while nothing has changed. So it may be asked after
    every chunk, and a loss of the size of the tolerance is called nothing in at most 5 % of cases. Fewer than three
    chunks, and a tolerance of zero, show nothing.

    >>> is_equivalent(np.zeros(8), np.full(8, 0.013), 0.02), is_equivalent(np.zeros(8), np.full(8, 0.05), 0.02)
    (True, False)
    """
    n = len(worse)
    if n < FEWEST:
        return False
    half = np.sqrt(float(np.mean(spread**2)) * (n + 1) * np.log((n + 1) / MISSES**2)) / n
    return bool(np.mean(worse) + half < tolerance)


def is_shown(
    incident: Incident, rows: Sequence[Result], chunks: Sequence[Chunk], tolerances: Mapping[str, float]
) -> bool:
    """Return whether the gravest alerts of an incident are over, and each metric of labels among them is as before.

    Chunks that could not be judged show nothing. Metrics whose rule keeps no evidence have only their limits, and
    those of no labels have their own ways to be well again.
    """
    loud = heard(incident.root, incident.alerts) or incident.alerts
    gravest = [alert for alert in loud if alert.severity is incident.severity]
    positions = {chunk.key: i for i, chunk in enumerate(chunks)}
    # The residual of concept drift shares the alarm of performance: where both were worse, performance tells.
    performance = [alert for alert in gravest if alert.last_breach.family == "performance"]
    measured = performance or [alert for alert in gravest if alert.last_breach.family in OF_LABELS]
    return all(alert.state is State.RESOLVED for alert in gravest) and all(
        _is_as_before(alert, rows, positions, tolerances) for alert in measured
    )


def _is_as_before(
    alert: Alert, rows: Sequence[Result], positions: Mapping[str, int], tolerances: Mapping[str, float]
) -> bool:
    last = alert.last_breach
    if last.evidence is None:
        return True
    own = [
        row
        for row in rows
        if row.monitor == last.monitor
        and row.segment == last.segment
        and row.is_judged
        and row.reference_value is not None
        and positions.get(row.chunk, -1) > alert.last.position
    ]
    if not own:
        return False
    worse = np.array([worse_by(row.value or 0.0, row.reference_value or 0.0, row.metric, row.family) for row in own])
    away = np.array([_limit_away(row) for row in own])
    metric = find_metric(last.metric, last.family)
    if metric is None:  # the residual of concept drift, whose limit is its tolerance
        return is_equivalent(worse, np.full(len(worse), np.std(worse)), float(away.min()))
    tolerance = tolerances.get(metric.name, default_tolerance(metric, own[0].reference_value or 0.0))
    return is_equivalent(worse, away / float(ndtri(1 - ALPHA)), tolerance)


def _limit_away(row: Result) -> float:
    """Return how far the limit of a chunk is from the reference; infinity where it has none."""
    limits = [limit for limit in (row.limit_lower, row.limit_upper) if limit is not None]
    return max((abs(limit - (row.reference_value or 0.0)) for limit in limits), default=inf)
