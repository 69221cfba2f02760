"""A world in which the true probabilities are known: rows with a leaf, a score and a label, counted into sketches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.sketches.cells import REGRESSION_SUMS, BinaryCells, RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.confusion import Confusion
from barograph.sketches.scores import LOG_CLIP, ScoreTable

LEAVES, RANKS, FINE = 8, 20, 100
EDGES = np.linspace(0, 1, FINE + 1)[1:-1]
FIRST_FINE = np.arange(0, FINE + 1, FINE // RANKS)
OFFSETS = np.array([0.0, 0.8, -0.8, 0.3, -0.3, 1.2, -1.2, 0.0])  # of the log-odds, unknown to the score
MEANS = np.array([-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5])


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


@dataclass(frozen=True)
class Rows:
    """Rows of a binary model that predicts yes from a score of one half on. `probability` is the truth."""

    leaf: Ints
    score: Floats
    probability: Floats
    label: Ints

    @property
    def prediction(self) -> Ints:
        return (self.score >= 0.5).astype(np.int64)

    def __len__(self) -> int:
        return len(self.leaf)


def rows(rng: np.random.Generator, n: int, *, shift: float = 0.0, concept: float = 0.0, base: float = 0.0) -> Rows:
    """Draw rows; `shift` prefers high leaves (covariate shift), `concept` moves the log-odds of the truth."""
    weights = np.exp(shift * np.arange(LEAVES))
    leaf = rng.choice(LEAVES, n, p=weights / weights.sum())
    logit = rng.normal(MEANS[leaf] + base, 1.2)
    probability = sigmoid(1.1 * logit + OFFSETS[leaf] + concept)
    return Rows(leaf, sigmoid(logit), probability, (rng.random(n) < probability).astype(np.int64))


def relabelled(rng: np.random.Generator, drawn: Rows) -> Rows:
    """Draw other labels for the same rows."""
    return replace(drawn, label=(rng.random(len(drawn)) < drawn.probability).astype(np.int64))


def windows(rng: np.random.Generator, count: int, n: int, **how: float) -> Iterator[Rows]:
    for _ in range(count):
        yield rows(rng, n, **how)


def binary(drawn: Rows, labelled: npt.NDArray[np.bool_] | bool = True) -> tuple[BinaryCells, ScoreTable]:
    """Count rows as a profile would; rows that are not `labelled` are pending."""
    known = np.broadcast_to(np.asarray(labelled), len(drawn))
    return count(drawn.leaf, drawn.score, drawn.prediction, np.where(known, drawn.label, 2))


def count(leaf: Ints, score: Floats, prediction: Ints, outcome: Ints) -> tuple[BinaryCells, ScoreTable]:
    fine = np.searchsorted(EDGES, score, side="right")
    rank = np.searchsorted(FIRST_FINE, fine, side="right") - 1
    cells = BinaryCells(
        predicted=np.repeat([False, True], RANKS),
        order=np.tile(np.arange(RANKS), 2),
        first_fine=FIRST_FINE,
        counts=np.zeros((LEAVES, 2 * RANKS, 3), np.int64),
    )
    np.add.at(cells.counts, (leaf, prediction * RANKS + rank, outcome), 1)
    table = ScoreTable.of(score, outcome, prediction, edges=EDGES)
    return cells, table


@dataclass(frozen=True)
class ClassRows:
    """Rows of a model of several classes that predicts the class with the highest score."""

    leaf: Ints
    scores: Floats
    label: Ints


def class_rows(rng: np.random.Generator, n: int, *, classes: int = 3, shift: float = 0.0) -> ClassRows:
    weights = np.exp(shift * np.arange(LEAVES))
    leaf = rng.choice(LEAVES, n, p=weights / weights.sum())
    logits = rng.normal(0, 1, (n, classes)) + np.linspace(0.8, -0.8, classes)
    logits[:, 0] += 0.3 * MEANS[leaf]
    truth = logits.copy()
    truth[:, -1] += OFFSETS[leaf]
    scores, true = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (logits, truth))
    label = (rng.random(n)[:, None] > np.cumsum(true, axis=1)).sum(axis=1).clip(0, classes - 1)
    return ClassRows(leaf, scores, label)


def classes(drawn: ClassRows, *, labelled: bool = True) -> tuple[tuple[BinaryCells, ...], ClassTables]:
    k = drawn.scores.shape[1]
    predicted = drawn.scores.argmax(axis=1)
    parts = [
        count(
            drawn.leaf,
            drawn.scores[:, i],
            (predicted == i).astype(np.int64),
            (drawn.label == i).astype(np.int64) if labelled else np.full(len(drawn.leaf), 2),
        )
        for i in range(k)
    ]
    confusion = Confusion.empty([str(i) for i in range(k)])
    np.add.at(confusion.counts, (predicted, drawn.label if labelled else k + 1), 1)
    if labelled:
        losses = -np.log(np.clip(drawn.scores[np.arange(len(drawn.label)), drawn.label], LOG_CLIP, 1))
        confusion.loss[:] = len(losses), losses.sum(), (losses**2).sum()
    return tuple(cells for cells, _ in parts), ClassTables(
        scores=tuple(table for _, table in parts), confusion=confusion
    )


@dataclass(frozen=True)
class NumberRows:
    """Rows of a regression with positive labels; the errors' size depends on the leaf."""

    leaf: Ints
    prediction: Floats
    label: Floats


def number_rows(rng: np.random.Generator, n: int, *, shift: float = 0.0, worse: float = 1.0) -> NumberRows:
    weights = np.exp(shift * np.arange(LEAVES))
    leaf = rng.choice(LEAVES, n, p=weights / weights.sum())
    prediction = 20 + 2 * leaf + rng.normal(0, 2, n)
    error = rng.normal(0.3, worse * (0.5 + 0.4 * leaf), n)
    return NumberRows(leaf, prediction, prediction - error)


def regression(drawn: NumberRows, *, labelled: bool = True) -> RegressionCells:
    edges = np.arange(18.0, 40.0, 2.0)
    cells = RegressionCells.empty(edges, leaves=LEAVES)
    at = np.searchsorted(edges, drawn.prediction, side="right")
    np.add.at(cells.counts, (drawn.leaf, at, 0 if labelled else 1), 1)
    if labelled:
        p, y = drawn.prediction, drawn.label
        e, one = p - y, np.ones(len(y))
        logs = np.log1p(p) - np.log1p(y)
        sums = (e, abs(e), e**2, e**4, y, y**2, one, abs(e / y), (e / y) ** 2, one, logs**2, logs**4)
        assert len(sums) == len(REGRESSION_SUMS)
        np.add.at(cells.sums, (drawn.leaf, at), np.column_stack(sums))
    return cells
