"""Whether the reference covers a window."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from barograph.estimation.calibration import calibrate
from barograph.estimation.support import support


def test_effective_share_is_that_of_the_weights() -> None:
    rng = np.random.default_rng(0)
    n, N = rng.integers(50, 500, (6, 10)), rng.integers(0, 4000, (6, 10))
    weights = np.repeat((N / n).ravel(), n.ravel())
    expected = weights.sum() ** 2 / (weights**2).sum() / n.sum()
    assert support(n, N).effective_share == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("n", [30, 300, 3000])
@pytest.mark.parametrize("n_reference", [2000, 100_000])
def test_a_window_like_the_reference_is_never_outside_experience(world: ModuleType, n: int, n_reference: int) -> None:
    rng = np.random.default_rng(n)
    calibration = calibrate(*world.binary(world.rows(rng, n_reference)))
    found = [calibration.support(world.binary(w)[0]) for w in world.windows(rng, 50, n)]
    assert [f.problem for f in found] == [None] * 50
    shares = [f.effective_share for f in found if f.effective_share is not None]
    # The reference's own thin cells cost something; concentration of small windows by chance does not.
    assert np.median(shares) > (0.5 if n_reference == 2000 else 0.9)


def test_a_window_of_unseen_kinds_is_outside_experience(world: ModuleType) -> None:
    rng = np.random.default_rng(1)
    drawn = world.rows(rng, 20_000)
    low = drawn.leaf < 6
    known = world.Rows(drawn.leaf[low], drawn.score[low], drawn.probability[low], drawn.label[low])
    calibration = calibrate(*world.binary(known))
    strange = world.rows(rng, 500)
    found = calibration.support(world.binary(strange)[0])
    assert found.unsupported_share == pytest.approx((strange.leaf >= 6).mean(), abs=0.02)
    assert found.problem is not None
    assert found.problem.startswith("outside experience: 2")


def test_a_narrow_window_needs_enough_reference_rows_of_its_kind(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    narrow = world.rows(rng, 3000, shift=-40.0)  # the first leaf only: an eighth of the reference
    few = calibrate(*world.binary(world.rows(rng, 1500, shift=0.3)))
    many = calibrate(*world.binary(world.rows(rng, 150_000, shift=0.3)))
    cells = world.binary(narrow)[0]
    assert str(few.support(cells).problem).startswith("outside experience")
    assert many.support(cells).problem is None


def test_empty_sides() -> None:
    nothing, some = np.zeros((2, 3), np.int64), np.full((2, 3), 100)
    assert support(some, nothing).effective_share is None
    assert support(nothing, some).problem == "the reference has no labelled rows"
