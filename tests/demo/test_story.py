"""What is told of a model, as data: times, troubles, and what counts as finding one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from barograph.demo import flights, football
from barograph.demo.found import outcome
from barograph.demo.play import Found, Seen
from barograph.demo.story import DAY, ID, LABEL, LABEL_TIME, TIME, Story, Trouble, days_to, moved

NOW = datetime(2027, 3, 20, 15, 30, tzinfo=UTC)
SINCE = datetime(2027, 3, 10, tzinfo=UTC)
TROUBLE = Trouble(
    title="the pressure is wrong",
    since=SINCE,
    until=SINCE + 3 * DAY,
    families=frozenset({"quality"}),
    columns=frozenset({"pressure"}),
)


def alert(
    first_at: datetime = SINCE,
    family: str = "quality",
    column: str | None = "pressure",
    severity: str = "warning",
    fired: bool = True,
) -> dict[str, Any]:
    fired_at = first_at.isoformat() if fired else None
    said = {"first_at": first_at.isoformat(), "fired_at": fired_at}
    return {"family": family, "column": column, "severity": severity, **said}


def story(*troubles: Trouble) -> Story:
    nothing = pl.DataFrame()
    return Story(model="m", about="", spec="", reference=nothing, events=nothing, labels=nothing, troubles=troubles)


@pytest.mark.parametrize("hour", [0, 3, 4, 23])
def test_the_last_day_of_the_data_becomes_yesterday_where_the_model_is(hour: int) -> None:
    now = datetime(2027, 3, 20, hour, tzinfo=UTC)
    there = date(2027, 3, 20) if hour >= 4 else date(2027, 3, 19)  # New York is four hours behind
    assert date(2013, 12, 31) + days_to(date(2013, 12, 31), now, "America/New_York") == there - DAY


def test_times_are_moved_by_days_of_the_clock_on_the_wall() -> None:
    noon = datetime(2013, 1, 1, 12)  # noqa: DTZ001  # a local time
    local = [noon, noon + timedelta(hours=14.5), noon + DAY]
    by = date(2027, 3, 13) - date(2013, 1, 1)  # on March 14 there is no 2:30 in New York
    there = moved(pl.DataFrame({TIME: local, "row": [0, 1, 2]}), by, "America/New_York")
    assert there["row"].to_list() == [0, 2]
    assert there[TIME].to_list() == [datetime(2027, 3, 13, 17, tzinfo=UTC), datetime(2027, 3, 14, 16, tzinfo=UTC)]


def test_a_trouble_is_seen_in_alerts_of_its_column_family_and_time() -> None:
    assert TROUBLE.is_seen_in(alert())
    assert TROUBLE.is_seen_in(alert(SINCE - DAY))
    assert not TROUBLE.is_seen_in(alert(SINCE - 3 * DAY))
    assert not TROUBLE.is_seen_in(alert(SINCE + 3 * DAY))
    assert not TROUBLE.is_seen_in(alert(family="drift"))
    assert not TROUBLE.is_seen_in(alert(column="temp"))
    assert not TROUBLE.is_seen_in(alert(column=None))
    assert not TROUBLE.is_seen_in(alert(severity="notice"))
    assert not TROUBLE.is_seen_in(alert(fired=False))
    assert TROUBLE.is_seen_in(alert(severity="critical"))


def test_what_was_found_is_told_with_its_delay_and_what_was_not_is_wrong() -> None:
    other = Trouble(title="nobody sees this", since=SINCE, until=SINCE + DAY, families=frozenset({"drift"}))
    found = Found(at=SINCE + 1.5 * DAY, fired_at=SINCE, severity="warning", title="pressure is broken")
    seen = Seen(found={("m", TROUBLE): found, ("another", other): found})
    lines, wrong = outcome([story(TROUBLE, other)], seen, {"m": {"judgement": "attention", "verdict": ""}})
    assert "found 1.5 days after it began (warning): the pressure is wrong" in lines[0]
    assert "NOT FOUND" in lines[1]
    assert wrong == ["m: nobody noticed that nobody sees this"]


@pytest.mark.parametrize(
    ("judgement", "loud", "reasons"),
    [("well", [], 0), ("not known", [], 1), ("well", ["a false alarm"], 1), ("in trouble", ["a", "b"], 3)],
)
def test_a_model_without_trouble_must_be_left_alone(judgement: str, loud: list[str], reasons: int) -> None:
    seen = Seen(loud={"m": loud})
    _, wrong = outcome([story()], seen, {"m": {"judgement": judgement, "verdict": "So it is."}})
    assert len(wrong) == reasons


def test_the_flights_hold_the_troubles_that_are_told_of() -> None:
    told = flights.late_flights(NOW, since=flights.DEPLOYED - 150 * DAY, watched_from=flights.DEPLOYED - 10 * DAY)
    rows, ends = told.events, flights.today(NOW)
    assert rows[TIME].is_sorted()
    assert ends - DAY < rows[TIME].max() < ends  # type: ignore[operator]
    assert rows[ID].n_unique() == len(rows)
    assert not set(rows[ID]) & set(told.reference[ID])
    wrong_unit, renamed, dead = told.troubles  # that of September is before they are watched
    has_trouble = pl.col(TIME).is_between(wrong_unit.since, wrong_unit.until, closed="left")
    assert rows.filter(has_trouble)["pressure"].max() < 35  # type: ignore[operator]
    assert rows.filter(~has_trouble)["pressure"].min() > 900  # type: ignore[operator]
    assert set(rows.filter(pl.col(TIME) >= renamed.since)["origin"]) == {"KEWR", "KJFK", "KLGA"}
    assert set(rows.filter(pl.col(TIME) < renamed.since)["origin"]) == {"EWR", "JFK", "LGA"}
    after = rows.filter(pl.col(TIME) >= dead.since)
    assert after["wind_speed"].null_count() > 0.95 * len(after)
    assert rows.filter(pl.col(TIME) < dead.since)["wind_speed"].null_count() < 10
    assert [change.at for change in told.changes] == [wrong_unit.since, wrong_unit.until]
    labels = told.labels.join(rows.select(ID, TIME), on=ID, how="left")
    late_by = labels[LABEL_TIME] - labels[TIME]
    assert late_by.min() >= timedelta(hours=6)  # type: ignore[operator]
    assert late_by.max() <= timedelta(hours=72)  # type: ignore[operator]
    assert labels[LABEL_TIME].is_sorted()
    assert labels[LABEL_TIME].max() < ends  # type: ignore[operator]


def test_the_two_models_of_flights_are_told_of_the_same_flights_and_columns() -> None:
    late, delays = flights.late_flights(NOW), flights.flight_delays(NOW)
    features = [ID, TIME, *flights.FEATURES]
    assert delays.events.select(features).equals(late.events.select(features))
    assert {trouble.title for trouble in delays.troubles} < {trouble.title for trouble in late.troubles}
    both = late.labels.join(delays.labels, on=[ID, LABEL_TIME], how="full")
    assert len(both) == len(late.labels)
    assert ((both[f"{LABEL}_right"] >= 15) == both[LABEL]).all()
    error = delays.events.join(delays.labels, on=ID).select((pl.col("predicted") - pl.col(LABEL)).abs().mean()).item()
    assert 15 < error < 35  # minutes; flights vary by 40


def test_the_matches_end_yesterday_with_labels_that_are_no_feature() -> None:
    told = football.matches(NOW)
    assert told.troubles == ()
    assert told.events[TIME].dt.date().max() == date(2027, 3, 19)
    assert set(told.reference[LABEL]) == {"home", "draw", "away"}
    assert LABEL not in told.events.columns
    shares = told.events.select("p_home", "p_draw", "p_away").sum_horizontal()
    assert shares.is_between(1 - 1e-9, 1 + 1e-9).all()
    right = told.events.join(told.labels, on=ID)
    assert 0.5 < (right["predicted"] == right[LABEL]).mean() < 0.65  # type: ignore[operator]  # that of the literature
