"""Whether a column came in another unit: all of it a certain number of times as large as in the reference."""

from __future__ import annotations

from math import log, sqrt

from barograph.profiles.profiles import Profile
from barograph.reference.reference import Reference

LEAST = 2.0  # times as large, or as small: less may be other traffic
ALIKE = 1.25  # by which the factors of mean and spread may differ, as other traffic of the same unit does
FEWEST = 30  # numbers, of which mean and spread say something


def factor_of(reference: Reference, profile: Profile, column: str) -> float | None:
    """Return how many times as large the numbers of a column are, where mean and spread agree; None where they do not.

    A change of unit multiplies both. Numbers around zero have no mean that tells.
    """
    if column not in reference.yardstick.numeric:
        return None
    before, now = reference.total.moments(column), profile.moments(column)
    if min(before.n, now.n) < FEWEST:
        return None
    means, spreads = (before.mean, now.mean), (sqrt(before.variance), sqrt(now.variance))
    if not (min(spreads) > 0 and means[0] * means[1] > 0):
        return None
    by_mean, by_spread = means[1] / means[0], spreads[1] / spreads[0]
    if abs(log(by_mean / by_spread)) > log(ALIKE) or abs(log(by_mean)) < log(LEAST):
        return None
    return by_mean
