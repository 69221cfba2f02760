"""What is logged arrives once, whatever server and network do; the caller never waits and never gets an error."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from taking import Answer, Running, Taker

from barograph.sdk import Client
from barograph.sdk.batch import Batch

Make = Callable[..., Client]
FEATURES = {"amount": 1.5, "colour": "red", "known": True}
AT = "2025-06-01T10:00:00Z"


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.002)


def test_events_and_labels_arrive(make: Make, taker: Taker) -> None:
    client = make(key="baro_secret", version="7")
    before = time.time()
    first = client.log(FEATURES, score=0.25, trace_id="4bf9", latency_ms=3.5)
    second = client.log(FEATURES, score=0.75, id="mine", timestamp=AT, version="8")
    client.label(first, 1)
    client.label("mine", "0")
    assert client.flush()
    assert second == "mine"
    event = taker.events[first]
    assert before - 1 <= event["timestamp"].timestamp() <= time.time() + 1
    assert (event["amount"], event["colour"], event["known"], event["score"]) == (1.5, "red", "True", 0.25)
    assert json.loads(event["_extra"]) == {"context": {"version": "7", "trace_id": "4bf9", "latency_ms": 3.5}}
    assert taker.events["mine"]["timestamp"] == datetime.fromisoformat(AT)
    assert json.loads(taker.events["mine"]["_extra"])["context"] == {"version": "8"}
    assert sorted(taker.labels) == sorted([(first, "1"), ("mine", "0")])
    assert {path for path, _ in taker.requests} == {
        "/v1/models/a%20model%2F%C3%BC/events",
        "/v1/models/a%20model%2F%C3%BC/labels",
    }
    assert {headers["Authorization"] for _, headers in taker.requests} == {"Bearer baro_secret"}
    assert {headers["Content-Encoding"] for _, headers in taker.requests} == {"gzip"}
    assert client.counts()[:6] == (4, 4, 0, 0, 0, 0)


def test_what_was_not_given_is_not_null(make: Make, taker: Taker) -> None:
    client = make()
    client.log({"amount": None}, id="a")
    client.log({"amount": None}, None, None, id="b")
    assert client.flush()
    rows = [json.loads(line) for body in taker.bodies for line in body.splitlines()]
    assert [set(row) for row in rows] == [
        {"id", "timestamp", "features"},
        {"id", "timestamp", "features", "prediction", "score"},
    ]
    assert rows[1]["prediction"] is rows[1]["score"] is None


def test_many_are_sent_in_few_requests(make: Make, taker: Taker) -> None:
    client = make(interval_s=60.0, batch_rows=500)
    ids = [client.log(FEATURES, score=0.5) for _ in range(5_000)]
    assert client.flush(60)
    assert set(taker.events) == set(ids)
    assert len(taker.requests) == 10


def test_later_changes_of_what_was_given_change_nothing(make: Make, taker: Taker) -> None:
    client = make(interval_s=60.0)
    features: dict[str, Any] = {"amount": 1.0, "colour": "red"}
    nested: dict[str, Any] = {"amount": 1.0, "vector": [1, 2], "array": np.arange(2.0), "deep": {"list": [1]}}
    client.log(features, id="a")
    client.log(nested, id="b")
    features["amount"], nested["vector"][0], nested["array"][0], nested["deep"]["list"][0] = 9, 9, 9, 9
    client.close()
    rows = {row["id"]: row["features"] for body in taker.bodies for row in map(json.loads, body.splitlines())}
    assert rows == {
        "a": {"amount": 1.0, "colour": "red"},
        "b": {"amount": 1.0, "vector": [1, 2], "array": [0.0, 1.0], "deep": {"list": [1]}},
    }


def test_features_in_other_forms(make: Make, taker: Taker) -> None:
    client = make(columns=["amount", "colour"])
    ids = [
        client.log(np.array([1.5, 2.5])),
        client.log([1.5, 2.5]),
        client.log((1.5, 2.5)),
        client.log(pd.Series({"amount": 1.5, "colour": 2.5})),
    ]
    client.log([1.5])  # one too few
    client.log(object())
    assert client.flush()
    assert {taker.events[id]["amount"] for id in ids} == {1.5}
    assert {taker.events[id]["colour"] for id in ids} == {"2.5"}
    assert client.counts().dropped_unsendable == 2


class _Odd:
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_nothing_is_raised_whatever_is_logged(make: Make, taker: Taker, caplog: pytest.LogCaptureFixture) -> None:
    client = make()
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    odd: list[Any] = [{"x": _Odd()}, cycle, {"x": "y" * 2_000_000}, 5, {"x": [[[[1]]]]}, {(1, 2): Decimal("nan")}]
    with caplog.at_level(logging.WARNING, "barograph.sdk"):
        for features in odd:
            client.log(features)
        client.label(_Odd(), 1)
        client.log(FEATURES, id="good", score=0.5)
        assert client.flush()
    assert "good" in taker.events
    counts = client.counts()
    assert counts.logged == len(odd) + 2 == counts.delivered + counts.rejected + counts.dropped
    assert counts.dropped_unsendable >= 4
    assert "cannot send" in caplog.text


def test_rows_that_the_server_rejects_are_counted_and_told(
    make: Make, taker: Taker, caplog: pytest.LogCaptureFixture
) -> None:
    client = make()
    with caplog.at_level(logging.WARNING, "barograph.sdk"):
        client.log({"amount": "much"}, id="bad")
        client.log(FEATURES, id="good")
        assert client.flush()
    assert set(taker.events) == {"good"}
    assert client.counts()[:3] == (2, 1, 1)
    assert "amount: expected a number, got 'much'" in caplog.text


@pytest.mark.parametrize("status", [401, 404, 409, 429, 500, 503, 0])
def test_a_server_that_does_not_take_now_gets_it_later(make: Make, taker: Taker, status: int) -> None:
    def trouble(n: int, path: str, body: bytes) -> Answer | None:
        return (status, {}, {"detail": "not now"}) if n <= 5 else None

    taker.trouble = trouble
    client = make()
    ids = [client.log(FEATURES, score=0.5) for _ in range(100)]
    assert client.flush(20)
    assert set(taker.events) == set(ids)
    assert client.counts()[:4] == (100, 100, 0, 0)
    assert client.counts().dropped == 0


def test_an_answer_that_is_lost_makes_no_duplicates(make: Make, taker: Taker) -> None:
    """The server files a batch and dies before it answers: it gets the same once more, with the same ids."""
    seen: list[bytes] = []

    def trouble(n: int, path: str, body: bytes) -> Answer | None:
        seen.append(body)
        return (0, {}, {}) if n == 1 else None

    taker.trouble = trouble
    client = make()
    client.log(FEATURES)
    assert client.flush()
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_retry_after_is_honoured(make: Make, taker: Taker) -> None:
    taker.trouble = lambda n, path, body: (429, {"Retry-After": "100"}, {})
    client = make()
    client.log(FEATURES, id="a")
    until(lambda: len(taker.requests) == 1, "it is tried")
    assert not client.flush(0.3)  # many times the pause without Retry-After
    assert len(taker.requests) == 1
    client.close()
    assert len(taker.requests) == 1
    assert client.counts().spilled == 1


def test_what_is_too_large_is_sent_in_smaller_pieces(make: Make, taker: Taker) -> None:
    taker.trouble = lambda n, path, body: (413, {}, {"detail": "less"}) if body.count(b"\n") >= 10 else None
    client = make(interval_s=60.0)
    ids = [client.log(FEATURES) for _ in range(100)]
    assert client.flush(20)
    assert set(taker.events) == set(ids)
    taker.trouble = lambda n, path, body: (413, {}, {"detail": "less"})
    client.log(FEATURES)
    assert client.flush(20)
    assert client.counts().dropped_unsendable == 1


def test_what_is_refused_for_good_is_dropped_and_counted(
    make: Make, taker: Taker, caplog: pytest.LogCaptureFixture
) -> None:
    taker.trouble = lambda n, path, body: (400, {}, {"detail": "no"}) if n == 1 else None
    client = make()
    with caplog.at_level(logging.WARNING, "barograph.sdk"):
        client.log(FEATURES)
        assert client.flush()
        client.log(FEATURES, id="next")
        assert client.flush()
    assert client.counts().dropped_refused == 1
    assert "refuses 1 rows for good: 400 no" in caplog.text
    assert set(taker.events) == {"next"}


def test_the_newest_are_kept_when_the_queue_is_full(make: Make, running: Running) -> None:
    running.stop()
    client = make(spill=False, queue_rows=100, batch_rows=10)
    ids = [client.log(FEATURES) for _ in range(1_000)]
    until(lambda: client.counts().dropped_queue >= 800, "the queue is full")
    running.start()
    assert client.flush(20)
    counts = client.counts()
    assert counts.delivered == len(running.taker.events) == 1_000 - counts.dropped
    assert counts.dropped == counts.dropped_queue
    assert set(ids[-90:]) <= set(running.taker.events)


def test_while_the_server_is_away_batches_wait_on_the_disk(make: Make, running: Running, tmp_path: Path) -> None:
    client = make(batch_rows=100)
    first = client.log(FEATURES)
    assert client.flush()
    running.stop()
    ids = [client.log(FEATURES) for _ in range(5_000)]
    until(lambda: client.counts().spilled > 4_000, "it waits on the disk")
    files = list((tmp_path / "spill").rglob("*.gz"))
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    running.start()
    assert client.flush(30)
    assert set(running.taker.events) == {first, *ids}
    assert client.counts()[:6] == (5_001, 5_001, 0, 0, 0, 0)
    assert not list((tmp_path / "spill").rglob("*.gz"))


def test_the_folder_is_bounded_and_the_newest_stay(make: Make, running: Running, tmp_path: Path) -> None:
    running.stop()
    client = make(batch_rows=100, spill_bytes=10_000)
    ids = [client.log({"colour": str(i)}) for i in range(5_000)]
    until(lambda: client.counts().queued == 0, "it waits on the disk")
    assert sum(path.stat().st_size for path in (tmp_path / "spill").rglob("*.gz")) <= 10_000
    running.start()
    assert client.flush(30)
    counts = client.counts()
    assert counts.dropped == counts.dropped_spill > 0
    assert set(running.taker.events) == set(ids[counts.dropped :])


def test_a_folder_that_cannot_be_written_costs_no_more_than_memory(
    make: Make, running: Running, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    running.stop()
    client = make(spill=tmp_path / "file", batch_rows=10)
    ids = [client.log(FEATURES) for _ in range(200)]
    assert not client.flush(0.1)
    running.start()
    assert client.flush(20)
    assert set(running.taker.events) == set(ids)


def test_the_next_client_delivers_what_the_last_one_left(make: Make, running: Running, tmp_path: Path) -> None:
    running.stop()
    client = make()
    ids = [client.log(FEATURES) for _ in range(10)]
    client.label(ids[0], 1)
    client.close(0.2)
    assert client.counts().spilled == 11
    running.start()
    after = make()
    after.log(FEATURES, id="next")
    assert after.flush(20)
    until(lambda: after.counts().adopted == 11, "it takes over")
    assert after.flush(20)
    assert set(running.taker.events) == {*ids, "next"}
    assert running.taker.labels == [(ids[0], "1")]
    counts = after.counts()
    assert counts.delivered == counts.logged + counts.adopted == 12


def test_a_label_does_not_overtake_one_that_waits(make: Make, taker: Taker) -> None:
    taker.trouble = lambda n, path, body: (503, {}, {}) if n <= 3 else None
    client = make()
    for value in ("0", "1") * 10:
        client.label("a", value)
        time.sleep(0.003)
    assert client.flush(20)
    assert [value for _, value in taker.labels] == ["0", "1"] * 10


def test_a_closed_client_drops_and_counts(make: Make, taker: Taker) -> None:
    client = make()
    with client:
        client.log(FEATURES, id="a")
    client.log(FEATURES, id="b")
    client.close()
    assert set(taker.events) == {"a"}
    assert client.counts().dropped == 1


def test_a_client_that_is_switched_off_does_nothing(make: Make, taker: Taker) -> None:
    client = make(enabled=False)
    assert client.log(FEATURES)
    client.label("a", 1)
    assert client.flush(0.0)
    assert not taker.requests


@pytest.mark.parametrize("url", ["", "127.0.0.1:8321", "ftp://server", "http://"])
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="expected the address of a server"):
        Client(url, "model")


def test_calls_of_many_threads_are_all_counted(make: Make, taker: Taker) -> None:
    client = make()
    ids: list[list[str]] = [[] for _ in range(8)]

    def work(mine: list[str]) -> None:
        mine += [client.log(FEATURES) for _ in range(1_000)]

    threads = [threading.Thread(target=work, args=(mine,)) for mine in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(30)
    assert set(taker.events) == {id for mine in ids for id in mine}
    assert client.counts()[:2] == (8_000, 8_000)


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "dicts"])
def test_frames(make: Make, taker: Taker, kind: str) -> None:
    data = {
        "key": ["a", "b"],
        "when": [AT, AT],
        "amount": [1.5, float("nan")],
        "colour": ["red", None],
        "p": [0.25, 0.75],
        "true": [1, None],
    }
    frame: Any
    if kind == "pandas":
        frame = pd.DataFrame(data)
    elif kind == "polars":
        frame = pl.DataFrame(data, strict=False)
    elif kind == "arrow":
        frame = pa.table(data)
    else:
        frame = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    client = make()
    ids = client.log_frame(frame, id="key", timestamp="when", score="p", label="true")
    assert ids == ["a", "b"]
    assert client.flush()
    rows = [taker.events[id] for id in ids]
    assert [row["colour"] for row in rows] == ["red", None]
    assert rows[0]["amount"] == 1.5
    assert np.isnan(rows[1]["amount"])
    assert [row["score"] for row in rows] == [0.25, 0.75]
    assert taker.labels == [("a", "1")]
    if kind != "dicts":
        with pytest.raises(ValueError, match="there is no column 'other'"):
            client.log_frame(frame, id="other")
    with pytest.raises(TypeError, match="expected a frame"):
        client.log_frame("frame.csv")


def test_a_frame_waits_for_room_and_loses_nothing(make: Make, taker: Taker) -> None:
    client = make(queue_rows=50, batch_rows=20)
    ids = client.log_frame([{"amount": i} for i in range(2_000)])
    assert client.flush(20)
    assert set(taker.events) == set(ids)
    assert client.counts().dropped == 0


def test_what_comes_faster_than_the_server_takes_waits_on_the_disk(make: Make, taker: Taker) -> None:
    gate = threading.Event()

    def trouble(n: int, path: str, body: bytes) -> Answer | None:
        gate.wait(30)
        return None

    taker.trouble = trouble
    client = make(queue_rows=2_000, batch_rows=50, interval_s=0.005)
    ids = [client.log(FEATURES) for _ in range(100)]
    until(lambda: len(taker.requests) == 1, "it waits for the server")
    ids += [client.log(FEATURES) for _ in range(1_500)]
    spilled = client._sender._spill
    assert spilled is not None
    kept: list[int] = []
    add = spilled.add

    def seen(batch: Batch) -> int:
        kept.append(batch.rows)
        return add(batch)

    spilled.add = seen  # type: ignore[method-assign]  # it only looks on
    gate.set()
    assert client.flush(30)
    assert sum(kept) >= 500
    assert set(taker.events) == set(ids)
    assert client.counts().dropped == 0


def test_asking_for_the_counts_from_many_threads_changes_none(make: Make, taker: Taker) -> None:
    client = make()

    def work() -> None:
        for _ in range(500):
            client.log(FEATURES)
            client.counts()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(30)
    assert client.counts()[:6] == (3_000, 3_000, 0, 0, 0, 0)
