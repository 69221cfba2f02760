"""What can be taken from pages: every link leads to a file with the numbers of the API, and every page has its twin."""

from __future__ import annotations

import re
from html import unescape
from io import BytesIO
from xml.etree import ElementTree

import polars as pl
import pytest
from fleet_of_tests import HOSTILE, IMAGE, Watched

HTML = {"Accept": "text/html"}
OF_MODEL = ("", "/labels", "/monitors", "/changes", "/quarantine", "/settings")


def pages(watched: Watched) -> list[str]:
    of_models = [f"/models/{name}{part}" for name in ("flights", "hostile", "empty") for part in OF_MODEL]
    client = watched.served.client
    incidents = [f"/incidents/{one['id']}" for one in client.get("/v1/incidents?limit=1000").json()["items"]]
    details = ["/models/flights/feature?column=x", "/models/flights/segment?segment=colour%3Dred"]
    return [*of_models, *incidents[:4], *details, "/", "/incidents?state=all", "/jobs", "/audit", "/settings", "/start"]


def page(watched: Watched, path: str) -> str:
    answer = watched.served.client.get(path, headers=HTML)
    assert answer.status_code == 200, (path, answer.text[:500])
    return answer.text


def exports(text: str) -> list[str]:
    return [unescape(one) for one in re.findall(r'href="([^"]*[?&]export=[^"]*)"', text)]


def test_every_page_has_its_twin(watched: Watched) -> None:
    for path in pages(watched):
        twins = re.findall(r'<link rel="alternate" type="application/json" href="([^"]*)"', page(watched, path))
        assert twins, path
        answer = watched.served.client.get(unescape(twins[0]))
        assert answer.status_code == 200, (path, twins)
        assert answer.json() is not None


def test_every_export_is_what_it_says(watched: Watched) -> None:
    seen = set()
    for path in pages(watched):
        for link in exports(page(watched, path)):
            answer = watched.served.client.get(link)
            assert answer.status_code == 200, (link, answer.text[:300])
            assert "attachment" in answer.headers["Content-Disposition"]
            form = link.partition("export=")[2].rpartition(".")[2]
            seen.add(form)
            if form == "svg":
                root = ElementTree.fromstring(answer.content)
                assert root.tag == "{http://www.w3.org/2000/svg}svg"
                assert "var(" not in answer.text
            elif form == "png":
                assert answer.content.startswith(b"\x89PNG")
            else:
                frame = pl.read_parquet(BytesIO(answer.content)) if form == "parquet" else None
                assert (frame.width if frame is not None else answer.text.count("\n")) >= 1
    assert seen == {"svg", "png", "csv", "parquet"}


def test_the_rows_of_a_chart_are_those_of_the_api(watched: Watched) -> None:
    client = watched.served.client
    answer = client.get("/models/flights?metric=accuracy&export=chart.parquet")
    rows = pl.read_parquet(BytesIO(answer.content)).filter(pl.col("series") == "measured")
    wanted = client.get("/v1/models/flights/series?metric=accuracy&family=performance&limit=1000").json()["items"]
    judged = [row for row in wanted if row["value"] is not None and not (row["reason"] or "").startswith("shown")]
    assert judged
    assert rows.drop_nulls("value")["value"].to_list() == [row["value"] for row in judged]
    assert rows.drop_nulls("value")["lower"].to_list() == [row["lower"] for row in judged]


def test_csv_and_parquet_say_the_same(watched: Watched) -> None:
    client = watched.served.client
    csv = pl.read_csv(BytesIO(client.get("/models/flights?export=drift.csv").content), infer_schema_length=None)
    parquet = pl.read_parquet(BytesIO(client.get("/models/flights?export=drift.parquet").content))
    assert csv.columns == parquet.columns
    assert csv["value"].to_list() == parquet["value"].to_list()
    assert parquet.schema["chunk_start"] == pl.Datetime("us", "UTC")


def test_names_that_would_do_harm_stay_text(watched: Watched) -> None:
    drift = pl.read_parquet(BytesIO(watched.served.client.get("/models/hostile?export=drift.parquet").content))
    assert set(HOSTILE) <= set(drift["column"])
    for link in exports(page(watched, "/models/hostile")):
        if link.endswith(".svg"):
            drawing = watched.served.client.get(link).text
            ElementTree.fromstring(drawing)
            assert "<script" not in drawing
            assert IMAGE not in drawing


def test_a_list_is_taken_whole(watched: Watched) -> None:
    client = watched.served.client
    every = client.get("/v1/models/flights/monitors?limit=1000").json()["items"]
    taken = pl.read_csv(BytesIO(client.get("/models/flights/monitors?export=list.csv").content))
    assert taken.height == len(every) > 60


@pytest.mark.parametrize("asked", ["nothing.csv", "drift.svg", "drift.exe", "chart", "..csv", "x" * 600])
def test_what_cannot_be_taken_is_told_of(watched: Watched, asked: str) -> None:
    answer = watched.served.client.get("/models/flights", params={"export": asked}, headers=HTML)
    assert answer.status_code == 404
    assert "There is no export" in answer.text
    assert "performance" in answer.text
