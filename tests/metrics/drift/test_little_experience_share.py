"""Rows of kinds of which there is little data."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from barograph.errors import MismatchError
from barograph.metrics.drift.little_experience_share import little_experience_share
from barograph.outcome import Estimate


def test_it_is_the_share_of_rows_in_thin_cells(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    drawn = world.rows(rng, 20_000)
    rare = drawn.leaf >= 6
    keep = ~rare | (np.cumsum(rare) <= 30)  # thirty rows of the last two leaves remain
    known = world.Rows(drawn.leaf[keep], drawn.score[keep], drawn.probability[keep], drawn.label[keep])
    now = world.rows(rng, 2000)
    found = little_experience_share(world.binary(known)[0], world.binary(now)[0])
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx((now.leaf >= 6).mean(), abs=0.03)
    assert little_experience_share(world.binary(known)[0], world.binary(now)[0], minimum=0).value == 0.0


def test_thin_cells_of_the_reference_itself_are_no_change(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    reference = world.binary(world.rows(rng, 3000))[0]
    found = [little_experience_share(reference, world.binary(w)[0]) for w in world.windows(rng, 200, 500)]
    values = [o.value for o in found if isinstance(o, Estimate)]
    null = found[0]
    assert isinstance(null, Estimate)
    assert null.null_mean is not None
    assert null.null_sd is not None
    assert 0.01 < null.null_mean < 0.99
    assert np.mean(values) == pytest.approx(null.null_mean, abs=3 * null.null_sd)
    assert np.std(values) == pytest.approx(null.null_sd, rel=0.3)


def test_tables_of_different_references_do_not_mix(world: ModuleType) -> None:
    cells, _ = world.binary(world.rows(np.random.default_rng(1), 100))
    other = type(cells)(
        predicted=cells.predicted, order=cells.order, first_fine=cells.first_fine, counts=cells.counts[:2]
    )
    with pytest.raises(MismatchError):
        little_experience_share(cells, other)
