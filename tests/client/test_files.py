"""Sending files over real HTTP: every row arrives, whatever the service and the network do on the way."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from barograph.client import http as http_client
from barograph.client.files import send
from barograph.errors import InputError, StoreError
from barograph.ingest.decode import decode_events, decode_labels
from barograph.ingest.decoders import catalogue
from barograph.ingest.layouts import event_layout, label_layout

Trouble = Callable[["Service", int, bytes], tuple[int, dict[str, str], dict[str, Any]] | None]


@dataclass
class Service:
    """What a service does with bodies, and the trouble it makes: `trouble` may answer in its stead."""

    given: ModuleType
    url: str = ""
    trouble: Trouble = lambda service, n, body: None
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    ids: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], dict[str, Any]] | None:
        with self.lock:
            self.requests.append((path, headers))
            trouble = self.trouble(self, len(self.requests), body)
        if trouble is not None:
            return None if trouble[0] == 0 else trouble
        assert headers["Content-Type"] in catalogue()
        labels = path.endswith("labels")
        decode = decode_labels if labels else decode_events
        layout = (label_layout if labels else event_layout)(self.given.SCHEMA)
        found = decode(body, headers["Content-Type"], layout, now_us=self.given.NOW)  # type: ignore[operator]  # either
        kind = "labels" if labels else "events"
        with self.lock:
            if found.accepted:
                self.ids.update(self.given.kept(found, kind)["id" if labels else "event_id"].to_pylist())
        told = {
            "accepted": found.accepted,
            "duplicates": found.duplicates,
            "rejected_rows": len(found.rejected),
            "rejected": [{"index": r.index, "reasons": r.reasons} for r in found.rejected],
        }
        return (200 if found.accepted else 422), {}, told


@pytest.fixture
def service(given: ModuleType) -> Iterator[Service]:
    made = Service(given)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found = made.answer(self.path, dict(self.headers), body)
            if found is None:  # the connection breaks off
                self.close_connection = True
                return
            status, headers, told = found
            text = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def frame(given: ModuleType) -> pl.DataFrame:
    return pl.DataFrame(given.events(1000))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "_FIRST_SECONDS", 0.001)


def write(frame: pl.DataFrame, folder: Path, how: str) -> Path:
    if how == "csv":
        frame.write_csv(folder / "events.csv")
        return folder / "events.csv"
    if how == "parquet":
        frame.write_parquet(folder / "events.parquet", row_group_size=70)
        return folder / "events.parquet"
    (folder / "many").mkdir()
    for i in range(4):
        frame.slice(i * 250, 250).write_parquet(folder / "many" / f"{i}.parquet")
    return folder / "many"


@pytest.mark.parametrize("how", ["csv", "parquet", "folder"])
def test_all_rows_of_a_source_arrive_once(service: Service, frame: pl.DataFrame, tmp_path: Path, how: str) -> None:
    seen: list[tuple[int, int | None]] = []
    sent = send(
        write(frame, tmp_path, how),
        url=service.url + "/",
        model="a model/ü",
        key="baro_secret",
        batch_rows=90,
        progress=lambda done, total: seen.append((done, total)),
        state=tmp_path / "state.json",
    )
    assert (sent.rows, sent.rejected, sent.duplicates, sent.skipped) == (1000, 0, 0, 0)
    assert service.ids == Counter(frame["event_id"].to_list())
    paths = {path for path, _ in service.requests}
    assert paths == {"/v1/models/a%20model%2F%C3%BC/events"}
    assert {headers["Authorization"] for _, headers in service.requests} == {"Bearer baro_secret"}
    assert len(service.requests) == 12
    assert seen[-1] == (1000, None if how == "csv" else 1000)
    assert "secret" not in (tmp_path / "state.json").read_text()


def test_files_folders_and_patterns_are_sent_as_one_source(
    service: Service, frame: pl.DataFrame, tmp_path: Path
) -> None:
    folder = write(frame, tmp_path, "folder")
    (tmp_path / "more").mkdir()
    frame.slice(0, 90).write_ndjson(tmp_path / "more" / "again.jsonl")
    sources = [folder / "0.parquet", folder / "[12].parquet", folder / "3.parquet"]
    sent = send(sources, url=service.url, model="m", state=tmp_path / "state")
    assert (sent.rows, sent.skipped) == (1000, 0)
    assert len(service.requests) == 1  # batches go across files
    again = send(tmp_path / "more", url=service.url, model="m", state=tmp_path / "state")
    assert again.rows == 90


def test_labels_go_to_their_own_address(service: Service, tmp_path: Path) -> None:
    pl.DataFrame({"id": ["a", "b", "c"], "label": ["1", "0", ""]}).write_csv(tmp_path / "labels.csv")
    sent = send(tmp_path / "labels.csv", url=service.url, model="m", kind="labels", state=tmp_path / "state")
    assert (sent.rows, sent.rejected) == (2, 1)
    assert sent.reasons == ("label: missing",)
    assert service.requests[0][0] == "/v1/models/m/labels"


def test_a_table_of_a_database_is_sent_from_its_start(service: Service, frame: pl.DataFrame, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute(f"create table events ({', '.join(frame.columns)})")
        values = [[v.isoformat() if hasattr(v, "isoformat") else v for v in row] for row in frame.iter_rows()]
        connection.executemany(f"insert into events values ({', '.join('?' * len(frame.columns))})", values)
        connection.commit()
    address = f"sqlite:///{tmp_path / 'a.db'}?table=events"
    for _ in range(2):
        sent = send(address, url=service.url, model="m", batch_rows=300, state=tmp_path / "state")
        assert (sent.rows, sent.skipped, sent.rejected) == (len(frame), 0, 0)
    assert set(service.ids) == set(frame["event_id"])


def test_rows_that_are_all_rejected_are_an_answer_not_an_error(
    service: Service, frame: pl.DataFrame, tmp_path: Path
) -> None:
    bad = frame.with_columns(timestamp=pl.lit("soon"))
    sent = send(write(bad, tmp_path, "csv"), url=service.url, model="m", state=tmp_path / "state")
    assert (sent.rows, sent.rejected) == (0, 1000)
    assert sent.reasons[0].startswith("timestamp: expected ISO 8601")


def test_a_service_that_is_busy_away_or_breaks_off_is_tried_again(
    service: Service, frame: pl.DataFrame, tmp_path: Path
) -> None:
    kinds: list[tuple[int, dict[str, str], dict[str, Any]] | None] = [
        *((429, {"Retry-After": "0"}, {"detail": "busy"}), (503, {}, {"detail": "full"})),
        *((0, {}, {}), (502, {}, {}), None),
    ]
    service.trouble = lambda service, n, body: kinds[n % len(kinds)]
    sent = send(write(frame, tmp_path, "parquet"), url=service.url, model="m", batch_rows=100, state=tmp_path / "s")
    assert sent.rows == 1000
    assert service.ids == Counter(frame["event_id"].to_list())
    assert len(service.requests) > 20


def test_what_is_too_large_is_sent_in_smaller_pieces(service: Service, frame: pl.DataFrame, tmp_path: Path) -> None:
    def trouble(service: Service, n: int, body: bytes) -> tuple[int, dict[str, str], dict[str, Any]] | None:
        return (413, {"Connection": "close"}, {"detail": "at most 20,000 bytes"}) if len(body) > 20_000 else None

    service.trouble = trouble
    sent = send(write(frame, tmp_path, "parquet"), url=service.url, model="m", state=tmp_path / "state")
    assert sent.rows == 1000
    assert service.ids == Counter(frame["event_id"].to_list())


def test_what_the_service_refuses_ends_it_with_the_reason(
    service: Service, frame: pl.DataFrame, tmp_path: Path
) -> None:
    service.trouble = lambda service, n, body: (403, {}, {"title": "Forbidden", "detail": "This key may only read."})
    with pytest.raises(InputError, match=r"answered 403: This key may only read\."):
        send(write(frame, tmp_path, "csv"), url=service.url, model="m", key="baro_x", state=tmp_path / "state")


def test_a_service_that_stays_away_ends_it_after_a_while(
    frame: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(StoreError, match=r"could not be reached.*[Rr]efused"):
        send(write(frame, tmp_path, "csv"), url="http://127.0.0.1:9", model="m", state=tmp_path / "state")


@pytest.mark.parametrize("how", ["csv", "parquet", "folder"])
def test_an_interrupted_call_goes_on_where_it_stopped(
    service: Service, frame: pl.DataFrame, tmp_path: Path, how: str
) -> None:
    source = write(frame, tmp_path, how)

    def again(**more: Any) -> Any:
        return send(source, url=service.url, model="m", batch_rows=50, connections=2, state=tmp_path / "s", **more)

    def trouble(service: Service, n: int, body: bytes) -> tuple[int, dict[str, str], dict[str, Any]] | None:
        return (403, {}, {"detail": "revoked"}) if n > 12 else None

    service.trouble = trouble
    with pytest.raises(InputError, match="revoked"):
        again()
    before = service.ids.total()
    assert 300 <= before <= 600
    service.trouble = lambda service, n, body: None
    seen: list[int] = []
    sent = again(progress=lambda done, total: seen.append(done))
    assert sent.skipped >= 250
    assert sent.skipped + sent.rows == 1000
    assert seen[-1] == 1000
    assert set(service.ids) == set(frame["event_id"].to_list())
    assert service.ids.total() - 1000 <= 3 * 50, "at most what was under way is sent twice"
    # What has come to its end is forgotten: the service may be another one, or take what it rejected before.
    sent = again()
    assert (sent.skipped, sent.rows) == (0, 1000)
    frame.head(10).write_parquet(source / "new.parquet") if how == "folder" else write(frame.head(10), tmp_path, how)
    assert again().skipped == 0, "another file is sent from its start"


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://host", "http://", "http://user:secret@host", "http://h:99999"]
)
def test_what_is_no_address_is_refused(tmp_path: Path, frame: pl.DataFrame, url: str) -> None:
    with pytest.raises(InputError, match="URL of the service") as error:
        send(write(frame, tmp_path, "csv"), url=url, model="m", state=tmp_path / "state")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{bad", '{"rows": 1}'])
def test_a_damaged_state_file_is_named_or_ignored(
    service: Service, frame: pl.DataFrame, tmp_path: Path, text: str
) -> None:
    (tmp_path / "state").write_text(text)
    source = write(frame, tmp_path, "csv")
    if text.startswith('{"'):  # of another source
        assert send(source, url=service.url, model="m", state=tmp_path / "state").rows == 1000
        return
    with pytest.raises(InputError, match="state"):
        send(source, url=service.url, model="m", state=tmp_path / "state")


def test_without_a_state_file_it_is_in_the_users_cache_folder(
    service: Service, frame: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.platform", "linux")
    source = write(frame, tmp_path, "parquet")
    send(source, url=service.url, model="m")
    assert (tmp_path / "cache" / "barograph" / "ingest.json").exists()
    assert {p.name for p in tmp_path.iterdir()} == {"cache", "events.parquet"}, "nothing beside the user's files"
