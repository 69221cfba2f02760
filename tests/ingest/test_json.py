"""What JSON alone can bring: bodies that are no JSON, rows that are no objects, and far more of them than it seems."""

from __future__ import annotations

import json
import random
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given as hypothesis
from hypothesis import strategies as st

from barograph.errors import InputError, TooLarge
from barograph.frames.columns import as_text, numbers, times
from barograph.ingest.decode import decode_events, decode_labels
from barograph.ingest.json_split import split_lines, split_list
from barograph.ingest.layouts import event_layout, label_layout
from barograph.ingest.limits import ROW_BYTES, Limits
from barograph.ingest.values import moments, number_of, text_array, time_array

JSON, NDJSON = "application/json", "application/x-ndjson"

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@hypothesis(st.lists(values, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_any_list_is_split_into_its_elements(rows: list[Any], indent: int | None, ascii_only: bool) -> None:
    body = json.dumps(rows, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert [json.loads(body[a:b]) for a, b in split_list(body, 10)] == rows


@hypothesis(st.lists(values, max_size=6), st.sampled_from([b"\n", b"\r\n", b"\n\n \n"]))
def test_any_lines_are_split(rows: list[Any], end: bytes) -> None:
    body = end.join(json.dumps(row).encode() for row in rows)
    assert [json.loads(body[a:b]) for a, b in split_lines(body, 10)] == rows


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"hello",
        b"[",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[1 2]",
        b"[1]]",
        b'["a',
        b"[{]}",
        b'[{"a": 1]',
        b"5",
        b"null",
    ],
)
def test_a_body_that_is_no_list_and_no_object_is_refused_as_a_whole(given: ModuleType, body: bytes) -> None:
    with pytest.raises(InputError, match="JSON"):
        decode_events(body, JSON, event_layout(given.SCHEMA), now_us=given.NOW)


def test_rows_that_are_no_objects_are_rejected_alone(given: ModuleType) -> None:
    good = json.dumps(given.event(0))
    rows = [
        "5",
        "null",
        '"text"',
        "[1, 2]",
        '{"event_id": NaN}',
        "{bad}",
        "[" * 100_000 + "]" * 100_000,  # deeper than any Python goes
        '{"event_id": 1e999}',
    ]
    for form, body in ((JSON, f"[{','.join([good, *rows])}]"), (NDJSON, "\n".join([good, *rows]))):
        found = decode_events(body.encode(), form, event_layout(given.SCHEMA), now_us=given.NOW)
        reasons = given.reasons(found)
        assert (found.received, found.accepted, sorted(reasons)) == (9, 1, list(range(1, 9)))
        assert [reasons[i] for i in (1, 2, 3, 4)] == [
            "expected an object, got 5",
            "expected an object, got None",
            "expected an object, got 'text'",
            "expected an object, got [1, 2]",
        ]
        assert "send null" in reasons[5]
        assert all(reasons[i].startswith("not JSON") for i in (5, 6, 7, 8))
        assert "deep" in reasons[7]
        assert found.rejected[0].row == "5"


def test_text_that_is_not_utf_8_is_rejected_by_row(given: ModuleType) -> None:
    body = b"\n".join(
        [
            json.dumps(given.event(0)).encode(),
            b'{"event_id": "\xff", "timestamp": 1748000000}',
            b'{"event_id": "\\ud800", "timestamp": 1748000000}',
        ]
    )
    found = decode_events(body, NDJSON, event_layout(given.SCHEMA), now_us=given.NOW)
    assert (found.accepted, sorted(given.reasons(found))) == (1, [1, 2])


def test_a_row_of_ndjson_is_a_line_whatever_is_in_it(given: ModuleType) -> None:
    one, two = json.dumps(given.event(1)), json.dumps(given.event(2), indent=1)
    layout = event_layout(given.SCHEMA)
    both = decode_events(f"{one} {one}".encode(), NDJSON, layout, now_us=given.NOW)
    assert (both.received, both.accepted) == (1, 0)
    spread = decode_events(f"{one}\n{two}".encode(), NDJSON, layout, now_us=given.NOW)
    assert spread.accepted == 1
    assert spread.received > 2


def test_a_mark_of_byte_order_and_spaces_are_no_error(given: ModuleType) -> None:
    layout, one = event_layout(given.SCHEMA), json.dumps(given.event(1)).encode()
    for body, form in (
        (b"\xef\xbb\xbf" + one, JSON),
        (b"\xef\xbb\xbf" + one, NDJSON),
        (b"\n [ " + one + b" ]\n", JSON),
    ):
        assert decode_events(body, form, layout, now_us=given.NOW).accepted == 1
    assert decode_events(b"\n" + one, JSON, layout, now_us=given.NOW).accepted == 1


def test_the_same_rows_are_found_fast_and_one_by_one(given: ModuleType) -> None:
    rng = random.Random(3)
    rows = [
        given.event(
            i,
            amount=rng.choice([None, 1, 2.5, -0.0, 1e300, 2**70]),
            colour=rng.choice([None, "red", "", 1, 1.0, 2.5, True, 10**25, 1e-7]),
            known=rng.choice([None, True, False]),
            label=rng.choice([None, "1", 0, 1.0, False]),
        )
        for i in range(300)
    ]
    layout = event_layout(given.SCHEMA)
    fast = decode_events(given.body(rows, JSON), JSON, layout, now_us=given.NOW)
    slow = decode_events(given.body([*rows, given.event(300, trace=1)], JSON), JSON, layout, now_us=given.NOW)
    assert (fast.accepted, slow.accepted, slow.unknown) == (300, 301, {"trace": 1})
    assert given.kept(fast) == given.kept(slow).slice(0, 300)
    assert given.kept(fast, "labels") == given.kept(slow, "labels")
    few = [decode_events(given.body(rows[i : i + 50], JSON), JSON, layout, now_us=given.NOW) for i in range(0, 300, 50)]
    assert pa.concat_tables(given.kept(f) for f in few) == given.kept(fast)


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"0," * 2_000_000 + b"0]",
        b"[" + b"[]," * 1_000_000 + b"[]]",
        b"[" + b"{}," * 1_000_000 + b"{}]",
        b"[" + b'{"event_id":"","timestamp":""},' * 300_000 + b"0]",
    ],
)
def test_a_list_of_millions_stops_at_the_limit(given: ModuleType, body: bytes) -> None:
    layout = event_layout(given.SCHEMA, Limits(body_rows=1000))
    with pytest.raises(TooLarge, match="more than 1,000 rows"):
        decode_events(body, JSON, layout, now_us=given.NOW)
    with pytest.raises(TooLarge, match="more than 1,000 rows"):
        decode_labels(body, JSON, label_layout(given.SCHEMA, Limits(body_rows=1000)), now_us=given.NOW)


def test_a_row_of_millions_of_values_is_refused_before_it_is_decoded(given: ModuleType) -> None:
    huge = b'{"event_id": "a", "x": [' + b"[]," * (ROW_BYTES // 3) + b"[]]}"
    for form, body in ((JSON, b"[" + huge + b"]"), (NDJSON, huge + b"\n"), (JSON, huge)):
        with pytest.raises(TooLarge, match="Row 0 has more than"):
            decode_events(body, form, event_layout(given.SCHEMA), now_us=given.NOW)


def test_a_wide_model_may_send_fewer_rows_at_once() -> None:
    limits = Limits()
    assert limits.rows(20) == 100_000
    assert limits.rows(2_000) == 10_000


def test_too_many_fields_are_rejected_by_row_and_names_are_counted_up_to_a_bound(given: ModuleType) -> None:
    layout = event_layout(given.SCHEMA, Limits(body_columns=100))
    wide = given.event(0, **{f"x{i}": 1 for i in range(100)})
    found = decode_events(given.body([wide], JSON), JSON, layout, now_us=given.NOW)
    assert given.reasons(found) == {0: "expected at most 100 fields, got 106"}
    rows = [given.event(i, **{f"x{i}-{j}": 1 for j in range(50)}) for i in range(100)]
    found = decode_events(given.body(rows, JSON), JSON, layout, now_us=given.NOW)
    assert (found.accepted, len(found.unknown)) == (100, 1000)


def test_unknown_fields_beyond_the_length_of_a_text_are_rejected(given: ModuleType) -> None:
    layout = event_layout(given.SCHEMA, Limits(text_bytes=1000))
    rows = [given.event(0, note="x" * 900), given.event(1, note="x" * 1000)]
    found = decode_events(given.body(rows, JSON), JSON, layout, now_us=given.NOW)
    assert list(given.reasons(found)) == [1]


TEXTS = [
    "1",
    " 1.5 ",
    "+2",
    "-.5",
    "5.",
    "1e3",
    "1E-3",
    "1_0",
    "0x10",
    "inf",
    "-Infinity",
    "NaN",
    "",
    " ",
    "one",
    "١",
    "1,5",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_the_number_that_the_profiles_read(text: str) -> None:
    expected = numbers(pa.array([text]))
    if expected.type_error is not None and expected.type_error[0]:
        with pytest.raises(ValueError, match="is not a number"):
            number_of(text)
    elif expected.null is not None and expected.null[0]:
        assert number_of(text) is None
    else:
        np.testing.assert_array_equal([number_of(text)], expected.values)


@hypothesis(st.floats(allow_nan=True) | st.integers() | st.booleans() | st.text(max_size=5) | st.none())
def test_a_value_has_the_text_that_the_profiles_give_it(value: Any) -> None:
    fits = not isinstance(value, int) or abs(value) < 2**63
    expected = as_text(pa.array([value])).to_pylist() if fits and value is not None else [str(value) if value else None]
    if value is not None:
        assert text_array([value]).to_pylist() == expected
    assert text_array([value, "x"]).to_pylist()[1] == "x"


MOMENTS = [
    *("2024-07-01T10:00:00Z", "2024-07-01T10:00:00+02:00", "2024-07-01 10:00:00.1234567", "2024-03-31T02:30:00"),
    *("2024-10-27T02:30:00", "2024-02-30T00:00:00Z", "2024-07-01", "2024-07-01T24:00:00", "2024-07-01T10:00:60Z"),
    *("20240701T100000Z", "2024-W27-1", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon", "", "1719828000"),
    *(1719828000, 1719828000.25, 1719828000123, 1719828000123456, 1719828000123456789, 5, -1719828000, 10**30, True),
    *(None, [1], {"a": 1}),
]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_few_times_and_many_are_read_alike_and_as_the_profiles_read_them(zone: str) -> None:
    many, known = time_array(MOMENTS, zone)
    assert moments(MOMENTS, zone) == [t if ok else None for t, ok in zip(many.tolist(), known.tolist(), strict=True)]
    texts = [m for m in MOMENTS if isinstance(m, str)]
    expected = times(pa.array(texts), zone)
    assert expected.type_error is not None
    right = [
        None if wrong or not text else t
        for text, t, wrong in zip(texts, expected.microseconds.tolist(), expected.type_error.tolist(), strict=True)
    ]
    assert moments(texts, zone) == right
