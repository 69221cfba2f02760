"""What is watched, and how strictly: what a specification says, and the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from barograph.monitors.asked import Asked, planned_monitors
from barograph.monitors.monitor import Monitor
from barograph.profiles.yardstick import Yardstick
from barograph.spec.budget import Budget

Values = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is watched, and how strictly.

    `values` is what a TN, FP, FN and TP are worth, `tolerances` the change of a metric that matters, by its name.
    `asked` are the monitors that a specification names; `where` is that specification's file, for messages.
    """

    budget: Budget
    model: str = "model"
    version: str = ""
    values: Values | None = None
    tolerances: Mapping[str, float] = field(default_factory=dict)
    asked: Sequence[Asked] = ()
    where: str = ""

    def monitors(self, yardstick: Yardstick, *, segments: Sequence[str] = ()) -> list[Monitor]:
        """Return what is watched, in these segments by default; raise SpecError as `planned_monitors` does."""
        return planned_monitors(
            yardstick,
            segments=segments,
            values=self.values,
            tolerances=self.tolerances,
            asked=self.asked,
            where=self.where,
        )
