"""How alarms on real streams are counted, and that neighbours get thresholds with as many early alarms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import streams

Floats = npt.NDArray[np.float64]


def found_in(onset: int | None, ours: list[int], z: Floats) -> streams.Found:
    return streams.Found(
        stream=streams.AIR,
        starts=[f"day {i}" for i in range(len(z))],
        reference=20,
        onset=onset,
        ours=ours,
        critical=[],
        others=0,
        z=z,
        titles=[],
        verdict="",
        seconds=0.0,
    )


def test_alarms_before_the_onset_are_early_and_the_first_from_it_on_tells() -> None:
    found = found_in(10, [2, 3, 8, 12, 13], np.zeros((20, 1)))
    assert streams.early(found, found.ours) == 2  # 2 and 3 are one
    assert streams.first_told(found, found.ours) == 12
    never = found_in(None, [2, 12], np.zeros((20, 1)))
    assert streams.early(never, never.ours) == 2
    assert streams.first_told(never, never.ours) is None


def test_neighbours_have_as_many_early_alarms_as_barograph() -> None:
    z = np.zeros((20, 2))
    z[3, 0], z[7, 1], z[12, 0] = 3.0, 5.0, 4.0
    found = found_in(10, [1], z)
    threshold = streams.threshold_of([found], streams.beyond, 1)
    assert threshold == pytest.approx(3.0, abs=0.051)
    assert streams.beyond(z, threshold) == [7, 12]
    assert streams.threshold_of([found], streams.beyond, 0) == pytest.approx(5.0, abs=0.051)


def test_a_cusum_sums_what_is_beyond_half_a_deviation_and_begins_again() -> None:
    z = np.full((10, 1), 1.5)
    assert streams.cusum(z, 2.5) == [2, 5, 8]


def test_log_losses_are_those_of_the_class_that_came() -> None:
    scores = {"a": np.array([0.9, 0.2]), "b": np.array([0.1, 0.8])}
    assert streams.log_losses(scores, np.array(["a", "a"])) == pytest.approx(-np.log([0.9, 0.2]))
