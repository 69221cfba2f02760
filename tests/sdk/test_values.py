"""What becomes of which value: the table of docs/types.md."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.sdk.values import Moments, to_json


class Colour(Enum):
    RED = "red"


VALUES: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (2**53 + 1, 2**53 + 1),
    (-(2**70), -(2**70)),
    (0.1, 0.1),
    (5e-324, 5e-324),
    (float("nan"), "NaN"),
    (float("inf"), "Infinity"),
    (float("-inf"), "-Infinity"),
    (Decimal("12.30"), "12.30"),
    (Decimal("NaN"), "NaN"),
    ("ünï 🦊\u2028\x00", "ünï 🦊\u2028\x00"),
    ("\ud800half", "?half"),
    (b"bytes", "bytes"),
    (b"\xff", "\ufffd"),
    (datetime(2024, 7, 1, 10, 30), "2024-07-01T10:30:00"),  # noqa: DTZ001  # the zone is that of the model
    (datetime(2024, 7, 1, 10, 30, tzinfo=UTC), "2024-07-01T10:30:00+00:00"),
    (datetime(2024, 7, 1, tzinfo=timezone(timedelta(hours=2))), "2024-07-01T00:00:00+02:00"),
    (date(2024, 7, 1), "2024-07-01"),
    (timedelta(minutes=1.5), 90.0),
    (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    (Colour.RED, "red"),
    (Fraction(1, 3), "1/3"),
    ((1, 2.5), [1, 2.5]),
    ({3}, [3]),
    ([1.0, float("nan")], [1.0, None]),
    ({"a": {"b": 1}}, {"a": {"b": 1}}),
    ({1: 2}, {"1": 2}),
    (np.float64(0.1), 0.1),
    (np.float32(0.5), 0.5),
    (np.float64("nan"), "NaN"),
    (np.int64(2**53 + 1), 2**53 + 1),
    (np.bool_(True), True),
    (np.str_("a"), "a"),
    (np.array([1.0, 2.0]), [1.0, 2.0]),
    (np.array(3), 3),
    (np.datetime64("2024-07-01T10:30:00.000000001"), "2024-07-01T10:30:00.000000001"),
    (np.datetime64("NaT"), None),
    (pd.NA, None),
    (pd.NaT, None),
    (pd.Timestamp("2024-07-01", tz="UTC"), "2024-07-01T00:00:00+00:00"),
]


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("beside", [{}, {"n": float("nan")}], ids=["quick", "careful"])
def test_values(value: Any, expected: Any, beside: dict[str, Any]) -> None:
    found = json.loads(to_json({"x": value, **beside}))["x"]
    assert found == expected
    assert type(found) is type(expected)


_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_documents = st.recursive(_scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(st.dictionaries(st.text(), _documents))
def test_what_json_has_stays_what_it_is(value: dict[str, Any]) -> None:
    line = to_json(value)
    assert json.loads(line) == value
    assert b"\n" not in line


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_moments(ns: int) -> None:
    moments = Moments()
    for at in (ns, ns + 1_000, ns + 2_000_000_000):
        found = datetime.fromisoformat(moments.text(at))
        since = found - datetime(1970, 1, 1, tzinfo=UTC)
        assert (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds == at // 1_000
