"""Expected calibration error: how far scores are from the shares of positives that come with them."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Number
from barograph.metrics import metric
from barograph.metrics.intervals import Z
from barograph.metrics.performance._averages import Average, average_of_classes
from barograph.metrics.performance._labelled import nothing_scored
from barograph.metrics.performance._score_bins import ScoreBins, finest_bins, told
from barograph.outcome import Outcome, Outcomes, outcome
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable

MAX_GROUPS = 15
ROWS_PER_GROUP = 50
# What is left of the bias, in standard errors of a group, is between these two: at a difference of 0, and of 1.4.
MOST_BIAS, LEAST_BIAS = 0.47, -0.094


@metric(
    unit="share",
    bounds=(0.0, 1.0),
    better="lower",
    tolerance=0.03,
    rule="none",
    needs="probabilities",
    no_limits="it depends on the number of rows, also without a change",
)
def expected_calibration_error(current: ScoreTable | ClassTables, *, average: Average = "macro") -> Outcome | Outcomes:
    r"""Measure how far mean scores are from shares of positives, less what is due to chance.

    The rows are cut into at most 15 groups of about equal numbers, and of 50 rows or more, by their scores; where a cut
    is within a bin, its rows are shared out. With :math:`d_g`
    the difference of mean score and share of positives of group g, and :math:`\sigma_g` its standard error,

    .. math:: \mathrm{ECE} = \max\Big(0, \sum_g \frac{n_g}{n} \big(2 |d_g| - \mathrm{E}|X_g|\big)\Big),
       \quad X_g \sim \mathrm{Normal}(d_g, \sigma_g^2)

    The usual :math:`\sum_g n_g |d_g| / n` [1]_ is above zero by chance, the more so the fewer the rows, so chunks of
    different size could not be compared; the excess that is expected if the observed differences are the true ones is
    taken off [2]_. From 0 (best) to 1. Errors that cancel within a group are not seen. A bin with more rows than a
    group, of scores that differ, cannot be split: the most that may cancel in it is in the interval, and told as
    `binning_error` where it is above 0.001.

    `n` is the number of rows with a valid score and a label; undefined with none, and of little use below 50. What
    is left of the bias lies between −0.09 and 0.47 times the mean :math:`\sigma_g`; the interval is widened by that,
    and so covers more often than 95 %. A change of 0.03 is material by default.

    For several classes it is the mean of each class against the rest, `macro` (alike) or `weighted` (by labelled
    rows); the standard error is an upper bound.

    >>> label = np.repeat([0, 1], [900, 100])  # all score 0.2, where 0.1 came true
    >>> table = ScoreTable.of(np.full(1000, 0.2), label, np.zeros(1000, int))
    >>> round(expected_calibration_error(table).value, 6)
    0.1

    .. [1] M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
       AAAI 2015.
    .. [2] A. Kumar, P. Liang, T. Ma, "Verified uncertainty calibration", NeurIPS 2019.
    """
    from scipy.special import ndtr

    if isinstance(current, ClassTables):
        return average_of_classes(expected_calibration_error, current, average)
    bins = finest_bins(current)
    counts, score = bins.rows.sum(axis=-1), (bins.rows * bins.mean).sum(axis=-1)
    lead = counts.shape[:-1]
    rows, p, s = (x.reshape(-1, counts.shape[-1]) for x in (counts, bins.rows[..., 1], score))
    tied = bins.one_value.reshape(rows.shape)
    n = rows.sum(axis=-1)
    groups = np.clip(n.astype(np.int64) // ROWS_PER_GROUP, 1, MAX_GROUPS)
    n_g, p_g, s_g = _in_groups(rows, tied, groups, (rows, p, s))
    safe = np.where(n_g > 0, n_g, 1.0)

    distance = np.abs(s_g - p_g) / safe
    share = (p_g + s_g / safe) / (safe + 1)  # with one row more that is right in the mean: never 0 or 1 by chance
    sigma = np.maximum(np.sqrt(np.maximum(share * (1 - share), 0.0) / safe), 1e-12)
    z = distance / sigma
    excess = sigma * (sqrt(2 / pi) * np.exp(-(z**2) / 2) - 2 * z * ndtr(-z))  # E|X| - |d|
    weights = n_g / np.maximum(n, 1.0)[:, None]
    value = np.clip((weights * (distance - excess)).sum(axis=-1), 0.0, 1.0)
    error = np.sqrt((weights**2 * sigma**2).sum(axis=-1))
    unsure = (weights * sigma).sum(axis=-1)
    value, error, unsure = (x.reshape(lead) for x in (value, error, unsure))
    hidden = _hidden(bins, (n / groups).reshape(lead))
    return outcome(
        value,
        n=bins.n,
        undefined=nothing_scored(current),
        standard_error=error,
        lower=np.maximum(0.0, value - MOST_BIAS * unsure - Z * error),
        upper=np.minimum(1.0, value - LEAST_BIAS * unsure + Z * error + hidden),
        binning_error=told(hidden),
    )


def _in_groups(
    rows: Floats, tied: npt.NDArray[np.bool_], groups: npt.NDArray[np.int64], sums: Sequence[Floats]
) -> list[Floats]:
    """Return sums over bins (chunks, bins) for groups of equal numbers of rows (chunks, `MAX_GROUPS`).

    No group begins or ends within rows that all have one score; groups that a chunk does not have are empty.
    """
    chunks, bins = rows.shape
    ends = np.concatenate((np.zeros((chunks, 1)), np.cumsum(rows, axis=-1)), axis=-1)
    total = ends[:, -1:]
    borders = total * np.minimum(np.arange(MAX_GROUPS + 1) / groups[:, None], 1.0)
    # One search in all chunks: each has its own range of numbers, with a gap before that of the next.
    start = np.cumsum(total, axis=0) - total + np.arange(chunks)[:, None]
    at = np.searchsorted((ends + start).ravel(), (borders + start).ravel(), side="right").reshape(borders.shape)
    of = np.clip(at - 1 - np.arange(chunks)[:, None] * (bins + 1), 0, bins - 1)
    low, high = np.take_along_axis(ends, of, axis=-1), np.take_along_axis(ends, of + 1, axis=-1)
    nearer = np.where(borders - low < high - borders, low, high)
    borders = np.where(np.take_along_axis(tied, of, axis=-1), nearer, borders)
    part = np.divide(borders - low, high - low, out=np.ones_like(low), where=high > low)
    found = []
    for x in sums:
        before = np.concatenate((np.zeros((chunks, 1)), np.cumsum(x, axis=-1)), axis=-1)
        below, upto = np.take_along_axis(before, of, axis=-1), np.take_along_axis(before, of + 1, axis=-1)
        found.append(np.diff(below + part * (upto - below), axis=-1))
    return found


def _hidden(bins: ScoreBins, size: Number) -> Floats:
    """Return the most that is not seen, as it may cancel within bins of more rows than a group has.

    The errors of a bin are at most those that its rows have one by one, and at least that of their mean. All rows with
    one score are of one group, whatever the bins.
    """
    (q, p), (s_q, s_p) = ((of[..., 0], of[..., 1]) for of in (bins.rows, bins.mean))
    one_by_one, together = q * s_q + p * (1 - s_p), np.abs(q * s_q - p * (1 - s_p))
    unsplit = (p + q > np.asarray(size)[..., None]) & ~bins.one_value
    return np.asarray(np.where(unsplit, one_by_one - together, 0.0).sum(axis=-1) / np.maximum(bins.n, 1))
