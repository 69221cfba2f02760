"""How well a classifier tells current rows from reference rows."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from barograph.arrays import Codes, Floats
from barograph.metrics import metric
from barograph.metrics.drift._rows import FEWEST, undefined_rows
from barograph.metrics.intervals import Z
from barograph.outcome import Estimate, Outcome
from barograph.sketches.sample import Sample

FOLDS = 3


@metric(unit="", bounds=(0.0, 1.0), better="lower", tolerance=0.05)
def domain_classifier(reference: Sample, current: Sample) -> Outcome:
    r"""Measure how well a classifier tells current rows from reference rows: 0.5 is not at all, 1 is always.

    The area under the ROC curve of gradient-boosted trees [1]_ on the codes of all features, cross-fitted: each of
    three folds is scored by trees that were fitted to the other two, and the three areas are averaged. It sees any
    change of the features together, also of their relations. Fold `i` holds every third row in the order of the
    hashes of the event ids, and the trees take the first of equal cuts, so that the value depends on the data alone.

    The folds share rows: each pair of folds enters twice, once with either as the held-out one, which at most about
    doubles the variance of the mean of the areas. The standard error is therefore :math:`\sqrt2` times DeLong's [2]_,
    `null_sd` is :math:`\sqrt{(n + m + 3) / (6 n m)}` (measured: between 0.75 and 0.95 of that), `null_mean` 0.5, and
    the interval value ± 1.96 standard errors, which is about classifiers fitted to this many rows: with more rows the
    area would be larger. Fewer than 30 rows on either side are undefined; constant features give 0.5.

    >>> codes = np.arange(200, dtype=np.uint16)[:, None]
    >>> def rows(codes):
    ...     return Sample.of(np.arange(len(codes), dtype=np.uint64), codes, np.zeros((len(codes), 3)), k=1000)
    >>> round(domain_classifier(rows(codes % 10), rows(codes % 10 + 10)).value, 2)  # nothing in common
    1.0

    .. [1] D. Lopez-Paz, M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017.
    .. [2] E. DeLong, D. DeLong, D. Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
       characteristic curves", Biometrics 44, 1988.
    """
    if (reason := undefined_rows(reference, current, fewest=FEWEST)) is not None:
        return reason
    from barograph.metrics.drift._boosting import boosted_scores

    m, n = reference.n, current.n
    codes, widths = _dense(np.concatenate((reference.codes, current.codes)))
    is_current = np.repeat([0.0, 1.0], [m, n])
    fold = np.concatenate((np.arange(m), np.arange(n))) % FOLDS
    areas, variances = np.empty(FOLDS), np.empty(FOLDS)
    for i in range(FOLDS):
        fitted, held_out = fold != i, fold == i
        scores = boosted_scores(codes[:, fitted], is_current[fitted], codes[:, held_out], widths)
        areas[i], variances[i] = _area(scores, is_current[held_out] == 1)
    value = float(areas.mean())
    error = sqrt(2.0 * float(variances.sum())) / FOLDS
    return Estimate(
        value=value,
        n=n,
        standard_error=error,
        lower=max(0.0, value - Z * error),
        upper=min(1.0, value + Z * error),
        null_mean=0.5,
        null_sd=sqrt((n + m + FOLDS) / (6.0 * n * m)),
    )


def _dense(codes: Codes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the codes as (features, rows), numbered in their order without gaps, and how many each feature has."""
    dense = np.empty(codes.shape[::-1], np.int64)
    widths = np.empty(len(dense), np.int64)
    for feature, column in enumerate(codes.T):
        found, dense[feature] = np.unique(column, return_inverse=True)
        widths[feature] = len(found)
    return dense, widths


def _area(scores: Floats, positive: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the area under the ROC curve, ties counted half, and DeLong's variance of it."""
    high, low = np.sort(scores[positive]), np.sort(scores[~positive])

    def below(values: Floats, others: Floats) -> Floats:
        share = np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")
        return np.asarray(share / (2.0 * len(others)))

    of_high, of_low = below(high, low), 1.0 - below(low, high)
    return float(of_high.mean()), float(of_high.var(ddof=1) / len(high) + of_low.var(ddof=1) / len(low))
