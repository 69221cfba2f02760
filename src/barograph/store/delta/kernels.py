"""The compiled loops over ids. They release the GIL and know nothing of tables."""

from __future__ import annotations

from typing import Any  # numba-compiled functions are untyped to mypy

import numpy as np
from numba import njit

_options: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": False, "error_model": "numpy"}
_SPARSE = 32  # times more known ids than asked: below, going through all of them is quicker than searching


@njit(**_options)
def _mix(h):  # type: ignore[no-untyped-def]  # compiled: types come from the call
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@njit(**_options)
def _turn(x, bits):  # type: ignore[no-untyped-def]
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@njit(**_options)
def _word(data, start, count):  # type: ignore[no-untyped-def]
    """Return up to eight bytes as a number, the first byte lowest."""
    word = np.uint64(0)
    for k in range(count):
        word |= np.uint64(data[start + k]) << np.uint64(8 * k)
    return word


@njit(**_options)
def hash_ids(data, offsets, high, low):  # type: ignore[no-untyped-def]
    """Write 128 bits for each text, in two halves: MurmurHash3 x64 (Appleby 2011), seed 0."""
    c1, c2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
    five = np.uint64(5)
    for i in range(len(offsets) - 1):
        start, end = np.int64(offsets[i]), np.int64(offsets[i + 1])
        length = end - start
        a, b = np.uint64(0), np.uint64(0)
        while end - start >= 16:
            a ^= _turn(_word(data, start, 8) * c1, 31) * c2
            a = (_turn(a, 27) + b) * five + np.uint64(0x52DCE729)
            b ^= _turn(_word(data, start + 8, 8) * c2, 33) * c1
            b = (_turn(b, 31) + a) * five + np.uint64(0x38495AB5)
            start += 16
        rest = end - start
        if rest > 8:
            b ^= _turn(_word(data, start + 8, rest - 8) * c2, 33) * c1
        if rest > 0:
            a ^= _turn(_word(data, start, min(rest, 8)) * c1, 31) * c2
        a ^= np.uint64(length)
        b ^= np.uint64(length)
        a += b
        b += a
        a, b = _mix(a), _mix(b)
        a += b
        b += a
        high[i], low[i] = a, b


@njit(**_options)
def mark_repeated(high, low, repeated):  # type: ignore[no-untyped-def]
    """Mark each id that came before. `high` is sorted, and stable: equal ones keep the order in which they came."""
    start = 0
    while start < len(high):
        end = start + 1
        while end < len(high) and high[end] == high[start]:
            end += 1
        for i in range(start + 1, end):
            for j in range(start, i):
                if low[j] == low[i]:
                    repeated[i] = True
                    break
        start = end


@njit(**_options)
def _first_not_below(values, wanted, start):  # type: ignore[no-untyped-def]
    """Return the first position from `start` on whose value is not below; hashes lie evenly, so it can be guessed."""
    n = np.int64(len(values))
    guess = np.int64(np.float64(wanted) * 5.421010862427522e-20 * n)  # / 2**64
    guess = max(start, min(guess, n - 1))
    step = np.int64(32)
    if values[guess] < wanted:
        below, at = guess, guess + step
        while at < n and values[at] < wanted:
            below = at
            step *= 2
            at += step
        at = min(at, n)
    else:
        at, below = guess, guess - step
        while below >= start and values[below] >= wanted:
            at = below
            step *= 2
            below -= step
        below = max(below, start - 1)
    while at - below > 1:
        middle = (at + below) >> 1
        if values[middle] < wanted:
            below = middle
        else:
            at = middle
    return at


@njit(**_options)
def mark_known(high, low, known_high, known_low, known):  # type: ignore[no-untyped-def]
    """Mark each id that is among the known ones. Both are sorted by `high`."""
    m = len(known_high)
    sparse = m > _SPARSE * len(high)
    j = np.int64(0)
    for i in range(len(high)):
        wanted = high[i]
        if j >= m:
            return
        if sparse:
            j = _first_not_below(known_high, wanted, j)
        else:
            while j < m and known_high[j] < wanted:
                j += 1
        k = j
        while k < m and known_high[k] == wanted:
            if known_low[k] == low[i]:
                known[i] = True
                break
            k += 1


@njit(**_options)
def find(high, low, known_high, known_low, at):  # type: ignore[no-untyped-def]
    """Write the position of each id among the known ones, which are sorted by both halves; -1 where it is not there."""
    m = len(known_high)
    for i in range(len(high)):
        at[i] = -1
        k = _first_not_below(known_high, high[i], np.int64(0)) if m else m
        while k < m and known_high[k] == high[i]:
            if known_low[k] == low[i]:
                at[i] = k
                break
            k += 1
