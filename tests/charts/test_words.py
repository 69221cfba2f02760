from collections.abc import Callable

import pytest

from barograph.charts.words import (
    crosses,
    cut,
    cut_apart,
    find_metric,
    judgement,
    metric_title,
    percent,
    printable,
    when,
)
from barograph.metrics import catalogue
from barograph.monitors.results import Result
from barograph.rules.limits import Status


def test_every_metric_has_a_title_that_begins_with_a_capital_or_symbol() -> None:
    for _, name in catalogue():
        title = metric_title(name)
        assert title
        assert title[0] == title[0].upper()
        assert "_" not in title


def test_a_metric_with_an_option_in_its_name_is_found() -> None:
    found = find_metric("error_quantile_0.9", "performance")
    assert found is not None
    assert found.name == "error_quantile"
    assert find_metric("roc_auc", "estimation") is catalogue()["performance", "roc_auc"]
    assert find_metric("gone", "performance") is None


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "a\u202eb", "a\u2028b", "a\x1bb"])
def test_what_cannot_be_drawn_becomes_a_space(text: str) -> None:
    assert printable(text) == "a b"


@pytest.mark.parametrize("length", [8, 28, 60])
def test_a_cut_name_keeps_its_ends_and_is_not_too_long(length: int) -> None:
    name = "abcdefghij" * 10 + "z"
    short = cut(name, length=length)
    assert len(short) <= length
    assert short[0] == "a"
    assert short[-1] == "z"
    assert cut("short", length=8) == "short"


def test_different_names_stay_different_when_cut() -> None:
    names = [f"feature_number_{i:03d}_with_a_rather_long_name" for i in range(300)]
    short = cut_apart(names)
    assert len(set(short)) == 300
    assert max(map(len, short)) <= 29
    assert cut_apart(["b", "a"]) == ["b", "a"]


def test_percent_never_says_none_or_all_of_what_is_some_or_most() -> None:
    assert percent(1e-9) != percent(0.0)
    assert percent(1 - 1e-9) != percent(1.0)


def test_a_breach_within_the_limit_says_that_the_evidence_decided(row: Callable[..., Result]) -> None:
    small = row(0, 0.69, status=Status.BREACH)
    assert not crosses(small)
    assert "evidence" in judgement(small)
    odd = row(0, 0.5, status=Status.WARNING)
    assert crosses(odd)
    assert "not enough evidence" in judgement(odd)
    assert judgement(row(0)) == ""


def test_a_week_is_told_from_a_day(row: Callable[..., Result]) -> None:
    week = row(0, chunk_end=row(7).chunk_start)
    assert when(row(0)) == "on 2024-01-01"
    assert when(week) == "in the week of 2024-01-01"
