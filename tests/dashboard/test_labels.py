"""The page of labels: delays as they were, parts that sum up, proposals that can be answered."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import numpy as np
import polars as pl
import pytest
from fleet_of_tests import ARROW, register
from serving import Served, arrow, serving, wait_for

from logged import events

HTML = {"Accept": "text/html"}
HOUR_S = 3600.0


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server with a model whose labels came two to six hours late, but for those of the last 500 events."""
    with serving(tmp_path_factory.mktemp("late"), workers=True, evaluation_seconds=0.2) as served:
        came = events(3000, seed=2)
        register(served, "flights", events(3000, seed=1), came.drop("label"))
        hours = np.random.default_rng(3).uniform(2.0, 6.0, 3000)
        labels = came.select(id="event_id", label=pl.col("label").cast(pl.String)).with_columns(
            label_timestamp=came["timestamp"] + pl.Series([timedelta(hours=h) for h in hours])
        )
        odd = labels.head(3).with_columns(id=pl.lit("nobody"))
        again = labels.slice(10, 4)
        for part in (labels.head(2500), odd, again):
            sent = served.client.post("/v1/models/flights/labels", content=arrow(part), headers=ARROW)
            assert sent.status_code == 200, sent.text

        def is_done() -> bool:
            told = served.client.get("/v1/models/flights/labels").json()
            state = served.client.get("/v1/models/flights").json()["state"]
            return told["labelled"] >= 2500 and bool(told["chunks"]) and state["labels"] >= 2500

        wait_for(is_done, "labels are counted", 60)
        yield served


def test_delays_are_what_they_were(late: Served) -> None:
    told = late.client.get("/v1/models/flights/labels").json()
    assert told["events"] == 3000
    assert told["labelled"] == 2500
    assert told["half_within_s"] == pytest.approx(4 * HOUR_S, rel=0.05)
    assert told["most_within_s"] == pytest.approx(5.6 * HOUR_S, rel=0.05)
    assert told["never_share"] == pytest.approx(500 / 3000, abs=0.01)
    page = late.client.get("/models/flights/labels", headers=HTML).text
    assert re.search(r"Half of the labels come within (3 h 5\d|4 h( \d+)?) min", page) or "within 4 h," in page


def test_what_is_odd_is_counted(late: Served) -> None:
    told = late.client.get("/v1/models/flights/labels").json()
    assert told["without_event"] == 3
    assert told["problems"]["duplicate"] == 4
    page = late.client.get("/models/flights/labels", headers=HTML).text
    assert "wait for their event" in page
    assert "sent again with the same value" in page


def test_the_parts_of_each_estimate_are_all_of_it(late: Served) -> None:
    chunks = late.client.get("/v1/models/flights/labels").json()["chunks"]
    for chunk in chunks:
        assert chunk["labelled"] + chunk["pending"] + chunk["unlabelled"] == pytest.approx(1.0)
        best = chunk["metrics"]["accuracy"]
        assert best["lower"] <= best["value"] <= best["upper"]
    series = late.client.get("/v1/models/flights/series?metric=accuracy&family=performance&limit=1000").json()["items"]
    whole = {row["chunk"]: row["value"] for row in series if row["label_coverage"] == 1.0}
    assert whole
    for chunk in chunks:  # with all labels it is the measured value
        if chunk["chunk"] in whole:
            assert chunk["metrics"]["accuracy"]["value"] == pytest.approx(whole[chunk["chunk"]])
            assert chunk["labelled"] == 1.0


def test_proposals_are_unlabelled_events_and_their_answers_are_labels(late: Served) -> None:
    taken = late.client.get("/models/flights/labels?export=audit.csv")
    rows = list(csv.DictReader(StringIO(taken.text)))
    assert len(rows) == 200
    wanted = set(events(3000, seed=2)["event_id"].to_list()[2500:])
    assert {row["id"] for row in rows} <= wanted
    assert all(0 < float(row["propensity"]) <= 1 for row in rows)
    assert taken.text == late.client.get("/models/flights/labels?export=audit.csv").text
    page = late.client.get("/models/flights/labels", headers=HTML).text
    token = re.search(r'data-csrf="([^"]*)"', page)
    assert token is not None
    headers = {"X-CSRF-Token": token[1], "Content-Type": "text/csv", "Origin": late.url}
    answer = "id,label\n" + "".join(f"{row['id']},1\n" for row in rows[:7]) + f"{rows[8]['id']},\n"
    sent = late.client.post("/models/flights/labels/answers", content=answer, headers=headers)
    assert sent.status_code == 200, sent.text
    assert sent.json()["accepted"] == 7

    def has_come() -> bool:
        found = late.client.get(f"/v1/models/flights/events/{rows[0]['id']}").json()
        return bool(found["has_label"])

    wait_for(has_come, "an answer is a label", 30)


@pytest.mark.parametrize("body", [b"", b"id\na\n", b"id,label\na,\n", b"\xff\xfe", b"x" * (2**20 + 1)])
def test_answers_that_are_none_are_told_of(late: Served, body: bytes) -> None:
    token = re.search(r'data-csrf="([^"]*)"', late.client.get("/models/flights/labels", headers=HTML).text)
    assert token is not None
    headers = {"X-CSRF-Token": token[1], "Content-Type": "text/csv", "Origin": late.url}
    sent = late.client.post("/models/flights/labels/answers", content=body, headers=headers)
    assert sent.status_code in (400, 413, 422), sent.text
    assert sent.json()["detail"]
