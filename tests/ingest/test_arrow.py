"""Arrow streams from outside: all types that hold values are read, and no claim of a body is believed."""

from __future__ import annotations

import random
import resource
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from barograph.errors import InputError, TooLarge
from barograph.ingest.decode import Decoded, decode_events, decode_labels
from barograph.ingest.layouts import event_layout, label_layout
from barograph.ingest.limits import Limits

ARROW = "application/vnd.apache.arrow.stream"
SMALL = Limits(expanded_bytes=1_000_000, body_rows=1000, body_columns=50, text_bytes=1000)


def decode(given: ModuleType, body: bytes, limits: Limits | None = None) -> Decoded:
    return decode_events(body, ARROW, event_layout(given.SCHEMA, limits), now_us=given.NOW)


def table(n: int, **columns: Any) -> pa.Table:
    plain: dict[str, Any] = {"event_id": [f"e{i}" for i in range(n)], "timestamp": [1_748_000_000] * n}
    return pa.table({**plain, **columns})


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Asia/Dubai")),
        *(pa.date32(), pa.date64()),
    ],
)
def test_timestamps_of_any_unit_and_zone_are_moments(given: ModuleType, kind: pa.DataType) -> None:
    moment = datetime(2025, 6, 1, tzinfo=UTC)
    day = pa.types.is_date(kind)
    values = pa.array([date(2025, 6, 1) if day else moment.replace(tzinfo=None)], kind if day else pa.timestamp("s"))
    column = values if day else values.view(pa.int64()).cast(pa.int64())
    if not day:
        scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        column = pa.array([values.view(pa.int64())[0].as_py() * scale]).view(kind)
    found = decode(given, given.stream(table(1).set_column(1, "timestamp", column)))
    assert given.kept(found)["timestamp"].to_pylist() == [moment]


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (pa.array([1, None, 3], pa.int8()), [1.0, None, 3.0]),
        (pa.array([1, 2, 3], pa.uint64()), [1.0, 2.0, 3.0]),
        (pa.array([1.5, None, 3], pa.float32()), [1.5, None, 3.0]),
        (pa.array([np.float16(1.5), None, None], pa.float16()), [1.5, None, None]),
        (pa.array([Decimal("1.25"), None, None]), [1.25, None, None]),
        (pa.array([True, False, None]), [1.0, 0.0, None]),
        (pa.array(["1", "", None]), [1.0, None, None]),
        (pa.array(["1", "", None], pa.large_string()), [1.0, None, None]),
        (pa.array(["1", "2", None], pa.string_view()), [1.0, 2.0, None]),
        (pa.array(["1", "2", None]).dictionary_encode(), [1.0, 2.0, None]),
        (pa.array([1, 2, None]).dictionary_encode(), [1.0, 2.0, None]),
        (pa.nulls(3), [None, None, None]),
        (pa.array([timedelta(seconds=1), None, None]), [1.0, None, None]),
        (pa.array([time(1), None, None]), [3600.0, None, None]),
    ],
)
def test_values_of_any_type_are_numbers_where_they_can_be(given: ModuleType, values: Any, numbers: list[Any]) -> None:
    found = decode(given, given.stream(table(3, amount=values)))
    assert given.kept(found)["amount"].to_pylist() == numbers


def test_nan_and_infinity_are_kept_apart_from_null(given: ModuleType) -> None:
    values = [1.0, float("nan"), float("inf"), float("-inf"), None]
    for kind in (pa.float64(), pa.float32()):
        column = given.kept(decode(given, given.stream(table(5, amount=pa.array(values, kind)))))["amount"]
        assert column.null_count == 1
        np.testing.assert_array_equal(column.to_numpy(), [1.0, np.nan, np.inf, -np.inf, np.nan])


def test_what_polars_and_pandas_write_is_read(given: ModuleType) -> None:
    import io

    frame = pl.DataFrame(given.events(1000)).with_columns(
        pl.col("timestamp").str.to_datetime(time_zone="UTC"), pl.col("colour").cast(pl.Categorical)
    )
    sink = io.BytesIO()
    frame.write_ipc_stream(sink, compression="lz4")
    compressed, plain = sink.getvalue(), given.stream(frame.to_arrow())
    pandas = given.stream(pa.Table.from_pandas(frame.to_pandas()))
    tables = [given.kept(decode(given, body)) for body in (compressed, plain, pandas)]
    assert tables[0].num_rows == 1000
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_several_compressed_batches_are_one_body(given: ModuleType, compression: str) -> None:
    whole = pa.concat_tables([table(40, colour=pa.array(["a", "b"] * 20).dictionary_encode()) for _ in range(2)])
    whole = whole.set_column(0, "event_id", pa.array(np.arange(80)))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(whole, max_chunksize=7)
    found = decode(given, sink.getvalue().to_pybytes())
    assert given.kept(found)["colour"].to_pylist() == ["a", "b"] * 40


def test_unknown_columns_of_any_type_are_kept_as_json(given: ModuleType) -> None:
    found = decode(
        given,
        given.stream(
            table(
                1,
                day=[date(2025, 6, 1)],
                far=pa.array([2**62], pa.timestamp("s", "Nowhere/There")),
                lasting=pa.array([5], pa.duration("s")),
                raw=[b"\xff"],
                price=[Decimal("1.10")],
                many=[[1, None]],
                inner=[{"a": 1.5, "b": ["x"]}],
                odd=[float("nan")],
            )
        ),
    )
    extra = msgspec.json.decode(given.kept(found)["_extra"][0].as_py())
    assert extra.pop("far")
    assert extra == {
        "day": "2025-06-01",
        "lasting": 5,
        "raw": "/w==",
        "price": "1.10",
        "many": [1, None],
        "inner": {"a": 1.5, "b": ["x"]},
        "odd": None,
    }


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("event_id", pa.array([True])),
        ("event_id", pa.array([[1]])),
        ("amount", pa.array([[1.0]])),
        ("colour", pa.array([{"a": 1}])),
        ("other", pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8()))),
        ("other", pa.RunEndEncodedArray.from_arrays([1], ["x"])),
    ],
)
def test_columns_that_cannot_be_read_are_named(given: ModuleType, name: str, column: Any) -> None:
    whole = table(1)
    if name in whole.column_names:
        whole = whole.drop_columns(name)
    with pytest.raises(InputError, match=f"(?i)column '{name}'"):
        decode(given, given.stream(whole.append_column(name, column)))


def test_a_body_without_ids_or_times_or_labels_is_refused(given: ModuleType) -> None:
    for missing in ("event_id", "timestamp"):
        with pytest.raises(InputError, match=missing):
            decode(given, given.stream(table(1).drop_columns(missing)))
    with pytest.raises(InputError, match="'label'"):
        decode_labels(given.stream(table(1)), ARROW, label_layout(given.SCHEMA), now_us=given.NOW)


# Claims


def test_a_trillion_nulls_are_too_many_rows(given: ModuleType) -> None:
    body = given.stream(pa.table({"event_id": pa.nulls(777), "timestamp": pa.nulls(777)}))
    assert decode(given, body).received == 777
    claimed = body.replace(struct.pack("<q", 777), struct.pack("<q", 2**40))
    assert len(claimed) < 1000
    with pytest.raises(TooLarge, match="more than 100,000 rows"):
        decode(given, claimed)
    columns = {f"x{i}": pa.nulls(20_001) for i in range(1000)}
    with pytest.raises(TooLarge, match="more than 20,000 rows"):
        decode(given, given.stream(pa.table(columns)))


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_buffer_that_expands_beyond_the_bound_is_not_expanded(given: ModuleType, compression: str) -> None:
    body = given.stream(table(900, colour=[" " * 900 + str(i) for i in range(900)]), compression=compression)
    assert decode(given, body, SMALL).accepted == 900
    zeros = given.stream(table(900, colour=[" " * 9000] * 900), compression=compression)
    assert len(zeros) < 100_000
    with pytest.raises(TooLarge, match="expands to more than 1,000,000 bytes"):
        decode(given, zeros, SMALL)
    # The same body, claiming a terabyte for one buffer
    size = struct.pack("<q", 901 * 4)  # the offsets of `colour`
    assert size in zeros
    with pytest.raises(TooLarge, match="expands"):
        decode(given, zeros.replace(size, struct.pack("<q", 2**40), 1))


def test_a_text_that_every_row_shares_is_not_copied_beyond_the_bound(given: ModuleType) -> None:
    one = pa.array(["x" * 900])
    shared = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), one)
    assert decode(given, given.stream(table(1000, colour=shared)), SMALL).accepted == 1000
    for more in ({"colour": shared, "known": shared}, {"colour": shared, "other": shared}):
        with pytest.raises(TooLarge, match="texts of the body"):
            decode(given, given.stream(table(1000, **more)), SMALL)
    huge = pa.DictionaryArray.from_arrays(pa.array([0] * 500 + [1] * 500, pa.int32()), pa.array(["x" * 500_000, "y"]))
    found = decode(given, given.stream(table(1000, colour=huge)), SMALL)
    assert (found.accepted, len(found.rejected)) == (500, 500)
    assert given.reasons(found)[0] == "colour: expected at most 1,000 bytes of text, got 500,000"


def test_views_of_one_text_are_not_copied_beyond_the_bound(given: ModuleType) -> None:
    data = pa.py_buffer(b"x" * 100_000)
    view = struct.pack("<i4sii", 100_000, b"xxxx", 0, 0)
    views = pa.Array.from_buffers(pa.string_view(), 900, [None, pa.py_buffer(view * 900), data])
    with pytest.raises(TooLarge, match="texts of the body"):
        decode(given, given.stream(table(900, colour=views)), SMALL)


def test_what_lies_under_a_null_is_never_read(given: ModuleType) -> None:
    views = struct.pack("<i12s", 3, b"red") + struct.pack("<4i", -(2**31), 7, 9, 2**31 - 1)
    column = pa.Array.from_buffers(pa.string_view(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(views), pa.py_buffer(b"")])
    found = decode(given, given.stream(table(2, colour=column, other=column)))
    assert given.kept(found)["colour"].to_pylist() == ["red", None]


@pytest.mark.parametrize("kind", [pa.list_(pa.null()), pa.list_(pa.null(), 2**24)])
def test_lists_of_endless_nulls_are_not_made(given: ModuleType, kind: pa.DataType) -> None:
    if pa.types.is_fixed_size_list(kind):
        column = pa.FixedSizeListArray.from_arrays(pa.nulls(2**24), 2**24)
    else:
        column = pa.ListArray.from_arrays(pa.array([0, 2**24], pa.int32()), pa.nulls(2**24))
    with pytest.raises(TooLarge, match="33,554,432 values"):
        decode(given, given.stream(table(1, other=column)))


def test_countless_messages_columns_and_fields_are_refused(given: ModuleType) -> None:
    sink = pa.BufferOutputStream()
    empty = table(0, colour=[]).cast(pa.schema([("event_id", "string"), ("timestamp", "int64"), ("colour", "string")]))
    with pa.ipc.new_stream(sink, empty.schema) as writer:
        for _ in range(10_001):
            writer.write_batch(pa.RecordBatch.from_pylist([], empty.schema))
    with pytest.raises(TooLarge, match="messages"):
        decode(given, sink.getvalue().to_pybytes())
    with pytest.raises(TooLarge, match="101 columns"):
        decode(given, given.stream(pa.table({f"x{i}": [1] for i in range(101)})), SMALL)
    nested: pa.DataType = pa.int8()
    for _ in range(50):
        nested = pa.list_(nested)
    with pytest.raises((TooLarge, InputError)):
        decode(given, given.stream(pa.table({"x": pa.array([None], nested)})), SMALL)
    with pytest.raises(InputError, match="more than one column named 'x'"):
        decode(given, given.stream(pa.Table.from_arrays([pa.array([1])] * 2, names=["x", "x"])))


def test_a_body_whose_insides_are_wrong_is_refused(given: ModuleType) -> None:
    n = 4
    texts = pa.Array.from_buffers(
        pa.string(), n, [None, pa.py_buffer(struct.pack("<5i", 0, 3, 1, 2, 3)), pa.py_buffer(b"abc")]
    )
    bytes_ = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(struct.pack("<2i", 0, 1)), pa.py_buffer(b"\xff")]
    )
    indices = pa.DictionaryArray.from_buffers(
        pa.dictionary(pa.int32(), pa.string()),
        n,
        [None, pa.py_buffer(struct.pack("<4i", 0, 9, -5, 1))],
        pa.array(["a"]),
    )
    for column in (texts, bytes_, indices):
        with pytest.raises(InputError, match="not a valid Arrow IPC stream"):
            decode(given, given.stream(table(len(column), colour=column)))


def test_any_damage_gives_an_error_or_rows_but_never_a_crash(given: ModuleType) -> None:
    rng = random.Random(11)
    columns: dict[str, Any] = {
        "amount": pa.array([1.0, None, 3.0]),
        "colour": pa.array(["red", None, "blue"]).dictionary_encode(),
        "known": pa.array(["x", "y" * 20, None], pa.string_view()),
        "other": pa.array([[1], None, [2, 3]]),
        "inner": pa.array([{"a": "b"}, None, {"a": "c"}]),
        "when": pa.array([1, 2, None], pa.timestamp("ns", "Asia/Dubai")),
    }
    refused, before = 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for compression in (None, "lz4"):
        body = given.stream(table(3, **columns), compression=compression)
        bodies = [body[:size] for size in range(0, len(body), 61)]
        for _ in range(400):
            damaged = bytearray(body)
            for _ in range(rng.choice([1, 1, 2, 5])):
                at = rng.randrange(len(damaged))
                damaged[at : at + 8] = rng.choice(
                    [rng.randbytes(1) + damaged[at + 1 : at + 8], b"\xff" * 8, b"\0" * 8, struct.pack("<q", 2**40)]
                )
            bodies.append(bytes(damaged))
        for one in bodies:
            try:
                given.kept(decode(given, one))
            except InputError:
                refused += 1
    assert refused > 400
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000, "KiB: less than 1 GB"


@pytest.mark.parametrize("body", [b"", b"hello", b"\xff" * 100, b"\0" * 100, b"[]", b"ARROW1\0\0"])
def test_a_body_that_is_no_stream_is_refused(given: ModuleType, body: bytes) -> None:
    with pytest.raises(InputError, match="not a valid Arrow IPC stream"):
        decode(given, body)
