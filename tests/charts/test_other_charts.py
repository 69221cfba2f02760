"""Quality, segments, evidence and reliability."""

from collections.abc import Callable
from math import log

import numpy as np
import pytest

from barograph.charts.evidence_over_time import evidence_over_time
from barograph.charts.quality_over_time import quality_over_time
from barograph.charts.reliability import reliability
from barograph.charts.segments import SegmentPoint, segments
from barograph.charts.style import BREACH, Chart
from barograph.monitors.results import Result
from barograph.outcome import Estimate, Undefined
from barograph.rules.limits import Status
from barograph.sketches.scores import ScoreTable

Maker = Callable[..., Result]


def title(chart: Chart) -> str:
    return " ".join(chart["title"]["text"]).replace("\u00a0", " ")


def test_quality_has_a_strip_a_series_with_shared_chunks(drift_row: Maker) -> None:
    def share(column: str, values: list[float], skip: int = 0) -> list[Result]:
        given = {"metric": "missing_share", "family": "quality", "column": column, "reference_value": 0.0}
        return [drift_row(i + skip, v, **given) for i, v in enumerate(values)]

    chart = quality_over_time([share("a", [0.0, 0.5, 0.9]), share("b", [0.3], skip=2)], left_out=4)
    assert len(chart["vconcat"]) == 2
    points = [next(layer for layer in s["layer"] if layer["mark"]["type"] == "point") for s in chart["vconcat"]]
    domains = [layer["encoding"]["x"]["scale"]["domain"] for layer in points]
    assert domains[0] == domains[1] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert title(chart) == "Quality of 2 columns is in alarm, a the most"
    assert chart["title"]["subtitle"] == ["4 more in alarm not shown."]
    one = quality_over_time([share("a", [0.0, 0.5])])
    assert title(one) == "a: missing share rose from 0 % to 50 % on 2024-01-02"


def test_segments_stand_in_the_given_order_with_their_own_reference() -> None:
    def at(value: float) -> Estimate:
        return Estimate(value=value, n=100, lower=value - 0.05, upper=value + 0.05)

    points = [
        SegmentPoint(segment="origin=EWR", current=at(0.55), reference=at(0.7), breached=True),
        SegmentPoint(segment="origin=JFK", current=at(0.69), reference=at(0.68)),
        SegmentPoint(segment="origin=LGA", current=Undefined("no labels"), reference=at(0.68)),
    ]
    chart = segments(points, metric="roc_auc", overall=at(0.65), left_out=2)
    drawn = {layer["mark"]["type"]: layer["data"]["values"] for layer in chart["layer"]}
    assert [(p["row"], p["value"]) for p in drawn["point"]] == [(0, 0.55), (1, 0.69)]
    assert [p["color"] == BREACH for p in drawn["point"]] == [True, False]
    assert [p["value"] for p in drawn["tick"]] == [0.7, 0.68, 0.68]
    assert title(chart) == "ROC AUC of origin=EWR is 0.550 (was 0.700); 1 of 3 segments in alarm"
    assert any("no labels" in str(layer["data"]["values"]) for layer in chart["layer"])


def test_evidence_is_drawn_in_powers_of_ten_up_to_the_threshold(row: Maker) -> None:
    rows = [row(i, evidence=e) for i, e in enumerate((None, -3.0, log(100), log(2000)))]
    chart = evidence_over_time(rows, threshold=log(1000))
    points = next(layer["data"]["values"] for layer in chart["layer"] if layer["mark"]["type"] == "point")
    assert [p["powers"] for p in points] == pytest.approx([0.0, 2.0, log(2000) / log(10)])
    assert [p["color"] == BREACH for p in points] == [False, False, True]
    assert title(chart) == "ROC AUC: enough evidence for an alarm on 2024-01-04"
    calm = evidence_over_time(rows[:3], threshold=log(1000))
    assert title(calm) == "ROC AUC: not enough evidence for an alarm, at most 100 of 1,000"


def test_the_top_of_the_evidence_axis_holds_everything(row: Maker) -> None:
    chart = evidence_over_time([row(i, evidence=50.0 * i) for i in range(5)], threshold=3.0)
    low, high = chart["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low == 0.0
    assert high > 200 / log(10)


def score_table(rows: np.ndarray, shift: float = 0.0) -> ScoreTable:
    """Return a table with so many rows (negative, positive) a bin, whose scores are its middle plus `shift`."""
    table = ScoreTable.empty(np.linspace(0, 1, len(rows) + 1)[1:-1])
    table.counts[0, : len(rows), :2] = rows
    middle = (np.arange(len(rows)) + 0.5) / len(rows) + shift
    table.sums[:, :2, 0] = rows * middle[:, None]
    return table


def test_calibrated_scores_are_on_the_diagonal() -> None:
    middle = (np.arange(20) + 0.5) / 20
    rows = np.round(np.stack((1 - middle, middle), axis=1) * 2000).astype(np.int64)
    chart = reliability(score_table(rows), score_table(rows))
    points = [
        p for layer in chart["vconcat"][0]["layer"] if layer["mark"]["type"] == "point" for p in layer["data"]["values"]
    ]
    assert len(points) == 20
    assert [p["share"] for p in points] == pytest.approx([p["score"] for p in points], abs=0.005)
    assert all(p["lower"] < p["share"] < p["upper"] for p in points)
    assert title(chart).startswith("Scores are right on average")


def test_scores_that_are_too_high_are_called_so_and_few_rows_make_no_groups() -> None:
    high = score_table(np.array([[90, 10], [80, 20]]))
    assert title(reliability(high, high)) == "Scores are too high: mean 50 %, 15 % came true"
    few = reliability(high, score_table(np.array([[1, 1], [1, 1]])))
    drawn = [layer["data"]["values"] for layer in few["vconcat"][0]["layer"] if layer["mark"]["type"] == "point"]
    assert drawn[1] == []


def test_status_decides_the_colour_of_a_strip(drift_row: Maker) -> None:
    given = {"metric": "missing_share", "family": "quality", "column": "a"}
    chart = quality_over_time([[drift_row(0, 0.05, status=Status.BREACH, **given)]])
    points = next(layer for layer in chart["vconcat"][0]["layer"] if layer["mark"]["type"] == "point")
    assert points["data"]["values"][0]["fill"] == BREACH
