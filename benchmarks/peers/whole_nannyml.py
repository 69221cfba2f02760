"""NannyML's answer to what `barograph check` answers, as a whole process: from two files to results on disk.

    python whole_nannyml.py REFERENCE CURRENT FOLDER

Jensen–Shannon and Kolmogorov–Smirnov of each feature and CBPE of three metrics, in 20 chunks, with its defaults.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nannyml
import pandas as pd
from measuring import CATEGORICAL, CHUNKS, FEATURES


def main() -> None:
    """Read, fit, calculate, and write the results as Parquet."""
    before, after = (pd.read_parquet(path, columns=[*FEATURES, "score", "label"]) for path in sys.argv[1:3])
    for frame in (before, after):
        frame["prediction"] = (frame["score"] >= 0.5).astype(int)
    drift = nannyml.UnivariateDriftCalculator(
        column_names=FEATURES,
        treat_as_categorical=CATEGORICAL,
        continuous_methods=["jensen_shannon", "kolmogorov_smirnov"],
        categorical_methods=["jensen_shannon"],
        chunk_number=CHUNKS,
    ).fit(before)
    estimator = nannyml.CBPE(
        metrics=["roc_auc", "accuracy", "f1"],
        y_pred_proba="score",
        y_pred="prediction",
        y_true="label",
        problem_type="classification_binary",
        chunk_number=CHUNKS,
    ).fit(before)
    for name, results in (("drift", drift.calculate(after)), ("cbpe", estimator.estimate(after.drop(columns="label")))):
        frame = results.to_df()
        frame.columns = [".".join(map(str, column)) for column in frame.columns]
        frame.astype(str).to_parquet(Path(sys.argv[3]) / f"nannyml-{name}.parquet")


if __name__ == "__main__":
    main()
