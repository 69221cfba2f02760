"""What is known of a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from barograph.arrays import Floats, Ints

Said = tuple[Ints, Ints]  # what the model said to one question, and what was true, as `sketches.scores` counts both


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """How classes are said, scored and counted: as one or several questions that are answered by yes or no.

    Positions are those of classes; after the K classes comes what is none of them (K), and what is missing (K + 1).
    """

    positive: bool  # two classes, one of them positive, and one column with its score; else a score a class
    first: int  # the class that the first question asks for; there is one question for each from there on
    separated: Callable[[Floats], Floats]  # of rows × classes, 0 or 1: what the partition of the inputs separates
    answers: Callable[[int, Ints, Ints, int], Said]  # of the question at a position, to K classes
    by_scores: Callable[[Floats], Ints]  # of rows × questions: the class that follows, or FOLLOWS
    cell_bins: Callable[[int], int]  # bins of scores within each leaf, where there are so many classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that differs by task."""

    noun: str  # in a sentence, with its article
    classes: Classes | None  # None: predictions and labels are numbers
    loss: Callable[[Floats, Floats], Floats]  # of rows, from prediction and label; NaN where either is
    measure: str  # the metric in which losses are taken apart, by cause and by cell
    rises: bool  # whether that metric rises as things get worse


def of_each_class(one_hot: Floats) -> Floats:
    """Return the classes as they are."""
    return one_hot


def wrong(said: Floats, true: Floats) -> Floats:
    """Return 1 where the class is wrong, 0 where it is right, NaN where one of the two is not known."""
    off = np.abs(said - true)
    return np.where(np.isnan(off), np.nan, (off > 0).astype(np.float64))


def distance(said: Floats, true: Floats) -> Floats:
    """Return by how much numbers are wrong."""
    return np.abs(said - true)
