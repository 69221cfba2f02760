"""Whether two columns have changed places: each is now as the other was in the reference."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import numpy as np

from barograph.causes.units import FEWEST
from barograph.profiles.profiles import Profile
from barograph.reference.reference import Reference

NEAR = 0.5  # standard deviations that a mean may be from that of the other column
ALIKE = 1.5  # by which standard deviations may differ


def swapped(reference: Reference, profile: Profile) -> Mapping[str, str]:
    """Return the numeric features that have changed places, each with the one whose values it has now.

    Two have where mean and spread of each are those of the other in the reference, and no longer its own. A column that
    could have changed places with several is left out: it is not known with which. Without `FEWEST` numbers on both
    sides, or spread, nothing is said of a column.
    """
    features = [name for name in reference.schema.features if name in reference.yardstick.numeric]
    before = [reference.total.moments(name) for name in features]
    now = [profile.moments(name) for name in features]
    known = [
        i
        for i, (b, n) in enumerate(zip(before, now, strict=True))
        if min(b.n, n.n) >= FEWEST and min(b.variance, n.variance) > 0
    ]
    if len(known) < 2:
        return {}
    means = np.array([[of[i].mean for i in known] for of in (now, before)])
    spreads = np.sqrt([[of[i].variance for i in known] for of in (now, before)])
    near = np.abs(means[0][:, None] - means[1]) <= NEAR * spreads[1]
    alike = np.abs(np.log(spreads[0][:, None] / spreads[1])) <= log(ALIKE)
    like = near & alike  # which column, now, is like which one before
    other = like & like.T & ~like.diagonal() & ~like.diagonal()[:, None]
    partner = {i: int(other[i].argmax()) for i in range(len(known)) if other[i].sum() == 1}
    return {features[known[i]]: features[known[j]] for i, j in partner.items() if partner.get(j) == i}
