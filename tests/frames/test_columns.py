"""Values of Arrow columns as numbers, categories and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.frames.columns import as_text, categories, class_codes, is_null, numbers, times
from barograph.frames.zones import to_utc
from barograph.times import from_microseconds


def mask(array: npt.NDArray[np.bool_] | None, n: int) -> list[bool]:
    return [False] * n if array is None else array.tolist()


# Oracles


@given(st.lists(st.one_of(st.none(), st.floats(width=64), st.integers(-(2**53), 2**53), st.text(max_size=5))))
def test_text_is_the_number_that_python_reads(values: list[object]) -> None:
    texts = [None if v is None else str(v) for v in values]
    found, null, wrong = numbers(pa.array(texts, pa.string()))
    for i, text in enumerate(texts):
        if text is None or not text.strip():
            assert mask(null, len(texts))[i]
            assert np.isnan(found[i])
        elif mask(wrong, len(texts))[i]:
            assert text.strip().casefold() != "nan"
            with pytest.raises((ValueError, OverflowError)):
                float(_ascii_number(text))
        else:
            np.testing.assert_equal(found[i], float(text))


def _ascii_number(text: str) -> str:
    """Python also reads `1_0` and digits of other scripts; a file that has those has text."""
    if "_" in text or not text.isascii():
        raise ValueError
    return text


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
)
@given(st.lists(st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30)), min_size=1, max_size=20))  # noqa: DTZ001
@settings(max_examples=40, deadline=None)
def test_a_naive_time_is_what_python_takes_it_for(zone: str, local: list[datetime]) -> None:
    found = times(pa.array(local, pa.timestamp("us")), zone).microseconds
    expected = [time.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC) for time in local]
    assert [from_microseconds(t) for t in found] == expected


def test_each_minute_of_the_days_with_a_clock_change_is_what_python_takes_it_for() -> None:
    for zone, day in [
        ("Europe/Berlin", "2024-03-31"),
        ("Europe/Berlin", "2024-10-27"),
        ("Australia/Lord_Howe", "2024-10-06"),
    ]:
        start = datetime.fromisoformat(day)
        local = [start + timedelta(minutes=m) for m in range(24 * 60)]
        micros = np.array([(t - datetime(1970, 1, 1)) // timedelta(microseconds=1) for t in local])  # noqa: DTZ001
        expected = [t.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for t in local]
        assert [from_microseconds(t) for t in to_utc(micros, zone)] == expected


# Numbers


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, None, 3], pa.int8()),
        pa.array([1, None, 3], pa.uint64()),
        pa.array([1, None, 3], pa.float32()),
        pa.array([Decimal(1), None, Decimal(3)], pa.decimal128(20, 4)),
        pa.array([1, None, 3]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([1, 0, 2], pa.int8()), pa.array([None, 1.0, 3.0])),
        pa.array(["1", None, " 3.0 "]),
        pa.array(["1", "", "3e0"], pa.large_string()),
        pa.array(["1", None, "3"], pa.string_view()),
        pa.array([b"1", None, b"3"]),
        pa.array(["1", None, "3"]).dictionary_encode(),
        pa.chunked_array([[1, None], [3]]),
        pa.array([timedelta(seconds=1), None, timedelta(seconds=3)]),
        pa.array([9, 1, None, 3])[1:],
    ],
    ids=lambda a: str(a.type),
)
def test_every_way_to_store_numbers_gives_the_same(array: pa.Array) -> None:  # type: ignore[type-arg]
    values, null, wrong = numbers(array)
    np.testing.assert_array_equal(values, [1.0, np.nan, 3.0])
    assert mask(null, 3) == [False, True, False]
    assert wrong is None
    if not isinstance(array, pa.ChunkedArray) and "" not in array.to_pylist():
        assert is_null(array).tolist() == [False, True, False]


def test_nan_is_not_null_and_infinity_is_a_number() -> None:
    values, null, wrong = numbers(pa.array([float("nan"), float("inf"), None]))
    np.testing.assert_array_equal(values, [np.nan, np.inf, np.nan])
    assert mask(null, 3) == [False, False, True]
    assert wrong is None
    from_text = numbers(pa.array(["nan", "inf", None, "-Infinity"]))
    np.testing.assert_array_equal(from_text.values, [np.nan, np.inf, np.nan, -np.inf])
    assert mask(from_text.null, 4) == [False, False, True, False]


def test_floats_without_nulls_are_not_copied() -> None:
    source = np.arange(5.0)
    assert np.shares_memory(numbers(pa.array(source)).values, source)


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["one", None, "1,5", "1_0", "0x1"]),
        pa.array([datetime(2024, 1, 1, tzinfo=UTC), None, *[datetime(2024, 1, 2, tzinfo=UTC)] * 3]),
        pa.array([[1.0], None, [], [2.0], [3.0]]),
        pa.array([b"\xff", None, b"a", b"b", b"c"]),
        pa.array(["one", None, "x", "y", "z"]).dictionary_encode(),
    ],
    ids=lambda a: str(a.type),
)
def test_what_is_no_number_is_a_type_error(array: pa.Array) -> None:  # type: ignore[type-arg]
    values, null, wrong = numbers(array)
    assert mask(wrong, 5) == [True, False, True, True, True]
    assert mask(null, 5) == [False, True, False, False, False]
    assert np.isnan(values).all()


@pytest.mark.parametrize(
    "kind", [pa.null(), pa.string(), pa.float64(), pa.bool_(), pa.dictionary(pa.int8(), pa.string())]
)
def test_no_rows_and_only_nulls(kind: pa.DataType) -> None:
    for array in (pa.array([], kind), pa.nulls(3, kind)):
        n = len(array)
        assert np.isnan(numbers(array).values).all()
        assert mask(numbers(array).null, n) == [True] * n
        assert categories(array).indices.tolist() == [-1] * n
        assert times(array).microseconds.tolist() == [0] * n
        assert mask(times(array).null, n) == [True] * n


# Categories


def texts(array: pa.Array) -> list[str | None]:  # type: ignore[type-arg]
    indices, values = categories(array)
    assert len(set(values)) == len(values)
    assert indices.dtype == np.int32
    return [None if i < 0 else values[i] for i in indices]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array(["b", None, "", "b"]), ["b", None, "", "b"]),
        (pa.array(["b", None, "a"]).dictionary_encode()[1:], [None, "a"]),
        (pa.array(["b", None, "a"], pa.string_view()), ["b", None, "a"]),
        (
            pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array(["a", None, "a", "c"])),
            ["a", None, "a", "c"],
        ),
        (pa.array([True, None, False]), ["True", None, "False"]),
        (pa.array([1, None, -3]), ["1", None, "-3"]),
        (pa.array([1.0, float("nan"), -0.0, 0.25, 1e20, None]), ["1", None, "0", "0.25", "1e+20", None]),
        (pa.array([1.0, 2.5]).dictionary_encode(), ["1", "2.5"]),
        (pa.array([Decimal("1.00"), Decimal("2.50")]), ["1", "2.5"]),
        (pa.array([datetime(2024, 1, 31).date()]), ["2024-01-31"]),  # noqa: DTZ001
        (pa.array([[1], None]), ["[1]", None]),
        (pa.array([b"a", b"\xff"]), ["a", "\\xff"]),
        (pa.chunked_array([["a"], ["b", "a"]]), ["a", "b", "a"]),
        (pa.chunked_array([pa.array(["a"]).dictionary_encode(), pa.array(["b"]).dictionary_encode()]), ["a", "b"]),
    ],
)
def test_categories_have_one_text_however_they_are_stored(array: pa.Array, expected: list[str | None]) -> None:  # type: ignore[type-arg]
    assert texts(array) == expected
    assert as_text(array).to_pylist() == expected


@given(st.lists(st.one_of(st.none(), st.text(max_size=3))))
def test_categories_give_every_text_back(values: list[str | None]) -> None:
    assert texts(pa.array(values, pa.string())) == values
    assert texts(pa.array(values, pa.string()).dictionary_encode()) == values


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, 0, None]),
        pa.array([1.0, 0.0, float("nan")]),
        pa.array([True, False, None]),
        pa.array(["1.0", " 0", None]),
        pa.array(["TRUE", "false", " "]),
        pa.array(["1", "0", None]).dictionary_encode(),
    ],
)
@pytest.mark.parametrize("classes", [("0", "1"), ("False", "True")])
def test_a_class_stays_the_same_in_another_type(array: pa.Array, classes: tuple[str, ...]) -> None:  # type: ignore[type-arg]
    assert class_codes(array, classes).tolist() == [1, 0, -1]


def test_classes_that_differ_only_in_case_are_told_apart_and_others_are_unknown() -> None:
    codes = class_codes(pa.array(["a", "A", "b", "B", "1"]), ("a", "A", "b"))
    assert codes.tolist() == [0, 1, 2, 2, -2]


# Times

NOON = 1_704_110_400_000_000  # 2024-01-01 12:00 UTC


@pytest.mark.parametrize(
    "array",
    [
        pa.array([NOON // 10**6], pa.timestamp("s")),
        pa.array([NOON // 10**3], pa.timestamp("ms", "Asia/Tokyo")),
        pa.array([NOON], pa.timestamp("us", "UTC")),
        pa.array([NOON * 1000 + 999], pa.timestamp("ns")),
        pa.array([NOON // 10**6]),
        pa.array([NOON / 10**6]),
        pa.array([NOON // 10**3]),
        pa.array([NOON]),
        pa.array([NOON * 1000]),
        pa.array([str(NOON // 10**3)]),
        pa.array(["2024-01-01 12:00"]),
        pa.array([" 2024-01-01T12:00:00 "]),
        pa.array(["2024-01-01T12:00:00Z"]),
        pa.array(["2024-01-01 21:00:00.000+09:00"]),
        pa.array(["2024-01-01 21:00:00.000000000+0900"]),
        pa.array(["2024-01-01T07:00-05"]),
        pa.array(["2024-01-01T12:00:00Z"]).dictionary_encode(),
    ],
    ids=str,
)
def test_every_way_to_write_a_moment_gives_the_same(array: pa.Array) -> None:  # type: ignore[type-arg]
    assert times(array)[1:] == (None, None)
    assert times(array).microseconds.tolist() == [NOON]
    assert times(pa.concat_arrays([array, pa.nulls(1, array.type)])).microseconds.tolist() == [NOON, 0]


def test_mixed_offsets_local_times_and_rubbish_are_read_row_by_row() -> None:
    array = pa.array(
        [
            "2024-01-01T12:00:00Z",
            "2024-01-01 13:00",
            "2024-01-01T14:00:00+02:00",
            "2024-13-01",
            "soon",
            "",
            None,
            "2024-01-01",
        ]
    )
    found, null, wrong = times(array, "Europe/Berlin")
    assert found.tolist() == [NOON, NOON, NOON, 0, 0, 0, 0, NOON - 13 * 3600 * 10**6]
    assert mask(null, 8) == [False] * 5 + [True, True, False]
    assert mask(wrong, 8) == [False] * 3 + [True, True] + [False] * 3


def test_a_date_is_its_midnight_in_the_zone() -> None:
    date = pa.array([datetime(2024, 7, 1).date()])  # noqa: DTZ001
    assert from_microseconds(times(date, "Europe/Berlin").microseconds[0]) == datetime(2024, 6, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "array",
    [
        pa.array([0, 5, 20240101]),
        pa.array([0.5, float("inf"), 1e30]),
        pa.array([True, False, True]),
        pa.array([[1]] * 3),
    ],
)
def test_what_is_no_time_is_a_type_error(array: pa.Array) -> None:  # type: ignore[type-arg]
    assert mask(times(array).type_error, 3) == [True, True, True]
    assert times(array).microseconds.tolist() == [0, 0, 0]


def test_times_before_1970_and_absurd_ones() -> None:
    found, _, wrong = times(pa.array([-1, 2**62], pa.timestamp("s")))
    assert found.tolist() == [-1_000_000, 0]
    assert mask(wrong, 2) == [False, True]
    assert times(pa.array([-1], pa.timestamp("ns"))).microseconds.tolist() == [-1]
