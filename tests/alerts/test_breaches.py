"""What is told of a shift that features alone cannot tell the kind of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

import barograph
from barograph.alerts.severity import Severity

START = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = 600  # a day


def stream(first: int, days: int, *, share: Callable[[int], float], seed: int) -> pl.DataFrame:
    """Return days of a model that is calibrated for 30 % positives; `share` is that of a day."""
    rng = np.random.default_rng(seed)
    positive = np.concatenate([rng.random(ROWS) < share(day) for day in range(days)])
    z = rng.normal(np.where(positive, 0.7, -0.7), 1.0)
    score = 1 / (1 + np.exp(-(1.4 * z + np.log(0.3 / 0.7))))
    times = [START + timedelta(days=first + i // ROWS, seconds=i % ROWS) for i in range(days * ROWS)]
    said = {"timestamp": times, "z": z, "score": score, "prediction": (score > 0.5).astype(int)}
    return pl.DataFrame({**said, "label": positive.astype(int)})


def test_another_share_of_positives_without_labels_is_told_as_one_of_two_shifts() -> None:
    reference = stream(0, 40, share=lambda _: 0.3, seed=1)
    now = stream(40, 20, share=lambda day: 0.3 if day < 8 else 0.5, seed=2)
    report = barograph.check(reference, now.drop("label"), chunk="1d")
    (incident,) = (one for one in report.incidents if one.root.worst.metric == "label_shift_accuracy")
    breach = incident.root.worst
    assert incident.severity is report.severity is Severity.WARNING
    of_day = report.results.filter(chunk=breach.chunk)
    value, otherwise = (
        of_day.filter(pl.col("segment").is_null(), family=family, metric=metric)["value"].item()
        for family, metric in (("drift", "label_shift_accuracy"), ("estimation", "accuracy"))
    )
    before = (reference["prediction"] == reference["label"]).mean()
    assert incident.title.startswith(
        f"Accuracy would be {value:.3f} instead of {before:.3f} if the share of positives has moved, "
        f"and {otherwise:.3f} if only the inputs have, worst on {breach.chunk}"
    )
    begins = "Whether the model has become worse is not known until labels come, as the kind of shift is uncertain: "
    assert report.verdict.startswith(begins + incident.title)
    assert value < otherwise - 0.05  # the two are told apart


def test_labels_tell_which_shift_it_is() -> None:
    reference = stream(0, 40, share=lambda _: 0.3, seed=1)
    report = barograph.check(reference, stream(40, 20, share=lambda d: 0.3 if d < 8 else 0.5, seed=2), chunk="1d")
    assert "kind of shift" not in report.verdict
    assert report.verdict.startswith(("The model is in trouble", "The model has become worse"))
