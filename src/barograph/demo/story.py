"""What a story consists of: a model, its past, what comes live, and the troubles that a watcher should find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any  # Any: JSON values
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import polars as pl

ID, TIME, LABEL, LABEL_TIME = "event_id", "timestamp", "label", "label_timestamp"
DAY = timedelta(days=1)
SEVERITIES = ("notice", "warning", "critical")
EARLY = 2 * DAY  # that an alert may begin before its trouble: the evidence of calm days counts, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that somebody did at a time (UTC), and tells the service of."""

    at: datetime
    kind: str
    title: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong with a model from `since` until `until` (UTC), and by which alerts it is known.

    These are the alerts of `families` that have the severity `least` or a higher one, are on one of `columns` or
    (without columns) on the model as a whole, and begin within that time or up to two days before it. `real` troubles
    are in the data; the others were put there.
    """

    title: str
    since: datetime
    until: datetime
    families: frozenset[str]
    columns: frozenset[str] = frozenset()
    least: str = "warning"
    real: bool = False

    def is_seen_in(self, alert: Mapping[str, Any]) -> bool:
        """Return whether an alert, as the API tells of it, is about this trouble."""
        begins = datetime.fromisoformat(alert["first_at"])
        on_column = alert["column"] in self.columns if self.columns else alert["column"] is None
        is_grave = SEVERITIES.index(alert["severity"]) >= SEVERITIES.index(self.least)
        is_then = self.since - EARLY <= begins < self.until
        return alert["fired_at"] is not None and alert["family"] in self.families and on_column and is_grave and is_then


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Story:
    """A model with a reference, events and labels in the order of their times (UTC), and what is wrong with it.

    Events have `event_id` and `timestamp`, labels `event_id`, `label` and `label_timestamp`. What is older than the
    time from which the story is told live is its past. A story without troubles is one that must be left alone.
    """

    model: str
    about: str
    spec: str  # TOML
    reference: pl.DataFrame
    events: pl.DataFrame
    labels: pl.DataFrame
    changes: Sequence[Change] = ()
    troubles: Sequence[Trouble] = ()


def days_to(last: date, now: datetime, zone: str) -> timedelta:
    """Return by how many whole days data whose last day is `last` must be moved to end yesterday, in this zone.

    >>> from datetime import UTC
    >>> days_to(date(2013, 12, 31), datetime(2014, 1, 9, 3, tzinfo=UTC), "America/New_York").days
    7
    """
    return (now.astimezone(ZoneInfo(zone)).date() - DAY) - last


def moved(frame: pl.DataFrame, by: timedelta, zone: str) -> pl.DataFrame:
    """Return the rows with `timestamp`, a local time of a zone, moved by whole days and in UTC.

    Rows whose new time is skipped by a change of the clocks are left out.
    """
    import polars as pl

    local = (pl.col(TIME) + by).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return frame.with_columns(local.dt.convert_time_zone("UTC").alias(TIME)).drop_nulls(TIME)


def moment(local: datetime, by: timedelta, zone: str) -> datetime:
    """Return a local time of the data in UTC, moved as the data are."""
    return (local + by).replace(tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))
