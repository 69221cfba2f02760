"""The compiled loop of the partition: where to cut a set of rows. It releases the GIL."""

from __future__ import annotations

from typing import Any  # numba-compiled functions are untyped to mypy

import numpy as np
from numba import njit

_options: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": False, "error_model": "numpy"}


@njit(**_options)
def best_cut(codes, places, widths, rows, target, smallest):  # type: ignore[no-untyped-def]  # compiled
    """Return the feature, the highest place that goes left, the next place with a row, and the gain of the best cut.

    `codes` is (features, all rows), `places` (features, codes): where a code stands in the order in which its feature
    is cut, from 0 to below `widths[feature]`. `rows` are those to be cut, `target` is (rows, outputs) in their order.
    The gain is what the sum of squares within the sets falls by; without a cut that leaves `smallest` rows on both
    sides, the feature is -1. The first of equal cuts is taken, so that the result does not depend on chance.
    """
    n, outputs = target.shape
    total = np.zeros(outputs)
    for i in range(n):
        for k in range(outputs):
            total[k] += target[i, k]
    whole = 0.0
    for k in range(outputs):
        whole += total[k] * total[k] / n
    best_feature, best_left, best_right, best_gain = -1, 0, 0, 0.0
    widest = widths.max()
    count = np.empty(widest, np.int64)
    sums = np.empty((widest, outputs))
    left = np.empty(outputs)
    for feature in range(len(codes)):
        width = widths[feature]
        count[:width] = 0
        sums[:width] = 0.0
        code, place = codes[feature], places[feature]
        if outputs == 1:
            for i in range(n):
                p = place[code[rows[i]]]
                count[p] += 1
                sums[p, 0] += target[i, 0]
        else:
            for i in range(n):
                p = place[code[rows[i]]]
                count[p] += 1
                for k in range(outputs):
                    sums[p, k] += target[i, k]
        before = 0
        left[:] = 0.0
        waiting = -1  # the last place with rows whose cut was good; the next place with rows is not known yet
        for p in range(width):
            if not count[p]:
                continue
            if waiting >= 0:
                best_feature, best_left, best_right = feature, waiting, p
                waiting = -1
            before += count[p]
            for k in range(outputs):
                left[k] += sums[p, k]
            if before < smallest:
                continue
            after = n - before
            if after < smallest:
                break
            gain = -whole
            for k in range(outputs):
                right = total[k] - left[k]
                gain += left[k] * left[k] / before + right * right / after
            if gain > best_gain:
                best_gain, waiting = gain, p
    return best_feature, best_left, best_right, best_gain
