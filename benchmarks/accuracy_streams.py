"""Estimates on streams with real drift, and whether arrived labels contradict them: three models on five data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # scikit-learn models are untyped

import numpy as np
import polars as pl
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from accuracy_common import Estimating, features_as_numbers, fixed, percent, realised, score, table
from barograph.arrays import Floats
from barograph.estimation.calibration import BinaryCalibration
from barograph.estimation.classes import ClassesCalibration
from barograph.estimation.regression import RegressionCalibration
from barograph.labels.residuals import Residuals, binary_residuals, class_residuals, regression_residuals
from barograph.labels.self_audit import SelfAudit, compare, widen
from barograph.labels.trust import Watch, start_watch, watch
from barograph.outcome import Estimate, Outcome
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.sketches.cells import RegressionCells

SEED = 0


@dataclass(frozen=True, slots=True)
class Stream:
    """A data set in the order of time, cut into the first rows (model), the next (reference) and the rest."""

    name: str
    label: str
    features: tuple[str, ...]
    train: float
    reference: float
    chunk: int
    batch: int  # labels that arrive together


FLIGHTS = [
    "carrier",
    "origin",
    "dest",
    "sched_dep_time",
    "sched_arr_time",
    "distance",
    "plane_year",
    "plane_seats",
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "precip",
    "pressure",
    "visib",
]
INCIDENT = [
    "contact_type",
    "opened_by",
    "location",
    "category",
    "subcategory",
    "symptom",
    "impact",
    "urgency",
    "priority",
    "assignment_group",
    "assigned_to",
    "knowledge_used",
    "priority_confirmed",
    "notify",
]
BINARY = (
    Stream("flights_nyc13", "arr_del15", tuple(FLIGHTS), 0.25, 0.2, 2000, 200),
    Stream(
        "elec2",
        "label_up",
        ("day_of_week", "period", "nswdemand", "vicprice", "vicdemand", "transfer"),
        0.2,
        0.2,
        1000,
        100,
    ),
    Stream("incident_log", "sla_breached", tuple(INCIDENT), 0.2, 0.15, 1000, 100),
)
REGRESSION = (
    Stream(
        "bike_sharing_hour",
        "count",
        ("season", "hour", "holiday", "weekday", "workingday", "weathersit", "temp", "atemp", "humidity", "windspeed"),
        0.25,
        0.15,
        500,
        100,
    ),
    Stream(
        "beijing_air",
        "pm25",
        ("temp", "pressure", "dew_point", "rain", "wind_dir", "wind_speed", "so2", "no2", "co", "o3", "station"),
        0.25,
        0.25,
        5000,
        1000,
    ),
)


def _classifiers() -> Iterator[tuple[str, Any]]:
    linear = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=300))
    forest = RandomForestClassifier(100, min_samples_leaf=5, random_state=SEED)
    yield "logistic regression", linear
    yield "gradient boosting", HistGradientBoostingClassifier(random_state=SEED)
    yield "random forest", make_pipeline(SimpleImputer(), forest)


def _regressors() -> Iterator[tuple[str, Any]]:
    forest = RandomForestRegressor(50, min_samples_leaf=5, max_samples=0.3, random_state=SEED)
    yield "ridge", make_pipeline(SimpleImputer(), StandardScaler(), Ridge())
    yield "gradient boosting", HistGradientBoostingRegressor(random_state=SEED)
    yield "random forest", make_pipeline(SimpleImputer(), forest)


def section(folder: Path, every: int) -> str:
    """Return the section of the page."""
    binary = [row for stream in BINARY for row in _study(folder, stream, _classifiers, METRICS_BINARY)]
    regression = [row for stream in REGRESSION for row in _study(folder, stream, _regressors, METRICS_REGRESSION)]
    batches = ", ".join(f"{s.batch} ({s.name})" for s in (*BINARY, *REGRESSION))
    return f"""## Streams with real drift

The model is fitted on the first part of the stream and stays as it is, the reference is the part after it; both are
left out of the figures. Much of the drift here is concept drift, which no estimate without labels can see. What counts
is that the labels say so: *contradicted after* is the number of labels until the trust state turns (labels arrive in
order, in batches of
{batches}),
at a guaranteed mean of 100,000 labels until a false one. *Δ error at
that time* is the realised less the expected error rate (or mean absolute error) of the labels up to then. *Coverage* is
of the published intervals, first as estimated, then with the adaptive widening that compares each with its labels one
chunk later.

**Binary**

{table(binary)}
**Regression**

{table(regression)}"""


METRICS_BINARY = ("accuracy", "roc_auc", "f1")
METRICS_REGRESSION = ("mae", "rmse", "r2")


def _study(
    folder: Path, stream: Stream, models: Callable[[], Iterator[tuple[str, Any]]], metrics: tuple[str, ...]
) -> Iterator[dict[str, str]]:
    data = pl.read_parquet(folder / f"{stream.name}.parquet")
    data = data.drop_nulls(stream.label).sort("timestamp", maintain_order=True)
    n = len(data)
    cuts = [round(n * stream.train), round(n * (stream.train + stream.reference))]
    train, reference = data[: cuts[0]], data[cuts[0] : cuts[1]]
    later = data[cuts[1] :]
    names = list(stream.features)
    x = features_as_numbers(train.select(names), like=train.select(names))
    y = train[stream.label].cast(pl.Float64).to_numpy()
    for title, model in models():
        model.fit(x, y)
        known, new = (_scored(part, stream, model, train.select(names)) for part in (reference, later))
        roles: dict[str, Any] = {"label": "label", "prediction": "prediction", "features": names}
        if "score" in known.columns:
            roles |= {"task": "binary", "score": "score"}
        else:
            roles |= {"task": "regression"}
        fitted = fit(known, seed=SEED, **roles)
        yield {"data": stream.name, "model": title, **_figures(fitted, known, new, stream, metrics)}


def _scored(frame: pl.DataFrame, stream: Stream, model: Any, like: pl.DataFrame) -> pl.DataFrame:
    x = features_as_numbers(frame.select(like.columns), like=like)
    out = frame.select(like.columns)
    label = frame[stream.label]
    if hasattr(model, "predict_proba"):
        s = model.predict_proba(x)[:, 1].astype(np.float64)
        outputs = {"score": s, "prediction": (s >= 0.5).astype(np.int8), "label": label.cast(pl.Int8)}
    else:
        outputs = {"prediction": model.predict(x).astype(np.float64), "label": label.cast(pl.Float64)}
    return out.with_columns(**{name: pl.Series(name, values) for name, values in outputs.items()})


def _figures(
    fitted: Reference, known: pl.DataFrame, new: pl.DataFrame, stream: Stream, metrics: tuple[str, ...]
) -> dict[str, str]:
    estimating = Estimating.of(fitted)
    profiles = [p for p in fitted.profile(new, chunk=f"{stream.chunk}rows").select() if p.n == stream.chunk]
    outcomes = [e.outcomes for e in estimating.estimates(profiles)]
    truth = {m: np.array([realised(p, m) for p in profiles]) for m in metrics}
    scores = {m: score([o[m] for o in outcomes], truth[m], n=stream.chunk) for m in metrics}
    widened = {m: _with_widening([o[m] for o in outcomes], truth[m]) for m in metrics}
    refused = sum(not isinstance(o[metrics[0]], Estimate) for o in outcomes)
    state, residual = _watched(fitted, estimating, known, new, stream)
    before = realised(fitted.total, metrics[0])
    after = (
        f"{state.contradicted_after:,} of {state.labels:,}" if state.contradicted_after else f"never ({state.labels:,})"
    )
    return {
        "reference → later, "
        + metrics[0]: f"{before:.3g} → {np.nanmin(truth[metrics[0]]):.3g} … {np.nanmax(truth[metrics[0]]):.3g}",
        "MAE of " + " / ".join(metrics): " / ".join(fixed(scores[m].mae, 3) for m in metrics),
        "coverage as estimated": " / ".join(percent(scores[m].coverage) for m in metrics),
        "coverage as published": " / ".join(percent(widened[m]) for m in metrics),
        "refused": f"{refused} of {len(profiles)}",
        "contradicted after": after,
        "Δ error at that time": fixed(residual, 3),
    }


def _with_widening(outcomes: list[Outcome], truth: Floats) -> float:
    """Return the coverage of the intervals as they would have been published, each audited one chunk later."""
    audit, held = SelfAudit(), []
    for outcome, true in zip(outcomes, truth, strict=True):
        if isinstance(outcome, Estimate) and np.isfinite(true):
            published = widen(outcome, audit, bounds=(-np.inf, np.inf))
            audit = compare(audit, published, float(true))
            held.append(audit.held[-1])
    return float(np.mean(held)) if held else float("nan")


def _watched(
    fitted: Reference, estimating: Estimating, known: pl.DataFrame, new: pl.DataFrame, stream: Stream
) -> tuple[Watch, float]:
    """Feed the labels in batches; return the state at the end, and the mean residual up to the contradiction."""
    state = start_watch(list(_residuals(fitted, estimating, known, stream)))
    gap, seen = 0.0, 0
    for number, residuals in enumerate(_residuals(fitted, estimating, new, stream)):
        if state.contradicted_after is None:
            groups = 1 if residuals.same_rows else len(residuals.rows)
            gap += float((residuals.realised - residuals.expected)[:groups].sum())
            seen += int(residuals.rows[:groups].sum())
        state = watch(state, residuals, chunk=number)
    return state, gap / seen


def _residuals(fitted: Reference, estimating: Estimating, rows: pl.DataFrame, stream: Stream) -> Iterator[Residuals]:
    for part in rows.iter_slices(stream.batch * 100):  # profiles of many small chunks are large
        for profile in fitted.profile(part, chunk=f"{stream.batch}rows").select():
            match estimating.calibration, profile.outcomes:
                case BinaryCalibration() as binary, _:
                    yield binary_residuals(binary, profile.cells[0])
                case ClassesCalibration() as classes, _:
                    yield class_residuals(classes, profile.cells)
                case RegressionCalibration() as regression, RegressionCells() as cells:
                    yield regression_residuals(regression, cells)


def classes_section(folder: Path, every: int) -> str:
    """Return the section on a model of several classes."""
    data = pl.read_parquet(folder / "football_results.parquet").drop_nulls("outcome").sort("timestamp")
    names = ["tournament", "neutral", "elo_home", "elo_away", "rest_days_home", "rest_days_away"]
    year = pl.col("timestamp").dt.year()
    train, reference, later = (
        data.filter(year < 1995),
        data.filter(year.is_between(1995, 2004)),
        data.filter(year > 2004),
    )
    like = train.select(names)
    model = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.05, random_state=SEED)
    model.fit(features_as_numbers(like, like=like), train["outcome"].to_numpy())

    def scored(frame: pl.DataFrame) -> pl.DataFrame:
        p = model.predict_proba(features_as_numbers(frame.select(names), like=like))
        columns = {f"score_{name}": p[:, i] for i, name in enumerate(model.classes_)}
        prediction = pl.Series("prediction", model.classes_[p.argmax(axis=1)])
        chosen = frame.select(*names, "timestamp", pl.col("outcome").alias("label"))
        return chosen.with_columns(prediction, **{k: pl.Series(k, v) for k, v in columns.items()})

    fitted = fit(scored(reference), task="multiclass", features=names, timestamp="timestamp", seed=SEED)
    estimating = Estimating.of(fitted)
    rows, kept = [], {m: ([], []) for m in ("accuracy", "log_loss", "roc_auc", "f1")}
    profiles = list(fitted.profile(scored(later), chunk="1y").select())
    for profile, estimated in zip(profiles, estimating.estimates(profiles), strict=True):
        outcomes = estimated.outcomes
        row = {"year": profile.chunk.key, "matches": str(profile.n)}
        for m in kept:
            outcome, true = outcomes[m], realised(profile, m)
            kept[m][0].append(outcome)
            kept[m][1].append(true)
            if isinstance(outcome, Estimate) and m in ("accuracy", "log_loss"):
                row[f"{m}: estimated"] = f"{outcome.value:.3f} ({outcome.lower:.3f} to {outcome.upper:.3f})"
                row[f"{m}: realised"] = fixed(true, 3)
        rows.append(row)
    summary = []
    for m, (outcomes_of_m, true) in kept.items():
        s = score(outcomes_of_m, np.array(true), n=800)
        summary.append({"metric": m, "MAE": fixed(s.mae), "bias": fixed(s.bias), "coverage": percent(s.coverage)})
    return f"""## Several classes: football results by year

`football_results` (home, draw, away): gradient boosting fitted on matches before 1995, reference 1995–2004, then year
by year. Covariate shift without loss of performance.

{table(rows)}
{table(summary)}"""
