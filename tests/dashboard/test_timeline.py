"""Drawings in time: extremes survive, what is not known is hatched, and nothing of a user's is markup."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from barograph.dashboard.readings import Reading, Run, reading_of_run
from barograph.dashboard.scales import ticks, time_ticks
from barograph.dashboard.timeline import Mark, Metric, Span, Timeline, timeline
from barograph.times import DAY_US

DAY = Reading(start_us=0, end_us=DAY_US, text="day", n=10, value=0.5, low=0.5, high=0.5, reference=0.6)


def drawn(days: list[Reading], **more: object) -> str:
    readings = [replace(d, start_us=i * DAY_US, end_us=(i + 1) * DAY_US) for i, d in enumerate(days)]
    metric = Metric(name="roc_auc", family="performance", measured=readings)
    found = Timeline(start_us=0, end_us=len(days) * DAY_US, zone="UTC", metric=metric, description="x", **more)  # type: ignore[arg-type]
    svg = timeline(found)
    ElementTree.fromstring(svg)  # it is well-formed
    return svg


def test_what_is_not_known_is_hatched_and_never_drawn_as_if_it_were() -> None:
    gap = replace(DAY, value=None, low=None, high=None)
    svg = drawn([DAY, gap, gap, DAY])
    assert svg.count('class="unjudged"') == 1  # one stretch of two days
    assert "hatch" in svg
    assert svg.count('class="dot measured"') == 2
    assert 'class="line measured"' not in svg  # the line does not cross the gap
    assert 'class="unjudged"' not in drawn([DAY, DAY])


def test_an_alarm_differs_in_shape() -> None:
    svg = drawn([DAY, replace(DAY, is_alarm=True)])
    assert svg.count('class="alarm"') == 1
    assert svg.count('class="dot measured"') == 1


def test_the_reference_is_that_of_what_is_judged() -> None:
    waiting = replace(DAY, value=None, low=None, high=None, shown=0.9, reference=0.95)
    svg = drawn([DAY, waiting])
    assert "reference 0.600" in svg
    assert "0.950" not in svg
    assert "reference 0.950" in drawn([waiting, waiting])


def test_runs_keep_their_extremes() -> None:
    run = Run(
        start_us=0, end_us=DAY_US, chunks=24, n=240, value=0.7, low=0.31, high=0.92, lower=0.6, upper=0.8,
        reference=0.7, limit_lower=None, limit_upper=None, breaches=2, coverage=1.0,
    )  # fmt: skip
    found = reading_of_run(run, metric="roc_auc", family="performance", noun="hour", zone="UTC")
    assert "0.310" in found.text
    assert "0.920" in found.text
    assert "alarm in 2 hours" in found.text
    assert found.is_alarm
    assert 'class="extremes measured"' in drawn([found, found])


@given(st.text(max_size=60))
def test_no_name_is_markup(name: str) -> None:
    name = "".join(c for c in name if c.isprintable())
    span = Span(start_us=0, end_us=None, label=name, state="critical", href="/incidents/x", text=name)
    svg = drawn([DAY] * 5, spans=[span], marks=[Mark(at_us=DAY_US, label=name, text=name)])
    assert not re.search(r"<(script|img|b)\b", svg)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
def test_ticks_lie_within_and_are_not_too_many(low: float, span: float, most: int) -> None:
    found = ticks(low, low + span, most)
    assert len(found) <= most + 2
    assert all(low - span * 1e-6 <= t <= low + span * (1 + 1e-6) for t in found)


@given(st.integers(0, 10**15), st.integers(10**6, 10**14), st.integers(1, 20))
def test_moments_lie_within_in_order_and_are_not_too_many(start: int, span: int, most: int) -> None:
    found = [tick.at_us for tick in time_ticks(start, start + span, zone="America/New_York", most=most)]
    assert found == sorted(set(found))
    assert all(start <= at <= start + span for at in found)
    assert len(found) <= most + 1
