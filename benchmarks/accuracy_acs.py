"""Estimated accuracy, ROC AUC and F1 on ACS employment (Massachusetts, 2015 to 2018), by estimator."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from accuracy_common import Estimating, fixed, percent, realised, score, table
from barograph.outcome import Estimate, Outcome
from barograph.reference.fit import fit
from estimators.atc import atc
from estimators.cbpe import cbpe
from estimators.cot import cot
from estimators.density_ratio import density_ratio
from estimators.dle import dle
from estimators.doc import doc
from estimators.importance_weighting import importance_weighting
from estimators.label_shift import label_shift
from estimators.pape import pape
from estimators.rows import Estimator, Rows

CHUNK = 2000
METRICS = ("accuracy", "roc_auc", "f1")
NOT_FEATURES = (
    "timestamp",
    "order",
    "year",
    "nannyml_split",
    "employed",
    "ref_model_probability",
    "ref_model_prediction",
)
SEED = 20150101


class _Ratio:
    """The density ratio of each chunk, computed once for the two estimators that use it, with its CPU time."""

    def __init__(self) -> None:
        self.generator = np.random.default_rng(SEED)
        self.known: dict[bytes, npt.NDArray[np.float64]] = {}
        self.seconds: list[float] = []

    def __call__(self, reference: npt.NDArray[np.float64], current: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        key = current.tobytes()
        if key not in self.known:
            start = time.process_time()
            self.known = {key: density_ratio(reference, current, generator=self.generator)}
            self.seconds.append(time.process_time() - start)
        return self.known[key]


def section(folder: Path, every: int) -> str:
    """Return the section of the page."""
    data = pl.read_parquet(folder / "acs_employment_ma.parquet").sort("order")
    reference = data.filter(pl.col("nannyml_split") == "reference")
    later = data.filter(pl.col("nannyml_split") != "reference")
    # A control: within each year the rows in random order, so that nothing but sampling differs between chunks.
    shuffled = pl.concat([part.sample(fraction=1, shuffle=True, seed=SEED) for part in later.partition_by("year")])
    text = """## Binary, against other estimators: ACS employment

`acs_employment_ma`: the scores that come with the data, 68,785 reference rows (2015), chunks of 2,000 rows of
2016–2018. In file order, 10,271 consecutive rows are people in group quarters only, where ROC AUC falls from 0.905 to
0.81; within years, rows are in random order. Refused chunks ("outside experience") are left out of a row. CPU is of one
core and one chunk, the reading of its rows included for the cells; what is learned once from the reference is not in
it.

"""
    for title, frame in (("File order", later), ("Random order within years", shuffled)):
        text += f"**{title}**\n\n" + table(_study(reference, frame, every)) + "\n"
    return text


def _study(reference: pl.DataFrame, later: pl.DataFrame, every: int) -> list[dict[str, str]]:
    features = [name for name in reference.columns if name not in NOT_FEATURES]
    fitted = fit(
        reference.drop("timestamp"),
        task="binary",
        label="employed",
        score="ref_model_probability",
        prediction="ref_model_prediction",
        features=features,
    )
    estimating = Estimating.of(fitted)
    later = later.head(len(later) // CHUNK * CHUNK).drop("timestamp")
    truth_profiles = list(fitted.profile(later, chunk=f"{CHUNK}rows").select())
    truth = {name: np.array([realised(p, name) for p in truth_profiles]) for name in METRICS}

    fitted.profile(later.head(CHUNK).drop("employed"), chunk=f"{CHUNK}rows")  # compile
    start = time.process_time()
    profiles = list(fitted.profile(later.drop("employed"), chunk=f"{CHUNK}rows").select())
    outcomes = [e.outcomes for e in estimating.estimates(profiles)]
    cpu = (time.process_time() - start) / len(profiles)
    rows = [_row("**cells**", {m: [o[m] for o in outcomes] for m in METRICS}, truth, cpu)]

    chunks = [_rows(part, features) for part in later.iter_slices(CHUNK)]
    known = _rows(reference, features)
    generator = np.random.default_rng(SEED)
    ratio = _Ratio()
    quick: dict[str, Estimator] = {
        "CBPE": cbpe(known),
        "DLE": dle(known, generator=generator),
        "label shift": label_shift(known),
        "ATC": atc(known),
        "DoC": doc(known),
        "COT": cot(known),
    }
    slow: dict[str, Estimator] = {
        "PAPE": pape(known, generator=generator, weigh=ratio),
        "IW": importance_weighting(known, generator=generator, weigh=ratio),
    }
    for name, estimator in quick.items():
        rows.append(_measure(name, estimator, chunks, truth))
    some = np.arange(0, len(chunks), every)
    few = {name: values[some] for name, values in truth.items()}
    slow_rows = _measure_together(slow, [chunks[i] for i in some], few, ratio)
    if every > 1:
        subset = {m: [outcomes[i][m] for i in some] for m in METRICS}
        slow_rows.insert(0, _row(f"cells, every {every}th chunk", subset, few, cpu))
    rows += slow_rows
    constant = {name: realised(fitted.total, name) for name in METRICS}
    values: dict[str, list[Outcome]] = {m: [Estimate(value=constant[m], n=CHUNK)] * len(profiles) for m in METRICS}
    return [*rows, _row("constant (reference)", values, truth, 0.0)]


def _rows(frame: pl.DataFrame, features: list[str]) -> Rows:
    return Rows(
        features=frame.select(features).to_numpy().astype(np.float64),
        score=frame["ref_model_probability"].to_numpy().astype(np.float64),
        prediction=frame["ref_model_prediction"].to_numpy().astype(np.float64),
        label=frame["employed"].to_numpy().astype(np.float64),
    )


def _measure(
    name: str, estimator: Callable[[Rows], object], chunks: list[Rows], truth: dict[str, npt.NDArray[np.float64]]
) -> dict[str, str]:
    start = time.process_time()
    found = [estimator(chunk) for chunk in chunks]
    cpu = (time.process_time() - start) / len(chunks)
    return _row(name, {m: [f.get(m) for f in found] for m in METRICS}, truth, cpu)  # type: ignore[attr-defined]


def _measure_together(
    estimators: dict[str, Estimator], chunks: list[Rows], truth: dict[str, npt.NDArray[np.float64]], ratio: _Ratio
) -> list[dict[str, str]]:
    """Measure estimators that share the density ratio, whose time counts for each of them."""
    found: dict[str, list[object]] = {name: [] for name in estimators}
    seconds = dict.fromkeys(estimators, 0.0)
    for chunk in chunks:
        for name, estimator in estimators.items():
            before, start = sum(ratio.seconds), time.process_time()
            found[name].append(estimator(chunk))
            seconds[name] += time.process_time() - start - (sum(ratio.seconds) - before)
    shared = sum(ratio.seconds)
    return [
        _row(
            name,
            {m: [f.get(m) for f in found[name]] for m in METRICS},  # type: ignore[attr-defined]
            truth,
            (seconds[name] + shared) / len(chunks),
        )
        for name in estimators
    ]


def _row(
    name: str, outcomes: dict[str, list[Outcome | None]], truth: dict[str, npt.NDArray[np.float64]], cpu: float
) -> dict[str, str]:
    scores = {m: score(outcomes[m], truth[m], n=CHUNK) for m in METRICS}
    return {
        "estimator": name,
        "chunks": str(scores["accuracy"].estimated),
        "MAE accuracy": fixed(scores["accuracy"].mae, 5),
        "MAE ROC AUC": fixed(scores["roc_auc"].mae, 5),
        "MAE F1": fixed(scores["f1"].mae, 5),
        "RMSE/SE accuracy": fixed(scores["accuracy"].rmse_over_se, 2),
        "coverage accuracy / ROC AUC / F1": " / ".join(percent(scores[m].coverage) for m in METRICS),
        "CPU ms a chunk": f"{1000 * cpu:.1f}",
    }
