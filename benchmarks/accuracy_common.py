"""What the studies of accuracy share: realised metrics, tables, and references made ready to estimate from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from barograph.arrays import Floats
from barograph.estimation.calibration import BinaryCalibration, calibrate
from barograph.estimation.classes import ClassesCalibration, calibrate_classes
from barograph.estimation.estimate import Estimated, OutOfTime, estimate_binary, estimate_classes, estimate_regression
from barograph.estimation.experience import Experience, When, learn
from barograph.estimation.out_of_time import residuals
from barograph.estimation.regression import RegressionCalibration, calibrate_regression
from barograph.metrics import catalogue
from barograph.monitors.timeline import Timeline
from barograph.outcome import Estimate, Outcome
from barograph.profiles.profiles import Profile
from barograph.reference.reference import Reference
from barograph.sketches.cells import RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable

Calibration = BinaryCalibration | ClassesCalibration | RegressionCalibration


@dataclass(frozen=True, slots=True)
class Estimating:
    """A reference's calibration, and what its history says of other times."""

    calibration: Calibration
    experience: Experience | None
    timeline: Timeline

    @classmethod
    def of(cls, reference: Reference) -> Estimating:
        outcomes, cells = reference.total.outcomes, reference.total.cells
        calibration: Calibration
        match outcomes:
            case ScoreTable():
                calibration = calibrate(cells[0], outcomes)
            case ClassTables():
                calibration = calibrate_classes(cells, outcomes)
            case RegressionCells():
                calibration = calibrate_regression(outcomes)
            case _:
                raise TypeError("the reference has no predictions")
        blocks = [(profile.cells, profile.outcomes) for profile in reference.blocks.select()]
        timeline = Timeline.of(reference)
        return cls(calibration, learn(residuals(blocks, timeline.blocks)), timeline)

    def estimates(self, profiles: Sequence[Profile]) -> list[Estimated]:
        """Return the estimates of profiles that follow each other."""
        places = self.timeline.places(profiles)
        return [self.estimate(profile, places[profile.chunk.key]) for profile in profiles]

    def out_of_time(self, when: When) -> OutOfTime:
        """Return what is added to a window at that time."""
        return lambda found: self.experience.excess(found, when) if self.experience is not None else {}

    def estimate(self, profile: Profile, when: When) -> Estimated:
        """Return the estimates of a profile."""
        outcomes, added = profile.outcomes, self.out_of_time(when)
        match self.calibration, outcomes:
            case BinaryCalibration() as calibration, ScoreTable():
                return estimate_binary(calibration, profile.cells[0], outcomes, out_of_time=added)
            case ClassesCalibration() as calibration, ClassTables():
                return estimate_classes(calibration, profile.cells, outcomes, out_of_time=added)
            case RegressionCalibration() as calibration, RegressionCells():
                return estimate_regression(calibration, outcomes, out_of_time=added)
        raise TypeError("the profile belongs to another task")


def realised(profile: Profile, name: str) -> float:
    """Return a metric of the labels, NaN where there is none."""
    outcome = catalogue()["performance", name].function(profile.outcomes)
    return outcome.value if isinstance(outcome, Estimate) else float("nan")


@dataclass(frozen=True, slots=True)
class Score:
    """How a series of estimates did."""

    mae: float
    bias: float
    coverage: float
    rmse_over_se: float
    estimated: int


def score(outcomes: Sequence[Outcome | None], truth: Floats, *, n: int) -> Score:
    """Compare estimates with what the labels showed; chunks without one of them are left out."""
    pairs = [(o, t) for o, t in zip(outcomes, truth, strict=True) if isinstance(o, Estimate) and np.isfinite(t)]
    if not pairs:
        return Score(*[float("nan")] * 4, 0)
    error = np.array([o.value - t for o, t in pairs])
    true = np.array([t for _, t in pairs])
    inside = [o.lower <= t <= o.upper for o, t in pairs if o.lower is not None and o.upper is not None]
    se = np.sqrt(np.mean(true * (1 - true)) / n) if ((true >= 0) & (true <= 1)).all() else np.nan
    return Score(
        mae=float(np.abs(error).mean()),
        bias=float(error.mean()),
        coverage=float(np.mean(inside)) if inside else float("nan"),
        rmse_over_se=float(np.sqrt(np.mean(error**2)) / se),
        estimated=len(pairs),
    )


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as a Markdown table; columns are those of the first row."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def fixed(value: float, digits: int = 4) -> str:
    """Return a number with a fixed number of digits, a dash for NaN."""
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{value:.1%}" if np.isfinite(value) else "–"


def features_as_numbers(frame: pl.DataFrame, *, like: pl.DataFrame) -> Floats:
    """Return features as numbers: categories as their rank by frequency in `like` (the first 200), nulls as NaN."""
    columns = []
    for name, kind in like.schema.items():
        if kind == pl.String:
            order = like[name].drop_nulls().value_counts(sort=True)[name].head(200).to_list()
            rank = {value: float(i) for i, value in enumerate(order)}
            columns.append(frame[name].replace_strict(rank, default=None, return_dtype=pl.Float64).to_numpy())
        else:
            columns.append(frame[name].cast(pl.Float64).to_numpy())
    return np.column_stack(columns).astype(np.float64)
