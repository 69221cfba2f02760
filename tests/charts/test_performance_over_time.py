from collections.abc import Callable
from typing import Any

import pytest

from barograph.charts.finding import worst_of
from barograph.charts.performance_over_time import performance_over_time
from barograph.charts.style import BREACH, CURRENT, ESTIMATED, PAPER, Chart
from barograph.monitors.results import Result
from barograph.rules.limits import Status

Maker = Callable[..., Result]


def layers(chart: Chart) -> list[dict[str, Any]]:
    panel = chart["vconcat"][0] if "vconcat" in chart else chart
    return list(panel["layer"])


def data(chart: Chart, mark: str) -> list[list[dict[str, Any]]]:
    return [layer["data"]["values"] for layer in layers(chart) if layer["mark"]["type"] == mark]


def points(chart: Chart) -> list[dict[str, Any]]:
    return [p for rows in data(chart, "point") for p in rows]


def title(chart: Chart) -> str:
    return " ".join(chart["title"]["text"])


def test_each_chunk_with_a_value_is_a_point_in_its_place(row: Maker) -> None:
    rows = [row(0, 0.7), row(1, None), row(2, 0.74)]
    chart = performance_over_time(rows)
    assert [(p["chunk"], p["value"]) for p in points(chart)] == [("2024-01-01", 0.7), ("2024-01-03", 0.74)]
    assert chart["vconcat"][0]["layer"][0]["encoding"]["y"]["scale"]["domain"][0] <= 0.68
    x = next(layer["encoding"]["x"] for layer in layers(chart) if layer["mark"]["type"] == "point")
    assert x["scale"]["domain"] == ["2024-01-01", "2024-01-02", "2024-01-03"]


def test_the_line_is_broken_where_there_is_no_value_and_a_cross_says_why(row: Maker) -> None:
    chart = performance_over_time([row(0), row(1), row(2, None), row(3)])
    line = data(chart, "line")[-1]
    assert len({p["run"] for p in line}) == 2
    crosses = [r for rows in data(chart, "text") for r in rows if "no value" in r.get("text", "")]
    assert [c["chunk"] for c in crosses] == ["2024-01-03"]
    assert "no label has arrived" in crosses[0]["text"]


def test_a_breach_is_a_diamond_and_an_incomplete_chunk_hollow(row: Maker) -> None:
    rows = [row(0), row(1, 0.5, status=Status.BREACH), row(2, 0.6, status=Status.WARNING), row(3)]
    a, b, c, d = points(performance_over_time(rows, incomplete={"2024-01-04"}))
    assert (a["fill"], a["shape"]) == (CURRENT, "circle")
    assert (b["fill"], b["shape"]) == (BREACH, "diamond")
    # Beyond the limit of its chunk, but no breach: a rim, and not hollow, which says another thing.
    assert (c["fill"], c["stroke"], c["shape"]) == (CURRENT, BREACH, "circle")
    assert (d["fill"], d["stroke"]) == (PAPER, CURRENT)
    assert "not complete" in d["text"]


def test_an_estimate_is_not_judged_where_labels_are_known(row: Maker) -> None:
    realised = [row(0), row(1, None)]
    guesses = [row(i, 0.5, family="estimation", status=Status.BREACH) for i in range(2)]
    chart = performance_over_time(realised, estimated=guesses)
    estimated = [p for p in points(chart) if p["value"] == 0.5]
    assert [p["shape"] for p in estimated] == ["square", "diamond"]
    assert estimated[0]["fill"] == ESTIMATED


def test_without_labels_the_estimates_have_the_word_and_the_limits(row: Maker) -> None:
    absent = [row(i, None, label_coverage=0.0) for i in range(2)]
    chart = performance_over_time(absent, estimated=[row(i, 0.7, family="estimation") for i in range(2)])
    assert title(chart).startswith("Estimated ROC AUC")
    assert "vconcat" not in chart  # no label has arrived: no strip
    assert any(rows[0]["value"] == 0.65 for rows in data(chart, "line"))


def test_reference_and_limit_are_drawn_and_named_apart(row: Maker) -> None:
    chart = performance_over_time([row(i, 0.7, reference_value=0.7, limit_lower=0.699) for i in range(3)])
    ends = [layer for layer in layers(chart) if layer["mark"]["type"] == "text"]
    assert {layer["mark"]["text"] for layer in ends} == {"reference 0.700", "limit 0.699"}
    heights = sorted(layer["encoding"]["y"]["value"] for layer in ends)
    assert heights[1] - heights[0] >= 12


def test_a_limit_that_no_value_can_cross_is_left_out(row: Maker) -> None:
    chart = performance_over_time([row(i, 0.2, limit_lower=-0.5) for i in range(3)])
    assert not any("limit" in str(layer["mark"].get("text")) for layer in layers(chart))


def test_the_interval_of_a_tiny_chunk_does_not_stretch_the_axis(row: Maker) -> None:
    rows = [row(i) for i in range(9)] + [row(9, 0.7, n=5, lower=0.0, upper=1.0)]
    chart = performance_over_time(rows)
    low, high = next(layer["encoding"]["y"]["scale"]["domain"] for layer in layers(chart))
    assert low > 0.5
    assert high < 0.9
    bands = [r for rows in data(chart, "area") for r in rows]
    assert all(low <= r["lower"] <= r["upper"] <= high for r in bands)


def test_label_coverage_stands_below(row: Maker) -> None:
    chart = performance_over_time([row(0, label_coverage=0.25), row(1, label_coverage=1.0)])
    bars = chart["vconcat"][1]["layer"][0]["data"]["values"]
    assert [b["coverage"] for b in bars] == [0.25, 1.0]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ("ok ok ok", "ROC AUC stayed within its limits: 0.700 (reference 0.720)"),
        ("ok warning ok", "ROC AUC was 0.700, within its natural variation (reference 0.720)"),
        ("ok ok breach", "ROC AUC fell from 0.720 to 0.700 on 2024-01-03"),
        ("ok breach breach", "ROC AUC fell from 0.720 to 0.700; in alarm since 2024-01-02"),
        ("breach ok ok", "ROC AUC fell from 0.720 to 0.700 on 2024-01-01; no alarm since 2024-01-02"),
    ],
)
def test_the_title_says_the_finding(row: Maker, statuses: str, expected: str) -> None:
    rows = [row(i, status=Status(status)) for i, status in enumerate(statuses.split())]
    assert title(performance_over_time(rows)) == expected


def test_the_title_of_a_past_breach_names_the_worst_chunk(row: Maker) -> None:
    values = {0: 0.5, 1: 0.4, 2: 0.6}
    rows = [row(i, v, status=Status.BREACH) for i, v in values.items()] + [row(3)]
    assert title(performance_over_time(rows)).startswith("ROC AUC fell from 0.720 to 0.400 on 2024-01-02")


def test_no_value_at_all_is_said_with_the_reason(row: Maker) -> None:
    chart = performance_over_time([row(i, None) for i in range(3)])
    assert title(chart) == "ROC AUC could not be computed: no label has arrived"


def test_no_rows_are_an_error() -> None:
    with pytest.raises(ValueError, match="needs result rows"):
        performance_over_time([])


def test_a_lasting_breach_is_told_by_its_middle_also_when_the_newest_chunk_looks_well(row: Maker) -> None:
    rows = [row(i, v, status=Status.BREACH) for i, v in enumerate((0.6, 0.5, 0.62, 0.75))]
    assert title(performance_over_time(rows)) == "ROC AUC fell from 0.720 to about 0.610; in alarm since 2024-01-01"


def test_the_worst_is_the_worst_and_not_the_farthest(row: Maker) -> None:
    rows = [row(i, v, status=Status.BREACH) for i, v in enumerate((0.7, 0.99))] + [row(2)]
    assert title(performance_over_time(rows)).startswith("ROC AUC fell from 0.720 to 0.700 on 2024-01-01")
    losses = [row(i, v, metric="log_loss", reference_value=0.5, status=Status.BREACH) for i, v in enumerate((0.6, 0.2))]
    assert worst_of(losses) == losses[0]


def estimate(row: Maker, i: int, value: float | None = 0.7, **given: Any) -> Result:
    return row(i, value, family="estimation", **given)


def test_an_estimate_is_not_drawn_across_chunks_that_it_lacks(row: Maker) -> None:
    realised = [row(i, None if i in (2, 3) else 0.7) for i in range(6)]
    chart = performance_over_time(realised, estimated=[estimate(row, i) for i in (0, 1, 4, 5)])
    (line,) = [
        layer["data"]["values"]
        for layer in layers(chart)
        if layer["mark"]["type"] == "line" and layer["mark"]["color"] == ESTIMATED
    ]
    assert [p["run"] for p in line] == [0, 0, line[-1]["run"], line[-1]["run"]]
    assert line[-1]["run"] != 0


def test_estimates_that_labels_refuted_are_grey_and_do_not_stretch_the_axis(row: Maker) -> None:
    realised = [row(i, 0.7 if i < 4 else None) for i in range(7)]
    values = [0.7, 0.7, 0.7, 0.69, 0.7, 0.99, 0.71]
    guesses = [estimate(row, i, value) for i, value in enumerate(values)]
    since = {r.chunk for r in guesses[3:]}
    usual, doubted = (performance_over_time(realised, estimated=guesses, distrusted=d) for d in ((), since))
    green = [p["chunk"] for p in points(doubted) if p.get("stroke") == ESTIMATED]
    assert green == [r.chunk for r in guesses[:3]]
    grey = [p for p in points(doubted) if "not to be trusted" in p["text"]]
    assert [p["value"] for p in grey] == [0.69, 0.7, 0.71]
    assert all("stroke" not in p for p in grey)
    tops = [chart["vconcat"][0]["layer"][0]["encoding"]["y"]["scale"]["domain"][1] for chart in (usual, doubted)]
    assert tops[1] < 0.8 < tops[0]
    assert "not to be trusted since 2024-01-04" in str(doubted["title"]["subtitle"])
    assert "trusted" not in str(usual)


def test_the_reference_is_that_of_the_title(row: Maker) -> None:
    rows = [row(0, 0.7, reference_value=0.72), row(1, None, reference_value=0.73)]
    chart = performance_over_time(rows, estimated=[estimate(row, 1, reference_value=0.73)])
    named = [layer["mark"]["text"] for layer in layers(chart) if "reference" in str(layer["mark"].get("text"))]
    assert named == ["reference 0.720"]
    assert "reference 0.720" in title(chart)
