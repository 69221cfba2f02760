"""Results as files: the same rows as in JSON, all of them, in the right types."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from typing import Any

import polars as pl
import pytest
from serving import Served

from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.server import export
from barograph.store.catalog.database import writing
from barograph.store.catalog.models import find_model
from barograph.store.catalog.results import pack, write_points
from barograph.store.catalog.scope import Scope

CHUNKS = 57
START = datetime(2024, 1, 1, tzinfo=UTC)
CSV, PARQUET = export.MEDIA_TYPES["csv"], export.MEDIA_TYPES["parquet"]


@pytest.fixture(name="base", scope="module")
def base_fixture(served: Served) -> str:
    """Return the path of a model with results of two monitors; one has no value, and a reason with a comma in it."""
    assert served.client.put("/v1/models/late-flights", json={"chunk": "1d"}).status_code == 201
    rows = [
        Result(
            model="late-flights",
            version="7",
            monitor=f"quality.missing_share.{column}",
            metric="missing_share",
            family="quality",
            column=column,
            segment=None,
            chunk=f"{START + timedelta(days=day):%Y-%m-%d}",
            chunk_start=START + timedelta(days=day),
            chunk_end=START + timedelta(days=day + 1),
            n=day,
            value=None if column == "ü" else day / 3,
            reason='no rows, and no "label"' if column == "ü" else None,
            status=Status.UNDEFINED if column == "ü" else Status.BREACH if day % 2 else Status.OK,
        )
        for day in range(CHUNKS)
        for column in ("x", "ü")
    ]
    with writing(served.service.engine) as connection:
        scope = Scope(connection, 1)
        model = find_model(scope, "late-flights")
        assert model is not None
        write_points(scope, model.id, pack(rows), now_us=served.service.now_us())
    return "/v1/models/late-flights"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE_ROWS", 10)


def items(served: Served, url: str) -> Iterator[dict[str, Any]]:
    following: str | None = url
    while following:
        page = served.client.get(following).json()
        yield from page["items"]
        following = page["next"]


@pytest.mark.parametrize(
    "query",
    ["results?", "results?status=breach&start=2024-01-20", "results?chunk=2024-02-01", "results?status=warning"],
)
def test_a_file_has_the_rows_of_all_pages(served: Served, base: str, query: str) -> None:
    url = f"{base}/{query}"
    rows = list(items(served, f"{url}&limit=7"))
    answer = served.client.get(f"{url}&format=csv")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"] == 'attachment; filename="late-flights-results.csv"'
    found = list(csv.DictReader(StringIO(answer.text)))
    plain = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert found == plain
    frame = pl.read_parquet(BytesIO(served.client.get(f"{url}&format=parquet").content))
    assert frame.schema["chunk_start"] == pl.Datetime("us", "UTC")
    assert [frame.schema[name] for name in ("n", "value", "segment")] == [pl.Int64(), pl.Float64(), pl.String()]
    times = ("chunk_start", "chunk_end", "as_of", "until")
    parsed = [
        {name: datetime.fromisoformat(v) if name in times and v else v for name, v in row.items()} for row in rows
    ]
    assert frame.to_dicts() == parsed


def test_accept_chooses_the_form_and_format_overrides_it(served: Served, base: str) -> None:
    def kind(accept: str, query: str = "") -> str:
        url = f"{base}/series?metric=missing_share&column=x{query}"
        answer = served.client.get(url, headers={"Accept": accept})
        assert answer.headers["vary"] == "Accept"
        return answer.headers["content-type"].partition(";")[0]

    assert kind("*/*") == kind("text/html,*/*;q=0.1") == kind("application/json") == "application/json"
    assert kind("text/csv") == kind("TEXT/CSV; q=0.9, */*") == kind("text/csv, application/json") == CSV
    assert kind("application/json, text/csv") == "application/json"
    assert kind(PARQUET) == PARQUET
    assert kind(PARQUET, "&format=csv") == CSV
    assert kind("text/csv", "&format=json") == "application/json"


def test_what_cannot_be_exported_is_refused(served: Served, base: str) -> None:
    wrong = served.client.get(f"{base}/results?format=csv&limit=3").json()
    assert (wrong["status"], wrong["errors"][0]["path"]) == (422, "query.limit")
    slip = served.client.get(f"{base}/results?format=parket").json()
    assert slip["errors"][0]["message"].endswith("Did you mean 'parquet'? Got 'parket'.")
    assert served.client.get("/v1/models/nobody/results?format=csv").status_code == 404
    assert served.client.get(f"{base}/series?format=csv&metric=missing_shar").status_code == 422
