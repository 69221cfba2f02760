"""What the clients' logs say must be there, and how the tables and the catalog differ from it."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any  # Any: JSON values

import numpy as np
import polars as pl
import sqlalchemy as sa
from deltalake import DeltaTable

from barograph.profiles.profiles import FORMAT_VERSION
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.sketches.serial import unpack
from barograph.spec.file import ModelSpec
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import models, profiles, quarantine
from barograph.store.catalog.database import reading
from barograph.store.catalog.schema import dirty
from barograph.store.catalog.scope import Scope
from barograph.times import to_microseconds
from barograph.worker.chunk_profile import pieces_of
from barograph.worker.served_model import time_rule
from chaos_data import NOTE, Model, frame_of

PROJECT = 1
FRAMES_OWN = ("missing_columns", "extra_columns", "type_changes")  # of a profile: how its frame's columns were called
SHOWN = 5  # differences of one kind that are told
RELATIVE, ABSOLUTE = 1e-9, 1e-12
# They look at variances within bins of scores, which are differences of nearly equal sums: `check` itself gives numbers
# this far apart for the same rows in another order, where all scores of a bin are nearly one.
UNSTEADY = {"average_precision": 1e-6, "roc_auc": 1e-6}
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(slots=True)
class Truth:
    """What was acknowledged of one model: events by id, and label rows in the order in which they were sent."""

    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    labels: list[tuple[str, Any, str | None]] = field(default_factory=list)  # id, label, when it became known

    def frame(self) -> pl.DataFrame:
        """Return the events with the labels that count: of each event, the last one."""
        last = {event_id: label for event_id, label, _ in self.labels}
        rows = [{**event, "label": last.get(event_id)} for event_id, event in self.events.items()]
        return frame_of(rows)


def read_truth(folder: Path) -> tuple[dict[str, Truth], int]:
    """Return by model what the clients' logs say, and the number of requests that were not acknowledged."""
    truths: dict[str, Truth] = {}
    open_requests = 0
    for path in sorted(folder.glob("client-*.sent")):
        acknowledged = {line["request"] for line in _lines(path.with_suffix(".acknowledged"))}
        for line in _lines(path):
            if line["request"] not in acknowledged:
                open_requests += 1
                continue
            truth = truths.setdefault(line["model"], Truth())
            for row in line["rows"]:
                if line["kind"] == "labels":
                    truth.labels.append((row["id"], row["label"], row.get("label_timestamp")))
                    continue
                event = {name: value for name, value in row.items() if name not in ("label", NOTE)}
                truth.events.setdefault(row["event_id"], event)
                if "label" in row:
                    truth.labels.append((row["event_id"], row["label"], None))
    return truths, open_requests


def acknowledged_between(folder: Path, start: float, end: float) -> int:
    """Return how many requests were acknowledged in a span of the monotonic clock."""
    lines = (line for path in folder.glob("client-*.acknowledged") for line in _lines(path))
    return sum(1 for line in lines if start <= line["at"] <= end)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


def pending(data: Path, engine: sa.Engine) -> list[str]:
    """Return what is still to be done: rows in the spool, work of models, chunks to build again, jobs."""
    left = []
    with closing(sqlite3.connect(f"file:{data / 'spool.db'}?mode=ro", uri=True, timeout=5)) as spool:
        if rows := spool.execute("select coalesce(sum(rows), 0) from batches").fetchone()[0]:
            left.append(f"{rows} rows in the spool")
    with reading(engine) as connection:
        for due in everywhere.due_work(connection, now_us=2**62, limit=100):
            left.append(f"work of model {due.model_id}, due at {due.due_us}, {due.failures} failures")
        marked = sa.select(dirty.c.model_id, sa.func.count()).group_by(dirty.c.model_id)
        left += [f"{count} chunks of model {model}" for model, count in connection.execute(marked)]
        jobs = everywhere.jobs_by_state(connection)
        left += [f"{count} jobs: {kind} {state}" for _, kind, state, count in jobs if state != "done"]
    return left


def differences(model: Model, truth: Truth, *, url: str, data: Path, engine: sa.Engine) -> list[str]:
    """Return how a model in the tables, in the catalog and in the API differs from what was acknowledged."""
    with reading(engine) as connection:
        scope = Scope(connection, PROJECT)
        found = models.find_model(scope, model.name)
        assert found is not None
        assert found.reference_id is not None
        blobs = {p.start_us: p for p in profiles.read_profiles(scope, found.reference_id, "chunk")}
        poison = quarantine.list_poison(scope, limit=10)
    folder = data / "tables" / str(PROJECT) / str(found.id)
    wrong = [f"set aside: {row}" for row in poison]
    wrong += _events(truth, folder / "events")
    wrong += _labels(truth, folder / "labels")
    if not truth.events:
        return wrong
    reference = Reference.from_bytes(_get(f"{url}/v1/models/{model.name}/references/1/data"))
    frame = truth.frame()
    answer = json.loads(_get(f"{url}/v1/models/{model.name}"))
    if answer["state"]["events"] != len(truth.events):
        wrong.append(f"the state counts {answer['state']['events']} events, and there are {len(truth.events)}")
    expected = {
        piece.start_us: piece.stored()
        for piece in pieces_of(reference.yardstick, frame, time_rule(model.chunk, zone=reference.schema.timezone))
    }
    wrong += _profiles(expected, blobs)
    spec = ModelSpec.model_validate(found.spec)
    report = check(reference, frame, chunk=model.chunk, spec=spec, model=model.name)
    wrong += _results(report.rows, list(_pages(url, f"/v1/models/{model.name}/results?limit=1000")))
    return [f"{model.name}: {text}" for text in wrong]


def _events(truth: Truth, folder: Path) -> list[str]:
    if not folder.exists():
        return [] if not truth.events else ["there is no table of events"]
    table = pl.from_arrow(DeltaTable(folder).to_pyarrow_table())
    assert isinstance(table, pl.DataFrame)
    wrong = _repeated_and_missing("event", table["event_id"], set(truth.events))
    if wrong or not truth.events:
        return wrong
    sent = frame_of(list(truth.events.values())).sort("event_id")
    filed = table.sort("event_id").select(sent.columns)
    for name in sent.columns:
        differ = ~sent[name].eq_missing(filed[name].cast(sent[name].dtype))
        if differ.any():
            wrong.append(f"{name} differs in {differ.sum()} events, first {sent.filter(differ)['event_id'][0]}")
    days = table.filter(pl.col("timestamp").dt.strftime("%Y-%m-%d") != pl.col("_day"))
    return wrong + ([f"{len(days)} events are under another day"] if len(days) else [])


def _labels(truth: Truth, folder: Path) -> list[str]:
    if not folder.exists():
        return [] if not truth.labels else ["there is no table of labels"]
    table = pl.from_arrow(DeltaTable(folder).to_pyarrow_table())
    assert isinstance(table, pl.DataFrame)
    values = table["label"].to_list()
    times = [to_microseconds(time) for time in table["label_timestamp"].to_list()]
    received = [to_microseconds(time) for time in table["_received"].to_list()]
    told = [None if t == r else t for t, r in zip(times, received, strict=True)]
    filed = set(zip(table["id"].to_list(), values, told, strict=True))
    sent = {(event_id, label, _us(time)) for event_id, label, time in truth.labels}
    wrong = []
    if missing := sent - filed:
        wrong.append(f"{len(missing)} labels are missing: {sorted(missing, key=str)[:SHOWN]}")
    if unknown := filed - sent:
        wrong.append(f"{len(unknown)} labels were never sent: {sorted(unknown, key=str)[:SHOWN]}")
    day_of = {key: event["timestamp"][:10] for key, event in truth.events.items()}
    pairs = zip(table["id"].to_list(), table["_day"].to_list(), strict=True)
    misplaced = [(key, day) for key, day in pairs if day != day_of.get(key, "unknown")]
    if misplaced:
        wrong.append(f"{len(misplaced)} labels are not beside their event: {misplaced[:SHOWN]}")
    return wrong


def _repeated_and_missing(what: str, ids: pl.Series, wanted: set[str]) -> list[str]:
    wrong = []
    there = set(ids.to_list())
    if len(ids) != len(there):
        repeated = ids.filter(ids.is_duplicated()).unique().sort().to_list()
        wrong.append(f"{len(repeated)} {what}s are there more than once: {repeated[:SHOWN]}")
    if missing := wanted - there:
        wrong.append(f"{len(missing)} {what}s are missing: {sorted(missing)[:SHOWN]}")
    if unknown := there - wanted:
        wrong.append(f"{len(unknown)} {what}s were never sent: {sorted(unknown)[:SHOWN]}")
    return wrong


def _profiles(expected: Mapping[int, Any], found: Mapping[int, Any]) -> list[str]:
    if expected.keys() != found.keys():
        return [f"profiles of other chunks: {sorted(expected.keys() ^ found.keys())[:SHOWN]}"]
    wrong = []
    for start, wanted in expected.items():
        there = found[start]
        for name in ("end_us", "chunk", "rows", "first_us", "last_us"):
            if getattr(wanted, name) != getattr(there, name):
                wrong.append(f"{wanted.chunk}: {name} is {getattr(there, name)}, not {getattr(wanted, name)}")
        wrong += [f"profile of {wanted.chunk}: {text}" for text in _arrays(wanted.data, there.data)]
    return _few(wrong)


def _arrays(wanted: bytes, there: bytes) -> list[str]:
    meta, arrays = unpack(wanted, kind="profiles", version=FORMAT_VERSION)
    other_meta, other_arrays = unpack(there, kind="profiles", version=FORMAT_VERSION)
    for each in (meta, other_meta):  # whether a chunk is complete is known when all of them are, at evaluation
        each["chunks"] = [chunk[:3] for chunk in each["chunks"]]
    wrong = [
        f"{key} is {other_meta[key]}, not {meta[key]}"
        for key in meta.keys() - FRAMES_OWN
        if meta[key] != other_meta[key]
    ]
    if arrays.keys() != other_arrays.keys():
        return [*wrong, f"other arrays: {sorted(arrays.keys() ^ other_arrays.keys())}"]
    for name, array in arrays.items():
        other = other_arrays[name]
        if array.dtype != other.dtype or array.shape != other.shape:
            wrong.append(f"{name} has another form: {other.dtype}{other.shape}, not {array.dtype}{array.shape}")
        elif array.dtype.kind == "f":
            # A sum of terms that cancel is as exact as its terms are.
            scale = np.max(np.abs(array[np.isfinite(array)]), initial=1.0)
            if not np.allclose(other, array, rtol=RELATIVE, atol=RELATIVE * scale, equal_nan=True):
                wrong.append(f"{name} differs by {np.nanmax(np.abs(other - array))}")
        elif not np.array_equal(other, array):
            wrong.append(f"{name} differs in {int((other != array).sum())} of {array.size} numbers")
    return wrong


def _results(rows: list[Any], answers: list[dict[str, Any]]) -> list[str]:
    expected = {(row.monitor, row.chunk): row for row in rows if row.chunk_start}
    found = {(row["monitor"], row["chunk"]): row for row in answers}
    wrong = [f"no result {key}" for key in expected.keys() - found.keys()]
    wrong += [f"a result too many {key}" for key in found.keys() - expected.keys()]
    if len(found) != len(answers):
        wrong.append(f"{len(answers) - len(found)} results are there twice")
    for key in expected.keys() & found.keys():
        row, there = expected[key], found[key]
        for name in ("n", "status", "reason"):
            wanted = getattr(row, name)
            if there[name] != (wanted if wanted is None or name == "n" else str(wanted)):
                wrong.append(f"{name} of {key} is {there[name]!r}, not {wanted!r}")
        for name in (
            *("value", "lower", "upper", "reference_value", "limit_lower", "limit_upper"),
            *("evidence", "label_coverage"),
        ):
            if not _same(there[name], getattr(row, name), UNSTEADY.get(row.metric, RELATIVE)):
                wrong.append(f"{name} of {key} is {there[name]}, not {getattr(row, name)}")
    return _few(sorted(wrong))


def _same(there: float | None, wanted: float | None, relative: float) -> bool:
    if there is None or wanted is None:
        return there is None and (wanted is None or np.isnan(wanted))
    return bool(np.isclose(there, wanted, rtol=relative, atol=ABSOLUTE))


def _few(wrong: list[str]) -> list[str]:
    return wrong if len(wrong) <= SHOWN else [*wrong[:SHOWN], f"… and {len(wrong) - SHOWN} more"]


def _pages(url: str, path: str) -> Iterator[dict[str, Any]]:
    following: str | None = path
    while following is not None:
        page = json.loads(_get(url + following))
        yield from page["items"]
        following = page["next"]


def _get(url: str) -> bytes:
    with _LOOPBACK.open(url, timeout=60) as answer:
        return bytes(answer.read())


def _us(time: str | None) -> int | None:
    return None if time is None else to_microseconds(datetime.fromisoformat(time).astimezone(UTC))
