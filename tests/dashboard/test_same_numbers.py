"""The same number is the same everywhere: pages say what the API says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from fleet_of_tests import Watched, register
from serving import serving, wait_for

from barograph.metrics.facts import unit_of
from barograph.report.check import check
from barograph.store.catalog import schema
from barograph.store.catalog.database import reading
from barograph.store.clock import wall_clock_us
from barograph.text.format import quantity
from logged import events

HTML = {"Accept": "text/html"}
REFERENCE = events(3000, seed=1)
CAME = events(3000, seed=2).with_columns(
    score=pl.when(pl.int_range(pl.len()) > 1500).then(1 - pl.col("score")).otherwise("score")
)


@pytest.fixture(autouse=True)
def settled(watched: Watched) -> None:
    """Wait until nothing is to be evaluated: else a page and an answer could be of two moments."""

    def is_settled() -> bool:
        with reading(watched.served.service.engine) as connection:
            due = sa.select(sa.func.count()).where(schema.work.c.due_us <= wall_clock_us())
            return connection.execute(due).scalar() == 0

    wait_for(is_settled, "nothing is left to do", 60)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Watched]:
    """Return a server to which nobody else sends events."""
    with serving(tmp_path, workers=True, evaluation_seconds=0.2) as served:
        register(served, "flights", REFERENCE, CAME, segments=["colour"])

        def is_done() -> bool:
            state = served.client.get("/v1/models/flights").json()["state"]
            with reading(served.service.engine) as connection:
                waiting = connection.execute(sa.select(sa.func.count()).select_from(schema.work)).scalar()
            return bool(state["events"] == len(CAME) and state["incidents"]) and not waiting

        wait_for(is_done, "the model is evaluated", 60)
        yield Watched(served, "")


def taken(watched: Watched, path: str) -> list[dict[str, Any]]:
    answer = watched.served.client.get(path)
    assert answer.status_code == 200
    return pl.read_parquet(BytesIO(answer.content)).to_dicts()


def text_of(watched: Watched, path: str) -> str:
    page = watched.served.client.get(path, headers=HTML)
    assert page.status_code == 200
    whole = re.sub(r'<span class="nowrap">(.*?)</span>|</?code>', r"\1", page.text)  # these stand within words
    return unescape(re.sub(r"<[^>]+>", " ", whole))


def test_the_newest_values_of_all_metrics(watched: Watched) -> None:
    said = text_of(watched, "/models/flights")
    client = watched.served.client
    for metric in ("roc_auc", "accuracy", "f1", "log_loss"):
        rows = client.get(f"/v1/models/flights/series?metric={metric}&family=performance&limit=1000").json()["items"]
        judged = [row for row in rows if row["value"] is not None and not (row["reason"] or "").startswith("shown")]
        newest, unit = judged[-1], unit_of(metric, "performance")
        for key in ("value", "reference_value", "lower", "upper"):
            assert quantity(newest[key], unit) in said, (metric, key)


def test_fifty_values_of_the_chart(watched: Watched) -> None:
    page = watched.served.client.get("/models/flights?metric=accuracy", headers=HTML).text
    titles = unescape(" ".join(re.findall(r"<title>(.*?)</title>", page, re.DOTALL)))
    client = watched.served.client
    rows = client.get("/v1/models/flights/series?metric=accuracy&limit=1000").json()["items"]
    values = [
        (row["chunk"], row[key]) for row in rows if row["value"] is not None for key in ("value", "lower", "upper")
    ]
    for chunk, value in Random(3).sample(values, 50):
        said = re.search(rf"(?:measured|estimated) {chunk}: [^\n]*{re.escape(quantity(value, ''))}", titles)
        assert said, (chunk, value)


def test_fifty_numbers_are_the_same_on_pages_in_the_api_and_in_check(alone: Watched) -> None:
    report = check(
        REFERENCE, CAME, task="binary", label="label", chunk="1d", segments=["colour"], model="flights",
        features=alone.served.client.get("/v1/models/flights/spec").json()["features"],
    )  # fmt: skip
    checked = {(row.monitor, row.chunk): row for row in report.rows}
    client, random = alone.served.client, Random(5)
    api = {}
    after = ""
    while True:
        page = client.get(f"/v1/models/flights/results?limit=1000{after}").json()
        api |= {(row["monitor"], row["chunk"]): row for row in page["items"]}
        if page["next"] is None:
            break
        after = "&after=" + page["next"].rpartition("after=")[2].split("&")[0]
    of_page = taken(alone, "/models/flights?export=performance.parquet")
    of_page += taken(alone, "/models/flights?export=drift.parquet")
    of_page += taken(alone, "/models/flights?export=segments.parquet")
    known = [row for row in of_page if row["value"] is not None]
    assert len(known) > 200
    for row in random.sample(known, 50):
        key = row["monitor"], row["chunk"]
        for name in ("value", "lower", "upper", "reference_value", "limit_lower", "limit_upper", "n", "evidence"):
            told, found = api[key][name], getattr(checked[key], name)
            assert row[name] == told, (key, name)
            assert told == (None if found is None else pytest.approx(found, rel=1e-9, abs=1e-12)), (key, name)
        assert row["status"] == api[key]["status"] == checked[key].status.value


def test_the_sentence_is_the_verdict(watched: Watched) -> None:
    for name in ("flights", "hostile", "empty"):
        model = watched.served.client.get(f"/v1/models/{name}").json()
        said = " ".join(text_of(watched, f"/models/{name}").split())
        wanted = " ".join(re.sub(r"[\u202a-\u202e]", " ", model["state"]["verdict"]).split())
        assert wanted.replace("`", "") in said.replace("`", "")


def test_the_fleet_counts_what_the_list_of_models_says(watched: Watched) -> None:
    items = watched.served.client.get("/v1/models").json()["items"]
    trouble = sum(model["state"]["judgement"] == "in trouble" for model in items)
    assert f"{trouble} of {len(items)} models" in text_of(watched, "/")


def test_an_incident_says_what_the_api_says(watched: Watched) -> None:
    found = watched.served.client.get(f"/v1/incidents/{watched.incident}").json()
    said = " ".join(text_of(watched, f"/incidents/{watched.incident}").split())
    assert found["title"] in said
    assert found["body"]["advice"] in said
