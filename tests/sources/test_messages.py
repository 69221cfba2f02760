"""Messages as rows: what each format says arrives, and what cannot be read is one row that says why."""

from __future__ import annotations

import base64
import http.server
import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow as pa
import pytest

from barograph.client.files import Sent
from barograph.errors import InputError, StoreError, TooLarge
from barograph.sources.messages import (
    LINE_BYTES,
    NDJSON,
    Avro,
    Message,
    arrow_rows,
    json_line,
    put_messages,
    with_fields,
)

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "x", "type": ["null", "double"], "default": None},
        {"name": "n", "type": "long"},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "tags", "type": {"type": "map", "values": "string"}},
    ],
}
RECORD: dict[str, Any] = {
    "id": "ü1",
    "at": datetime(2024, 6, 1, 12, 0, 0, 5, tzinfo=UTC),
    "x": float("nan"),
    "n": 2**53 + 1,
    "price": Decimal("12.30"),
    "day": date(2024, 6, 1),
    "tags": {"a": "b"},
}
SAID = {"id": "ü1", "at": "2024-06-01T12:00:00.000005+00:00", "x": "nan", "n": 2**53 + 1, "price": "12.30"} | {
    "day": "2024-06-01",
    "tags": {"a": "b"},
}


def message(value: bytes, offset: int = 0, **more: Any) -> Message:
    return Message(topic="t", partition=0, offset=offset, **{"key": None, "value": value, **more})


def avro(record: dict[str, Any], number: int | None = None) -> bytes:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, SCHEMA, record)
    return (b"" if number is None else b"\0" + number.to_bytes(4, "big")) + file.getvalue()


def arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


class Takes:
    """A place to put bodies: keeps what they hold, and takes at most `most` bytes at once."""

    def __init__(self, most: int = 2**40) -> None:
        self.bodies: list[tuple[bytes, str]] = []
        self.most = most

    def __call__(self, body: bytes, content_type: str) -> Sent:
        if len(body) > self.most:
            raise TooLarge(f"{len(body)} bytes")
        self.bodies.append((body, content_type))
        return Sent(
            rows=body.count(b"\n") + 1 if content_type == NDJSON else pa.ipc.open_stream(body).read_all().num_rows
        )

    def lines(self) -> list[Any]:
        return [json.loads(line) for body, kind in self.bodies if kind == NDJSON for line in body.split(b"\n")]


def test_a_record_of_avro_is_what_it_says() -> None:
    assert json.loads(Avro(json.dumps(SCHEMA), None)(message(avro(RECORD)))) == SAID


def test_a_value_of_several_lines_is_one_row() -> None:
    takes = Takes()
    values = [b'{\n "a": 1\r\n}', b'{"a": "x\\ny"}', b" \n", b"\xff\x00", b""]
    put_messages(takes, [message(value, i) for i, value in enumerate(values)], json_line)
    ((body, _),) = takes.bodies
    lines = body.split(b"\n")
    assert [json.loads(line) for line in lines[:2]] == [{"a": 1}, {"a": "x\ny"}]
    assert json.loads(lines[2]) == "t-0-2: it is empty. In Base64: IAo="
    assert (lines[3], len(lines)) == (b"\xff\x00", 5)


def test_what_cannot_be_read_is_a_text_with_place_reason_and_bytes() -> None:
    takes = Takes()
    whole, table = avro(RECORD), arrow(pa.table({"id": ["a"]}))
    damaged = [whole[:-3], whole + b"x", b"", avro(RECORD, 7)]
    put_messages(
        takes, [message(value, i) for i, value in enumerate([whole, *damaged])], Avro(json.dumps(SCHEMA), None)
    )
    put_messages(takes, [message(table[:-40]), message(b"{}"), message(table, 3)], arrow_rows)
    lines = takes.lines()
    assert lines[0] == SAID
    assert all(line.startswith("t-0-") and ": " in line for line in lines[1:])
    assert base64.b64decode(lines[1].rpartition(" ")[2]) == damaged[0]
    assert pa.ipc.open_stream(takes.bodies[-1][0]).read_all().to_pydict() == {"id": ["a"]}
    assert len(lines) == 1 + len(damaged) + 2


def test_rows_keep_their_order_whatever_they_are() -> None:
    takes = Takes()
    tables = [pa.table({"id": ["a"]}), pa.table({"id": ["b", "c"]}), pa.table({"id": ["d"], "x": [1]})]
    values = [arrow(tables[0]), arrow(tables[1]), b"damaged", arrow(tables[2])]
    sent = put_messages(takes, [message(value, i) for i, value in enumerate(values)], arrow_rows)
    assert [kind == NDJSON for _, kind in takes.bodies] == [False, True, False]
    assert pa.ipc.open_stream(takes.bodies[0][0]).read_all().to_pydict() == {"id": ["a", "b", "c"]}
    assert sent.rows == 5


def test_what_is_too_large_goes_in_pieces_and_a_message_that_is_holds_up_nothing() -> None:
    takes = Takes(most=6_000)
    values = [b'{"a": "%s"}' % (b"x" * size) for size in (10, 2_900, 2_900, 5_990, 10)] + [b"y" * (LINE_BYTES + 1)]
    put_messages(takes, [message(value, i) for i, value in enumerate(values)], json_line)
    lines = takes.lines()
    assert [len(line["a"]) for line in lines if isinstance(line, dict)] == [10, 2_900, 2_900, 5_990, 10]
    assert "t-0-5: it has 1,048,577 bytes" in lines[-1]
    takes = Takes(most=5_000)
    put_messages(takes, [message(value, i) for i, value in enumerate(values)], json_line)
    assert "t-0-3: 5999 bytes. In Base64" in takes.lines()[3]


def test_id_and_time_of_the_message_stand_in_for_those_that_the_value_lacks() -> None:
    one = message(b"", 9, key=b"k\xff", at_us=1_500_000)
    assert json.loads(with_fields(b"{}", one, id="key", timestamp=False)) == {"id": "k\\xff"}
    assert json.loads(with_fields(b'{ "id": "own"}', one, id="offset", timestamp=True)) == {
        "id": "own",
        "timestamp": 1.5,
    }
    assert with_fields(b"[1]", one, id="offset", timestamp=True) == b"[1]"
    assert with_fields(b'{"a": 1}', one, id="value", timestamp=False) == b'{"a": 1}'


@pytest.fixture
def registry() -> Iterator[tuple[str, dict[int, Any]]]:
    """Return the address of a schema registry that needs a password, and what it has."""
    has: dict[int, Any] = {7: json.dumps(SCHEMA)}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = int(self.path.rpartition("/")[2])
            right = self.headers["Authorization"] == "Basic " + base64.b64encode(b"me:hun/ter2").decode()
            status = 401 if not right else 200 if number in has else 404
            body = json.dumps({"schema": has.get(number)}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://me:${{REGISTRY}}@127.0.0.1:{server.server_port}", has
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_schema_registry(registry: tuple[str, dict[int, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY", "hun/ter2")
    read = Avro(None, registry[0])
    assert json.loads(read(message(avro(RECORD, 7)))) == SAID
    with pytest.raises(InputError, match="has no schemas/ids/8"):
        read(message(avro(RECORD, 8)))
    with pytest.raises(InputError, match="does not begin with the id of a schema"):
        read(message(avro(RECORD)))
    newer = {**SCHEMA, "fields": [*SCHEMA["fields"][:1], {"name": "new", "type": "int", "default": 3}]}
    assert json.loads(Avro(json.dumps(newer), registry[0])(message(avro(RECORD, 7)))) == {"id": "ü1", "new": 3}
    monkeypatch.setenv("REGISTRY", "wrong-word")
    with pytest.raises(StoreError, match="answered 401") as caught:
        Avro(None, registry[0])(message(avro(RECORD, 7)))
    assert "wrong-word" not in str(caught.value)


def test_a_registry_that_is_away_makes_nothing_poison() -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        put_messages(Takes(), [message(avro(RECORD, 7))], Avro(None, "http://127.0.0.1:1"))
