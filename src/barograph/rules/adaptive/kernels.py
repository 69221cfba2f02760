"""The loop of the adaptive rule, compiled. Imported inside functions only: numba takes a second to load."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np

from barograph.arrays import Bools, Floats
from barograph.rules.adaptive import channels as adaptive_channels
from barograph.rules.adaptive import forecast as adaptive_forecast
from barograph.rules.adaptive import state as at
from barograph.rules.adaptive import watch as adaptive_watch
from barograph.rules.adaptive.channels import (
    correlation,
    evidence_of,
    floor_of,
    forget_first_day,
    learn_views,
    needed,
    usual_power,
    views,
    weigh,
)
from barograph.rules.adaptive.forecast import READY, WITH_NEIGHBOURS, expect, from_power, learn_forecasts, to_power
from barograph.rules.adaptive.state import Settings, State, compiled
from barograph.rules.adaptive.watch import flat_evidence, learn_missing, missing_evidence, watch_days

# Columns of the output of `scan`.
NAMES = ("baseline", "scale", "lower", "upper", "evidence", "stream", "open", "opened")
BASELINE, SCALE, LOWER, UPPER, EVIDENCE, STREAM, OPEN, OPENED = range(8)

Scan: TypeAlias = Callable[[State, Settings, Floats, Floats, Floats, Bools], Floats]

RAISE = 1 / 3  # nats by which an alarm raises the series' own threshold; at the stated rate they go down again


@compiled
def one_step(
    state: State,
    settings: Settings,
    value: float,
    error: float,
    sibling: float,
    known: bool,
    each: Floats,
    x: Floats,
    units: Floats,
    log_e: Floats,
    evidence: Floats,
    scratch: Floats,
    out: Floats,
) -> None:
    """Judge one value by what was known before it, then learn from it unless a person has said what it was."""
    numbers = state.numbers
    step = int(numbers[at.STEPS])
    if settings.short >= WITH_NEIGHBOURS and step == settings.short + 2:
        forget_first_day(state)
    missing = np.isnan(value)
    y = to_power(value)
    expected = expect(state, settings, step, sibling, each, scratch)
    baseline = from_power(y if np.isnan(expected) else expected)
    variance = (0.5 * (to_power(baseline + error) - to_power(baseline - error))) ** 2 if error > 0 else 0.0
    evidence[:] = -np.inf
    evidence[at.MISSING] = missing_evidence(
        state, settings, step % settings.short, step % max(settings.long, 1), missing
    )
    x[:], units[:], log_e[:] = np.nan, 1.0, -np.inf
    scale = np.nan
    if not missing:
        if not np.isnan(expected):
            views(state, settings, step, y, expected, variance, x, units)
            weigh(state, x, log_e)
            for kind, of in ((at.SPIKE, log_e[: at.FIRST_LEVEL]), (at.LEVEL, log_e[at.FIRST_LEVEL :])):
                if of.max() > -np.inf:
                    evidence[kind] = evidence_of(max(of.max(), 0.0)) + at.LOG_SHARES[kind]
        evidence[at.FLAT] = flat_evidence(state, settings, y)
        evidence[at.TREND] = numbers[at.TREND_EVIDENCE]
    if state.usual[1] >= READY:
        scale = max(np.sqrt(state.usual[0] / state.usual[1]), floor_of(numbers)) * units[0]
    limits(state, settings, expected, units[0], out)
    best = int(np.argmax(evidence))
    follow_incident(state, settings, y - expected, scale, evidence)
    is_open = numbers[at.OPEN] > 0
    opened = is_open and numbers[at.OPENED_AT] == step
    out[BASELINE], out[EVIDENCE] = baseline, evidence[best]
    out[SCALE] = 0.5 * (from_power(expected + scale) - from_power(expected - scale))
    out[OPEN], out[OPENED] = 1.0 if is_open else 0.0, 1.0 if opened else 0.0
    out[STREAM] = numbers[at.KIND] if is_open else -1.0
    numbers[at.RAISED] = max(numbers[at.RAISED] - RAISE * np.exp(-settings.threshold), 0.0) + RAISE * out[OPENED]
    if not known:
        learn_missing(state, settings, step % settings.short, step % max(settings.long, 1), missing)
        if not missing:
            # An incident is learned from, too: of a value that is not, each that comes would be an alarm.
            if not np.isnan(expected):
                learn_views(state, settings, step, y, expected, variance, x, units)
            numbers[at.SIZE] = settings.decay * numbers[at.SIZE] + abs(y)
            numbers[at.SIZE_WEIGHT] = settings.decay * numbers[at.SIZE_WEIGHT] + 1
            learn_forecasts(state, settings, step, y, each)
            numbers[at.PREVIOUS], numbers[at.PREVIOUS_ERROR] = y, variance
    watch_days(state, settings, step % settings.short, value)
    numbers[at.STEPS] += 1


@compiled
def limits(state: State, settings: Settings, expected: float, unit: float, out: Floats) -> None:
    """Set the bounds within which a value is no spike by its innovation; NaN where none would be beyond them."""
    numbers, n = state.numbers, state.channels[at.COUNT, at.INNOVATION]
    out[LOWER] = out[UPPER] = np.nan
    if np.isnan(expected) or n < READY:
        return
    log_e = needed(settings.threshold + numbers[at.RAISED] - at.LOG_SHARES[at.SPIKE])
    share = (n + adaptive_channels.OWN) / np.exp(log_e) - adaptive_channels.OWN
    if share <= 0:
        return
    middle = expected + correlation(numbers) * numbers[at.PREVIOUS_RESIDUAL]
    for up, column in ((False, LOWER), (True, UPPER)):
        usual = usual_power(state, at.INNOVATION, up, floor_of(numbers))
        half = unit * (n * usual / share) ** (1 / at.POWERS[at.INNOVATION])
        out[column] = from_power(middle + half if up else middle - half)


@compiled
def follow_incident(state: State, settings: Settings, residual: float, scale: float, evidence: Floats) -> None:
    """Open, follow or close an incident; one that lasts is taken for the new level."""
    numbers = state.numbers
    missing = np.isnan(residual)
    if not missing and not np.isnan(scale):
        unit = numbers[at.OPEN_SCALE] if numbers[at.OPEN] > 0 else scale
        side = 0.0 if abs(residual) < unit else np.sign(residual)
        same = side != 0 and side * numbers[at.ONE_SIDE] >= 0
        numbers[at.ONE_SIDE] = numbers[at.ONE_SIDE] + side if same else side
    if numbers[at.OPEN] == 0:
        best, enough = int(np.argmax(evidence)), settings.threshold + numbers[at.RAISED]
        if evidence[best] < enough:
            return
        if best == at.LEVEL and evidence[at.SPIKE] >= enough:
            best = at.SPIKE  # a spike moves the means of many steps, too
        numbers[at.OPEN], numbers[at.OPENED_AT], numbers[at.KIND] = 1.0, numbers[at.STEPS], best
        numbers[at.OPEN_SCALE] = 1e-12 if np.isnan(scale) else scale
        # A trend was learned on the way: there is no new level to take.
        numbers[at.ACCEPTED] = 1.0 if best == at.TREND else 0.0
        numbers[at.QUIET], numbers[at.INCIDENT_RESIDUALS] = 0.0, 0.0
    numbers[at.QUIET] = 0.0 if is_lasting(numbers, settings, evidence) else numbers[at.QUIET] + 1
    name_kind(numbers, settings, evidence)
    if not missing:
        state.residuals[int(numbers[at.INCIDENT_RESIDUALS]) % at.RESIDUALS] = residual
        numbers[at.INCIDENT_RESIDUALS] += 1
    if numbers[at.QUIET] >= settings.close:
        numbers[at.OPEN] = 0.0
    elif numbers[at.ACCEPTED] == 0 and numbers[at.STEPS] - numbers[at.OPENED_AT] >= settings.accept:
        accept(state)


@compiled
def is_lasting(numbers: Floats, settings: Settings, evidence: Floats) -> bool:
    """Return whether an incident goes on: evidence above a tenth of the alarm's, or residuals that stay on one side.

    Evidence of a value is of change, and soon over in a trouble that lasts; it counts only beside such residuals, as
    means of many steps would outlive the trouble.
    """
    limit = settings.threshold - np.log(10.0)
    lasting: bool = abs(numbers[at.ONE_SIDE]) >= settings.close
    for k in range(at.KINDS):
        lasting |= evidence[k] > limit and (k > at.LEVEL or numbers[at.ONE_SIDE] != 0)
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
    elif numbers[at.KIND] == at.SPIKE and abs(numbers[at.ONE_SIDE]) >= settings.close:
        numbers[at.KIND] = at.LEVEL


@compiled
def accept(state: State) -> None:
    """Take a long incident for the new normal: move the level, and learn from now on."""
    numbers = state.numbers
    numbers[at.ACCEPTED], numbers[at.ONE_SIDE] = 1.0, 0.0
    n = int(min(numbers[at.INCIDENT_RESIDUALS], at.RESIDUALS))
    if n > 0:
        moved = np.median(state.residuals[:n])
        numbers[at.OFFSET] += moved
        state.channels[at.SMOOTHED] = 0.0


def compile_scan(sources: str) -> Scan:
    """Return the compiled loop, from numba's cache if it was compiled from these `sources` before.

    Numba asks only whether the file with the entry point has changed, not the files with what it calls: the closure
    over their digest makes that part of the key. So there is one entry point, and only it is cached.
    """

    from numba import njit

    def scan(
        state: State, settings: Settings, values: Floats, errors: Floats, siblings: Floats, known: Bools
    ) -> Floats:
        out = np.empty((len(values), len(NAMES)))
        if len(sources) == 0:
            return out
        each, scratch = np.empty(at.FORECASTS), np.empty(3 * at.PERIODS)
        x, units, log_e = np.empty(at.CHANNELS), np.empty(2), np.empty(at.CHANNELS)
        evidence = np.empty(at.KINDS)
        for i in range(len(values)):
            row = out[i]
            one_step(
                state,
                settings,
                values[i],
                errors[i],
                siblings[i],
                known[i],
                each,
                x,
                units,
                log_e,
                evidence,
                scratch,
                row,
            )
        return out

    return cast(Scan, njit(cache=True, error_model="numpy")(scan))


@cache
def scanner() -> Scan:
    """Return the loop that advances a state in place over values (NaN: none came), with a row of `NAMES` for each."""
    digest = sha256()
    for module in (at, adaptive_forecast, adaptive_channels, adaptive_watch):
        digest.update(Path(str(module.__file__)).read_bytes())
    return compile_scan(digest.hexdigest())
