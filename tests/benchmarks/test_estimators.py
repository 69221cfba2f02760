"""The estimators of the field, on rows whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score

from barograph.estimation.formulas import FORMULAS
from barograph.outcome import Estimate, Undefined
from barograph.sketches.sample import Sample
from estimators.atc import atc
from estimators.cbpe import cbpe
from estimators.cot import cot
from estimators.density_ratio import density_ratio
from estimators.disagreement import disagreement
from estimators.dle import dle
from estimators.doc import doc
from estimators.importance_weighting import importance_weighting
from estimators.isotonic import isotonic
from estimators.label_shift import adapt, label_shift, positive_share
from estimators.pape import pape
from estimators.plug_in import plug_in
from estimators.rows import Estimator, Rows

ALL: dict[str, Callable[[Rows], Estimator]] = {
    "cbpe": cbpe,
    "pape": lambda r: pape(r, generator=np.random.default_rng(0)),
    "importance_weighting": lambda r: importance_weighting(r, generator=np.random.default_rng(0)),
    "dle": lambda r: dle(r, generator=np.random.default_rng(0)),
    "atc": atc,
    "doc": doc,
    "cot": cot,
    "label_shift": label_shift,
}
EVERY_METRIC = ("cbpe", "pape", "importance_weighting", "dle", "label_shift")


def rows(world: ModuleType, rng: np.random.Generator, n: int, **how: float) -> Rows:
    drawn = world.rows(rng, n, **how)
    features = np.column_stack((drawn.leaf, rng.normal(size=n)))
    return Rows(
        features=features,
        score=drawn.score,
        prediction=drawn.prediction.astype(float),
        label=drawn.label.astype(float),
    )


def test_plug_in_with_the_labels_as_probabilities_is_the_metric(world: ModuleType) -> None:
    drawn = rows(world, np.random.default_rng(0), 700)
    found = plug_in(drawn, drawn.label)
    values = {name: o.value for name, o in found.items() if isinstance(o, Estimate)}
    assert values["accuracy"] == pytest.approx(accuracy_score(drawn.label, drawn.prediction))
    assert values["roc_auc"] == pytest.approx(roc_auc_score(drawn.label, drawn.score))
    assert values["average_precision"] == pytest.approx(average_precision_score(drawn.label, drawn.score))
    assert set(found) == set(FORMULAS)


def test_isotonic_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    score = np.round(rng.random(300), 2)
    label, weights = (rng.random(300) < score).astype(float), rng.random(300)
    expected = IsotonicRegression(out_of_bounds="clip").fit(score, label, sample_weight=weights)
    at = rng.random(50)
    assert isotonic(score, label, weights)(at) == pytest.approx(expected.predict(at))


@pytest.mark.parametrize("name", ALL)
def test_without_a_shift_all_are_right(world: ModuleType, name: str) -> None:
    rng = np.random.default_rng(2)
    estimate = ALL[name](rows(world, rng, 6000))
    current = rows(world, rng, 4000)
    found = estimate(current)["accuracy"]
    assert isinstance(found, Estimate)
    # COT takes the scores for calibrated, which those of the simulated world are not quite.
    assert found.value == pytest.approx(
        (current.prediction == current.label).mean(), abs=0.06 if name == "cot" else 0.03
    )
    assert found.n == 4000


@pytest.mark.parametrize("name", EVERY_METRIC)
def test_those_that_know_every_metric_cover_it(world: ModuleType, name: str) -> None:
    rng = np.random.default_rng(3)
    estimate = ALL[name](rows(world, rng, 6000))
    current = rows(world, rng, 1000)
    found = estimate(current)
    truth = plug_in(current, current.label)
    assert set(found) == set(FORMULAS)
    for metric, outcome in found.items():
        true = truth[metric]
        assert isinstance(outcome, Estimate)
        assert isinstance(true, Estimate)
        assert abs(outcome.value - true.value) < 5 * outcome.standard_error, metric


@pytest.mark.parametrize("name", ["pape", "importance_weighting", "dle"])
def test_covariate_shift_is_followed_by_those_that_look_at_features(world: ModuleType, name: str) -> None:
    rng = np.random.default_rng(4)
    reference, current = rows(world, rng, 10_000), rows(world, rng, 5000, shift=0.5)
    true = current.label.mean()

    def share(estimate: Estimator) -> float:
        found = estimate(current)
        parts = [found[m] for m in ("true_positive_share", "false_negative_share")]
        return sum(p.value for p in parts if isinstance(p, Estimate))

    errors = {n: abs(share(ALL[n](reference)) - true) for n in (name, "label_shift")}
    assert errors[name] < 0.03
    assert errors[name] < errors["label_shift"]


def test_label_shift_is_followed_by_the_one_that_assumes_it() -> None:
    rng = np.random.default_rng(5)

    def drawn(n: int, share: float) -> Rows:
        label = (rng.random(n) < share).astype(float)
        x = rng.normal(2 * label - 1, 1.0, n)
        score = 1 / (1 + np.exp(-2 * x))
        return Rows(features=x[:, None], score=score, prediction=(score >= 0.5).astype(float), label=label)

    estimate = label_shift(drawn(20_000, 0.5))
    current = drawn(10_000, 0.15)
    found = estimate(current)["precision"]
    assert isinstance(found, Estimate)
    true = current.label[current.prediction == 1].mean()
    assert found.value == pytest.approx(true, abs=0.04)
    other = cbpe(drawn(20_000, 0.5))(current)["precision"]
    assert disagreement({"cbpe": other, "label_shift": found}) is not None


def test_positive_share_is_the_fixed_point() -> None:
    rng = np.random.default_rng(6)
    probability = rng.beta(1, 2, 500)
    share = positive_share(probability, 0.4)
    assert adapt(probability, 0.4, share).mean() == pytest.approx(share, abs=1e-6)


def test_density_ratio_turns_the_reference_into_the_current_rows() -> None:
    rng = np.random.default_rng(7)
    reference, current = rng.normal(0, 1, (8000, 1)), rng.normal(0.7, 1, (4000, 1))
    weights = density_ratio(reference, current, generator=rng)
    assert (weights @ reference[:, 0]) / weights.sum() == pytest.approx(0.7, abs=0.1)
    assert weights.mean() == pytest.approx(1.0, abs=0.1)


def test_dle_of_a_regression_follows_the_errors(world: ModuleType) -> None:
    rng = np.random.default_rng(8)

    def drawn(n: int, shift: float) -> Rows:
        found = world.number_rows(rng, n, shift=shift)
        return Rows(
            features=found.leaf[:, None].astype(float),
            score=np.full(n, np.nan),
            prediction=found.prediction,
            label=found.label,
        )

    estimate, current = dle(drawn(8000, 0.0), generator=rng), drawn(3000, 0.5)
    error = current.prediction - current.label
    for name, true in {"mae": abs(error).mean(), "mse": (error**2).mean(), "rmse": (error**2).mean() ** 0.5}.items():
        found = estimate(current)[name]
        assert isinstance(found, Estimate)
        assert abs(found.value - true) < 5 * found.standard_error


def test_current_labels_are_not_looked_at(world: ModuleType) -> None:
    rng = np.random.default_rng(9)
    reference, current = rows(world, rng, 2000), rows(world, rng, 300)
    hidden = Rows(
        features=current.features, score=current.score, prediction=current.prediction, label=np.full(300, np.nan)
    )
    for name in ("cbpe", "atc", "doc", "cot", "label_shift"):
        estimate = ALL[name](reference)
        assert estimate(current) == estimate(hidden), name


def test_a_sample_has_rows() -> None:
    outputs = np.array([[0.2, 0.0, 1.0], [np.nan, 1.0, np.nan]])
    sample = Sample.of(np.arange(2, dtype=np.uint64), np.zeros((2, 3), np.uint16), outputs, k=5)
    found = Rows.of(sample)
    assert (found.n, found.usable().n, found.labelled().n) == (2, 1, 1)


def test_agreement_and_undefined_opinions_are_no_disagreement() -> None:
    near = [Estimate(value=v, n=9, lower=v - 0.05, upper=v + 0.05) for v in (0.8, 0.82)]
    assert disagreement(dict(zip("ab", near, strict=True))) is None
    assert disagreement({"a": near[0], "b": Undefined("no rows")}) is None
    assert disagreement({}) is None
