"""Profiles forget one id, and nothing else."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from barograph.profiles.forget import forget, hash_of, holds
from barograph.profiles.profiles import Profiles
from barograph.reference.fit import fit
from barograph.reference.reference import Reference


@pytest.fixture(scope="module")
def reference(reference_events: pl.DataFrame) -> Reference:
    return fit(reference_events[:2000])


def test_samples_and_ids_are_those_of_the_other_rows(reference: Reference, reference_events: pl.DataFrame) -> None:
    rows = reference_events[3000:3300]
    id = rows["event_id"][77]
    whole = reference.profile(rows, chunk="1h")
    assert holds(whole, hash_of(id))
    assert not holds(whole, hash_of("nobody"))
    without = forget(whole, hash_of(id))
    assert not holds(without, hash_of(id))
    other = reference.profile(rows.filter(pl.col("event_id") != id), chunk="1h")
    assert len(other.samples) == len(without.samples)
    assert [s.to_bytes() for s in without.samples] == [s.to_bytes() for s in other.samples]
    assert [i.to_bytes() for i in without.ids] == [i.to_bytes() for i in other.ids]
    assert without.total().n == whole.total().n == 300  # what was counted stays counted
    again = Profiles.from_bytes(without.to_bytes(), reference.yardstick)
    assert not holds(again, hash_of(id))
    assert np.array_equal(again.tables["rows"], whole.tables["rows"])


def test_an_id_that_it_does_not_know_changes_nothing(reference: Reference, reference_events: pl.DataFrame) -> None:
    whole = reference.profile(reference_events[3000:3050], chunk="1d")
    assert forget(whole, hash_of("nobody")).to_bytes() == whole.to_bytes()
