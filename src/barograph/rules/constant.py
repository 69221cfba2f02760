"""A fixed limit: compared, not weighed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barograph.arrays import Floats
from barograph.errors import SpecError
from barograph.rules import Context, Feed, Judged, Setting, rule
from barograph.rules import settings as read


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Values below `lower` or above `upper`, (monitors,), are in breach, at once and with no promise on false alarms.

    For numbers that have no sampling error (a schema difference, the hours since the last event) or for a limit that
    must hold to the letter. A share or a metric is better watched with evidence: `rate`, `summary`. A value of NaN is
    unknown: neither in breach nor calm. Infinite limits limit nothing.
    """

    lower: Floats
    upper: Floats

    def __post_init__(self) -> None:
        if np.any(self.lower > self.upper):
            at = int(np.flatnonzero(self.lower > self.upper)[0])
            low, high = float(self.lower[at]), float(self.upper[at])
            raise SpecError(f"`lower` must not be above `upper`, got {low!r} and {high!r}.")

    def start(self) -> None:
        """Return that nothing is remembered."""

    def run(self, state: None, feed: Feed, *, arl: Floats) -> tuple[None, Judged]:
        """Compare each value; run lengths are no matter here.

        >>> values = np.array([[0.2], [0.7], [np.nan]])
        >>> feed = Feed(days=np.ones(3), came=np.ones(3, bool), order=np.arange(3), values=values)
        >>> _, judged = Limits(np.array([-np.inf]), np.array([0.5])).run(None, feed, arl=np.array([30.0]))
        >>> judged.breach.ravel().tolist(), judged.known.ravel().tolist()
        ([False, True, False], [True, True, False])
        """
        assert feed.values is not None  # what it takes
        known = np.isfinite(feed.values)
        breach = known & ((feed.values < self.lower) | (feed.values > self.upper))
        lower, upper = (np.where(np.isfinite(limit), limit, np.nan) for limit in (self.lower, self.upper))
        shape = feed.values.shape
        return None, Judged(
            breach=breach, known=known, lower=np.broadcast_to(lower, shape), upper=np.broadcast_to(upper, shape)
        )

    def smallest_change(self, feed: Feed, context: Context) -> Floats:
        """Return zero: whatever is beyond the limit is seen."""
        return np.zeros(len(self.lower))


@rule(
    takes="values",
    has_evidence=False,
    learns=False,
    options={
        "lower": Setting(read=read.number, meaning="the smallest value that is right", default=None),
        "upper": Setting(read=read.number, meaning="the largest value that is right", default=None),
    },
    one_of=("lower", "upper"),
)
def learn(reference: Feed, context: Context) -> Limits:
    """Return the limits that were stated."""
    lower, upper = context.options.get("lower"), context.options.get("upper")
    like = np.ones(len(context.arl))
    return Limits((-np.inf if lower is None else lower) * like, (np.inf if upper is None else upper) * like)
