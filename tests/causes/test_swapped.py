"""Two columns that changed places are found; other traffic, and columns that are alike, are not taken for that."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import barograph
from barograph.causes.swapped import swapped
from barograph.reference.reference import Reference


def frame(n: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "balance": rng.lognormal(7.6, 0.7, n),
            "limit": rng.lognormal(8.6, 0.4, n),
            "one": rng.normal(size=n),
            "other": rng.normal(size=n),
            "kind": rng.choice(["a", "b"], n),
        }
    )


@pytest.fixture(scope="module")
def reference() -> Reference:
    return barograph.fit(frame(5_000, 1))


def found(reference: Reference, now: pl.DataFrame) -> dict[str, str]:
    return dict(swapped(reference, reference.profile(now).total()))


def test_both_are_named(reference: Reference) -> None:
    now = frame(1_000, 2).rename({"balance": "limit", "limit": "balance"})
    assert found(reference, now) == {"balance": "limit", "limit": "balance"}


def test_columns_that_are_alike_cannot_be_told_apart(reference: Reference) -> None:
    assert found(reference, frame(1_000, 3).rename({"one": "other", "other": "one"})) == {}


@pytest.mark.parametrize(
    "changed",
    [
        pl.col("balance") * 1.0,  # nothing
        pl.col("balance") * 30,  # another unit
        pl.col("limit").alias("balance"),  # a copy: the other one is where it was
    ],
)
def test_other_changes_are_none(reference: Reference, changed: pl.Expr) -> None:
    assert found(reference, frame(1_000, 4).with_columns(changed)) == {}


def test_few_rows_say_nothing(reference: Reference) -> None:
    assert found(reference, frame(20, 5).rename({"balance": "limit", "limit": "balance"})) == {}
