"""The loops of the adaptive rule, compiled. Imported inside functions only: numba takes a second to load."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np

from barograph.arrays import Floats
from barograph.rules.adaptive import learning as adaptive_learning
from barograph.rules.adaptive import state as at
from barograph.rules.adaptive import tails as adaptive_tails
from barograph.rules.adaptive import watch as adaptive_watch
from barograph.rules.adaptive.learning import Step, learn, learn_calibration, learn_peaks, mean_square, median
from barograph.rules.adaptive.state import Settings, State, compiled
from barograph.rules.adaptive.tails import bin_of, refit, tail_p, tail_quantile
from barograph.rules.adaptive.watch import bet, mean_of_chains, missing_evidence, watch_days

# Columns of the output of `scan`.
NAMES = ("baseline", "scale", "lower", "upper", "evidence", "stream", "open", "opened", "learning")
BASELINE, SCALE, LOWER, UPPER, EVIDENCE, STREAM, OPEN, OPENED, LEARNING = range(9)

Scan: TypeAlias = Callable[[State, Settings, Floats, Floats, Floats], Floats]

REFIT = 20  # a tail is fitted again after so many values
CLUSTER = np.array([1.0, 1.0, 12.0, 12.0])  # values that count as one: evidence and runs come in clusters
SHRINK = 20.0  # number of own values that weigh as much as the siblings' value
RARELY_UNCHANGED = 0.3  # a value that repeats itself is never taken for rarer than this


@compiled
def expect(state: State, settings: Settings, value: float, error: float, sibling: float, scratch: Floats) -> Step:
    """Return what is expected now: by the day or the week, whichever has been closer of late."""
    numbers = state.numbers
    step = int(numbers[at.STEPS])
    phase_short, phase_long = step % settings.short, step % max(settings.long, 1)
    settle(state, settings, phase_short)
    short, long = baselines(state, settings, step, phase_short, phase_long, sibling, scratch)
    weekly = not np.isnan(long) and numbers[at.LOSS_LONG] < numbers[at.LOSS_SHORT]
    baseline = long if weekly else short
    if np.isnan(baseline):
        baseline = value
    square = max(mean_square(numbers, at.RESIDUAL_MOMENT), floor_of(numbers, value) ** 2)
    scale = np.sqrt(square + error * error)
    z = (value - baseline) / scale
    return Step(value, error, short, long, baseline, scale, z, phase_short, phase_long)


@compiled
def floor_of(numbers: Floats, value: float) -> float:
    """Return a thousandth of the series' usual size: no scale is taken for smaller."""
    size = 0.0 if np.isnan(value) else abs(value)
    if numbers[at.SIZE_WEIGHT] > 0:
        size = numbers[at.SIZE] / numbers[at.SIZE_WEIGHT]
    return 1e-3 * size + 1e-12


@compiled
def judge_and_learn(state: State, settings: Settings, now: Step, x: Floats, evidence: Floats, out: Floats) -> None:
    """Judge one value by what was known before it, then learn from it unless an incident forbids it."""
    numbers = state.numbers
    missing = np.isnan(now.value)
    evidence[:] = -np.inf
    evidence[at.MISSING] = missing_evidence(state, settings, now.phase_short, now.phase_long, missing)
    x[:] = np.nan
    innovation, bin_signed = np.nan, -1
    if not missing:
        innovation, bin_signed = statistics(state, settings, now, x)
        calibrate(state, settings, x, evidence)
        evidence[at.TREND] = numbers[at.TREND_EVIDENCE]
    best = int(np.argmax(evidence))
    learning = follow_incident(state, settings, now, evidence, x)
    is_open = numbers[at.OPEN] > 0
    half_width = now.scale * tail_quantile(state.tails[at.SPIKE], np.exp(-settings.threshold) * at.SHARES[at.SPIKE])
    out[BASELINE], out[SCALE], out[EVIDENCE] = now.baseline, now.scale, evidence[best]
    out[LOWER], out[UPPER] = now.baseline - half_width, now.baseline + half_width
    out[OPEN] = 1.0 if is_open else 0.0
    out[OPENED] = 1.0 if is_open and numbers[at.OPENED_AT] == numbers[at.STEPS] else 0.0
    out[STREAM] = numbers[at.KIND] if is_open else -1.0
    out[LEARNING] = 1.0 if learning else 0.0
    if learning:
        learn(state, settings, now, innovation)
        if not missing:
            learn_calibration(state, settings, x, bin_signed)
    watch_days(state, settings, now.phase_short, now.value)
    numbers[at.PREVIOUS], numbers[at.PREVIOUS_Z], numbers[at.PREVIOUS_ERROR] = now.value, now.z, now.error
    numbers[at.STEPS] += 1


@compiled
def same_phase(ring: Floats, count: Floats, phase: int, newest_is_last: bool, scratch: Floats) -> int:
    """Copy the last values of a phase and its two neighbours to `scratch`; return how many there are.

    The newest value of the phase before is of this period, not of an earlier one, if the last step was learned.
    """
    kept, n = ring.shape[1], 0
    for neighbour in range(-1, 2):
        if neighbour != 0 and ring.shape[0] == 1:
            continue
        q = (phase + neighbour) % ring.shape[0]
        first = 1 if neighbour == -1 and newest_is_last else 0
        for k in range(first, first + kept - 1):
            if k < count[q]:
                scratch[n] = ring[q, (int(count[q]) - 1 - k) % kept]
                n += 1
    return n


@compiled
def baselines(
    state: State, settings: Settings, step: int, phase_short: int, phase_long: int, sibling: float, scratch: Floats
) -> tuple[float, float]:
    """Return what is expected by the day and by the week; NaN where nothing is known yet."""
    numbers = state.numbers
    follows = numbers[at.LAST_LEARNED] == step - 1
    n = same_phase(state.short, state.short_count, phase_short, follows, scratch)
    short = np.nan
    if n > 0:
        short = median(scratch[:n]) + numbers[at.OFFSET]
    elif numbers[at.LEARNED] > 0:
        short = median(state.recent[: int(min(numbers[at.LEARNED], at.RECENT))].copy()) + numbers[at.OFFSET]
    if not np.isnan(sibling):
        own = 0.0 if np.isnan(short) else state.short_count[phase_short]
        short = sibling if own == 0 else (own * short + SHRINK * sibling) / (own + SHRINK)
    long = np.nan
    if settings.long > 0 and state.long_count[phase_long] >= 3:
        n = same_phase(state.long, state.long_count, phase_long, follows, scratch)
        long = median(scratch[:n]) + numbers[at.OFFSET]
    return short, long


@compiled
def settle(state: State, settings: Settings, phase_short: int) -> None:
    """Let the scales be learned anew, once, when same-phase baselines replace the cold start's."""
    numbers = state.numbers
    if settings.short == 1 or numbers[at.SETTLED] > 0 or state.short_count[phase_short] < 2:
        return
    numbers[at.SETTLED] = 1.0
    for moment in (at.RESIDUAL_MOMENT, at.INNOVATION_MOMENT):
        if numbers[moment + 1] > 1:  # what is known of it counts like one value
            numbers[moment], numbers[moment + 1] = mean_square(numbers, moment), 1.0
    numbers[at.CROSS], numbers[at.SQUARES] = 0.0, 0.0


@compiled
def statistics(state: State, settings: Settings, now: Step, x: Floats) -> tuple[float, int]:
    """Fill `x`; return the innovation of the residuals, and its bin among signed ones (-1: not known yet)."""
    numbers = state.numbers
    ready = numbers[at.LEARNED] >= settings.ready
    if ready:
        x[at.SPIKE] = abs(now.z)
    if np.isnan(numbers[at.PREVIOUS]):
        return np.nan, -1
    change = now.value - numbers[at.PREVIOUS]
    usual = max(mean_square(numbers, at.CHANGE_MOMENT), floor_of(numbers, now.value) ** 2)
    numbers[at.UNCHANGED_RUN] = numbers[at.UNCHANGED_RUN] + 1 if change * change <= 1e-4 * usual else 0.0
    # Residuals follow each other; what is new in this one is fair to bet on.
    phi = min(max(numbers[at.CROSS] / numbers[at.SQUARES], 0.0), 0.995) if numbers[at.SQUARES] > 0 else 0.0
    innovation = now.z - phi * numbers[at.PREVIOUS_Z]
    if not ready:
        return innovation, -1
    x[at.JUMP] = abs(change) / np.sqrt(usual + now.error**2 + numbers[at.PREVIOUS_ERROR] ** 2)
    x[at.FLAT] = numbers[at.UNCHANGED_RUN]
    spread = max(np.sqrt(mean_square(numbers, at.INNOVATION_MOMENT)), 1e-3)
    b = bin_of(abs(innovation) / spread)
    b = at.BINS + b if innovation >= 0 else at.BINS - 1 - b
    if numbers[at.SIGNED_SEEN] >= settings.warm:
        above = state.signed[b + 1 :].sum() + 0.5 * state.signed[b]
        increment = numbers[at.INCREMENT]
        up = (0.5 * increment + above) / (increment + state.signed.sum())
        bet(state.chains[0], up, settings.ceiling)
        bet(state.chains[1], 1.0 - up, settings.ceiling)
        x[at.LEVEL] = max(mean_of_chains(state.chains[:2]), 0.0)
    return innovation, b


@compiled
def calibrate(state: State, settings: Settings, x: Floats, evidence: Floats) -> None:
    """Turn each statistic into the log of the mean number of steps until chance brings as much."""
    numbers = state.numbers
    for k in range(at.CALIBRATED):
        if np.isnan(x[k]) or state.seen[k] < settings.warm:
            continue
        weight = CLUSTER[k] * numbers[at.INCREMENT]
        if state.seen[k] % REFIT == 0 or state.tails[k, 0] == 0:
            refit(state.histogram[k], state.sums[k], state.totals[k], weight, state.tails[k])
        p = tail_p(state.histogram[k], state.totals[k], weight, state.tails[k], x[k])
        if k == at.FLAT:
            share = (numbers[at.UNCHANGED_SHARE] + 1) / (numbers[at.UNCHANGED_WEIGHT] + 2)
            p = max(p, max(share, RARELY_UNCHANGED) ** x[k])
        evidence[k] = at.LOG_SHARES[k] - np.log(max(p, 1e-300))


@compiled
def follow_incident(state: State, settings: Settings, now: Step, evidence: Floats, x: Floats) -> bool:
    """Open, follow, accept or close an incident; return whether this step may be learned."""
    numbers = state.numbers
    missing = np.isnan(now.value)
    if not missing:
        side = 0.0 if abs(now.z) < 1 else np.sign(now.z)
        same = side != 0 and side * numbers[at.ONE_SIDE] >= 0
        numbers[at.ONE_SIDE] = numbers[at.ONE_SIDE] + side if same else side
    if numbers[at.OPEN] == 0:
        best = int(np.argmax(evidence))
        if evidence[best] < settings.threshold:
            return True
        numbers[at.OPEN], numbers[at.OPENED_AT], numbers[at.KIND] = 1.0, numbers[at.STEPS], best
        # A trend was learned on the way: nothing is left to protect.
        numbers[at.ACCEPTED] = 1.0 if best == at.TREND else 0.0
        numbers[at.QUIET], numbers[at.INCIDENT_RESIDUALS] = 0.0, 0.0
        numbers[at.PEAK_RESIDUAL], numbers[at.PEAK_CHANGE] = 0.0, 0.0
        state.peaks[:] = 0.0
    numbers[at.QUIET] = 0.0 if is_lasting(numbers, settings, evidence) else numbers[at.QUIET] + 1
    name_kind(numbers, settings, evidence)
    if not missing:
        for k in range(at.CALIBRATED):
            if not np.isnan(x[k]):
                state.peaks[k] = max(state.peaks[k], x[k])
        residual, change = now.value - now.baseline, now.value - numbers[at.PREVIOUS]
        state.residuals[int(numbers[at.INCIDENT_RESIDUALS]) % at.RESIDUALS] = residual
        numbers[at.INCIDENT_RESIDUALS] += 1
        numbers[at.PEAK_RESIDUAL] = max(numbers[at.PEAK_RESIDUAL], residual * residual)
        if not np.isnan(change):
            numbers[at.PEAK_CHANGE] = max(numbers[at.PEAK_CHANGE], change * change)
    frozen = numbers[at.ACCEPTED] == 0
    if numbers[at.QUIET] >= settings.close:
        numbers[at.OPEN] = 0.0
        state.chains[:2] = -np.inf
        if frozen:
            learn_peaks(state, settings)
        return True
    if frozen and numbers[at.STEPS] - numbers[at.OPENED_AT] >= settings.freeze:
        accept(state, settings)
        return True
    return not frozen


@compiled
def is_lasting(numbers: Floats, settings: Settings, evidence: Floats) -> bool:
    """Return whether any evidence is above a tenth of the alarm's; that of a level only while residuals are off it.

    Evidence that took days to grow would take days to fall: the incident would outlive the trouble.
    """
    limit = settings.threshold - np.log(10.0)
    lasting = False
    for k in range(at.STREAMS):
        lasting |= evidence[k] > limit and (k != at.LEVEL or numbers[at.ONE_SIDE] != 0)
    return lasting


@compiled
def name_kind(numbers: Floats, settings: Settings, evidence: Floats) -> None:
    """Call an incident by what it turned out to be: no values, one value, a trend, a new level, or what it began as."""
    if evidence[at.MISSING] >= settings.threshold:
        numbers[at.KIND] = at.MISSING
    elif evidence[at.FLAT] >= settings.threshold:
        numbers[at.KIND] = at.FLAT
    elif evidence[at.TREND] >= settings.threshold:
        numbers[at.KIND] = at.TREND
    elif numbers[at.KIND] in (at.SPIKE, at.JUMP) and (
        abs(numbers[at.ONE_SIDE]) >= settings.close or evidence[at.LEVEL] >= settings.threshold
    ):
        numbers[at.KIND] = at.LEVEL


@compiled
def accept(state: State, settings: Settings) -> None:
    """Take a long incident for the new normal: move the level, forget the evidence, learn from now on."""
    numbers = state.numbers
    numbers[at.ACCEPTED] = 1.0
    n = int(min(numbers[at.INCIDENT_RESIDUALS], at.RESIDUALS))
    if n > 0:
        numbers[at.OFFSET] += median(state.residuals[:n])
    state.chains[:2] = -np.inf
    learn_peaks(state, settings)


def compile_scan(sources: str) -> Scan:
    """Return the compiled loop, from numba's cache if it was compiled from these `sources` before.

    Numba asks only whether the file with the entry point has changed, not the files with what it calls: the closure
    over their digest makes that part of the key. So there is one entry point, and only it is cached.
    """

    from numba import njit

    def scan(state: State, settings: Settings, values: Floats, errors: Floats, siblings: Floats) -> Floats:
        out = np.empty((len(values), len(NAMES)))
        if len(sources) == 0:
            return out
        x, evidence, scratch = np.empty(at.CALIBRATED), np.empty(at.STREAMS), np.empty(64)
        for i in range(len(values)):
            now = expect(state, settings, values[i], errors[i], siblings[i], scratch)
            judge_and_learn(state, settings, now, x, evidence, out[i])
        return out

    return cast(Scan, njit(cache=True, error_model="numpy")(scan))


@cache
def scanner() -> Scan:
    """Return the loop that advances a state in place over values (NaN: none came), with a row of `NAMES` for each."""
    digest = sha256()
    for module in (at, adaptive_learning, adaptive_tails, adaptive_watch):
        digest.update(Path(str(module.__file__)).read_bytes())
    return compile_scan(digest.hexdigest())
