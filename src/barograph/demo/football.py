"""A model that is well while its inputs drift: who wins a football match?

The data are 26,813 matches of national teams in 1980 to 2009 and from July 2021 to July 2026 (CC0 1.0, from
`martj42/international_results`): date, competition, whether the ground is neutral, days of rest, and the Elo rating of
both teams before the match, computed one match after the other from all results since 1872.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from barograph.demo.story import DAY, ID, LABEL, LABEL_TIME, TIME, Story, days_to, moved
from barograph.extras import needs

if TYPE_CHECKING:
    from typing import Any  # Any: sklearn has no types

    import polars as pl

TRAINED_UNTIL = datetime(2000, 1, 1)  # noqa: DTZ001  # dates without a zone
REFERENCE_UNTIL = datetime(2010, 1, 1)  # noqa: DTZ001
TEXTS = ("tournament", "ground")
NUMBERS = ("elo_home", "elo_away", "elo_difference", "rest_days_home", "rest_days_away")
FEATURES = (*TEXTS, *NUMBERS)
LABEL_HOURS = 26  # from the beginning of the day of a match


def load() -> pl.DataFrame:
    """Return the matches in the order of their days. `outcome` is home, draw or away."""
    import polars as pl

    with as_file(files("barograph.demo") / "football.parquet") as path:
        matches = pl.read_parquet(path)
    ground = pl.when("neutral").then(pl.lit("neutral")).otherwise(pl.lit("home"))
    return matches.with_columns(
        pl.col(TIME).cast(pl.Datetime("us")),
        ground.alias("ground"),
        elo_difference=pl.col("elo_home") - pl.col("elo_away"),
    ).sort(TIME, maintain_order=True)


def matches(now: datetime) -> Story:
    """Train a model on the matches before 2000; those of the next ten years are its reference.

    The last match becomes one of yesterday. Competitions, days of rest and the distances between teams have moved since
    then, without harm: it must be left alone.
    """
    import polars as pl

    played = load().with_row_index(ID).with_columns(pl.format("match-{}", ID).alias(ID))
    by = days_to(played[TIME].dt.date().max(), now, "UTC")  # type: ignore[arg-type]  # polars says any value
    later = played.filter(pl.col(TIME) >= TRAINED_UNTIL)
    with threadpool_limits(1):
        model, encoder = _train(played.filter(pl.col(TIME) < TRAINED_UNTIL))
        shares = model.predict_proba(_matrix(encoder, later))
    scores = {f"p_{name}": pl.Series(shares[:, i]) for i, name in enumerate(model.classes_)}
    said = pl.Series(model.classes_[shares.argmax(axis=1)].astype(str))
    logged = later.with_columns(**scores, predicted=said)
    before = pl.col(TIME) < REFERENCE_UNTIL
    reference, current = (
        moved(logged.filter(part), by, "UTC").select(
            ID, TIME, *FEATURES, *scores, "predicted", pl.col("outcome").alias(LABEL)
        )
        for part in (before, ~before)
    )
    known = current.select(ID, LABEL, (pl.col(TIME) + timedelta(hours=LABEL_HOURS)).alias(LABEL_TIME))
    until = now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    return Story(
        model="football",
        about=f"who wins a match of national teams? Results from 1980 on (CC0), moved by {by.days:,} days",
        spec=(files("barograph.demo") / "football.toml").read_text("utf-8"),
        reference=reference,
        events=current.drop(LABEL),
        labels=known.filter(pl.col(LABEL_TIME) < until),
    )


def _train(played: pl.DataFrame) -> tuple[Any, Any]:
    with needs("demo", "Training the model of the demo"):
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, max_categories=100)
    encoder.fit(played.select(TEXTS).to_numpy())
    model = HistGradientBoostingClassifier(random_state=0, max_iter=40, learning_rate=0.07)
    return model.fit(_matrix(encoder, played), played["outcome"].to_numpy()), encoder


def _matrix(encoder: Any, played: pl.DataFrame) -> object:
    import numpy as np
    import polars as pl

    numbers = played.select(pl.col(NUMBERS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    return np.column_stack((encoder.transform(played.select(TEXTS).to_numpy()), numbers))
