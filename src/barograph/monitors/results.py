"""Result rows: the one output format, documented in ARCHITECTURE.md."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from barograph.rules.limits import Status

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Worse:
    """Since which chunk, and by how much on average, a metric is worse; the bounds hold with 95 % after every chunk.

    `is_material` says whether more than the tolerance is certain.
    """

    since: str | None
    value: float
    lower: float
    upper: float
    is_material: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One metric of one column, segment and chunk, and what the rule says of it. None: there is no such value."""

    model: str
    version: str
    monitor: str
    metric: str
    family: str
    column: str | None
    segment: str | None
    chunk: str
    chunk_start: datetime | None
    chunk_end: datetime | None
    n: int
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    reference_value: float | None = None
    limit_lower: float | None = None
    limit_upper: float | None = None
    evidence: float | None = None
    status: Status = Status.OK
    reason: str | None = None
    as_of: datetime | None = None
    label_coverage: float | None = None
    # Not columns of the output:
    standard_error: float | None = None  # for the evidence
    change: Worse | None = None  # what is known of it since its onset, for the severity
    judged: bool = True  # False: the value is only shown; `reason` says why

    @property
    def is_judged(self) -> bool:
        """Return whether it has a value that counts."""
        return self.value is not None and self.judged


COLUMNS = tuple(field.name for field in fields(Result) if field.name not in ("standard_error", "change", "judged"))
_TIMES = ("chunk_start", "chunk_end", "as_of")
_TEXTS = ("model", "version", "monitor", "metric", "family", "column", "segment", "chunk", "status", "reason")


def results_frame(results: list[Result]) -> pl.DataFrame:
    """Return result rows as a frame with the documented columns and types, also when there are none."""
    import polars as pl

    def kind(name: str) -> pl.DataType | type[pl.DataType]:
        if name in _TIMES:
            return pl.Datetime("us", "UTC")
        if name in _TEXTS:
            return pl.String
        return pl.Int64 if name == "n" else pl.Float64

    columns = {name: [getattr(result, name) for result in results] for name in COLUMNS}
    columns["status"] = [status.value for status in columns["status"]]
    return pl.DataFrame({name: pl.Series(name, values, kind(name)) for name, values in columns.items()})
