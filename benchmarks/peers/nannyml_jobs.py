"""NannyML's part of the comparison, on frames that are in memory already."""

from __future__ import annotations

from pathlib import Path

import nannyml
from measuring import CATEGORICAL, CHUNKS, FEATURES, NUMERIC, Clock, main, read_frames

METRICS = ["roc_auc", "accuracy", "f1"]


def jensen_shannon(reference: Path, current: Path, clock: Clock) -> int:
    """Jensen–Shannon distance of each feature in 20 chunks."""
    return _drift("jensen_shannon", reference, current, clock)


def kolmogorov_smirnov(reference: Path, current: Path, clock: Clock) -> int:
    """Kolmogorov–Smirnov statistic of each numeric feature in 20 chunks."""
    return _drift("kolmogorov_smirnov", reference, current, clock)


def estimated_performance(reference: Path, current: Path, clock: Clock) -> int:
    """CBPE of three metrics in 20 chunks."""
    with clock("read"):
        before, after = read_frames(reference, current, columns=["score", "label"])
        for frame in (before, after):
            frame["prediction"] = (frame["score"] >= 0.5).astype(int)
    with clock("fit"):
        estimator = nannyml.CBPE(
            metrics=METRICS,
            y_pred_proba="score",
            y_pred="prediction",
            y_true="label",
            problem_type="classification_binary",
            chunk_number=CHUNKS,
        ).fit(before)
    with clock("run"):
        results = estimator.estimate(after.drop(columns="label"))
    return _chunks_of(results) * len(METRICS)


def _drift(method: str, reference: Path, current: Path, clock: Clock) -> int:
    columns = FEATURES if method == "jensen_shannon" else NUMERIC
    with clock("read"):
        before, after = read_frames(reference, current, columns=columns)
    with clock("fit"):
        calculator = nannyml.UnivariateDriftCalculator(
            column_names=columns,
            treat_as_categorical=[column for column in columns if column in CATEGORICAL],
            continuous_methods=[method],
            categorical_methods=[method] if method == "jensen_shannon" else None,
            chunk_number=CHUNKS,
        ).fit(before)
    with clock("run"):
        results = calculator.calculate(after)
    return _chunks_of(results) * len(columns)


def _chunks_of(results: nannyml.base.AbstractResult) -> int:
    chunks = len(results.filter(period="analysis").to_df())
    assert chunks == CHUNKS
    return chunks


if __name__ == "__main__":
    main(
        {
            "Jensen–Shannon, 20 chunks": jensen_shannon,
            "Kolmogorov–Smirnov, 20 chunks": kolmogorov_smirnov,
            "CBPE, 20 chunks": estimated_performance,
        },
        packages=["nannyml", "pandas", "numpy", "scipy", "scikit-learn", "pyarrow"],
    )
