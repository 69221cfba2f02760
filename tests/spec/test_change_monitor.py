"""One monitor is watched in another way, and all others as before."""

from __future__ import annotations

import polars as pl
import pytest

from barograph.checks.spec_check import plan_of
from barograph.monitors.monitor import Monitor
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.spec.change_monitor import change_monitor
from barograph.spec.file import ModelSpec, MonitorSpec
from logged import events


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit(events(2000, seed=1).with_columns(y=pl.col("x") * 2), task="binary", label="label")


def planned(reference: Reference, spec: ModelSpec) -> dict[str, Monitor]:
    return {one.name: one for one in plan_of(spec).monitors(reference.yardstick)}


ASKED = [
    (),
    (MonitorSpec(metric="kolmogorov_smirnov", hold=2),),
    (MonitorSpec(metric="kolmogorov_smirnov", columns=("x", "y"), tolerance=0.3),),
    (MonitorSpec(metric="kolmogorov_smirnov", columns=("y",), off=True), MonitorSpec(metric="psi")),
]


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("change", [{"hold": 5}, {"tolerance": 0.7}, {"weight": 3.0}, {"off": True}])
def test_only_the_one_is_watched_otherwise(reference: Reference, asked: tuple[MonitorSpec, ...], change: dict) -> None:
    before = ModelSpec(monitors=asked)
    old = planned(reference, before)
    name = "drift.kolmogorov_smirnov.x"
    new = planned(
        reference,
        change_monitor(
            before,
            metric="kolmogorov_smirnov",
            column="x",
            segment=None,
            columns=[m.column for m in old.values() if m.metric.name == "kolmogorov_smirnov" and m.column],
            is_default=name in planned(reference, ModelSpec()),
            **change,
        ),
    )
    assert {key: one for key, one in old.items() if key != name} == {k: v for k, v in new.items() if k != name}
    if change.get("off"):
        assert name not in new
        return
    for key, value in change.items():
        assert getattr(new[name], key) == value
    kept = {"hold", "tolerance"} - set(change)
    assert {key: getattr(new[name], key) for key in kept} == {key: getattr(old[name], key) for key in kept}


def test_what_only_a_specification_asks_for_is_off_when_its_table_is_gone(reference: Reference) -> None:
    spec = ModelSpec(monitors=(MonitorSpec(metric="psi", columns=("x",), hold=1),))
    same = {"metric": "psi", "column": "x", "segment": None, "columns": ["x"], "off": True}
    assert change_monitor(spec, is_default=False, **same).monitors == ()
