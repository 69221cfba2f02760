"""A summary of one's own: declared under `@kept`, it is counted, merged, packed, and given to metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from barograph.errors import FormatError, SpecError
from barograph.metrics import Metric, catalogue
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.profiles.profiles import Profile, Profiles
from barograph.reference.fit import fit
from barograph.reference.measure import applies, is_per_column, kept_of, measure
from barograph.reference.reference import Reference
from barograph.sketches import kept as registry
from barograph.sketches.kept import Array, all_kept, kept, kept_named


@dataclass(frozen=True)
class Signs:
    """How many numbers are below zero, of how many, and the largest."""

    ARRAYS: ClassVar[Mapping[str, Array]] = {
        "counts": Array((2,)),
        "largest": Array((), np.float64, np.maximum),
    }
    below: int
    n: int
    largest: float

    @classmethod
    def wants(cls, column: str, *, feature: bool) -> bool:
        return feature

    @classmethod
    def count(cls, values: Any, group: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        known = (group >= 0) & np.isfinite(values)
        np.add.at(arrays["counts"], (group[known], (values[known] < 0).astype(int)), 1)
        np.maximum.at(arrays["largest"], group[known], values[known])

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        counts = arrays["counts"]
        return cls(int(counts[1]), int(counts.sum()), float(arrays["largest"]))


def share_below(current: Signs) -> Outcome:
    return Estimate(value=current.below / current.n, n=current.n) if current.n else Undefined("no numbers")


@pytest.fixture
def reference(reference_events: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Reference:
    all_kept()
    monkeypatch.setattr(registry, "_REGISTERED", {**registry._REGISTERED})
    assert kept(Signs) is Signs
    return fit(reference_events[:4_000], segments=["colour"])


def of_polars(frame: pl.DataFrame) -> Signs:
    x = frame["x"].drop_nulls()
    return Signs(int((x < 0).sum()), len(x), float(x.max()))  # type: ignore[arg-type]  # polars: any literal


def test_it_is_counted_merged_and_packed_as_the_others_are(
    reference: Reference, reference_events: pl.DataFrame
) -> None:
    current = reference_events[4_000:7_000]
    profiles = reference.profile(current[:1_000]).merge(reference.profile(current[1_000:]))
    again = Profiles.from_bytes(profiles.to_bytes(), Reference.from_bytes(reference.to_bytes()).yardstick)
    for found in (profiles, again):
        assert found.total().kept(Signs, "x") == of_polars(current)
        assert found.total("colour=red").kept(Signs, "x") == of_polars(current.filter(pl.col("colour") == "red"))
        assert found.total().kept(Signs, "colour") is None


def test_a_metric_asks_for_it_by_its_annotation(reference: Reference, reference_events: pl.DataFrame) -> None:
    model = next(iter(catalogue().values()))
    metric = replace(model, name="share_below", function=share_below)
    assert isinstance(metric, Metric)
    kept_of.cache_clear()
    assert is_per_column(metric)
    assert applies(metric, reference.yardstick, "x")
    assert not applies(metric, reference.yardstick, "colour")
    found = measure(metric, reference.profile(reference_events[4_000:]).total(), column="x")
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx((reference_events["x"][4_000:] < 0).mean())


def test_without_what_brings_it_the_error_says_so(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    data = reference.to_bytes()
    monkeypatch.setattr(registry, "_REGISTERED", {})
    monkeypatch.setattr(registry, "all_kept", dict)
    with pytest.raises(FormatError, match="keeps the summary 'Signs', which nothing that is installed brings"):
        kept_named("Signs")
    with pytest.raises(FormatError, match="'Signs'"):
        _ = Reference.from_bytes(data).total


def test_a_reference_of_before_keeps_what_it_kept(
    reference_events: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fit(reference_events[:1_000])
    all_kept()
    monkeypatch.setattr(registry, "_REGISTERED", {**registry._REGISTERED})
    kept(Signs)
    profile: Profile = before.profile(reference_events[1_000:2_000]).total()
    assert profile.kept(Signs, "x") is None


def test_a_name_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTERED", {})
    kept(Signs)
    other = type("Signs", (Signs,), {"__qualname__": "another.Signs"})
    with pytest.raises(SpecError, match="a summary 'Signs' already"):
        kept(other)
