"""Since when a level has moved, and by how much: an interval that may be looked at after every chunk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from barograph.arrays import Floats

MISSES = 0.05  # the chance that the interval ever misses
SQUARED_Z = 3.84  # of a two-sided 95 % interval
LIKELY = 7.35  # twice the logarithm by which the onset is less likely elsewhere, with 95 %: (1 - exp(-x / 2))² = 0.95


class Moved(NamedTuple):
    """The mean change since position `at` among the values given, and its bounds; the onset's are positions, too."""

    at: int
    value: float
    lower: float
    upper: float
    earliest: int
    latest: int


def change_since(
    y: Floats, s2: Floats, *, level: float, level_var: float, natural_var: float, memory: float
) -> Moved | None:
    r"""Return the onset of a rise above `level` among the last values, and the mean rise since then.

    The onset maximises :math:`S_j^2 / j` over the sums :math:`S_j > 0` of the last `j` values less the level, as a
    likelihood would. The interval is a normal-mixture confidence sequence [1]_ for the mean since then, plus how
    uncertain the level is:

    .. math:: d \pm \sqrt{v\,c\,(N + 1) \ln\frac{N + 1}{0.05^2} \Big/ N^2 + 3.84\,v_m}, \qquad
        c = 1 + 2\,\frac{\tau^2}{v} \sum_{l < N} \Bigl(1 - \frac{l}{N}\Bigr) f^l

    with the variance :math:`v = s^2 + \tau^2` of a chunk and the memory `f` of its natural part. The onset is, with
    about 95 %, within those :math:`j` whose score is at most :math:`7.35\,v\,c` below the best [2]_. NaN is a chunk
    without a value. None where nothing is above the level.

    >>> y = np.array([0.0, 0.1, -0.1, 1.0, 1.1, 0.9])
    >>> found = change_since(y, np.full(6, 0.01), level=0.0, level_var=0.0, natural_var=0.0, memory=0.0)
    >>> found.at, round(found.value, 2), round(found.lower, 2)
    (3, 1.0, 0.82)
    >>> found.earliest, found.latest
    (3, 3)

    .. [1] H. Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical
       Statistics 41, 1970.
    .. [2] D. Siegmund, "Confidence sets in change-point problems", International Statistical Review 56, 1988.
    """
    places = np.flatnonzero(np.isfinite(y))[::-1]
    if not len(places):
        return None
    total = np.cumsum(y[places] - level)
    number = np.arange(1.0, len(places) + 1)
    score = np.where(total > 0, total**2 / number, 0.0)
    j = int(score.argmax())
    if score[j] <= 0:
        return None
    n = number[j]
    variance = max(float(s2[places[: j + 1]].mean()) + natural_var, 1e-300)
    lags = np.arange(1.0, n)
    carry = 1 + 2 * natural_var / variance * float(((1 - lags / n) * memory**lags).sum())
    half = float(np.sqrt(variance * carry * (n + 1) * np.log((n + 1) / MISSES**2) / n**2 + SQUARED_Z * level_var))
    value = float(total[j] / n)
    likely = places[score >= score[j] - LIKELY * variance * carry]
    return Moved(int(places[j]), value, value - half, value + half, int(likely.min()), int(likely.max()))
