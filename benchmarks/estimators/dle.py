"""Direct loss estimation (DLE)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.estimation.estimate import outcomes_of
from barograph.estimation.experience import Expectation
from barograph.outcome import Outcome
from estimators.isotonic import isotonic
from estimators.plug_in import plug_in
from estimators.rows import Estimator, Rows

Model = Callable[[Floats], Floats]
FOLDS = 3
TREES = 100


def dle(reference: Rows, *, generator: np.random.Generator) -> Estimator:
    """Learn the label (binary) or the loss (regression) from features and prediction, and expect it of current rows
    [1]_.

    A second model is fitted on reference rows: of P(positive | x, score), or of |e| and e² given x and the prediction.
    Its predictions of rows that it was not fitted on are recalibrated (isotonic), which takes off the bias of such
    models.

    .. [1] docs.nannyml.com, "Direct loss estimation".
    """
    if np.isfinite(reference.score).any():
        return _binary(reference.usable().labelled(), generator)
    return _regression(reference.labelled(), generator)


def _binary(rows: Rows, generator: np.random.Generator) -> Estimator:
    model = _recalibrated(np.column_stack((rows.features, rows.score)), rows.label, generator, classes=True)

    def estimate(current: Rows) -> Mapping[str, Outcome]:
        usable = current.usable()
        return plug_in(usable, model(np.column_stack((usable.features, usable.score))))

    return estimate


def _regression(rows: Rows, generator: np.random.Generator) -> Estimator:
    x, e = np.column_stack((rows.features, rows.prediction)), rows.prediction - rows.label
    absolute, squared = (_recalibrated(x, y, generator, classes=False) for y in (np.abs(e), e**2))
    # The scatter of a row's loss around its expectation, from the reference.
    spread = {"mae": float(np.std(np.abs(e) - absolute(x))), "mse": float(np.std(e**2 - squared(x)))}

    def estimate(current: Rows) -> Mapping[str, Outcome]:
        now = np.column_stack((current.features, current.prediction))
        mae, mse = float(absolute(now).mean()), float(squared(now).mean())
        root = float(np.sqrt(max(mse, 0.0)))
        sd = {name: value / np.sqrt(max(current.n, 1)) for name, value in spread.items()}
        found = {
            "mae": (mae, sd["mae"]),
            "mse": (mse, sd["mse"]),
            "rmse": (root, sd["mse"] / max(2 * root, np.finfo(np.float64).tiny)),
        }
        return outcomes_of({name: Expectation(mean, of, of) for name, (mean, of) in found.items()}, current.n)

    return estimate


def _recalibrated(x: Floats, y: Floats, generator: np.random.Generator, *, classes: bool) -> Model:
    """Return a model of y fitted on all rows, recalibrated by its predictions of rows it was not fitted on."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor

    def fit(rows: npt.NDArray[np.bool_]) -> Model:
        model = kind(max_iter=TREES, early_stopping=False, random_state=0).fit(x[rows], y[rows])
        return lambda z: np.asarray(model.predict_proba(z)[:, 1] if classes else model.predict(z), np.float64)

    fold = generator.permutation(np.arange(len(y)) % FOLDS)
    unseen = np.empty(len(y))
    for held_out in range(FOLDS):
        unseen[fold == held_out] = fit(fold != held_out)(x[fold == held_out])
    recalibrate, final = isotonic(unseen, y), fit(np.ones(len(y), bool))
    return lambda z: recalibrate(final(z))
