"""The formulas of the binary performance metrics, for many versions of one table at once.

The metrics of `performance` take one table of whole counts; the same numbers are needed here for expected counts, which
are fractions, and for some hundred versions of them, from which the interval follows. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from barograph.arrays import Floats, Number
from barograph.metrics import catalogue

ONE_VALUE = 1e-12  # the variance of the scores of a bin, over their mean square, when they are all the same


@dataclass(frozen=True, kw_only=True, eq=False)
class BinaryTables:
    """`R` versions of the outcomes of one set of rows.

    `positive` and `negative` are (R, 2, B + 1): rows by predicted no/yes and score bin, the last bin for rows without
    a score. `means` is (B, 4): the mean of s, s², ln s and ln(1 - s) in each bin. `no_class` are the negatives and
    positives among the rows whose prediction is no class: they are wrong whatever their outcome. Those of many chunks
    have an axis of chunks in front.
    """

    positive: Floats
    negative: Floats
    means: Floats
    no_class: tuple[Number, Number] = (0.0, 0.0)

    @cached_property
    def confusion(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Return true negatives, false negatives, false positives and true positives, each (R,)."""
        positive, negative = self.positive.sum(axis=-1), self.negative.sum(axis=-1)
        return negative[..., 0], positive[..., 0], negative[..., 1], positive[..., 1]

    @cached_property
    def wrong(self) -> tuple[Floats, Floats]:
        """Return `no_class`, each (..., 1), to be added to numbers of R versions."""
        negative, positive = (np.asarray(rows, np.float64)[..., None] for rows in self.no_class)
        return negative, positive

    @cached_property
    def by_score(self) -> tuple[Floats, Floats]:
        """Return the positives and negatives with a score, each (R, B)."""
        return self.positive[..., :-1].sum(axis=-2), self.negative[..., :-1].sum(axis=-2)


Formula = Callable[[BinaryTables], Floats]


def _ratio(a: Floats, b: Floats) -> Floats:
    """Return a / b, NaN where b is not above zero."""
    nothing: Floats = np.full(np.broadcast(a, b).shape, np.nan)
    return np.divide(a, b, out=nothing, where=b > 0)


def accuracy(t: BinaryTables) -> Floats:
    """Return (TP + TN) / n."""
    tn, fn, fp, tp = t.confusion
    return _ratio(tp + tn, tn + fn + fp + tp + sum(t.wrong))


def precision(t: BinaryTables) -> Floats:
    """Return TP / (TP + FP)."""
    _, _, fp, tp = t.confusion
    return _ratio(tp, tp + fp)


def recall(t: BinaryTables) -> Floats:
    """Return TP / (TP + FN)."""
    _, fn, _, tp = t.confusion
    return _ratio(tp, tp + fn + t.wrong[1])


def specificity(t: BinaryTables) -> Floats:
    """Return TN / (TN + FP)."""
    tn, _, fp, _ = t.confusion
    return _ratio(tn, tn + fp + t.wrong[0])


def f1(t: BinaryTables) -> Floats:
    """Return 2 TP / (2 TP + FP + FN)."""
    _, fn, fp, tp = t.confusion
    return _ratio(2 * tp, 2 * tp + fp + fn + t.wrong[1])


def mcc(t: BinaryTables) -> Floats:
    """Return the correlation of predictions and outcomes, where predictions that are no class are a third one."""
    tn, fn, fp, tp = t.confusion
    negatives, positives = t.wrong
    n = tn + fn + fp + tp + negatives + positives
    said, true = (tn + fn, fp + tp, negatives + positives), (tn + fp + negatives, fn + tp + positives)
    covariance = n * (tn + tp) - said[0] * true[0] - said[1] * true[1]
    product = (n**2 - sum(s**2 for s in said)) * (n**2 - sum(y**2 for y in true))
    return _ratio(covariance, np.sqrt(np.maximum(product, 0)))


def _share_of(which: int) -> Formula:
    """Return the formula of one cell of the confusion table over all rows."""

    def formula(t: BinaryTables) -> Floats:
        counts = np.array(t.confusion)
        return _ratio(counts[which], counts.sum(axis=0) + sum(t.wrong))

    return formula


def business_value(values: tuple[float, float, float, float]) -> Formula:
    """Return the formula of the mean value of a prediction; `values` are those of a TN, FP, FN and TP."""
    of_tn, of_fp, of_fn, of_tp = values

    def formula(t: BinaryTables) -> Floats:
        tn, fn, fp, tp = t.confusion
        return _ratio(of_tn * tn + of_fn * fn + of_fp * fp + of_tp * tp, tn + fn + fp + tp)

    return formula


def roc_auc(t: BinaryTables) -> Floats:
    """Return the share of pairs of a positive and a negative in which the positive has the higher score; ties half."""
    P, Q = t.by_score
    below = np.cumsum(Q, axis=-1) - Q
    return _ratio((P * (below + Q / 2)).sum(axis=-1), P.sum(axis=-1) * Q.sum(axis=-1))


def average_precision(t: BinaryTables) -> Floats:
    """Return the mean precision at the positives, from the highest score down; see `performance` for the formula.

    Within a bin, the mean over all orders of its rows is taken, or, where all its scores are one value, its end.
    """
    from scipy.special import digamma

    P, Q = (counts[..., ::-1] for counts in t.by_score)
    m = P + Q
    T, N = np.cumsum(P, axis=-1) - P, np.cumsum(m, axis=-1) - m
    b = np.divide(P - 1, m - 1, out=np.zeros_like(P), where=m > 1)
    first = N[..., :1, :]
    harmonic = digamma(first + m[..., :1, :] + 1) - digamma(first + 1)  # the rows of a bin are the same in all versions
    spread = np.divide(P, m, out=np.zeros_like(P), where=m > 0) * (b * m + (T + 1 - b - b * N) * harmonic)
    tied = np.divide(P * (T + P), N + m, out=np.zeros_like(P), where=m > 0)
    s, s2 = t.means[..., None, ::-1, 0], t.means[..., None, ::-1, 1]
    return _ratio(np.where(s2 - s**2 <= ONE_VALUE * s2, tied, spread).sum(axis=-1), P.sum(axis=-1))


def log_loss(t: BinaryTables) -> Floats:
    """Return -Σ (y ln s + (1 - y) ln(1 - s)) / n."""
    P, Q = t.by_score
    return _ratio(-_dot(P, t.means[..., 2]) - _dot(Q, t.means[..., 3]), (P + Q).sum(axis=-1))


def brier_score(t: BinaryTables) -> Floats:
    """Return Σ (s - y)² / n."""
    P, Q = t.by_score
    s, s2 = t.means[..., 0], t.means[..., 1]
    return _ratio(_dot(P, 1 - 2 * s + s2) + _dot(Q, s2), (P + Q).sum(axis=-1))


def _dot(rows: Floats, means: Floats) -> Floats:
    """Return the sums over the bins of (..., R, B) rows times (..., B) means."""
    return np.asarray((rows @ means[..., None])[..., 0])


_CELLS = ("true_negative_share", "false_negative_share", "false_positive_share", "true_positive_share")  # `confusion`
_OTHERS = (accuracy, average_precision, brier_score, f1, log_loss, mcc, precision, recall, roc_auc, specificity)
FORMULAS: Mapping[str, Formula] = {
    **{name: _share_of(i) for i, name in enumerate(_CELLS)},
    **{formula.__name__: formula for formula in _OTHERS},
}


def formulas() -> dict[str, Formula]:
    """Return the formulas by the names of their metrics: those above, and what metrics say of themselves."""
    own = {m.name: m.expected for m in catalogue().values() if m.expected is not None and m.family == "performance"}
    return {**FORMULAS, **own}
