"""What is expected of the next value: by the last week, the time of day and the time of week. Compiled."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats
from barograph.rules.adaptive import state as at
from barograph.rules.adaptive.state import Settings, State, compiled

POWER = 2 / 3  # values are judged as sign(v) |v|^(2/3): the normalising power of counts
LEARNING = 0.3  # forecasts are weighted by exp(LEARNING * log likelihood)
WORST = 10.0  # mean absolute errors that one value counts at most in a likelihood
READY = 6.0  # values before a forecast has a weight
SIBLING = 20.0  # own values of a phase that weigh as much as those of similar series
WITH_NEIGHBOURS = 4  # steps a day from which on the step before and after stand in for one, too


@compiled
def to_power(value: float) -> float:
    """Return sign(v) |v|^(2/3)."""
    return float(np.sign(value) * np.abs(value) ** POWER)


@compiled
def from_power(y: float) -> float:
    """Return the value of which `to_power` is `y`."""
    return float(np.sign(y) * np.abs(y) ** (1 / POWER))


@compiled
def median(values: Floats, n: int) -> float:
    """Return the median of the first `n` values, at least one; they are put in order."""
    for i in range(1, n):  # a few values: three times as fast as a sort
        x, j = values[i], i - 1
        while j >= 0 and values[j] > x:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = x
    return float(0.5 * (values[(n - 1) // 2] + values[n // 2]))


@compiled
def same_phase(ring: Floats, count: Floats, phase: int, reach: int, scratch: Floats) -> float:
    """Return the median of the last values of a phase, and of those within `reach` of it; NaN below three."""
    n = 0
    for neighbour in range(-reach, reach + 1):
        q = (phase + neighbour) % ring.shape[0]
        for k in range(int(min(count[q], ring.shape[1]))):
            scratch[n] = ring[q, k]
            n += 1
    return median(scratch, n) if n >= 3 else np.nan


@compiled
def expect(state: State, settings: Settings, step: int, sibling: float, each: Floats, scratch: Floats) -> float:
    """Fill `each` with the forecasts and return their weighted mean; NaN before the first value."""
    numbers = state.numbers
    reach = 1 if settings.short >= WITH_NEIGHBOURS else 0
    each[:] = np.nan
    if numbers[at.MEAN_COUNT] > 0:
        each[at.MEAN] = numbers[at.MEAN_WEEK] + numbers[at.OFFSET]
    if settings.short > 1:
        daily = same_phase(state.short, state.short_count, step % settings.short, reach, scratch)
        each[at.DAILY] = daily + numbers[at.OFFSET]
    if settings.long > 0:
        weekly = same_phase(state.long, state.long_count, step % settings.long, reach, scratch)
        each[at.WEEKLY] = weekly + numbers[at.OFFSET]
    top, last = -np.inf, np.nan
    for i in range(at.FORECASTS):
        if not np.isnan(each[i]):
            last = each[i]
            if state.forecasts[at.ERROR_WEIGHT, i] >= READY:
                top = max(top, state.forecasts[at.LIKELIHOOD, i])
    total = weighted = 0.0
    for i in range(at.FORECASTS):
        if not np.isnan(each[i]) and state.forecasts[at.ERROR_WEIGHT, i] >= READY:
            weight = np.exp(LEARNING * (state.forecasts[at.LIKELIHOOD, i] - top))
            total += weight
            weighted += weight * each[i]
    expected = weighted / total if total > 0 else last
    if not np.isnan(sibling):
        own = 0.0 if np.isnan(expected) else state.short_count[step % settings.short]
        expected = to_power(sibling) if own == 0 else (own * expected + SIBLING * to_power(sibling)) / (own + SIBLING)
    return expected


@compiled
def learn_forecasts(state: State, settings: Settings, step: int, y: float, each: Floats) -> None:
    """Take one value into the errors of the forecasts, the rings and the mean.

    Likelihoods are those beside the mean's, so that they have no unit, and one that begins later begins as its equal.
    """
    numbers, forecasts = state.numbers, state.forecasts
    plain = 0.0
    for i in range(at.FORECASTS):
        if np.isnan(each[i]):
            continue
        error = abs(y - each[i])
        if forecasts[at.ERROR_WEIGHT, i] >= READY:  # the likelihood of a Laplace distribution
            mean = forecasts[at.ERRORS, i] / forecasts[at.ERROR_WEIGHT, i] + 1e-12
            cost = np.log(mean) + min(error / mean, WORST)
            if i == at.MEAN:
                plain = cost
            forecasts[at.LIKELIHOOD, i] = settings.forget * forecasts[at.LIKELIHOOD, i] + plain - cost
        forecasts[at.ERRORS, i] = settings.forget * forecasts[at.ERRORS, i] + error
        forecasts[at.ERROR_WEIGHT, i] = settings.forget * forecasts[at.ERROR_WEIGHT, i] + 1
    level = y - numbers[at.OFFSET]
    numbers[at.MEAN_COUNT] = min(numbers[at.MEAN_COUNT] + 1, 7.0 * max(settings.short, 3))
    numbers[at.MEAN_WEEK] += (level - numbers[at.MEAN_WEEK]) / numbers[at.MEAN_COUNT]
    phase = step % settings.short
    state.short[phase, int(state.short_count[phase]) % at.PERIODS] = level
    state.short_count[phase] += 1
    if settings.long > 0:
        phase = step % settings.long
        state.long[phase, int(state.long_count[phase]) % at.PERIODS] = level
        state.long_count[phase] += 1
    numbers[at.LEARNED] += 1
