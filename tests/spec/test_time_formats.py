"""Times as people and programs write them: read as `strptime` reads them, settled by the column, or asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import SpecError
from barograph.frames.columns import times
from barograph.spec.infer import infer_schema
from barograph.spec.schema import ColumnType
from barograph.spec.time_formats import KNOWN, YEARS, check_format, fit

moments = st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31))  # noqa: DTZ001  # wall clocks
START = datetime(2024, 1, 1, 0, 30, tzinfo=UTC)
MONTH = [START + timedelta(hours=7 * i) for i in range(100)]  # to the end of January


def read(texts: list[Any], format: str, zone: str = "UTC") -> list[datetime | None]:
    found, null, wrong = times(pa.array(texts), zone, format)
    bad = np.zeros(len(found), bool)
    for mask in (null, wrong):
        bad |= False if mask is None else mask
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return [
        None if b else epoch + timedelta(microseconds=us) for us, b in zip(found.tolist(), bad.tolist(), strict=True)
    ]


@pytest.mark.parametrize("format", [f for f in KNOWN if "%z" not in f] + ["%d/%m/%Y %H:%M:%S.%f", "%m/%d/%Y %I:%M %p"])
@given(whens=st.lists(moments, min_size=1, max_size=5))
def test_a_format_is_read_as_strptime_reads_it(format: str, whens: list[datetime]) -> None:
    texts = [when.strftime(format) for when in whens]
    expected = [datetime.strptime(text, format).replace(tzinfo=UTC) for text in texts]
    assert read(texts, format) == expected


@pytest.mark.parametrize(
    ("text", "format", "hour", "minute", "second"),
    [
        ("31/01/2024", "%d/%m/%Y", 0, 0, 0),
        ("31/01/2024 8:30", "%d/%m/%Y", 8, 30, 0),
        ("31/1/2024 08:30:15", "%d/%m/%Y", 8, 30, 15),
        ("1/31/2024, 8:30:15 PM", "%m/%d/%Y", 20, 30, 15),
        ("01/31/2024 12:30 a.m.", "%m/%d/%Y", 0, 30, 0),
        ("01/31/2024 12:30PM", "%m/%d/%Y", 12, 30, 0),
        ("20240131T083015Z", "%Y%m%d", 8, 30, 15),
        ("Wed, 31 Jan 2024 09:30:15 +0100", "%a, %d %b %Y", 8, 30, 15),
        ("Wed, 31 Jan 2024 08:30:15 GMT", "%a, %d %b %Y", 8, 30, 15),
        ("January 31, 2024 8:30 AM", "%b %d, %Y", 8, 30, 0),
        ("31/Jan/2024:08:30:15 -0000", "%d/%b/%Y", 8, 30, 15),
        ("2024-01-31 08:30:15,999", "", 8, 30, 15.999),
        ("2024-01-31T09:30:15+01:00[Europe/Berlin]", "", 8, 30, 15),
        ("2024-01-31T09:30:15[Europe/Berlin]", "", 8, 30, 15),
        ("2024-01-31 09:30 Europe/Berlin", "", 8, 30, 0),
        ("2024-01-31 08:30:15 UTC", "", 8, 30, 15),
        (20240131, "%Y%m%d", 0, 0, 0),
        (20240131.0, "%Y%m%d", 0, 0, 0),
        (1706689815, "s", 8, 30, 15),
        ("1706689815000", "ms", 8, 30, 15),
        (45322.25, "excel", 6, 0, 0),
    ],
)
def test_a_time_of_day_and_a_zone_may_follow(text: Any, format: str, hour: int, minute: int, second: float) -> None:
    whole = datetime(2024, 1, 31, hour, minute, tzinfo=UTC) + timedelta(seconds=second)
    assert read([text], format) == [whole]


@pytest.mark.parametrize(
    "text",
    [
        "30/02/2024",
        "29/02/2023",
        "00/01/2024",
        "31/13/2024",
        "31/01/2024 24:00",
        "31/01/2024 13:00 PM",
        "31/01",
        "soon",
    ],
)
def test_what_is_no_day_or_hour_is_a_type_error(text: str) -> None:
    assert read([text, "29/02/2024", "", None], "%d/%m/%Y") == [None, datetime(2024, 2, 29, tzinfo=UTC), None, None]
    assert (times(pa.array([text, ""]), "UTC", "%d/%m/%Y").type_error == [True, False]).all()  # type: ignore[union-attr]


@pytest.mark.parametrize("zone", ["+25:00", "-99:99", "+05:75", "+24"])
def test_offsets_that_are_none_are_no_times(zone: str) -> None:
    texts = [f"2024-01-20T10:00:00{zone}", "2024-01-20T10:00:00+14:00"]
    assert read(texts, "") == [None, datetime(2024, 1, 19, 20, tzinfo=UTC)]


def test_zones_that_do_not_exist_are_no_times() -> None:
    assert read(["2024-01-31T08:30[Mars/Base]", "2024-01-31T08:30Z"], "") == [
        None,
        datetime(2024, 1, 31, 8, 30, tzinfo=UTC),
    ]


def test_naive_times_are_in_the_zone_of_the_schema() -> None:
    assert read(["31.07.2024 10:00", "2024-07-31T10:00+00:00"], "%d.%m.%Y", "Europe/Berlin") == [
        datetime(2024, 7, 31, 8, tzinfo=UTC),
        datetime(2024, 7, 31, 10, tzinfo=UTC),
    ]


@pytest.mark.parametrize("format", [f for f in KNOWN if "y" not in f and "z" not in f])
def test_a_month_of_times_settles_its_format(format: str) -> None:
    texts = [when.strftime(format) for when in MONTH]
    (found,) = fit(texts).formats
    assert read(texts, found) == [datetime.strptime(t, format).replace(tzinfo=UTC) for t in texts]


@pytest.mark.parametrize("separator", ["/", "-", "."])
def test_one_day_above_twelve_settles_all(separator: str) -> None:
    texts = [f"{day:02}{separator}{month:02}{separator}2024" for day in range(1, 13) for month in range(1, 13)]
    s = separator
    assert fit(texts).formats == (f"%d{s}%m{s}%Y", f"%m{s}%d{s}%Y")
    assert fit([*texts, f"13{s}12{s}2024"]).formats == (f"%d{s}%m{s}%Y",)
    assert fit([*texts, f"12{s}13{s}2024"]).formats == (f"%m{s}%d{s}%Y",)
    assert len(fit([*texts, f"12{s}13{s}2024", f"13{s}12{s}2024"]).formats) == 2  # which contradict each other


@given(st.lists(st.text(max_size=12) | st.integers() | st.floats(), max_size=8))
def test_whatever_is_read_lies_in_years_of_people(values: list[Any]) -> None:
    for format in fit(values).formats:
        found = [t for t in read([str(v) for v in values], format) if t]
        assert (
            sum(YEARS[0] <= t.year <= YEARS[1] for t in found) >= 0.9 * len([v for v in values if str(v).strip()]) - 1
        )


@pytest.mark.parametrize(
    ("format", "wrong"),
    [
        ("%d/%m", "where year and month stand"),
        ("days", "where year and month stand"),
        ("%Y-%Q", "no '%Q'"),
        ("%Y %m %m", "may stand once"),
        ("%Y-%m-%", "no '%'"),
    ],
)
def test_a_format_that_cannot_be_used_says_why(format: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        check_format(format)


# Roles


def inferred(columns: dict[str, Any], **roles: Any) -> Any:
    n = len(next(iter(columns.values())))
    return infer_schema(pa.table({**columns, "x": [0.5] * n, "y_true": [i % 2 for i in range(n)]}), **roles)


def asked(columns: dict[str, Any], **roles: Any) -> str:
    with pytest.raises(SpecError) as caught:
        inferred(columns, **roles)
    (problem,) = caught.value.problems
    return problem


def written(format: str) -> list[str]:
    return [when.strftime(format) for when in MONTH]


def test_a_settled_format_is_taken_and_said() -> None:
    found = inferred({"ts": written("%d/%m/%Y %H:%M"), "label_timestamp": written("%m/%d/%Y %I:%M %p")})
    assert found.schema.formats == {"ts": "%d/%m/%Y", "label_timestamp": "%m/%d/%Y"}
    assert "timestamp: `ts` (by name, read as %d/%m/%Y)" in found.decisions
    assert "timezone: UTC, for times that name none" in found.decisions


@pytest.mark.parametrize("role", ["timestamp", "label_timestamp"])
def test_dates_that_can_be_read_in_two_ways_are_asked_for(role: str) -> None:
    values = ["02/01/2024", "01/02/2024"]
    question = asked({role: values})
    for word in (role, "'%d/%m/%Y' or '%m/%d/%Y'", "'02/01/2024'", "--timestamp-format", "timestamp_format"):
        assert word in question
    assert inferred({role: values}, timestamp_format="%m/%d/%Y").schema.formats == {role: "%m/%d/%Y"}
    assert inferred({role: values}, timestamp_format={role: "%d/%m/%Y"}).schema.formats == {role: "%d/%m/%Y"}
    assert getattr(inferred({role: values}, ignore=[role]).schema, role) is None


def test_a_timestamp_by_name_that_cannot_be_read_is_asked_for() -> None:
    question = asked({"timestamp": ["morning", "noon", "night"]})
    assert "'timestamp' does not hold times that can be read, but for example 'morning'" in question
    assert "list it under `features` or `ignore`" in question
    found = inferred({"timestamp": ["morning", "noon", "night"], "ts": ["2024-01-31", "2024-02-01", "2024-02-02"]})
    assert found.schema.timestamp == "ts"
    assert "timestamp" in found.schema.ignored


def test_a_format_that_is_said_and_does_not_fit_is_refused_with_a_value() -> None:
    assert "for example '31/01/2024'" in asked({"ts": ["31/01/2024", "01/02/2024"]}, timestamp_format="%m/%d/%Y")


def test_numbers_of_the_digits_of_a_date_and_time_are_one() -> None:
    assert inferred({"ts": [int(t) for t in written("%Y%m%d%H%M%S")]}).schema.formats == {"ts": "%Y%m%d%H%M%S"}
    assert inferred({"ts": [int(when.timestamp() * 1000) for when in MONTH]}).schema.formats == {}


@pytest.mark.parametrize("format", ["%d/%m/%Y", "%Y%m%d", "%d %b %Y", "%Y-%m"])
def test_a_feature_of_dates_is_one_of_times(format: str) -> None:
    texts = [(START + timedelta(days=31 * i)).strftime(format) for i in range(12)]
    for values in (texts, [int(t) for t in texts] if format == "%Y%m%d" else texts):
        assert inferred({"since": values}).schema.features["since"] is ColumnType.DATETIME


def test_numbers_of_eight_digits_that_are_not_all_days_stay_numbers() -> None:
    values = [20240131, 20240132, 20240133, 20240134, 20240135, 20240136]
    assert inferred({"account": values}).schema.features["account"] is ColumnType.NUMERIC


def test_the_zone_of_the_timestamps_is_that_of_the_calendar() -> None:
    zoned = pa.array(MONTH, pa.timestamp("us", "America/New_York"))
    found = inferred({"ts": zoned})
    assert found.schema.timezone == "America/New_York"
    assert "timezone: America/New_York, as the times say; it is the calendar of chunks, too" in found.decisions
    assert inferred({"ts": zoned}, timezone="UTC").schema.timezone == "UTC"
    named = [f"{when:%Y-%m-%dT%H:%M}+00:00[Europe/London]" for when in MONTH]
    assert inferred({"ts": named}).schema.timezone == "Europe/London"
    offset = pa.array([w.astimezone(timezone(timedelta(hours=2))) for w in MONTH], pa.timestamp("us", "+02:00"))
    assert inferred({"ts": offset}).schema.timezone == "UTC"  # an offset is no calendar
