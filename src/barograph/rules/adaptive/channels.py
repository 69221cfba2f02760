"""How unlike its past a value is: power e-values of several views of it. Compiled; imported inside functions only."""

from __future__ import annotations

import numpy as np

from barograph.arrays import Floats
from barograph.rules.adaptive import state as at
from barograph.rules.adaptive.forecast import READY, WITH_NEIGHBOURS
from barograph.rules.adaptive.state import Settings, State, compiled

BOTH_SIDES = 0.2  # share of both sides in the scale of one side
OWN = 0.1  # weight of a value in its own scale: it bounds evidence by log(1 + n / OWN)
FLOOR = 1e-3  # no scale is smaller than a thousandth of the usual size
SHRINK = 20.0  # values by which the scale of a phase is drawn to that of all
PHASE_DECAY = 5 / 6  # what a day counts, the next one being 1
CUT = 9.0  # squares are cut at so many times their mean
LARGEST_CORRELATION = 0.99

# Log of false episodes a step at a log e-value of 0, 1, …; between them it is linear, and beyond as in the last part.
# Measured, between real series (an e-fold or more below) and simulated quiet ones (up to two above): docs/adaptive.md.
LOG_RATES = np.array([-3.6, -3.9, -4.2, -5.0, -5.9, -7.0, -8.5, -10.0])


@compiled
def evidence_of(log_e: float) -> float:
    """Return the log of the mean number of steps until chance brings such an e-value."""
    i = int(min(max(np.floor(log_e), 0.0), len(LOG_RATES) - 2.0))
    return float(-(LOG_RATES[i] + (log_e - i) * (LOG_RATES[i + 1] - LOG_RATES[i])))


@compiled
def needed(evidence: float) -> float:
    """Return the log e-value of which `evidence_of` is `evidence`."""
    i = 0
    while i < len(LOG_RATES) - 2 and -LOG_RATES[i + 1] < evidence:
        i += 1
    return float(i + (-evidence - LOG_RATES[i]) / (LOG_RATES[i + 1] - LOG_RATES[i]))


@compiled
def log_e_value(x: float, usual: float, n: float, power: float) -> float:
    """Return the log of |x|^p over its mean so far, `usual`, in which the value itself counts a little."""
    return float(np.log((n + OWN) / (n * usual / abs(x) ** power + OWN)))


@compiled
def floor_of(numbers: Floats) -> float:
    """Return a thousandth of the series' usual size: no scale is taken for smaller."""
    return FLOOR * numbers[at.SIZE] / numbers[at.SIZE_WEIGHT] + 1e-12 if numbers[at.SIZE_WEIGHT] > 0 else 1e-12


@compiled
def unit_of(state: State, settings: Settings, step: int, of: int, variance: float, typical: float) -> float:
    """Return how large residuals (0) or jumps (1) are at this phase and sampling `variance`, 1 being as usual."""
    usual, weight = state.usual[2 * of], state.usual[2 * of + 1]
    if weight < READY or usual <= 0:
        return 1.0
    mean = usual / weight
    unit = 1.0
    if settings.short >= WITH_NEIGHBOURS:
        squares = weights = 0.0
        for neighbour in range(-1, 2):
            q = (step + neighbour) % settings.short
            squares += state.scales[2 * of, q]
            weights += state.scales[2 * of + 1, q]
        unit = (squares + SHRINK * mean) / (weights + SHRINK) / mean
    if variance > 0 or typical > 0:
        own = max(mean - typical, floor_of(state.numbers) ** 2)
        unit *= (own + variance) / (own + typical)
    return float(np.sqrt(unit))


@compiled
def views(
    state: State, settings: Settings, step: int, y: float, expected: float, variance: float, x: Floats, units: Floats
) -> None:
    """Fill `x` with the views of a value, NaN where there is none yet, and `units` with what they are measured in."""
    numbers = state.numbers
    residual, jump = y - expected, y - numbers[at.PREVIOUS]
    typical = numbers[at.KNOWN] / numbers[at.KNOWN_WEIGHT] if numbers[at.KNOWN_WEIGHT] > 0 else 0.0
    units[0] = unit_of(state, settings, step, 0, variance, typical)
    units[1] = unit_of(state, settings, step, 1, variance + numbers[at.PREVIOUS_ERROR], 2 * typical)
    x[at.INNOVATION] = (residual - correlation(numbers) * numbers[at.PREVIOUS_RESIDUAL]) / units[0]
    x[at.JUMP] = jump / units[1]
    for c in range(2, at.CHANNELS):
        span = at.SPANS[c] if at.SPANS[c] > 0 else max(-at.SPANS[c] * settings.short, 2.0)
        smoothed = state.channels[at.SMOOTHED, c]
        x[c] = smoothed + 2.0 / (span + 1.0) * (residual / units[0] - smoothed)


@compiled
def correlation(numbers: Floats) -> float:
    """Return the lag-1 autocorrelation of the residuals, from 0 to 0.99."""
    if numbers[at.SQUARES] <= 0:
        return 0.0
    return float(min(max(numbers[at.CROSS] / numbers[at.SQUARES], 0.0), LARGEST_CORRELATION))


@compiled
def usual_power(state: State, c: int, up: bool, floor: float) -> float:
    """Return the decayed mean of |x|^p of a channel, mostly of one side."""
    total, above, n = state.channels[at.ALL, c], state.channels[at.UPPER_SIDE, c], state.channels[at.COUNT, c]
    one = above if up else total - above
    return float(max(max(BOTH_SIDES * total + 2 * (1 - BOTH_SIDES) * one, 0.0) / n, floor ** at.POWERS[c]))


@compiled
def weigh(state: State, x: Floats, log_e: Floats) -> None:
    """Fill `log_e` with the evidence of each channel, in nats; -inf where there is none yet."""
    floor = floor_of(state.numbers)
    log_e[:] = -np.inf
    for c in range(at.CHANNELS):
        n = state.channels[at.COUNT, c]
        if n >= READY and not np.isnan(x[c]) and x[c] != 0:
            log_e[c] = log_e_value(x[c], usual_power(state, c, x[c] >= 0, floor), n, at.POWERS[c])


@compiled
def learn_views(
    state: State, settings: Settings, step: int, y: float, expected: float, variance: float, x: Floats, units: Floats
) -> None:
    """Take the views of a value into the means of their powers, the scales and the autocorrelation."""
    numbers, channels = state.numbers, state.channels
    for c in range(at.CHANNELS):
        if np.isnan(x[c]):
            continue
        power = abs(x[c]) ** at.POWERS[c]
        channels[at.ALL, c] = settings.decay * channels[at.ALL, c] + power
        channels[at.UPPER_SIDE, c] = settings.decay * channels[at.UPPER_SIDE, c] + (power if x[c] >= 0 else 0.0)
        channels[at.COUNT, c] = settings.decay * channels[at.COUNT, c] + 1
        if c >= 2:
            channels[at.SMOOTHED, c] = x[c]
    phase = step % settings.short
    for of in range(2):
        difference = y - expected if of == 0 else y - numbers[at.PREVIOUS]
        if np.isnan(difference):
            continue
        square = difference * difference
        if state.usual[2 * of + 1] >= READY:
            square = min(square, CUT * state.usual[2 * of] / state.usual[2 * of + 1] + 1e-300)
        if of == 0:
            cut = np.sign(difference) * np.sqrt(square)
            numbers[at.CROSS] = settings.decay * numbers[at.CROSS] + cut * numbers[at.PREVIOUS_RESIDUAL]
            numbers[at.SQUARES] = settings.decay * numbers[at.SQUARES] + numbers[at.PREVIOUS_RESIDUAL] ** 2 + 1e-12
            numbers[at.PREVIOUS_RESIDUAL] = cut
        state.usual[2 * of] = settings.decay * state.usual[2 * of] + square
        state.usual[2 * of + 1] = settings.decay * state.usual[2 * of + 1] + 1
        state.scales[2 * of, phase] = PHASE_DECAY * state.scales[2 * of, phase] + square
        state.scales[2 * of + 1, phase] = PHASE_DECAY * state.scales[2 * of + 1, phase] + 1
    numbers[at.KNOWN] = settings.decay * numbers[at.KNOWN] + variance
    numbers[at.KNOWN_WEIGHT] = settings.decay * numbers[at.KNOWN_WEIGHT] + 1


@compiled
def forget_first_day(state: State) -> None:
    """Forget what was learned of residuals before there was anything of the same time of day to expect.

    With high powers those residuals would blind a channel for weeks.
    """
    state.channels[:] = 0.0
    state.scales[:] = 0.0
    state.usual[:] = 0.0
    state.forecasts[:] = 0.0
    state.numbers[at.CROSS] = state.numbers[at.SQUARES] = state.numbers[at.PREVIOUS_RESIDUAL] = 0.0
