"""What is no single value: missing values, one value for long, a slow trend. Compiled; imported inside functions."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats
from barograph.rules.adaptive import state as at
from barograph.rules.adaptive.channels import evidence_of, log_e_value
from barograph.rules.adaptive.state import Settings, State, compiled

RUN_POWER, SHORTEST_RUN, FEWEST_RUNS = 4.0, 3.0, 20.0  # runs of equal values: no mean is taken for shorter
RUN_DECAY = 0.25  # of the decay of values: how often a value repeats itself changes slowly


@compiled
def stake(chain: float) -> float:
    """Return log(M + 1) of a chain log M: a new bet of one starts at each step."""
    return np.log1p(np.exp(chain)) if chain < 30 else chain


@compiled
def mean_of_chains(chains: Floats) -> float:
    """Return the log of the mean over all chains."""
    top = chains.max()
    return -np.inf if top == -np.inf else top + np.log(np.exp(chains - top).mean())


@compiled
def missing_evidence(state: State, settings: Settings, phase_short: int, phase_long: int, missing: bool) -> float:
    """Bet on a larger share of missing values than this phase, and all of them, have had; -inf if one arrived.

    The share that is allowed errs upwards: it is the largest of what the day, the week and all steps have shown.
    """
    numbers = state.numbers
    allowed = (numbers[at.MISSED_SHARE] + 1.0) / (numbers[at.MISSED_WEIGHT] + 2.0)
    if numbers[at.STEPS] >= settings.short:
        allowed = max(allowed, state.short_missed[phase_short])
    if settings.long > 0 and numbers[at.STEPS] >= settings.long:
        allowed = max(allowed, state.long_missed[phase_long])
    n = len(at.MISSING_SHARES)
    for k in range(n):
        share = at.MISSING_SHARES[k]
        state.missing[k] = stake(state.missing[k])
        if share > allowed:
            e = share / allowed if missing else (1.0 - share) / (1.0 - allowed)
            state.missing[k] = min(state.missing[k] + np.log(e), settings.ceiling)
    return mean_of_chains(state.missing) + at.LOG_SHARES[at.MISSING] if missing else -np.inf


@compiled
def learn_missing(state: State, settings: Settings, phase_short: int, phase_long: int, missing: bool) -> None:
    """Take one step into the shares of missing values: of all steps, of its phase of the day and of the week."""
    numbers, one = state.numbers, 1.0 if missing else 0.0
    numbers[at.MISSED_SHARE] = settings.decay * numbers[at.MISSED_SHARE] + one
    numbers[at.MISSED_WEIGHT] = settings.decay * numbers[at.MISSED_WEIGHT] + 1
    for missed, phase, period in (
        (state.short_missed, phase_short, settings.short),
        (state.long_missed, phase_long, max(settings.long, 1)),
    ):
        seen = min(numbers[at.STEPS] // period, at.PERIODS) + 1
        missed[phase] += (one - missed[phase]) / seen


@compiled
def flat_evidence(state: State, settings: Settings, y: float) -> float:
    """Count the steps with one value, and return the evidence that they are too many; -inf where there is none."""
    numbers = state.numbers
    if y == numbers[at.PREVIOUS]:
        numbers[at.RUN] += 1
        if numbers[at.RUN_WEIGHT] < FEWEST_RUNS:
            return -np.inf
        usual = max(numbers[at.RUNS] / numbers[at.RUN_WEIGHT], SHORTEST_RUN**RUN_POWER)
        log_e = log_e_value(numbers[at.RUN], usual, numbers[at.RUN_WEIGHT], RUN_POWER)
        return float(evidence_of(log_e) + at.LOG_SHARES[at.FLAT])
    decay = settings.decay**RUN_DECAY
    numbers[at.RUNS] = decay * numbers[at.RUNS] + max(numbers[at.RUN], 1.0) ** RUN_POWER
    numbers[at.RUN_WEIGHT] = decay * numbers[at.RUN_WEIGHT] + 1
    numbers[at.RUN] = 1.0
    return -np.inf


@compiled
def watch_days(state: State, settings: Settings, phase_short: int, value: float) -> None:
    """Add a value to its day; at the day's end ask whether the last two weeks of daily means have a trend."""
    numbers = state.numbers
    if not np.isnan(value):
        numbers[at.DAY_SUM] += value
        numbers[at.DAY_COUNT] += 1
    if phase_short != settings.short - 1:
        return
    if numbers[at.DAY_COUNT] >= 0.5 * settings.short:
        state.days[:-1] = state.days[1:].copy()
        state.days[-1] = numbers[at.DAY_SUM] / numbers[at.DAY_COUNT]
        numbers[at.DAYS] += 1
    numbers[at.DAY_SUM], numbers[at.DAY_COUNT] = 0.0, 0.0
    numbers[at.TREND_EVIDENCE] = -np.inf
    if numbers[at.DAYS] >= at.TREND_DAYS:
        # One look a day: a step count has `short` as many false alarms to spare.
        log_p = trend_log_p(state.days)
        numbers[at.TREND_EVIDENCE] = np.log(settings.short) - log_p + at.LOG_SHARES[at.TREND]


@compiled
def trend_log_p(days: Floats) -> float:
    """Return the log p-value of the Mann-Kendall test with its variance corrected for autocorrelation.

    Zero, no evidence, where one step fits the days better than the Theil-Sen line does: that is a level shift.
    """
    n = len(days)
    s, m = 0.0, 0
    slopes = np.empty(n * (n - 1) // 2)
    for i in range(n):
        for j in range(i + 1, n):
            s += np.sign(days[j] - days[i])
            slopes[m] = (days[j] - days[i]) / (j - i)
            m += 1
    rest = days - np.median(slopes) * np.arange(n)
    rest = rest - np.median(rest)
    line = np.abs(rest).sum()
    for cut in range(2, n - 1):
        left, right = days[:cut], days[cut:]
        if np.abs(left - np.median(left)).sum() + np.abs(right - np.median(right)).sum() <= line:
            return 0.0
    squares = (rest * rest).sum()
    phi = (rest[1:] * rest[:-1]).sum() / squares if squares > 0 else 0.0
    phi = min(max(phi + (1.0 + 3.0 * phi) / n, 0.0), 0.9)  # an estimate from few days is too small
    z = max(abs(s) - 1.0, 0.0) / np.sqrt(n * (n - 1) * (2 * n + 5) / 18.0 * (1 + phi) / (1 - phi))
    # 2 (1 - Φ(z)) ≤ exp(-z²/2), and close to it where an alarm could be.
    return float(-0.5 * z * z - np.log(max(1.0, z * np.sqrt(np.pi / 2))))
