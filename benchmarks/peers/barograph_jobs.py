"""barograph's part of the comparison. It reads the Parquet file itself, so reading is part of the time."""

from __future__ import annotations

from pathlib import Path

from measuring import CHUNKS, FEATURES, Clock, main

import barograph
from barograph.monitors.defaults import default_monitors
from barograph.monitors.estimates import estimating, evaluate_estimates
from barograph.monitors.evaluate import evaluate
from barograph.profiles.profiles import ALL

NOT_FEATURES = ["score", "label", "event_id"]


def drift(reference: Path, current: Path, clock: Clock) -> int:
    """All drift metrics of each feature in daily chunks, with their natural variability and limits."""
    with clock("fit"):
        fitted = barograph.fit(reference, features=FEATURES, ignore=NOT_FEATURES, timestamp="timestamp")
    with clock("run"):
        profiles = fitted.profile(current, chunk="1d")
        monitors = [m for m in default_monitors(fitted.yardstick) if m.family == "drift" and m.column in FEATURES]
        results = evaluate(fitted, profiles, monitors)
    assert len(profiles.chunks) == CHUNKS
    return sum(result.value is not None for result in results)


def estimated_performance(reference: Path, current: Path, clock: Clock) -> int:
    """Everything is profiled (features, cells, scores, ids, samples), performance is estimated in daily chunks."""
    with clock("fit"):
        fitted = barograph.fit(reference, features=FEATURES)
    with clock("run"):
        profiles = fitted.profile(current, chunk="1d")
        results, _ = evaluate_estimates(fitted, profiles, estimating(fitted, [ALL]))
    assert len(profiles.chunks) == CHUNKS
    return sum(result.value is not None for result in results)


if __name__ == "__main__":
    main(
        {"drift, 20 chunks": drift, "estimated performance, 20 chunks": estimated_performance},
        packages=["barograph", "polars", "numba", "numpy", "scipy", "pyarrow"],
    )
