"""A stream of real flights through the service ends with what `check` says: `benchmarks/replays.py` in short."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs
from serving import serving
from threadpoolctl import threadpool_limits

import replaying
import replays
from barograph.demo.flights import FEATURES, ZONE, load, predict

DAYS = 35
WEEK = "2013-06-03T04:00:00Z"
COLUMNS = ("event_id", "timestamp", *FEATURES, "score", "late")
ROLES = {
    "label": "late",
    "score": "score",
    "positive": "True",
    "timestamp": "timestamp",
    "timezone": ZONE,
    "features": list(FEATURES),
    "segments": ["origin"],
    "id": "event_id",
}


def stream() -> Any:
    """Every 20th flight: May as the reference, then five weeks."""
    flights = load().gather_every(20).with_columns(cs.float().cast(pl.Float64))
    with threadpool_limits(1):  # beside other tests, more threads are slower
        logged = predict(flights)
    reference, current = (
        frame.with_columns(event_id=pl.format("{}{}", pl.lit(name), pl.int_range(pl.len()))).select(COLUMNS)
        for name, frame in (("r", logged.reference), ("e", logged.current))
    )
    current = current.filter(pl.col("timestamp") < pl.col("timestamp").min() + pl.duration(days=DAYS))
    return replays.with_late_labels("flights", reference, current, spec={"chunk": "1w", **ROLES})


def test_flights_with_late_and_corrected_labels_end_with_the_results_of_a_check(tmp_path: Path) -> None:
    flights = stream()
    corrected = len(flights.labels) - flights.labels["event_id"].n_unique()
    assert corrected > 20
    one_less = flights.known.with_columns(late=pl.when(pl.int_range(pl.len()) != 100).then("late"))
    settings = {"evaluation_seconds": 0.2, "resolution_seconds": replays.RESOLUTION_S}
    with serving(tmp_path / "data", workers=True, **settings) as running:
        client = running.client
        replaying.register(client, flights)
        played = replays.play(client, flights, step="2w", every="12h", moments=(1, 3))
        compared = replaying.compare(client, flights)
        other = replaying.compare(client, replace(flights, known=one_less))
        past = [replays.not_as_it_was(client, flights, moment) for moment in played.moments]
    assert compared.differences == []
    assert past == [[], []]  # as of a time, results are as they were then
    then, now = (moment.results["performance.roc_auc", WEEK]["label_coverage"] for moment in played.moments)
    assert then < now
    assert compared.labelled > 100
    assert played.rows == len(flights.events) + len(flights.labels)
    assert len(compared.told) == len(compared.incidents)
    assert compared.told.keys() <= played.opened.keys()
    assert any("label_coverage" in difference for difference in other.differences)  # what differs is seen
