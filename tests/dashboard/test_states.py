"""Pages in bad weather: each says what is the matter and what to do, and none is blank."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fleet_of_tests import register
from serving import Served, serving, wait_for

from barograph.store.catalog import schema
from barograph.store.catalog.database import writing
from barograph.store.catalog.models import create_model, find_model
from barograph.store.catalog.schema import FOREVER
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.states import set_state
from barograph.store.catalog.work import mark
from barograph.store.clock import wall_clock_us
from barograph.times import HOUR_US
from logged import events

HTML = {"Accept": "text/html"}
MINUTE_US = 60_000_000
HOURS, COLUMNS = 10_000, 2_000


def page(served: Served, path: str, status: int = 200) -> str:
    answer = served.client.get(path, headers=HTML)
    assert answer.status_code == status, answer.text[:500]
    assert "Traceback" not in answer.text
    return answer.text


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server with models of which little is known."""
    with serving(tmp_path_factory.mktemp("odd"), workers=True, evaluation_seconds=0.2) as served:
        reference, came = events(2000, seed=1), events(2000, seed=2)
        register(served, "waiting", reference, came.head(0))
        register(served, "unlabelled", reference, came.drop("label"))
        register(served, "one-day", reference, came.head(60))
        nothing = came.with_columns(x=pl.lit(None, pl.Float64), amount=pl.lit(None, pl.Float64))
        register(served, "all-null", reference, nothing)
        names = ("unlabelled", "one-day", "all-null")

        def is_done() -> bool:
            return all(served.client.get(f"/v1/models/{name}/monitors").json()["items"] for name in names)

        wait_for(is_done, "the models are evaluated", 60)
        yield served


def test_a_model_without_events_says_what_comes_next(odd: Served) -> None:
    said = page(odd, "/models/waiting")
    assert "No event has come yet" in said
    assert "/start/waiting" in said
    for part in ("labels", "monitors", "changes", "quarantine", "settings"):
        page(odd, f"/models/waiting/{part}")
    page(odd, "/models/waiting/feature?column=x", status=404)


def test_a_model_without_labels_is_estimated_and_says_so(odd: Served) -> None:
    assert "estimated" in page(odd, "/models/unlabelled")
    assert "No label judges this model yet" in page(odd, "/models/unlabelled/labels")


@pytest.mark.parametrize("name", ["one-day", "all-null"])
def test_little_and_empty_data_have_pages(odd: Served, name: str) -> None:
    said = page(odd, f"/models/{name}")
    assert "<h1>" in said
    assert "svg" in said
    page(odd, f"/models/{name}/feature?column=x")
    page(odd, f"/models/{name}?span=1m&metric=nonsense&segment=none&from=9&to=1&page=x")


def test_numbers_of_the_address_may_be_anything(odd: Served) -> None:
    for query in ("from=-1&to=99999999999999999999", "from=٣", "from=1e5", "to=" + "9" * 400):
        page(odd, f"/models/one-day?{query}")
    for query in ("page=0", "page=-5", "page=10000000000", "state=x&sort=y", "search=" + "x" * 5000):
        page(odd, f"/?{query}")


def test_that_nobody_works_is_said_on_every_page(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.client.put("/v1/models/m", json={})
        with writing(served.service.engine) as connection:
            scope = Scope(connection, 1)
            model = find_model(scope, "m")
            assert model is not None
            mark(scope, model.id, due_us=wall_clock_us() - 10 * MINUTE_US)
        assert "Nothing was evaluated for 10 minutes" in page(served, "/")


def test_that_the_catalog_is_away_is_said_as_a_page(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        page(served, "/")
        with sqlite3.connect(tmp_path / "catalog.db") as connection:
            connection.execute("ALTER TABLE models RENAME TO gone")
        connection.close()
        said = page(served, "/", status=503)
        assert "does not answer" in said
        assert "Try again" in said


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server with a model of 10,000 hours and 2,000 columns, as evaluating it would have written it."""
    with serving(tmp_path_factory.mktemp("large")) as served:
        now, rng = wall_clock_us(), np.random.default_rng(4)
        first = now // HOUR_US * HOUR_US - HOURS * HOUR_US
        values = rng.normal(0.8, 0.005, HOURS)
        values[1234] = 0.1234567  # one bad hour
        with writing(served.service.engine) as connection:
            scope = Scope(connection, 1)
            model = create_model(scope, "large", spec={"task": "binary", "chunk": "1h"}, chunk="1h", now_us=now)
            set_state(scope, model.id, events=10**6, last_event_us=now, evaluated_us=now)
            wanted = [("performance", "roc_auc", None), ("quality", "row_count", None)]
            wanted += [("drift", "kolmogorov_smirnov", f"c{i}") for i in range(COLUMNS)]
            rows = [
                {
                    "model_id": model.id,
                    "monitor": f"{f}.{m}.{c}",
                    "family": f,
                    "metric": m,
                    "column": c,
                    "segment": None,
                }
                for f, m, c in wanted
            ]
            scope.insert(schema.series, rows)
            c = schema.series.c
            ids = dict(scope.rows(scope.select(schema.series, c.monitor, c.id)))
            for monitor, id in ids.items():
                long = not monitor.startswith("drift")
                scope.insert(
                    schema.points,
                    [
                        {
                            "series_id": id,
                            "model_id": model.id,
                            "chunk_us": first + i * HOUR_US,
                            "from_us": now,
                            "until_us": FOREVER,
                            "chunk": f"{i}",
                            "end_us": first + (i + 1) * HOUR_US,
                            "version": "1",
                            "n": 100,
                            "value": float(values[i]) if "performance" in monitor else 0.1,
                            "reference_value": 0.8,
                            "status": "ok",
                        }
                        for i in range(0 if long else HOURS - 2, HOURS)
                    ],
                )
        yield served


def test_ten_thousand_chunks_are_drawn_in_runs_and_the_worst_hour_survives(large: Served) -> None:
    said = page(large, "/models/large")
    assert "0.123" in said
    assert "Each point is the mean of several hours" in said
    assert len(said) < 300_000
    rows = large.client.get("/models/large?export=chart.csv").text
    assert "0.1234567" in rows


def test_two_thousand_columns_are_told_by_those_that_matter(large: Served) -> None:
    said = page(large, "/models/large")
    assert f"None of {COLUMNS:,} columns moved" in said
    assert f"{COLUMNS - 12:,} columns that moved less" in said
    assert len(page(large, "/models/large/monitors")) < 300_000
    drift = large.client.get("/models/large?export=drift.csv").text
    assert drift.count("\n") == 2 * COLUMNS + 1


def test_an_empty_catalog_leads_to_the_first_model(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        said = page(served, "/")
        assert "No model is watched yet" in said
        assert 'href="/start"' in said
        for path in ("/incidents", "/jobs", "/audit", "/settings", "/start"):
            assert "<h1" in page(served, path)


def test_a_model_without_a_reference_says_what_is_missing(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.client.put("/v1/models/new", json={})
        said = page(served, "/models/new")
        assert "There is nothing to compare this model with" in said
        assert "/start/new" in said
        for part in ("labels", "monitors", "changes", "quarantine", "settings"):
            page(served, f"/models/new/{part}")
        for part in ("events", "compare"):
            assert "/start/new" in page(served, f"/models/new/{part}", status=409) or "no re" in page(
                served, f"/models/new/{part}", status=409
            )


def test_what_led_to_a_model_that_is_gone_says_so(odd: Served) -> None:
    parts = ("", "/labels", "/monitors", "/changes", "/quarantine", "/settings", "/compare", "/events")
    details = ("/feature?column=x", "/segment?segment=a", "/monitors/replay?monitor=x")
    for part in (*parts, *details):
        said = page(odd, f"/models/gone{part}", status=404)
        assert "There is no model" in said
        assert "To the fleet" in said
    assert "There is no incident" in page(odd, "/incidents/gone", status=404)
