"""The profile of events that came through the service equals the profile of the frame that they were in."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from barograph.chunks import parse_chunk_rule
from barograph.ingest.decode import decode_events
from barograph.ingest.decoders import catalogue
from barograph.ingest.layouts import event_layout
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.store.layout import EXTRA, RECEIVED

START = datetime(2025, 6, 1)  # noqa: DTZ001  # naive times are in the zone of the schema
ROLES: dict[str, Any] = {"task": "binary", "label": "label", "score": "score", "prediction": "said", "id": "event_id"}


def mixed(n: int, *, seed: int, json_only: bool = False) -> pl.DataFrame:
    """Return rows with columns of every type, nulls in each, and in some what is neither null nor a number."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)

    def some(values: Any, share: float = 0.05) -> pl.Series:
        return pl.Series(values).set(pl.Series(rng.random(n) < share), None)

    odd = np.where(rng.random(n) < 0.03, rng.choice([np.inf, -np.inf, np.nan], n), rng.normal(0, 5, n))
    days = [date(2024, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 9, n)]
    return pl.DataFrame(
        {
            "event_id": [f"é{seed}-{i}" for i in range(n)],
            "timestamp": [START + timedelta(minutes=10 * i, microseconds=i) for i in range(n)],
            "x": some(rng.normal(0, 1, n)),
            "odd": rng.normal(0, 5, n) if json_only else odd,
            "count": some(rng.integers(-5, 2**40, n)),
            "small": some(rng.integers(0, 100, n)).cast(pl.Int16),
            "single": some(rng.normal(0, 1, n)).cast(pl.Float32),
            "code": some(rng.integers(1, 8, n)),
            "rate": some(rng.choice([1.0, 1.5, 2.0, 0.1, 1e-7, 1e20], n)),
            "name": some(rng.choice(["Zürich", "東京", "", " a ", "New York", "🌍"], n)),
            "known": some(rng.random(n) < 0.3),
            "day": some(days),
            "since": some([START - timedelta(days=int(d)) for d in rng.integers(0, 99, n)]),
            "note": some([f"text {i}" for i in range(n)]),
            "score": some(score),
            "said": some((score > 0.5).astype(int)),
            "label": (rng.random(n) < score).astype(int),
        }
    )


TYPES = {"code": "categorical", "rate": "categorical", "name": "categorical", "day": "categorical", "note": "text"}


@pytest.fixture(scope="module")
def reference() -> Reference:
    types = {**TYPES, "count": "numeric", "small": "numeric", "odd": "numeric"}
    return fit(mixed(3000, seed=1), **ROLES, timestamp="timestamp", types=types, segments=("name", "code"))


def as_json(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return rows as a client in Python would send them; times and dates as ISO 8601."""
    return msgspec.json.decode(msgspec.json.encode(frame.to_dicts()))  # type: ignore[no-any-return]  # a list of rows


@pytest.mark.parametrize("size", [40, 500])
@pytest.mark.parametrize("form", catalogue())
def test_profiles_are_equal_in_every_number(given: ModuleType, reference: Reference, form: str, size: int) -> None:
    arrow = form.endswith("stream")
    frame = mixed(1000, seed=2, json_only=not arrow)
    layout = event_layout(reference.schema)
    now = given.NOW
    tables, labels = [], []
    for start in range(0, len(frame), size):
        part = frame.slice(start, size)
        body = given.stream(part.to_arrow()) if arrow else given.body(as_json(part), form)
        found = decode_events(body, form, layout, now_us=now)
        assert (found.accepted, found.labels, found.rejected) == (len(part), len(part), ())
        tables.append(given.kept(found))
        labels.append(given.kept(found, "labels"))
    filed, known = pa.concat_tables(tables), pa.concat_tables(labels)
    assert known["id"].to_pylist() == filed["event_id"].to_pylist()
    # In one piece, as the frame is: floats are added in blocks, and their sums depend on where one ends.
    filed = filed.append_column("label", known["label"]).drop_columns([RECEIVED, EXTRA]).combine_chunks()
    direct = reference.profile(frame, chunk=parse_chunk_rule("1d"))
    through = reference.profile(filed, chunk=parse_chunk_rule("1d"))
    assert through.chunks == direct.chunks
    assert len(direct.chunks) == 7
    assert through.tables.keys() == direct.tables.keys()
    for name, table in direct.tables.items():
        np.testing.assert_array_equal(through.tables[name], table, err_msg=name)
    assert through.to_bytes() == direct.to_bytes(), "segments, samples and ids too"


def test_the_profile_is_not_blind(given: ModuleType, reference: Reference) -> None:
    """A category written in another way would be seen: the test above can fail."""
    frame = mixed(200, seed=3)
    other = frame.with_columns(pl.col("code").cast(pl.Float64).cast(pl.String))  # `1.0` for `1`
    assert reference.profile(frame).to_bytes() != reference.profile(other).to_bytes()
