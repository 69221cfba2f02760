"""Which chunks have fewer labels than they are going to have: what labels say of them is shown, and not judged.

The labels that come first are seldom like the others: a loan that is repaid early, a ticket that was closed within the
hour. Measured on them, a model that has not changed seems to be another.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from barograph.monitors.results import NOT_JUDGED, Result
from barograph.profiles.profiles import Profiles
from barograph.rules.limits import Status

SHARE = 0.9  # of the labels that are usual must be there
OLDER = 20  # chunks before one, by whose coverage is said what is usual; and chunks after one, until it is judged
ENOUGH = 10  # of them; where there are fewer, and labels are still coming, the reference counts as the others
RAMP = 0.5  # the newest of these chunks has less than this share of the labels of the oldest: labels are still coming
ERRORS = 2.0  # standard errors that a share of few rows may be off


def short_of_labels(profiles: Profiles, *, reference: float | None = None) -> dict[str, str]:
    """Return the keys of the chunks whose labels have yet to come, and in words what there is of them.

    A chunk is short of labels when the share of its rows that have one, by chance alone, would not be below nine tenths
    of what is usual: the median of the chunks before it. The oldest chunks have hardly any before them; when coverage
    falls towards the newest chunk, as it does while labels come, the label coverage of the `reference` stands in.
    A share that is always small is not short: of a model for which every twentieth row is labelled, that is usual.
    Labels are waited for during twenty chunks; what has not come by then is not going to, and the others judge.
    """
    counted = [(p.chunk.key, p.n, p.label_coverage or 0.0) for p in profiles.select() if p.n]
    shares = np.array([share for _, _, share in counted])
    found: dict[str, str] = {}
    first = max(len(counted) - OLDER, 0)
    for i, (key, rows, share) in enumerate(counted[first:], start=first):
        usual = _usual(shares, i, reference)
        error = ERRORS * (usual * (1.0 - usual) / rows) ** 0.5
        if share < SHARE * usual - error:
            found[key] = f"only {share:.0%} of the rows have a label so far, and {usual:.0%} is usual"
    return found


def _usual(shares: npt.NDArray[np.float64], i: int, reference: float | None) -> float:
    older = shares[max(i - OLDER, 0) : i]
    if len(older) < ENOUGH and reference is not None and shares[-1] < RAMP * shares[: i + 1].max(initial=0.0):
        older = np.concatenate((older, np.full(ENOUGH - len(older), reference)))
    return float(np.median(older)) if len(older) else 0.0


def only_shown(row: Result, why: str) -> Result:
    """Return the row of a chunk that is short of labels: with its value and limits, but no breach."""
    status = Status.WARNING if row.status is Status.BREACH else row.status
    return replace(row, status=status, reason=f"{NOT_JUDGED}: {why}")
