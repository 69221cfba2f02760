"""Messages of a log, such as Kafka's, as rows: a line of JSON each, or a table where a message is an Arrow stream.

What cannot be read becomes a line that is no object: it is rejected with its reason, and kept in the quarantine, like
every other row that cannot be taken; it holds up nothing.
"""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any, Literal, NamedTuple, TypeAlias  # Any: values of Avro, and schemas as JSON

import pyarrow as pa

from barograph.client.files import Put, Sent, put_table
from barograph.errors import BarographError, InputError, StoreError, TooLarge
from barograph.extras import needs
from barograph.frames.urls import address_of, hiding, revealed

NDJSON = "application/x-ndjson"
LINE_BYTES = 1024 * 1024  # the service takes no longer row
BODY_BYTES = 8 * 2**20
SHOWN_BYTES = 2_000  # of a message that cannot be read, that are kept
REGISTRY_S = 10.0
_MAGIC = 0  # the first byte of a message whose schema is in a registry; four bytes of the schema's id follow

Id: TypeAlias = Literal["value", "key", "offset"]


class Message(NamedTuple):  # a dataclass takes four times as long to make, and there are tens of thousands a second
    """One message. `at_us` is the time that the log gives it, None without one."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    at_us: int | None = None

    @property
    def place(self) -> str:
        """Return where it stands, as a person would look for it.

        >>> Message(topic="scores", partition=2, offset=17, key=None, value=b"").place
        'scores-2-17'
        """
        return f"{self.topic}-{self.partition}-{self.offset}"


Read: TypeAlias = Callable[[Message], "bytes | pa.Table"]


def json_line(message: Message) -> bytes:
    """Return a message of JSON as one line. Whether it is right is found out by who takes it."""
    value = message.value.strip()
    if not value:
        raise InputError("it is empty")
    return value.replace(b"\n", b"\r")  # a line break between values may as well be another space


def arrow_rows(message: Message) -> pa.Table:
    """Return the rows of a message that is an Arrow stream. Raises InputError for one that is damaged."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(message.value)) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"it is no whole Arrow stream: {str(error).splitlines()[0]}") from None
    return table


class Avro:
    """Reads messages of Avro: with one schema, or each with that of a registry which its first bytes name."""

    def __init__(self, schema: str | None, registry: str | None) -> None:
        with needs("kafka", "Reading Avro"):
            import fastavro
        self._read = fastavro.schemaless_reader
        self._parse = fastavro.parse_schema
        self._registry = registry
        self._own = None if schema is None else self._parse(json.loads(schema))
        self._known: dict[int, Any] = {}

    def __call__(self, message: Message) -> bytes:
        """Return a message as a line of JSON. Raises InputError for one that is damaged."""
        value, schema = message.value, self._own
        start = 0
        if self._registry is not None:
            if len(value) < 5 or value[0] != _MAGIC:
                raise InputError("it does not begin with the id of a schema, as those of a registry do")
            schema, start = self._schema(int.from_bytes(value[1:5], "big")), 5
        data = io.BytesIO(value[start:])
        try:
            record = self._read(data, schema or {}, self._own)
        except Exception as error:  # fastavro raises whatever reading damaged bytes leads to
            raise InputError(f"it cannot be read with its schema: {type(error).__name__}: {error}") from None
        if data.tell() != len(value) - start:
            raise InputError("more follows than its schema says")
        if not isinstance(record, Mapping):
            raise InputError(f"expected a record, got {record!r}"[:SHOWN_BYTES])
        return json.dumps(_plain(record), allow_nan=False, ensure_ascii=False, default=str).encode(errors="replace")

    def _schema(self, number: int) -> Any:
        if number not in self._known:
            text = fetch(self._registry or "", f"/schemas/ids/{number}")
            try:
                self._known[number] = self._parse(json.loads(json.loads(text)["schema"]))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"the schema {number} of the registry is none: {error}") from None
        return self._known[number]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def fetch(registry: str, path: str) -> bytes:
    """Return what a schema registry answers. Raises StoreError if it is away, InputError if it does not have it."""
    with hiding(registry):
        address = address_of(registry)
        request = urllib.request.Request(f"{address.place.rstrip('/')}{path}")
        if address.user:
            pair = f"{revealed(address.user)}:{revealed(address.password or '')}"
            request.add_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=REGISTRY_S) as answer:
                return bytes(answer.read(LINE_BYTES))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                raise InputError(f"the registry has no {path.strip('/')}") from None
            raise StoreError(f"The schema registry at {registry!r} answered {error.code}.") from None
        except OSError as error:
            raise StoreError(f"The schema registry at {registry!r} cannot be reached: {error}.") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def with_fields(line: bytes, message: Message, *, id: Id, timestamp: bool) -> bytes:
    """Return a line with the id and the time that the log gives a message, where these are wanted.

    What the value itself says under the same name holds.

    >>> one = Message(topic="t", partition=0, offset=7, key=b"k1", value=b"", at_us=1_000_000)
    >>> with_fields(b'{"x": 1}', one, id="offset", timestamp=True)
    b'{"id": "t-0-7", "timestamp": 1.0, "x": 1}'
    """
    if id == "value" and not timestamp:
        return line
    fields: dict[str, Any] = {}
    if id != "value":
        fields["id"] = message.place if id == "offset" else (message.key or b"").decode("utf-8", "backslashreplace")
    if timestamp and message.at_us is not None:
        fields["timestamp"] = message.at_us / 1e6
    if not fields or line[:1] != b"{":
        return line
    rest = line[1:].lstrip()
    return json.dumps(fields, ensure_ascii=False).encode()[:-1] + (b"" if rest[:1] == b"}" else b", ") + rest


def unread(message: Message, reason: object) -> bytes:
    """Return the line of a message that cannot be read: a text, with its place, the reason, and the bytes in Base64."""
    data = base64.b64encode(message.value[:SHOWN_BYTES]).decode()
    return json.dumps(f"{message.place}: {reason}. In Base64: {data}", ensure_ascii=False).encode(errors="replace")


def put_messages(
    put: Put, messages: Sequence[Message], read: Read, *, id: Id = "value", timestamp: bool = False
) -> Sent:
    """Hand messages on, in their order; all of them are on the disk when this returns. Raises what `put` raises."""
    total = Sent()
    for body in _bodies(messages, read, id, timestamp):
        total += put_table(put, body) if isinstance(body, pa.Table) else _put_lines(put, body)
    return total


Line: TypeAlias = tuple[bytes, Message]


def _bodies(messages: Sequence[Message], read: Read, id: Id, timestamp: bool) -> Iterator[pa.Table | list[Line]]:
    lines: list[Line] = []
    tables: list[pa.Table] = []
    size = 0
    for message in messages:
        try:
            found = read(message)
        except StoreError:
            raise  # what it is read with is away: that is no fault of the message
        except BarographError as error:
            found = unread(message, error)
        if isinstance(found, bytes):
            line = with_fields(found, message, id=id, timestamp=timestamp)
            if len(line) > LINE_BYTES:
                line = unread(message, f"it has {len(line):,} bytes, and a row has at most {LINE_BYTES:,}")
        if (lines and (not isinstance(found, bytes) or size + len(line) > BODY_BYTES)) or (
            tables and (isinstance(found, bytes) or found.schema != tables[0].schema)
        ):
            yield lines or pa.concat_tables(tables)
            lines, tables, size = [], [], 0
        if isinstance(found, bytes):
            lines.append((line, message))
            size += len(line)
        else:
            tables.append(found)
    if lines or tables:
        yield lines or pa.concat_tables(tables)


def _put_lines(put: Put, lines: Sequence[Line]) -> Sent:
    try:
        return put(b"\n".join(line for line, _ in lines), NDJSON)
    except TooLarge as error:
        if len(lines) > 1:
            middle = len(lines) // 2
            return _put_lines(put, lines[:middle]) + _put_lines(put, lines[middle:])
        return put(unread(lines[0][1], error), NDJSON)
