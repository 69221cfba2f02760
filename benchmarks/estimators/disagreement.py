"""Whether estimators tell the same story."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from barograph.outcome import Estimate, Outcome


def disagreement(opinions: Mapping[str, Outcome]) -> str | None:
    """Return a sentence when two estimates of one metric disagree by more than their intervals, or None.

    The estimators assume different kinds of shift, so that then the kind of shift is uncertain, and with it the
    estimate. The two furthest apart, in widths of their intervals, are named.

    >>> a, b = (Estimate(value=v, n=100, lower=v - 0.02, upper=v + 0.02) for v in (0.9, 0.8))
    >>> disagreement({"cells": a, "label_shift": b})
    'kind of shift uncertain: cells says 0.9 and label_shift 0.8'
    """
    worst, sentence = 1.0, None
    known = {name: o for name, o in opinions.items() if isinstance(o, Estimate)}
    for (name_a, a), (name_b, b) in combinations(known.items(), 2):
        lower, upper = (a, b) if a.value <= b.value else (b, a)
        if lower.upper is None or upper.lower is None:
            continue
        reach = (lower.upper - lower.value) + (upper.value - upper.lower)
        gap = upper.value - lower.value
        if gap > worst * reach:
            worst = gap / reach if reach > 0 else float("inf")
            sentence = f"kind of shift uncertain: {name_a} says {a.value:.3g} and {name_b} {b.value:.3g}"
    return sentence
