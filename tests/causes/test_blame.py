"""Which broken column a loss can be blamed on: the one that the model needs, by the rows that do not lack it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import barograph
from barograph.causes.blame import LEAST_USE, blame_of, repaired_part, use_of
from barograph.reference.reference import Reference

ROLES = {"label": "label", "score": "score", "prediction": "prediction", "features": ["needed", "other", "kind"]}


def rows(n: int, seed: int, *, lost: str | None = None, share: float = 0.3, flipped: float = 0.0) -> pl.DataFrame:
    """Return rows of a model that needs one column; what is missing is taken for 0, labels are flipped at random."""
    rng = np.random.default_rng(seed)
    needed, other = rng.normal(size=(2, n))
    label = rng.random(n) < 1 / (1 + np.exp(-3 * needed))
    label ^= rng.random(n) < flipped
    gone = rng.random(n) < share
    seen = np.where(gone, 0.0, needed) if lost == "needed" else needed
    score = 1 / (1 + np.exp(-3 * seen - (gone & (lost == "needed"))))
    columns = {"needed": needed, "other": other}
    frame = pl.DataFrame({**columns, "kind": rng.choice(["a", "b", "c"], n), "score": score})
    frame = frame.with_columns(prediction=(pl.col("score") >= 0.5).cast(pl.Int64), label=pl.Series(label.astype(int)))
    return frame if lost is None else frame.with_columns(pl.when(pl.Series(~gone)).then(pl.col(lost)).alias(lost))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return barograph.fit(rows(20_000, 1), task="binary", **ROLES)


def test_the_partition_uses_what_tells_the_label(reference: Reference) -> None:
    use = use_of(reference)
    assert sum(use.values()) == pytest.approx(1.0)
    assert use["needed"] > 0.95
    assert max(use["other"], use["kind"]) < LEAST_USE


def test_without_a_cut_nothing_is_known_of_use() -> None:
    few = barograph.fit(rows(30, 1), task="binary", **ROLES)
    assert use_of(few) == {}
    assert blame_of(few, few.profile(rows(2_000, 2)).total(), "other") is None


def test_a_column_whose_loss_spares_the_other_rows_is_to_blame(reference: Reference) -> None:
    profile = reference.profile(rows(1_000, 2, lost="needed", share=0.5)).total()
    assert blame_of(reference, profile, "needed") == pytest.approx(1.0, abs=0.25)


def test_a_column_that_went_missing_beside_a_loss_is_not(reference: Reference) -> None:
    profile = reference.profile(rows(1_000, 3, lost="other", flipped=0.2)).total()
    found = repaired_part(reference, profile, "other")
    assert found is not None
    assert found < 0.3


def test_where_nothing_is_lost_use_decides(reference: Reference) -> None:
    profile = reference.profile(rows(1_000, 4, lost="other")).total()
    assert repaired_part(reference, profile, "other") is None
    assert blame_of(reference, profile, "other") == 0.0
    whole = reference.profile(rows(1_000, 5, lost="needed", share=1.0)).total()  # no row is left to compare with
    assert blame_of(reference, whole, "needed") is None


def test_the_columns_of_the_model_itself_are_not_blamed(reference: Reference) -> None:
    profile = reference.profile(rows(1_000, 6, flipped=0.2)).total()
    assert blame_of(reference, profile, "score") is None


def test_the_use_by_a_regression() -> None:
    rng = np.random.default_rng(7)
    x, other = rng.normal(size=(2, 8_000))
    frame = pl.DataFrame({"x": x, "other": other, "prediction": x, "label": x + rng.normal(size=8_000) * np.exp(x)})
    found = barograph.fit(frame, task="regression", label="label", prediction="prediction", features=["x", "other"])
    assert use_of(found)["x"] > 0.9
