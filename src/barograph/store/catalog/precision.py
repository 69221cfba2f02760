"""How often each monitor was right, by what people said of the incidents that it was part of."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from barograph.metrics.intervals import wilson
from barograph.store.catalog.schema import alerts, incidents
from barograph.store.catalog.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorPrecision:
    """The incidents of a time that a monitor had a part in, and what people said of them.

    Those that another alert explains are not counted for the monitor of the explained one.
    """

    monitor: str
    family: str
    metric: str
    column: str | None
    segment: str | None
    incidents: int
    real: int
    false_alarms: int

    @property
    def unjudged(self) -> int:
        """Return how many incidents nobody said anything of."""
        return self.incidents - self.real - self.false_alarms

    @property
    def precision(self) -> float | None:
        """Return the share of real ones among those that were judged; None if none was."""
        judged = self.real + self.false_alarms
        return self.real / judged if judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % interval of Wilson; None if none was judged.

        >>> MonitorPrecision(monitor="m", family="drift", metric="psi", column=None, segment=None, incidents=12, real=9,
        ...                  false_alarms=1).interval
        (0.5958..., 0.9821...)
        """
        if self.precision is None:
            return None
        lower, upper = wilson(self.precision, self.real + self.false_alarms)
        return float(lower), float(upper)


def precision_of_monitors(scope: Scope, model_id: int, *, since_us: int) -> list[MonitorPrecision]:
    """Return each monitor of a model with an incident that was opened at `since_us` or later, by its name."""
    same = (
        (incidents.c.project_id == alerts.c.project_id)
        & (incidents.c.model_id == alerts.c.model_id)
        & (incidents.c.id == alerts.c.incident_id)
    )
    names = (alerts.c.monitor, alerts.c.family, alerts.c.metric, alerts.c.column, alerts.c.segment)

    def number(verdict: str) -> sa.ColumnElement[int]:
        return sa.func.count(sa.distinct(sa.case((incidents.c.verdict == verdict, incidents.c.id))))

    counts = (sa.func.count(sa.distinct(incidents.c.id)), number("real"), number("false alarm"))
    statement = scope.select(alerts, *names, *counts).join(incidents, same)
    statement = statement.where(
        alerts.c.model_id == model_id,
        alerts.c.monitor.is_not(None),
        incidents.c.opened_us >= since_us,
        sa.func.coalesce(alerts.c.is_explained, sa.false()).is_(False),
    )
    return [
        MonitorPrecision(
            monitor=monitor,
            family=family,
            metric=metric,
            column=column,
            segment=segment,
            incidents=n,
            real=real,
            false_alarms=false_alarms,
        )
        for monitor, family, metric, column, segment, n, real, false_alarms in scope.rows(
            statement.group_by(*names).order_by(alerts.c.monitor)
        )
    ]
