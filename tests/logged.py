"""Logged predictions that many tests share."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl


def events(n: int, *, seed: int = 0, shift: float = 0.0, noise: float = 0.0) -> pl.DataFrame:
    """Return `n` logged predictions of a calibrated binary model over 20 days, in the order of time.

    `shift` moves the first feature; `noise` is the chance that a label is a coin toss: concept drift.
    """
    rng = np.random.default_rng(seed)
    x, amount = rng.normal(shift, 1.0, n), rng.lognormal(3.0, 1.0, n)
    colour = rng.choice(["red", "green", "blue"], n, p=[0.6, 0.3, 0.1])
    score = 1 / (1 + np.exp(-(1.5 * x + 0.8 * (colour == "red") - 0.7)))
    label = np.where(rng.random(n) < noise, rng.random(n) < 0.5, rng.random(n) < score)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    step = 20 * 86_400 * 1_000_000 // max(n, 1)
    times = pl.Series(np.arange(n) * step).cast(pl.Duration("us")) + start
    return pl.DataFrame(
        {
            "event_id": [f"e{seed}-{i}" for i in range(n)],
            "timestamp": times,
            "x": x,
            "amount": pl.Series(amount).set(pl.Series(rng.random(n) < 0.05), None),
            "colour": colour,
            "score": score,
            "label": label.astype(np.int64),
        }
    )
