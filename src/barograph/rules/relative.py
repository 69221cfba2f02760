"""A change in percent of the reference: compared, not weighed."""

from __future__ import annotations

import numpy as np

from barograph.rules import Context, Feed, Setting, rule
from barograph.rules import settings as read
from barograph.rules.constant import Limits


@rule(
    takes="values",
    has_evidence=False,
    options={
        "fall": Setting(read=read.at_least_zero, meaning="the largest fall, as a share of the reference", default=None),
        "rise": Setting(read=read.at_least_zero, meaning="the largest rise, as a share of the reference", default=None),
    },
    one_of=("fall", "rise"),
)
def learn(reference: Feed, context: Context) -> Limits:
    """Return limits `fall` below and `rise` above the mean of the reference's values, as shares of it.

    A reference of zero allows nothing but zero; one without a value limits nothing.

    >>> values = np.array([[90.0], [110.0]])
    >>> blocks = Feed(days=np.ones(2), came=np.ones(2, bool), order=np.arange(2), values=values)
    >>> context = Context(
    ...     arl=np.ones(1), step=1, rows=1, tolerance=np.zeros(1), better=("higher",), options={"fall": 0.15}
    ... )
    >>> learn(blocks, context).lower.tolist()
    [85.0]
    """
    assert reference.values is not None  # what it takes
    known = np.isfinite(reference.values)
    count = known.sum(axis=0)
    mean = np.where(known, reference.values, 0.0).sum(axis=0) / np.maximum(count, 1)
    fall, rise = context.options.get("fall"), context.options.get("rise")
    lower = np.full(len(mean), -np.inf) if fall is None else mean - fall * np.abs(mean)
    upper = np.full(len(mean), np.inf) if rise is None else mean + rise * np.abs(mean)
    return Limits(np.where(count > 0, lower, -np.inf), np.where(count > 0, upper, np.inf))
