"""Laws of every sketch: merging is a commutative monoid, and bytes come back as they went."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import barograph.sketches
from barograph.errors import FormatError, MismatchError
from barograph.sketches.cells import REGRESSION_SUMS, BinaryCells, RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.confusion import Confusion
from barograph.sketches.counts import Counts
from barograph.sketches.distinct import Distinct
from barograph.sketches.histogram import Categories, Histogram
from barograph.sketches.lattice import finest_bins_of
from barograph.sketches.moments import Covariance, Moments
from barograph.sketches.sample import Sample
from barograph.sketches.scores import SCORE_SUMS, SQUARED_LOSSES, ScoreTable
from barograph.sketches.serial import MAGIC

LAWS = settings(max_examples=40, deadline=None, derandomize=True)
EDGES = np.array([-1.5, 0.0, np.nextafter(0.0, 1.0), 2.0])
SCORE_EDGES = np.array([0.25, 0.5, 0.75])
CLASSES = ("a", "b", "c")

Row = tuple[float, int, int]  # a number, a small whole number, another one
rows = st.lists(
    st.tuples(st.floats(-1e6, 1e6, allow_subnormal=False), st.integers(0, 5), st.integers(0, 40)), max_size=12
)


def values(of: Sequence[Row]) -> Any:
    return np.array([row[0] for row in of], np.float64)


def counts(of: Sequence[Row], shape: tuple[int, ...]) -> Any:
    """Count rows into a table: which cell a row is in does not matter here."""
    size = int(np.prod(shape))
    return np.bincount([(7 * row[1] + row[2]) % size for row in of], minlength=size).reshape(shape)


def sums(of: Sequence[Row], shape: tuple[int, ...]) -> Any:
    table = np.zeros(int(np.prod(shape)))
    for row in of:
        table[(7 * row[1] + row[2]) % len(table)] += row[0]
    return table.reshape(shape)


def counted(of: Sequence[Row]) -> Counts:
    names = [field.name for field in fields(Counts)][1:]
    kinds = [names[row[2] % len(names)] for row in of if row[2] < 30]
    return Counts(rows=len(of), **{name: kinds.count(name) for name in names})


def histogram(of: Sequence[Row]) -> Histogram:
    x = values(of)
    bins = np.bincount(np.searchsorted(EDGES, x, "right"), minlength=len(EDGES) + 1)
    ends = (float(x.min()), float(x.max())) if len(x) else (np.inf, -np.inf)
    return Histogram(EDGES, bins, float(x[x < EDGES[0]].sum()), float(x[x >= EDGES[-1]].sum()), *ends)


def moments(of: Sequence[Row]) -> Moments:
    z = (values(of) - 3.0) / 2.0
    return Moments(center=3.0, scale=2.0, n=len(of), z=float(z.sum()), zz=float(z @ z))


def covariance(of: Sequence[Row]) -> Covariance:
    z = np.array([row[:2] for row in of], np.float64).reshape(-1, 2)
    return Covariance(names=("a", "b"), n=len(of), z=z.sum(axis=0), zz=z.T @ z)


def sample(of: Sequence[Row]) -> Sample:
    codes = np.array([row[1:] for row in of], np.uint16).reshape(-1, 2)
    outputs = np.array([(row[0], row[1], np.nan) for row in of], np.float64).reshape(-1, 3)
    return Sample.of(codes[:, 1].astype(np.uint64), codes, outputs, k=5)


def score_table(of: Sequence[Row]) -> ScoreTable:
    return ScoreTable(
        edges=SCORE_EDGES,
        counts=counts(of, (4, 5, 4)),
        sums=sums(of, (4, 3, len(SCORE_SUMS))),
        losses=sums(of, (2, len(SQUARED_LOSSES))),
        finest=sums(of, (len(finest_bins_of(SCORE_EDGES).low), 2, 2)),
        agreed=len(of),
    )


def confusion(of: Sequence[Row], classes: tuple[str, ...] = CLASSES) -> Confusion:
    k = len(classes)
    return Confusion(
        classes=classes, counts=counts(of, (k + 2, k + 2)), loss=sums(of, (3,)), agreed=len(of), off_sum=2 * len(of)
    )


def binary_cells(of: Sequence[Row], leaves: int = 3) -> BinaryCells:
    return BinaryCells(
        predicted=np.array([False, True, True]),
        order=np.array([0, 1, 2]),
        first_fine=np.array([0, 2, 3, 4]),
        counts=counts(of, (leaves, 3, 3)),
    )


def regression_cells(of: Sequence[Row]) -> RegressionCells:
    return RegressionCells(
        edges=EDGES, counts=counts(of, (2, 5, 2)), sums=sums(of, (2, 5, len(REGRESSION_SUMS))), unusable=len(of[:1])
    )


@dataclass(frozen=True)
class Case:
    of: Callable[[Sequence[Row]], Any]  # from rows to a sketch
    empty: Any
    others: tuple[Any, ...]  # with other layouts


CASES = {
    Counts: Case(counted, Counts.empty(), ()),
    Histogram: Case(histogram, Histogram.empty(EDGES), (Histogram.empty((1.0,)), Histogram.empty(EDGES + 1.0))),
    Categories: Case(
        lambda of: Categories(("x", "y"), counts(of, (4,))),
        Categories.empty(("x", "y")),
        (Categories.empty(("y", "x")), Categories.empty(("x",))),
    ),
    Moments: Case(
        moments,
        Moments.empty(center=3.0, scale=2.0),
        (Moments.empty(center=3.0, scale=1.0), Moments(center=0, scale=2)),
    ),
    Covariance: Case(covariance, Covariance.empty(("a", "b")), (Covariance.empty(("a", "c")), Covariance.empty("a"))),
    Distinct: Case(
        lambda of: Distinct.of(np.array([row[2] for row in of], np.uint64), k=6),
        Distinct.empty(6),
        (Distinct.empty(7),),
    ),
    Sample: Case(sample, Sample.empty(5, features=2), (Sample.empty(6, features=2), Sample.empty(5, features=3))),
    ScoreTable: Case(score_table, ScoreTable.empty(SCORE_EDGES), (ScoreTable.empty(np.array([0.5])),)),
    Confusion: Case(confusion, Confusion.empty(CLASSES), (Confusion.empty(("a", "c", "b")), Confusion.empty(("a",)))),
    ClassTables: Case(
        lambda of: ClassTables(scores=(score_table(of), score_table(of[1:]), score_table([])), confusion=confusion(of)),
        ClassTables.empty(CLASSES, [SCORE_EDGES] * 3),
        (ClassTables.empty(("a", "b"), [SCORE_EDGES] * 2), ClassTables.empty(("a", "c", "b"), [SCORE_EDGES] * 3)),
    ),
    BinaryCells: Case(binary_cells, binary_cells([]).empty(), (binary_cells([], leaves=2),)),
    RegressionCells: Case(
        regression_cells,
        RegressionCells.empty(EDGES, leaves=2),
        (
            RegressionCells.empty(EDGES, leaves=3),
            RegressionCells.empty(EDGES + 1.0, leaves=2),
            RegressionCells.empty(EDGES, leaves=2, center=1.0),
        ),
    ),
}

every_sketch = pytest.mark.parametrize("case", CASES.values(), ids=[kind.__name__ for kind in CASES])


def test_every_sketch_is_tested() -> None:
    modules = [import_module(m.name) for m in pkgutil.iter_modules(barograph.sketches.__path__, "barograph.sketches.")]
    sketches = {
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type) and hasattr(thing, "merge") and thing.__module__ == module.__name__
    }
    assert sketches == set(CASES)


def assert_alike(a: Any, b: Any) -> None:
    """Whole numbers are equal, sums are equal to rounding."""
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-6)
        else:
            np.testing.assert_array_equal(a, b)
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-6, nan_ok=True)
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_alike(left, right)
    elif hasattr(a, "merge"):
        assert type(a) is type(b)
        for field in fields(a):
            assert_alike(getattr(a, field.name), getattr(b, field.name))
    else:
        assert a == b


# Laws of merging


@every_sketch
@LAWS
@given(a=rows, b=rows, c=rows)
def test_merging_is_associative(case: Case, a: list[Row], b: list[Row], c: list[Row]) -> None:
    x, y, z = case.of(a), case.of(b), case.of(c)
    assert_alike(x.merge(y).merge(z), x.merge(y.merge(z)))


@every_sketch
@LAWS
@given(a=rows, b=rows)
def test_merging_is_commutative(case: Case, a: list[Row], b: list[Row]) -> None:
    x, y = case.of(a), case.of(b)
    assert x.merge(y) == y.merge(x)


@every_sketch
@LAWS
@given(a=rows)
def test_the_sketch_of_no_rows_changes_nothing(case: Case, a: list[Row]) -> None:
    x = case.of(a)
    assert x.merge(case.empty) == x
    assert case.empty.merge(x) == x
    assert case.empty == case.of([])


@pytest.mark.parametrize("kind", [kind for kind in CASES if kind not in (ScoreTable, ClassTables, RegressionCells)])
@LAWS
@given(a=rows, b=rows)
def test_merging_the_parts_is_the_sketch_of_the_whole(kind: type, a: list[Row], b: list[Row]) -> None:
    of = CASES[kind].of
    assert_alike(of(a).merge(of(b)), of(a + b))


@every_sketch
@LAWS
@given(a=rows, b=rows)
def test_merging_leaves_both_as_they_were(case: Case, a: list[Row], b: list[Row]) -> None:
    x, y = case.of(a), case.of(b)
    before = deepcopy((x, y))
    x.merge(y)
    assert (x, y) == before


@every_sketch
def test_equal_sketches_have_equal_hashes_and_one_row_counts(case: Case) -> None:
    row = [(1.5, 2, 3)]
    assert case.of(row) == case.of(row)
    assert hash(case.of(row)) == hash(case.of(row))
    assert case.of(row) != case.empty
    assert case.of(row) != object()


@LAWS
@given(a=rows)
def test_a_row_in_both_samples_is_kept_once(a: list[Row]) -> None:
    assert sample(a).merge(sample(a)) == sample(a)


@LAWS
@given(a=rows)
def test_a_sample_keeps_the_smallest_hashes(a: list[Row]) -> None:
    assert sample(a).hashes.tolist() == sorted({row[2] for row in a})[:5]


@LAWS
@given(a=rows)
def test_distinct_is_exact_below_its_size(a: list[Row]) -> None:
    sketch, different = Distinct.of(np.array([row[2] for row in a], np.uint64), k=50), len({row[2] for row in a})
    assert sketch.exact
    assert sketch.distinct == different
    assert sketch.duplicate_share == pytest.approx(1 - different / len(a) if a else 0.0)


def test_distinct_is_within_its_standard_error_above_its_size() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 50_000, dtype=np.uint64, endpoint=False)
    estimates = [Distinct.of(part, k=400).distinct for part in hashes.reshape(10, 5_000)]
    assert np.mean(estimates) == pytest.approx(5_000, rel=4 / np.sqrt(400 * 10))
    assert np.std(estimates) < 5_000 * 2 / np.sqrt(400)


@LAWS
@given(a=rows.filter(len))
def test_moments_are_those_of_the_values(a: list[Row]) -> None:
    x = values(a)
    assert moments(a).mean == pytest.approx(x.mean(), rel=1e-9, abs=1e-6)
    assert moments(a).variance == pytest.approx(x.var(), rel=1e-6, abs=1e-3)


@LAWS
@given(a=rows)
def test_coarser_bins_hold_the_same_rows(a: list[Row]) -> None:
    coarse = histogram(a).coarsen(np.array([0, 3]))
    assert coarse.edges.tolist() == [-1.5, 2.0]
    assert coarse.counts.tolist() == np.add.reduceat(histogram(a).counts, [0, 1, 4]).tolist()
    merged = Categories(("x", "y", "z"), counts(a, (5,))).coarsen(np.array([2]))
    assert (merged.names, merged.n) == (("z",), len(a))


# Bytes: of those that profiles pack one by one, where all others are arrays of profiles

packed = pytest.mark.parametrize("case", [CASES[Sample], CASES[Distinct]], ids=["Sample", "Distinct"])


@packed
@LAWS
@given(a=rows)
def test_bytes_come_back_as_they_went(case: Case, a: list[Row]) -> None:
    sketch = case.of(a)
    data = sketch.to_bytes()
    back = type(sketch).from_bytes(data)
    assert back == sketch
    assert back.to_bytes() == data
    assert back.merge(sketch) == sketch.merge(sketch)


# Bad input


@every_sketch
def test_other_layouts_do_not_merge(case: Case) -> None:
    for other in case.others:
        with pytest.raises(MismatchError):
            case.of([(1.5, 2, 3)]).merge(other)
        with pytest.raises(MismatchError):
            other.merge(case.of([(1.5, 2, 3)]))


@packed
def test_a_newer_format_is_refused_with_the_remedy(case: Case) -> None:
    data = case.of([(1.5, 2, 3), (0.0, 1, 7)]).to_bytes()
    start = len(MAGIC) + 12
    end = start + int.from_bytes(data[len(MAGIC) : start - 4], "little")
    header = json.loads(data[start:end])
    header["version"] += 1
    newer = json.dumps(header).encode()
    with pytest.raises(FormatError, match="Upgrade barograph"):
        type(case.empty).from_bytes(MAGIC + len(newer).to_bytes(8, "little") + bytes(4) + newer + data[end:])


@packed
def test_truncated_bytes_are_refused_wherever_they_end(case: Case) -> None:
    data = case.of([(1.5, 2, 3), (0.0, 1, 7)]).to_bytes()
    for end in range(0, len(data), 1 + len(data) // 100):
        with pytest.raises(FormatError):
            type(case.empty).from_bytes(data[:end])
    with pytest.raises(FormatError):
        type(case.empty).from_bytes(data[:-1])


@packed
def test_bytes_of_another_kind_are_refused(case: Case) -> None:
    other = Sample if type(case.empty) is Distinct else Distinct
    with pytest.raises(FormatError, match="Expected a barograph"):
        other.from_bytes(case.empty.to_bytes())
