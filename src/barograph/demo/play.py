"""Tell stories to a running server: their past at once, and the rest as it happened, by a clock that runs faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any  # Any: JSON values

from barograph.demo.api import Api
from barograph.demo.story import DAY, LABEL_TIME, TIME, Change, Story, Trouble

if TYPE_CHECKING:
    import polars as pl

PIECES = 12  # of a day, each sent by itself
CLOSES = 3  # after this piece the day before is closed: the first flight of the morning has left
LOUD = ("warning", "critical")

Say = Callable[[datetime, str, str], None]  # the time in the story, the model, what happened


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The incident that told of a trouble first. `at` is the time in the story; None: it was in the past already."""

    at: datetime | None
    fired_at: datetime
    severity: str
    title: str


@dataclass(kw_only=True)
class Seen:
    """What the server has said: of each incident severity and state, and what told of which trouble of which model."""

    incidents: dict[str, tuple[str, str]] = field(default_factory=dict)
    loud: dict[str, list[str]] = field(default_factory=dict)  # titles of warnings and worse, by model
    found: dict[tuple[str, Trouble], Found] = field(default_factory=dict)


def back_fill(api: Api, story: Story, *, until: datetime) -> None:
    """Make the model of a story and send its past: what happened before `until`."""
    import polars as pl

    api.register(story.model, story.spec, story.reference)
    _tell(api, story, [change for change in story.changes if change.at < until])
    api.send(story.model, "events", story.events.filter(pl.col(TIME) < until), as_lines=False)
    api.send(story.model, "labels", story.labels.filter(pl.col(LABEL_TIME) < until), as_lines=False)


def stream(
    api: Api, stories: Sequence[Story], *, start: datetime, end: datetime, day_s: float, say: Say, seen: Seen
) -> None:
    """Send what happened from `start` to `end`, a day in `day_s` seconds, or in as many as the server needs.

    Events are sent in the order of their time, labels when they became known. The clock waits for the server: what it
    finds was found at that time of the story, on a slow machine as well.
    """
    piece, at, number = DAY / PIECES, start, 0
    while at < end:
        began, until = time.monotonic(), min(at + piece, end)
        for story in stories:
            for change in _tell(api, story, [change for change in story.changes if at <= change.at < until]):
                say(change.at, story.model, f"{change.kind}: {change.title}")
            for kind, rows, column in (("events", story.events, TIME), ("labels", story.labels, LABEL_TIME)):
                now = _between(rows, column, at, until)
                if len(now):
                    api.send(story.model, kind, now, as_lines=True)
        at, number = until, number + 1
        if number % PIECES == CLOSES or at >= end:
            api.wait_idle([story.model for story in stories])
        look(api, stories, at=at, say=say, seen=seen)
        time.sleep(max(0.0, day_s / PIECES - (time.monotonic() - began)))


def look(api: Api, stories: Sequence[Story], *, at: datetime, say: Say, seen: Seen, is_past: bool = False) -> None:
    """See which incidents are new, worse or over; say it of warnings and worse, and of what tells of a trouble."""
    for story in stories:
        for incident in reversed(api.items("/v1/incidents", model=story.model, withdrawn="false")):
            before, now = seen.incidents.get(incident["id"]), (incident["severity"], incident["state"])
            seen.incidents[incident["id"]] = now
            tells = now != before and _match(api, story, incident, at=None if is_past else at, seen=seen)
            if now == before or not (tells or now[0] in LOUD):
                continue
            if now[0] in LOUD:
                seen.loud.setdefault(story.model, []).append(incident["title"])
            is_new = before is None or (before[0] not in LOUD and now[0] in LOUD)
            page = f"  {api.url}/models/{story.model}" if is_new else ""
            say(at, story.model, f"{_said(incident, is_new=is_new)}{page}")


def states(api: Api, stories: Sequence[Story]) -> dict[str, Mapping[str, Any]]:
    """Return how each model is, as the server says it."""
    return {story.model: api.get(f"/v1/models/{story.model}")["state"] for story in stories}


def _match(api: Api, story: Story, incident: Mapping[str, Any], *, at: datetime | None, seen: Seen) -> bool:
    """Note the troubles that an incident is the first to tell of; return whether there are any."""
    open_troubles = [trouble for trouble in story.troubles if (story.model, trouble) not in seen.found]
    if not open_troubles:
        return False
    members = {incident["body"]["root"], *incident["body"]["explains"]}
    for alert in api.items("/v1/alerts", model=story.model, withdrawn="false"):
        if alert["id"] not in members:
            continue
        for trouble in open_troubles:
            if trouble.is_seen_in(alert) and (story.model, trouble) not in seen.found:
                seen.found[story.model, trouble] = Found(
                    at=at,
                    fired_at=datetime.fromisoformat(alert["fired_at"]),
                    severity=incident["severity"],
                    title=incident["title"],
                )
    return any((story.model, trouble) in seen.found for trouble in open_troubles)


def _said(incident: Mapping[str, Any], *, is_new: bool) -> str:
    since = f"since {incident['since'][:10]}"
    if incident["state"] == "resolved":
        return f"over: {incident['title']}" if not is_new else f"{incident['severity']}, over: {incident['title']}"
    return f"{'INCIDENT' if is_new else 'now'} {incident['severity']}, {since}: {incident['title']}"


def _tell(api: Api, story: Story, changes: Sequence[Change]) -> Sequence[Change]:
    for change in changes:
        said = {"at": change.at.isoformat(), "kind": change.kind, "title": change.title, "version": change.version}
        api.ask("POST", f"/v1/models/{story.model}/changes", said)
    return changes


def _between(rows: pl.DataFrame, column: str, start: datetime, end: datetime) -> pl.DataFrame:
    import polars as pl

    return rows.filter(pl.col(column) >= start, pl.col(column) < end)


def clock(at: datetime) -> str:
    """Return a time of the story as it is shown."""
    return f"{at:%Y-%m-%d %H:%M}"


def days(span: timedelta) -> str:
    """Return a span in days.

    >>> days(timedelta(hours=36))
    '1.5 days'
    """
    return f"{span / DAY:.1f} days"
