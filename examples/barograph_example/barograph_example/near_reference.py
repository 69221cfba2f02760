"""A fixed distance from the reference: compared, not weighed."""

from __future__ import annotations

import numpy as np

from barograph.rules import Context, Feed, Setting, rule
from barograph.rules import settings as read
from barograph.rules.constant import Limits


@rule(
    takes="values",
    has_evidence=False,
    options={"by": Setting(read=read.at_least_zero, meaning="the largest distance from the reference's mean value")},
)
def learn(reference: Feed, context: Context) -> Limits:
    """Return limits `by` below and above the mean of the reference's values; none where it has no value."""
    assert reference.values is not None  # what it takes
    known = np.isfinite(reference.values)
    count = known.sum(axis=0)
    mean = np.where(known, reference.values, 0.0).sum(axis=0) / np.maximum(count, 1)
    by = np.where(count > 0, context.options["by"], np.inf)
    return Limits(mean - by, mean + by)
