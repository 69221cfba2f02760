"""Changes near the onset of an incident: what was deployed, configured or delivered then, as a person is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from barograph.text.format import count

CHUNKS_BEFORE = 2  # what was changed earlier would have been seen earlier
LEAST_BEFORE = timedelta(days=1)
TOLD = 3  # in a sentence; the rest is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class NearChange:
    """A change near the onset of an incident; `kind` is what it was, such as a deployment."""

    at: datetime
    kind: str
    title: str


def near_onset(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return the time, half open, in which changes are near an incident whose first chunk in breach is `[start, end)`.

    It is that chunk, and as long as two such chunks before it, at least a day.

    >>> near_onset(datetime(2024, 5, 13), datetime(2024, 5, 20))[0]
    datetime.datetime(2024, 4, 29, 0, 0)
    >>> near_onset(datetime(2024, 5, 13, 10), datetime(2024, 5, 13, 11))[0]
    datetime.datetime(2024, 5, 12, 10, 0)
    """
    return start - max(CHUNKS_BEFORE * (end - start), LEAST_BEFORE), end


def told_of(changes: Sequence[NearChange], *, more: int = 0) -> str:
    """Return a sentence that names changes, an empty text if there are none; `more` is how many are not among them.

    >>> told_of([NearChange(at=datetime(2024, 5, 12, 14), kind="deployment", title="Model 7 went live")])
    'Changed near its onset: Model 7 went live (deployment, 2024-05-12 14:00 UTC).'
    """
    if not changes:
        return ""
    named = [f"{c.title.rstrip('.')} ({c.kind}, {c.at:%Y-%m-%d %H:%M} UTC)" for c in changes[:TOLD]]
    left = len(changes) - len(named) + more
    rest = f"; and {count(left, 'more change')}" if left else ""
    return f"Changed near its onset: {'; '.join(named)}{rest}."
