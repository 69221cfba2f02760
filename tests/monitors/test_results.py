"""Result rows."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from barograph.monitors.results import Result
from barograph.rules import Change
from barograph.rules.limits import Status


def test_a_weighed_row_is_the_same_row_in_all_but_what_its_rule_says() -> None:
    own: dict[str, Any] = {
        "n": 7,
        "status": Status.WARNING,
        "judged": False,
        "change": Change(since=1, earliest=0, latest=2, value=0.1, lower=0.05, upper=0.2, is_material=True),
        **dict.fromkeys(("chunk_start", "chunk_end", "as_of"), datetime(2024, 1, 1, tzinfo=UTC)),
        **dict.fromkeys(
            ("model", "version", "monitor", "metric", "family", "column", "segment", "chunk", "reason"), "x"
        ),
    }
    numbers = [f.name for f in fields(Result) if f.name not in own]
    row = Result(**own, **{name: float(i) for i, name in enumerate(numbers, start=1)})
    assert row.weighed(3.5, Status.BREACH) == replace(row, evidence=3.5, status=Status.BREACH)
