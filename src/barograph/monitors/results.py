"""Result rows: the one output format, documented in ARCHITECTURE.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING

from barograph.chunks import NEWEST, Chunk, noun_of
from barograph.rules import Change
from barograph.rules.limits import Status
from barograph.text.format import number

if TYPE_CHECKING:
    import polars as pl


APPROXIMATE = "approximate: "  # how the part of the reason begins that says so


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
    binning_error: float | None = None  # how far the value may be from that of the rows themselves; see `approximately`

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
            change=self.change,
            judged=self.judged,
            binning_error=self.binning_error,
        )

    @property
    def is_judged(self) -> bool:
        """Return whether it has a value that counts."""
        return self.value is not None and self.judged

    @property
    def other_reason(self) -> str | None:
        """Return the reason without what is said of how near the value is."""
        return (self.reason or "").partition(APPROXIMATE)[0].removesuffix("; ") or None

    @property
    def mark(self) -> str:
        """Return what stands before a value that is estimated, or approximate: a sign and a space, or nothing."""
        return "≈ " if self.family == "estimation" or APPROXIMATE in (self.reason or "") else ""


def approximately(row: Result) -> Result:
    """Return the row with a reason that says how near its value is, where bins were too coarse to find it."""
    if row.value is None or row.binning_error is None:
        return row
    near = f"{APPROXIMATE}within {number(row.binning_error)}, as too many of its values share a bin"
    return replace(row, reason="; ".join(filter(None, (row.reason, near))))


def meaning_of_mark(rows: Iterable[Result]) -> str:
    """Return what "≈" stands for before these values; nothing where none has it."""
    marked = [row for row in rows if row.value is not None and row.mark]
    said = ["estimated without labels"] if any(row.family == "estimation" for row in marked) else []
    if any(row.family != "estimation" for row in marked):
        said.append("approximate, as too many values share a bin of the reference: the interval holds by how much")
    return f"≈ is {' or '.join(said)}." if said else ""


_NO_COLUMNS = ("standard_error", "change", "judged", "binning_error")
COLUMNS = tuple(field.name for field in fields(Result) if field.name not in _NO_COLUMNS)
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


def noun_of_rows(rows: Sequence[Result]) -> str:
    """Return what people call the chunks of rows, which come in the order of time: see `chunks.noun_of`."""
    return noun_of([Chunk(key=r.chunk, start=r.chunk_start, end=r.chunk_end) for r in rows[-NEWEST:]])
