from datetime import UTC, datetime, timedelta

import pytest

from barograph.charts.chunk_axis import chunk_axis
from barograph.chunks import RowChunks, TimeChunks


def keys(unit: str, n: int, start: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> list[str]:
    rule, time, found = TimeChunks(unit), start, []
    for _ in range(n):
        time = rule.floor(time)
        found.append(rule.key(time))
        time = rule.next(time)
    return found


@pytest.mark.parametrize("unit", ["h", "d", "w", "mo", "q", "y"])
@pytest.mark.parametrize("n", [1, 2, 13, 50, 240])
def test_some_chunks_have_labels_and_not_too_many(unit: str, n: int) -> None:
    all_keys = keys(unit, n)
    axis = chunk_axis(all_keys)
    assert 1 <= len(axis["values"]) <= 13
    assert set(axis["values"]) <= set(all_keys)
    assert all(key in axis["labelExpr"] for key in axis["values"])


def test_a_year_of_weeks_is_labelled_by_its_days_with_the_year_below_the_first() -> None:
    axis = chunk_axis(keys("w", 10))
    assert '["1 Jan", "2024"]' in axis["labelExpr"]
    assert '["8 Jan"]' in axis["labelExpr"]


def test_januaries_are_among_the_labels_of_months() -> None:
    axis = chunk_axis(keys("mo", 30, datetime(2023, 5, 1, tzinfo=UTC)))
    assert {"2024-01", "2025-01"} <= set(axis["values"])


def test_midnights_are_among_the_labels_of_hours() -> None:
    axis = chunk_axis(keys("h", 72, datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=5)))
    assert {"2024-01-02T00:00", "2024-01-03T00:00"} <= set(axis["values"])


def test_runs_of_rows_are_labelled_by_their_first_row() -> None:
    rule = RowChunks(2000)
    axis = chunk_axis([rule.key(i, 2000) for i in range(20)])
    assert axis["title"] == "first row"
    assert '["10,000"]' in axis["labelExpr"] or '["8,000"]' in axis["labelExpr"]


def test_any_other_key_is_its_own_label_and_no_chunks_have_none() -> None:
    assert '["all"]' in chunk_axis(["all"])["labelExpr"]
    assert chunk_axis([])["values"] == []
    assert chunk_axis(["all"], labels=False)["labels"] is False
