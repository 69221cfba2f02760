"""What is told of chunks that could not be judged."""

from __future__ import annotations

from typing import Any

import polars as pl
from checked import BASE

from barograph.causes.concept import MONITOR as CONCEPT
from barograph.checks.assess import unjudged
from barograph.reference.reference import Reference
from barograph.report.check import check


def test_every_monitor_has_a_value_that_counts_or_is_unjudged_in_every_chunk(reference: Reference) -> None:
    gone = pl.col("timestamp").dt.day().is_between(5, 7)  # three days without labels
    rows = BASE.with_columns(label=pl.when(~gone).then("label")).filter(pl.col("timestamp").dt.day() != 10)
    report = check(reference, rows, chunk="1d")
    found = unjudged(report.rows, report.profiles, report.alerting)
    positions: dict[str, Any] = {chunk.key: i for i, chunk in enumerate(report.profiles.chunks)}
    judged = {(row.model, row.monitor, positions[row.chunk]) for row in report.rows if row.is_judged}
    every = {(report.model, name, i) for name in report.alerting for i in positions.values()}
    assert found.keys() == every - judged
    assert {i for _, name, i in found if name == CONCEPT} == {4, 5, 6, 9}
    assert not unjudged([], report.profiles, ())
