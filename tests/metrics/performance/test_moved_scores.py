"""Metrics of scores against the rows themselves, where production scores lie elsewhere than those of the reference."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm
from sklearn import metrics as sk

import barograph
from barograph.arrays import Floats, Ints
from barograph.metrics import catalogue
from barograph.outcome import Estimate
from barograph.profiles.encode import squashed
from barograph.reference.reference import Reference
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable

N = 20_000
EXACT = 1e-3


def sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-z)))


def log_odds(s: Floats) -> Floats:
    return np.asarray(np.log(s) - np.log1p(-s))


MOVES: dict[str, Callable[[Floats], Floats]] = {
    "as it was": lambda s: s,
    "shifted up": lambda s: sigmoid(log_odds(s) + 4),
    "shifted down": lambda s: sigmoid(log_odds(s) - 4),
    "shifted far": lambda s: sigmoid(log_odds(s) + 8),
    "shifted to the last digits": lambda s: sigmoid(log_odds(s) + 16),
    "shifted to nothing": lambda s: sigmoid(log_odds(s) - 30),
    "steeper": lambda s: sigmoid(5 * log_odds(s)),
    "steeper by far": lambda s: sigmoid(40 * log_odds(s)),
    "flatter": lambda s: sigmoid(0.2 * log_odds(s)),
    "nearly flat": lambda s: sigmoid(0.02 * log_odds(s)),
    "inverted": lambda s: 1 - s,
    "divided by a hundred": lambda s: s / 100,
    "in the middle": lambda s: 0.4 + 0.2 * s,
    "within a thousandth": lambda s: 0.5 + 0.001 * s,
    "within a thousandth but for one": lambda s: np.append(0.503, 0.5 + 0.001 * s[1:]),
    "saturated": lambda s: np.where(s > 0.4, 1.0, s),
    "saturated on both sides": lambda s: np.clip(1.6 * s - 0.3, 0, 1),
    "constant": lambda s: np.full(len(s), 0.37),
    "constant near one": lambda s: np.full(len(s), 1 - 1e-9),
    "all one": np.ones_like,
    "all zero": np.zeros_like,
    "two values": lambda s: np.where(s > 0.3, 0.9992, 0.9991),
    "one decimal": lambda s: s.round(1),
    "two decimals, then shifted": lambda s: sigmoid(log_odds(np.clip(s.round(2), 0.01, 0.99)) + 3),
    "half precision": lambda s: sigmoid(log_odds(s) + 4).astype(np.float16).astype(np.float64),
}
COARSE = ("within a thousandth", "nearly flat")  # the cases in which bins cannot tell, by their beginnings


def rows(seed: int, prevalence: float, n: int = N) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < prevalence).astype(np.int64)
    z = 1.5 * (rng.normal(size=n) + 1.5 * label) - 1.125
    return sigmoid(z + np.log(prevalence / (1 - prevalence))), label


def calibration_error(label: Ints, score: Floats) -> float:
    """Return the documented formula, from rows in the order of their scores; those with one score stay together."""
    order = np.argsort(score, kind="stable")
    s, y = score[order], label[order]
    ends = np.append(np.flatnonzero(np.diff(s)) + 1, len(s))
    cuts = [min((abs(e - b), e) for e in np.append(0, ends))[1] for b in len(s) * np.arange(16) / 15]
    total = 0.0
    for a, b in pairwise(cuts):
        if b > a:
            d, share = abs(s[a:b].mean() - y[a:b].mean()), (y[a:b].sum() + s[a:b].mean()) / (b - a + 1)
            sigma = max(np.sqrt(share * (1 - share) / (b - a)), 1e-12)
            expected = sigma * np.sqrt(2 / np.pi) * np.exp(-((d / sigma) ** 2) / 2) + d * (1 - 2 * norm.cdf(-d / sigma))
            total += (b - a) / len(s) * (2 * d - expected)
    return max(total, 0.0)


ORACLES: dict[str, Callable[[Ints, Floats], float]] = {
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "log_loss": sk.log_loss,
    "brier_score": lambda y, s: np.mean((s - y) ** 2),
    "expected_calibration_error": calibration_error,
}


def of_scores() -> list[str]:
    known = [m for m in catalogue().values() if m.family == "performance" and m.needs in ("scores", "probabilities")]
    return [m.name for m in known if m.inputs.get("current") is not None]


def test_every_metric_of_scores_is_among_these() -> None:
    assert set(of_scores()) == set(ORACLES)


def frame(score: Floats, label: Ints) -> pl.DataFrame:
    return pl.DataFrame({"score": score, "label": label})


@cache
def reference(prevalence: float) -> Reference:
    return barograph.fit(frame(*rows(1, prevalence)), label="label", score="score")


def check(found: object, exact: float, scale: float = 1.0) -> float:
    """Return the bound that the outcome tells, None being 0, after it was seen to hold."""
    assert isinstance(found, Estimate)
    told = found.binning_error or 0.0
    assert abs(found.value - exact) <= max(EXACT * scale, told), (found, exact)
    if found.lower is not None and found.upper is not None:
        assert found.lower - 1e-9 <= exact <= found.upper + 1e-9, (found, exact)
    return told


@pytest.mark.parametrize("prevalence", [0.3, 0.02])
@pytest.mark.parametrize("move", MOVES)
def test_a_value_is_that_of_the_rows_or_says_how_near_it_is(move: str, prevalence: float) -> None:
    score, label = rows(2, prevalence)
    score = MOVES[move](score)
    table = reference(prevalence).profile(frame(score, label)).total().outcomes
    assert isinstance(table, ScoreTable)
    told = {
        name: check(catalogue()["performance", name].function(table), oracle(label, score))
        for name, oracle in ORACLES.items()
    }
    assert told["log_loss"] == told["brier_score"] == 0, "these are exact, whatever the bins"
    if move.startswith(COARSE):
        assert told["roc_auc"] > 0.01
    elif prevalence == 0.3 and "last" not in move and "nothing" not in move:
        assert told["roc_auc"] < 0.02, "what is told as a bound says something"


@pytest.mark.parametrize("move", [m for m in MOVES if m != "within a thousandth but for one"])
def test_what_the_kernel_counts_is_what_numpy_counts(move: str) -> None:
    score, label = rows(3, 0.3, 2_000)
    score = MOVES[move](score)
    score[:9] = (0, 1, np.nextafter(0, 1), np.nextafter(1, 0), 0.5, np.nextafter(0.5, 0), np.nan, -0.1, 1.1)
    table = reference(0.3).profile(frame(score, label)).total().outcomes
    assert isinstance(table, ScoreTable)
    said = np.where(np.isnan(score) | (score < 0) | (score > 1), 3, score >= 0.5)
    expected = ScoreTable.of(score, label, said.astype(int), edges=table.edges)
    for name in ("counts", "sums", "losses", "finest"):
        np.testing.assert_allclose(getattr(table, name), getattr(expected, name), rtol=1e-9, atol=1e-12, err_msg=name)


def classes(seed: int, n: int = N) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5 + (0.8, 0.0, -0.8)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return shares, np.minimum((shares.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), 2)


def softmax(z: Floats) -> Floats:
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(z / z.sum(axis=1, keepdims=True))


CLASS_MOVES: dict[str, Callable[[Floats], Floats]] = {
    "as it was": lambda p: p,
    "one class shifted": lambda p: softmax(np.log(p) + np.array([5.0, 0, 0])),
    "steeper": lambda p: softmax(6 * np.log(p)),
    "flatter": lambda p: softmax(0.1 * np.log(p)),
    "inverted": lambda p: (1 - p) / 2,
    "saturated": lambda p: np.eye(3)[p.argmax(axis=1)],
    "constant": lambda p: np.full_like(p, 1 / 3),
    "tied": lambda p: softmax(np.log(p).round()),
}


def class_frame(shares: Floats, label: Ints) -> pl.DataFrame:
    return pl.DataFrame({"label": label.astype(str), **{f"p{i}": shares[:, i] for i in range(3)}})


@cache
def class_reference() -> Reference:
    return barograph.fit(class_frame(*classes(1)), label="label", score={str(i): f"p{i}" for i in range(3)})


@pytest.mark.parametrize("move", CLASS_MOVES)
def test_of_several_classes_it_is_that_of_the_rows_too(move: str) -> None:
    shares, label = classes(2)
    shares = CLASS_MOVES[move](shares)
    tables = class_reference().profile(class_frame(shares, label)).total().outcomes
    assert isinstance(tables, ClassTables)
    exact = {
        name: float(np.mean([oracle((label == i).astype(int), shares[:, i]) for i in range(3)]))
        for name, oracle in ORACLES.items()
    }
    exact["brier_score"] *= 3  # summed over the classes
    exact["log_loss"] = sk.log_loss(label, shares, labels=[0, 1, 2])
    for name, value in exact.items():
        check(catalogue()["performance", name].function(tables), value)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3, 1e6])
def test_margins_are_ranked_wherever_they_are(scale: float) -> None:
    score, label = rows(1, 0.3)
    known = barograph.fit(frame(log_odds(score), label), label="label", score="score")
    score, label = rows(2, 0.3)
    margin = log_odds(score) * scale + scale
    table = known.profile(frame(margin, label)).total().outcomes
    assert isinstance(table, ScoreTable)
    for name in ("roc_auc", "average_precision"):
        check(catalogue()["performance", name].function(table), ORACLES[name](label, squashed(margin)))
