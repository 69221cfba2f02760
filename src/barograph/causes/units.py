"""Whether a column came in another unit: all of it a certain number of times as large as in the reference."""

from __future__ import annotations

from math import log, sqrt

from barograph.profiles.profiles import Profile
from barograph.reference.reference import Reference
from barograph.times import DAY_US, to_microseconds

LEAST = 2.0  # times as large, or as small: less may be other traffic
ALIKE = 1.25  # by which spread relative to the mean may differ, as other traffic of the same unit does
FEWEST = 30  # numbers, of which mean and spread say something


def factor_of(reference: Reference, profile: Profile, column: str) -> float | None:
    """Return how many times as large the numbers of a column are, where mean and spread agree; None where they do not.

    A change of unit multiplies both, so that the spread relative to the mean stays what it is: that of all the
    reference, or of one of its days (hours), as the weather of a day varies less than that of a year. Numbers around
    zero have no mean that tells.
    """
    if column not in reference.yardstick.numeric:
        return None
    before, now = reference.total.moments(column), profile.moments(column)
    relative = _relative(profile, column)
    if before.n < FEWEST or relative is None or before.mean * now.mean <= 0:
        return None
    factor = now.mean / before.mean
    if abs(log(factor)) < log(LEAST):
        return None
    days = _days(profile)
    usual = reference.once(("relative spread", column, days), lambda: _usual(reference, column, days))
    if not usual or not usual[0] / ALIKE <= relative <= usual[1] * ALIKE:
        return None
    return factor


def _usual(reference: Reference, column: str, days: float | None) -> tuple[float, float] | None:
    """Return the least and the most that a column varies relative to its mean, in the reference and its blocks."""
    blocks = None if days is None else reference.rhythm(days=days)
    found = [_relative(profile, column) for profile in (reference.total, *(blocks.select() if blocks else ()))]
    known = [relative for relative in found if relative is not None]
    return (min(known), max(known)) if known else None


def _relative(profile: Profile, column: str) -> float | None:
    moments = profile.moments(column)
    if moments.n < FEWEST or moments.variance <= 0 or moments.mean == 0:
        return None
    return sqrt(moments.variance) / abs(moments.mean)


def _days(profile: Profile) -> float | None:
    chunk = profile.chunk
    if chunk.start is None or chunk.end is None:
        return None
    return round((to_microseconds(chunk.end) - to_microseconds(chunk.start)) / DAY_US, 3)
