"""Which chunks have fewer labels than they are going to have: what labels say of them is shown, and not judged.

The labels that come first are seldom like the others: a loan that is repaid early, a ticket that was closed within the
hour. Measured on them, a model that has not changed seems to be another.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np
import numpy.typing as npt

from barograph.monitors.results import Result
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.rules.limits import Status
from barograph.sketches.histogram import Categories

SHOWN = "shown, not judged: "  # how the reason begins of a value that says nothing of the model yet
SHARE = 0.95  # of the labels that are usual must be there
WINDOW = 20  # chunks before one by whose coverage is said what is usual
NEXT = 1 / 3  # of the chunks after one come next: hours or months, as long as labels take
HALF = 0.5  # of the labels of a chunk before whose labels are coming, and a chunk's own are coming, too
FEW = 3  # chunks after one are too few to show that no more labels come
DUE = 10  # rows of a class must be due before it counts as absent
ERRORS = 2.0  # standard errors that a share of few rows may be off


def short_of_labels(profiles: Profiles, *, segment: str = ALL, reference: float | None = None) -> dict[str, str]:
    """Return the keys of the chunks whose labels have yet to come, and in words what there is of them.

    Two things must be seen: the share of rows with a label is, beyond chance, below 95 % of what is usual, and the
    chunks that come next have still fewer. What is usual is the median of the chunks before that were not short
    themselves; where there is none, the label coverage of the `reference`. So a share that is always small is not
    short, nor are the quiet days of each week, nor what comes after labels were lost for good. Coverage that falls from
    chunk to chunk for another reason cannot be told from labels that are on their way: it is short as well, and said.
    """
    found = [(p.chunk.key, p.n, p.label_coverage or 0.0) for p in profiles.select(segment)]
    return short(found, reference=reference)


def short(chunks: Sequence[tuple[str, int, float]], *, reference: float | None = None) -> dict[str, str]:
    """Return what `short_of_labels` does, of the key, rows and label coverage of each chunk in the order of time."""
    counted = [chunk for chunk in chunks if chunk[1]]
    before = reference if len(counted) > 1 else None  # of a single chunk, nothing shows whether labels come
    # Of rows and labels, how many there are up to each chunk.
    rows = np.concatenate(([0.0], np.cumsum([float(n) for _, n, _ in counted])))
    labels = np.concatenate(([0.0], np.cumsum([n * share for _, n, share in counted])))
    found: dict[str, str] = {}
    enough: list[float] = []
    in_order: list[float] = []
    coming = 0.0  # the most that a chunk before has, of those whose labels are coming
    for i, (key, n, share) in enumerate(counted):
        if not share:  # there is nothing to judge
            continue
        # Of hours, the last twenty may have fewer and fewer labels; of years, the first had perhaps few.
        usual = max(_median(in_order), _median(sorted(enough[-WINDOW:]))) if enough else before or 0.0
        short = share < SHARE * usual - ERRORS * (usual * (1.0 - usual) / n) ** 0.5
        if short and (share <= HALF * coming or _has_more(share, n, labels[i + 1 :], rows[i + 1 :])):
            coming = max(coming, share)
            found[key] = f"only {share:.0%} of the rows have a label so far, and {usual:.0%} is usual"
        else:
            enough.append(share)
            insort(in_order, share)
    return found


def _has_more(share: float, n: int, labels: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]) -> bool:
    """Return whether those after a chunk have clearly fewer labels, and those next to it fewer; or none is after it.

    `labels` and `rows` are sums up to the chunk's end, and to the end of each one after it.
    """
    after = len(rows) - 1
    if not after:
        return True
    nearest = ceil(NEXT * after)  # where they have as many, labels have fallen later, and not since here
    if labels[nearest] - labels[0] >= share * (rows[nearest] - rows[0]):
        return False
    later_rows = float(rows[-1] - rows[0])
    later = float(labels[-1] - labels[0]) / later_rows
    error = (max(later * (1.0 - later), 0.0) / later_rows + share * (1.0 - share) / n) ** 0.5
    return later < (SHARE * share if after < FEW else share - ERRORS * error)


def _median(in_order: Sequence[float]) -> float:
    return in_order[len(in_order) // 2]


def without_a_class(profiles: Profiles, reference: Profile, *, segment: str = ALL) -> dict[str, str]:
    """Return the keys of the chunks in which no row has the label of some class, and in words which.

    Only where rows are without a label yet: where all have one, the class does not occur. `reference` is the profile of
    the same rows of the reference, by which at least ten rows of the class were due.
    """
    schema = profiles.yardstick.schema
    coverage = reference.label_coverage
    if schema.label is None or schema.task.numeric or not coverage:
        return {}
    known = reference.binned(schema.label)
    assert isinstance(known, Categories)
    names, usual = known.names, known.counts[: len(known.names)] / max(int(known.counts[: len(known.names)].sum()), 1)
    found: dict[str, str] = {}
    for profile in profiles.select(segment):
        share = profile.label_coverage or 0.0
        if not share or share >= SHARE * coverage:
            continue
        counts = profile.binned(schema.label).counts[: len(names)]
        for name, of_class, due in zip(names, counts.tolist(), usual.tolist(), strict=True):
            if not of_class and due * share * profile.n >= DUE:
                why = f"none of the {share:.0%} of the rows that have a label so far has the label {name!r}"
                found.setdefault(profile.chunk.key, f"{why}, and {due:.0%} is usual")
    return found


def only_shown(row: Result, why: str) -> Result:
    """Return a row whose value says nothing of the model yet: with its value and limits, the reason, and no breach."""
    status = Status.WARNING if row.status is Status.BREACH else row.status
    return replace(row, status=status, reason=f"{SHOWN}{why}", judged=False)
