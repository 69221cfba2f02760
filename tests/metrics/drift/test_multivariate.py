"""Drift of several features together: cells, principal components, domain classifier, MMD."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from barograph.arrays import Floats
from barograph.errors import MismatchError
from barograph.metrics.drift._no_change import excess
from barograph.metrics.drift.cell_drift import cell_drift
from barograph.metrics.drift.domain_classifier import _area, domain_classifier
from barograph.metrics.drift.mmd import mmd
from barograph.metrics.drift.pca_reconstruction import pca_reconstruction
from barograph.metrics.drift.psi import psi
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.cells import REGRESSION_SUMS, BinaryCells, RegressionCells
from barograph.sketches.histogram import Categories
from barograph.sketches.moments import Covariance
from barograph.sketches.sample import Sample


def value(outcome: Outcome) -> float:
    assert isinstance(outcome, Estimate)
    return outcome.value


def regression_cells(leaves: list[int]) -> RegressionCells:
    counts = np.zeros((len(leaves), 2, 2), np.int64)
    counts[:, 0, 0] = np.array(leaves) // 3
    counts[:, 1, 1] = np.array(leaves) - counts[:, 0, 0]
    return RegressionCells(
        edges=np.zeros(1), counts=counts, sums=np.zeros((len(leaves), 2, len(REGRESSION_SUMS))), unusable=9
    )


def binary_cells(leaves: list[int]) -> BinaryCells:
    counts = np.zeros((len(leaves), 2, 3), np.int64)
    counts[:, 0, 1], counts[:, 1, 2] = np.array(leaves) // 2, np.array(leaves) - np.array(leaves) // 2
    return BinaryCells(
        predicted=np.array([False, True]), order=np.arange(2), first_fine=np.array([0, 1, 2]), counts=counts
    )


def covariance(z: Floats) -> Covariance:
    return Covariance(names=tuple(map(str, range(z.shape[1]))), n=len(z), z=z.sum(axis=0), zz=z.T @ z)


def sample(codes: npt.NDArray[np.int64], *, seed: int = 0) -> Sample:
    hashes = np.random.default_rng(seed).permutation(len(codes)).astype(np.uint64)
    return Sample.of(hashes, codes.astype(np.uint16), np.zeros((len(codes), 3)), k=10_000)


def codes(rng: np.random.Generator, n: int, shift: float = 0.0) -> npt.NDArray[np.int64]:
    z = rng.normal(size=(n, 3))
    z[:, 1] = 0.8 * z[:, 0] + 0.6 * z[:, 1]
    z[:, 2] += shift
    return np.clip((z + 4) * 12, 0, 99).astype(np.int64)


def ranked(reference: Sample, rows: Sample) -> Floats:
    """Return the mid-ranks of the codes among the reference rows, counted one by one."""
    return np.column_stack(
        [
            [np.mean(reference.codes[:, j] < code) + np.mean(reference.codes[:, j] == code) / 2 for code in column]
            for j, column in enumerate(rows.codes.T)
        ]
    )


# Oracle


@pytest.mark.parametrize("cells", [regression_cells, binary_cells])
def test_cell_drift_is_the_psi_of_the_leaves_whatever_the_labels(cells: type) -> None:
    a, b = [300, 200, 400, 100], [30, 50, 40, 5]
    as_categories = psi(Categories(("x", "y"), a), Categories(("x", "y"), b))
    assert cell_drift(cells(a), cells(b)) == as_categories


@pytest.mark.parametrize("explained", [0.6, 0.95])
def test_pca_reconstruction_is_that_of_the_rows(explained: float) -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(6, 6)) * np.array([1.0, 0.9, 0.7, 0.2, 0.15, 0.1])[:, None]
    reference, current = rng.normal(size=(20_000, 6)) @ mix, 0.3 + rng.normal(size=(500, 6)) @ mix * 1.2
    pca = PCA(n_components=explained).fit(reference)
    error = current - pca.inverse_transform(pca.transform(current))
    outcome = pca_reconstruction(covariance(reference), covariance(current), explained=explained)
    assert value(outcome) == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)


def test_mmd_is_the_unbiased_kernel_estimate() -> None:
    rng = np.random.default_rng(1)
    x, y = codes(rng, 400), codes(rng, 300, shift=1.0)
    a, b = sample(x, seed=1), sample(y, seed=2)
    ranks = [ranked(a, s) for s in (a, b)]
    width = np.median(np.linalg.norm(np.diff(ranks[0], axis=0), axis=1))

    def kernel(p: Floats, q: Floats) -> Floats:
        return np.asarray(np.exp(-((p[:, None] - q[None]) ** 2).sum(axis=2) / (2 * width**2)))

    def within(p: Floats) -> float:
        return float((kernel(p, p).sum() - len(p)) / (len(p) * (len(p) - 1)))

    exact = within(ranks[0]) + within(ranks[1]) - 2 * kernel(*ranks).mean()
    estimates = [value(mmd(a, b, seed=seed)) for seed in range(20)]
    assert np.mean(estimates) == pytest.approx(exact, rel=4 * np.std(estimates) / np.sqrt(20) / exact)
    assert np.std(estimates) < 0.2 * exact


def test_the_noise_of_mmd_is_that_of_the_centred_kernel() -> None:
    rng = np.random.default_rng(9)
    a, b = sample(codes(rng, 300), seed=1), sample(codes(rng, 200), seed=2)
    ranks = np.vstack([ranked(a, s) for s in (a, b)])
    width = np.median(np.linalg.norm(np.diff(ranks[:300], axis=0), axis=1))
    gram = np.exp(-((ranks[:, None] - ranks[None]) ** 2).sum(axis=2) / (2 * width**2))
    centred = gram - gram.mean(axis=0) - gram.mean(axis=1)[:, None] + gram.mean()
    unit, off = 1 / 200 + 1 / 300, ~np.eye(500, dtype=bool)
    mean, sd = excess(unit * float(centred.diagonal().mean()), 2 * unit**2 * float((centred[off] ** 2).mean()))
    outcome = mmd(a, b)
    assert isinstance(outcome, Estimate)
    assert outcome.null_mean == pytest.approx(mean, rel=0.1)
    assert outcome.null_sd == pytest.approx(sd, rel=0.1)


def test_the_area_and_its_variance_are_those_of_all_pairs() -> None:
    rng = np.random.default_rng(2)
    scores, positive = np.round(rng.normal(size=80), 1), rng.random(80) < 0.4
    area, variance = _area(scores + 0.5 * positive, positive)
    scores = scores + 0.5 * positive
    assert area == pytest.approx(roc_auc_score(positive, scores))
    high, low = scores[positive][:, None], scores[~positive][None, :]
    wins = (high > low) + 0.5 * (high == low)
    expected = wins.mean(axis=1).var(ddof=1) / len(wins) + wins.mean(axis=0).var(ddof=1) / wins.shape[1]
    assert variance == pytest.approx(expected)


# Laws


def test_a_broken_relation_is_seen_by_all_but_the_single_features() -> None:
    rng = np.random.default_rng(3)
    reference, current = codes(rng, 1_500), codes(rng, 1_500)
    current[:, 1] = rng.permutation(current[:, 1])  # each feature alone is as before
    for metric in (mmd, domain_classifier):
        outcome = metric(sample(reference, seed=1), sample(current, seed=2))
        assert isinstance(outcome, Estimate)
        assert outcome.null_mean is not None
        assert outcome.null_sd is not None
        assert outcome.value > outcome.null_mean + 8 * outcome.null_sd
        assert outcome.lower is not None
        assert outcome.lower > outcome.null_mean
    z = [(x - 48) / 12 for x in (reference, current)]
    broken = pca_reconstruction(covariance(z[0]), covariance(z[1]), explained=0.8)
    assert isinstance(broken, Estimate)
    assert broken.null_mean is not None
    assert broken.value > 1.5 * broken.null_mean


def test_relations_that_were_exact_count_in_full_when_they_break() -> None:
    z = np.random.default_rng(4).normal(size=(500, 1))
    outcome = pca_reconstruction(covariance(np.hstack((z, z))), covariance(np.hstack((z, -z))))
    assert isinstance(outcome, Estimate)
    assert outcome.null_mean == pytest.approx(0.0, abs=1e-6)
    assert outcome.value == pytest.approx(np.sqrt(np.mean(z**2)), rel=1e-6)


def test_equal_eigenvalues_are_left_over_together() -> None:
    """With unrelated features no direction is special: the whole second moment is left over, whatever is kept."""
    rng = np.random.default_rng(5)
    reference, current = rng.normal(size=(300, 4)), 2 * rng.normal(size=(400, 4))
    outcome = pca_reconstruction(covariance(reference), covariance(current))
    expected = np.sqrt(np.mean((current - reference.mean(axis=0)) ** 2))
    assert value(outcome) == pytest.approx(expected)


def test_the_seed_decides_and_other_seeds_agree() -> None:
    rng = np.random.default_rng(6)
    a, b = sample(codes(rng, 600)), sample(codes(rng, 600, shift=1.0))
    assert mmd(a, b, seed=3) == mmd(a, b, seed=3)
    assert value(mmd(a, b, seed=3)) == pytest.approx(value(mmd(a, b, seed=4)), rel=0.25)


@pytest.mark.parametrize("change", ["nothing", "shift", "relation"])
def test_the_domain_classifier_sees_what_another_boosting_sees(change: str) -> None:
    rng = np.random.default_rng(9)
    reference, current = codes(rng, 900), codes(rng, 900, shift=6.0 if change == "shift" else 0.0)
    if change == "relation":
        current[:, 1] = rng.permutation(current[:, 1])
    a, b = sample(reference, seed=1), sample(current, seed=2)
    rows, is_current = np.concatenate((a.codes, b.codes)), np.repeat([0, 1], [a.n, b.n])
    fold = np.concatenate((np.arange(a.n), np.arange(b.n))) % 3
    areas = []
    for i in range(3):
        model = HistGradientBoostingClassifier(max_iter=50, max_leaf_nodes=16, early_stopping=False, random_state=0)
        model.fit(rows[fold != i], is_current[fold != i])
        areas.append(roc_auc_score(is_current[fold == i], model.decision_function(rows[fold == i])))
    outcome = domain_classifier(a, b)
    assert isinstance(outcome, Estimate)
    assert outcome.standard_error is not None
    assert outcome.value == pytest.approx(np.mean(areas), abs=max(0.03, 2 * outcome.standard_error))


def test_codes_of_any_size_are_only_an_order() -> None:
    rng = np.random.default_rng(10)
    a, b = codes(rng, 200), codes(rng, 200, shift=6.0)
    stretched = domain_classifier(sample(500 * a + 7), sample(500 * b + 7))
    assert stretched == domain_classifier(sample(a), sample(b))


def test_constant_features_have_not_moved() -> None:
    constant = sample(np.full((50, 2), 7))
    assert value(mmd(constant, constant)) == 0.0
    assert value(domain_classifier(constant, constant)) == 0.5


# Bad input


def test_too_few_rows_are_undefined() -> None:
    rng = np.random.default_rng(7)
    few, many = sample(codes(rng, 29)), sample(codes(rng, 60))
    assert domain_classifier(many, few) == Undefined("current has 29 sampled rows, at least 30 are needed")
    assert mmd(sample(codes(rng, 1)), many) == Undefined("reference has 1 sampled rows, at least 2 are needed")
    assert pca_reconstruction(covariance(np.ones((9, 1))), covariance(np.ones((9, 1)))) == Undefined(
        "at least two numeric features are needed"
    )
    no_features = Sample.of(np.arange(50, dtype=np.uint64), np.empty((50, 0), np.uint16), np.zeros((50, 3)), k=50)
    assert mmd(no_features, no_features) == Undefined("there are no features")


def test_other_layouts_are_refused() -> None:
    rng = np.random.default_rng(8)
    with pytest.raises(MismatchError):
        cell_drift(regression_cells([1, 2, 3]), regression_cells([1, 2]))
    with pytest.raises(MismatchError):
        pca_reconstruction(covariance(np.ones((5, 2))), covariance(np.ones((5, 3))))
    for metric in (mmd, domain_classifier):
        with pytest.raises(MismatchError):
            metric(sample(codes(rng, 60)), sample(codes(rng, 60)[:, :2]))
