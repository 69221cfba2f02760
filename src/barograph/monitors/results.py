"""Result rows: the one output format, documented in ARCHITECTURE.md."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from barograph.rules import Change
from barograph.rules.limits import Status

if TYPE_CHECKING:
    import polars as pl


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
    change: Change | None = None  # what is known of it since its onset, for severity and causes
    judged: bool = True  # False: the value is only shown; `reason` says why

    def weighed(self, evidence: float | None, status: Status) -> Result:
        """Return the row as its rule judges it; what `dataclasses.replace` does, but there may be a million of them."""
        return Result(
            model=self.model,
            version=self.version,
            monitor=self.monitor,
            metric=self.metric,
            family=self.family,
            column=self.column,
            segment=self.segment,
            chunk=self.chunk,
            chunk_start=self.chunk_start,
            chunk_end=self.chunk_end,
            n=self.n,
            value=self.value,
            lower=self.lower,
            upper=self.upper,
            reference_value=self.reference_value,
            limit_lower=self.limit_lower,
            limit_upper=self.limit_upper,
            evidence=evidence,
            status=status,
            reason=self.reason,
            as_of=self.as_of,
            label_coverage=self.label_coverage,
            standard_error=self.standard_error,
            judged=self.judged,
        )

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
