"""One name a metric: alerts, incidents, pages, answers and documents call it the same, and spell it right."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from barograph.alerts.breaches import breaches
from barograph.alerts.lifecycle import watch
from barograph.alerts.wording import heading
from barograph.charts.finding import finding
from barograph.charts.quality_over_time import series_name
from barograph.chunks import Chunk
from barograph.metrics import Metric, catalogue
from barograph.metrics.document import document
from barograph.metrics.facts import heading_of, title_of
from barograph.monitors.results import Result
from barograph.report.ranking import Digest
from barograph.report.tables import quality_table
from barograph.rules.limits import Status
from barograph.tasks import Task

# Written by hand: what is in no dictionary, as the literature spells it.
SPELLED = {
    "brier_score": "Brier score",
    "chi_square": "χ²",
    "cramers_v": "Cramér’s V",
    "energy": "energy distance",
    "f1": "F1",
    "hellinger": "Hellinger distance",
    "jensen_shannon": "Jensen–Shannon distance",
    "kolmogorov_smirnov": "Kolmogorov–Smirnov distance",
    "l_infinity": "L∞ distance",
    "mae": "MAE",
    "mape": "MAPE",
    "mcc": "MCC",
    "mmd": "MMD",
    "mse": "MSE",
    "msle": "MSLE",
    "out_of_range_share": "out-of-range share",
    "pca_reconstruction": "PCA reconstruction error",
    "psi": "PSI",
    "r2": "R²",
    "rmse": "RMSE",
    "rmsle": "RMSLE",
    "roc_auc": "ROC AUC",
    "wasserstein": "Wasserstein distance",
}
DAY = datetime(2024, 1, 1, tzinfo=UTC)
metrics = pytest.mark.parametrize("metric", catalogue().values(), ids=lambda m: m.name)


def row(metric: Metric) -> Result:
    return Result(
        model="m",
        version="",
        monitor="it",
        metric=metric.name,
        family=metric.family,
        column=None if metric.family == "performance" else "age",
        segment=None,
        chunk="2024-01-01",
        chunk_start=DAY,
        chunk_end=DAY.replace(day=2),
        n=900,
        value=0.25,
        reference_value=0.125,
        limit_upper=0.2,
        status=Status.BREACH,
    )


def only(result: Result) -> Digest:
    """Return a digest that has one series of quality."""
    return Digest(
        rows=900,
        outside=0,
        keys=(result.chunk,),
        incomplete=frozenset(),
        label_coverage=None,
        performance=(),
        drift=(),
        quality=((result,),),
        segments=(),
        harm_seen=False,
        distrusted=frozenset(),
        noun="day",
    )


@metrics
def test_the_name_is_spelled_right(metric: Metric) -> None:
    assert title_of(metric.name) == SPELLED.get(metric.name, metric.title)
    assert "_" not in metric.title
    first = heading_of(metric.name)[0]
    assert first == "χ" or not first.islower()


def test_what_is_spelled_here_is_there_and_only_that_needs_a_title() -> None:
    """A metric that is not spelled here may have any title; one of words alone needs none."""
    names = {m.name for m in catalogue().values()}
    assert set(SPELLED) <= names
    assert all(spelled != name.replace("_", " ") for name, spelled in SPELLED.items())


@metrics
def test_alerts_incidents_and_pages_give_one_name_and_one_value(metric: Metric) -> None:
    title, first = title_of(metric.name), heading_of(metric.name)
    value, before = ("25 %", "12.5 %") if metric.family == "quality" and metric.unit == "share" else ("0.250", "0.125")
    result = row(metric)
    chunk = Chunk(key=result.chunk, start=result.chunk_start, end=result.chunk_end)
    (breach,) = breaches([result], [chunk], alerting=["it"], task=Task.BINARY)
    of = f" of `{result.column}`" if result.column else ""
    assert breach.text == f"{title}{of} is {value} (reference {before})"
    assert heading(breach).startswith(first)
    assert finding([result]).startswith(f"{first} rose from {before} to {value}")
    _, (incident,) = watch([breach], [chunk], hold=0)
    if metric.family == "performance":
        rose = "improved" if metric.better == "higher" else "rose"
        assert incident.title == f"{first} {rose} from {before} to {value} on 2024-01-01"
    elif metric.family == "quality" and metric.breaks is None:
        assert incident.title == f"{first} of age rose from {before} to {value} on 2024-01-01"
    assert series_name(result) == (f"age: {title}" if result.column else first)
    table = quality_table(only(result))
    assert table is not None
    assert table.rows[0][1].text == first


def test_an_estimate_bears_the_name_of_what_it_estimates() -> None:
    for metric in catalogue().values():
        if metric.family == "performance":
            estimated = row(metric)
            object.__setattr__(estimated, "family", "estimation")
            assert finding([estimated]).startswith(f"Estimated {title_of(metric.name)} ")


def test_the_page_of_metrics_gives_their_names() -> None:
    page = document()
    for metric in catalogue().values():
        section = page.split(f'<a id="{metric.family}-{metric.name}"></a>')[1].split("<a id")[0]
        assert re.search(rf"^\*{re.escape(heading_of(metric.name))};", section, re.MULTILINE), metric.name
