"""The short form of `make power`: how runs are counted, and that a loss is found and quiet is quiet."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, roc_auc_score

import power

WORLDS = {world.name: world for world in power.WORLDS}


def test_alarms_before_the_change_are_false_and_the_first_after_it_finds_it() -> None:
    found = power.figures(WORLDS["−5 points"], [[3, 31], [30], [], [10, 40]], [False, False, False, True])
    months = 4 * 30 / (365.25 / 12)
    assert found.false == pytest.approx(2 / months)
    assert found.at_most > found.false
    assert found.found == 0.75
    assert found.delay == 0.0  # of 1, 0 and an alarm that was open
    quiet = power.figures(WORLDS["nothing"], [[3, 31], []], [False, False])
    assert quiet.false == pytest.approx(2 / (2 * 60 / (365.25 / 12)))
    assert quiet.found is None


def test_neighbours_alarm_where_the_rule_says() -> None:
    usual = np.tile([[0.8], [0.82]], (10, 1))
    fallen = np.array([[0.81], [0.7], [0.81], [0.81], [0.81], [0.7]])
    assert power.three_sd(usual, fallen) == [1, 5]
    assert power.cusum(usual, np.full((10, 1), 0.79))[0] < 5
    assert power.episodes([1, 2, 3, 9, 10]) == [1, 9]


def test_the_neighbours_metrics_are_those_of_scikit_learn() -> None:
    rows = power.simulate(WORLDS["nothing"], np.random.default_rng(3), 2, first_day=0, changes=False)
    day = rows[1000:]
    y, s, p = (day[name].to_numpy() for name in ("label", "score", "prediction"))
    expected = [roc_auc_score(y, s), (y == p).mean(), f1_score(y, p), -log_loss(y, s)]
    assert power.by_chunk(rows, 1000)[1] == pytest.approx(expected)


def test_runs_are_gone_on_with(tmp_path: Path) -> None:
    assert power.read(tmp_path / "none") == []
    power.go_on(tmp_path / "runs", 0.0, 5, [])
    assert power.read(tmp_path / "runs") == []


@pytest.mark.parametrize(("name", "reference"), [("nothing", 40), ("−5 points", 40), ("−20, 30 rows", 40)])
def test_a_loss_is_found_within_days_and_nothing_is_told_where_nothing_changed(name: str, reference: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = power.run(WORLDS[name], reference, 1)
    starts = [first for first, last, _, family in found["incidents"] if last >= power.CHANGE]
    if name == "nothing":
        assert found["incidents"] == []
        assert found["verdict"].startswith("The model is all right by its labels")
    else:
        assert power.CHANGE <= min(starts) <= power.CHANGE + 2
        assert any(severity == "critical" for _, _, severity, _ in found["incidents"])


def test_more_positives_are_told_without_labels_as_a_shift_whose_kind_is_uncertain() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = power.run(WORLDS["more positives, no labels"], 40, 0)
    (first, _, severity, family) = found["incidents"][0]
    assert power.CHANGE <= first <= power.CHANGE + 3
    assert (severity, family) == ("warning", "drift")
    assert found["titles"][0].startswith("Accuracy would be ")
    assert "if the share of positives has moved" in found["titles"][0]
