from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from math import log

import numpy as np
import pytest
from scipy.stats import kendalltau

from barograph.arrays import Floats
from barograph.errors import MismatchError, SpecError
from barograph.rules.adaptive.adaptive import Adaptive, AdaptiveState, Change, Readings, scan, start, step

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEVER = Adaptive(step=HOUR, false_alarms_per_day=1e-200)  # learns everything, raises no alarm
MONTHLY = Adaptive(step=HOUR)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def daily(days: int, *, seed: int = 0, noise: float = 1.0) -> Floats:
    """Hours of a series with a daily rhythm of amplitude 10 around 100."""
    hours = np.arange(24 * days)
    return 100 + 10 * np.sin(hours * np.pi / 12) + noise * rng(seed).normal(size=len(hours))


def first_change(readings: Readings, after: int) -> tuple[int, set[Change]]:
    """Return the first opening from `after` on and all kinds that the incident was called."""
    opened = int(np.flatnonzero(readings.opened[after:])[0]) + after
    kinds = readings.changes()[opened:]
    end = next((i for i, kind in enumerate(kinds) if kind is None), len(kinds))
    return opened, {kind for kind in kinds[:end] if kind}


def columns(readings: Readings) -> Floats:
    return np.stack([readings.baseline, readings.scale, readings.lower, readings.upper, readings.evidence])


# Oracle


def plain(values: Floats, a_day: int) -> tuple[Floats, Floats]:
    """Return what is expected of each value, and the largest log e-value, by the formulas of `Adaptive` alone."""
    y = np.sign(values) * np.abs(values) ** (2 / 3)
    decay, forget = 2 ** (-1 / max(7 * a_day, 60)), 2 ** (-1 / max(3 * a_day, 20))
    each, expected, log_e = np.full((len(y), 3), np.nan), np.full(len(y), np.nan), np.full(len(y), -np.inf)
    views = np.full((len(y), 5), np.nan)
    first, smooth = 0, np.zeros(3)

    def decayed(part: Floats, by: float) -> float:
        part = part[~np.isnan(part)]
        return float(part @ by ** np.arange(len(part) - 1, -1, -1.0))

    for t in range(1, len(y)):
        if t == a_day + 2:
            first, smooth = t, np.zeros(3)
        for i, (period, kept) in enumerate(((1, 7 * a_day), (a_day, 6), (7 * a_day, 6))):
            if i == 0:
                mean = y[0]
                for k in range(1, t):  # a running mean of at most a week
                    mean += (y[k] - mean) / min(k + 1, kept)
                each[t, 0] = mean
                continue
            near = [np.arange(t, -1, -1)[(t + d - np.arange(t, -1, -1)) % period == 0] for d in (-1, 0, 1)]
            same = np.concatenate([y[n[n < t][:kept]] for n in near])
            each[t, i] = np.median(same) if len(same) >= 3 else np.nan
        errors = np.abs(y[first:t, None] - each[first:t])
        ready, costs = np.zeros(3, np.bool_), np.zeros((t - first, 3))
        for i in range(3):
            known = np.flatnonzero(~np.isnan(errors[:, i]))
            e = errors[known, i]
            ready[i] = decayed(np.ones(len(e)), forget) >= 6
            costs[:, i] = np.nan
            for k in range(len(e)):
                if (n := decayed(np.ones(k), forget)) >= 6:
                    mean_error = decayed(e[:k], forget) / n
                    costs[known[k], i] = np.log(mean_error) + min(e[k] / mean_error, 10)
        likelihood = np.array([decayed(costs[:, 0] - costs[:, i], forget) for i in range(3)])
        use = ready & ~np.isnan(each[t])
        if use.any():
            weight = np.exp(0.3 * (likelihood[use] - likelihood[use].max()))
            expected[t] = weight @ each[t, use] / weight.sum()
        else:
            expected[t] = each[t][~np.isnan(each[t])][-1]
        both = np.stack([y - expected, np.append(np.nan, np.diff(y))])[:, first : t + 1]
        cut, units = np.full(both.shape, np.nan), np.ones(2)
        for j in range(2):
            for k in range(both.shape[1]):
                if np.isnan(both[j, k]):
                    continue
                n = decayed(np.where(np.isnan(cut[j, :k]), np.nan, 1.0), decay)
                usual = decayed(cut[j, :k] ** 2, decay) / n if n else 0.0
                size = min(both[j, k] ** 2, 9 * usual) if n >= 6 else both[j, k] ** 2
                cut[j, k] = np.sign(both[j, k]) * np.sqrt(size)
            before = cut[j, :-1]
            n = decayed(np.where(np.isnan(before), np.nan, 1.0), decay)
            if n >= 6:
                usual, squares, weights = decayed(before**2, decay) / n, 0.0, 0.0
                for d in (-1, 0, 1):
                    same = before[(np.arange(first, t) - t - d) % a_day == 0] ** 2
                    squares += decayed(same, 5 / 6)
                    weights += decayed(np.where(np.isnan(same), np.nan, 1.0), 5 / 6)
                units[j] = np.sqrt((squares + 20 * usual) / (weights + 20) / usual)
        past = np.nan_to_num(cut[0, :-1])
        lag = np.append(0.0, past[:-1])
        with np.errstate(invalid="ignore"):
            rho = np.clip(decayed(past * lag, decay) / (decayed(lag**2 + 1e-12, decay) or np.inf), 0, 0.99)
        views[t, 0] = (both[0, -1] - rho * (past[-1] if len(past) else 0.0)) / units[0]
        views[t, 1] = both[1, -1] / units[1]
        smooth += 2 / (np.array([3, 12, max(a_day / 4, 2)]) + 1) * (both[0, -1] / units[0] - smooth)
        views[t, 2:] = smooth
        floor = 1e-3 * decayed(np.abs(y[:t]), decay) / decayed(np.ones(t), decay) + 1e-12
        for c, power in enumerate((3, 3, 4, 6, 8)):
            seen = views[first:t, c]
            seen = seen[~np.isnan(seen)]
            n = decayed(np.ones(len(seen)), decay)
            if n >= 6:
                one_side = decayed(np.where((seen >= 0) == (views[t, c] >= 0), np.abs(seen) ** power, 0.0), decay)
                usual = (0.2 * decayed(np.abs(seen) ** power, decay) + 1.6 * one_side) / n
                usual = max(usual, floor**power)
                log_e[t] = max(log_e[t], np.log((n + 0.1) / (n * usual / abs(views[t, c]) ** power + 0.1)))
    return expected, log_e


def test_expectation_and_evidence_are_those_of_the_formulas() -> None:
    from barograph.rules.adaptive.channels import LOG_RATES
    from barograph.rules.adaptive.state import SHARES, SPIKE

    a_day = 6
    t = np.arange(a_day * 24)
    values = 20 + 5 * np.sin(t * np.pi / 3) + rng(3).standard_t(5, size=len(t))
    values[100] += 25
    _, readings = scan(start(Adaptive(step=DAY / a_day, false_alarms_per_day=1e-9)), values)
    expected, log_e = plain(values, a_day)
    np.testing.assert_allclose(readings.baseline[1:], np.sign(expected[1:]) * np.abs(expected[1:]) ** 1.5, rtol=1e-9)
    known = np.isfinite(log_e)
    rate = np.interp(np.maximum(log_e[known], 0.0), np.arange(len(LOG_RATES)), LOG_RATES)
    assert log_e.max() < len(LOG_RATES) - 1
    np.testing.assert_allclose(readings.evidence[known], np.log(SHARES[SPIKE]) - rate, rtol=1e-6)


def test_a_known_sampling_error_is_charged_to_the_values_that_have_it() -> None:
    y = daily(30)
    errors = np.ones(len(y))
    errors[-1] = 5.0
    y[-1] += 6
    (_, plain_), (_, known) = scan(start(NEVER), y), scan(start(NEVER), y, standard_errors=errors)
    np.testing.assert_allclose(known.scale[-2] / plain_.scale[-2], 1.0, rtol=0.05)
    assert 4 < known.scale[-1] / known.scale[-2] < 5.5
    assert known.evidence[-1] < plain_.evidence[-1] - 2


def test_trend_is_a_mann_kendall_test() -> None:
    from barograph.rules.adaptive.watch import trend_log_p

    days = np.array([1.0, 2.5, 2.2, 4.1, 4.0, 6.3, 6.1, 8.2, 8.0, 10.1, 9.9, 12.2, 11.9, 14.0])
    exact = log(kendalltau(np.arange(14), days, method="exact").pvalue)
    assert exact <= trend_log_p(days) < exact / 2  # never smaller; larger by the correction for autocorrelation
    assert trend_log_p(np.repeat([0.0, 5.0], 7) + 0.01 * rng(0).normal(size=14)) == 0.0  # one step is no trend
    assert trend_log_p(np.zeros(14)) > -1


# Laws


@pytest.mark.parametrize("settings", [MONTHLY, Adaptive(step=DAY, false_alarms_per_day=0.03)])
def test_step_by_step_is_the_same_as_the_whole(settings: Adaptive) -> None:
    y = daily(40)
    y[500:520], y[700] = y[500:520] + 30, np.nan
    _, whole = scan(start(settings), y)
    assert whole.opened.any()
    head, a = scan(start(settings), y[:511])
    state, b = scan(AdaptiveState.from_bytes(head.to_bytes()), y[511:-30])
    rest = []
    for value in y[-30:]:
        state, reading = step(state, None if np.isnan(value) else float(value))
        rest.append(reading)
    parts = np.concatenate([columns(a), columns(b)], axis=1)
    np.testing.assert_array_equal(columns(whole)[:, :-30], parts)
    assert [whole[i] for i in range(len(y) - 30, len(y))] == rest
    assert state.to_bytes() == scan(start(settings), y)[0].to_bytes()


def test_a_value_is_judged_by_the_past_alone() -> None:
    y = daily(30)
    changed = y.copy()
    changed[500:] = 0.0
    (_, a), (_, b) = scan(start(MONTHLY), y), scan(start(MONTHLY), changed)
    np.testing.assert_array_equal(columns(a)[:, :500], columns(b)[:, :500])
    np.testing.assert_array_equal(a.baseline[500], b.baseline[500])
    assert a.evidence[500] < b.evidence[500]


def test_unit_of_the_values_does_not_matter() -> None:
    y = daily(40)
    y[800:806] += 25
    (_, a), (_, b) = scan(start(MONTHLY), y), scan(start(MONTHLY), 1024.0 * y)
    np.testing.assert_allclose(a.evidence, b.evidence, rtol=1e-6)
    np.testing.assert_array_equal(a.stream, b.stream)


def test_scanning_changes_neither_state_nor_values() -> None:
    y, state = daily(5), start(MONTHLY)
    before, bytes_before = y.copy(), state.to_bytes()
    scan(state, y)
    np.testing.assert_array_equal(y, before)
    assert state.to_bytes() == bytes_before


def test_weekends_are_expected_once_three_weeks_are_known() -> None:
    hours = np.arange(24 * 7 * 8)
    weekend = (hours // 24) % 7 >= 5
    y = np.where(weekend, 40.0, 100.0) + rng().normal(size=len(hours))
    _, readings = scan(start(MONTHLY), y)
    late = hours > 24 * 7 * 5
    assert np.abs(readings.baseline - y)[late].max() < 6
    assert not readings.open[late].any()


def test_siblings_stand_in_until_the_series_has_values_of_its_own() -> None:
    _, readings = scan(start(MONTHLY), daily(20), siblings=np.full(480, 500.0))
    assert readings.baseline[0] == pytest.approx(500.0)
    own = [readings.baseline[t] for t in range(24, 480, 24)]
    assert all(a > b for a, b in pairwise(own))
    blended = (10 * 100 ** (2 / 3) + 20 * 500 ** (2 / 3)) / 30  # n/(n + 20) of its own
    assert own[9] == pytest.approx(blended**1.5, rel=0.02)


# What kind of change


@pytest.mark.parametrize("seed", range(6))
def test_kinds_of_change_are_told_apart(seed: int) -> None:
    at = 24 * 40 + 7
    cases: dict[Change, tuple[Floats, int]] = {kind: (daily(60, seed=seed), 0) for kind in Change}
    cases[Change.SPIKE][0][at] += 15
    cases[Change.LEVEL_SHIFT][0][at:] += 8
    cases[Change.FLAT_LINE][0][at:] = cases[Change.FLAT_LINE][0][at - 1]
    cases[Change.MISSING_DATA][0][at:] = np.nan
    cases[Change.TREND][0][at:] += np.arange(24 * 60 - at) * 0.1 / 24
    for kind, (y, _) in cases.items():
        _, readings = scan(start(MONTHLY), y)
        opened, kinds = first_change(readings, at)
        assert opened - at <= {Change.SPIKE: 0, Change.LEVEL_SHIFT: 8, Change.TREND: 24 * 15}.get(kind, 24)
        # Chance may have a word before a trend has shown itself.
        assert kind in kinds or (kind is Change.TREND and kind in readings.changes()[at : at + 24 * 16])


def test_values_that_never_come_at_night_are_not_missed() -> None:
    y = daily(40)
    y[np.arange(len(y)) % 24 >= 18] = np.nan
    _, readings = scan(start(MONTHLY), y)
    assert Change.MISSING_DATA not in readings.changes()[24 * 5 :]
    y[24 * 35 :] = np.nan
    _, readings = scan(start(MONTHLY), y)
    assert first_change(readings, 24 * 35)[1] == {Change.MISSING_DATA}


def test_small_samples_raise_no_alarm_where_their_error_is_known() -> None:
    r = rng(5)
    n = np.where(np.arange(24 * 60) % 24 < 6, 20, 2000)  # few events at night
    share = r.binomial(n, 0.1) / n
    errors = np.sqrt(0.1 * 0.9 / n)
    z = {}
    for name, known in (("known", errors), ("unknown", 0.0)):
        _, readings = scan(start(NEVER), share, standard_errors=known)
        z[name] = (np.abs(share - readings.baseline) / readings.scale)[24 * 20 :]
    night = n[24 * 20 :] == 20
    assert z["known"][night].std() / z["known"][~night].std() < 2
    assert z["unknown"][night].std() / z["unknown"][~night].std() > 5


# Learning and incidents


def test_nothing_is_learned_of_what_a_person_has_confirmed() -> None:
    y, at = daily(60), 24 * 40
    y[at : at + 10] += 20
    told = np.zeros(len(y), np.bool_)
    told[at : at + 10] = True
    other = y.copy()
    other[at : at + 10] += 7
    (_, a), (_, b) = (scan(start(MONTHLY), values, confirmed=told) for values in (y, other))
    assert a.opened[at]
    np.testing.assert_array_equal(a.baseline, b.baseline)
    np.testing.assert_array_equal(a.evidence[at + 10 :], b.evidence[at + 10 :])
    y[at + 48] += 20  # it comes again
    assert scan(start(MONTHLY), y, confirmed=told)[1].evidence[at + 48] > scan(start(MONTHLY), y)[1].evidence[at + 48]


def test_a_change_that_lasts_a_day_becomes_the_new_level() -> None:
    y = daily(60)
    at = 24 * 40 + 3
    y[at:] += 20
    _, readings = scan(start(MONTHLY), y)
    assert np.abs(readings.baseline - y)[at + 26 : at + 48].max() < 5  # the next day already
    assert readings.open[at : at + 24].all()
    assert not readings.open[at + 40 :].any()


def test_an_incident_opens_at_the_run_length_and_closes_after_quiet_steps_alone() -> None:
    y = daily(60, seed=3)
    for at in (700, 900, 1100):
        y[at : at + 5] += 20
    _, readings = scan(start(MONTHLY), y)
    limit, close = log(MONTHLY.run_length), MONTHLY.settings.close
    z = np.abs(y - readings.baseline) / readings.scale
    quiet = (readings.evidence <= limit - log(10)) | (z < 1.1)
    was_open = np.append(False, readings.open[:-1])
    raised = np.cumsum(readings.opened) / 3  # at most, before what has gone down again
    assert (readings.evidence[readings.opened] >= limit).all()
    assert not (~was_open & ~readings.opened & (readings.evidence >= limit + raised)).any()
    closed = np.flatnonzero(was_open & ~readings.open)
    assert len(closed) >= 3
    assert all(quiet[t - close + 1 : t + 1].all() for t in closed)


# Error rates


def autoregressive(phi: float, n: int, r: np.random.Generator) -> Floats:
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -phi], r.normal(size=n)))


NULLS = {
    "independent": lambda n, r: r.normal(size=n),
    "daily": lambda n, r: 10 * np.sin(2 * np.pi * np.arange(n) / 24) + r.normal(size=n),
    "weekly": lambda n, r: 10 * ((np.arange(n) // 24) % 7 < 5) + r.normal(size=n),
    "autocorrelated 0.9": lambda n, r: autoregressive(0.9, n, r),
    "random walk": lambda n, r: np.cumsum(r.normal(size=n)),
    "heavy tails": lambda n, r: r.standard_t(3, size=n),
    "counts": lambda n, r: r.poisson(3 + 2 * np.sin(2 * np.pi * np.arange(n) / 24)).astype(float),
    "rare counts": lambda n, r: r.poisson(0.05, size=n).astype(float),
    "skewed": lambda n, r: np.exp(r.normal(size=n)),
}


@pytest.mark.parametrize("name", NULLS)
def test_false_alarms_are_at_most_twice_the_stated_ones(name: str) -> None:
    budget, days, series = 0.1, 90, 12
    rule, r = Adaptive(step=HOUR, false_alarms_per_day=budget), rng(11)
    opened = sum(int(scan(start(rule), NULLS[name](24 * days, r))[1].opened.sum()) for _ in range(series))
    assert opened <= 2 * budget * days * series


def test_more_evidence_is_rarer() -> None:
    r, n = rng(12), 24 * 200
    evidence = np.concatenate([scan(start(NEVER), r.normal(size=n))[1].evidence[24 * 30 :] for _ in range(6)])
    for steps in (100, 300, 1000):  # the log of the mean number of steps until chance brings as much
        apart = np.diff(np.flatnonzero(evidence >= log(steps))) > 12
        assert 1 + apart.sum() < 3 / steps * len(evidence)


# Edges and bad input


def test_no_values_change_nothing() -> None:
    state, readings = scan(start(MONTHLY), [])
    assert len(readings) == 0
    assert state.to_bytes() == start(MONTHLY).to_bytes()


def test_one_value_and_constant_values_and_no_values_at_all_raise_no_alarm() -> None:
    _, one = step(start(MONTHLY), 3.0)
    assert (one.baseline, one.evidence, one.open) == (3.0, None, False)
    for value in (0.0, 7.0, -1e9, np.nan):
        assert not scan(start(MONTHLY), np.full(24 * 40, value))[1].opened.any()


def test_a_constant_series_that_moves_is_an_alarm() -> None:
    y = np.full(24 * 40, 7.0)
    y[-1] = 8.0
    assert scan(start(MONTHLY), y)[1].opened[-1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"step": timedelta(0)}, "above zero"),
        ({"step": HOUR, "false_alarms_per_day": 0.0}, "above zero"),
        ({"step": HOUR, "false_alarms_per_day": float("nan")}, "above zero"),
        ({"step": HOUR, "false_alarms_per_day": 5.0}, "at least 20 between"),
    ],
)
def test_impossible_rules_are_refused(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        Adaptive(**arguments)  # type: ignore[arg-type]


def test_infinite_values_and_wrong_errors_are_refused() -> None:
    with pytest.raises(MismatchError, match="finite number"):
        scan(start(MONTHLY), [1.0, np.inf])
    with pytest.raises(MismatchError, match="standard error"):
        scan(start(MONTHLY), [1.0, 2.0], standard_errors=-1.0)
