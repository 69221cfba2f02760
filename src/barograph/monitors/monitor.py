"""A monitor: one metric of one column and segment, and how it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any  # options of metrics are of any type

from barograph.metrics import Metric
from barograph.metrics.performance._excess import RESIDUAL
from barograph.reference.history import headlines
from barograph.spec.frozen import Frozen
from barograph.tasks import Task

_NO_OPTIONS: Mapping[str, Any] = Frozen({})


def _headlines() -> set[str]:
    return {name for task in Task for name in headlines(task)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """What is watched. `column` is None for the model as a whole, `segment` "" for all rows.

    `alerts` says whether a breach is reported to people; the other monitors describe. `tolerance` replaces the
    metric's default. `rule` is the name of the rule that decides, by default the metric's; None: its limits alone do.
    `weight` is its share of the budget beside the others of its family, `options` are for the metric and
    `rule_options` for the rule. An alert fires after `hold` chunks and ends after `quiet` calm ones; None: as for all.
    """

    metric: Metric
    column: str | None = None
    segment: str = ""
    alerts: bool = True
    tolerance: float | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: _NO_OPTIONS)
    rule: str | None = ""
    rule_options: Mapping[str, Any] = field(default_factory=lambda: _NO_OPTIONS)
    weight: float = 1.0
    hold: int | None = None
    quiet: int | None = None
    family: str = ""  # of its results; default: the metric's
    name: str = field(init=False)  # unique within a model: family, metric, column and segment

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", self.family or self.metric.family)
        object.__setattr__(self, "rule", self.metric.rule if self.rule == "" else self.rule)
        parts = [self.family, self.metric.name, self.column, self.segment]
        object.__setattr__(self, "name", ".".join(part for part in parts if part))

    @property
    def is_headline(self) -> bool:
        """Return whether it is one of the metrics that say how a model is, as they are by default."""
        return not self.options and (self.metric is RESIDUAL or self.metric.name in _headlines())
