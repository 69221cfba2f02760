"""Share of rows that repeat an event."""

from __future__ import annotations

from barograph.metrics import metric
from barograph.metrics.quality._shares import share
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.distinct import Distinct


@metric(unit="share", bounds=(0.0, 1.0), better="lower", tolerance=0.01)
def duplicate_share(current: Distinct) -> Outcome | Outcomes:
    r"""Measure the share of rows whose event id was there already: 1 - different ids / rows.

    Exact for the rows at hand as long as the sketch holds all ids; beyond that it is the share among the rows of a
    random sample of ids, and `n` is their number. Repetitions come in groups (one id sent a hundred times is one
    fault, not a hundred), so the interval is Wilson's for fewer rows: :math:`n` is divided by the variance that the
    share has because of the scatter of the number of rows `c` an id has, :math:`(n / d)^{-4} Var(c) / d` for `d` ids,
    relative to that of independent rows, if that is above one. No rows are undefined.

    >>> import numpy as np
    >>> hashes = np.array([11, 22, 22, 33, 44], np.uint64)
    >>> duplicate_share(Distinct.of(hashes, k=100)).value
    0.2
    """
    n, ids = int(current.counts.sum()), len(current.counts)
    repeated = n - ids
    if not repeated:
        return share(0, n)
    value = repeated / n
    variance = float(current.counts.var()) * (ids / n) ** 4 / ids
    return share(repeated, n, rows_per_fact=max(1.0, variance * n / (value * (1.0 - value))))
