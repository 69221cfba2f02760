"""The compiled loops: each goes over the rows of one block once. They release the GIL and know nothing of frames."""

from __future__ import annotations

from typing import Any  # numba-compiled functions are untyped to mypy

import numpy as np
from numba import njit

_options: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": False, "error_model": "numpy"}


@njit(**_options)
def find_chunks(times, null, edges, out):  # type: ignore[no-untyped-def]  # compiled: types come from the call
    """Write the position of the interval `[edges[i], edges[i + 1])` of each time; -1 where there is none."""
    c, last = 0, len(edges) - 2
    for i in range(len(times)):
        t = times[i]
        if null[i] or t < edges[0] or t >= edges[last + 1]:
            out[i] = -1
            continue
        if not edges[c] <= t < edges[c + 1]:
            c = np.searchsorted(edges, t, side="right") - 1
        out[i] = c


@njit(**_options)
def count_numeric(  # type: ignore[no-untyped-def]
    values, flags, edges, origin, inverse, lowest, highest, center, scale, group, codes, counts, sums, lows, highs, z
):
    """Encode one numeric column and count it.

    `flags` is 0 for a value, 1 for null, 2 for a type error (or empty: all are values); `codes`, `z` are written;
    `counts` (G, width), `sums` (G, 4: z, zz, below, above), `lows`, `highs` (G,) are added to. Rows of group -1 are
    encoded, not counted. `z` may be empty.
    """
    bins = len(edges) + 1
    k = len(edges)
    cells = len(lowest)
    with_flags, with_z = len(flags) > 0, len(z) > 0
    for i in range(len(values)):
        g = group[i]
        x = values[i]
        if with_z:
            z[i] = 0.0
        if with_flags and flags[i]:
            code = bins if flags[i] == 1 else bins + 4
        elif x != x:
            code = bins + 1
        elif x == np.inf:
            code = bins + 3
        elif x == -np.inf:
            code = bins + 2
        else:
            f = (x - origin) * inverse
            cell = 0 if f < 0 else (cells - 1 if f >= cells else int(f))
            a, b = lowest[cell], highest[cell]
            while a < b:  # the first edge above x lies in [a, b]
                mid = (a + b) >> 1
                if x >= edges[mid]:
                    a = mid + 1
                else:
                    b = mid
            code = a
            u = (x - center) / scale
            if with_z:
                z[i] = min(max(u, -20.0), 20.0)
            if g >= 0:
                sums[g, 0] += u
                sums[g, 1] += u * u
                if a == 0:
                    sums[g, 2] += x
                elif a == k:
                    sums[g, 3] += x
                if x < lows[g]:
                    lows[g] = x
                if x > highs[g]:
                    highs[g] = x
        codes[i] = code
        if g >= 0:
            counts[g, code] += 1


@njit(**_options)
def count_codes(codes, group, counts):  # type: ignore[no-untyped-def]
    """Count codes by group into `counts` (G, width)."""
    for i in range(len(codes)):
        if group[i] >= 0:
            counts[group[i], codes[i]] += 1


@njit(**_options)
def encode_categories(indices, lookup, null_code, codes):  # type: ignore[no-untyped-def]
    """Write `lookup[index]` for each index, or `null_code` for -1."""
    for i in range(len(indices)):
        j = indices[i]
        codes[i] = null_code if j < 0 else lookup[j]


@njit(**_options)
def find_leaves(codes, features, goes_left, children, leaves):  # type: ignore[no-untyped-def]
    """Write the leaf of each row; `codes` is (columns, rows)."""
    for i in range(codes.shape[1]):
        node = 0
        while node >= 0:
            node = children[node, 0 if goes_left[node, codes[features[node], i]] else 1]
        leaves[i] = -1 - node


@njit(**_options)
def count_scores(  # type: ignore[no-untyped-def]
    score, predicted, outcome, leaf, group, edges, threshold, cell_of, counts, sums, unpredicted, cells
):
    """Count the answers to one yes-or-no question.

    `score` is NaN where there is none; `predicted` is 0, 1, or -1 (unknown: then it follows from score and threshold,
    or the row is unpredicted); `outcome` is 0, 1 or 2 (pending). Shapes as in ScoreTable and BinaryCells, with a
    leading axis of groups.
    """
    eps = 2.220446049250313e-16
    bins = len(edges) + 1
    for i in range(len(score)):
        g = group[i]
        if g < 0:
            continue
        s, y, p = score[i], outcome[i], predicted[i]
        valid = 0.0 <= s <= 1.0
        if p < 0:
            if not valid:
                unpredicted[g, y] += 1
                continue
            p = 1 if s >= threshold else 0
        if not valid:
            counts[g, p, bins, y] += 1
            continue
        a, b = 0, bins - 1
        while a < b:
            mid = (a + b) >> 1
            if s >= edges[mid]:
                a = mid + 1
            else:
                b = mid
        counts[g, p, a, y] += 1
        c = min(max(s, eps), 1.0 - eps)
        sums[g, a, y, 0] += s
        sums[g, a, y, 1] += s * s
        sums[g, a, y, 2] += np.log(c)
        sums[g, a, y, 3] += np.log1p(-c)
        cells[g, leaf[i], cell_of[p, a], y] += 1


@njit(**_options)
def count_confusion(predicted, label, scores, group, counts, loss):  # type: ignore[no-untyped-def]
    """Count predicted by actual classes; `predicted` K: unknown; `label` K: unknown, K + 1: pending.

    `scores` is (rows, K), NaN where there is none.
    """
    eps = 2.220446049250313e-16
    k = counts.shape[1] - 1
    for i in range(len(label)):
        g = group[i]
        if g < 0:
            continue
        counts[g, predicted[i], label[i]] += 1
        if label[i] < k and scores.shape[1] == k:
            total = 0.0
            for j in range(k):
                total += scores[i, j]
            p = scores[i, label[i]] / total
            if p >= 0.0:
                lost = -np.log(min(max(p, eps), 1.0 - eps))
                loss[g, 0] += 1
                loss[g, 1] += lost
                loss[g, 2] += lost * lost


@njit(**_options)
def count_regression(prediction, label, leaf, group, edges, counts, sums, unpredicted):  # type: ignore[no-untyped-def]
    """Count and sum errors; NaN in `prediction` or `label`: none. Shapes as in RegressionCells, by group."""
    for i in range(len(prediction)):
        g, p, y = group[i], prediction[i], label[i]
        if g < 0:
            continue
        if not np.isfinite(p):
            unpredicted[g] += 1
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
        row[4] += y
        row[5] += y * y
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
def sum_products(z, group, n, first, second):  # type: ignore[no-untyped-def]
    """Add the rows of `z` (k, rows) and the lower triangle of their outer products to each group's sums."""
    k = z.shape[0]
    row = np.empty(k)
    for i in range(z.shape[1]):
        g = group[i]
        if g < 0:
            continue
        n[g] += 1
        for a in range(k):
            row[a] = z[a, i]
            first[g, a] += row[a]
        target = second[g]
        for a in range(k):
            x = row[a]
            for b in range(a + 1):
                target[a, b] += x * row[b]


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
