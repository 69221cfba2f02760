"""Sensitive values: nothing of what a body becomes has them, whatever its type, its form and its mistakes."""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from barograph.errors import InputError
from barograph.ingest.decode import Decoded, decode_events, decode_labels
from barograph.ingest.decoders import _REGISTERED as REGISTERED
from barograph.ingest.decoders import Decoder, catalogue, register
from barograph.ingest.layouts import event_layout, label_layout
from barograph.ingest.sensitive import MASK, Sensitive
from barograph.spec.frozen import Frozen
from barograph.spec.schema import ColumnType

sys.path.insert(0, str(Path(__file__).parent))
from rows import ARROW, JSON, NDJSON, NOW, SCHEMA, body, event, kept, stream

CLEAR = "clear@example.org"
WAYS = {"colour": "hash", "mail": "drop", "phone": "mask", "who.name": "hash"}
SENSITIVE = Sensitive(WAYS, b"k" * 32)
LAYOUT = event_layout(SCHEMA, sensitive=SENSITIVE)
LABELS = label_layout(SCHEMA, sensitive=Sensitive({**WAYS, "event_id": "hash"}, b"k" * 32))
TYPES = sorted(catalogue())


def told(decoded: Decoded) -> bytes:
    """Return all that becomes of a body: what is kept, said and counted."""
    return b"".join(part.payload() for part in decoded.parts) + repr(decoded).encode()


def oracle(column: str, text: str) -> str:
    """Return the documented hash, made again."""
    own = hashlib.blake2b(column.encode(), key=b"k" * 32, digest_size=32).digest()
    return "hash-" + hashlib.blake2b(text.encode(), key=own, digest_size=16).hexdigest()


def decoded(rows: Any, content_type: str) -> Decoded:
    data = rows if isinstance(rows, bytes) else body(rows, content_type)
    return decode_events(data, content_type, LAYOUT, now_us=NOW)


@pytest.mark.parametrize("n", [3, 300])
@pytest.mark.parametrize("content_type", TYPES)
def test_equal_values_stay_equal_and_nothing_clear_is_left(content_type: str, n: int) -> None:
    rows = [event(i, colour=CLEAR, mail=CLEAR, phone=CLEAR, other=7) for i in range(n)]
    rows[1]["amount"] = "much"  # this one is rejected, with its text
    if content_type == ARROW:
        rows = [{**row, "amount": str(row["amount"])} for row in rows]
    found = decoded(rows, content_type)
    assert CLEAR.encode() not in told(found)
    assert [r.index for r in found.rejected] == [1]
    assert oracle("colour", CLEAR) in found.rejected[0].row
    assert set(kept(found).column("colour").to_pylist()) == {oracle("colour", CLEAR)}
    extra = [json.loads(text) for text in kept(found).column("_extra").to_pylist()]
    assert extra == [{"phone": MASK, "other": 7}] * (n - 1)
    assert found.unknown["other"]
    assert "mail" not in found.unknown


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (1.0, "1"), (True, "True"), (2.5, "2.5"), ("é", "é"), (2**53 + 1, "9007199254740993")]
)
@pytest.mark.parametrize("content_type", TYPES)
def test_a_value_has_one_hash_in_whatever_type_it_comes(content_type: str, value: object, text: str) -> None:
    assert kept(decoded([event(0, colour=value)], content_type)).column("colour").to_pylist() == [
        oracle("colour", text)
    ]


@pytest.mark.parametrize("content_type", TYPES)
def test_what_is_missing_stays_missing(content_type: str) -> None:
    rows = [event(0, colour=None), event(1, colour=""), event(2, colour="red")]
    assert kept(decoded(rows, content_type)).column("colour").to_pylist() == [None, "", oracle("colour", "red")]


def forms() -> list[dict[str, Any]]:
    """Return the forms in which a row can hold a sensitive value."""
    return [
        event(0, features={"colour": CLEAR}),
        event(1, context={"mail": CLEAR, "trace_id": "t"}),
        event(2, who={"name": CLEAR, "age": 7}),
        {**event(3), "who.name": CLEAR},
        event(4, who=[{"name": CLEAR}, {"name": CLEAR}]),
        event(5, features={"who": {"name": {"first": CLEAR, "last": [CLEAR]}}}),
        event(6, colour=[CLEAR]),
        event(7, colour={"deep": {"er": CLEAR}}),
        event(8, phone=CLEAR, amount=[1]),
    ]


@pytest.mark.parametrize("content_type", [JSON, NDJSON])
@pytest.mark.parametrize("i", range(len(forms())))
def test_a_value_is_found_wherever_it_stands_in_a_row(content_type: str, i: int) -> None:
    found = decoded([forms()[i]], content_type)
    assert CLEAR.encode() not in told(found)
    assert found.received == 1


def test_objects_of_arrow_are_taken_apart() -> None:
    base = {"event_id": ["a"], "timestamp": ["2025-06-01T10:00:00Z"]}
    nested = pa.table({**base, "who": [{"name": CLEAR, "age": 7}], "features": [{"colour": CLEAR}]})
    found = decoded(stream(nested), ARROW)
    assert CLEAR.encode() not in told(found)
    assert json.loads(kept(found).column("_extra")[0].as_py()) == {"who.name": oracle("who.name", CLEAR), "who.age": 7}
    assert kept(found).column("colour").to_pylist() == [oracle("colour", CLEAR)]
    whole = pa.table({**base, "colour": [[CLEAR]], "phone": [{"a": CLEAR}]})
    assert CLEAR.encode() not in told(decoded(stream(whole), ARROW))
    with pytest.raises(InputError, match="list of what holds sensitive columns") as refused:
        decoded(stream(pa.table({**base, "who": [[{"name": CLEAR}]]})), ARROW)
    assert CLEAR not in str(refused.value)


def test_values_of_a_dictionary_are_treated_and_not_expanded() -> None:
    texts = pa.array([CLEAR] * 50).dictionary_encode()
    table = pa.table({"event_id": [f"e{i}" for i in range(50)], "timestamp": ["2025-06-01"] * 50, "colour": texts})
    found = decoded(stream(table), ARROW)
    assert CLEAR.encode() not in told(found)
    assert set(kept(found).column("colour").to_pylist()) == {oracle("colour", CLEAR)}


@pytest.mark.parametrize(
    "row",
    [
        b'{"colour": "clear@example.org", "n": NaN}',
        b'"clear@example.org"',
        b'["clear@example.org"]',
        b'{"colour": "clear@example.org"',
        b'{"colour": "clear@example.org\xff"}',
        b"clear@example.org",
        b'{"colour": ' + b"[" * 5000 + b'"clear@example.org"',
    ],
)
def test_of_a_row_that_cannot_be_read_nothing_is_shown(row: bytes) -> None:
    good = json.dumps(event(1)).encode()
    found = decoded(good + b"\n" + row + b"\n" + good.replace(b'"e1"', b'"e2"'), NDJSON)
    assert CLEAR.encode() not in told(found)
    assert (found.accepted, [r.index for r in found.rejected]) == (2, [1])
    assert found.rejected[0].reasons[0].startswith(("not JSON", "expected an object"))
    if row[:1] == b"{":
        with suppress(InputError):
            assert CLEAR.encode() not in told(decoded(row, JSON))


def test_a_body_that_is_none_shows_nothing() -> None:
    for wrong in (
        b"clear@example.org",
        b'[{"a": 1} clear@example.org]',
        b'[{"colour": "clear@example.org"',
        b'"clear@example.org"',
    ):
        with pytest.raises(InputError) as refused:
            decoded(wrong, JSON)
        assert "example" not in str(refused.value)


@pytest.mark.parametrize("content_type", TYPES)
def test_labels_find_the_hashed_ids_of_their_events(content_type: str) -> None:
    for id_name in ("id", "event_id"):
        rows = [{id_name: CLEAR, "label": "1", "mail": CLEAR}, {id_name: f"2{CLEAR}", "label": "", "mail": CLEAR}]
        found = decode_labels(body(rows, content_type), content_type, LABELS, now_us=NOW)
        assert CLEAR.encode() not in told(found)
        assert kept(found, "labels").column("id").to_pylist() == [oracle("event_id", CLEAR)]
    own = event_layout(SCHEMA, sensitive=Sensitive({"event_id": "hash"}, b"k" * 32))
    found = decode_events(body([event(0, event_id=CLEAR)], content_type), content_type, own, now_us=NOW)
    assert kept(found).column("event_id").to_pylist() == [oracle("event_id", CLEAR)]


def test_everything_else_is_byte_for_byte_what_it_was() -> None:
    rules = SENSITIVE.rules({})
    assert rules.row(b'{"a": 1e2, "b" : 12345678901234567890123,"mail":1}') == b'{"a":1e2,"b":12345678901234567890123}'
    features = Frozen({**SCHEMA.features, "colour": ColumnType.CATEGORICAL})
    plain = event_layout(replace(SCHEMA, features=features))
    rows = [event(i, colour=None) for i in range(5)]
    assert kept(decoded(rows, JSON)) == kept(decode_events(body(rows, JSON), JSON, plain, now_us=NOW))


@pytest.mark.parametrize("content_type", TYPES)
def test_what_was_treated_stays_as_it_is(content_type: str) -> None:
    """An id that the service shows comes back with a label; rows that were exported come back as they were."""
    rows = [event(0, colour=oracle("colour", CLEAR), phone=MASK)]
    assert kept(decoded(rows, content_type)).column("colour").to_pylist() == [oracle("colour", CLEAR)]
    for near in (oracle("colour", CLEAR)[:-1], oracle("colour", CLEAR).upper(), f" {oracle('colour', CLEAR)}"):
        found = decoded([event(0, colour=near)], content_type)
        assert kept(found).column("colour").to_pylist() == [oracle("colour", near)]


def test_another_column_and_another_key_give_another_hash() -> None:
    both = Sensitive({"a": "hash", "b": "hash"}, b"k" * 32), Sensitive({"a": "hash"}, b"l" * 32)
    columns = [both[0].column("a"), both[0].column("b"), both[1].column("a")]
    assert len({column.text("x") for column in columns if column}) == 3


def test_a_decoder_that_does_not_treat_them_is_refused() -> None:
    json_of = catalogue()[JSON]
    register(Decoder(content_type="application/x-own", events=json_of.events, labels=json_of.labels))
    try:
        with pytest.raises(InputError, match="the decoder of 'application/x-own' does not treat"):
            decoded([event(0)] and b"[]", "application/x-own")
    finally:
        del REGISTERED["application/x-own"]
        catalogue.cache_clear()
