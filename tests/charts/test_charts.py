"""Laws of every chart: plain JSON data without NaN, compiled by Vega-Lite, nothing of the user's in expressions."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import vl_convert

from barograph.charts.distribution import distribution
from barograph.charts.drift_heat_map import drift_heat_map
from barograph.charts.evidence_over_time import evidence_over_time
from barograph.charts.performance_over_time import performance_over_time
from barograph.charts.quality_over_time import quality_over_time
from barograph.charts.reliability import reliability
from barograph.charts.segments import SegmentPoint, segments
from barograph.charts.style import SCHEMA, Chart
from barograph.monitors.results import Result
from barograph.outcome import Estimate, Undefined
from barograph.sketches.histogram import Categories, Histogram
from barograph.sketches.scores import ScoreTable

Maker = Callable[..., Result]
EVIL = "\"]'}]</script><b>&datum.x\u202e\x00"
COLUMNS = ("performance", "one row", "undefined", "drift", "no drift", "numbers", "few values", "categories", "no rows")
NAMES = (*COLUMNS, "quality", "segments", "no segments", "evidence", "no evidence", "reliability", "no scores")


def build(name: str, row: Maker, drift_row: Maker) -> Chart:
    rng = np.random.default_rng(0)
    numbers = Histogram(np.linspace(-2, 2, 41), rng.integers(1, 50, 42), -90, 90, -4, 5)
    few = Histogram([1, 2, 3, np.nextafter(3.0, 9)], [0, 5, 3, 2, 0], 0, 0, 1, 3)
    table = ScoreTable.empty(np.linspace(0, 1, 21)[1:-1])
    table.counts[0, :20, :2] = rng.integers(0, 50, (20, 2))
    table.sums[:, :2, 0] = table.counts[0, :20, :2] * np.linspace(0.025, 0.975, 20)[:, None]
    found = Estimate(value=0.7, n=10, lower=0.6, upper=0.8)
    points = [SegmentPoint(segment=EVIL, current=found, reference=found, breached=True)]
    points += [SegmentPoint(segment="b", current=Undefined(EVIL), reference=Undefined("none"))]
    match name:
        case "performance":
            rows = [row(i, v) for i, v in enumerate((0.7, 0.6, None, 0.75, 0.71))]
            return performance_over_time(rows, estimated=[row(i, family="estimation") for i in range(5)])
        case "one row":
            return performance_over_time([row(0, 0.0, lower=None, upper=None, reference_value=None, limit_lower=None)])
        case "undefined":
            return performance_over_time([row(i, None, reason=EVIL) for i in range(3)])
        case "drift":
            rows = [drift_row(i, v) for i, v in enumerate((0.0, 0.09, 0.2, None, 0.9))]
            return drift_heat_map([(EVIL, rows), ("x" * 99, rows)], left_out=3)
        case "no drift":
            return drift_heat_map([])
        case "numbers":
            return distribution(numbers, numbers, name=EVIL, when=EVIL)
        case "few values":
            return distribution(few, few, name=EVIL)
        case "categories":
            return distribution(Categories([EVIL, "b"], [3, 2, 1, 0]), Categories([EVIL, "b"], [1, 2, 0, 4]), name="c")
        case "no rows":
            return distribution(numbers, Histogram.empty(numbers.edges), name=EVIL)
        case "quality":
            share = {"metric": "missing_share", "family": "quality", "column": EVIL}
            return quality_over_time([[drift_row(i, 0.02 * i, **share) for i in range(9)]], left_out=1)
        case "segments":
            return segments(points, metric="roc_auc", overall=found)
        case "no segments":
            return segments([], metric="roc_auc")
        case "evidence":
            return evidence_over_time([row(i, evidence=2.0 * i, column=EVIL) for i in range(6)], threshold=5.0)
        case "no evidence":
            return evidence_over_time([row(0)], threshold=5.0, name=EVIL)
        case "reliability":
            return reliability(table, table, when=EVIL)
        case _:
            return reliability(table, ScoreTable.empty(table.edges))


@pytest.fixture(params=NAMES)
def chart(request: pytest.FixtureRequest, row: Maker, drift_row: Maker) -> Chart:
    return build(request.param, row, drift_row)


def walk(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, (*path, str(key)))
    elif isinstance(node, list):
        for value in node:
            yield from walk(value, path)
    else:
        yield path, node


def test_is_json_without_nan_and_fetches_nothing(chart: Chart) -> None:
    text = json.dumps(chart, allow_nan=False)
    assert json.loads(text) == chart
    assert all(math.isfinite(v) for _, v in walk(chart) if isinstance(v, float))
    assert chart["$schema"] == SCHEMA
    assert [v for p, v in walk(chart) if "url" in p] == []


def test_says_what_it_found(chart: Chart) -> None:
    assert " ".join(chart["title"]["text"]).strip()
    assert chart["description"].strip()


def test_names_of_the_user_stand_only_in_data_and_titles(chart: Chart) -> None:
    for path, value in walk(chart):
        if isinstance(value, str) and "</script>" in value:
            assert "values" in path or path[0] in ("title", "description"), path
        if isinstance(value, str):
            assert "\x00" not in value
            assert "\u202e" not in value


def test_compiles_and_draws_without_a_warning(chart: Chart, capfd: pytest.CaptureFixture[str]) -> None:
    vega = vl_convert.vegalite_to_vega(chart, vl_version="5.21", show_warnings=True)
    assert vega["marks"]
    assert "WARN" not in capfd.readouterr().err


def test_every_field_that_is_drawn_is_in_the_data(chart: Chart) -> None:
    def layers(node: dict[str, Any], data: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
        data = node.get("data", data)
        for part in (*node.get("layer", ()), *node.get("vconcat", ())):
            yield from layers(part, data)
        if "encoding" in node:
            yield data, node["encoding"]

    for data, encoding in layers(chart, None):
        for channel in encoding.values():
            if "field" in channel:
                assert all(channel["field"] in row for row in data["values"]), channel


def test_is_the_same_for_the_same_data(row: Maker, drift_row: Maker) -> None:
    for name in NAMES:
        assert build(name, row, drift_row) == build(name, row, drift_row)
