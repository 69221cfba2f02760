"""All that verdicts, incidents and advice can say, with an example of each: written to docs/wording.md.

The sentences are made by the functions that make them in production, of findings that are made up here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any  # fields of breaches are of several types

from barograph.alerts.breach import Breach
from barograph.alerts.condition import Failure, Held, Judged, Lifecycle, Trouble, Unread, condition
from barograph.alerts.levels import Level, Levels
from barograph.alerts.lifecycle import watch
from barograph.alerts.nearby import NearChange, told_of
from barograph.alerts.severity import Severity
from barograph.alerts.told import told
from barograph.chunks import Chunk

DAYS = 12
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
MARKS = {"n": Severity.NOTICE, "w": Severity.WARNING, "c": Severity.CRITICAL}
_ROC_AUC = {"value": 0.66, "reference_value": 0.83, "limit": 0.80}
VALUES: dict[str, dict[str, Any]] = {
    "row_count": {"value": 0.0, "reference_value": 5000.0, "limit": 400.0},
    "missing_share": {"value": 0.97, "reference_value": 0.02, "limit": 0.05},
    "type_error_share": {"value": 0.98, "reference_value": 0.0, "limit": 0.01},
    "constant_column": {"value": 1.0, "reference_value": 0.0, "limit": 0.5},
    "out_of_range_share": {"value": 0.86, "reference_value": 0.0, "limit": 0.02},
    "unseen_share": {"value": 0.31, "reference_value": 0.0, "limit": 0.02},
    "duplicate_share": {"value": 0.04, "reference_value": 0.0, "limit": 0.01},
    "unusable_prediction_share": {"value": 0.4, "reference_value": 0.0, "limit": 0.02},
    "roc_auc": _ROC_AUC,
    "log_loss": {"value": 0.74, "reference_value": 0.48, "limit": 0.52},
    "concept_residual": {"value": -0.09, "reference_value": 0.0, "limit": -0.02},
    "total_variation": {"value": 0.3, "limit": 0.1},
    "cell_drift": {"value": 0.3, "limit": 0.1},
    "label_shift_accuracy": {"value": 0.72, "reference_value": 0.76, "limit": 0.74, "otherwise": 0.755},
}


@dataclass(frozen=True, slots=True)
class Example:
    """Findings that are one incident, or several: a heading, and what was found."""

    heading: str
    breaches: tuple[Breach, ...]
    outputs: tuple[str, ...] = ("score",)
    levels: Levels = field(default_factory=dict)


def days(n: int) -> list[Chunk]:
    """Return so many days from Monday, 2 March 2026."""
    starts = [MONDAY + timedelta(days=i) for i in range(n)]
    return [Chunk(key=f"{start:%Y-%m-%d}", start=start, end=start + timedelta(days=1)) for start in starts]


def drawn(name: str, marks: str, **changes: Any) -> list[Breach]:
    """Return breaches of `family.metric[.column][@segment]`: `.` none, `n` notice, `w` warning, `c` critical."""
    what, _, segment = name.partition("@")
    family, metric, *column = what.split(".")
    found = []
    for i, (mark, chunk) in enumerate(zip(marks, days(len(marks)), strict=True)):
        if mark in MARKS:
            said: dict[str, Any] = {"value": None, **VALUES.get(metric, {}), **changes}
            found.append(
                Breach(
                    model="model",
                    monitor=name,
                    metric=metric,
                    family=family,
                    column=column[0] if column else None,
                    segment=segment or None,
                    chunk=chunk.key,
                    position=i,
                    start=chunk.start,
                    end=chunk.end,
                    severity=MARKS[mark],
                    text=f"{metric} is not known",
                    is_feature=not column or column[0] not in ("score", "label"),
                    **said,
                )
            )
    return found


def measured(example: Example, values: dict[str, tuple[float, ...]]) -> Example:
    """Return an example with what was measured in the days in alarm, and in those between, in turn."""
    levels = {(b.monitor, b.position): Level(b.value or 0.0, b.n or 900, b.reference_value) for b in example.breaches}
    for monitor, turn in values.items():
        of = [b for b in example.breaches if b.monitor == monitor]
        for i, b in enumerate(of[1:]):
            levels[monitor, b.position] = Level(turn[i % len(turn)], 900, b.reference_value)
    return replace(example, levels=levels)


def examples() -> Iterator[Example]:
    """Yield examples of all incidents, by what they are told by."""

    def one(heading: str, *lines: tuple[str, str] | tuple[str, str, dict[str, Any]]) -> Example:
        found = [b for name, marks, *more in lines for b in drawn(name, marks, **(more[0] if more else {}))]
        return Example(heading, tuple(found))

    missing, auc, drift = "quality.missing_share.income", "performance.roc_auc", "drift.total_variation."
    yield one("no rows", ("quality.row_count", "....cccccccc"))
    yield one("no rows for a while", ("quality.row_count", "....cc......"))
    yield one("no rows, and rows again", ("quality.row_count", ".......cccc."))
    yield one("hardly any rows", ("quality.row_count@origin=JFK", "....w.......", {"value": 12.0}))
    yield one("predictions that cannot be used", ("quality.unusable_prediction_share", "....cccccccc"))
    for metric, severity in (
        ("missing_share", "w"),
        ("type_error_share", "w"),
        ("constant_column", "n"),
        ("out_of_range_share", "w"),
        ("unseen_share", "w"),
    ):
        yield one(f"a broken column: {metric}", (f"quality.{metric}.income", f"....{severity * 8}"))
    yield one("a broken column of a segment", ("quality.missing_share.income@origin=JFK", "....nnnn...."))
    yield one(
        "a broken column, and what it explains",
        (missing, "....wwwwwwww"),
        (drift + "income", "....nnnnnnnn"),
        (auc, "....cccccccc"),
        ("drift.cell_drift", "....nnnnnnnn"),
        (drift + "score", "....nnnnnnnn"),
    )
    yield one("a part of a column, and a loss", (missing, "....nnnnnnnn", {"value": 0.3}), (auc, "....cccccccc"))
    yield one(
        "a part of a column that bears the loss",
        (missing, "....nnnnnnnn", {"value": 0.3, "blame": 0.9}),
        (auc, "....cccccccc"),
    )
    yield one(
        "a column in another unit",
        ("quality.out_of_range_share.income", "....wwwwwwww", {"factor": 1 / 10.9}),
        (auc, "....cccccccc"),
    )
    yield one("several columns", (missing, "....wwwwwwww"), ("quality.missing_share.age", "....wwwwwwww"))
    yield one(
        "several columns in several ways", (missing, "....wwwwwwww"), ("quality.constant_column.age", "....nnnn....")
    )
    yield one("a cause that is seen after its consequence", (missing, ".....wwwwwww"), (auc, "....cccccccc"))
    yield one("a loss", (auc, "....cccc.ccc"))
    yield measured(one("a loss whose days were measured", (auc, "....cccc.ccc")), {auc: (0.7, 0.68, 0.74)})
    yield measured(one("missing rows", ("quality.row_count", "....cccc....")), {"quality.row_count": (0.0,)})
    yield one("a loss that is over", (auc, "....cccc...."))
    yield one("a loss in one day", (auc, "...........c"))
    yield one("a loss seen by evidence", (auc, "....wwwwwwww", {"value": 0.81}))
    yield one("a loss of a metric that is better low", ("performance.log_loss", "....cccccccc"))
    yield one("a loss below a limit of one's own", (auc, "....cccccccc", {"reference_value": None}))
    yield one("a loss of segments", (auc, "....cccccccc"), ("performance.roc_auc@origin=JFK", "....wwwwwwww"))
    yield one(
        "a loss that began in a segment", (auc, "......cccccc"), ("performance.roc_auc@origin=JFK", "...wwwwwwwww")
    )
    yield one("a loss of a segment alone", ("performance.roc_auc@origin=JFK", "....wwwwwwww"))
    yield one("a loss, and what moved with it", (auc, "....cccccccc"), (drift + "income", "....nnnnnnnn"))
    yield one(
        "a loss, and a unit that moved with it",
        (auc, "....cccccccc"),
        (drift + "income", "....nnnnnnnn", {"factor": 1000.0}),
    )
    rule = ("concept.concept_residual", "....wwwwwwww")
    yield one("a loss by another rule", (auc, "....cccccccc"), rule)
    yield one("a loss, and other labels", (auc, "....cccccccc"), rule, (drift + "label", "....nnnnnnnn"))
    places = {"swapped_with": "amount"}
    yield one("columns that changed places", (auc, "....cccccccc"), (drift + "income", "....nnnnnnnn", places))
    yield one(
        "broken columns that changed places",
        ("quality.out_of_range_share.income", "....wwwwwwww", places),
        (auc, "....cccccccc"),
    )
    yield one("an estimated loss", ("estimation.roc_auc", "....cccccccc"))
    yield one("another rule", ("concept.concept_residual", "....cccccccc"))
    yield one("another rule of numbers", ("concept.concept_residual", "....cccccccc", {"value": 2.5, "limit": 0.4}))
    yield one("an improvement", (auc, "....nnnnnnnn", {"value": 0.88, "limit": 0.86}))
    yield one("a rule that became better", ("concept.concept_residual", "....nnnnnnnn", {"value": 0.05}))
    yield one("a loss without a value", (auc, "....cccccccc", {"value": None}))
    yield one("drift without harm", (drift + "income", "....nnnnnnnn"))
    yield one("drift without harm, in another unit", (drift + "income", "....nnnnnnnn", {"factor": 2.54}))
    yield one(
        "drift of several columns",
        (drift + "income", "....nnnn...."),
        (drift + "age", ".....nn....."),
        (drift + "score", "....nn......"),
    )
    yield one("drift of the mix of rows", ("drift.cell_drift", "....nn......"))
    yield one(
        "drift beside something critical", (drift + "income", "nnnnnnnnnnnn"), (auc, "..........cc", {"onset": (9, 10)})
    )
    yield one("drift with harm", (drift + "income", "....wwwwwwww", {"harm": 0.03}))
    yield one("drift of the rows with harm", ("drift.cell_drift", "....wwwwwwww", {"harm": 0.03}))
    yield one("another share of positives, without labels", ("drift.label_shift_accuracy", "....wwwwwwww"))
    yield one("something small in a column", ("quality.unseen_share.city", "....nnnnnnnn", {"value": 0.04}))
    yield one("something small in the rows", ("quality.duplicate_share", "....nnnnnnnn"))
    yield one("anything else", ("fairness.gap", "....wwwwwwww", {"value": 0.2, "reference_value": 0.05, "limit": 0.1}))
    again = [drawn(drift + "income", "." * i + "n" + "." * (11 - i)) for i in (0, 4, 8)]
    yield Example("a notice that came before", tuple(b for of in again for b in of))


def verdicts() -> Iterator[tuple[str, str]]:
    """Yield headings and verdicts of all kinds."""
    well = Judged(rows=30_000, chunks=30, how="by its labels")
    doubted = replace(well, doubt="the labels of 20 of 30 chunks have yet to come")
    lost = replace(well, doubt="nothing is known of the last 12 chunks", lost=12)
    worse = Trouble(severity=Severity.CRITICAL, title="ROC AUC fell from 0.830 to 0.660", family="performance")
    broken = Trouble(
        severity=Severity.WARNING, title="income is missing in 97 % of the rows", family="quality", column="income"
    )
    early = replace(worse, severity=Severity.WARNING)
    part = replace(early, title="ROC AUC (origin=JFK) fell from 0.830 to 0.660", segment="origin=JFK")
    shifted = Trouble(
        severity=Severity.WARNING,
        title="Accuracy would be 0.720 instead of 0.760 if the share of positives has moved",
        family="drift",
        metric="label_shift_accuracy",
    )
    moved = Trouble(severity=Severity.NOTICE, title="age moved, without harm seen", family="drift", column="age")
    silent = Trouble(
        severity=Severity.CRITICAL, title="no events have come since 2026-03-02 10:00 UTC", family="operations"
    )
    outage = replace(silent, title="No rows came on 2026-03-02", family="quality", metric="row_count")
    none_since = "none have come since 2024-05-19, and the last 12 are judged by estimates alone"
    stopped = replace(well, noun="day", doubt=f"only 18 of 30 days have labels: {none_since}", lost=12)
    mute = replace(silent, severity=Severity.WARNING, title="no labels have come since 2026-03-02 10:00 UTC")
    unusable = Trouble(
        severity=Severity.CRITICAL, title="score is missing in 98 % of the rows", family="quality", column="score"
    )
    some = replace(unusable, title="predictions cannot be used", column=None, unusable=0.4)
    cases: tuple[tuple[str, Judged | None, Sequence[Trouble]], ...] = (
        ("all right", well, ()),
        ("all right, with notices", well, (moved, moved, moved)),
        ("in doubt", doubted, ()),
        ("in doubt, with a notice", doubted, (moved,)),
        ("no longer known", lost, ()),
        ("not evaluated", None, ()),
        ("no rows", Judged(rows=0, chunks=0), ()),
        ("in trouble", well, (worse,)),
        ("in trouble, with more", well, (worse, broken, moved)),
        ("was in trouble", well, (replace(worse, is_over=True, is_shown=True),)),
        ("was in trouble, as far as is shown", well, (replace(worse, is_over=True),)),
        ("was in trouble, as estimated", well, (replace(worse, is_over=True, family="estimation"),)),
        ("has become worse", well, (early,)),
        ("was worse", well, (replace(early, is_over=True, is_shown=True),)),
        ("was worse, as far as is shown", well, (replace(early, is_over=True),)),
        ("was worse, as estimated", well, (replace(early, is_over=True, family="estimation"),)),
        ("a part is worse", well, (part,)),
        ("worse if labels have shifted", well, (shifted,)),
        ("worse for a while if labels had shifted", doubted, (replace(shifted, is_over=True),)),
        ("broken, no loss seen", well, (broken,)),
        ("broken, loss not known", doubted, (broken,)),
        ("rows again", well, (replace(outage, is_over=True),)),
        ("no rows any more", well, (outage,)),
        ("labels stopped", stopped, ()),
        ("all right, as far as few rows tell", replace(well, blind="a loss below 0.1 would not be seen"), ()),
        ("silent", well, (silent,)),
        ("no labels", well, (mute,)),
        ("no labels, nothing judged", doubted, (mute,)),
        ("no predictions", well, (unusable,)),
        ("some predictions", well, (some,)),
    )
    for heading, judged, troubles in cases:
        yield heading, condition(lifecycle=Lifecycle.LIVE, judged=judged, troubles=troubles).verdict
    new = condition(lifecycle=Lifecycle.NEW, judged=None)
    bare = condition(lifecycle=Lifecycle.NEW, judged=None, has_reference=False)
    held = Held(lifecycle=Lifecycle.PAUSED, since=MONDAY, by="ada", reason="the season is over")
    failure = Failure(since=MONDAY, reason="no such column: 'age'")
    live = Lifecycle.LIVE
    nothing = Judged(rows=0, chunks=3, doubt="no rows came")
    yield "new", new.verdict
    yield "new, without a reference", bare.verdict
    yield "new, rows not counted", condition(lifecycle=Lifecycle.NEW, judged=nothing).verdict
    yield "paused", condition(lifecycle=Lifecycle.PAUSED, judged=well, held=held).verdict
    yield "cannot be evaluated", condition(lifecycle=live, judged=well, failure=failure).verdict
    yield (
        "cannot be evaluated any more",
        condition(lifecycle=live, judged=well, troubles=[worse], failure=failure).verdict,
    )
    yield "with silenced incidents", condition(lifecycle=live, judged=well, silenced=2).verdict
    yield (
        "in trouble, with a silenced incident",
        condition(lifecycle=live, judged=well, troubles=[worse], silenced=1).verdict,
    )
    yield "in doubt, with silenced incidents", condition(lifecycle=live, judged=doubted, silenced=2).verdict
    unread = Unread(name="s3", since=MONDAY, reason="the bucket is not there")
    yield "with a source that cannot be read", condition(lifecycle=live, judged=well, unread=[unread]).verdict
    yield "with rejected rows", condition(lifecycle=live, judged=well, rejected=7).verdict
    yield "with rows without a time", condition(lifecycle=live, judged=well, outside=7).verdict


def document() -> str:
    """Return the page."""
    lines = [
        "# What barograph says",
        "",
        "Written by `make docs`: every kind of verdict, incident and advice, each with an example that is made by the",
        "code of production. A test holds that no sentence is missing.",
        "",
        "## Verdicts",
        "",
        "| when | verdict |",
        "|---|---|",
        *(f"| {heading} | {verdict} |" for heading, verdict in verdicts()),
        "",
        "## Incidents, and what to do",
        "",
        "| found | severity | title | advice |",
        "|---|---|---|---|",
    ]
    for example in examples():
        heading = example.heading
        _, incidents = watch(example.breaches, days(DAYS), outputs=example.outputs, levels=example.levels)
        found = told(incidents)
        rows = [(i.severity.value, i.title, i.advice) for i in found.loud]
        rows += [(n.latest.severity.value, n.title, n.latest.advice) for n in found.notices]
        for severity, title, advice in rows:
            lines.append(f"| {heading} | {severity} | {title} | {advice} |")
            heading = ""
    deployed = NearChange(at=MONDAY, kind="deployment", title="Model 7 went live")
    lines += ["", "## Changes near an onset", "", told_of([deployed], more=2), ""]
    return "\n".join(lines)


def main(arguments: Iterable[str]) -> None:
    """Write the page to the one path that is given."""
    (path,) = arguments
    Path(path).write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
