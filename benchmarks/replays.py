"""Real streams through the live service: the same results as `check`, incidents as they open, and the past as it was.

`python benchmarks/replays.py incidents FOLDER` and `… flights FOLDER` read a Parquet file of FOLDER, fit a model and
cut the stream as `alarms.py` does, send the rest to a `barograph serve` of their own in the order of time, and write a
section of docs/replays.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any  # Any: JSON values

import httpx
import numpy as np
import polars as pl
import polars.selectors as cs

from alarms import STREAMS, scored
from replaying import (
    Compared,
    Stream,
    compare,
    incidents,
    register,
    results,
    runs,
    same,
    send,
    served,
    state_of,
    wait_idle,
)

RESOLUTION_S = 0.5  # results that are younger are replaced; ten minutes by default, which is months of a replay
KEEPS_ALL = {"BAROGRAPH_RESOLUTION_SECONDS": str(RESOLUTION_S)}
WRONG = 0.02  # of the labels of flights are wrong at first
DELAY_DAYS = (1.0, 30.0)
MOMENTS = (4, 9, 14, 19, 24, 29)  # weeks after which the results are kept
SHOWN = 20  # differences
MOST_STATES = 4  # of an incident that are told
CORRECTED_DAYS = (1.0, 14.0)  # later
# A day of this stream passes in about a second, so that the service may not rest for five between evaluations.
SHORT_RESTS = {"BAROGRAPH_FILING_SECONDS": "0.5", "BAROGRAPH_EVALUATION_SECONDS": "0.2"}


@dataclass(kw_only=True)
class Played:
    """What was seen while a stream was played: of each incident how it was at first, and then its states since when."""

    rows: int = 0
    requests: int = 0
    steps: int = 0
    sending_s: float = 0.0
    working_s: float = 0.0
    opened: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """All results as the API gave them at a time of the wall clock, and the newest event then."""

    at: datetime
    newest_event: str
    results: Mapping[Any, Mapping[str, Any]]


def prepared(name: str, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any], str]:
    """Return reference and current rows with predictions and ids, the roles of their columns, and the chunk."""
    stream = next(s for s in STREAMS if s.name == name)
    frame = pl.read_parquet(folder / f"{name}.parquet").with_columns(cs.float().cast(pl.Float64))
    reference, current, roles = scored(frame, stream)
    kept = ["event_id", "timestamp", *roles["features"], roles["score"], roles["label"]]
    extra = [c for c in ("label_timestamp",) if c in frame.columns]
    reference = reference.with_columns(event_id=pl.format("r{}", pl.int_range(pl.len()))).select(kept)
    current = current.with_columns(event_id=pl.format("e{}", pl.int_range(pl.len()))).select(*kept, *extra)
    return reference, current, {**roles, "features": list(roles["features"]), "id": "event_id"}, stream.chunk


def incident_stream(folder: Path, *, keep: str | None) -> Stream:
    """Return incidents: an event when one is opened, its label when it is closed."""
    reference, current, roles, chunk = prepared("incident_log", folder)
    service = {"service": {"keep_events": keep}} if keep else {}
    return Stream(
        name="incident_log",
        spec={"chunk": chunk, **roles, **service},
        reference=reference,
        events=current.drop(roles["label"], "label_timestamp"),
        labels=current.select("event_id", "label_timestamp", label=roles["label"]),
        known=current.drop("label_timestamp"),
    )


def flight_stream(folder: Path) -> Stream:
    """Return flights whose labels come late, some of them wrong at first."""
    reference, current, roles, chunk = prepared("flights_nyc13", folder)
    return with_late_labels("flights_nyc13", reference, current, spec={"chunk": chunk, **roles})


def with_late_labels(name: str, reference: pl.DataFrame, current: pl.DataFrame, *, spec: Mapping[str, Any]) -> Stream:
    """Return a binary stream whose labels come 1 to 30 days late, 2 % of them wrong at first."""
    rng = np.random.default_rng(13)
    label = spec["label"]
    known = current.drop_nulls(label).select("event_id", "timestamp", label=label)
    delay = rng.uniform(*DELAY_DAYS, len(known))
    later = delay + rng.uniform(*CORRECTED_DAYS, len(known))
    is_wrong = pl.Series(rng.random(len(known)) < WRONG)
    times = {
        "first": known["timestamp"] + pl.Series(delay * 86_400e6).cast(pl.Int64).cast(pl.Duration("us")),
        "second": known["timestamp"] + pl.Series(later * 86_400e6).cast(pl.Int64).cast(pl.Duration("us")),
    }
    known = known.with_columns(**times, wrong=is_wrong)
    wrong = known.filter("wrong")
    right = pl.when("wrong").then("second").otherwise("first")
    labels = pl.concat(
        [
            wrong.select("event_id", ~pl.col("label"), label_timestamp="first"),
            known.select("event_id", "label", label_timestamp=right),
        ]
    )
    return Stream(name=name, spec=spec, reference=reference, events=current.drop(label), labels=labels, known=current)


def play(
    client: httpx.Client, stream: Stream, *, step: str, every: str | None = None, moments: Sequence[int] = ()
) -> Played:
    """Send a stream; after each `step` of its time wait for the service, and see which incidents are new.

    After the steps with the numbers `moments`, keep what the API says.
    """
    played = Played()
    edge: datetime | None = None
    for at, kind, rows in runs(stream, every=every):
        here = pl.Series([at]).dt.truncate(step)[0]
        if edge is not None and here != edge:
            look(client, stream, played)
            if played.steps in moments:
                keep(client, stream, played)
        edge = here
        start = time.monotonic()
        send(client, stream, kind, rows)
        played.sending_s += time.monotonic() - start
        played.rows, played.requests = played.rows + len(rows), played.requests + 1
    look(client, stream, played)
    return played


def look(client: httpx.Client, stream: Stream, played: Played) -> None:
    """Wait for the service, and note the incidents that are new."""
    played.working_s += wait_idle(client, stream.name)
    played.steps += 1
    newest = state_of(client, stream.name)["last_event_at"]
    for incident in incidents(client, stream.name):
        played.opened.setdefault(incident["id"], {**incident, "newest_event": newest})
        seen = played.states.setdefault(incident["id"], [])
        now = f"{incident['severity']} {incident['state']}"
        if not seen or seen[-1][0] != now:
            seen.append((now, newest))


def keep(client: httpx.Client, stream: Stream, played: Played) -> None:
    """Keep what the API says now, and wait until nothing of it can be restated in place."""
    newest = state_of(client, stream.name)["last_event_at"]
    found = results(client, stream.name)
    played.moments.append(Moment(at=datetime.now(UTC), newest_event=newest, results=found))
    time.sleep(RESOLUTION_S)


def not_as_it_was(client: httpx.Client, stream: Stream, moment: Moment) -> list[str]:
    """Return what the API says differently of a moment in the past than it said then."""
    found = results(client, stream.name, as_of=moment.at.isoformat())
    differences = [f"{key}: only one of them" for key in found.keys() ^ moment.results.keys()]
    for key, row in moment.results.items():
        there = found.get(key, {})
        differences += [
            f"{key}: {name} {there.get(name)!r}, was {value!r}"
            for name, value in row.items()
            if name != "until" and not same(there.get(name), value)
        ]
    return differences


def stated(settings: Mapping[str, str]) -> str:
    """Return settings as they stand in the environment."""
    return " and ".join(f"{name}={value}" for name, value in settings.items())


def day(text: str | None) -> str:
    """Return date and minute of a time of the API."""
    return "–" if text is None else text[:16].replace("T", " ")


def summary(stream: Stream, played: Played, compared: Compared) -> list[str]:
    """Return what was sent, how long it took and whether all is equal."""
    first, last = stream.events["timestamp"].min(), stream.labels["label_timestamp"].max()
    span = last - first  # type: ignore[operator]  # times of a stream that is not empty
    wall = played.sending_s + played.working_s
    sent = (
        f"{len(stream.events):,} events and {len(stream.labels):,} labels of {span.days} days in {played.requests:,} "
        f"requests and {played.steps} steps, {wall:.0f} s: sending {played.sending_s:.0f} s "
        f"({played.rows / played.sending_s:,.0f} rows/s), waiting for results {played.working_s:.0f} s "
        f"({played.working_s / played.steps:.1f} s a step). Time passed {span.total_seconds() / wall:,.0f} times as "
        "fast as it did."
    )
    equal = (
        f"Compared with `check`: {compared.results:,} result rows ({compared.labelled:,} with labels), "
        f"{compared.alerts} alerts, {len(compared.incidents)} incidents and the verdict: "
        f"**{len(compared.differences)} differences**."
    )
    differences = [f"- {difference}" for difference in compared.differences[:SHOWN]]
    return [sent, "", equal, "", *differences, "", f"> {compared.verdict}", ""]


def table_of_incidents(played: Played, compared: Compared) -> list[str]:
    """Return when each incident was opened in the time of the stream, and what `check` says of it."""
    ours = compared.told
    lines = [
        "| newest event then | severity | what it said then | in breach since | later seen as | `check` at the end |",
        "|---|---|---|---|---|---|",
    ]
    for id, seen in played.opened.items():
        final = ours.get(id)
        said = "– (withdrawn)" if final is None else f"{final['severity']}: {final['title']}"
        if final is not None and final["title"] == seen["title"]:
            said = "the same"
        states = played.states[id]
        changes = " → ".join(f"{state} ({at[:10]})" for state, at in states[1 : 1 + MOST_STATES])
        changes += f" and {len(states) - 1 - MOST_STATES} more" if len(states) > 1 + MOST_STATES else ""
        told = (day(seen["newest_event"]), seen["severity"], seen["title"], day(seen["since"]), changes or "–", said)
        lines.append(f"| {' | '.join(told)} |")
    unseen = [i for i in ours if i not in played.opened]
    closed = {incident.id for incident in compared.incidents}
    later = [i for i in compared.all_incidents if i.id not in closed]
    counted = (
        f"{len(played.opened)} incidents were seen, {len(played.opened.keys() - ours.keys())} of them withdrawn when "
        f"labels or later chunks changed the picture; {len(unseen)} of those at the end were never seen. With the last "
        f"chunk, which is not closed, `check` has {len(compared.all_incidents)}, of which {len(later)} are not among "
        "these."
    )
    return [*lines, "", counted, ""]


def incident_log(folder: Path, *, keep: str | None) -> str:
    """Play the incidents and return a section of the page."""
    stream = incident_stream(folder, keep=keep)
    with tempfile.TemporaryDirectory() as home, served(Path(home) / "data", SHORT_RESTS) as client:
        register(client, stream)
        played = play(client, stream, step="1d")
        compared = compare(client, stream)
    told = (
        "An event when an incident is opened, its label when it is closed, one by one in the order of time. The known "
        "change: from April 2016 on, far fewer incidents breach their SLA. Labels come up to 341 days late, so raw "
        f"events are kept for {keep or '90d (the default)'}. After each day of the stream the service was asked for "
        f"incidents; so that a day passes in a second or two, {stated(SHORT_RESTS)}; every "
        "other setting has its default."
    )
    return "\n".join(
        ["## incident_log", "", told, "", *summary(stream, played, compared), *table_of_incidents(played, compared)]
    )


def flights(folder: Path) -> str:
    """Play the flights and return a section of the page."""
    stream = flight_stream(folder)
    with tempfile.TemporaryDirectory() as home, served(Path(home) / "data", KEEPS_ALL) as client:
        register(client, stream)
        played = play(client, stream, step="1w", every="1h", moments=MOMENTS)
        compared = compare(client, stream)
        past = [not_as_it_was(client, stream, moment) for moment in played.moments]
    rows = ["| newest event then | asked as of | result rows | differences |", "|---|---|--:|--:|"]
    wrong = []
    for moment, differences in zip(played.moments, past, strict=True):
        at = f"{moment.at:%H:%M:%S.%f}"
        rows.append(f"| {day(moment.newest_event)} | {at} | {len(moment.results):,} | {len(differences)} |")
        wrong += [f"- {difference}" for difference in differences[:SHOWN]]
    told = (
        "Labels come 1 to 30 days after the flight; 2 % are wrong at first and corrected 1 to 14 days later. Events "
        "and labels are sent hour by hour; after each week the service was asked for incidents. So that what is "
        f"restated within seconds is kept as well, {stated(KEEPS_ALL)}; every other setting has its default."
    )
    asked = (
        "What the API said of all chunks at some moments of the replay, asked again at its end with `as_of` that "
        "moment of the wall clock:"
    )
    return "\n".join(
        [
            *("## flights_nyc13", "", told, ""),
            *summary(stream, played, compared),
            *table_of_incidents(played, compared),
            *(asked, "", *rows, "", *wrong, ""),
            *one_chunk(played),
        ]
    )


def one_chunk(played: Played) -> list[str]:
    """Return one metric of one chunk at the moments that were kept."""
    monitor = "performance.roc_auc"
    starts = sorted({start for of, start in played.moments[0].results if of == monitor})
    rows = ["| newest event then | chunk | labelled | ROC AUC |", "|---|---|--:|--:|"]
    for moment in played.moments:
        row = moment.results[monitor, starts[1]]
        value = "undefined" if row["value"] is None else f"{row['value']:.4f}"
        rows.append(f"| {day(moment.newest_event)} | {row['chunk']} | {row['label_coverage'] or 0:.1%} | {value} |")
    return rows


def write(page: Path, section: str) -> None:
    """Put a section into the page, in place of the one with its heading."""
    head = (
        "# Real streams through the live service\n\n"
        "`python benchmarks/replays.py incidents|flights FOLDER` plays a stream again through `barograph serve` and "
        "compares every result row, alert and incident with `check` of the same rows: integers and texts exactly, "
        "numbers to nine digits. Models and references are those of [alarms](alarms.md).\n"
    )
    text = page.read_text("utf-8") if page.exists() else ""
    sections = {part.split("\n", 1)[0]: part.strip() for part in text.split("\n## ")[1:]}
    title, _, _ = section.removeprefix("## ").partition("\n")
    sections[title] = section.removeprefix("## ").strip()
    page.write_text(head + "".join(f"\n## {sections[name]}\n" for name in sorted(sections)), encoding="utf-8")


def main() -> None:
    """Play one stream and write its section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stream", choices=("incidents", "flights"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "replays.md")
    parser.add_argument(
        "--keep-events", default="400d", help="how long the incidents' events are kept, or '' for 90 days"
    )
    arguments = parser.parse_args()
    if arguments.stream == "incidents":
        section = incident_log(arguments.folder, keep=arguments.keep_events or None)
    else:
        section = flights(arguments.folder)
    print(section)
    write(arguments.out, section)


if __name__ == "__main__":
    main()
