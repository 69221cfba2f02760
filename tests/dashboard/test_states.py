"""Pages in bad weather: each says what is the matter and what to do, and none is blank."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from fleet_of_tests import register
from serving import Served, serving, wait_for

from barograph.store.catalog.database import writing
from barograph.store.catalog.models import find_model
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.work import mark
from barograph.store.clock import wall_clock_us
from conftest import events

HTML = {"Accept": "text/html"}
MINUTE_US = 60_000_000


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
