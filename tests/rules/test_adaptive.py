from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from math import log

import numpy as np
import pytest
from scipy.stats import genpareto, kendalltau

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


def test_baseline_is_the_median_of_the_same_hour_of_the_last_six_days_and_its_neighbours() -> None:
    y = rng().normal(size=24 * 18)  # below three weeks: no weekly baseline
    _, readings = scan(start(NEVER), y)
    for t in range(24 * 7, len(y), 5):
        same = [y[t - 24 * k + d] for k in range(1, 7) for d in (-1, 0, 1)]
        assert readings.baseline[t] == pytest.approx(np.median(same), abs=1e-12)


def test_baseline_without_a_daily_rhythm_is_the_median_of_the_last_values() -> None:
    y = rng().normal(size=60)
    _, readings = scan(start(Adaptive(step=timedelta(days=7), false_alarms_per_day=1e-9)), y)
    assert readings.baseline[40] == pytest.approx(np.median(y[22:40]))


def test_scale_is_the_decayed_mean_square_of_the_residuals_without_what_sampling_explains() -> None:
    y, error = daily(18), 0.8
    _, plain = scan(start(NEVER), y)
    _, known = scan(start(NEVER), y, standard_errors=error)
    residual = y - plain.baseline
    t, first = len(y) - 1, 25  # scales start again at the second value of a phase, with the weight of one value
    weights = 2.0 ** (-(t - 1 - np.arange(first, t)) / 120.0)
    for readings, cut in ((plain, 0.0), (known, error**2)):
        unknown = np.average(residual[first:t] ** 2 - cut, weights=weights)
        assert readings.scale[t] ** 2 - cut == pytest.approx(unknown, rel=0.1)
    assert known.scale[t] == pytest.approx(plain.scale[t], rel=0.05)  # the part that is known is not counted twice


def test_tail_of_a_known_distribution_is_extrapolated_beyond_what_was_seen() -> None:
    from barograph.rules.adaptive import tails
    from barograph.rules.adaptive.state import BINS

    for shape in (0.0, 0.3):
        x = genpareto(shape).rvs(20_000, random_state=rng(1))
        counts, sums = np.zeros(BINS), np.zeros(BINS)
        for value in x:
            counts[tails.bin_of(value)] += 1
            sums[tails.bin_of(value)] += value
        tail = np.zeros(4)
        tails.refit(counts, sums, float(len(x)), 1.0, tail)
        for p in (1e-2, 1e-4, 1e-5):
            found = tails.tail_p(counts, float(len(x)), 1.0, tail, genpareto(shape).isf(p))
            assert p / 3 < found < 4 * p
        for p in (1e-3, 1e-5):
            assert tails.tail_p(counts, float(len(x)), 1.0, tail, tails.tail_quantile(tail, p)) == pytest.approx(
                p, rel=0.2
            )


def test_rank_of_a_value_within_what_was_seen_is_the_conformal_one() -> None:
    from barograph.rules.adaptive import tails
    from barograph.rules.adaptive.state import BINS

    counts, sums, tail = np.zeros(BINS), np.zeros(BINS), np.zeros(4)
    for value in range(1, 101):
        counts[tails.bin_of(value)] += 1
        sums[tails.bin_of(value)] += value
    tails.refit(counts, sums, 100.0, 1.0, tail)
    assert tails.tail_p(counts, 100.0, 1.0, tail, 3.0) == pytest.approx((1 + 98) / 101)


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
    assert readings.baseline[0] == 500.0
    own = [readings.baseline[t] for t in range(24, 480, 24)]
    assert all(a > b for a, b in pairwise(own))
    assert own[9] == pytest.approx((10 * 100 + 20 * 500) / 30, rel=0.02)  # n/(n + 20) of its own


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
        assert kind in kinds


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


def test_nothing_is_learned_while_an_incident_is_open_and_not_accepted() -> None:
    y = daily(60)
    at = 24 * 40
    y[at : at + 10] += 20
    _, readings = scan(start(MONTHLY), y)
    assert readings.opened[at]
    assert readings.open[at : at + 10].all()
    assert not readings.learning[at : at + 10].any()
    clean = daily(60)
    _, without = scan(start(MONTHLY), clean)
    np.testing.assert_allclose(readings.baseline[at + 24 : at + 34], without.baseline[at + 24 : at + 34], atol=1.0)
    assert not readings.open[at + 24 :].any()


def test_a_change_that_lasts_a_day_becomes_the_new_level() -> None:
    y = daily(60)
    at = 24 * 40 + 3
    y[at:] += 20
    _, readings = scan(start(MONTHLY), y)
    assert not readings.learning[at : at + 24].any()
    assert readings.learning[at + 24 :].all()
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
    quiet = (readings.evidence <= limit - log(10)) | (z < 1)
    was_open = np.append(False, readings.open[:-1])
    np.testing.assert_array_equal(readings.opened, ~was_open & (readings.evidence >= limit))
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
def test_false_alarms_stay_within_the_budget(name: str) -> None:
    budget, days, series = 0.1, 90, 12
    rule, r = Adaptive(step=HOUR, false_alarms_per_day=budget), rng(11)
    opened = sum(int(scan(start(rule), NULLS[name](24 * days, r))[1].opened.sum()) for _ in range(series))
    assert opened <= budget * days * series


def test_more_evidence_is_rarer() -> None:
    r, n = rng(12), 24 * 200
    evidence = np.concatenate([scan(start(NEVER), r.normal(size=n))[1].evidence[24 * 30 :] for _ in range(6)])
    for steps in (20, 100, 500):  # the log of the mean number of steps until chance brings as much
        assert np.mean(evidence >= log(steps)) < 1.2 / steps


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
