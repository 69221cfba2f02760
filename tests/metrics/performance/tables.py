"""Rows of generated models, and sketches counted from rows with plain numpy. Tests get it as the fixture `tables`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.sketches.cells import RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.confusion import Confusion
from barograph.sketches.histogram import Histogram
from barograph.sketches.lattice import finest_bins_of
from barograph.sketches.scores import LOG_CLIP, NEGATIVE, NONE, PENDING, POSITIVE, ScoreTable

MISSING = -1  # a label that has not arrived, or a prediction that was not made


@dataclass(frozen=True)
class Rows:
    """Rows of a yes-or-no question: scores (NaN: none), labels and predictions (0, 1 or MISSING)."""

    score: Floats
    label: Ints
    predicted: Ints

    def __getitem__(self, rows: npt.NDArray[np.int64] | slice) -> Rows:
        return Rows(self.score[rows], self.label[rows], self.predicted[rows])


def score_edges(score: Floats, label: Ints, bins: int = 256) -> Floats:
    """Return cut points: half are quantiles of all scores, half of the positives' scores."""
    probabilities = np.linspace(0, 1, bins // 2 + 2)[1:-1]
    positives = score[label == 1] if (label == 1).any() else score
    both = np.concatenate([np.quantile(s, probabilities) for s in (score, positives)])
    return np.unique(both)


def score_table(rows: Rows, edges: Floats) -> ScoreTable:
    """Count rows into a table, bin by bin."""
    table = ScoreTable.empty(edges)
    valid = np.isfinite(rows.score) & (rows.score >= 0) & (rows.score <= 1)
    last = len(edges) + 1
    bins = np.where(valid, np.searchsorted(edges, np.where(valid, rows.score, 0), side="right"), last)
    outcome = np.where(rows.label == MISSING, PENDING, np.where(rows.label == 1, POSITIVE, NEGATIVE))
    known = rows.predicted != MISSING
    np.add.at(table.counts, (rows.predicted[known], bins[known], outcome[known]), 1)
    np.add.at(table.counts, (NONE, bins[~known], outcome[~known]), 1)
    s = rows.score[valid]
    clipped = np.clip(s, LOG_CLIP, 1 - LOG_CLIP)
    sums = np.stack((s, s**2, np.log(clipped), np.log1p(-clipped)), axis=1)
    np.add.at(table.sums, (bins[valid], outcome[valid]), sums)
    starts = finest_bins_of(edges).low
    finest = np.zeros((len(starts), 2, 2))
    labelled = valid & (rows.label != MISSING)
    s, y = rows.score[labelled], rows.label[labelled]
    at = np.searchsorted(starts, s, side="right") - 1
    np.add.at(finest, (at, y), np.stack((np.ones(len(s)), s - starts[at]), axis=1))
    lost = -np.log(np.clip(np.where(y == 1, s, 1 - s), LOG_CLIP, 1 - LOG_CLIP))
    for i, squared in enumerate((lost**2, (s - y) ** 4)):
        table.losses[:, i] = np.bincount(y, squared, 2)
    return replace(table, finest=finest)


def binary_rows(
    rng: np.random.Generator,
    n: int,
    *,
    prevalence: float = 0.2,
    strength: float = 1.5,
    threshold: float | None = None,
    decimals: int | None = None,
) -> Rows:
    """Draw a model whose logit score is normal, `strength` higher for positives, and well calibrated.

    With `decimals` the scores are rounded, so that they are heavily tied.
    """
    label = (rng.random(n) < prevalence).astype(np.int64)
    z = rng.normal(size=n) + strength * label
    log_odds = strength * z - strength**2 / 2 + np.log(prevalence / (1 - prevalence))
    score = 1 / (1 + np.exp(-log_odds))
    if decimals is not None:
        score = score.round(decimals)
    predicted = (score >= (prevalence if threshold is None else threshold)).astype(np.int64)
    return Rows(score, label, predicted)


def class_tables(probabilities: Floats, label: Ints, predicted: Ints, edges: Sequence[Floats]) -> ClassTables:
    """Count rows of a model with K classes; labels and predictions are 0 to K - 1 or MISSING."""
    k = probabilities.shape[1]
    confusion = Confusion.empty([f"class {i}" for i in range(k)])
    column = np.where(label == MISSING, k + 1, label)
    np.add.at(confusion.counts, (np.where(predicted == MISSING, k + 1, predicted), column), 1)
    labelled = label != MISSING
    surprise = -np.log(np.clip(probabilities[labelled, label[labelled]], LOG_CLIP, 1))
    confusion.loss[:] = (labelled.sum(), surprise.sum(), (surprise**2).sum())
    one_against_rest = [
        Rows(
            probabilities[:, i],
            np.where(label == MISSING, MISSING, label == i).astype(np.int64),
            np.where(predicted == MISSING, MISSING, predicted == i).astype(np.int64),
        )
        for i in range(k)
    ]
    return ClassTables(
        scores=tuple(score_table(r, e) for r, e in zip(one_against_rest, edges, strict=True)), confusion=confusion
    )


def multiclass_rows(rng: np.random.Generator, n: int, k: int, *, strength: float = 2.0) -> tuple[Floats, Ints, Ints]:
    """Draw probabilities, labels and predictions of a calibrated model with `k` classes of unequal size."""
    logits = rng.normal(size=(n, k)) * strength + np.linspace(1, 0, k)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = (probabilities.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return probabilities, np.minimum(label, k - 1), probabilities.argmax(axis=1)


def regression_cells(prediction: Floats, label: Floats, *, leaf: Ints | None = None, bins: int = 20) -> RegressionCells:
    """Count rows of a regression; a label of NaN has not arrived, a prediction of NaN was not made."""
    made = np.isfinite(prediction)
    edges = np.unique(np.quantile(prediction[made], np.linspace(0, 1, bins + 1)[1:-1])) if made.any() else np.array([])
    return regression_cells_with(edges, prediction, label, leaf=leaf)


def regression_cells_with(
    edges: Floats, prediction: Floats, label: Floats, *, leaf: Ints | None = None
) -> RegressionCells:
    """Count rows of a regression into given prediction bins."""
    leaf = np.zeros(len(label), np.int64) if leaf is None else leaf
    made = np.isfinite(prediction)
    p, y, leaf = prediction[made], label[made], leaf[made]
    cells = RegressionCells.empty(edges, leaves=int(leaf.max(initial=0)) + 1)
    bins = np.searchsorted(edges, p, side="right")
    arrived = np.isfinite(y)
    np.add.at(cells.counts, (leaf, bins, np.where(arrived, 0, 1)), 1)
    p, y = p[arrived], y[arrived]
    e = p - y
    ratio = np.divide(np.abs(e), np.abs(y), out=np.zeros_like(y), where=y != 0)
    has_log = (y > -1) & (p > -1)
    log_error = np.where(has_log, np.log1p(np.where(has_log, p, 0)) - np.log1p(np.where(has_log, y, 0)), 0)
    columns = (e, abs(e), e**2, e**4, y, y**2, y != 0, ratio, ratio**2, has_log, log_error**2, log_error**4)
    np.add.at(cells.sums, (leaf[arrived], bins[arrived]), np.stack([np.asarray(c, float) for c in columns], axis=1))
    return RegressionCells(edges=edges, counts=cells.counts, sums=cells.sums, unusable=int((~made).sum()))


def histogram(values: Floats, edges: Floats) -> Histogram:
    """Count values between cut points."""
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    below, above = values[values < edges[0]].sum(), values[values >= edges[-1]].sum()
    return Histogram(edges, counts, below, above, values.min(initial=np.inf), values.max(initial=-np.inf))
