"""How small a loss the data can show: the other half of "nothing was found"."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from barograph.metrics.facts import alerting, find_metric, title_of, value_of
from barograph.monitors.evidence import Watch
from barograph.tasks import Task

COARSE = 3.0  # tolerances: who is blind to that much is told so with the verdict


def finest(watches: Sequence[Watch], task: Task) -> tuple[str, float] | None:
    """Return the metric of performance that people know best, and the smallest lasting change of it that is found.

    A share of the rows comes first. Infinite is a change that is never found; None where nothing of it is watched.
    """
    of = {watch.monitor: watch.change for watch in watches}
    names = sorted(alerting(task), key=lambda name: not _is_share(name))
    return next(((name, of[f"performance.{name}"]) for name in names if f"performance.{name}" in of), None)


def power_in_words(watches: Sequence[Watch], task: Task) -> str:
    """Return how small a loss is found, as a sentence; "" where nothing is known of it."""
    found = finest(watches, task)
    if found is None:
        return ""
    name, change = found
    if not isfinite(change):
        return f"With these rows, no loss of {title_of(name)} can be told from chance."
    size = value_of(change, name, "performance")
    return f"With these rows, a change of {title_of(name)} by {size} that lasts is found; a smaller one may be missed."


def blind_to(watches: Sequence[Watch], task: Task) -> str:
    """Return what a calm verdict has to add where only a large loss would be found; "" where a small one is."""
    found = finest(watches, task)
    if found is None or not _is_share(found[0]):
        return ""
    name, change = found
    metric = find_metric(name, "performance")
    if metric is None or change < COARSE * metric.tolerance:
        return ""
    if not isfinite(change):
        return f"no loss of {title_of(name)} would be seen in so few rows"
    return f"in so few rows, a loss of {title_of(name)} below {value_of(change, name, 'performance')} would not be seen"


def _is_share(name: str) -> bool:
    metric = find_metric(name, "performance")
    return metric is not None and metric.unit == "share"
