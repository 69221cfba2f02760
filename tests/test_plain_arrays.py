"""Arrays between numpy and Arrow are those that pyarrow would make."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from barograph.plain_arrays import arrow_numbers, arrow_texts, no_rows, numpy_of

TYPES = st.sampled_from([np.int8, np.uint16, np.int64, np.uint64, np.float32, np.float64, np.bool_])
PLAIN = TYPES.flatmap(lambda kind: hnp.arrays(kind, st.integers(0, 70)))


@given(PLAIN, st.integers(0, 9))
def test_numbers_go_there_and_back(values: np.ndarray, skip: int) -> None:
    for given_ones in (values, values[::-1], values[::2]):
        array = arrow_numbers(given_ones)
        assert array.type == pa.from_numpy_dtype(values.dtype)
        array.validate(full=True)
        np.testing.assert_array_equal(numpy_of(array.slice(skip)), given_ones[skip:])


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=20))
def test_texts_are_those_of_pyarrow(texts: list[str | None]) -> None:
    array = arrow_texts(texts)
    array.validate(full=True)
    assert array.equals(pa.array(texts, pa.string()))


@given(st.lists(st.none() | st.integers(-100, 100), max_size=30), st.integers(0, 9))
def test_something_stands_for_nulls(values: list[int | None], skip: int) -> None:
    expected = np.array([-1 if v is None else v for v in values], np.int64)[skip:]
    np.testing.assert_array_equal(numpy_of(pa.array(values, pa.int64()).slice(skip), null=-1), expected)
    floats = pa.array([None if v is None else float(v) for v in values], pa.float64())
    expected_floats = np.array([np.nan if v is None else v for v in values], np.float64)
    np.testing.assert_array_equal(numpy_of(floats.slice(skip)), expected_floats[skip:])
    flags = pa.array([None if v is None else v > 0 for v in values], pa.bool_())
    np.testing.assert_array_equal(numpy_of(flags.slice(skip), null=True), [v is None or v > 0 for v in values][skip:])


def test_nulls_that_nothing_stands_for_are_refused() -> None:
    with pytest.raises(ValueError, match="int64"):
        numpy_of(pa.array([1, None]))


def test_a_table_without_rows_has_the_columns() -> None:
    schema = pa.schema({"a": pa.int64(), "b": pa.dictionary(pa.int32(), pa.string()), "c": pa.list_(pa.float32())})
    assert no_rows(schema).equals(schema.empty_table())
