from collections.abc import Callable

from barograph.charts.drift_heat_map import drift_heat_map, relative_distance
from barograph.charts.style import PAPER, STEP_COLORS, Chart
from barograph.monitors.results import Result
from barograph.rules.limits import Status

Maker = Callable[..., Result]


def cells(chart: Chart) -> list[dict[str, object]]:
    return list(chart["vconcat"][1]["layer"][0]["data"]["values"])


def test_a_cell_is_coloured_by_the_distance_relative_to_its_own_limit(drift_row: Maker) -> None:
    values = (0.04, 0.08, 0.12, 0.2, 0.4)
    chart = drift_heat_map([("x", [drift_row(i, v) for i, v in enumerate(values)])])
    assert [c["color"] for c in cells(chart)] == list(STEP_COLORS)
    wide = drift_heat_map([("x", [drift_row(0, 0.12, limit_upper=1.0, status=Status.OK)])])
    assert cells(wide)[0]["color"] == STEP_COLORS[0]


def test_the_order_of_columns_is_kept_and_chunks_are_shared(drift_row: Maker) -> None:
    chart = drift_heat_map([("b", [drift_row(0), drift_row(1)]), ("a", [drift_row(1)])])
    assert [(c["row"], c["chunk"]) for c in cells(chart)] == [(0, "2024-01-01"), (0, "2024-01-02"), (1, "2024-01-02")]
    names = next(layer["data"]["values"] for layer in chart["vconcat"][1]["layer"] if layer["mark"]["type"] == "text")
    assert [n["name"] for n in names] == ["b", "a"]


def test_no_distance_is_blank_and_the_reason_is_told(drift_row: Maker) -> None:
    cell = cells(drift_heat_map([("x", [drift_row(0, None, reason="current has no rows")])]))[0]
    assert cell["color"] == PAPER
    assert "current has no rows" in str(cell["text"])


def test_a_dot_marks_a_breach_also_within_the_limit(drift_row: Maker) -> None:
    rows = [drift_row(0, 0.05, status=Status.BREACH), drift_row(1, 0.2, status=Status.WARNING)]
    chart = drift_heat_map([("x", rows)])
    dots = [layer["data"]["values"] for layer in chart["vconcat"][1]["layer"] if layer["mark"]["type"] == "point"]
    assert [d["chunk"] for d in dots[0]] == ["2024-01-01"]


def test_the_title_counts_and_names(drift_row: Maker) -> None:
    still, moved = [drift_row(0)], [drift_row(0, 0.3)]

    def title(chart: Chart) -> str:
        return " ".join(chart["title"]["text"])

    assert title(drift_heat_map([("x", moved), ("y", still)])) == "1 of 2 columns moved, x the most"
    assert title(drift_heat_map([("y", still), ("z", still)])) == "None of 2 columns is in alarm"
    assert title(drift_heat_map([("x", moved)], moved=7, left_out=10)) == "7 of 11 columns moved, x the most"
    assert "10 columns that moved less" in " ".join(drift_heat_map([("x", moved)], left_out=10)["title"]["subtitle"])


def test_a_distance_below_zero_or_without_a_limit(drift_row: Maker) -> None:
    assert relative_distance(drift_row(0, -0.01)) == 0.0
    assert relative_distance(drift_row(0, 0.2, limit_upper=None)) is None
    assert relative_distance(drift_row(0, 0.2, limit_upper=0.0)) is None
