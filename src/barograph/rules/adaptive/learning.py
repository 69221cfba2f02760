"""What the adaptive rule learns from a value once it has judged it. Compiled; imported inside functions only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from barograph.arrays import Floats
from barograph.rules.adaptive import state as at
from barograph.rules.adaptive.state import Settings, State, compiled
from barograph.rules.adaptive.tails import bin_of, tail_quantile

WINSOR = 27.0  # squares below this multiple of their mean (5.2 scales) are never cut ...
CUT = 0.01  # ... nor are values that come more often than this: a scale without them would make each one an alarm
TRUSTED = 20.0  # values that a mean square must rest on before it cuts others
HEAVIEST_COUNT = 1e100  # the weights in the histograms grow; they are scaled back here


class Step(NamedTuple):
    """One value and what was known of it beforehand."""

    value: float  # NaN: none came
    error: float  # known sampling standard error
    short: float  # expected by the day, by the week, and the better of the two
    long: float
    baseline: float
    scale: float
    z: float
    phase_short: int
    phase_long: int


@compiled
def mean_square(numbers: Floats, moment: int) -> float:
    """Return a decayed mean of squares, 0 before the first; its weight stands behind it."""
    return max(numbers[moment] / numbers[moment + 1], 0.0) if numbers[moment + 1] > 0 else 0.0


@compiled
def add_square(
    numbers: Floats, moment: int, square: float, known: float, typical: float, decay: float, largest: float
) -> None:
    """Add a square, less the `known` one of its sampling error, to a decayed mean.

    It is cut at `largest` times what is expected of it, once that rests on enough values. Squares with a larger error
    than the `typical` one say less: they weigh by the square of what is expected of them.
    """
    mean = mean_square(numbers, moment)
    weight = 1.0
    if known > 0:
        weight = ((mean + typical) / (mean + known)) ** 2
    if numbers[moment + 1] > min(TRUSTED, 0.5 / (1 - decay)):
        square = min(square, largest * (mean + known))
    numbers[moment] = decay * numbers[moment] + weight * (square - known)
    numbers[moment + 1] = decay * numbers[moment + 1] + weight


@compiled
def largest_square(state: State, k: int) -> float:
    """Return where squares are cut, as a multiple of their mean: beyond the 99 % quantile of standardised values."""
    quantile = tail_quantile(state.tails[k], CUT)
    return WINSOR if np.isnan(quantile) else max(WINSOR, quantile * quantile)


@compiled
def median(values: Floats) -> float:
    """Return the median of at least one value; they are put in order."""
    n = len(values)
    if n > 32:
        values.sort()
    else:  # three times as fast for the few values of a phase
        for i in range(1, n):
            x, j = values[i], i - 1
            while j >= 0 and values[j] > x:
                values[j + 1] = values[j]
                j -= 1
            values[j + 1] = x
    return float(0.5 * (values[(n - 1) // 2] + values[n // 2]))


@compiled
def learn(state: State, settings: Settings, now: Step, innovation: float) -> None:
    """Take one value into the rings, the scales, the autocorrelation and the choice of the baseline."""
    numbers = state.numbers
    decay = settings.decay
    learn_missing(state, settings, now, decay)
    if np.isnan(now.value):
        return
    level = now.value - numbers[at.OFFSET]
    state.short[now.phase_short, int(state.short_count[now.phase_short]) % state.short.shape[1]] = level
    state.short_count[now.phase_short] += 1
    if settings.long > 0:
        state.long[now.phase_long, int(state.long_count[now.phase_long]) % state.long.shape[1]] = level
        state.long_count[now.phase_long] += 1
    state.recent[int(numbers[at.LEARNED]) % at.RECENT] = level
    numbers[at.LAST_LEARNED] = numbers[at.STEPS]
    numbers[at.LEARNED] += 1
    numbers[at.SIZE] = decay * numbers[at.SIZE] + abs(now.value)
    numbers[at.ERROR] = decay * numbers[at.ERROR] + now.error
    numbers[at.SIZE_WEIGHT] = decay * numbers[at.SIZE_WEIGHT] + 1
    if numbers[at.LEARNED] == 1:
        return
    residual = now.value - now.baseline
    known = now.error * now.error
    typical = (numbers[at.ERROR] / numbers[at.SIZE_WEIGHT]) ** 2
    largest = largest_square(state, at.SPIKE)
    add_square(numbers, at.RESIDUAL_MOMENT, residual * residual, known, typical, decay, largest)
    if not np.isnan(now.long):
        far = 3 * now.scale
        numbers[at.LOSS_SHORT] = decay * numbers[at.LOSS_SHORT] + min(abs(now.value - now.short), far)
        numbers[at.LOSS_LONG] = decay * numbers[at.LOSS_LONG] + min(abs(now.value - now.long), far)
    if np.isnan(numbers[at.PREVIOUS]):
        return
    change = now.value - numbers[at.PREVIOUS]
    known += numbers[at.PREVIOUS_ERROR] ** 2
    largest = largest_square(state, at.JUMP)
    add_square(numbers, at.CHANGE_MOMENT, change * change, known, 2 * typical, decay, largest)
    unchanged = 1.0 if numbers[at.UNCHANGED_RUN] > 0 else 0.0
    numbers[at.UNCHANGED_SHARE] = decay * numbers[at.UNCHANGED_SHARE] + unchanged
    numbers[at.UNCHANGED_WEIGHT] = decay * numbers[at.UNCHANGED_WEIGHT] + 1
    add_square(numbers, at.INNOVATION_MOMENT, innovation * innovation, 0.0, 0.0, decay, WINSOR)
    before, after = min(max(numbers[at.PREVIOUS_Z], -3.0), 3.0), min(max(now.z, -3.0), 3.0)
    numbers[at.CROSS] = decay * numbers[at.CROSS] + before * after
    numbers[at.SQUARES] = decay * numbers[at.SQUARES] + before * before


@compiled
def learn_missing(state: State, settings: Settings, now: Step, decay: float) -> None:
    """Take one step into the shares of missing values: of all steps, of its phase of the day and of the week."""
    numbers = state.numbers
    missing = 1.0 if np.isnan(now.value) else 0.0
    numbers[at.MISSED_SHARE] = decay * numbers[at.MISSED_SHARE] + missing
    numbers[at.MISSED_WEIGHT] = decay * numbers[at.MISSED_WEIGHT] + 1
    for missed, phase, period in (
        (state.short_missed, now.phase_short, settings.short),
        (state.long_missed, now.phase_long, max(settings.long, 1)),
    ):
        seen = min(numbers[at.STEPS] // period, at.PERIODS) + 1
        missed[phase] += (missing - missed[phase]) / seen


@compiled
def learn_calibration(state: State, settings: Settings, x: Floats, bin_signed: int) -> None:
    """Count the statistics of one step, and let older counts fade by raising the weight of the next ones."""
    numbers = state.numbers
    for k in range(at.CALIBRATED):
        if not np.isnan(x[k]):
            count(state, k, x[k])
            state.seen[k] += 1
    if bin_signed >= 0:
        state.signed[bin_signed] += numbers[at.INCREMENT]
        numbers[at.SIGNED_SEEN] += 1
    numbers[at.INCREMENT] *= settings.growth
    if numbers[at.INCREMENT] > HEAVIEST_COUNT:
        for weights in (state.histogram, state.sums):
            weights /= numbers[at.INCREMENT]
        state.totals[:] /= numbers[at.INCREMENT]
        state.signed[:] /= numbers[at.INCREMENT]
        numbers[at.INCREMENT] = 1.0


@compiled
def count(state: State, k: int, x: float) -> None:
    """Count one value of a calibrated statistic."""
    increment, b = state.numbers[at.INCREMENT], bin_of(x)
    state.histogram[k, b] += increment
    state.sums[k, b] += increment * x
    state.totals[k] += increment


@compiled
def learn_peaks(state: State, settings: Settings) -> None:
    """Count a frozen incident as the one extreme value that it was.

    Without this the scales would forget that such values come, and each of them would be an alarm for ever.
    """
    for k in range(at.CALIBRATED):
        if state.peaks[k] > 0:
            count(state, k, state.peaks[k])
    numbers = state.numbers
    residual, change = numbers[at.PEAK_RESIDUAL], numbers[at.PEAK_CHANGE]
    add_square(numbers, at.RESIDUAL_MOMENT, residual, 0.0, 0.0, settings.decay, largest_square(state, at.SPIKE))
    add_square(numbers, at.CHANGE_MOMENT, change, 0.0, 0.0, settings.decay, largest_square(state, at.JUMP))
