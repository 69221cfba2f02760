"""The compiled loops: each goes over the rows of one block once. They release the GIL and know nothing of frames."""

from __future__ import annotations

from typing import Any  # numba-compiled functions are untyped to mypy

import numpy as np
from numba import njit

from barograph.sketches.lattice import CELLS, HALF_SIDE, LOWEST, SHIFT

_options: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": False, "error_model": "numpy"}


@njit(**_options)
def find_chunks(times, edges, out):  # type: ignore[no-untyped-def]  # compiled: types come from the call
    """Write the position of the interval `[edges[i], edges[i + 1])` of each time; -1 where there is none."""
    c, last = 0, len(edges) - 2
    for i in range(len(times)):
        t = times[i]
        if t < edges[0] or t >= edges[last + 1]:
            out[i] = -1
            continue
        if not edges[c] <= t < edges[c + 1]:
            c = np.searchsorted(edges, t, side="right") - 1
        out[i] = c


@njit(**_options)
def _search(x, edges, a, b):  # type: ignore[no-untyped-def]
    """Return the bin of a number between the bins `a` and `b`."""
    if b - a > 1:
        while a < b:  # the first edge above x lies in [a, b]
            mid = (a + b) >> np.uint32(1)
            if x >= edges[mid]:
                a = mid + np.uint32(1)
            else:
                b = mid
        return a
    # At most one edge to compare with: without a branch, which would be guessed wrong half of the time.
    return a + np.uint32(x >= edges[a])


@njit(**_options)
def find_leaves(codes, features, steps, leaves):  # type: ignore[no-untyped-def]
    """Write the leaf of each row; `codes` is (columns, rows), `steps` the next node by node and code."""
    for i in range(codes.shape[1]):
        node = np.int64(0)
        while node >= 0:
            node = np.int64(steps[node, codes[features[node], i]])
        leaves[i] = -1 - node


@njit(**_options)
def _score_cell(s):  # type: ignore[no-untyped-def]
    """Return the cell of a score in [0, 1]: see `sketches.lattice.cells_of`."""
    place = (np.float64(min(s, 1.0 - s)).view(np.int64) >> SHIFT) - LOWEST
    place = min(max(place, np.int64(0)), np.int64(HALF_SIDE - 1))
    return place + np.int64(s >= 0.5) * (CELLS - 1 - 2 * place)  # no branch, which would be guessed wrong often


@njit(**_options)
def count_scores(  # type: ignore[no-untyped-def]
    score, predicted, outcome, leaf, group, edges, narrowed, bin_of, threshold, cell_of,
    counts, sums, finest, losses, cells,
):  # fmt: skip
    """Count the answers to one yes-or-no question.

    `edges` are those of the finest bins, closed by infinity, and `bin_of` says which bin each is in; `score` is NaN
    where there is none; `predicted` is 0, 1, 2 (no class), 3 (none), or -1 (it follows from score and threshold, and is
    none without a score); `outcome` is 0, 1, 2 (pending) or 3 (no class). Shapes as in ScoreTable and BinaryCells, with
    a leading axis of groups.
    """
    eps = 2.220446049250313e-16
    bins = counts.shape[2] - 1
    for i in range(len(score)):
        g = group[i]
        if g < 0:
            continue
        s, y, p = score[i], outcome[i], predicted[i]
        valid = 0.0 <= s <= 1.0
        if p < 0:
            p = (1 if s >= threshold else 0) if valid else 3
        if not valid:
            counts[g, p, bins, y] += 1
            continue
        cell = _score_cell(s)
        f = _search(s, edges, np.uint32(narrowed[cell, 0]), np.uint32(narrowed[cell, 1]))
        a = bin_of[f]
        counts[g, p, a, y] += 1
        c = min(max(s, eps), 1.0 - eps)
        log_score, log_complement = np.log(c), np.log1p(-c)
        scored = y if y < 3 else 0  # "is it the positive class?"
        sums[g, a, scored, 0] += s
        sums[g, a, scored, 1] += s * s
        sums[g, a, scored, 2] += log_score
        sums[g, a, scored, 3] += log_complement
        if scored < 2:
            finest[g, f, scored, 0] += 1
            finest[g, f, scored, 1] += s - (edges[f - 1] if f > 0 else 0.0)
            lost, far = (log_score, 1.0 - s) if scored == 1 else (log_complement, s)
            losses[g, scored, 0] += lost * lost
            losses[g, scored, 1] += (far * far) * (far * far)
        if p < 2:
            cells[g, leaf[i], cell_of[p, a], y if y < 3 else 1 - p] += 1


@njit(**_options)
def count_confusion(  # type: ignore[no-untyped-def]
    predicted, label, scores, group, tolerance, counts, loss, off_sum
):
    """Count predicted by actual classes; `predicted` K: no class, K + 1: none; `label` K: no class, K + 1: pending.

    `scores` is (rows, K), or (rows, 0) where not every class has one; NaN where there is none. A row whose scores sum
    to something that is further than `tolerance` from one is counted in `off_sum`.
    """
    eps = 2.220446049250313e-16
    k = counts.shape[1] - 2
    for i in range(len(label)):
        g = group[i]
        if g < 0:
            continue
        counts[g, predicted[i], label[i]] += 1
        if scores.shape[1] != k:
            continue
        total, valid = 0.0, True
        for j in range(k):
            total += scores[i, j]
            valid = valid and 0.0 <= scores[i, j] <= 1.0
        if not valid:
            continue
        if abs(total - 1.0) > tolerance:
            off_sum[g] += 1
        if label[i] <= k and total > 0.0:
            p = scores[i, label[i]] / total if label[i] < k else 0.0
            lost = -np.log(min(max(p, eps), 1.0 - eps))
            loss[g, 0] += 1
            loss[g, 1] += lost
            loss[g, 2] += lost * lost


@njit(**_options)
def count_regression(  # type: ignore[no-untyped-def]
    prediction, label, leaf, group, edges, center, counts, sums, unusable
):
    """Count and sum errors; NaN in `prediction` or `label`: none. Shapes as in RegressionCells, by group."""
    for i in range(len(prediction)):
        g, p, y = group[i], prediction[i], label[i]
        if g < 0:
            continue
        if not np.isfinite(p):
            unusable[g] += 1
            continue
        b = np.searchsorted(edges, p, side="right")
        if not np.isfinite(y):
            counts[g, leaf[i], b, 1] += 1
            continue
        counts[g, leaf[i], b, 0] += 1
        row = sums[g, leaf[i], b]
        e = p - y
        row[0] += e
        row[1] += abs(e)
        row[2] += e * e
        row[3] += e * e * e * e
        d = y - center
        row[4] += d
        row[5] += d * d
        if y != 0.0:
            r = abs(e / y)
            row[6] += 1
            row[7] += r
            row[8] += r * r
        if y > -1.0 and p > -1.0:
            d = np.log1p(p) - np.log1p(y)
            row[9] += 1
            row[10] += d * d
            row[11] += d * d * d * d


@njit(**_options)
def find_small(hashes, group, limits, out):  # type: ignore[no-untyped-def]
    """Write the positions of the rows whose hash is at most the limit of their group; return how many there are."""
    found = 0
    for i in range(len(hashes)):
        g = group[i]
        if g >= 0 and hashes[i] <= limits[g]:
            out[found] = i
            found += 1
    return found


@njit(**_options)
def time_span(times, null, with_null):  # type: ignore[no-untyped-def]
    """Return the smallest and largest time; the largest is below the smallest where there is none."""
    low, high = np.int64(2**63 - 1), np.int64(-(2**63) + 1)
    for i in range(len(times)):
        if with_null and null[i]:
            continue
        low, high = min(low, times[i]), max(high, times[i])
    return low, high


@njit(**_options)
def hash_integers(values, out):  # type: ignore[no-untyped-def]
    """Write a 64-bit hash of each integer: the finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    for i in range(len(values)):
        h = np.uint64(values[i]) + np.uint64(0x9E3779B97F4A7C15)
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[i] = h ^ (h >> np.uint64(31))


@njit(**_options)
def hash_texts(data, offsets, out):  # type: ignore[no-untyped-def]
    """Write a 64-bit hash of each text: FNV-1a over its bytes, then the finaliser of SplitMix64."""
    for i in range(len(offsets) - 1):
        h = np.uint64(0xCBF29CE484222325)
        for j in range(offsets[i], offsets[i + 1]):
            h = (h ^ np.uint64(data[j])) * np.uint64(0x100000001B3)
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[i] = h ^ (h >> np.uint64(31))
