"""The digest: what has moved in a week, in one message a project, for those who read rather than are woken."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from barograph.alerts.condition import Judgement
from barograph.alerts.severity import Severity
from barograph.delivery.hours import DAYS, Clock, Day, Zone, moment
from barograph.delivery.message import Kind, Message
from barograph.delivery.receivers import Receiver
from barograph.delivery.routes import Names, Patterns, severity_of
from barograph.errors import did_you_mean
from barograph.text.format import count

LABELS = ("model", "project", "owner")
LATE = timedelta(days=1)  # after which a digest is left out: a service that was away does not tell of an old week
MOST_MOVED = 50  # incidents that a digest names

How = Literal["new", "goes on", "over"]


class Digest(BaseModel):
    """Tell `receivers` each week, on `day` at the time `at` of the clock in `timezone`, what has moved since the last.

    `match` chooses models by the labels model, project and owner; `least` is the severity from which on incidents are
    named (notice).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    receivers: Names
    day: Day = "mon"
    at: Clock = "08:00"
    timezone: Zone = "UTC"
    match: dict[str, Patterns] = Field(default_factory=dict)
    least: Annotated[Severity, BeforeValidator(severity_of)] = Severity.NOTICE

    def week(self, now: datetime) -> tuple[datetime, datetime] | None:
        """Return beginning and end of the week that is told of now; None if it is not the time for it.

        >>> from datetime import UTC
        >>> one = Digest(receivers=("mail",), timezone="Europe/Berlin")
        >>> [f"{at:%d %H:%M}" for at in one.week(datetime(2026, 11, 30, 9, tzinfo=UTC))]
        ['23 07:00', '30 07:00']
        >>> one.week(datetime(2026, 11, 30, 6, tzinfo=UTC)), one.week(datetime(2026, 12, 2, tzinfo=UTC))
        (None, None)
        """
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        days = (today - timedelta(days=i) for i in range(len(DAYS) + 1))
        for day in (day for day in days if DAYS[day.weekday()] == self.day):
            if (end := moment(day, self.at, zone)) <= now:
                return (moment(day - timedelta(days=7), self.at, zone), end) if now - end < LATE else None
        return None

    def thread(self, end: datetime) -> str:
        """Return the thread of what is told of the week that ends then: nobody is told of it twice."""
        asked = ";".join(f"{name}={','.join(patterns)}" for name, patterns in sorted(self.match.items()))
        return f"digest/{end:%Y-%m-%dT%H:%MZ}/{asked}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An incident of a week."""

    model: str
    title: str
    severity: Severity
    how: How


def digest_message(
    moved: Sequence[Moved],
    *,
    judged: Mapping[Judgement, int],
    silenced: int,
    project: str,
    week: tuple[datetime, datetime],
    thread: str,
    link: str = "",
) -> Message:
    """Return what is told of a week: its incidents, those that go on first and the gravest of these, and all models.

    `judged` counts the models by how they are now, `silenced` the incidents of which nobody wants to hear. A week in
    which nothing has moved is told, too: that says that somebody looks.
    """
    order: Sequence[How] = ("new", "goes on", "over")
    counts = {how: sum(one.how == how for one in moved) for how in order}
    said = [f"{n:,} {'go on' if how == 'goes on' and n > 1 else how}" for how, n in counts.items() if n]
    models = [f"{n:,} {judgement.value}" for judgement in Judgement if (n := judged.get(judgement))]
    beside = f" {count(silenced, 'incident')} {'is' if silenced == 1 else 'are'} silenced." if silenced else ""
    there = sorted(moved, key=lambda one: (one.how == "over", -one.severity.rank, order.index(one.how), one.model))
    firing = [one for one in there if one.how != "over"]
    named = [(f"{one.how}, {one.severity.value}", f"{one.model}: {one.title}") for one in there[:MOST_MOVED]]
    if len(there) > MOST_MOVED:
        named.append(("and", f"{len(there) - MOST_MOVED:,} more"))
    return Message(
        kind=Kind.DIGEST,
        severity=max((one.severity for one in firing), default=Severity.NOTICE).value,
        what=f"{project}: {count(len(moved), 'incident')} ({', '.join(said)})" if said else f"{project}: nothing moved",
        thread=thread,
        is_open=bool(firing),
        at=_iso(week[1]),
        how_bad=f"{count(sum(judged.values()), 'model')}: {', '.join(models)}.{beside}",
        since=_iso(week[0]),
        until=_iso(week[1]),
        link=link,
        labels={"project": [project]},
        moved=tuple(named),
    )


def problems(digests: Sequence[Digest], named: Collection[str], receivers: Mapping[str, Receiver]) -> Iterator[str]:
    """Yield what is wrong with digests: names that are not there, and receivers that raise an alarm with all they get.

    `named` are the names of all receivers of the file, `receivers` those that are right.
    """
    for i, one in enumerate(digests):
        here = f"$.digests[{i}]"
        for name in one.receivers:
            if name not in named:
                yield f"{here}.receivers: there is no receiver {name!r}.{did_you_mean(name, named)}"
            elif name in receivers and not receivers[name].reads:
                yield f"{here}.receivers: {name!r} raises an alarm with whatever it is sent, and takes no digest."
        yield from _unknown(here, one.match)


def _unknown(here: str, match: Collection[str]) -> Iterator[str]:
    for name in match:
        if name not in LABELS:
            yield f"{here}.match.{name}: a digest is of models: match {', '.join(LABELS)}.{did_you_mean(name, LABELS)}"


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
