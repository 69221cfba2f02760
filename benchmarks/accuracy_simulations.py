"""Studies in which the truth is known: injected concept drift, audits with few labels, labels that come late."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from accuracy_common import Estimating, fixed, percent, table
from barograph.arrays import Floats
from barograph.causes.decomposition import Decomposition, decompose
from barograph.causes.losses import accuracy_losses
from barograph.estimation.calibration import BinaryCalibration
from barograph.estimation.experience import When
from barograph.labels.audit import augmented_mean, propose_audit
from barograph.labels.blend import Cohort, blend, shift_of
from barograph.labels.delay import delay_curves
from barograph.outcome import Estimate
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.sketches.scores import ScoreTable
from estimators.isotonic import isotonic

SEED = 7
NOT_FEATURES = (
    "timestamp",
    "order",
    "year",
    "nannyml_split",
    "employed",
    "ref_model_probability",
    "ref_model_prediction",
)


def _acs(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame, Reference]:
    data = pl.read_parquet(folder / "acs_employment_ma.parquet").sort("order").drop("timestamp")
    known = data.filter(pl.col("nannyml_split") == "reference")
    features = [name for name in data.columns if name not in NOT_FEATURES]
    roles = {"label": "employed", "score": "ref_model_probability", "prediction": "ref_model_prediction"}
    fitted = fit(known, task="binary", features=features, seed=SEED, **roles)
    return known, data.filter(pl.col("nannyml_split") != "reference"), fitted


def _with_flips(frame: pl.DataFrame, share: float, youngest: int) -> pl.DataFrame:
    """Turn the labels of a share of the people in an age group of fifteen years: a change of the concept."""
    generator = np.random.default_rng(SEED + youngest)
    chosen = frame["age"].is_between(youngest, youngest + 14).to_numpy() & (generator.random(len(frame)) < share)
    return frame.with_columns(employed=pl.Series(np.where(chosen, 1 - frame["employed"], frame["employed"])))


def concept_section(folder: Path, every: int) -> str:
    """Return the section on telling covariate shift from concept drift."""
    _, later, fitted = _acs(folder)
    generator = np.random.default_rng(SEED)
    before = accuracy_losses(fitted.total.cells[0])
    rows = []
    for n in (2000, 10_000):
        errors, shared_errors, inside, true_effects = [], [], [], []
        for _ in range(60):
            # Covariate shift: ages and marital status are over- or under-represented by random slopes.
            slopes = generator.normal(size=2)
            tilt = slopes[0] * (later["age"].to_numpy() - 40) / 40 + slopes[1] * later["marital"].to_numpy() / 4
            weights = np.exp(tilt)
            chosen = generator.choice(len(later), n, p=weights / weights.sum())
            original = later[chosen]
            changed = _with_flips(original, generator.uniform(0, 0.5), int(generator.choice([20, 30, 40, 50])))
            right = original["ref_model_prediction"]
            truth = float((right == changed["employed"]).mean() - (right == original["employed"]).mean())  # type: ignore[operator]
            parts = decompose(before, accuracy_losses(fitted.profile(changed).total().cells[0]))
            assert isinstance(parts, Decomposition)
            errors.append(parts.concept.value - truth)
            shared_errors.append(parts.concept_on_shared.value - truth)
            assert parts.concept.lower is not None
            assert parts.concept.upper is not None
            inside.append(parts.concept.lower <= truth <= parts.concept.upper)
            true_effects.append(truth)
        rows.append(
            {
                "labels": f"{n:,}",
                "true effect on accuracy, mean and SD": f"{np.mean(true_effects):.4f}, {np.std(true_effects):.4f}",
                "MAE of the concept part": fixed(float(np.mean(np.abs(errors)))),
                "bias": fixed(float(np.mean(errors))),
                "coverage of its 95 % interval": percent(float(np.mean(inside))),
                "MAE on the shared support (DISDE)": fixed(float(np.mean(np.abs(shared_errors)))),
            }
        )
    return f"""## Concept drift told from covariate shift

ACS rows of 2016–2018, drawn with random slopes on age and marital status (covariate shift); the labels of up to half of
the people in an age group of fifteen years are turned (concept drift). 60 windows of each size.

{table(rows)}"""


def audit_section(folder: Path, every: int) -> str:
    """Return the section on audits."""
    known, later, _ = _acs(folder)
    calibrate = isotonic(known["ref_model_probability"].to_numpy(), known["employed"].to_numpy())
    quarters = later.filter(pl.col("order").is_between(202_404, 212_674))
    mixed = pl.concat([quarters, later.sample(len(quarters), seed=SEED)])
    rows = []
    for title, pool, share, youngest in (
        ("all; a fifth of those from 25 to 39 turned", later, 0.2, 25),
        ("half group quarters; an eighth of those from 16 to 30 turned", mixed, 0.125, 16),
    ):
        for size in (100, 500):
            rows.append({"rows": title, "labels": str(size), **_audited(pool, share, youngest, size, calibrate)})
    return f"""## Few labels, well chosen

Windows of 2,000 ACS rows of 2016–2018 with turned labels; the accuracy of one window is estimated from the labels of a
few of its rows. 3,000 draws over 60 windows.

{table(rows)}"""


def _audited(
    pool: pl.DataFrame, share: float, youngest: int, size: int, calibrate: Callable[[Floats], Floats]
) -> dict[str, str]:
    generator = np.random.default_rng(SEED)
    errors: dict[str, list[float]] = {"CBPE alone": [], "random labels": [], "audit sampler": []}
    inside = []
    for _ in range(60):
        window = _with_flips(pool[generator.choice(len(pool), 2000, replace=False)], share, youngest)
        loss = (window["ref_model_prediction"] != window["employed"]).cast(pl.Float64).to_numpy()
        p = calibrate(window["ref_model_probability"].to_numpy())
        wrong, truth = np.where(window["ref_model_prediction"].to_numpy() == 1, 1 - p, p), float(loss.mean())
        errors["CBPE alone"].append(float(wrong.mean()) - truth)
        for _ in range(50):
            errors["random labels"].append(float(loss[generator.choice(2000, size, replace=False)].mean()) - truth)
            audit = propose_audit(wrong, size, generator=generator)
            outcome = augmented_mean(wrong, audit.chosen, loss[audit.chosen], audit.propensities)
            assert isinstance(outcome, Estimate)
            errors["audit sampler"].append(outcome.value - truth)
            inside.append(outcome.lower <= truth <= outcome.upper)  # type: ignore[operator]  # enough labels
    row = {f"RMSE, {name}": fixed(float(np.sqrt(np.mean(np.square(e))))) for name, e in errors.items()}
    return {**row, "coverage of the audit's 95 % interval": percent(float(np.mean(inside)))}


COHORT_ROWS = 1500
COHORT_DAYS = 7.0


def delay_section(folder: Path, every: int) -> str:
    """Return the section on labels that come late, and positives earlier than negatives."""
    found: dict[str, list[tuple[float, float, float, bool]]] = {}
    for trial in range(12):
        _delay_trial(np.random.default_rng(SEED + trial), found)
    rows = []
    for name, values in found.items():
        error, recall_error, auc_error = (np.array([v[i] for v in values]) for i in range(3))
        rows.append(
            {
                "estimate": name,
                "MAE accuracy": fixed(float(np.nanmean(np.abs(error)))),
                "MAE recall": fixed(float(np.nanmean(np.abs(recall_error)))),
                "MAE share of positives": fixed(float(np.nanmean(np.abs(auc_error)))),
                "coverage accuracy": percent(float(np.mean([v[3] for v in values]))) if name == "blended" else "–",
            }
        )
    return f"""## Late labels, positives before negatives

Simulated weekly cohorts of {COHORT_ROWS} events. Positive labels come after 3 weeks on average, negative ones only
around 12 weeks; the log-odds of being positive drift by a random walk. Each trial looks at the 10 youngest cohorts at
one time; the delays are learned from all labels so far, the shift from these cohorts. 12 trials. *Oldest complete
cohort* takes the last cohort with all labels for the present one; *cells* know neither labels nor shift.

{table(rows)}"""


def _delay_trial(generator: np.random.Generator, found: dict[str, list[tuple[float, float, float, bool]]]) -> None:
    weeks = 40
    drift = np.cumsum(np.concatenate((np.zeros(20), generator.normal(0, 0.15, weeks - 20))))
    frames, times = [], []
    for week in range(weeks):
        x = generator.normal(size=(COHORT_ROWS, 4))
        logit = x @ np.array([1.0, 0.8, 0.5, 0.0]) - 1.0 + 0.4 * (x[:, 0] > 0) * x[:, 3]
        p = 1 / (1 + np.exp(-(logit + drift[week])))
        score = 1 / (1 + np.exp(-(x @ np.array([1.0, 0.8, 0.5, 0.0]) - 1.0)))
        y = generator.random(COHORT_ROWS) < p
        delay = np.where(y, generator.exponential(21, COHORT_ROWS), generator.normal(84, 10, COHORT_ROWS).clip(1))
        columns = {f"x{i}": x[:, i] for i in range(4)}
        frames.append(
            pl.DataFrame(
                {**columns, "score": score, "prediction": (score >= 0.5).astype(np.int8), "label": y.astype(np.int8)}
            )
        )
        times.append((week * COHORT_DAYS, delay))
    # The reference: the first 15 weeks, with all their labels.
    fitted = fit(
        pl.concat(frames[:15]), task="binary", label="label", score="score", prediction="prediction", seed=SEED
    )
    estimating = Estimating.of(fitted)
    calibration = estimating.calibration
    assert isinstance(calibration, BinaryCalibration)
    now = weeks * COHORT_DAYS
    age = [now - start - COHORT_DAYS / 2 for start, _ in times]
    arrived = [delay <= a for (_, delay), a in zip(times, age, strict=True)]
    delays = np.concatenate([delay[known] for (_, delay), known in zip(times, arrived, strict=True)])
    labels = np.concatenate([frame["label"].to_numpy()[known] for frame, known in zip(frames, arrived, strict=True)])
    waiting = np.concatenate([np.full(int((~known).sum()), a) for known, a in zip(arrived, age, strict=True)])
    curves = delay_curves(delays, labels == 1, waiting, never=0.0)
    cohorts, seen = [], list(range(weeks - 10, weeks))
    for week in seen:
        label = frames[week]["label"].to_numpy().astype(np.float64)
        masked = frames[week].with_columns(
            label=pl.Series([int(v) if k else None for v, k in zip(label, arrived[week], strict=True)], dtype=pl.Int8)
        )
        profile = fitted.profile(masked).total()
        assert isinstance(profile.outcomes, ScoreTable)
        cohorts.append(Cohort(cells=profile.cells[0], scores=profile.outcomes, age=age[week]))
    complete = max(week for week in range(weeks) if arrived[week].mean() > 0.99)
    for i, week in enumerate(seen):
        truth, when = _metrics(frames[week]), When((week + 0.5) / 15, 1 / 15)
        shift = shift_of(calibration, cohorts[max(0, i - 2) : i + 1], curves)
        blended = blend(calibration, cohorts[i], curves, shift, out_of_time=estimating.out_of_time(when)).outcomes
        cells = estimating.estimate(fitted.profile(frames[week].drop("label")).total(), when).outcomes
        opinions = {
            "blended": _three(blended),
            "labels so far": _metrics(frames[week].filter(pl.Series(arrived[week]))),
            "oldest complete cohort": _metrics(frames[complete]),
            "cells": _three(cells),
        }
        accuracy = blended["accuracy"]
        inside = isinstance(accuracy, Estimate) and accuracy.lower <= truth[0] <= accuracy.upper  # type: ignore[operator]
        for name, opinion in opinions.items():
            gaps = [a - b for a, b in zip(opinion, truth, strict=True)]
            found.setdefault(name, []).append((gaps[0], gaps[1], gaps[2], bool(inside)))


def _metrics(frame: pl.DataFrame) -> tuple[float, float, float]:
    """Return accuracy, recall and the share of positives of labelled rows; NaN where there is none."""
    label, prediction = frame["label"].to_numpy(), frame["prediction"].to_numpy()
    if not len(label):
        return (np.nan, np.nan, np.nan)
    positives = label == 1
    recall = float((prediction[positives] == 1).mean()) if positives.any() else np.nan
    return float((label == prediction).mean()), recall, float(positives.mean())


def _three(outcomes: dict[str, object]) -> tuple[float, float, float]:
    values = {name: o.value if isinstance(o, Estimate) else np.nan for name, o in outcomes.items()}
    return values["accuracy"], values["recall"], values["true_positive_share"] + values["false_negative_share"]
