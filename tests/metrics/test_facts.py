"""Facts of metrics, by the names that result rows have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from barograph.errors import SpecError
from barograph.metrics import _REGISTERED, LAST, catalogue, metric
from barograph.metrics.broken import Broken
from barograph.metrics.facts import (
    alerting,
    capital,
    drift_rank,
    find_metric,
    harm_metrics,
    heading_of,
    title_of,
    unit_of,
    value_of,
    what_breaks,
)
from barograph.outcome import Estimate, Outcome
from barograph.sketches.counts import Counts
from barograph.tasks import Task


@pytest.fixture
def only_here() -> Iterator[None]:
    """Forget what a test has registered."""
    before = dict(catalogue())
    yield
    _REGISTERED.clear()
    _REGISTERED.update(before)
    catalogue.cache_clear()


def test_a_name_is_one_metric_and_a_title_too() -> None:
    """Pages and messages speak of metrics by their titles alone."""
    metrics = catalogue().values()
    assert len({m.name for m in metrics}) == len({m.title for m in metrics}) == len(metrics)


def test_a_metric_with_an_option_in_its_name_is_found() -> None:
    found = find_metric("error_quantile_0.9", "performance")
    assert found is not None
    assert found.name == "error_quantile"
    assert find_metric("roc_auc", "estimation") is catalogue()["performance", "roc_auc"]
    assert find_metric("row_count", "operations") is catalogue()["quality", "row_count"]
    assert find_metric("gone", "performance") is None
    assert find_metric("mae_of_mine", "drift") is None


def test_what_tells_people_differs_by_task() -> None:
    assert alerting(Task.BINARY)[:5] == ["roc_auc", "accuracy", "business_value", "f1", "log_loss"]
    assert alerting(Task.MULTICLASS)[:3] == ["accuracy", "f1", "log_loss"]
    assert alerting(Task.REGRESSION)[:2] == ["mae", "rmse"]
    assert [harm_metrics(task) for task in Task] == [["roc_auc", "accuracy"], ["accuracy"], ["mae"]]


def test_every_task_has_a_metric_for_its_harm_that_alerts() -> None:
    for task in Task:
        assert harm_metrics(task)
        assert set(harm_metrics(task)) <= set(alerting(task))


def test_what_could_say_the_same_has_an_order() -> None:
    """Ranks of what alerts for one task are different, or the first would be chosen by its name."""
    for family in {m.family for m in catalogue().values()} - {"quality"}:
        for task in Task:
            of = [m for m in catalogue().values() if m.family == family and task in m.alerts]
            per_column = [m.rank for m in of if m.name != "cell_drift" and not m.foretells]
            assert len(set(per_column)) == len(per_column)
            assert LAST not in per_column
    drift = [m.name for m in catalogue().values() if m.family == "drift" and m.name != "cell_drift"]
    first = ["kolmogorov_smirnov", "total_variation", "jensen_shannon", "psi"]
    assert sorted(drift, key=drift_rank)[:4] == first


def test_all_of_quality_tells_people_and_each_way_to_be_broken_is_told() -> None:
    assert all(m.alerts == set(Task) for m in catalogue().values() if m.family == "quality")
    told = [m.breaks for m in catalogue().values() if m.breaks]
    assert sorted(told) == sorted(Broken)
    assert what_breaks("missing_share", "quality") is Broken.MISSING
    assert what_breaks("missing_share", "drift") is None
    assert what_breaks("psi", "drift") is None


def test_a_title_is_capital_only_where_it_begins_with_a_word() -> None:
    titles = ("log loss", "χ²", "R²", "L∞ distance", "mAP", "événements")
    assert [capital(t) for t in titles] == ["Log loss", "χ²", "R²", "L∞ distance", "mAP", "Événements"]


def test_shares_of_rows_are_per_cent_and_scores_and_distances_are_numbers() -> None:
    assert value_of(0.1234, "missing_share", "quality") == "12.3 %"
    assert value_of(0.1234, "accuracy", "performance") == value_of(0.1234, "kolmogorov_smirnov", "drift") == "0.123"
    assert unit_of("gone", "quality") == ""


@pytest.mark.usefixtures("only_here")
def test_a_metric_of_a_user_has_a_readable_title_and_the_facts_that_it_says() -> None:
    @metric(unit="share", bounds=(0.0, 1.0), better="lower")
    def share_of_tests(current: Counts) -> Outcome:
        return Estimate(value=0.0, n=current.rows)

    @metric(unit="", bounds=(0.0, 1.0), better="lower", title="Gini’s index", alerts=("multiclass",), rank=2)  # type: ignore[arg-type]  # as users write
    def gini(current: Counts) -> Outcome:
        return Estimate(value=0.0, n=current.rows)

    assert (title_of("share_of_tests"), heading_of("share_of_tests")) == ("share of tests", "Share of tests")
    assert value_of(0.5, "share_of_tests", "quality") == "50 %"
    assert (title_of("gini"), heading_of("gini")) == ("Gini’s index", "Gini’s index")
    assert catalogue()["quality", "gini"].alerts == {Task.MULTICLASS}
    with pytest.raises(SpecError, match="There is no task 'ranking'"):
        metric(unit="", bounds=(0.0, 1.0), better="lower", alerts=("ranking",))(gini)  # type: ignore[arg-type]  # wrong
