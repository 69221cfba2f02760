"""PSI, Jensen–Shannon, Hellinger, Cramér’s V, total variation, L-infinity and chi-squared against SciPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, entropy
from scipy.stats.contingency import association

from barograph.errors import MismatchError
from barograph.metrics.drift.chi_square import chi_square
from barograph.metrics.drift.cramers_v import cramers_v
from barograph.metrics.drift.hellinger import hellinger
from barograph.metrics.drift.jensen_shannon import jensen_shannon
from barograph.metrics.drift.l_infinity import l_infinity
from barograph.metrics.drift.psi import psi
from barograph.metrics.drift.total_variation import total_variation
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.histogram import Categories, Histogram

NAMES = tuple("abcde")
ORACLE = settings(max_examples=60, deadline=None, derandomize=True)
ALL = (psi, jensen_shannon, hellinger, cramers_v, total_variation, l_infinity, chi_square)
many = st.lists(st.integers(0, 1_000), min_size=7, max_size=7).filter(any)
filled = st.lists(st.integers(20, 1_000), min_size=7, max_size=7)


def of(counts: list[int]) -> Categories:
    return Categories(NAMES, counts)


def value(outcome: Outcome) -> float:
    assert isinstance(outcome, Estimate)
    return outcome.value


# Oracle


@ORACLE
@given(filled, filled, st.sampled_from((0.5, 1.0, 0.1)))
def test_psi_is_the_sum_of_both_relative_entropies(a: list[int], b: list[int], smoothing: float) -> None:
    smaller = min(sum(a), sum(b))
    p, q = (np.array(x) / sum(x) + smoothing / smaller for x in (a, b))
    expected = entropy(p, q) + entropy(q, p)  # SciPy makes their sums one
    assert value(psi(of(a), of(b), smoothing=smoothing, debias=False)) == pytest.approx(expected, abs=1e-12)


def test_psi_smooths_with_half_a_row_when_both_sides_have_the_same_number_of_rows() -> None:
    a, b = of([0, 10, 20, 30, 40, 0, 100]), of([10, 0, 100, 30, 40, 20, 0])
    p, q = a.shares(smoothing=0.5), b.shares(smoothing=0.5)
    assert value(psi(a, b, debias=False)) == pytest.approx(float(np.sum((p - q) * np.log(p / q))), abs=1e-12)


@ORACLE
@given(many, many)
def test_jensen_shannon_is_scipys_distance_in_bits(a: list[int], b: list[int]) -> None:
    assert value(jensen_shannon(of(a), of(b), debias=False)) == pytest.approx(jensenshannon(a, b, base=2), abs=1e-7)


@ORACLE
@given(many, many)
def test_hellinger_is_the_distance_of_the_roots_of_the_shares(a: list[int], b: list[int]) -> None:
    roots = [np.sqrt(np.array(x) / sum(x)) for x in (a, b)]
    expected = np.linalg.norm(roots[0] - roots[1]) / np.sqrt(2)
    assert value(hellinger(of(a), of(b), debias=False)) == pytest.approx(expected, abs=1e-7)


@ORACLE
@given(many, many)
def test_cramers_v_is_scipys_for_the_table_with_equal_numbers_of_rows(a: list[int], b: list[int]) -> None:
    table = np.array([np.array(a) * sum(b), np.array(b) * sum(a)])
    table = table[:, table.any(axis=0)]
    assume(table.shape[1] > 1)
    expected = association(table, method="cramer")
    assert value(cramers_v(of(a), of(b), debias=False)) == pytest.approx(expected, abs=1e-9)


@ORACLE
@given(filled, filled)
def test_chi_square_is_pearsons_statistic(a: list[int], b: list[int]) -> None:
    table = np.array([a, b])
    # Bins with few expected rows are merged; SciPy is given the merged table.
    rare = table.sum(axis=0) * min(sum(a), sum(b)) / table.sum() < 5
    merged = np.column_stack((table[:, ~rare], table[:, rare].sum(axis=1)))
    merged = merged[:, merged.any(axis=0)]
    expected = chi2_contingency(merged, correction=False)
    outcome = chi_square(of(a), of(b))
    assert value(outcome) == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
    assert isinstance(outcome, Estimate)
    assert outcome.null_mean == pytest.approx(expected.dof * table.sum() / (table.sum() - 1))
    assert outcome.null_sd == pytest.approx(np.sqrt(2 * expected.dof))


def test_chi_square_merges_bins_with_few_expected_rows() -> None:
    outcome = chi_square(of([500, 400, 3, 1, 0, 0, 0]), of([50, 40, 1, 0, 0, 0, 2]))
    expected = chi2_contingency([[500, 400, 4], [50, 40, 3]], correction=False)
    assert value(outcome) == pytest.approx(expected.statistic)


@ORACLE
@given(many, many)
def test_total_variation_and_l_infinity_are_norms_of_the_difference(a: list[int], b: list[int]) -> None:
    difference = np.array(a) / sum(a) - np.array(b) / sum(b)
    assert value(total_variation(of(a), of(b))) == pytest.approx(np.linalg.norm(difference, 1) / 2, abs=1e-12)
    assert value(l_infinity(of(a), of(b))) == pytest.approx(np.linalg.norm(difference, np.inf), abs=1e-12)


# Laws


@pytest.mark.parametrize("metric", [psi, jensen_shannon, hellinger, cramers_v])
@ORACLE
@given(filled)
def test_the_size_of_a_change_does_not_depend_on_the_number_of_rows(
    metric: Callable[..., Outcome], a: list[int]
) -> None:
    """Ten times as many rows with the same shares: the interval narrows and what is taken off vanishes."""
    assume(len(set(a)) > 1)
    few, more = (metric(of([k * x for x in a]), of([k * x for x in a[::-1]])) for k in (1, 100))
    assert isinstance(few, Estimate)
    assert isinstance(more, Estimate)
    assert few.lower is not None
    assert few.upper is not None
    assert few.lower <= more.value <= few.upper
    assert more.null_mean is not None
    assert few.null_mean is not None
    assert more.null_mean < few.null_mean


@pytest.mark.parametrize("metric", ALL)
def test_a_bin_that_is_empty_on_both_sides_does_not_matter(metric: Callable[..., Outcome]) -> None:
    with_empty = metric(of([30, 50, 20, 0, 0, 0, 0]), of([40, 30, 30, 0, 0, 0, 0]))
    assert with_empty == metric(Categories(("a",), [30, 50, 20]), Categories(("a",), [40, 30, 30]))


@pytest.mark.parametrize("metric", ALL)
def test_histograms_and_categories_with_the_same_counts_agree(metric: Callable[..., Outcome]) -> None:
    a, b = [30, 50, 20, 5], [40, 30, 30, 9]
    numeric = metric(Histogram((1, 2, 3), a), Histogram((1, 2, 3), b))
    assert numeric == metric(Categories(("x", "y"), a), Categories(("x", "y"), b))


@pytest.mark.parametrize("metric", [jensen_shannon, hellinger, cramers_v, total_variation])
def test_nothing_in_common_is_one(metric: Callable[..., Outcome]) -> None:
    a, b = of([10**6, 10**6, 0, 0, 0, 0, 0]), of([0, 0, 10**6, 10**6, 0, 0, 0])
    assert value(metric(a, b)) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("metric", ALL)
def test_a_column_with_one_value_has_not_moved(metric: Callable[..., Outcome]) -> None:
    outcome = metric(of([100, 0, 0, 0, 0, 0, 0]), of([7, 0, 0, 0, 0, 0, 0]))
    assert isinstance(outcome, Estimate)
    assert (outcome.value, outcome.null_mean, outcome.null_sd) == (0.0, 0.0, 0.0)


# Bad input


@pytest.mark.parametrize("metric", ALL)
def test_no_rows_are_undefined(metric: Callable[..., Outcome]) -> None:
    nothing, rows = Categories.empty(NAMES), of([1, 2, 3, 4, 5, 6, 7])
    assert metric(rows, nothing) == Undefined("current has no rows")
    assert metric(nothing, rows) == Undefined("reference has no rows")


@pytest.mark.parametrize("metric", ALL)
def test_other_bins_are_refused(metric: Callable[..., Outcome]) -> None:
    with pytest.raises(MismatchError, match="one reference"):
        metric(of([1] * 7), Categories(("x",), [1, 2, 3]))
    with pytest.raises(MismatchError):
        metric(Histogram((1, 2), [1, 2, 3]), Categories(("x",), [1, 2, 3]))


def test_psi_without_smoothing_is_refused() -> None:
    with pytest.raises(ValueError, match="smoothing"):
        psi(of([1] * 7), of([2] * 7), smoothing=0.0)
