"""The 95 % intervals that many numbers share: two-sided, of the normal distribution, and Wilson's of a share."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Number

Z = 1.959963984540054  # the 97.5 % point of the normal distribution


def wilson(share: Number, n: Number, *, quantile: Number = Z) -> tuple[Number, Number]:
    """Return the score interval of Wilson [1]_ for a share of `n` rows; arguments broadcast.

    `n` may be an effective number of rows, ``share (1 - share) / variance``, for a number in [0, 1] that is no share.

    >>> lower, upper = wilson(0.9, 100)
    >>> round(float(lower), 3), round(float(upper), 3)
    (0.826, 0.945)

    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    z2 = quantile * quantile
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = quantile / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # Against rounding: a bound at the share itself, or at 0 or 1, could miss it.
    return np.maximum(0.0, np.minimum(share, centre - half)), np.minimum(1.0, np.maximum(share, centre + half))
