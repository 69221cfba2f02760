"""What the rules promise, on streams with a known truth: the short form of `make certify`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import certify
import simulate
from barograph.rules.evidence import Evidence

ARL = 200.0


@pytest.mark.parametrize("null", simulate.NULLS, ids=lambda n: n.name)
@pytest.mark.parametrize("case", simulate.CASES, ids=lambda c: c.name)
@pytest.mark.parametrize("blocks", [20, 100])
def test_run_lengths_are_at_least_what_was_stated(case: Any, null: Any, blocks: int) -> None:
    rng = np.random.default_rng([1, blocks])
    found, _ = simulate.run_length(case, null, blocks=blocks, arl=ARL, replicas=80, steps=500, rng=rng)
    assert found >= ARL  # of 40,000 chunks: 200 alarms are allowed


def test_the_mean_of_the_reference_and_independent_rows_would_break_the_promise() -> None:
    rng = np.random.default_rng(2)
    case, replicas, steps = simulate.ShareCase(p=0.1), 100, 500
    rule = simulate.learn(case, simulate.AR1, 20, ARL, replicas, rng)
    naive = replace(rule, upper=rule.baseline.mean, baseline=replace(rule.baseline, excess=np.zeros(replicas)))
    evidence, alarms = Evidence.start(*naive.shape), 0
    for t, level in enumerate(simulate.AR1.levels(steps, replicas, rng)):
        evidence = evidence.add(case.log_e(naive, case.draw(level, rng), 0), chunk=t)
        hit = evidence.log_mean() >= np.log(ARL)
        alarms += int(hit.sum())
        evidence = evidence.reset(hit)
    assert replicas * steps / alarms < ARL / 4


@pytest.mark.parametrize(("rate", "most"), [(0.15, 650), (0.2, 200)])
def test_error_rates_are_found_row_by_row(rate: float, most: float) -> None:
    rng = np.random.default_rng(3)
    rule = certify.row_rule(10_000, 1, 300, rng, 0.95)
    found = certify.watch_rows(rule, window=1, before=2000, rate=rate, after=2000, rng=rng)[1]
    assert certify.oracle_rows(rate) <= found <= most


@pytest.mark.parametrize(
    ("shift", "tolerance", "least", "most"), [(0.1, 0.0, 3, 12), (0.05, 0.02, np.inf, np.inf), (0.3, 0.02, 1, 3)]
)
def test_shifts_of_a_feature_are_found_or_ignored(shift: float, tolerance: float, least: float, most: float) -> None:
    case = simulate.CutCase(rows=500, tolerance=tolerance)
    rng = np.random.default_rng(4)
    found = simulate.delay(
        case, shift * np.sqrt(500), blocks=100, arl=1000.0, replicas=60, rng=rng, before=20, longest=200
    )
    assert least <= found <= most


@pytest.mark.parametrize("case", simulate.CASES, ids=lambda c: c.name)
def test_a_change_is_found_within_three_times_what_an_oracle_needs(case: Any) -> None:
    rng = np.random.default_rng(5)
    found = simulate.delay(case, 2.0, blocks=300, arl=ARL, replicas=60, rng=rng, before=20)
    best = simulate.oracle_delay(case, 2.0, arl=ARL, replicas=100, rng=rng, before=20)
    assert best <= found <= 3 * best + 1


def test_the_page_names_every_rule_and_no_broken_promise() -> None:
    page = (Path(__file__).parents[2] / "docs" / "certification.md").read_text(encoding="utf-8")
    assert "| 0 shorter | 0 shorter | yes |" in page
    for case in simulate.CASES:
        assert f"| `{case.name}` | {simulate.AR1.name} |" in page
