"""Who shares an alarm, and how the false-alarm budget is divided: half of it for performance, the rest for inputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from barograph.monitors.monitor import Monitor
from barograph.profiles.profiles import ALL
from barograph.rules import catalogue
from barograph.rules.budget import FAMILIES, divide
from barograph.spec.budget import Budget

MOSTLY = 0.5  # of the labels have arrived: then estimates hardly need to alarm
LITTLE = 0.5  # weight of a family; see rules.budget.FAMILIES
APART = 0.25  # weight of the alarm of what follows prevalence beside the one of the others
CONCEPT = "concept"


def alarm_of(monitor: Monitor, monitors: Sequence[Monitor]) -> str:
    """Return the name of the alarm that a monitor is part of: its own, or the one that all headline metrics share.

    Nearly the same rows are counted in all of them: their alarms would be one alarm several times, and each of them
    less ready for the sake of the others.
    """
    rule = catalogue().get(monitor.rule or "")
    by_default = rule is not None and rule.by_chunk and not monitor.rule_options
    if not by_default or monitor.family not in ("performance", CONCEPT) or not monitor.is_headline:
        return monitor.name
    if _is_apart(monitor, monitors):
        return monitor.name
    return f"performance of {monitor.segment}" if monitor.segment else "performance"


def run_lengths(
    monitors: Sequence[Monitor], budget: Budget, *, label_coverage: float, without: Collection[str] = ()
) -> tuple[list[Monitor], dict[str, float]]:
    """Return the monitors that rules watch, and the mean days between false alarms of each: all alarms keep the budget.

    `monitors` are those that alert, `without` names those that have no row to be judged; `label_coverage` is the mean
    of all chunks. Monitors that share an alarm have the same number; `CONCEPT` is that of concept drift by itself. All
    segments of a metric together get as much as the model as a whole. Half of the budget goes to performance, as far as
    labels come, and to estimates of it, as far as they do not.
    """
    watched = [m for m in monitors if m.rule and m.name not in without]
    with_evidence = [m for m in watched if catalogue()[m.rule or ""].has_evidence]
    segments = max(len({m.segment for m in with_evidence} - {ALL}), 1)
    alarms: dict[str, list[Monitor]] = {}
    for monitor in with_evidence:
        alarms.setdefault(alarm_of(monitor, with_evidence), []).append(monitor)
    families = [members[0].family for members in alarms.values()]
    own = [
        float(np.mean([m.weight for m in members]))
        / (1 if members[0].segment == ALL else segments)
        * (APART if _is_apart(members[0], with_evidence) else 1.0)
        for members in alarms.values()
    ]
    weights = _weights({*families, CONCEPT}, label_coverage)
    shares = divide(budget, [*families, CONCEPT], weights=weights, own=[*own, 1.0]).tolist()
    found = dict.fromkeys((m.name for m in watched), np.inf)
    for members, days in zip(alarms.values(), shares[:-1], strict=True):
        found |= dict.fromkeys((m.name for m in members), days)
    return watched, found | {CONCEPT: shares[-1]}


def _is_apart(monitor: Monitor, monitors: Sequence[Monitor]) -> bool:
    """Return whether a metric follows prevalence, and others that do not are there beside it."""
    beside = (m for m in monitors if m.segment == monitor.segment and m.family == monitor.family and m.is_headline)
    return monitor.metric.follows_prevalence and any(m.metric.needs == "scores" for m in beside)


def _weights(families: set[str], coverage: float) -> dict[str, float]:
    """Return the weights of performance, measured and estimated, that give both together half of the budget."""
    weights = {"estimation": LITTLE} if coverage >= MOSTLY and "performance" in families else {}
    own = families & ({"performance"} if weights else {"performance", "estimation"})
    others = sum(weights.get(name, FAMILIES[name]) for name in families - own)
    return weights | {name: others / len(own) for name in own}
