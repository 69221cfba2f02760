"""Cohorts compared at equal label age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vintages:
    """By cohort (C) and age (A): the labels that had arrived by that age, and the sum of their losses.

    `complete` (C, A) is False where the youngest event of the cohort has not reached the age: such numbers would
    compare a fresh cohort with mature ones.
    """

    ages: Floats
    labels: Ints
    losses: Floats
    rows: Ints
    complete: npt.NDArray[np.bool_]

    def mean_loss(self, age: int) -> Floats:
        """Return the mean loss of each cohort at the age at this position; NaN where it is not known."""
        n = self.labels[:, age]
        known = self.complete[:, age] & (n > 0)
        return np.asarray(np.where(known, self.losses[:, age], np.nan) / np.maximum(n, 1))


def vintages(cohort: Ints, delay: Floats, loss: Floats, age_of_youngest: Floats, *, ages: Floats) -> Vintages:
    """Count, for each cohort, the labels that had arrived by each age.

    `cohort` (n,) numbers the cohorts of events from 0; `delay` (n,) is infinite for events without a label, whose
    `loss` is ignored; `age_of_youngest` (C,) is the age of each cohort's last event now; `ages` rise.

    >>> table = vintages(np.array([0, 0, 1]), np.array([1.0, 5.0, 1.0]), np.array([1.0, 0.0, 1.0]),
    ...                  np.array([9.0, 2.0]), ages=np.array([2.0, 6.0]))
    >>> table.mean_loss(0).tolist(), table.mean_loss(1).tolist()
    ([1.0, 1.0], [0.5, nan])
    """
    cohorts, bins = len(age_of_youngest), len(ages)
    at = np.searchsorted(ages, delay)
    arrived = at < bins
    place = cohort[arrived] * bins + at[arrived]
    shape = (cohorts, bins)
    counts = np.bincount(place, minlength=cohorts * bins).reshape(shape)
    losses = np.bincount(place, weights=loss[arrived], minlength=cohorts * bins).reshape(shape)
    return Vintages(
        ages=ages,
        labels=np.cumsum(counts, axis=1).astype(np.int64),
        losses=np.cumsum(losses, axis=1),
        rows=np.bincount(cohort, minlength=cohorts).astype(np.int64),
        complete=age_of_youngest[:, None] >= ages,
    )
