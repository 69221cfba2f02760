"""How wide the intervals of later times are, from what the blocks of a reference missed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from barograph.arrays import Floats
from barograph.estimation.experience import (
    KAPPA,
    OMEGA,
    PSI,
    THETA,
    Expectation,
    Residual,
    When,
    half_widths,
    learn,
)

BLOCKS, CHANCE, CALIBRATION, ROWS = 20, 0.02, 0.005, 400
U = (np.arange(BLOCKS) + 0.5) / BLOCKS
LATER = Expectation(0.8, float(np.hypot(0.01, 0.006)), 0.01)


def missed(values: Floats) -> list[Residual]:
    return [Residual(float(r), CHANCE, CALIBRATION, ROWS, float(u)) for r, u in zip(values, U, strict=True)]


def half_width(values: Floats, when: When) -> float:
    experience = learn({"accuracy": missed(values)})
    assert experience is not None
    return 1.959964 * float(np.hypot(experience.excess({"accuracy": LATER}, when)["accuracy"], LATER.sd))


def oracle(values: Floats, when: When) -> float:
    """The same model without sharing anything: one joint normal of blocks and chunk a hypothesis, conditioned."""
    z, s = values * (1 - 1 / BLOCKS), CHANCE * np.sqrt(ROWS)
    u = np.append(U, when.middle)
    ones, found = np.ones(BLOCKS), []
    averaged = [2 * (y - 1 + np.exp(-y)) / y**2 for y in (when.length / THETA, 1 / BLOCKS / THETA)]
    for kappa in KAPPA:
        for omega in OMEGA:
            swing = (omega * s) ** 2 * np.exp(-np.abs(np.subtract.outer(u, u)) / THETA)
            joint = (kappa * s) ** 2 * np.minimum.outer(u, u) + swing
            joint[-1, -1] += (omega * s) ** 2 * (averaged[0] / averaged[1] - 1)
            k = joint[:-1, -1]
            for psi in PSI:
                C = joint[:-1, :-1] + (1 + psi**2) * CHANCE**2 * np.eye(BLOCKS)
                solved = np.linalg.solve(C, np.stack([ones, k, z], axis=1))
                total = ones @ solved[:, 0]
                rest = z - (ones @ solved[:, 2]) / total
                of_rest = np.linalg.solve(C, rest)
                variance = joint[-1, -1] - k @ solved[:, 1] + (1 - ones @ solved[:, 1]) ** 2 / total
                shift = (z - rest)[0] + k @ of_rest - z.mean()
                chance = (1 + psi**2) * LATER.chance**2
                added = max(LATER.calibration**2 - CALIBRATION**2 * (1 - 1 / BLOCKS), 0)
                swings = 1.0 if omega == 0 else (omega / 0.02) / (1 + (omega / 0.02) ** 2)
                prior = swings * np.exp(-2 * psi**2) / ((kappa / 0.01) ** -0.5 + (kappa / 0.01) ** 0.3)
                log = np.log(prior) - (np.linalg.slogdet(C)[1] + np.log(total) + rest @ of_rest) / 2
                found.append((log, max(variance + chance, LATER.chance**2) + added + shift**2))
    logs, variances = np.array(found).T
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    return float(brentq(lambda h: weight @ (2 * norm.cdf(h / np.sqrt(variances)) - 1) - 0.95, 1e-6, 10))


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_it_is_what_conditioning_one_joint_normal_gives(scale: float) -> None:
    values = np.random.default_rng(7).normal(0, CHANCE * scale, BLOCKS)
    for when in (When(1.02, 0.05), When(1.5, 0.3), When(2.0, 0.01)):
        assert half_width(values, when) == pytest.approx(oracle(values, when), rel=2e-3)


def test_intervals_grow_with_the_distance_and_with_what_blocks_missed() -> None:
    rng = np.random.default_rng(1)
    quiet = rng.normal(0, CHANCE, BLOCKS)
    walk = quiet + np.cumsum(rng.normal(0, CHANCE, BLOCKS))
    whens = [When(u, 0.05) for u in (1.02, 1.3, 1.6, 2.0)]
    for values in (quiet, walk):
        widths = [half_width(values, when) for when in whens]
        assert widths == sorted(widths)
        assert widths[0] >= 1.9 * LATER.sd
    assert half_width(walk, whens[-1]) > 2 * half_width(quiet, whens[-1])


@pytest.mark.parametrize(("drift", "least"), [(0.0, 0.93), (0.02, 0.90)])
def test_intervals_hold(drift: float, least: float) -> None:
    """In worlds that stand still, and in those that walk on as they did in the reference."""
    rng, held = np.random.default_rng(2), 0
    for _ in range(150):
        path = np.cumsum(rng.normal(0, drift / np.sqrt(BLOCKS), 2 * BLOCKS))
        known = path[:BLOCKS].mean()
        values = path[:BLOCKS] - known + rng.normal(0, CHANCE, BLOCKS)
        truth = path[BLOCKS + 10] - known + rng.normal(0, LATER.chance)
        held += abs(truth) <= half_width(values, When((BLOCKS + 10.5) / BLOCKS, 1 / BLOCKS))
    assert held / 150 >= least


def test_few_blocks_teach_nothing_and_a_perfect_reference_something() -> None:
    assert learn({"accuracy": missed(np.zeros(BLOCKS))[:4]}) is None
    perfect = learn({"mae": [Residual(0.0, 0.0, 0.0, 100, float(u)) for u in U]})
    assert perfect is not None
    assert perfect.excess({"mae": Expectation(0.0, 0.0, 0.0)}, When(1.5, 0.1))["mae"] < 1e-30
    assert perfect.excess({"mae": Expectation(float("nan"), 0.0, 0.0)}, When(1.5, 0.1)) == {}


def test_half_widths_are_those_of_the_mixture() -> None:
    rng = np.random.default_rng(3)
    weight, sd = rng.dirichlet(np.ones(50), 8), np.exp(rng.normal(0, 3, (8, 50)))
    h = half_widths(weight, sd)
    assert (weight * (2 * norm.cdf(h[:, None] / sd) - 1)).sum(axis=1) == pytest.approx(0.95, abs=2e-6)
