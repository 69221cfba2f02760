"""A topic followed by consumers that come and go, against librdkafka's mock cluster."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

import pytest
from cluster import QUICK, Cluster

from barograph.client.files import Sent
from barograph.errors import SpecError, StoreError
from barograph.sources import kafka as module
from barograph.sources import sources_of
from barograph.sources.feed import Stream
from barograph.sources.kafka import Kafka

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """Return brokers for all tests of this file."""
    return Cluster()


class Follower:
    """A source that is followed in a thread; ends when it has `until` rows, or is told to."""

    def __init__(self, source: Kafka, *, until: int = 10**9, fails_at: int = 0) -> None:
        self.rows: list[Any] = []
        self.lags: list[int | None] = []
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self._source, self._until, self._fails_at, self._puts = source, until, fails_at, 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _put(self, body: bytes, content_type: str) -> Sent:
        self._puts += 1
        found = [json.loads(line) for line in body.split(b"\n")]
        if self._puts == self._fails_at:
            self.rows += found[: len(found) // 2]  # some of it was taken, and the answer got lost
            raise StoreError("The server is away.")
        self.rows += found
        if len(self.rows) >= self._until:
            self.stop.set()
        return Sent(rows=len(found))

    def _run(self) -> None:
        stream = Stream(put=self._put, stopped=self.stop.is_set, wait=self.stop.wait, told=self.lags.append)
        try:
            self._source.follow(stream)
        except Exception as error:
            self.error = error

    def ended(self) -> Follower:
        """Wait for its end."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self

    def ids(self) -> Counter[str]:
        return Counter(row["id"] for row in self.rows)


def source(cluster: Cluster, topic: str, **said: Any) -> Kafka:
    return Kafka.model_validate({"brokers": cluster.brokers, "topic": topic, "options": QUICK, **said})


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [{"id": f"e{i}", "x": i} for i in range(first, last)]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOLD_S", 0.0)
    monkeypatch.setattr(module, "POLL_S", 0.1)
    monkeypatch.setattr(module, "BATCH", 300)


def test_what_was_handed_on_is_committed_and_comes_once(cluster: Cluster) -> None:
    cluster.send("once", [*rows(0, 1000), None])
    first = Follower(source(cluster, "once"), until=1000).ended()
    assert first.ids() == Counter(f"e{i}" for i in range(1000))
    cluster.send("once", rows(1000, 1010))
    second = Follower(source(cluster, "once"), until=10).ended()
    assert set(second.ids()) == {f"e{i}" for i in range(1000, 1010)}
    assert second.error is first.error is None
    assert cluster.committed("once", "barograph") in (1010, 1011)
    assert 0 in second.lags or any(lag is not None for lag in first.lags)


def test_what_was_not_acknowledged_is_not_committed(cluster: Cluster) -> None:
    cluster.send("lost", rows(0, 2000))
    first = Follower(source(cluster, "lost"), fails_at=3).ended()
    assert isinstance(first.error, StoreError)
    committed = cluster.committed("lost", "barograph")
    assert 0 < committed < len(first.rows) < 2000
    second = Follower(source(cluster, "lost"), until=2000 - committed).ended()
    assert set(first.ids()) | set(second.ids()) == {f"e{i}" for i in range(2000)}
    assert len(second.rows) == 2000 - committed


def test_several_consumers_share_a_topic_and_go_on_for_each_other(cluster: Cluster) -> None:
    cluster.send("shared", rows(0, 500))
    both = [Follower(source(cluster, "shared")) for _ in range(2)]
    for start in range(500, 5000, 500):
        cluster.send("shared", rows(start, start + 500))
    both[0].stop.set()
    both[0].ended()
    cluster.send("shared", rows(5000, 6000))
    wanted = {f"e{i}" for i in range(6000)}
    for _ in range(300):
        if set(both[0].ids()) | set(both[1].ids()) == wanted:
            break
        both[1].stop.wait(0.1)
    both[1].stop.set()
    both[1].ended()
    assert set(both[0].ids()) | set(both[1].ids()) == wanted


def test_poison_holds_up_nothing(cluster: Cluster) -> None:
    cluster.send("poison", [{"id": "a"}, b"\n", {"id": "b"}, b"x" * 900_000, {"id": "c"}])
    found = Follower(source(cluster, "poison", id="offset", format="avro", avro=AVRO), until=5).ended()
    assert len(found.rows) == 5
    assert all(isinstance(row, str) and row.startswith("poison-") for row in found.rows)


AVRO = json.dumps({"type": "record", "name": "E", "fields": [{"name": "id", "type": "double"}] * 1})


def test_brokers_that_are_away_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWAY_S", 0.2)
    monkeypatch.setattr(module, "ASK_S", 0.5)
    away = Follower(Kafka(brokers="127.0.0.1:1", topic="t")).ended()
    assert isinstance(away.error, StoreError)
    assert "Kafka at 127.0.0.1:1 cannot be reached" in str(away.error)


@pytest.mark.parametrize(
    ("said", "path", "words"),
    [
        ({"brokers": "broker"}, "brokers", "with their ports"),
        ({"brokers": "kafka://broker:9092"}, "brokers", "without a scheme"),
        ({"format": "avro"}, None, "Avro is read with a schema"),
        ({"avro": AVRO}, None, "for the format 'avro'"),
        ({"format": "avro", "avro": '{"type": "record"}'}, "avro", "This is no Avro schema"),
        ({"format": "avro", "registry": "http://me:secret@r:8081"}, "registry", "holds a password"),
        ({"format": "jsn"}, "format", "Did you mean 'json'"),
        ({"options": {"plugin.library.paths": "/tmp/x.so"}}, "options", "none of the settings"),
        ({"options": {"sasl.password": "hunter2"}}, "options", "is a secret"),
        ({"options": {"bootstrap.servers": "evil:9092"}}, "options", "none of the settings"),
        ({"format": "arrow", "id": "key"}, None, "has many rows"),
    ],
)
def test_settings_are_refused_with_their_path(said: dict[str, Any], path: str | None, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        sources_of({"kafka": {"brokers": "b:9092", "topic": "t", **said}})
    (problem,) = caught.value.problems
    assert problem.startswith("$.sources.kafka" + (f".{path}:" if path else ":"))
    assert words in problem
    assert "hunter2" not in problem
