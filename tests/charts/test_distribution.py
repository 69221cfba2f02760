import numpy as np
import pytest

from barograph.charts.distribution import MAX_CATEGORIES, distribution
from barograph.charts.style import Chart
from barograph.errors import MismatchError
from barograph.sketches.histogram import Categories, Histogram

EDGES = np.linspace(-3, 3, 61)


def histogram(values: np.ndarray) -> Histogram:
    counts = np.bincount(np.searchsorted(EDGES, values, side="right"), minlength=len(EDGES) + 1)
    return Histogram(EDGES, counts, values[values < -3].sum(), values[values >= 3].sum(), values.min(), values.max())


def title(chart: Chart) -> str:
    return " ".join(chart["title"]["text"])


def subtitle(chart: Chart) -> str:
    return " ".join(chart["title"]["subtitle"])


def test_bars_hold_all_rows_and_the_median_is_told() -> None:
    rng = np.random.default_rng(0)
    chart = distribution(histogram(rng.normal(0, 1, 5000)), histogram(rng.normal(1, 1, 5000)), name="x")
    bars, line = (chart["layer"][i]["data"]["values"] for i in (0, 1))
    assert sum(b["share"] for b in bars) > 0.98
    assert sum(b["share"] for b in line[:-1]) > 0.98
    peak = max(line, key=lambda b: b["share"])
    assert abs(peak["start"] - 1) < 0.8
    assert title(chart).startswith("x: median 1")


@pytest.mark.parametrize(("factor", "said"), [(1.0, "median"), (10.9, "median ≈"), (0.001, "median ≈")])
def test_a_median_among_crowded_rows_is_told_as_a_guess(factor: float, said: str) -> None:
    rng = np.random.default_rng(0)
    was, now = rng.gamma(8, 0.2, 5000) + 1, factor * (rng.gamma(8, 0.2, 5000) + 1)
    now[0] = 1e6  # one value far out does not move the median
    words = title(distribution(histogram(was), histogram(now), name="x")).replace(",", "").split()
    assert " ".join(words).startswith(f"x: {said}")
    number = float(words[words.index("≈") + 1] if "≈" in words else words[2])
    if factor > 0.1:  # else all rows are of the bin around 0
        assert number == pytest.approx(np.median(now), rel=0.15)


def test_rows_outside_of_the_reference_are_told_of() -> None:
    rng = np.random.default_rng(0)
    chart = distribution(histogram(rng.uniform(-2, 2, 5000)), histogram(rng.uniform(-2, 6, 5000)), name="x")
    assert "outside of the reference's range" in subtitle(chart)


def test_the_reference_stays_visible_when_current_rows_are_far_away() -> None:
    far = Histogram(EDGES, [0] * 61 + [100], 0, 1e8, 1e6, 1e6)
    chart = distribution(histogram(np.random.default_rng(0).normal(size=5000)), far, name="x")
    low, high = chart["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert high < 50
    assert "beyond the ends of the axis" in subtitle(chart)
    assert low < -2


def test_a_wider_spread_around_the_same_median_is_said() -> None:
    narrow = Histogram([-2, -1, 0, 1, 2], [0, 1, 99, 99, 1, 0], 0, 0, -2, 2)
    wide = Histogram([-2, -1, 0, 1, 2], [0, 50, 50, 50, 50, 0], 0, 0, -2, 2)
    assert "wider spread" in title(distribution(narrow, wide, name="x"))


def test_categories_are_paired_and_the_largest_change_is_said() -> None:
    chart = distribution(Categories(["a", "b"], [90, 10, 0, 0]), Categories(["a", "b"], [50, 10, 0, 40]), name="c")
    bars = chart["layer"][0]["data"]["values"]
    assert {(b["row"], b["which"]) for b in bars} == {(i, w) for i in range(3) for w in ("reference", "current")}
    assert sum(b["share"] for b in bars) == pytest.approx(2.0)
    assert title(chart).replace("\u00a0", " ") == "c: a fell from 90 % to 50 %"


def test_of_many_categories_those_that_moved_are_shown_and_the_rest_is_counted() -> None:
    names = [f"c{i}" for i in range(50)]
    before, now = [100] * 50 + [0, 0], [100] * 49 + [400, 0, 0]
    chart = distribution(Categories(names, before), Categories(names, now), name="c")
    shown = {n["name"] for n in chart["layer"][1]["data"]["values"]}
    assert "c49" in shown
    assert len(shown) == MAX_CATEGORIES
    assert "40 more, together" in subtitle(chart)


def test_a_number_with_few_whole_values_is_drawn_value_by_value() -> None:
    edges = [0.0, 1.0, np.nextafter(1.0, 2)]
    chart = distribution(Histogram(edges, [0, 7, 3, 0]), Histogram(edges, [0, 2, 3, 5]), name="flag")
    assert [n["name"] for n in chart["layer"][1]["data"]["values"]] == ["0", "1", "above 1"]


def test_no_rows_now_is_said() -> None:
    filled = histogram(np.random.default_rng(0).normal(size=100))
    assert title(distribution(filled, Histogram.empty(EDGES), name="x")) == "x: no rows now"
    assert title(distribution(Categories(["a"], [1, 0, 0]), Categories.empty(["a"]), name="c")) == "c: no rows"


def test_numbers_and_categories_cannot_be_compared() -> None:
    with pytest.raises(MismatchError, match="cannot be drawn"):
        distribution(Categories(["a"], [1, 0, 0]), Histogram([0.0], [1, 1]), name="x")


def test_the_title_of_what_has_not_moved_makes_nothing_of_chance() -> None:
    rng = np.random.default_rng(0)
    was, now = histogram(rng.normal(0, 1, 500)), histogram(rng.normal(0.2, 1, 500))
    assert ", was " in title(distribution(was, now, name="x"))
    calm = title(distribution(was, now, name="x", moved=False))
    assert calm.startswith("x: as in the reference, median ")
    assert "was" not in calm
    before, after = (Categories(["a", "b"], [n, 100 - n, 0, 0]) for n in (50, 52))
    assert "rose" in title(distribution(before, after, name="x"))
    assert title(distribution(before, after, name="x", moved=False)) == "x: as in the reference"
