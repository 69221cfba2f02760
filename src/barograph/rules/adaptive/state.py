"""What the adaptive rule remembers of a series: ring buffers, decayed histograms and a few numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numpy as np

from barograph.arrays import Floats

F = TypeVar("F", bound=Callable[..., object])

PERIODS = 6  # K: same-phase values of how many past days, or weeks
VALUES_WITHOUT_RHYTHM = 18  # a series of days or longer has no daily rhythm: the last values stand in
RECENT = 61  # before there is a same-phase value
RESIDUALS = 256  # of an open incident, to learn a new level from
TREND_DAYS = 14

# What is calibrated against its own past, each a row of `histogram`:
SPIKE, JUMP, LEVEL, FLAT = range(4)
CALIBRATED = 4
MISSING, TREND = 4, 5
STREAMS = 6
# How the false-alarm budget is divided among them, and what that costs each in log evidence.
SHARES = np.array([0.3, 0.2, 0.3, 0.05, 0.1, 0.05])
LOG_SHARES = np.log(SHARES)

# Histogram of a non-negative statistic: bins of equal ratio from SMALLEST on.
BINS = 300
SMALLEST = 1e-3
LOG_RATIO = float(np.log(1.07))

# Bets of the Shiryaev-Roberts chains, e = κ p^(κ - 1), and alternatives of the missing share.
KAPPAS = np.array([0.2, 0.4, 0.6, 0.8, 0.9])
MISSING_SHARES = np.array([0.5, 0.9])

# Positions in `numbers`. "moment" is a decayed sum of squares, "weight" that of its terms' weights.
(
    STEPS,  # steps since the start, missing ones included
    LEARNED,  # values learned from
    LAST_LEARNED,  # the step of the last of them
    OFFSET,  # accepted changes of level: rings hold values less this
    PREVIOUS,  # last value; NaN: the last step had none
    PREVIOUS_Z,  # its standardised residual
    PREVIOUS_ERROR,  # its sampling standard error
    RESIDUAL_MOMENT,
    RESIDUAL_WEIGHT,
    CHANGE_MOMENT,
    CHANGE_WEIGHT,
    INNOVATION_MOMENT,
    INNOVATION_WEIGHT,
    CROSS,  # Σ z[t] z[t-1] and Σ z[t-1]², for the autocorrelation
    SQUARES,
    SIZE,  # Σ |y|, for the floor of the scales; Σ of the standard errors; the weight of both
    ERROR,
    SIZE_WEIGHT,
    LOSS_SHORT,  # Σ |residual| of the daily and the weekly baseline
    LOSS_LONG,
    SETTLED,  # 1 once the scales rest on same-phase baselines alone
    INCREMENT,  # weight of the next count in the histograms: it grows, which makes the older ones fade
    SIGNED_SEEN,
    UNCHANGED_RUN,  # steps without a change of value, up to now
    UNCHANGED_SHARE,  # decayed sum and weight of steps without a change
    UNCHANGED_WEIGHT,
    MISSED_SHARE,
    MISSED_WEIGHT,
    DAY_SUM,
    DAY_COUNT,
    DAYS,  # daily means kept so far
    TREND_EVIDENCE,
    OPEN,  # 1 while an incident is open
    OPENED_AT,
    ACCEPTED,  # 1 once the open incident is being learned
    QUIET,  # steps below the closing evidence
    INCIDENT_RESIDUALS,
    PEAK_RESIDUAL,  # largest squares since it opened
    PEAK_CHANGE,
    ONE_SIDE,  # steps in a row with residuals of one sign beyond one scale
    KIND,  # of the open incident
) = range(41)
NUMBERS = 41


class Settings(NamedTuple):
    """Everything that the kernels need to know of a rule, in steps."""

    short: int  # steps a day, or 1 for steps of a day and longer
    long: int  # steps a week, or 0
    growth: float  # of the weight of counts from value to value: older ones fade
    decay: float  # of sums of squares from value to value
    freeze: int  # nothing is learned for so long while an incident is open
    close: int  # steps below a tenth of the alarm's evidence that close it
    ready: int  # values before residuals count
    warm: int  # values before a statistic is calibrated
    threshold: float  # log of the run length between false alarms, in steps
    ceiling: float  # of log evidence that accumulates: more than an alarm needs would only delay its end


class State(NamedTuple):
    """The arrays of one series; their sizes follow from the settings."""

    numbers: Floats  # (NUMBERS,)
    short: Floats  # (short, K + 1): last values of each phase of the day, less the offset
    short_count: Floats  # (short,)
    long: Floats  # (long, K + 1)
    long_count: Floats  # (long,)
    short_missed: Floats  # (short,): running share of missing values of a phase
    long_missed: Floats  # (long,)
    recent: Floats  # (RECENT,)
    histogram: Floats  # (CALIBRATED, BINS): decayed counts
    sums: Floats  # (CALIBRATED, BINS): and sums, of the statistic
    totals: Floats  # (CALIBRATED,)
    seen: Floats  # (CALIBRATED,)
    tails: Floats  # (CALIBRATED, 4): threshold, share beyond, shape, scale of the generalised Pareto tail
    peaks: Floats  # (CALIBRATED,): largest statistics of the open incident
    signed: Floats  # (2 BINS,): decayed counts of innovations, from the most negative on
    chains: Floats  # (3, K): log Shiryaev-Roberts statistics: level up, level down, missing
    residuals: Floats  # (RESIDUALS,)
    days: Floats  # (TREND_DAYS,)


def shapes(settings: Settings) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array of `State`."""
    same_phase = (PERIODS if settings.short > 1 else VALUES_WITHOUT_RHYTHM) + 1
    long = max(settings.long, 1)
    return {
        "numbers": (NUMBERS,),
        "short": (settings.short, same_phase),
        "short_count": (settings.short,),
        "long": (long, PERIODS + 1),
        "long_count": (long,),
        "short_missed": (settings.short,),
        "long_missed": (long,),
        "recent": (RECENT,),
        "histogram": (CALIBRATED, BINS),
        "sums": (CALIBRATED, BINS),
        "totals": (CALIBRATED,),
        "seen": (CALIBRATED,),
        "tails": (CALIBRATED, 4),
        "peaks": (CALIBRATED,),
        "signed": (2 * BINS,),
        "chains": (3, len(KAPPAS)),
        "residuals": (RESIDUALS,),
        "days": (TREND_DAYS,),
    }


def empty_state(settings: Settings) -> State:
    """Return the state before the first value."""
    state = State(**{name: np.zeros(shape) for name, shape in shapes(settings).items()})
    state.chains[:] = -np.inf
    state.numbers[[PREVIOUS, PREVIOUS_Z]] = np.nan
    state.numbers[LAST_LEARNED] = -2.0
    state.numbers[TREND_EVIDENCE] = -np.inf
    state.numbers[INCREMENT] = 1.0
    return state


def map_arrays(state: State, function: Callable[[Floats], Floats]) -> State:
    """Return the state with each array replaced."""
    return State(*(function(array) for array in state))


def compiled(function: F) -> F:
    """Compile a function with numba, and keep its types for readers and checkers."""
    from numba import njit

    return cast(F, njit(error_model="numpy")(function))
