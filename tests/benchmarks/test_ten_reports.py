"""What `check` says of worlds whose truth is known: fine or not, since when, why, what to do."""

from __future__ import annotations

import polars as pl
import pytest

import barograph
import ten_reports
from barograph.alerts.severity import Severity
from barograph.report.before_after import before_after
from barograph.report.explanations import why
from barograph.report.report import Report

EVERY = 4  # rows of which one is taken, to be quick


def told(name: str) -> tuple[Report, str]:
    """Return the report of a world, and the day on which it begins."""
    world = next(world for world in ten_reports.WORLDS if world.name == name)
    before, current = (frame.gather_every(EVERY) for frame in ten_reports.rows_of(world))
    return barograph.check(before, current, chunk="1d"), str(ten_reports.date(world.day or 0))[:10]


def test_labels_that_stopped_are_no_all_clear() -> None:
    report, day = told("labels stop")
    assert report.severity is Severity.WARNING
    assert report.verdict.startswith(
        "Whether the model is all right cannot be told, as only 16 of 42 days have labels: "
        f"none have come since {day}, and the last 26 are judged by estimates alone"
    )
    assert any(line.startswith(f"No labels came for rows since {day}.") for line in why(report))


def test_another_unit_is_no_other_rule() -> None:
    report, day = told("unit error")
    incident = report.incidents[0]
    assert (incident.severity, incident.since) == (Severity.CRITICAL, day)
    assert incident.advice.startswith("Suspect income, ÷ 12")
    assert not any("concept drift" in line or "have other outcomes than before, and" in line for line in why(report))
    assert {line.what for line in before_after(report, incident)} >= {"Accuracy", "Predicted 1", "Mean of income"}


def test_columns_that_changed_places_are_one_incident() -> None:
    report, day = told("swapped columns")
    incident = report.incidents[0]
    assert (incident.severity, incident.since) == (Severity.CRITICAL, day)
    assert incident.title.endswith("; `balance` and `limit` have changed places")
    assert len([one for one in report.incidents if {"balance", "limit"} & {*one.columns}]) == 1


def test_an_outage_that_is_over_is_no_trouble_of_the_model() -> None:
    report, day = told("outage")
    assert report.verdict.startswith("Rows come again after an outage; apart from that, the model is all right by the ")
    (incident,) = (one for one in report.incidents if one.severity is Severity.CRITICAL)
    assert incident.since == day
    assert "No rows came" in incident.title


@pytest.mark.parametrize("name", ["healthy", "growing id"])
def test_nothing_is_said_of_what_is_well(name: str) -> None:
    report, _ = told(name)
    assert report.severity is None
    assert report.verdict.startswith("The model is all right by the labels of 38 of 42 days")
    assert any("application_no" in line for line in report.read) == (name == "growing id")


def test_the_key_has_figures_of_the_rows() -> None:
    world = next(world for world in ten_reports.WORLDS if world.name == "unit error")
    before, current = ten_reports.rows_of(world)
    after = current.filter(pl.col("timestamp") >= ten_reports.date(19)).drop_nulls("label")
    expected = [(rows["label"] == rows["prediction"]).mean() for rows in (before, after)]
    said = ten_reports.answers(world, before, current)["how_bad"]
    assert said.startswith(f"Accuracy {expected[0]:.3f} in the reference, {expected[1]:.3f} since then")
