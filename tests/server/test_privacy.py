"""Sensitive values never reach the disk, a log or an answer: every file is searched, also after a crash."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import polars as pl
import pytest
from serving import PARQUET, Served, arrow, parquet, process, serving, wait_for

from barograph.errors import StoreError
from barograph.server.start import prepare
from barograph.store.catalog.database import open_database, writing
from barograph.store.catalog.scope import Scope
from barograph.store.privacy_key import key_file, project_key
from barograph.store.settings import Settings
from logged import events
from remains import remains

CLEAR = b"clear@example.org"
SPEC = {
    "task": "binary",
    "label": "label",
    "sensitive": {"colour": "hash", "event_id": "hash", "mail": "mask", "phone": "drop"},
}
BASE = "/v1/models/flights"
SECRET = CLEAR.decode()


def found_in(folder: Path) -> list[str]:
    """Return the files with the clear value; what the service moves away meanwhile is looked at where it then is."""
    while True:
        try:
            return remains(folder, CLEAR)
        except FileNotFoundError:
            continue


def private(frame: pl.DataFrame) -> pl.DataFrame:
    """Return events in which the clear value stands in each sensitive column, in part or whole."""
    return frame.with_columns(
        event_id=pl.lit(SECRET) + pl.col("event_id"),
        colour=pl.lit(SECRET) + pl.col("colour"),
        mail=pl.lit(SECRET),
        phone=pl.lit(SECRET),
    )


def test_nothing_clear_reaches_the_disk_the_log_or_an_answer(tmp_path: Path, in_table: Callable[..., None]) -> None:
    data, said = tmp_path / "data", list[str]()
    answers: list[httpx.Response] = []
    frame = private(events(300, seed=1))

    def post(path: str, body: bytes, kind: str) -> httpx.Response:
        answers.append(client.post(BASE + path, content=body, headers={"Content-Type": kind}))
        assert found_in(data) == []
        return answers[-1]

    with process(data, said) as client:
        assert client.put(BASE, json=SPEC).status_code == 201
        for broken, kind in (
            (parquet(frame)[:-40], "application/vnd.apache.parquet"),
            (b"a,b\n" + CLEAR + b"\n" + CLEAR + b",1,2,3\n", "text/csv"),
            (CLEAR, "application/vnd.apache.arrow.stream"),
        ):
            assert post("/references", broken, kind).status_code == 422
        sent = post("/references?wait=60", parquet(frame), "application/vnd.apache.parquet")
        assert sent.status_code == 201, sent.text
        assert "phone" not in json.dumps(sent.json()["columns"])
        rows = private(events(40, seed=2)).with_columns(pl.col("timestamp").dt.to_string()).to_dicts()
        rows[3]["x"] = "much"  # a row that is rejected is kept, too
        lines = [json.dumps(row, default=str) for row in rows]
        good = post("/events", "\n".join(lines[:10]).encode(), "application/x-ndjson").json()
        assert (good["accepted"], good["labels"], [r["index"] for r in good["rejected"]]) == (9, 9, [3])
        answers.append(client.get(f"{BASE}/quarantine"))
    with process(data, said) as client:  # it was killed before it had filed anything, or amid of it
        assert found_in(data) == []
        assert post("/events", f"[{','.join(lines[10:20])}]".encode(), "application/json").json()["accepted"] == 10
        assert post("/events", arrow(private(events(300, seed=3))), ARROW).json()["accepted"] == 300
        for nothing in (b'["' + CLEAR + b'"]', CLEAR, b'{"colour": "' + CLEAR, b'"' + CLEAR + b'"'):
            assert post("/events", nothing, "application/json").status_code in (400, 422)
        label = json.dumps({"id": rows[30]["event_id"], "label": 1, "mail": SECRET})
        assert post("/labels", label.encode(), "application/json").json()["accepted"] == 1
        assert (
            post("/labels", b'{"label": 1, "id": "", "mail": "' + CLEAR + b'"}', "application/json").status_code == 422
        )

        def counted() -> bool:
            return bool(client.get(BASE).json()["state"]["events"] == 319)

        wait_for(counted, "all are counted", seconds=60)
        # A hashed value is one category, before and after: nothing of it is unseen.
        unseen = f"{BASE}/results?metric=unseen_share&column=colour&limit=100"
        wait_for(lambda: bool(client.get(unseen).json()["items"]), "it is evaluated", seconds=60)
        assert {row["value"] for row in client.get(unseen).json()["items"]} == {0.0}
        wait_for(
            lambda: bool(client.get(f"{BASE}/quarantine").json()["items"]), "what was rejected is there", seconds=60
        )
        answers += [client.get(f"{BASE}/{part}") for part in ("quarantine", "report", "results?limit=1000", "spec")]
        answers += [client.get(path) for path in ("/models/flights", "/models/flights/quarantine", "/audit")]
        found = client.get(f"{BASE}/events/{rows[12]['event_id']}").json()
        assert (found["state"], found["has_label"]) == ("counted", True)
        assert SECRET not in json.dumps(found["events"])
        shown = found["events"][0]["values"]["event_id"]
        assert client.get(f"{BASE}/events/{shown}").json()["events"] == found["events"], "as the service shows it"
        asked = client.post(f"{BASE}/erasures", json={"id": rows[12]["event_id"]})

        def erased() -> bool:
            return bool(client.get(asked.headers["Location"]).json()["state"] == "done")

        wait_for(erased, "it is erased", seconds=60)
        assert client.get(asked.headers["Location"]).json()["removed"]["events"] == 1
        assert client.get(f"{BASE}/events/{rows[12]['event_id']}").status_code == 404
        assert found_in(data) == []
        assert client.put(BASE, json={**SPEC, "sensitive": {}}).status_code == 422
        answers.append(client.put(BASE, json={**SPEC, "sensitive": {"colour": "mask"}}))
        assert "data have come already" in answers[-1].json()["errors"][0]["message"]
    assert found_in(data) == []
    assert [a.url for a in answers if CLEAR in a.content] == []
    assert [line for line in said if SECRET in line] == []
    assert oct(key_file(Settings(folder=data), 1).stat().st_mode)[-3:] == "600"
    sent = "a reference and 320 events, a clear value in four columns; the service killed twice"
    arrived = "319 events, treated: the value is in no file, log or answer"
    in_table("sensitive columns", "[`[sensitive]`](privacy.md)", sent=sent, arrived=arrived, rejected=1)


def test_what_the_service_fetches_is_treated_too(tmp_path: Path) -> None:
    place = tmp_path / "shop.db"
    rows = private(events(30, seed=4)).with_columns(pl.col("timestamp").dt.to_string()).to_dicts()
    with closing(sqlite3.connect(place)) as shop, shop:
        names = list(rows[0])
        shop.execute(f"create table events ({', '.join(names)}, at integer)")
        marks = ", ".join("?" * (len(names) + 1))
        shop.executemany(f"insert into events values ({marks})", [(*row.values(), i) for i, row in enumerate(rows)])
        shop.execute("update events set x = 'much' where at = 7")
    fetched = {"url": f"sqlite:///{place}", "table": "events", "watermark": "at", "overlap": "5m"}
    data = tmp_path / "data"
    with serving(data, workers=True, sources=(str(tmp_path),)) as served:
        assert served.client.put(BASE, json=SPEC).status_code == 201
        sent = served.client.post(f"{BASE}/references?wait=60", content=parquet(private(events(300))), headers=PARQUET)
        assert sent.status_code == 201
        put = served.client.put(BASE, json={**SPEC, "sources": {"sql": fetched}})
        assert put.status_code == 200, put.text
        wait_for(lambda: bool(served.client.get(BASE).json()["state"]["events"] == 29), "they are fetched", seconds=60)
        wait_for(lambda: bool(served.client.get(f"{BASE}/quarantine").json()["items"]), "one is set aside", seconds=60)
        assert found_in(data) == []


ARROW = "application/vnd.apache.arrow.stream"


@pytest.mark.parametrize("form", ["csv", "arrow", "nested"])
def test_reference_data_of_each_kind_are_treated(tmp_path: Path, form: str) -> None:
    frame = private(events(300, seed=1))
    with serving(tmp_path / "data", workers=True) as served:
        assert served.client.put(BASE, json=SPEC).status_code == 201
        if form == "csv":
            body, kind = frame.write_csv().encode(), "text/csv"
        elif form == "arrow":
            body, kind = arrow(frame), ARROW
        else:
            whole = frame.with_columns(context=pl.struct(mail="mail", phone="phone"), many=pl.concat_list("mail")).drop(
                "mail"
            )
            served.client.put(BASE, json={**SPEC, "sensitive": {**SPEC["sensitive"], "many": "hash"}})
            body, kind = parquet(whole), PARQUET["Content-Type"]
        sent = served.client.post(f"{BASE}/references?wait=60", content=body, headers={"Content-Type": kind})
        assert sent.status_code == 201, sent.text
        assert remains(tmp_path, CLEAR) == []


def test_what_cannot_be_sensitive_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "data", workers=True) as served:
        wrong = served.client.put(BASE, json={**SPEC, "sensitive": {"x": "hide"}})
        assert (wrong.status_code, "hash, drop, mask" in wrong.text) == (422, True)
        spec = {**SPEC, "sensitive": {"event_id": "mask", "score": "mask", "label": "hash"}}
        assert served.client.put(BASE, json=spec).status_code == 201
        sent = served.client.post(f"{BASE}/references?wait=60", content=parquet(events(300)), headers=PARQUET)
        assert sent.status_code == 422


def test_a_key_that_is_lost_is_an_error_and_not_another_key(served: Served, tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path)
    prepare(settings)
    engine = open_database(settings.catalog)

    def key(project: int = 1) -> bytes:
        with writing(engine) as connection:
            return project_key(settings, Scope(connection, project))

    first, path = key(), key_file(settings, 1)
    assert (key(), len(first), oct(path.stat().st_mode)[-3:], oct(path.parent.stat().st_mode)[-3:]) == (
        first,
        32,
        "600",
        "700",
    )
    path.chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        key()
    path.unlink()
    with pytest.raises(StoreError, match="is missing"):
        key()
    path.write_bytes(b"x" * 32)
    path.chmod(0o600)
    with pytest.raises(StoreError, match="is not the one"):
        key()
    path.write_bytes(first)
    assert key() == first
    engine.dispose()


def test_an_upload_lies_in_memory_alone(tmp_path: Path) -> None:
    from barograph.ingest.limits import Limits
    from barograph.ingest.sensitive import Sensitive
    from barograph.server.uploads import Source, as_parquet, in_memory, place

    body = private(events(100)).write_csv().encode()
    with place(tmp_path) as name, in_memory(name.with_suffix(".csv")):
        path = name.with_suffix(".csv")
        path.write_bytes(body)
        on_disk = [p for p in tmp_path.rglob("*") if not p.is_symlink()]
        assert on_disk == []
        sensitive = Sensitive(SPEC["sensitive"], b"k" * 32)
        done = as_parquet(Source(path, len(body), ""), Limits(), memory_bytes=2**30, sensitive=sensitive)
        assert (done.rows, "phone" in pl.read_parquet(done.path).columns) == (100, False)
        assert remains(tmp_path, CLEAR) == [path.name]  # which is a link into memory
    assert list(tmp_path.iterdir()) == []
