"""Two windows side by side say what all of their rows together say; a sample is of events that came."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from io import BytesIO

import numpy as np
import polars as pl
import pytest
from fleet_of_tests import Watched

from barograph.dashboard.compare import Pair, pair_row
from barograph.outcome import Estimate, Undefined
from logged import events

HTML = {"Accept": "text/html"}


def taken(watched: Watched, path: str) -> pl.DataFrame:
    answer = watched.served.client.get(path)
    assert answer.status_code == 200, answer.text[:500]
    return pl.read_parquet(BytesIO(answer.content))


def test_each_side_is_the_metric_of_all_its_rows(watched: Watched) -> None:
    came = events(3000, seed=2)
    late = pl.int_range(pl.len()) > 1500
    came = came.with_columns(score=pl.when(late).then(1 - pl.col("score")).otherwise("score"))
    days = sorted(came["timestamp"].dt.date().unique())
    first, middle, last = days[2], days[6], days[9]
    query = f"a_from={first}&a_to={middle}&b_from={middle}&b_to={last}&export=metrics.parquet"
    found = taken(watched, f"/models/flights/compare?{query}")
    accuracy = found.filter(pl.col("name") == "Accuracy").row(0, named=True)
    for key, start, end in (("before_value", first, middle), ("after_value", middle, last)):
        bounds = [datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (start, end)]
        rows = came.filter(pl.col("timestamp") >= bounds[0], pl.col("timestamp") < bounds[1])
        right = ((rows["score"] >= 0.5) == (rows["label"].cast(pl.Int64) == 1)).mean()
        assert accuracy[key] == pytest.approx(right)


def test_the_page_says_what_differs_and_offers_versions(watched: Watched) -> None:
    change = {"at": "2024-01-08T00:00:00Z", "kind": "deployment", "title": "Version 3", "version": "3"}
    made = watched.served.client.post("/v1/models/flights/changes", json=change).json()
    page = unescape(watched.served.client.get("/models/flights/compare", headers=HTML).text)
    assert "more than chance would make it" in page
    assert re.search(r"version 3 since 2024-01-08, and before", page)
    watched.served.client.delete(f"/v1/models/flights/changes/{made['id']}")


@pytest.mark.parametrize(
    "query", ["a_from=never", "a_from=2024-02-01&a_to=2023-01-01", "a_from=9999-99-99", "segment=x"]
)
def test_windows_that_cannot_be_are_told_of(watched: Watched, query: str) -> None:
    answer = watched.served.client.get(f"/models/flights/compare?{query}", headers=HTML)
    assert answer.status_code == 200
    assert query == "segment=x" or 'role="alert"' in answer.text


def test_a_model_without_results_cannot_be_compared(watched: Watched) -> None:
    answer = watched.served.client.get("/models/empty/compare", headers=HTML)
    assert answer.status_code == 409
    assert "nothing to compare" in answer.text


def test_a_difference_is_told_from_chance() -> None:
    def made(value: float) -> Estimate:
        return Estimate(value=value, n=100, lower=value - 0.03, upper=value + 0.03)

    assert not pair_row(Pair(metric="accuracy", before=made(0.80), after=made(0.77))).differs
    far = pair_row(Pair(metric="accuracy", before=made(0.80), after=made(0.70)))
    assert far.differs
    width = 0.03 * np.sqrt(2)
    assert far.difference == f"-0.1 ({-0.1 - width:+.3g} to {-0.1 + width:+.3g})"
    unknown = pair_row(Pair(metric="accuracy", before=Undefined("no labels"), after=made(0.7)))
    assert (unknown.before, unknown.before_span, unknown.difference) == ("–", "no labels", "")


def test_a_sample_is_of_events_that_came_and_the_same_each_time(watched: Watched) -> None:
    came = set(events(3000, seed=2)["event_id"].to_list())
    found = taken(watched, "/models/flights/events?from=0&to=9000000000000000&export=list.parquet")
    assert set(found["Id"].to_list()) <= came
    pages = [watched.served.client.get("/models/flights/events", headers=HTML).text for _ in range(2)]
    ids = [re.findall(r'<th scope=row class="wide"><span class="name">([^<]*)', page) for page in pages]
    assert ids[0] == ids[1]
    assert 0 < len(ids[0]) <= 20
    assert set(ids[0]) <= came
    hostile = watched.served.client.get("/models/hostile/events", headers=HTML)
    assert hostile.status_code == 200
    assert "<script>document" not in hostile.text
