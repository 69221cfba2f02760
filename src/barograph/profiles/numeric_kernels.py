"""The compiled pass over numeric columns: bins, extremes, moments and second moments of all of them, block by block.

Columns come as the addresses of their Arrow buffers, so that nothing is copied and nulls are read from their bitmap;
`profiles.numbers` keeps the buffers alive. Most loops have no branch and run in vector registers. What they cannot do
(NaN, infinities, squares that overflow) is found by the sum of squares, and that block is counted row by row.
"""

from __future__ import annotations

from typing import Any  # numba-compiled functions are untyped to mypy

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # it has no types
from numba import carray, njit, types  # type: ignore[attr-defined]  # does not list carray
from numba.extending import intrinsic

from barograph.profiles.rulers import CENTER, EXACT, FIRST, LAST, ONE, PER_SCALE, TWO

BLOCK = 4_096  # rows whose z of all columns stay in the L2 cache
LONG_RUN = 1_024  # rows: below, four histograms cost more than they save
CLIP = 20.0  # of z, in second moments
BINS, OFFSET, Z_ROW = 0, 1, 2  # places in what says where a column's numbers go

_options: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": False, "error_model": "numpy"}
# The order of the sums may change, so that they run in vector registers; infinities and NaN keep their meaning.
_sum_options: dict[str, Any] = {**_options, "fastmath": {"reassoc", "nsz", "contract"}}
_LOWEST_BIT = np.array([0] + [(b & -b).bit_length() - 1 for b in range(1, 256)], np.int64)
_SIGNLESS: Any = np.int64(0x7FFFFFFFFFFFFFFF)


def _make_pointer(_context, _address):  # type: ignore[no-untyped-def]  # called by the compiler
    """Take a number for an address."""

    def generate(_context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.intp), generate


def _make_prefetch(_context, _address):  # type: ignore[no-untyped-def]  # called by the compiler
    """Ask for the cache line at an address, which need not exist."""

    def generate(context, builder, _signature, arguments):  # type: ignore[no-untyped-def]
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), (byte, number, number, number))
        function = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        builder.call(function, (builder.inttoptr(arguments[0], byte), number(0), number(2), number(1)))
        return context.get_dummy_value()

    return types.void(types.intp), generate


_pointer: Any = intrinsic(_make_pointer)
_prefetch: Any = intrinsic(_make_prefetch)


@njit(**_options)
def _bytes_at(address):  # type: ignore[no-untyped-def]
    return carray(_pointer(address), 2**37, np.uint8)


@njit(**_options)
def _floats_at(address):  # type: ignore[no-untyped-def]
    return carray(_pointer(address), 2**37, np.float64)


@njit(**_options)
def _integers_at(address):  # type: ignore[no-untyped-def]
    return carray(_pointer(address), 2**37, np.int64)


@njit(**_options)
def _is_there(bits, r):  # type: ignore[no-untyped-def]
    return (bits[r >> 3] >> np.uint8(r & 7)) & 1


@njit(**_options)
def _load(values, valid, bit, whole, order, start, center, out):  # type: ignore[no-untyped-def]
    """Copy rows from `start` on as float64, `center` in place of nulls; return how many nulls there are."""
    m, nulls = len(out), 0
    integers, floats, bits = _integers_at(values), _floats_at(values), _bytes_at(valid)
    if len(order):
        if whole:
            for i in range(m):
                out[i] = np.float64(integers[order[start + i]])
        else:
            for i in range(m):
                out[i] = floats[order[start + i]]
        if valid:
            for i in range(m):
                if not _is_there(bits, order[start + i] + bit):
                    out[i] = center
                    nulls += 1
        return nulls
    if whole:
        for i in range(m):
            out[i] = np.float64(integers[start + i])
    else:
        for i in range(m):
            out[i] = floats[start + i]
    if valid:
        r = start + bit
        for byte in range(r >> 3, (r + m + 7) >> 3):  # nulls are found a byte of the bitmap at a time
            gone = np.uint32(~bits[byte]) & np.uint32(255)
            first = byte * 8 - r  # of this byte's rows, in the block
            if first < 0:
                gone &= np.uint32(255) << np.uint32(-first)
            if first + 8 > m:
                gone &= np.uint32(255) >> np.uint32(first + 8 - m)
            while gone:
                out[first + _LOWEST_BIT[gone]] = center
                nulls += 1
                gone &= gone - np.uint32(1)
    return nulls


@njit(**_sum_options)
def _moments(x, center, per_scale, z):  # type: ignore[no-untyped-def]
    """Write z; return the sums of z and z²."""
    first, second = 0.0, 0.0
    for i in range(len(x)):
        u = (x[i] - center) * per_scale
        z[i] = u
        first += u
        second += u * u
    return first, second


@njit(**_options)
def _find_extremes(v, ends):  # type: ignore[no-untyped-def]
    """Write minimum and maximum of the floats with these bits, found as integers of the same order: in vectors."""
    low, high = _SIGNLESS, -_SIGNLESS - 1
    for i in range(len(v)):
        k = v[i] ^ ((v[i] >> 63) & _SIGNLESS)
        low, high = min(low, k), max(high, k)
    ends[0] = low ^ ((low >> 63) & _SIGNLESS)
    ends[1] = high ^ ((high >> 63) & _SIGNLESS)


@njit(**_options)
def _find_cells(x, p, out):  # type: ignore[no-untyped-def]
    """Write the grid cell of each number, as `rulers.cells_of` finds it."""
    o, s, m, o1, s1, m1, o2, s2, m2 = p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8]
    for i in range(len(x)):
        f = (x[i] - o) * s
        f = f if f > 0.0 else 0.0
        f = f if f < m else m
        g = (x[i] - o1) * s1
        g = g if g > 0.0 else 0.0
        g = g if g < m1 else m1
        h = (x[i] - o2) * s2
        h = h if h > 0.0 else 0.0
        h = h if h < m2 else m2
        out[i] = np.int32(f) + np.int32(g) + np.int32(h)


@njit(**_options)
def _search(edges, a, b, x):  # type: ignore[no-untyped-def]
    """Return the bin of a number that is between the bins `a` and `b`."""
    while a < b:  # the first edge above x is one of [a, b]
        middle = (a + b) >> 1
        if x >= edges[middle]:
            a = middle + 1
        else:
            b = middle
    return a


@njit(**_options)
def _encode(x, cell, p, lut, edges, mode, codes):  # type: ignore[no-untyped-def]
    """Write the bins of finite numbers: a look-up, and as many compares as a cell holds edges at most."""
    if mode == EXACT:
        o, m = p[0], p[2]
        for i in range(len(x)):
            f = x[i] - o
            f = f if f > 0.0 else 0.0
            codes[i] = lut[np.int32(f if f < m else m)]
        return
    _find_cells(x, p, cell)
    if mode == ONE:
        for i in range(len(x)):
            a = np.int32(lut[cell[i]])
            codes[i] = a + np.int32(x[i] >= edges[a])
    elif mode == TWO:
        for i in range(len(x)):
            a = np.int32(lut[cell[i]])
            a += np.int32(x[i] >= edges[a])
            codes[i] = a + np.int32(x[i] >= edges[a])
    else:
        for i in range(len(x)):
            low, high = np.int64(lut[cell[i]]), np.int64(lut[cell[i] + 1])
            codes[i] = _search(edges, low, high, x[i]) if high - low > 1 else low + np.int64(x[i] >= edges[low])


@njit(**_options)
def _tally(codes, h, ahead):  # type: ignore[no-untyped-def]
    """Count in four histograms in turn, so that equal neighbours do not wait for each other's store.

    Meanwhile what comes next, at the address `ahead`, is fetched: the tally leaves the memory idle.
    """
    n = len(codes) // 8 * 8
    for i in range(0, n, 8):
        _prefetch(ahead + 8 * i)
        for j in range(4):
            h[j, codes[i + j]] += np.uint32(1)
            h[j, codes[i + j + 4]] += np.uint32(1)
    for i in range(n, len(codes)):
        h[0, codes[i]] += np.uint32(1)


@njit(**_options)
def _count_any(x, valid, bit, order, start, p, edges, bins, z, counts):  # type: ignore[no-untyped-def]
    """Count a block of any values row by row; write z, clipped; return the sums of z and z², minimum and maximum."""
    first, second, low, high = 0.0, 0.0, np.inf, -np.inf
    bits = _bytes_at(valid)
    for i in range(len(x)):
        r = (order[start + i] if len(order) else start + i) + bit
        z[i] = 0.0
        if valid and not _is_there(bits, r):
            counts[bins] += 1
        elif abs(x[i]) < np.inf:
            counts[_search(edges, 0, bins - 1, x[i])] += 1
            u = (x[i] - p[CENTER]) * p[PER_SCALE]
            first += u
            second += u * u
            z[i] = min(max(u, -CLIP), CLIP)
            low, high = min(low, x[i]), max(high, x[i])
        else:
            counts[bins + (3 if x[i] == np.inf else 2 if x[i] == -np.inf else 1)] += 1
    return first, second, low, high


@njit(**_options)
def _ends(x, valid, bit, order, start, p):  # type: ignore[no-untyped-def]
    """Return minimum, maximum, and the sums below the first edge and from the last one on, of what is finite."""
    low, high, below, above = np.inf, -np.inf, 0.0, 0.0
    bits = _bytes_at(valid)
    for i in range(len(x)):
        r = (order[start + i] if len(order) else start + i) + bit
        if abs(x[i]) < np.inf and (not valid or _is_there(bits, r)):
            low, high = min(low, x[i]), max(high, x[i])
            if x[i] < p[FIRST]:
                below += x[i]
            elif x[i] >= p[LAST]:
                above += x[i]
    return low, high, below, above


@njit(**_sum_options)
def _add_products(z, m, out):  # type: ignore[no-untyped-def]
    """Add the products of the first `m` columns of `z` in tiles of 2 × 4 sums; the rows are a multiple of four.

    Only what is on and below the diagonal is meant; a tile may reach beyond it.
    """
    for i in range(0, len(z), 2):
        for j in range(0, i + 2, 4):
            a0, a1, a2, a3, b0, b1, b2, b3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for r in range(m):
                v, w = z[i, r], z[i + 1, r]
                p, q, s, t = z[j, r], z[j + 1, r], z[j + 2, r], z[j + 3, r]
                a0 += v * p
                a1 += v * q
                a2 += v * s
                a3 += v * t
                b0 += w * p
                b1 += w * q
                b2 += w * s
                b3 += w * t
            out[i, j] += a0
            out[i, j + 1] += a1
            out[i, j + 2] += a2
            out[i, j + 3] += a3
            out[i + 1, j] += b0
            out[i + 1, j + 1] += b1
            out[i + 1, j + 2] += b2
            out[i + 1, j + 3] += b3


@njit(**_options)
def count_numbers(  # type: ignore[no-untyped-def]
    arrays, places, order, runs, p, lut, edges, mode,
    counts, sums, lows, highs, with_products, product_rows, product_z, product_zz,
):  # fmt: skip
    """Count all numeric columns of a batch by group.

    `arrays` (k, 4): the address of a column's values, of its bitmap (0: no nulls), the bitmap's offset in bits, whether
    the values are int64 and not float64. `places` (k, 3): how many bins, where they begin in a row of `counts`, the
    column's row among the second moments (-1: none). `runs` (·, 3): from which row to which, and the group, never
    negative; rows are meant in `order`, where that is not empty. `p`, `lut`, `edges`, `mode`: see `profiles.rulers`.
    All others have a leading axis of groups and are added to; the last three only `with_products`.
    """
    k, width = len(arrays), product_z.shape[1] if with_products else 0
    x0, own, cell, codes = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK, np.int32), np.empty(BLOCK, np.uint16)
    z = np.zeros(((width + 3) // 4 * 4, BLOCK))
    products = np.empty((len(z), len(z)))
    center_code, center_cell, ends = np.empty(1, np.uint16), np.empty(1, np.int32), np.empty(2)
    end_bits = ends.view(np.int64)
    most = 0
    for j in range(k):
        most = max(most, places[j, BINS])
    h = np.empty((k, 4, most), np.uint32)
    for t in range(len(runs)):
        start, end, g = runs[t, 0], runs[t, 1], runs[t, 2]
        many = end - start >= LONG_RUN
        if many:
            for j in range(k):
                for a in range(4):
                    for c in range(most):
                        h[j, a, c] = 0
        for a in range(len(z)):
            for b in range(len(z)):
                products[a, b] = 0.0
        for s in range(start, end, BLOCK):
            m = min(BLOCK, end - s)
            for j in range(k):
                values, valid, bit, whole = arrays[j, 0], arrays[j, 1], arrays[j, 2], arrays[j, 3]
                bins, o, row = places[j, BINS], places[j, OFFSET], places[j, Z_ROW]
                pj, e, nulls = p[j], edges[j], 0
                x = x0[:m]
                if valid or whole or len(order):
                    nulls = _load(values, valid, bit, whole, order, s, pj[CENTER], x)
                else:
                    x = _floats_at(values + 8 * s)[:m]
                zj = z[row, :m] if row >= 0 and with_products else own[:m]
                first, second = _moments(x, pj[CENTER], pj[PER_SCALE], zj)
                sum_z = first
                if abs(second) < np.inf:
                    _find_extremes(x.view(np.int64), end_bits)
                    low, high = ends[0], ends[1]
                    _encode(x, cell, pj, lut[j], e, mode[j], codes)
                    if many:
                        ahead = values if j + 1 == k else arrays[j + 1, 0]
                        _tally(codes[:m], h[j], (arrays[0, 0] + 8 * (s + m)) if j + 1 == k else ahead + 8 * s)
                    else:
                        for i in range(m):
                            counts[g, o + codes[i]] += 1
                    if nulls:  # all of them were counted where the centre is
                        _encode(pj[CENTER : CENTER + 1], center_cell, pj, lut[j], e, mode[j], center_code)
                        counts[g, o + center_code[0]] -= nulls
                        counts[g, o + bins] += nulls
                    far = (low - pj[CENTER]) * pj[PER_SCALE] < -CLIP or (high - pj[CENTER]) * pj[PER_SCALE] > CLIP
                    if far and row >= 0:
                        sum_z = 0.0
                        for i in range(m):
                            zj[i] = min(max(zj[i], -CLIP), CLIP)
                            sum_z += zj[i]
                    centre_at_an_end = nulls > 0 and (low >= pj[CENTER] or high <= pj[CENTER])
                else:
                    first, second, low, high = _count_any(x, valid, bit, order, s, pj, e, bins, zj, counts[g, o:])
                    sum_z = 0.0
                    for i in range(m):
                        sum_z += zj[i]
                    centre_at_an_end = False
                if centre_at_an_end or low < pj[FIRST] or high >= pj[LAST]:
                    low, high, below, above = _ends(x, valid, bit, order, s, pj)
                    sums[g, j, 2] += below
                    sums[g, j, 3] += above
                sums[g, j, 0] += first
                sums[g, j, 1] += second
                lows[g, j] = min(lows[g, j], low)
                highs[g, j] = max(highs[g, j], high)
                if row >= 0 and with_products:
                    product_z[g, row] += sum_z
            if with_products:
                _add_products(z, m, products)
        if with_products:
            product_rows[g] += end - start
            for a in range(width):
                for b in range(a + 1):
                    product_zz[g, a, b] += products[a, b]
                    if b < a:
                        product_zz[g, b, a] += products[a, b]
        if many:
            for j in range(k):
                for c in range(places[j, BINS]):
                    n = np.int64(h[j, 0, c]) + h[j, 1, c] + h[j, 2, c] + h[j, 3, c]
                    counts[g, places[j, OFFSET] + c] += n


@njit(**_options)
def encode_numbers(arrays, bins, order, p, lut, edges, mode, start, codes):  # type: ignore[no-untyped-def]
    """Write the codes (k, rows) of rows from `start` on, in `order` where that is not empty, whatever the values."""
    x0, cell = np.empty(BLOCK), np.empty(BLOCK, np.int32)
    for j in range(len(arrays)):
        values, valid, bit, whole = arrays[j, 0], arrays[j, 1], arrays[j, 2], arrays[j, 3]
        bits = _bytes_at(valid)
        for s in range(0, codes.shape[1], BLOCK):
            m = min(BLOCK, codes.shape[1] - s)
            x, out = x0[:m], codes[j, s : s + m]
            nulls = _load(values, valid, bit, whole, order, start + s, 0.0, x)
            _encode(x, cell, p[j], lut[j], edges[j], mode[j], out)
            for i in range(m):
                if not abs(x[i]) < np.inf:
                    out[i] = bins[j] + (3 if x[i] == np.inf else 2 if x[i] == -np.inf else 1)
            if nulls:
                for i in range(m):
                    r = (order[start + s + i] if len(order) else start + s + i) + bit
                    if not _is_there(bits, r):
                        out[i] = bins[j]


@njit(**_options)
def plan_runs(group, groups):  # type: ignore[no-untyped-def]
    """Return the order in which rows are counted (empty: as they come), and the runs of one group (start, end, group).

    Rows of no group (-1) are in no run. Rows mostly come in the order of time; where a group comes again and again,
    they are sorted by group, which keeps their order within it.
    """
    n = len(group)
    rows = np.zeros(groups + 1, np.int64)
    borders, different = 0, 0
    for i in range(n):
        rows[group[i] + 1] += 1
        borders += i == 0 or group[i] != group[i - 1]
    for g in range(1, groups + 1):
        different += rows[g] > 0
    if borders <= 2 * different + 8:
        runs = np.empty((borders, 3), np.int64)
        found, start = 0, 0
        for i in range(1, n + 1):
            if i == n or group[i] != group[start]:
                if group[start] >= 0:
                    runs[found, 0], runs[found, 1], runs[found, 2] = start, i, group[start]
                    found += 1
                start = i
        return np.empty(0, np.int64), runs[:found]
    order = np.empty(n, np.int64)
    runs = np.empty((different, 3), np.int64)
    found, start = 0, rows[0]
    rows[0] = 0  # from here on: where the next row of each group goes
    for g in range(groups):
        end = start + rows[g + 1]
        if start < end:
            runs[found, 0], runs[found, 1], runs[found, 2] = start, end, g
            found += 1
        rows[g + 1] = start
        start = end
    for i in range(n):
        order[rows[group[i] + 1]] = i
        rows[group[i] + 1] += 1
    return order, runs[:found]


@njit(**_options)
def count_indices(indices, valid, bit, order, runs, lookup, null, offset, counts):  # type: ignore[no-untyped-def]
    """Count int32 positions (an address) in a dictionary by group, folded by `lookup` at the end of each run.

    Codes begin at `offset` in a row of `counts`.
    """
    h = np.empty((4, len(lookup)), np.uint32)
    at = carray(_pointer(indices), 2**40, np.int32)
    bits = _bytes_at(valid)
    for t in range(len(runs)):
        start, end, g = runs[t, 0], runs[t, 1], runs[t, 2]
        if end - start < len(lookup):  # a large dictionary would cost more than the rows
            for i in range(start, end):
                r = order[i] if len(order) else i
                code = lookup[at[r]] if not valid or _is_there(bits, r + bit) else null
                counts[g, offset + code] += 1
            continue
        for j in range(4):
            for c in range(len(lookup)):
                h[j, c] = 0
        nulls, i = 0, start
        while i < end:
            r = i + bit
            if not len(order) and i + 8 <= end and (not valid or (r & 7 == 0 and bits[r >> 3] == 255)):
                for j in range(8):
                    h[j & 3, at[i + j]] += np.uint32(1)
                i += 8
                continue
            row = order[i] if len(order) else i
            if not valid or _is_there(bits, row + bit):
                h[i & 3, at[row]] += np.uint32(1)
            else:
                nulls += 1
            i += 1
        counts[g, offset + null] += nulls
        for c in range(len(lookup)):
            counts[g, offset + lookup[c]] += np.int64(h[0, c]) + h[1, c] + h[2, c] + h[3, c]


@njit(**_options)
def encode_indices(indices, valid, bit, order, lookup, null, start, codes):  # type: ignore[no-untyped-def]
    """Write the codes of rows from `start` on, in `order` where that is not empty, as `count_indices` counts them."""
    at = carray(_pointer(indices), 2**40, np.int32)
    bits = _bytes_at(valid)
    for i in range(len(codes)):
        r = order[start + i] if len(order) else start + i
        codes[i] = lookup[at[r]] if not valid or _is_there(bits, r + bit) else null
