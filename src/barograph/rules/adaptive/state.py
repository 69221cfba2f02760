"""What the adaptive rule remembers of a series: rings of past values, decayed sums and a few numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numpy as np

from barograph.arrays import Floats

F = TypeVar("F", bound=Callable[..., object])

PERIODS = 6  # same-phase values of how many past days, or weeks
RESIDUALS = 256  # of an open incident, to learn a new level from
TREND_DAYS = 14
HALF_LIFE_DAYS, FORECASTS_DAYS = 7.0, 3.0  # of what is remembered of residuals, and of how good forecasts were
# ... in steps, at least: n values that are remembered bound evidence by log(1 + 10 n), and an alarm must be possible.
SHORTEST_HALF_LIFE, SHORTEST_OF_FORECASTS = 60.0, 20.0

# Kinds of change, and how the false-alarm budget is divided: the first two are one alarm.
SPIKE, LEVEL, FLAT, MISSING, TREND = range(5)
KINDS = 5
SHARES = np.array([0.8, 0.8, 0.05, 0.1, 0.05])
LOG_SHARES = np.log(SHARES)

MISSING_SHARES = np.array([0.5, 0.9])  # alternatives that are bet on

# Forecasts: the mean of the last week, the median of the same time of day, of the same time of week.
MEAN, DAILY, WEEKLY = range(3)
FORECASTS = 3
# Rows of `forecasts`: decayed sum and weight of absolute errors, log likelihood.
ERRORS, ERROR_WEIGHT, LIKELIHOOD = range(3)

# Channels: the innovation, the jump since the last value, and means of so many steps (below 0: of a share of a day).
INNOVATION, JUMP = 0, 1
SPANS = np.array([1.0, 1.0, 3.0, 12.0, -0.25])
POWERS = np.array([3.0, 3.0, 4.0, 6.0, 8.0])
CHANNELS = 5
FIRST_LEVEL = 3  # channels from this one on tell of a level
# Rows of `channels`: the running mean, decayed sums of |x|^p, of those with x >= 0, and of 1.
SMOOTHED, ALL, UPPER_SIDE, COUNT = range(4)

# Rows of `scales`: decayed sum of squares and weight by phase, of residuals and of jumps; of `usual`: of all phases.
(
    STEPS,  # steps since the start, missing ones included
    LEARNED,  # values learned from
    MEAN_WEEK,  # mean of the last week, of values less the offset, and how many values it rests on
    MEAN_COUNT,
    OFFSET,  # accepted changes of level: rings and mean hold values less this
    PREVIOUS,  # last value; NaN before the first
    PREVIOUS_RESIDUAL,  # cut at three of its scales
    PREVIOUS_ERROR,  # variance of its sampling
    CROSS,  # Σ e[t] e[t-1] and Σ e[t-1]², for the autocorrelation
    SQUARES,
    SIZE,  # Σ |y|, for the floor of the scales, and the weight of it
    SIZE_WEIGHT,
    KNOWN,  # Σ of the variances of sampling, and the weight of it
    KNOWN_WEIGHT,
    RAISED,  # nats by which the series' own alarms have raised its threshold
    RUN,  # steps with the same value, up to now
    RUNS,  # Σ |completed runs|^4 and the weight of it
    RUN_WEIGHT,
    MISSED_SHARE,
    MISSED_WEIGHT,
    DAY_SUM,
    DAY_COUNT,
    DAYS,  # daily means kept so far
    TREND_EVIDENCE,
    OPEN,  # 1 while an incident is open
    OPENED_AT,
    OPEN_SCALE,  # scale of residuals when it opened
    ACCEPTED,  # 1 once the open incident is taken for a new level
    QUIET,  # steps below the closing evidence
    INCIDENT_RESIDUALS,
    ONE_SIDE,  # steps in a row with residuals of one sign beyond one scale
    KIND,  # of the open incident
) = range(32)
NUMBERS = 32


class Settings(NamedTuple):
    """Everything that the kernels need to know of a rule, in steps."""

    short: int  # steps a day, or 1 for steps of a day and longer
    long: int  # steps a week, or 0
    decay: float  # of sums from value to value
    forget: float  # of the likelihoods of forecasts
    accept: int  # steps after which an incident is taken for a new level
    close: int  # quiet steps that close it
    threshold: float  # log of the run length between false alarms, in steps
    ceiling: float  # of log evidence that accumulates: more than an alarm needs would only delay its end


class State(NamedTuple):
    """The arrays of one series; their sizes follow from the settings."""

    numbers: Floats  # (NUMBERS,)
    short: Floats  # (short, PERIODS): last values of each phase of the day, less the offset
    short_count: Floats  # (short,)
    long: Floats  # (long, PERIODS)
    long_count: Floats  # (long,)
    short_missed: Floats  # (short,): running share of missing values of a phase
    long_missed: Floats  # (long,)
    forecasts: Floats  # (3, FORECASTS)
    scales: Floats  # (4, short): squares and weights of residuals by phase, then of jumps
    usual: Floats  # (4,): the same of all phases
    channels: Floats  # (4, CHANNELS)
    missing: Floats  # (shares,): log Shiryaev-Roberts statistics
    residuals: Floats  # (RESIDUALS,)
    days: Floats  # (TREND_DAYS,)


def shapes(settings: Settings) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array of `State`."""
    long = max(settings.long, 1)
    return {
        "numbers": (NUMBERS,),
        "short": (settings.short, PERIODS),
        "short_count": (settings.short,),
        "long": (long, PERIODS),
        "long_count": (long,),
        "short_missed": (settings.short,),
        "long_missed": (long,),
        "forecasts": (3, FORECASTS),
        "scales": (4, settings.short),
        "usual": (4,),
        "channels": (4, CHANNELS),
        "missing": (len(MISSING_SHARES),),
        "residuals": (RESIDUALS,),
        "days": (TREND_DAYS,),
    }


def empty_state(settings: Settings) -> State:
    """Return the state before the first value."""
    state = State(**{name: np.zeros(shape) for name, shape in shapes(settings).items()})
    state.missing[:] = -np.inf
    state.numbers[PREVIOUS] = np.nan
    state.numbers[TREND_EVIDENCE] = -np.inf
    return state


def map_arrays(state: State, function: Callable[[Floats], Floats]) -> State:
    """Return the state with each array replaced."""
    return State(*(function(array) for array in state))


def compiled(function: F) -> F:
    """Compile a function with numba, and keep its types for readers and checkers."""
    from numba import njit

    return cast(F, njit(error_model="numpy")(function))
