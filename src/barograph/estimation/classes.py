"""The expected outcomes of rows without labels: several classes, one yes-or-no question each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barograph.arrays import Floats
from barograph.estimation.binary import Expected, expect
from barograph.estimation.calibration import STRENGTH, BinaryCalibration, calibrate
from barograph.estimation.calibration_error import calibration_error
from barograph.estimation.experience import Expectation
from barograph.estimation.formulas import FORMULAS
from barograph.estimation.support import Support
from barograph.sketches.cells import BinaryCells
from barograph.sketches.class_tables import ClassTables

FROM_SCORES = ("roc_auc", "average_precision", "brier_score")  # per class, from all its scores


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassesCalibration:
    """What the reference knows of each class, and the standard deviation of a row's log loss there."""

    classes: tuple[BinaryCalibration, ...]
    loss_sd: float

    @property
    def n(self) -> int:
        """Return the number of labelled reference rows."""
        return max(c.n for c in self.classes)

    def support(self, cells: Sequence[BinaryCells]) -> Support:
        """Return how well the reference covers the rows, for the class that it covers worst."""
        supports = [c.support(own) for c, own in zip(self.classes, cells, strict=True)]
        return max(supports, key=lambda s: (s.problem is not None, s.unsupported_share))


def calibrate_classes(
    cells: Sequence[BinaryCells], tables: ClassTables, *, strength: float = STRENGTH
) -> ClassesCalibration:
    """Learn the rates of each class from labelled reference rows; see `calibrate`."""
    rows, total, squares = tables.confusion.loss.tolist()
    variance = squares / rows - (total / rows) ** 2 if rows else 0.0
    return ClassesCalibration(
        classes=tuple(calibrate(own, t, strength=strength) for own, t in zip(cells, tables.scores, strict=True)),
        loss_sd=float(np.sqrt(max(variance, 0.0))),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpectedClasses:
    """The expected outcomes of each class, and the spread of the reference's log losses."""

    classes: tuple[Expected, ...]
    loss_sd: float
    no_class: int = 0  # rows whose prediction is no class: wrong, whatever is true

    def values(self) -> dict[str, Expectation]:
        """Return the mean and standard deviation of each metric, NaN where there is none."""
        return {**self._from_confusion(), **self._from_scores(), "log_loss": self._log_loss()}

    def _from_confusion(self) -> dict[str, Expectation]:
        # By class: rows predicted so, of these rightly, and rows of the class that were predicted otherwise.
        predicted = np.array([e.rows[1].sum() for e in self.classes])
        right = np.array([e.positive[1].sum() for e in self.classes])
        missed = np.array([e.positive[0].sum() + e.no_class[1] for e in self.classes])
        variance = np.array([e.variance.sum(axis=1) for e in self.classes])
        chance = np.array([e.chance.sum(axis=1) for e in self.classes])
        steps, shares = np.sqrt(variance), np.divide(chance, variance, out=np.zeros_like(chance), where=variance > 0)
        k = len(self.classes)
        up = np.concatenate((np.diag(steps[:, 1]), np.diag(steps[:, 0])))
        nudges = np.concatenate((np.zeros((1, k)), up, -up))
        half = np.arange(len(nudges)) - 1
        of_right = (half % (2 * k) < k)[:, None] & (half >= 0)[:, None]
        of_missed = ~of_right & (half >= 0)[:, None]
        metrics = _confusion_metrics(
            predicted, right + np.where(of_right, nudges, 0), missed + np.where(of_missed, nudges, 0), self.no_class
        )
        found = {}
        for name, values in metrics.items():
            plus, minus = np.split(values[1:], 2)
            slopes = np.nan_to_num(plus - minus) / 2
            by_chance = slopes**2 @ np.concatenate((shares[:, 1], shares[:, 0]))
            found[name] = Expectation(float(values[0]), float(np.sqrt(slopes @ slopes)), float(np.sqrt(by_chance)))
        return found

    def _from_scores(self) -> dict[str, Expectation]:
        formulas = {name: FORMULAS[name] for name in FROM_SCORES}
        each = [e.apply(formulas) for e in self.classes]
        parts = {name: [found[name] for found in each] for name in FROM_SCORES}
        parts["expected_calibration_error"] = [calibration_error(e) for e in self.classes]
        found = {name: _mean_over_classes(part) for name, part in parts.items()}
        k = len(self.classes)
        return {**found, "brier_score": Expectation(*(k * value for value in found["brier_score"]))}

    def _log_loss(self) -> Expectation:
        rows = max(e.table.by_score[0].sum() + e.table.by_score[1].sum() for e in self.classes)
        if not rows:
            return Expectation(float("nan"), 0.0, 0.0)
        # One class of each row is the true one: the expected positives of all classes are made to sum to the rows.
        positives = [e.table.by_score[0][0] for e in self.classes]
        loss = -sum(float(p @ e.table.means[:, 2]) for p, e in zip(positives, self.classes, strict=True))
        sd = self.loss_sd / float(np.sqrt(rows))
        return Expectation(loss / max(sum(float(p.sum()) for p in positives), 1e-300), sd, sd)


def expect_classes(
    calibration: ClassesCalibration, cells: Sequence[BinaryCells], tables: ClassTables
) -> ExpectedClasses:
    """Return the expected outcomes of each class from its own cells and scores."""
    parts = zip(calibration.classes, cells, tables.scores, strict=True)
    return ExpectedClasses(
        classes=tuple(expect(c, own, t) for c, own, t in parts),
        loss_sd=calibration.loss_sd,
        no_class=int(tables.confusion.counts[-2].sum()),
    )


def _confusion_metrics(predicted: Floats, right: Floats, missed: Floats, no_class: int = 0) -> dict[str, Floats]:
    """Return metrics of (R, K) rows rightly predicted and missed, with (K,) predicted rows; each row has one class.

    `no_class` more rows have a prediction that is none of the classes.
    """
    n = max(predicted.sum() + no_class, 1.0)
    right = np.clip(right, 0, predicted)
    missed = np.maximum(missed, 0)
    missed = missed * ((n - right.sum(axis=1)) / np.maximum(missed.sum(axis=1), 1e-300))[:, None]
    actual = right + missed
    wrong = predicted - right
    p, t = predicted / n, actual / n
    spread = (1 - (p**2).sum() - (no_class / n) ** 2) * (1 - (t**2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = {
            "precision": right / predicted,
            "recall": right / actual,
            "specificity": (n - actual - wrong) / (n - actual),
            "f1": 2 * right / (predicted + actual),
        }
        mcc = (right.sum(axis=1) / n - (p * t).sum(axis=1)) / np.sqrt(spread)
    return {
        "accuracy": right.sum(axis=1) / n,
        "mcc": np.where(spread > 0, mcc, np.nan),
        **{name: _nanmean(values) for name, values in ratios.items()},
    }


def _nanmean(values: Floats) -> Floats:
    """Return the mean over the classes that have a value."""
    known = np.isfinite(values)
    return np.asarray(np.where(known, values, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _mean_over_classes(parts: Sequence[Expectation]) -> Expectation:
    """Return the mean of the classes that have a value, and its standard deviation.

    Of two classes, one is the other's mirror image, and their numbers go together; of many, each depends little on
    any other. In between, a correlation of 1 / (K - 1) is taken.
    """
    means, *sds = np.array([part for part in parts if np.isfinite(part.mean)]).reshape(-1, 3).T
    k = len(means)
    if not k:
        return Expectation(float("nan"), 0.0, 0.0)
    correlation = 1 / (k - 1) if k > 1 else 1.0
    sd, chance = (float(np.sqrt((1 - correlation) * (s @ s) + correlation * s.sum() ** 2)) / k for s in sds)
    return Expectation(float(means.mean()), sd, chance)
