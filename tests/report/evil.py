"""Events of a small made-up model whose names would break a page that did not escape them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

EVIL = "<script>alert('x')</script>"
QUOTED = "\"quoted' & <b> [bold]"
EVIL_VALUE = "</svg><img src=x onerror=alert(1)>"


def events(n: int, *, seed: int, days: int = 12, drifted: bool = False, labels: bool = True) -> pl.DataFrame:
    """Return `n` events of a binary model; `drifted` ones have moved inputs and, in the second half, a changed rule."""
    rng = np.random.default_rng(seed)
    late = np.arange(n) >= n // 2
    x = rng.normal(1.0 if drifted else 0.0, 1.0, n)
    y = rng.normal(size=n)
    place = rng.choice(["north", EVIL_VALUE, "ünïcode 漢字"], n, p=[0.2, 0.5, 0.3] if drifted else [0.5, 0.2, 0.3])
    score = 1 / (1 + np.exp(-2 * y))
    chance = np.where(late & drifted, 1 - score, score)
    columns: dict[str, Any] = {
        "timestamp": [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=days * i / n) for i in range(n)],
        EVIL: x,
        "y": np.where(late & drifted & (rng.random(n) < 0.4), np.nan, y),
        QUOTED: place,
        "score": score,
        "prediction": (score >= 0.5).astype(int),
    }
    if labels:
        columns["label"] = (rng.random(n) < chance).astype(int)
    return pl.DataFrame(columns)
