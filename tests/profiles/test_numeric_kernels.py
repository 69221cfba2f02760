"""The compiled pass against numpy: bins, extremes, sums and second moments, whatever the values and their order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.profiles.buffers import AS_THEY_COME, NumberColumns, Plan
from barograph.profiles.numeric_kernels import LONG_RUN
from barograph.profiles.yardstick import NumericBins
from barograph.reference.bins import fit_numeric_bins

RNG = np.random.default_rng(3)
N = 9_000
Counted = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def counted(columns: list[NumericBins], batch: pa.RecordBatch, group: np.ndarray, groups: int) -> Counted:
    """Return counts, sums, lows, highs and the three tables of second moments of all columns."""
    k, width = len(columns), sum(c.width for c in columns)
    tables = (
        np.zeros((groups, width), np.int64),
        np.zeros((groups, k, 4)),
        np.full((groups, k), np.inf),
        np.full((groups, k), -np.inf),
        np.zeros(groups, np.int64),
        np.zeros((groups, k)),
        np.zeros((groups, k, k)),
    )
    offsets = np.concatenate(([0], np.cumsum([c.width for c in columns])))
    places = [(c.bins, int(offsets[j]), j) for j, c in enumerate(columns)]
    NumberColumns.of(columns, batch, {}).count(places, Plan.of(group, groups), *tables[:4], tables[4:])
    return tables


def expected(columns: list[NumericBins], batch: pa.RecordBatch, group: np.ndarray, groups: int) -> Counted:
    """Return the same by numpy, a group and a column at a time, from Python's own values."""
    out = [[] for _ in range(7)]
    for g in range(groups):
        counts, sums, lows, highs, z = [], [], [], [], []
        for c in columns:
            values = [v for v, own in zip(batch.column(c.name).to_pylist(), group, strict=True) if own == g]
            present = np.array([np.nan if v is None else v for v in values], np.float64)
            finite = present[np.isfinite(present)]
            null = sum(v is None for v in values)
            special = [null, np.isnan(present).sum() - null, (present == -np.inf).sum(), (present == np.inf).sum(), 0]
            bins = np.searchsorted(c.edges, finite, side="right")
            counts += [*np.bincount(bins, minlength=c.bins), *special]
            with np.errstate(over="ignore"):
                own_z = (finite - c.center) / c.scale
                sums.append([own_z.sum(), (own_z**2).sum(), finite[bins == 0].sum(), 0.0])
            if c.bins > 1:
                sums[-1][3] = finite[bins == c.bins - 1].sum()
            lows.append(finite.min(initial=np.inf))
            highs.append(finite.max(initial=-np.inf))
            z.append(np.where(np.isfinite(present), np.clip((present - c.center) / c.scale, -20, 20), 0.0))
        rows = [counts, sums, lows, highs, len(z[0]), np.sum(z, axis=1), np.array(z) @ np.array(z).T]
        for table, row in zip(out, rows, strict=True):
            table.append(row)
    return tuple(np.array(table) for table in out)  # type: ignore[return-value]  # seven tables


def check(columns: list[NumericBins], batch: pa.RecordBatch, group: np.ndarray, groups: int) -> None:
    found, right = counted(columns, batch, group, groups), expected(columns, batch, group, groups)
    for i, (a, b) in enumerate(zip(found, right, strict=True)):
        if i in (0, 2, 3, 4):
            np.testing.assert_array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-10)


def ordinary() -> dict[str, pa.Array]:
    values = RNG.normal(size=N)
    return {
        "plain": pa.array(values),
        "nulls": pa.array(RNG.gamma(2.0, size=N), mask=RNG.random(N) < 0.1),
        "wide": pa.array(RNG.standard_cauchy(N)),
        "whole": pa.array(RNG.poisson(30, N), mask=RNG.random(N) < 0.1),
        "large": pa.array((RNG.exponential(size=N) * 1e12).astype(np.int64)),
        "rounded": pa.array(np.round(RNG.normal(size=N), 1)),
        "small": pa.array(RNG.normal(size=N).astype(np.float32)),
    }


LEARNED = [fit_numeric_bins(n, np.asarray(a.drop_null()).astype(np.float64)) for n, a in ordinary().items()]
ARRANGEMENTS = {
    "one": np.zeros(N, np.int64),
    "a few": np.arange(N) * 3 // N,
    "with none": np.arange(N) * 4 // N - 1,
    "shuffled": RNG.integers(-1, 3, N),
    "short runs": np.arange(N) // 45 % 3,
}


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_ordinary_columns_are_counted_as_numpy_counts_them(arrangement: str) -> None:
    assert N > 2 * LONG_RUN
    group = ARRANGEMENTS[arrangement]
    batch = pa.RecordBatch.from_pydict(ordinary())
    check(LEARNED, batch, group, 3)
    check(LEARNED, batch.slice(13, N - 20), group[13:-7], 3)  # whose bitmaps begin within a byte


@pytest.mark.parametrize("arrangement", ["one", "shuffled", "short runs"])
@pytest.mark.parametrize("odd", ["infinite", "huge", "out of range", "all null", "constant", "all NaN"])
def test_odd_values_are_counted_as_numpy_counts_them(odd: str, arrangement: str) -> None:
    columns = ordinary()
    for name in ("plain", "nulls"):
        x = columns[name].to_numpy(zero_copy_only=False).copy()
        null = np.isnan(x)
        if odd == "infinite":
            x[[5, 77, 4_000]] = [np.inf, -np.inf, np.nan]
            null[[5, 77, 4_000]] = False
        elif odd == "huge":
            x[9] = 1e300
        elif odd == "out of range":
            x[::50] += 100.0
        elif odd == "constant":
            x[:] = 0.25
        elif odd == "all NaN":
            x[:] = np.nan
        columns[name] = pa.Array.from_buffers(  # from_pandas would make NaN null
            pa.float64(), N, [pa.py_buffer(np.packbits(~null, bitorder="little")), pa.py_buffer(x)]
        )
        if odd == "all null":
            columns[name] = pa.nulls(N, pa.float64())
    check(LEARNED, pa.RecordBatch.from_pydict(columns), ARRANGEMENTS[arrangement], 3)


def test_nulls_count_for_nothing_where_the_centre_is_out_of_range() -> None:
    percent = fit_numeric_bins("score", np.linspace(40.0, 60.0, 500), low=0.0, high=1.0)
    few = NumericBins("few", np.array([0.0, 1.0]), np.empty(0, np.int64), 50.0, 2.0)
    none = fit_numeric_bins("none", np.empty(0))
    for column in (percent, few, none):
        batch = pa.RecordBatch.from_pydict({column.name: pa.array([0.5, None, None, 70.0] * 600)})
        check([column], batch, np.zeros(2_400, np.int64), 1)


@settings(max_examples=60, deadline=None)
@given(
    learned=st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=600),
    values=st.lists(st.floats() | st.integers(-300, 300).map(float), max_size=50),
)
def test_bins_are_exact_for_any_numbers(learned: list[float], values: list[float]) -> None:
    bins = fit_numeric_bins("x", np.array(learned))
    x = np.array([*values, *bins.edges, *np.nextafter(bins.edges, -np.inf)], np.float64)
    for array in (pa.array(x), pa.array(np.nan_to_num(np.clip(x, -1e15, 1e15)).astype(np.int64))):
        batch = pa.RecordBatch.from_arrays([array], names=["x"])
        seen = np.asarray(array).astype(np.float64)
        right = np.searchsorted(bins.edges, seen, side="right")
        right[np.isnan(seen)], right[seen == -np.inf], right[seen == np.inf] = np.array([1, 2, 3]) + bins.bins
        codes = np.empty((1, len(seen)), np.uint16)
        NumberColumns.of([bins], batch, {}).codes([0], AS_THEY_COME, 0, codes)
        np.testing.assert_array_equal(codes[0], right)
        with np.errstate(over="ignore"):
            counts = counted([bins], batch, np.zeros(len(seen), np.int64), 1)[0]
        np.testing.assert_array_equal(counts[0], np.bincount(right, minlength=bins.width))


def test_text_that_is_no_number_is_a_type_error_of_its_group() -> None:
    bins = fit_numeric_bins("x", np.arange(10.0))
    batch = pa.RecordBatch.from_pydict({"x": pa.array(["1", "two", None, "3", "four", ""])})
    counts = counted([bins], batch, np.array([0, 0, 0, 1, 1, -1]), 2)[0]
    assert counts[:, bins.bins].tolist() == [1, 0]
    assert counts[:, bins.bins + 4].tolist() == [1, 1]
    assert counts.sum() == 5
    codes = np.empty((1, 3), np.uint16)
    NumberColumns.of([bins], batch, {}).codes([0], np.array([5, 4, 3]), 0, codes)
    assert codes[0].tolist() == [bins.bins, bins.bins + 4, np.searchsorted(bins.edges, 3.0, side="right")]


@given(group=st.lists(st.integers(-1, 4), max_size=60))
def test_a_plan_holds_the_rows_of_each_group_in_their_order(group: list[int]) -> None:
    plan = Plan.of(np.array(group, np.int64), 5)
    order = plan.order if len(plan.order) else np.arange(len(group))
    found: dict[int, list[int]] = {}
    for start, end, g in plan.runs.tolist():
        assert start < end
        found.setdefault(g, []).extend(order[start:end].tolist())
    assert found == {g: [i for i, own in enumerate(group) if own == g] for g in set(group) - {-1}}
