"""A change in percent of the reference: compared, not weighed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.errors import SpecError
from barograph.rules import Decision
from barograph.rules.constant import constant


def relative(
    values: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    fall: float | None = None,
    rise: float | None = None,
) -> Decision:
    """Decide that values are in breach that lie more than `fall` below or `rise` above `reference`, as shares of it.

    At once and with no promise on false alarms, like :func:`~barograph.rules.constant.constant`. A reference of zero
    allows nothing but zero; one that is not finite makes its monitor unknown.

    >>> relative([90.0, 80.0, 130.0], [100.0, 100.0, 100.0], fall=0.15).breach.tolist()
    [False, True, False]
    """
    for name, change in (("fall", fall), ("rise", rise)):
        if change is not None and not change >= 0:
            raise SpecError(f"`{name}` is a share of the reference value, at least 0 (0.1 is 10 %). Got {change!r}.")
    r = np.asarray(reference, np.float64)
    v = np.where(np.isfinite(r), np.asarray(values, np.float64), np.nan)
    r = np.where(np.isfinite(r), r, 0.0)
    return constant(
        v,
        lower=None if fall is None else r - fall * np.abs(r),
        upper=None if rise is None else r + rise * np.abs(r),
    )
