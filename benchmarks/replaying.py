"""Play a stream again through a running service, and compare all that it says with a batch check of the same rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from math import isclose
from pathlib import Path
from typing import Any  # Any: JSON values

import httpx
import polars as pl

from barograph.alerts.alert import State
from barograph.alerts.condition import OF_LABELS
from barograph.alerts.incident import Incident
from barograph.alerts.lifecycle import watch
from barograph.checks.assess import outputs_of, unjudged
from barograph.checks.verdict import checked_condition, judge
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.report.report import Report
from barograph.spec.file import ModelSpec
from barograph.times import to_microseconds

STARTING_S = 60.0
IDLE_S = 300.0  # that work may take after one step of a stream
POLL_S = 0.05
NUMBERS = ("value", "lower", "upper", "reference_value", "limit_lower", "limit_upper", "evidence", "label_coverage")
EXACT = ("n", "status", "reason", "chunk", "version", "metric", "family", "column", "segment")
# What is compared of an incident and of an alert, and by what they are found: the service keeps the ids of those whose
# beginning is restated.
INCIDENT, BY_TITLE = ("severity", "state", "until"), ("title", "since")
ALERT, BY_MONITOR = ("state", "severity"), ("monitor", "first_chunk")
_WAITING = ("barograph_queue_requests", "barograph_spool_rows")

Key = tuple[str, str]  # monitor, and key of the chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A model's stream: `events` have `event_id` and `timestamp`, `labels` have `event_id`, `label`, `label_timestamp`.

    `known` are the events with the labels that they have in the end, under the model's own name. Times of labels, and
    of events, are local times of the model's zone.
    """

    name: str
    spec: Mapping[str, Any]
    reference: pl.DataFrame
    events: pl.DataFrame
    labels: pl.DataFrame
    known: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What is different between the service and a batch check; all of it equal: no `differences`."""

    results: int
    labelled: int  # of the results: those of chunks in which events have labels
    told: Mapping[str, Mapping[str, Any]]  # the incidents that the service has at the end, by their ids
    incidents: Sequence[Incident]  # of a batch check of the chunks that are closed
    all_incidents: Sequence[Incident]  # of all chunks
    alerts: int
    verdict: str
    differences: Sequence[str]


@contextmanager
def served(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[httpx.Client]:
    """Run `barograph serve` on a folder, as a process of its own, and give a client of it."""
    command = [sys.executable, "-c", "from barograph.cli import main; main()", "serve", "--data", str(folder)]
    log = folder.with_suffix(".log")
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--port", "0", "--log-level", "warning"],
            env={**os.environ, **(environment or {})},
            stderr=written,
        )
    try:
        with httpx.Client(base_url=_url(process, log), timeout=IDLE_S) as client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STARTING_S)
    said = [line for line in log.read_text().splitlines() if not line.startswith("barograph serves at ")]
    if process.returncode or said:
        raise RuntimeError(f"barograph serve ended with {process.returncode} and said: {said[:20]}")


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + STARTING_S
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("barograph serves at "):
                return line.split()[-1]
        time.sleep(POLL_S)
    raise RuntimeError(f"barograph serve did not start: {log.read_text()}")


def register(client: httpx.Client, stream: Stream) -> None:
    """Make the model and learn its reference."""
    client.put(f"/v1/models/{stream.name}", json=dict(stream.spec)).raise_for_status()
    file = BytesIO()
    stream.reference.write_parquet(file)
    answer = client.post(
        f"/v1/models/{stream.name}/references?wait=120",
        content=file.getvalue(),
        headers={"Content-Type": "application/vnd.apache.parquet"},
    )
    found = answer.raise_for_status().json()
    if found["state"] != "ready" or not found["active"]:
        raise RuntimeError(f"The reference is not in use: {found}")


def runs(stream: Stream, *, every: str | None = None) -> Iterator[tuple[datetime, str, pl.DataFrame]]:
    """Give events and labels in the order of time: time of the first row, "events" or "labels", rows of one request.

    Without `every`, an event is sent before any label that came later, and the other way round. With it, the time is
    cut into pieces of this length, and of each the events are sent first.
    """
    events = stream.events.select(at="timestamp", kind=pl.lit(0), row=pl.int_range(pl.len()))
    labels = stream.labels.select(at="label_timestamp", kind=pl.lit(1), row=pl.int_range(pl.len()))
    both = pl.concat([events, labels])
    piece = pl.col("at") if every is None else pl.col("at").dt.truncate(every)
    both = both.with_columns(piece=piece).sort("piece", "kind", "at", "row", maintain_order=True)
    unit = pl.col("kind") if every is None else pl.struct("piece", "kind")
    for _, part in both.group_by(unit.rle_id().alias("run"), maintain_order=True):
        is_label = part["kind"][0] == 1
        rows = (stream.labels if is_label else stream.events)[part["row"].to_list()]
        yield part["at"][0], "labels" if is_label else "events", rows


def send(client: httpx.Client, stream: Stream, kind: str, rows: pl.DataFrame) -> None:
    """Send rows as lines of JSON; all of them must be taken."""
    answer = client.post(
        f"/v1/models/{stream.name}/{kind}",
        content=rows.write_ndjson(),
        headers={"Content-Type": "application/x-ndjson"},
    )
    taken = answer.raise_for_status().json()
    if taken["accepted"] != len(rows):
        raise RuntimeError(f"Not all of {len(rows)} {kind} were taken: {taken}")


def wait_idle(client: httpx.Client, model: str) -> float:
    """Wait until all that was sent is filed, counted and evaluated; return the seconds that took."""
    start = time.monotonic()
    while time.monotonic() - start < IDLE_S:
        waits, failures = 0.0, 0.0
        for line in client.get("/metrics").raise_for_status().text.splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith(_WAITING) or name == f'barograph_model_work_waiting{{model="{model}"}}':
                waits += float(value)
            elif name == f'barograph_model_failures{{model="{model}"}}':
                failures += float(value)
        if failures:
            raise RuntimeError("The service could not evaluate the model; its log says why.")
        if not waits:
            return time.monotonic() - start
        time.sleep(POLL_S)
    raise RuntimeError(f"There is work left after {IDLE_S} s.")


def items(client: httpx.Client, path: str, **query: str) -> list[dict[str, Any]]:
    """Return all items of a list, page by page."""
    found: list[dict[str, Any]] = []
    page = client.get(path, params={"limit": "1000", **query}).raise_for_status().json()
    found += page["items"]
    while page["next"]:
        page = client.get(page["next"]).raise_for_status().json()
        found += page["items"]
    return found


def results(client: httpx.Client, model: str, **query: str) -> dict[Key, dict[str, Any]]:
    """Return all result rows of a model."""
    rows = items(client, f"/v1/models/{model}/results", **query)
    found = {(row["monitor"], row["chunk_start"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def state_of(client: httpx.Client, model: str) -> dict[str, Any]:
    """Return what the service says of a model."""
    state: dict[str, Any] = client.get(f"/v1/models/{model}").raise_for_status().json()["state"]
    return state


def incidents(client: httpx.Client, model: str, *, withdrawn: bool = False) -> list[dict[str, Any]]:
    """Return the incidents of a model."""
    return items(client, "/v1/incidents", model=model, withdrawn=str(withdrawn).lower())


def _needs_no_labels(incident: Incident) -> bool:
    """Return whether no labels have to show that it is as before: the service leaves that to reports."""
    return not any(a.last_breach.family in OF_LABELS for a in incident.alerts if a.severity is incident.severity)


def compare(client: httpx.Client, stream: Stream) -> Compared:
    """Check the stream's rows at once, with the reference and specification of the service, and compare."""
    name = stream.name
    model = client.get(f"/v1/models/{name}").raise_for_status().json()
    spec = ModelSpec.model_validate(client.get(f"/v1/models/{name}/spec").raise_for_status().json())
    data = client.get(f"/v1/models/{name}/references/{model['reference']}/data").raise_for_status().content
    reference = Reference.from_bytes(data)
    report = check(reference, stream.known, chunk=model["chunk"], spec=spec, model=name)
    found = results(client, name)
    differences = _different_rows(report, found)

    state = model["state"]
    watermark = to_microseconds(datetime.fromisoformat(state["watermark"]))
    closed = sum(1 for c in report.profiles.chunks if c.end is not None and to_microseconds(c.end) <= watermark)
    alerts, grouped = watch(
        [b for b in report.breaches if b.position < closed],
        report.profiles.chunks[:closed],
        outputs=outputs_of(reference),
        unsettled=unjudged(report.rows, report.profiles, report.alerting),
    )
    told = incidents(client, name)
    differences += _different("incident", told, [_said(i) for i in grouped], INCIDENT, by=BY_TITLE)
    alerts_there = [alert["body"] for alert in items(client, "/v1/alerts", model=name)]
    differences += _different("alert", alerts_there, [a.to_dict() for a in alerts], ALERT, by=BY_MONITOR)
    fires = [incident for incident in grouped if incident.state is State.FIRING]  # the service tells how it is now
    judged = judge(reference, report.profiles, report.rows)
    in_words = checked_condition(judged, fires, is_shown=_needs_no_labels, outside=report.profiles.outside).verdict
    if state["verdict"] != in_words:
        differences.append(f"verdict: {state['verdict']!r}, expected {in_words!r}")
    for field, expected in (("events", len(stream.events)), ("labels", len(stream.labels)), ("late", 0)):
        if state[field] != expected:
            differences.append(f"state: {field} {state[field]}, expected {expected}")
    return Compared(
        results=len(found),
        labelled=sum(1 for row in found.values() if row["label_coverage"]),
        told={incident["id"]: incident for incident in told},
        incidents=grouped,
        all_incidents=report.incidents,
        alerts=len(alerts),
        verdict=in_words,
        differences=differences,
    )


def same(there: Any, wanted: Any) -> bool:
    """Return whether two values are equal, numbers to nine digits."""
    if isinstance(there, float) and isinstance(wanted, float):
        return isclose(there, wanted, rel_tol=1e-9, abs_tol=1e-12)
    return bool(there == wanted)


def _different_rows(report: Report, found: Mapping[Key, Mapping[str, Any]]) -> list[str]:
    expected = {(r.monitor, _text(r.chunk_start)): r for r in report.rows}
    differences = [f"{key}: not in the service" for key in expected if key not in found]
    differences += [f"{key}: only in the service" for key in found if key not in expected]
    for key, row in expected.items():
        there = found.get(key)
        for field in (*EXACT, *NUMBERS) if there is not None else ():
            value, wanted = there[field], getattr(row, field)
            if field in NUMBERS:
                ok = (value is None) == (wanted is None) and (value is None or same(float(value), float(wanted)))
            else:
                ok = value == (str(wanted) if field == "status" else wanted)
            if not ok:
                differences.append(f"{key}: {field} {value!r}, expected {wanted!r}")
    return differences


def _said(incident: Incident) -> dict[str, Any]:
    return {
        "severity": incident.severity.value,
        "state": incident.state.value,
        "title": incident.title,
        "since": _text(incident.since_at),
        "until": _text(incident.until_at),
    }


def _different(
    what: str,
    found: Sequence[Mapping[str, Any]],
    wanted: Sequence[Mapping[str, Any]],
    fields: Sequence[str],
    *,
    by: Sequence[str],
) -> list[str]:
    there, expected = ({tuple(row[field] for field in by): row for row in rows} for rows in (found, wanted))
    differences = [f"{what} {key}: not in the service" for key in expected if key not in there]
    differences += [f"{what} {key}: only in the service" for key in there if key not in expected]
    for key, row in expected.items():
        for field in fields if key in there else ():
            if there[key][field] != row[field]:
                differences.append(f"{what} {key}: {field} {there[key][field]!r}, expected {row[field]!r}")
    if len(there) < len(found):
        differences.append(f"{len(found) - len(there)} of the service's {what}s are there twice")
    return differences


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")
