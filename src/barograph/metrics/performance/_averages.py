"""Internal: one number for a multiclass model from the numbers of its classes."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan, sqrt
from typing import Any, Literal  # Any: an outcome, or the outcomes of many

import numpy as np

from barograph.errors import SpecError
from barograph.metrics.performance._score_bins import told
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import POSITIVE, ScoreTable

Average = Literal["macro", "weighted"]


def check_average(average: Average) -> None:
    """Raise SpecError for an average that is neither `macro` nor `weighted`."""
    if average not in ("macro", "weighted"):
        raise SpecError(f"average must be 'macro' or 'weighted'. Got {average!r} instead.")


def average_of_classes(one_class: Callable[[ScoreTable], Any], current: ClassTables, average: Average) -> Outcome:
    """Return the mean of a metric over the classes for which it is defined, from the table of each class.

    `macro` weighs the classes alike, `weighted` by their labelled rows. The tables do not tell how the errors
    of the classes go together, so the standard error is the largest that is possible, the weighted sum of those of
    the classes (plus, for `weighted`, that of the weights); the interval is the weighted sum of the bounds.
    """
    check_average(average)
    outcomes = [one_class(table) for table in current.scores]
    known = [(o, t) for o, t in zip(outcomes, current.scores, strict=True) if isinstance(o, Estimate)]
    if not known:
        reasons = [o.reason for o in outcomes if isinstance(o, Undefined)]
        if len(set(reasons)) == 1:
            return Undefined(reasons[0])
        return Undefined(f"no class can be measured; class {current.classes[0]!r}: {reasons[0]}")
    n = max(o.n for o, _ in known)
    rows = np.array([t.by_score[:, POSITIVE].sum() if average == "weighted" else 1 for _, t in known], np.float64)
    if not rows.any():
        return Undefined("no class with a valid score has labelled rows")
    weights = rows / rows.sum()
    values = np.array([o.value for o, _ in known])
    value = float(weights @ values)
    errors = [o.standard_error for o, _ in known]
    lowers, uppers = [o.lower for o, _ in known], [o.upper for o, _ in known]
    off = float(told(weights @ np.array([o.binning_error or 0.0 for o, _ in known])))
    near = None if isnan(off) else off
    if None in errors or None in lowers or None in uppers:
        return Estimate(value=value, n=n, binning_error=near)
    of_weights = sqrt(float(weights @ (values - value) ** 2) / rows.sum()) if average == "weighted" else 0.0
    below = float(weights @ (values - np.array(lowers, np.float64)))
    above = float(weights @ (np.array(uppers, np.float64) - values))
    return Estimate(
        value=value,
        n=n,
        standard_error=float(weights @ np.array(errors, np.float64)) + of_weights,
        lower=max(0.0, value - below - 2 * of_weights),
        upper=min(1.0, value + above + 2 * of_weights),
        binning_error=near,
    )
