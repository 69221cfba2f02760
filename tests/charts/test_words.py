from collections.abc import Callable

from barograph.charts.words import crosses, judgement, when
from barograph.monitors.results import Result
from barograph.rules.limits import Status


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
