"""Natural variation: the filters against the distribution that they compute step by step, and effects of phases."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import multivariate_normal

from barograph.rules.natural import MEMORY, PRIOR, VAGUE, Filter, phase_effects

Floats = npt.NDArray[np.float64]


def varying(seed: int, chunks: int, *, natural: float, memory: float, error: float = 0.1) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    a = np.zeros(chunks)
    for t in range(chunks):
        a[t] = (memory * a[t - 1] if t else 0.0) + rng.normal(0, natural * np.sqrt(1 - memory**2 if t else 1.0))
    return (1.0 + a + rng.normal(0, error, chunks))[None, :], np.full((1, chunks), error**2)


def test_weights_are_posterior_probabilities() -> None:
    """The filters' likelihoods are those of all values at once, a normal vector with a known covariance."""
    y, s2 = varying(3, 25, natural=0.05, memory=0.4)
    s2 = s2 * np.linspace(0.5, 2.0, 25)
    found = Filter.through(y, s2)
    variance, lag = y.var(ddof=1), np.abs(np.subtract.outer(np.arange(25), np.arange(25)))
    expected = []
    for f, tau2 in zip(found.memory, found.natural_var[0], strict=True):
        level = VAGUE * (variance + s2.mean())
        covariance = level + tau2 * f**lag + np.diag(s2[0])
        first = multivariate_normal(y.mean(), covariance[0, 0]).logpdf(y[0, 0])
        expected.append(multivariate_normal(np.full(25, y.mean()), covariance).logpdf(y[0]) - first)
    posterior = np.exp(np.array(expected) - max(expected)) * np.repeat(PRIOR, 3)
    assert found.weights()[0] == pytest.approx(posterior / posterior.sum(), rel=1e-4)


def test_the_memory_of_the_reference_is_recognised() -> None:
    of_memory = {}
    for memory in (0.0, 0.8):
        y, s2 = varying(5, 300, natural=0.5, memory=memory, error=0.05)
        weights = Filter.through(y, s2).weights()[0].reshape(len(MEMORY), -1).sum(axis=1)
        of_memory[memory] = MEMORY[int(weights.argmax())]
    assert of_memory == {0.0: 0.0, 0.8: 0.8}


def test_a_chunk_without_a_value_teaches_nothing() -> None:
    y, s2 = varying(1, 30, natural=0.1, memory=0.0)
    some = np.ones(1, np.bool_)
    before = Filter.through(y, s2)
    after, surprise = before.step(np.array([np.nan]), np.array([np.nan]), learns=some, weighs=some)
    assert np.array_equal(after.level, before.level)
    assert np.array_equal(after.log_weight, before.log_weight)
    assert not surprise.u.any()


def test_a_wild_chunk_counts_for_no_more_than_a_rare_one() -> None:
    y, s2 = varying(1, 30, natural=0.1, memory=0.0)
    some = np.ones(1, np.bool_)
    before = Filter.through(y, s2)
    far, farther = (before.step(np.array([v]), s2[:, 0], learns=some, weighs=some)[0] for v in (50.0, 5000.0))
    assert np.array_equal(far.level, farther.level)


def test_a_chunk_is_judged_by_the_effect_that_its_phase_has_without_it() -> None:
    rng = np.random.default_rng(2)
    phase = np.arange(42) % 7
    y = (np.where(phase >= 5, 2.0, 0.0) + rng.normal(0, 0.3, 42))[None, :]
    _, rest = phase_effects(y, phase)
    moved = y.copy()
    moved[0, 5] += 0.5
    _, other = phase_effects(moved, phase)
    assert other[0, 5] - rest[0, 5] == pytest.approx(0.5, abs=0.1)  # it does not hide in its own effect
    later = y - phase_effects(y, phase)[0][:, phase]
    assert rest.std() > later.std()  # how uncertain the effects are is left in the reference


def test_without_a_rhythm_there_are_hardly_effects() -> None:
    y = np.random.default_rng(4).normal(0, 1.0, (50, 28))
    effects, _ = phase_effects(y, np.arange(28) % 7)
    assert np.abs(effects).mean() < 0.15
