"""What the rules hand over: one monitor beyond its limit in one chunk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from barograph.alerts.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One monitor in breach in one chunk. `position` is the chunk's place in the order of time, from 0.

    `value`, `reference_value` and `limit` are in the metric's unit. `harm` is the estimated loss of performance that
    comes with it, in the unit of the model's main metric (positive is worse), None where it is not known.
    `cells` are the leaves of the partition that it concerns, where that is known. `text` says what happened, without
    time: "ROC AUC is 0.66 (reference 0.73)". `onset` are the positions of the first and last chunk in which the change
    may have begun, where that is estimated. Of a column that is broken, `blame` is the part of the model's loss in this
    chunk that it can explain: 0 if the model hardly uses it, None where that is not known. `is_feature` is False for
    what the model says and for labels. `factor` is how many times as large its numbers are, if all are alike, and
    `swapped_with` the column that it has changed places with. Where a metric foretells performance, `otherwise` is what
    is estimated if only the inputs have moved.
    """

    model: str
    monitor: str
    metric: str
    family: str
    column: str | None
    segment: str | None
    chunk: str
    position: int
    start: datetime | None
    end: datetime | None
    severity: Severity
    text: str
    value: float | None = None
    reference_value: float | None = None
    limit: float | None = None
    evidence: float | None = None
    harm: float | None = None
    cells: frozenset[int] = frozenset()
    n: int = 0
    onset: tuple[int, int] | None = None
    blame: float | None = None
    is_feature: bool = True
    factor: float | None = None
    swapped_with: str | None = None
    otherwise: float | None = None
