"""Tables of a model: a number is red where it is bad, and an alarm says since when."""

from __future__ import annotations

from dataclasses import replace

from barograph.dashboard.model_tables import MetricSeries, metric_row
from barograph.dashboard.sparkline import MOST_DIAMONDS, metric_line
from barograph.monitors.results import Result
from barograph.rules.limits import Status

ROW = Result(
    model="m",
    version="1",
    monitor="performance.roc_auc",
    metric="roc_auc",
    family="performance",
    column=None,
    segment=None,
    chunk="2024-01-01",
    chunk_start=None,
    chunk_end=None,
    n=100,
    value=0.6,
    reference_value=0.7,
    limit_lower=0.5,
)


def days(*values: float | None, alarm_from: int = 99) -> list[Result]:
    return [
        replace(ROW, chunk=f"2024-01-{i:02}", value=value, status=Status.BREACH if i >= alarm_from else Status.OK)
        for i, value in enumerate(values, start=1)
    ]


def test_an_alarm_says_since_when_and_a_good_day_in_it_is_not_red() -> None:
    row = metric_row(MetricSeries(name="roc_auc", measured=days(0.7, 0.6, 0.6, 0.75, alarm_from=2)), False)
    assert row.state == "alarm since 2024-01-02"
    assert row.is_alarm
    assert not row.is_worse
    assert metric_row(MetricSeries(name="roc_auc", measured=days(0.7, 0.6, alarm_from=2)), False).is_worse


def test_an_alarm_that_may_have_begun_before_what_is_shown_says_so() -> None:
    row = metric_row(MetricSeries(name="roc_auc", measured=days(0.6, 0.6, alarm_from=1)), False)
    assert row.state == "alarm since 2024-01-01 or before"


def test_what_has_no_limit_is_not_told_to_be_within_it() -> None:
    shown = [replace(ROW, limit_lower=None, reference_value=None)]
    assert metric_row(MetricSeries(name="roc_auc", measured=shown), False).state == "only shown"


def test_alarms_in_a_row_are_one_bar_and_few_are_diamonds() -> None:
    lasting = metric_line(days(*[0.6] * 10, alarm_from=3))
    assert lasting.count('class="alarm"') == 1
    assert lasting.count('class="alarms"') == 1
    few = metric_line(days(*[0.6] * 10, alarm_from=11 - MOST_DIAMONDS))
    assert few.count('class="alarm"') == MOST_DIAMONDS
    assert "alarms" not in few
