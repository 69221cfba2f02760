"""What the drift of one feature is expected to cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.causes.losses import CellLosses
from barograph.errors import MismatchError
from barograph.outcome import Estimate, Outcome, Undefined

PRIOR_ROWS = 10.0  # rows in the reference's mix of leaves that are added to each code


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """The expected change of a mean loss (or of accuracy) if only this feature had moved.

    `unknown_share` is the share of current rows whose value the reference does not have: of them nothing is expected.
    """

    change: Outcome
    unknown_share: float


def feature_harm(
    leaf_codes: npt.NDArray[np.int64],
    current_codes: npt.NDArray[np.int64],
    leaf_loss: Floats,
    *,
    level: float = 0.95,
) -> Harm:
    r"""Estimate by how much a mean loss changes when one feature takes its current shares, and all else follows it.

    With the reference's counts :math:`n_{\ell b}` (L, codes) of leaf and code, the current shares :math:`p_b` of the
    codes and the mean loss :math:`a_\ell` of the leaves, the reference is raked to the current shares:

    .. math:: \Delta_f = \sum_\ell a_\ell \Big(\sum_b p_b \frac{n_{\ell b}}{n_b} - \frac{n_\ell}{n}\Big)

    Features that move together share their harm, each as if it were the cause: the harms of all do not add up to the
    change. Codes with few reference rows are shrunk to the reference's mix of leaves; those with none say nothing.
    The standard error is that of the current shares, as if :math:`a` were known.

    Undefined when the reference or the window has no rows.

    >>> leaf_codes = np.array([[90, 10], [10, 90]])  # code 0 mostly leads to leaf 0, code 1 to leaf 1
    >>> harm = feature_harm(leaf_codes, np.array([20, 180]), np.array([0.1, 0.3]))
    >>> round(harm.change.value, 3)  # from 50 : 50 to 10 : 90
    0.058

    .. [1] W. E. Deming, F. F. Stephan, "On a least squares adjustment of a sampled frequency table when the expected
       marginal totals are known", Annals of Mathematical Statistics 11, 1940 (raking).
    """
    from scipy.special import ndtri

    if leaf_codes.shape != (len(leaf_loss), len(current_codes)):
        raise MismatchError(
            f"Counts of {leaf_codes.shape} leaves and codes do not fit {len(leaf_loss)} leaf losses and "
            f"{len(current_codes)} current codes: use one reference for all."
        )
    n, N = float(leaf_codes.sum()), float(current_codes.sum())
    if not n or not N:
        return Harm(change=Undefined(f"{'current' if n else 'reference'} has no rows"), unknown_share=0.0)
    mix = leaf_codes.sum(axis=1) / n
    of_code = leaf_codes.sum(axis=0)
    given_code = (leaf_codes + PRIOR_ROWS * mix[:, None]) / (of_code + PRIOR_ROWS)
    expected = leaf_loss @ given_code
    shares = current_codes / N
    # Against the raked reference itself, so that shrinkage alone is no harm.
    value = float(shares @ expected - of_code / n @ expected)
    error = float(np.sqrt(shares @ (expected - shares @ expected) ** 2 / N))
    z = float(ndtri((1 + level) / 2))
    change = Estimate(
        value=value, n=int(N), lower=value - z * error, upper=value + z * error, level=level, standard_error=error
    )
    return Harm(change=change, unknown_share=float(shares[of_code == 0].sum()))


def leaf_loss(losses: CellLosses) -> Floats:
    """Return the mean loss (L,) of each leaf's labelled rows, drawn to the overall mean by ten rows."""
    rows, total = losses.rows.sum(axis=1), losses.total.sum(axis=1)
    overall = total.sum() / max(rows.sum(), 1.0)
    return np.asarray((total + PRIOR_ROWS * overall) / (rows + PRIOR_ROWS))
