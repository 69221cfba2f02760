"""A fixed lattice of scores, about even in log-odds: it tells apart what lies where a reference had no scores."""

from __future__ import annotations

from functools import lru_cache
from math import ldexp
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats

MANTISSA_BITS = 7  # of the grid that narrows the search for a bin: 128 cells an octave, so that most have one edge
SHIFT = 52 - MANTISSA_BITS
OCTAVES = 20  # of the grid: beyond them is one cell on each side
HALF_SIDE = OCTAVES << MANTISSA_BITS
CELLS = 2 * HALF_SIDE
LOWEST = (int(np.float64(0.5).view(np.int64)) >> SHIFT) - HALF_SIDE

Steps = tuple[tuple[int, int], ...]  # up to which octave, and steps an octave: octave o is [2^-(o+1), 2^-o)
FINEST: Steps = ((4, 32), (10, 16), (20, 8), (50, 2))  # of log-odds 0.02 to 0.05, 0.04, 0.09, 0.35
COARSE: Steps = ((10, 2), (20, 1))
FAR = range(64, 1023, 16)  # octaves: products of many probabilities are as small as that


def lattice(steps: Steps) -> Floats:
    """Return ascending cut points in (0, 1], alike on both sides of one half; 0 and 1 have a bin of their own.

    >>> lattice(((3, 1),)).tolist()[1:-1]
    [0.125, 0.25, 0.5, 0.75, 0.875]
    """
    below, first = [0.5], 1
    for last, per_octave in steps:
        for octave in range(first, last):
            below += [ldexp(1 + j / per_octave, -octave - 1) for j in range(per_octave)]
        first = last
    return np.unique((np.nextafter(0.0, 1.0), *below, *(1 - x for x in below), 1.0))


class FinestBins(NamedTuple):
    """The finest bins: their inner cut points, lower ends and widths, and which bin between `edges` each is in."""

    edges: Floats
    low: Floats
    width: Floats
    bin_of: npt.NDArray[np.int64]


def finest_bins_of(edges: Floats) -> FinestBins:
    """Return the bins between the cut points of a reference, if it had any score, and those of the lattice.

    >>> len(finest_bins_of(np.array([0.5, 0.7])).edges) - len(finest_bins_of(np.array([0.5])).edges)
    1
    """
    return _finest(np.ascontiguousarray(edges, np.float64).tobytes())


@lru_cache(maxsize=64)
def _finest(data: bytes) -> FinestBins:
    edges = np.frombuffer(data, np.float64)
    far = np.array([ldexp(1.0, -octave) for octave in FAR])
    finest = np.union1d(np.union1d(edges, lattice(FINEST)), far) if len(edges) else edges
    low = np.append(0.0, finest)
    bin_of = np.searchsorted(edges, np.append(-np.inf, finest), side="right")
    found = FinestBins(finest, low, np.append(finest, np.nextafter(1.0, 2.0)) - low, bin_of)
    for array in found:
        array.setflags(write=False)
    return found


def cells_of(scores: Floats) -> npt.NDArray[np.int64]:
    """Return the cell of each score in [0, 1]: its exponent and first bits, of its distance to the nearer of 0 and 1.

    It never falls as the score rises: the distance to 1 is exact from one half on. `count_scores` does the same.
    """
    low = scores < 0.5
    near = np.ascontiguousarray(np.where(low, scores, 1 - scores), np.float64)
    place = np.clip((near.view(np.int64) >> SHIFT) - LOWEST, 0, HALF_SIDE - 1)
    return np.asarray(np.where(low, place, CELLS - 1 - place), np.int64)


def narrow_scores(edges: Floats) -> npt.NDArray[np.uint16]:
    """Return the lowest and highest bin, as (cells, 2), that a score in each cell can be in."""
    cell_of_edge, cells = cells_of(edges), np.arange(CELLS)
    below, upto = (np.searchsorted(cell_of_edge, cells, side=side) for side in ("left", "right"))
    return np.column_stack((below, upto)).astype(np.uint16)
