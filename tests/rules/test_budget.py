"""Budgets: reading them, dividing them, naming what moved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.errors import SpecError
from barograph.rules.budget import (
    DAYS,
    FAMILIES,
    Budget,
    describe_detectable,
    divide,
    in_chunks,
    parse_budget,
)


@pytest.mark.parametrize("period", DAYS)
@pytest.mark.parametrize(
    ("text", "alarms"), [("1 false alarm per", 1.0), ("2.5 false alarms a", 2.5), ("One False-Alarm every", 1.0)]
)
def test_budgets_are_read(text: str, alarms: float, period: str) -> None:
    budget = parse_budget(f"{text} {period}")
    assert budget == Budget(alarms, period)
    assert budget.per_day == pytest.approx(alarms / DAYS[period])
    assert parse_budget(str(budget)) == budget


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected 'N false alarms per"),
        ("five", "expected 'N false alarms per"),
        ("1 alarm per month", "expected 'N false alarms per"),
        ("1 false alarm per mnth", "Did you mean 'month'"),
        ("many false alarms per week", "got 'many' as the number"),
        ("0 false alarms per year", "cannot be kept"),
        ("no false alarms per year", "cannot be kept"),
        ("-1 false alarms per year", "cannot be kept"),
        ("nan false alarms per year", "cannot be kept"),
        ("inf false alarms per year", "cannot be kept"),
        ("1e9 false alarms per day", "between 1 in 1,000 years"),
        ("1e-9 false alarms per day", "between 1 in 1,000 years"),
    ],
)
def test_impossible_budgets_are_named_with_their_place(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        parse_budget(text, where="$.budget")
    assert str(caught.value).startswith("$.budget: ")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(sorted(FAMILIES)), min_size=1, max_size=40), st.floats(0.01, 10))
def test_all_monitors_together_use_the_budget_and_no_more(families: list[str], alarms: float) -> None:
    arl = divide(Budget(alarms, "month"), families)
    assert float((1 / arl).sum()) == pytest.approx(alarms / DAYS["month"])


def test_families_come_before_numbers_and_performance_before_drift() -> None:
    families = ["performance"] + ["drift"] * 500 + ["quality"] * 500
    arl = divide(Budget(1, "month"), families)
    assert arl[0] < 60
    assert arl[1] == arl[600] == pytest.approx(500 * 3 * arl[0])
    heavier = divide(Budget(1, "month"), families, weights={"drift": 60.0})
    assert heavier[1] < arl[1]
    assert heavier[0] > arl[0]


def test_weights_of_zero_switch_off() -> None:
    arl = divide(Budget(1, "month"), ["drift", "drift", "quality"], weights={"quality": 0.0}, own=[1.0, 3.0, 1.0])
    assert np.isinf(arl[2])
    assert arl[0] == pytest.approx(3 * arl[1])
    with pytest.raises(SpecError, match="nothing may ever alarm"):
        divide(Budget(1, "month"), ["drift"], weights={"drift": 0.0})


def test_all_wrong_weights_are_named_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        divide(Budget(1, "month"), ["drift"], weights={"perfomance": 1.0, "quality": -2.0})
    assert len(caught.value.problems) == 2
    assert "Did you mean 'performance'" in str(caught.value)


def test_run_lengths_in_chunks_need_a_length() -> None:
    assert in_chunks([30.0, np.inf], 1 / 24).tolist() == [720.0, np.inf]
    with pytest.raises(SpecError, match="no timestamps"):
        in_chunks([30.0], 0.0)


def test_what_can_be_seen_is_said_in_words() -> None:
    assert describe_detectable(0.123, unit=" points", days=7, useful=0.2) == (
        "smallest detectable change: 0.12 points in 7 days"
    )
    assert "too much to be useful" in describe_detectable(0.3, unit="σ", days=30, useful=0.2)
    assert "no change can be detected in 30 days" in describe_detectable(np.inf, unit="σ", days=30, useful=0.2)
