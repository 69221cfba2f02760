"""Causes on simulated streams: the part that was changed is the part that is named."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

import barograph
from barograph.alerts.severity import Severity
from barograph.causes.explain import decomposition_of, harm_of, sentence, trust_over, why_worse
from barograph.labels.trust import TrustState
from barograph.outcome import Estimate, Undefined
from barograph.reference.reference import Reference

sys.path.insert(0, str(Path(__file__).parents[1]))
from logged import events


@pytest.fixture(scope="module")
def reference() -> Reference:
    return barograph.fit(events(20_000, seed=1))


def test_other_traffic_is_covariate_shift(reference: Reference) -> None:
    found = decomposition_of(reference, reference.profile(events(20_000, seed=2, shift=1.0)).total())
    assert not isinstance(found, Undefined)
    metric, parts = found
    assert metric == "accuracy"
    assert parts.concept.lower < 0.0 < parts.concept.upper  # type: ignore[operator]  # an interval is given
    assert parts.covariate.value + parts.concept.value == pytest.approx(parts.change.value)
    assert "covariate shift" in sentence(metric, parts)


def test_another_rule_is_concept_drift(reference: Reference) -> None:
    found = decomposition_of(reference, reference.profile(events(20_000, seed=3, noise=0.3)).total())
    assert not isinstance(found, Undefined)
    parts = found[1]
    assert parts.concept.upper < 0.0  # type: ignore[operator]  # an interval is given
    assert abs(parts.covariate.value) < 0.2 * abs(parts.concept.value)


def test_a_cause_that_may_be_none_is_not_told(reference: Reference) -> None:
    drifted = reference.profile(events(20_000, seed=3, noise=0.3)).total()
    assert why_worse(reference, drifted).startswith("accuracy changed by -0")
    assert "concept drift" in why_worse(reference, drifted)
    assert "covariate shift" not in why_worse(reference, drifted)
    rows = events(60_000, seed=2)
    hard = why_worse(reference, reference.profile(rows.filter(pl.col("score").is_between(0.3, 0.7))).total())
    assert "covariate shift" in hard
    assert "concept drift" not in hard
    easy = reference.profile(rows.filter(~pl.col("score").is_between(0.3, 0.7))).total()
    assert why_worse(reference, easy) == ""  # what became better has no cause of a loss


def test_harm_is_that_of_the_feature_that_moved(reference: Reference) -> None:
    # Scores near one half are wrong most often: moving `x` towards them costs accuracy.
    profile = reference.profile(events(20_000, seed=4, shift=-0.1).with_columns(x=0.2)).total()
    costs = {}
    for column in ("x", "amount", "colour"):
        harm = harm_of(reference, profile, column)
        assert harm is not None
        assert isinstance(harm[0].change, Estimate)
        costs[column] = harm[0].change.value
    assert costs["x"] > 0.02
    assert abs(costs["amount"]) < 0.005
    assert abs(costs["colour"]) < 0.005
    assert harm_of(reference, profile, "label") is None


def test_labels_confirm_or_contradict(reference: Reference) -> None:
    same = trust_over(reference, reference.profile(events(20_000, seed=5), chunk="1d"))
    assert same is not None
    assert same.state is TrustState.CONFIRMED
    moved = trust_over(reference, reference.profile(events(20_000, seed=6, shift=1.0), chunk="1d"))
    assert moved is not None
    assert moved.contradicted_after is None  # covariate shift is no contradiction
    changed = trust_over(reference, reference.profile(events(20_000, seed=7, noise=0.3), chunk="1d"))
    assert changed is not None
    assert changed.state is TrustState.CONTRADICTED
    assert changed.contradicted_after is not None
    assert changed.contradicted_after <= 4_000


def test_concept_drift_is_an_incident_and_no_change_is_none() -> None:
    base = events(20_000, seed=1)
    quiet = barograph.check(base, events(20_000, seed=8), chunk="1d")
    assert quiet.severity is None
    assert quiet.incidents == []
    loud = barograph.check(base, events(20_000, seed=9, noise=0.3), chunk="1d")
    assert loud.severity is Severity.CRITICAL
    assert any(r.family == "concept" and r.status == "breach" for r in loud.rows)
    assert loud.trust is not None
    assert loud.to_dict()["trust"]["state"] == "contradicted"
