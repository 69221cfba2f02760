"""Budgets are read in one way, wherever they stand."""

from __future__ import annotations

import re

import pytest

from barograph.errors import SpecError
from barograph.scenarios.rules import budget as scenario_budget
from barograph.spec.budget import DAYS, DEFAULT_BUDGET, Budget, parse_budget
from barograph.spec.file import ModelSpec, load_spec


@pytest.mark.parametrize("period", DAYS)
@pytest.mark.parametrize(
    ("text", "alarms"),
    [
        ("1 false alarm per", 1.0),
        ("2.5 false alarms a", 2.5),
        ("One False-Alarm every", 1.0),
        ("At most 2 false alarms each", 2.0),
        ("at  most 0.5 false  alarms an", 0.5),
    ],
)
def test_budgets_are_read_and_everybody_reads_them_alike(text: str, alarms: float, period: str) -> None:
    stated = f"{text} {period}"
    budget = parse_budget(stated)
    assert budget == Budget(alarms, period)
    assert budget.per_day == pytest.approx(alarms / DAYS[period])
    assert parse_budget(str(budget)) == budget
    assert load_spec(f'budget = "{stated}"').budget == stated
    assert scenario_budget(stated) == budget.per_day


def test_the_default_is_one_a_month() -> None:
    assert parse_budget(DEFAULT_BUDGET) == Budget(1.0, "month")
    assert ModelSpec().budget == DEFAULT_BUDGET


REFUSED = [
    ("", "This must be as in '1 false alarm per month'"),
    ("five", "This must be as in '1 false alarm per month'"),
    ("1 alarm per month", "This must be as in '1 false alarm per month'"),
    ("1 false alarm per mnth", "Did you mean 'month'"),
    ("many false alarms per week", "'many' is no number"),
    ("0 false alarms per year", "can keep"),
    ("no false alarms per year", "can keep"),
    ("-1 false alarms per year", "can keep"),
    ("nan false alarms per year", "can keep"),
    ("inf false alarms per year", "can keep"),
    ("1e9 false alarms per day", "between 1 false alarm in 1,000 years"),
    ("5000 false alarms per day", "between 1 false alarm in 1,000 years"),
    ("1e-9 false alarms per day", "between 1 false alarm in 1,000 years"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_what_cannot_be_is_refused_by_everybody_with_its_place(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        parse_budget(text, where="$.budget")
    assert re.match(r"\$\.budget: .* Got '.*'\.$", str(caught.value))
    with pytest.raises(SpecError, match=words) as read:
        load_spec(f'budget = "{text}"')
    assert read.value.problems == (str(caught.value),)
    with pytest.raises(SpecError, match=words):
        scenario_budget(text)
