"""Average precision: the area under the precision-recall curve."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats
from barograph.metrics import metric
from barograph.metrics.performance._averages import Average, average_of_classes
from barograph.metrics.performance._intervals import bounded_estimate
from barograph.metrics.performance._labelled import nothing_scored
from barograph.metrics.performance._score_bins import LEAST_VARIANCE, ScoreBins, finest_bins, told
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable

PSEUDO_ROWS = 2
LEAST_SPREAD = 0.01
NODES = np.array([0.125, 0.375, 0.625, 0.875])  # in a bin, the positives are put at these shares from above
NORMAL_NODES = np.array([1.15035, 0.31864, -0.31864, -1.15035])  # Φ⁻¹(1 - NODES)


@metric(unit="", bounds=(0.0, 1.0), better="higher", tolerance=0.03, needs="scores")
def average_precision(current: ScoreTable | ClassTables, *, average: Average = "macro") -> Outcome | Outcomes:
    r"""Measure the precision at each positive, going down from the highest score, averaged over the positives.

    .. math:: \mathrm{AP} = \frac1P \sum_{i: y_i = 1} \frac{T_i}{N_i}

    with :math:`T_i` positives among the :math:`N_i` rows that score at least as high as positive i: the sum of
    precision times gain in recall. The order of the rows within a score bin is taken from the means and variances of
    the scores of its positives and negatives, as if these were normal with the larger of the two variances; where all
    scores of the bin are one value, its rows are tied. From 0 to 1 (best); a score that knows nothing has the share
    of positives, so compare chunks only while that share is alike.

    The bins are those of `roc_auc`. How far the value may be from that of unbinned scores, if the orders within
    different bins are unrelated, is in the interval, and told as `binning_error` where it is above 0.001. With few
    positives the sample's AP itself lies above the truth on average (by some 0.02 with 30).

    `n` is the number of rows with a valid score and a label. Undefined without any, and with no positive. The
    variance is that of the influence function, with two pseudo-rows of a share's variance; the interval is Wilson's for
    as many rows as give a share that variance, with Student's quantile. A change of 0.03 is material by default.

    For several classes it is the mean of each class against the rest, `macro` (alike) or `weighted` (by labelled
    rows), without the classes for which it is undefined; the standard error is an upper bound.

    >>> label = np.repeat([0, 1, 0, 1], [70, 10, 5, 15])  # of 80 rows that score 0.2, and 20 that score 0.8
    >>> table = ScoreTable.of(np.repeat([0.2, 0.8], [80, 20]), label, np.repeat([0, 1], [80, 20]))
    >>> average_precision(table).value  # precision 15/20 at 15 positives, 25/100 at 10
    0.55

    .. [1] K. Boyd, K. H. Eng, C. D. Page, "Area under the precision-recall curve: point estimates and confidence
       intervals", ECML PKDD 2013.
    """
    if isinstance(current, ClassTables):
        return average_of_classes(average_precision, current, average)
    bins = finest_bins(current)
    positives = bins.rows[..., 1].sum(axis=-1)
    none = (positives == 0, "only negative labels: average precision needs positive ones")
    P = np.maximum(positives, 1.0)
    down, rows_down = _at_positives(bins)
    p = bins.rows[..., ::-1, 1]
    value = np.minimum((p * down.mean(axis=0)).sum(axis=-1) / P, 1.0)
    seen = value * P / (P + 1)  # below 1, so that a sample without a mistake does not claim certainty
    df = P - 1 + PSEUDO_ROWS
    variance = ((P - 1) * _variance(bins, value, down, rows_down) + PSEUDO_ROWS * seen * (1 - seen) / P) / df
    variance = np.where(none[0], 1.0, variance)
    effective = np.maximum(value * (1 - value) / variance, P / 2)
    off = _off_by(bins, down)
    effective /= 1 + off**2 / 3 * effective / np.maximum(value * (1 - value), LEAST_SPREAD)
    variance = variance + off**2 / 3  # as if any error up to `off` were as likely
    how = {"variance": variance, "effective": effective, "df": df, "binning_error": told(off)}
    return bounded_estimate(value, bins.n, undefined=[*nothing_scored(current), none], **how)


def _from_above(bins: ScoreBins) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the negatives and positives of each bin, from the top, and the positives and rows above them."""
    q, p = bins.rows[..., ::-1, 0], bins.rows[..., ::-1, 1]
    return q, p, np.cumsum(p, axis=-1) - p, np.cumsum(p + q, axis=-1) - p - q


def _at_positives(bins: ScoreBins) -> tuple[Floats, Floats]:
    """Return the precision at the positives of each bin (`NODES`, ..., bins, from above) and the rows down to there."""
    from scipy.special import ndtr

    q, p, positives, rows = _from_above(bins)
    (mean_q, mean_p), (variance_q, variance_p) = (
        (of[..., ::-1, 0], of[..., ::-1, 1]) for of in (bins.mean, bins.variance)
    )
    nodes, normal = (of.reshape(-1, *[1] * p.ndim) for of in (NODES, NORMAL_NODES))
    spread = np.sqrt(np.maximum(np.maximum(variance_q, variance_p), LEAST_VARIANCE))
    above = ndtr((mean_q - mean_p) / spread - np.sqrt(variance_p) / spread * normal)
    tied = bins.one_value[..., ::-1]
    own = np.where(tied, p, 1 + np.maximum(p - 1, 0) * nodes)
    rows_down = np.maximum(rows + own + q * np.where(tied, 1.0, above), 1)
    return (positives + own) / rows_down, rows_down


def _off_by(bins: ScoreBins, down: Floats) -> Floats:
    """Return how far AP may be from that of unbinned scores, if the orders within different bins are unrelated.

    A positive's precision is highest where all positives of its bin are tied above the negatives, and lowest, for the
    mean of them, where all are below.
    """
    q, p, positives, rows = _from_above(bins)
    highest = (positives + p) / np.maximum(rows + p, 1)
    above = rows + q
    grown = np.log((above + p + 0.5) / (above + 0.5))  # the sum of 1 / (above + i) over the positives
    lowest = np.where(p > 0, 1 + (positives - above) * grown / np.maximum(p, 1), 0.0)
    found = down.mean(axis=0)
    unsure = p * np.where(bins.one_value[..., ::-1], 0.0, np.maximum(highest - found, found - lowest))
    return np.asarray(np.sqrt((unsure * unsure).sum(axis=-1)) / np.maximum(p.sum(axis=-1), 1.0))


def _variance(bins: ScoreBins, value: Floats, down: Floats, rows_down: Floats) -> Floats:
    r"""Return the variance of AP from its influence function, which at a row with score s and label y is

    .. math:: \frac1\pi \Big(y\,(P(s) - \mathrm{AP}) + \sum_{i: s_i \le s} \frac{y - P(s_i)}{N_i}\Big)

    where i runs over the positives, P(s) is the precision at s, :math:`N_i` are the rows down to :math:`s_i`, and π is
    the share of positives. A row has half of the other rows of its bin below it.
    """
    q, p, _, _ = _from_above(bins)
    m = p + q
    others = (m - 1) / (2 * np.maximum(m, 1))
    weight = 1 / rows_down
    gain, loss = p * weight.mean(axis=0), p * (down * weight).mean(axis=0)
    gain, loss = (np.cumsum(x[..., ::-1], axis=-1)[..., ::-1] - x * others for x in (gain, loss))
    precision = down.mean(axis=0)
    within = (down * down).mean(axis=0) - precision * precision
    of_p, of_q = p * ((precision - value[..., None] + gain - loss) ** 2 + within), q * loss**2
    return np.asarray((of_p + of_q).sum(axis=-1) / np.maximum(p.sum(axis=-1), 1.0) ** 2)
