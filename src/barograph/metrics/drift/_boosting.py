"""Internal: gradient-boosted trees that tell two sets of coded rows apart, small and without chance. Compiled."""

from __future__ import annotations

from typing import Any  # numba-compiled functions are untyped to mypy

import numpy as np
from numba import njit

ROUNDS = 50
RATE = 0.1  # of each tree's answer that is taken
DEPTH = 4  # up to 16 leaves: relations between features need a few cuts below each other
SMALLEST = 10  # rows of a leaf
RIDGE = 1.0  # added to the second derivative of each leaf, so that a pure leaf stays finite

_options: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": False, "error_model": "numpy"}


@njit(**_options)
def boosted_scores(fitted, positive, held_out, widths):  # type: ignore[no-untyped-def]  # compiled
    """Return the log odds of "positive" of the held-out rows, by trees that were fitted to the other ones.

    `fitted` and `held_out` are codes (features, rows), each below the feature's entry of `widths`; `positive` is 0.0 or
    1.0. Each tree takes a Newton step of the logistic loss [1]_: a set of rows with the sums `G` of the gradients and
    `H` of the second derivatives answers `G / (H + 1)`, and the cut is taken whose `G² / (H + 1)` adds up to the most;
    the first of equal ones, so that nothing is left to chance.

    .. [1] T. Chen, C. Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016, equations 5 to 7.
    """
    features, n = fitted.shape
    share = positive.sum() / n
    start = np.log(share / (1.0 - share))
    score = np.full(n, start)
    answer = np.full(held_out.shape[1], start)
    nodes = 2**DEPTH
    gradient, curvature = np.empty(n), np.empty(n)
    place = np.empty(n, np.int64)
    sums = np.empty((nodes // 2, widths.max(), 3))  # rows, gradients, curvatures
    cut_feature, cut_code = np.empty(nodes, np.int64), np.empty(nodes, np.int64)  # node k has the children 2k, 2k + 1
    gain = np.empty(nodes)
    for _ in range(ROUNDS):
        for i in range(n):
            p = 1.0 / (1.0 + np.exp(-score[i]))
            gradient[i], curvature[i] = positive[i] - p, p * (1.0 - p)
        place[:] = 1
        cut_feature[:] = -1
        gain[:] = 1e-12  # less is rounding
        for level in range(DEPTH):
            first = 2**level
            for f in range(features):
                width = widths[f]
                sums[:first, :width] = 0.0
                for i in range(n):
                    at, code = place[i] - first, fitted[f, i]
                    sums[at, code, 0] += 1.0
                    sums[at, code, 1] += gradient[i]
                    sums[at, code, 2] += curvature[i]
                for at in range(first):
                    rows, whole_g, whole_h = 0.0, 0.0, 0.0
                    for code in range(width):
                        rows += sums[at, code, 0]
                        whole_g += sums[at, code, 1]
                        whole_h += sums[at, code, 2]
                    left, g, h = 0.0, 0.0, 0.0
                    for code in range(width - 1):
                        if sums[at, code, 0] == 0.0:
                            continue
                        left += sums[at, code, 0]
                        g += sums[at, code, 1]
                        h += sums[at, code, 2]
                        if left < SMALLEST:
                            continue
                        if rows - left < SMALLEST:
                            break
                        other = whole_g - g
                        gained = g * g / (h + RIDGE) + other * other / (whole_h - h + RIDGE)
                        gained -= whole_g * whole_g / (whole_h + RIDGE)
                        if gained > gain[first + at]:
                            gain[first + at] = gained
                            cut_feature[first + at], cut_code[first + at] = f, code
            for i in range(n):
                node = place[i]
                right = cut_feature[node] >= 0 and fitted[cut_feature[node], i] > cut_code[node]
                place[i] = 2 * node + right
        total_g, total_h = np.zeros(nodes), np.zeros(nodes)
        for i in range(n):
            total_g[place[i] - nodes] += gradient[i]
            total_h[place[i] - nodes] += curvature[i]
        step = RATE * total_g / (total_h + RIDGE)
        for i in range(n):
            score[i] += step[place[i] - nodes]
        for i in range(len(answer)):
            node = 1
            for _level in range(DEPTH):
                right = cut_feature[node] >= 0 and held_out[cut_feature[node], i] > cut_code[node]
                node = 2 * node + right
            answer[i] += step[node - nodes]
    return answer
