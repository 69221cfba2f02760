"""The scale on which a metric is watched: where its error hardly depends on its level, and no limit leaves its range.

============ ===================== ================================================
scale        of                    on which a value is
============ ===================== ================================================
`share`      rows right of rows    log-odds; few rows are counted exactly
`logit`      other numbers in 0..1 log-odds, at most half a row from 0 and 1
`log`        losses from zero up   the logarithm
`identity`   anything else         as it is
============ ===================== ================================================
"""

from __future__ import annotations

from math import inf, isfinite
from typing import Literal, get_args

import numpy as np

from barograph.arrays import Floats

Scale = Literal["share", "logit", "log", "identity"]
SCALES: tuple[Scale, ...] = get_args(Scale)
LEAST_OF_LOSS = 1e-3  # of the reference's: a smaller loss is taken for this one
LEAST_VARIANCE = 1e-12


def scale_of(unit: str, bounds: tuple[float, float]) -> Scale:
    """Return the scale of a metric with this unit and these bounds.

    >>> scale_of("share", (0.0, 1.0)), scale_of("label", (0.0, inf)), scale_of("label", (-inf, inf))
    ('share', 'log', 'identity')
    """
    if bounds == (0.0, 1.0):
        return "share" if unit == "share" else "logit"
    return "log" if bounds == (0.0, inf) else "identity"


def to_scale(values: Floats, rows: Floats, scale: Scale, level: float) -> Floats:
    """Return values on their scale; `rows` are those behind each, `level` is the reference's value. NaN stays.

    >>> to_scale(np.array([0.5, 1.0]), np.array([9.0, 9.0]), "share", 0.5).round(2).tolist()
    [0.0, 2.94]
    """
    n = np.maximum(rows, 1.0)
    if scale == "share":
        p = (values * n + 0.5) / (n + 1.0)
    elif scale == "logit":
        p = np.clip(values, 0.5 / n, 1 - 0.5 / n)
    elif scale == "log":
        return np.asarray(np.log(np.maximum(values, max(LEAST_OF_LOSS * level, 1e-300))))
    else:
        return values
    return np.asarray(np.log(p) - np.log1p(-p))


def from_scale(y: Floats, scale: Scale) -> Floats:
    """Return the values that are `y` on a scale, for many rows."""
    if scale in ("share", "logit"):
        return np.asarray(0.5 * (1 + np.tanh(np.asarray(y) / 2)))
    return np.asarray(np.exp(y) if scale == "log" else y)


def slope(level: float, scale: Scale) -> float:
    """Return how fast the scale moves with the metric at a level.

    >>> slope(0.5, "share"), slope(0.5, "log")
    (4.0, 2.0)
    """
    if scale in ("share", "logit"):
        p = min(max(level, 1e-6), 1 - 1e-6)
        return 1 / (p * (1 - p))
    return 1 / max(level, 1e-300) if scale == "log" else 1.0


def width_of(change: float, level: float, scale: Scale, sign: float) -> float:
    """Return a change of a metric for the worse, in its own unit, on its scale; a `sign` of 1: larger is worse.

    >>> round(width_of(0.1, 1.0, "log", 1.0), 4), round(width_of(0.1, 0.9, "share", -1.0), 3)
    (0.0953, 0.811)
    """
    if not isfinite(level):
        return 0.0
    if scale in ("share", "logit"):
        still, moved = (min(max(p, 1e-6), 1 - 1e-6) for p in (level, level + sign * change))
        return float(abs(np.log(moved / (1 - moved)) - np.log(still / (1 - still))))
    if scale == "log":
        return float(abs(np.log1p(max(sign * change / max(level, 1e-300), -1 + 1e-6))))
    return change
