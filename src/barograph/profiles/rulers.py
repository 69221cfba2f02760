"""The rulers of numeric columns: flat arrays from which compiled loops find the bin of a number without a walk.

A grid of three pieces, one for the body of the edges and one for each tail, says between which edges a number lies.
Where no cell holds more than one edge or two, as many compares without a branch say the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats

BODY_CELLS = 4_096  # 8 kB: stays in the L1 cache
TAIL_CELLS = 512
TAIL_EDGES = 20  # the outermost twentieth of the edges on each side is a tail: it would stretch the grid of the body
CELLS = BODY_CELLS + 2 * TAIL_CELLS
EXACT, ONE, TWO, SEARCH = 0, 1, 2, 3  # a cell a whole number; at most one edge a cell; at most two; any
# Places in the parameters: three pieces of (origin, inverse step, last cell), then these.
CENTER, PER_SCALE, FIRST, LAST, PARAMETERS = 9, 10, 11, 12, 13
_EXACT_INTEGERS = 2.0**52


@dataclass(frozen=True, eq=False)
class Ruler:
    """The ruler of one column: `parameters`, how many edges are below each cell (`lut`), and how cells are compared."""

    parameters: Floats
    lut: npt.NDArray[np.uint16]
    mode: int


class Rulers(NamedTuple):
    """The rulers of several columns with their edges, closed by infinity: the leading axis is that of columns."""

    parameters: Floats
    lut: npt.NDArray[np.uint16]
    edges: Floats
    mode: npt.NDArray[np.int64]


def ruler_of(edges: Floats, center: float, scale: float, *, whole: bool) -> Ruler:
    """Return the ruler of a column whose values are `whole` numbers, or any.

    Whole numbers of a small range have a cell each, and need no compare.
    """
    first, last = (float(edges[0]), float(edges[-1])) if len(edges) else (np.inf, np.inf)
    parameters = np.zeros(PARAMETERS)
    parameters[CENTER:] = center, 1.0 / scale, first, last
    lut = np.zeros(CELLS + 2, np.uint16)
    if whole and len(edges) and max(abs(first), abs(last)) < _EXACT_INTEGERS:
        low = np.floor(first) - 1.0
        if (cells := int(np.ceil(last) - low) + 2) <= CELLS:  # the first is for all below, the last for all above
            lut[:cells] = np.searchsorted(edges, np.arange(cells) + low, side="right")
            parameters[:3] = low, 1.0, cells - 1
            return Ruler(parameters, lut, EXACT)
    if len(edges) > 1:
        tail = len(edges) // TAIL_EDGES
        a, b = float(edges[tail]), float(edges[-1 - tail])
        parameters[0:3] = _piece(a, b, BODY_CELLS, BODY_CELLS - 1)
        parameters[3:6] = _piece(first, a, TAIL_CELLS, TAIL_CELLS)
        parameters[6:9] = _piece(b, last, TAIL_CELLS, TAIL_CELLS)
    cell_of_edge = cells_of(edges, parameters)
    lut[:] = np.searchsorted(cell_of_edge, np.arange(len(lut)), side="left")
    most = int(np.bincount(cell_of_edge, minlength=1).max())
    return Ruler(parameters, lut, ONE if most <= 1 else TWO if most == 2 else SEARCH)


def _piece(low: float, high: float, cells: int, last: int) -> tuple[float, float, float]:
    """Return origin, inverse step and last cell of a piece of the grid; one of no length takes no part."""
    width = high - low
    inverse = cells / width if width > 0.0 else 0.0
    return (low, inverse, float(last)) if 0.0 < inverse < np.inf else (0.0, 0.0, 0.0)


def cells_of(x: Floats, p: Floats) -> npt.NDArray[np.int64]:
    """Return the grid cell of each finite number: the whole parts of three pieces, each cut to its own cells, added.

    It never falls as `x` rises, whatever the rounding. So the edges in earlier cells are not above `x`, and those in
    later ones are above it: only the edges in the cell of `x` itself are left to compare with.
    """
    cells = np.zeros(len(x), np.int64)
    with np.errstate(over="ignore", invalid="ignore"):  # an infinite distance is cut, too; times no step it is none
        for origin, inverse, last in p[:CENTER].reshape(3, 3):
            places = (x - origin) * inverse
            cells += np.clip(np.where(places > 0.0, places, 0.0), 0.0, last).astype(np.int64)
    return cells


def stack(rulers: list[Ruler], edges: list[Floats]) -> Rulers:
    """Return the rulers of columns, of which there is at least one, with these edges."""
    closed = np.full((len(rulers), max(map(len, edges)) + 2), np.inf)  # two: who is above all edges may compare twice
    for row, own in zip(closed, edges, strict=True):
        row[: len(own)] = own
    return Rulers(
        np.stack([r.parameters for r in rulers]),
        np.stack([r.lut for r in rulers]),
        closed,
        np.array([r.mode for r in rulers], np.int64),
    )
