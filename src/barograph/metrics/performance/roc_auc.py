"""Area under the ROC curve."""

from __future__ import annotations

import numpy as np

from barograph.metrics import metric
from barograph.metrics.performance._averages import Average, average_of_classes
from barograph.metrics.performance._intervals import bounded_estimate
from barograph.metrics.performance._labelled import nothing_scored
from barograph.metrics.performance._score_bins import LEAST_VARIANCE, finest_bins, told
from barograph.outcome import Outcome, Outcomes
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable
from barograph.tasks import Task

PSEUDO_ROWS = 2
LEAST_SPREAD = 0.01


@metric(
    unit="",
    bounds=(0.0, 1.0),
    better="higher",
    tolerance=0.02,
    title="ROC AUC",
    alerts=(Task.BINARY,),
    harm_in=(Task.BINARY,),
    rank=1,
    needs="scores",
)
def roc_auc(current: ScoreTable | ClassTables, *, average: Average = "macro") -> Outcome | Outcomes:
    r"""Measure how often a positive has a higher score than a negative.

    With :math:`p_b` of the P positives and :math:`q_b` of the Q negatives in score bin b,

    .. math:: \mathrm{AUC} = \frac{1}{P Q} \sum_b p_b \Big(\sum_{a < b} q_a + f_b\,q_b\Big), \qquad
       f_b = \Phi\Big(\frac{\bar s_b^+ - \bar s_b^-}{\sqrt{v_b^+ + v_b^-}}\Big)

    where f is the share of the pairs of one bin that are in order, from the means and variances of the scores of its
    positives and negatives as if these were normal, and one half where all scores of the bin are one value, as a tie
    counts. From 0 to 1 (best); 0.5 is a score that knows nothing. The bins are the quantiles of the reference and a
    lattice that is about even in log-odds, some 1,500, so that scores are ranked also where the reference had none.

    Nothing is sure of the order within a bin: f may be any share of its pairs. With deviations of different bins that
    know nothing of one another, the area of unbinned scores is within

    .. math:: \frac{1}{P Q} \sqrt{\sum_b \big(p_b q_b \max(f_b, 1 - f_b)\big)^2}

    which is the strict bound where all scores are of one bin. It is in the interval, and told as `binning_error` where
    it is above 0.001: as when scores crowd in a few thousandths. `n` is the number of rows with a valid score and a
    label. Undefined without any, and with one class only. A change of 0.02 is material by default.

    The variance is that of DeLong [1]_: of a positive's share of negatives below it, over P, plus of a negative's
    share of positives above it, over Q. Two pseudo-rows with the variance of an exponential model at this AUC [2]_ are
    added to each class: without them the interval is too narrow when a class has few rows; with hundreds they do not
    matter. The interval is Wilson's for as many rows as give a share that variance, with Student's quantile.

    For several classes it is the mean of each class against the rest, `macro` (alike) or `weighted` (by labelled
    rows), without the classes for which it is undefined; the standard error is an upper bound.

    >>> label = np.repeat([0, 1, 0, 1], [70, 10, 5, 15])  # of 80 rows that score 0.2, and 20 that score 0.8
    >>> table = ScoreTable.of(np.repeat([0.2, 0.8], [80, 20]), label, np.repeat([0, 1], [80, 20]))
    >>> roc_auc(table)
    Estimate(value=0.766..., n=100, lower=0.644..., upper=0.856..., ...)

    .. [1] E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or more correlated
       receiver operating characteristic curves: a nonparametric approach", Biometrics 44, 1988.
    .. [2] J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a receiver operating characteristic
       (ROC) curve", Radiology 143, 1982.
    """
    from scipy.special import ndtr

    if isinstance(current, ClassTables):
        return average_of_classes(roc_auc, current, average)
    bins = finest_bins(current)
    q, p = bins.rows[..., 0], bins.rows[..., 1]
    positives, negatives = p.sum(axis=-1), q.sum(axis=-1)
    one_class = ((positives == 0, "negative"), (negatives == 0, "positive"))
    reasons = [(none, f"only {side} labels: ROC AUC compares positives with negatives") for none, side in one_class]
    P, Q = np.maximum(positives, 1.0), np.maximum(negatives, 1.0)
    spread = np.sqrt(np.maximum(bins.variance.sum(axis=-1), LEAST_VARIANCE))
    order_known = (p > 0) & (q > 0) & ~bins.one_value
    inside = np.where(order_known, ndtr((bins.mean[..., 1] - bins.mean[..., 0]) / spread), 0.5)
    # For a positive of the bin, the share of negatives below it; for a negative, the share of positives above it.
    below = (np.cumsum(q, axis=-1) - q + inside * q) / Q[..., None]
    above = (positives[..., None] - np.cumsum(p, axis=-1) + inside * p) / P[..., None]
    value = np.minimum((p * below).sum(axis=-1) / P, 1.0)

    fewer = np.minimum(P, Q)
    likely = (value * fewer + 0.5) / (fewer + 1)  # a sample without a pair in disorder does not prove 1
    extreme = np.maximum(likely, 1 - likely)
    prior = PSEUDO_ROWS * extreme**2 * (1 - extreme) / (1 + extreme)
    within = np.where(order_known, inside * (1 - inside) / 3, 0)  # of a rank in the bin: 1/12 for an even spread
    df_p, df_q = P - 1 + PSEUDO_ROWS, Q - 1 + PSEUDO_ROWS
    off_p, off_q = below - value[..., None], above - value[..., None]
    of_p = ((p * (off_p**2 + within * (q / Q[..., None]) ** 2)).sum(axis=-1) + prior) / df_p / P
    of_q = ((q * (off_q**2 + within * (p / P[..., None]) ** 2)).sum(axis=-1) + prior) / df_q / Q
    variance = of_p + of_q
    df = variance**2 / (of_p**2 / df_p + of_q**2 / df_q)
    effective = np.maximum(value * (1 - value) / variance, P * Q / (P + Q))  # the second is the least there can be
    unsure = np.where(order_known, p * q * np.maximum(inside, 1 - inside), 0.0) / (P * Q)[..., None]
    off = np.sqrt((unsure * unsure).sum(axis=-1))
    effective /= 1 + off**2 / 3 * effective / np.maximum(value * (1 - value), LEAST_SPREAD)
    variance = variance + off**2 / 3  # as if any error up to `off` were as likely
    how = {"variance": variance, "effective": effective, "df": df, "binning_error": told(off)}
    return bounded_estimate(value, bins.n, undefined=[*nothing_scored(current), *reasons], **how)
