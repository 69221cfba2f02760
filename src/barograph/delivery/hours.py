"""Quiet hours: when nobody is told, by the clock of a place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any  # Any: what stands in a file
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from barograph.alerts.severity import Severity

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT = "24:00"


def _clock(value: Any) -> str:
    try:
        if value != _MIDNIGHT:
            if not isinstance(value, str) or len(value) != 5:
                raise ValueError
            time.fromisoformat(value)
    except ValueError:
        raise ValueError("This must be a time of the day, as in '07:30'; 24:00 is the end of the day.") from None
    return str(value)


def _zone(value: Any) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, TypeError, LookupError):
        raise ValueError("This must be the name of a time zone, as in 'Europe/Berlin'.") from None
    return str(value)


def _day(value: Any) -> str:
    if value not in DAYS:
        raise ValueError(f"This must be one of {', '.join(DAYS)}.")
    return str(value)


def _severity(value: Any) -> Severity | None:
    known = [severity.value for severity in Severity]
    if value == "nothing":
        return None
    if value not in known:
        raise ValueError(f"This must be one of {', '.join(known)}, or nothing.")
    return Severity(value)


Zone = Annotated[str, BeforeValidator(_zone)]
Clock = Annotated[str, BeforeValidator(_clock)]
Day = Annotated[str, BeforeValidator(_day)]


class Quiet(BaseModel):
    """Hours in which nobody is told, but of what is at least `unless` (critical; "nothing": of nothing at all).

    They begin on `days` (all) at `from` and last until `to`, on the next day if that is not later. They are those of
    the clock in `timezone`, also when it is put forward or back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    begin: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    days: tuple[Day, ...] = DAYS
    timezone: Zone = "UTC"
    unless: Annotated[Severity | None, BeforeValidator(_severity)] = Severity.CRITICAL

    def until(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end that hold at a time; None if none hold."""
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            if DAYS[day.weekday()] in self.days:
                begin = moment(day, self.begin, zone)
                last = day if self.end == _MIDNIGHT or self.end > self.begin else day + timedelta(days=1)
                end = moment(last, self.end, zone)
                if begin <= now < end:
                    return end
        return None


def quiet_until(hours: Sequence[Quiet], severity: Severity, now: datetime) -> datetime | None:
    """Return until when nobody is told of something of this severity; None if people may be told now.

    Hours that follow each other are one: the answer is when the last of them ends.

    >>> night = Quiet.model_validate({"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"})
    >>> str(quiet_until([night], Severity.WARNING, datetime(2024, 7, 1, 23, 0, tzinfo=UTC)))
    '2024-07-02 05:00:00+00:00'
    >>> quiet_until([night], Severity.CRITICAL, datetime(2024, 7, 1, 23, 0, tzinfo=UTC))
    """
    holding = [one for one in hours if one.unless is None or severity < one.unless]
    at = now
    for _ in range(4 * len(DAYS)):  # hours that hold for a whole week and more never end: look again then
        ends = [end for one in holding if (end := one.until(at)) is not None]
        if not ends:
            break
        at = max(ends)
    return None if at == now else at


def moment(day: date, clock: str, zone: ZoneInfo) -> datetime:
    """Return when the clock of a place shows a time on a day."""
    if clock == _MIDNIGHT:
        day, clock = day + timedelta(days=1), "00:00"
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)
