"""The rule for series with a daily and weekly rhythm: traffic, latency, error rates, missing shares, metric values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import isfinite, log
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Bools, Floats
from barograph.errors import MismatchError, SpecError
from barograph.rules import Context, Feed, Judged, rule
from barograph.rules.adaptive import state as at
from barograph.rules.adaptive.state import Settings, State
from barograph.sketches.serial import pack, unpack

DAY = timedelta(days=1)
SHORTEST_RUN = 20  # steps between false alarms: fewer are no alarms but noise


class Change(StrEnum):
    """What happened to a series."""

    SPIKE = "spike"  # away from what is expected, and soon back
    LEVEL_SHIFT = "level shift"  # away from what is expected, on one side, and still there
    FLAT_LINE = "flat line"  # the same value, for longer than it used to be
    MISSING_DATA = "missing data"  # no values, where this time of day and week used to have some
    TREND = "slow trend"  # two weeks of daily means that rise or fall, with no single step


_CHANGES = (Change.SPIKE, Change.LEVEL_SHIFT, Change.FLAT_LINE, Change.MISSING_DATA, Change.TREND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptive:
    r"""Decide, for each value of a series, whether it is what the time of day and week, and the last days, promise.

    `step` is the time between values and `false_alarms_per_day` the budget: nothing else is to be set, for any series.
    A value that did not come is NaN; steps are never left out, because the rhythm is counted in them.

    With :math:`S` steps a day, and of each value only what came before it:

    1. *Value* :math:`y = \mathrm{sign}(v)\,|v|^{2/3}`, the normalising power of counts.
    2. *Baseline*: the mean of the last week, the median of the same time of day in the last 6 days, and of the same
       time of week in the last 6 weeks (one step before and after included, from 4 steps a day on), weighted by
       :math:`e^{0.3\,\ell}`, :math:`\ell` being each one's Laplace log likelihood beside the mean's, decayed by half
       in 3 days. The value of sibling series :math:`s` is blended in as :math:`(n b + 20 s)/(n + 20)`, with :math:`n`
       own values of the phase.
    3. *Views* :math:`x` of the residual :math:`e`: its innovation (lag-1 autocorrelation removed), the jump since the
       last value, and running means of :math:`e` over 3, 12 and :math:`S/4` steps; in units of the root mean square at
       that time of day, shrunk to that of all by 20 values. A known sampling error enters its unit beside what is left
       of the usual square without it.
    4. *Evidence* of a view is a power e-value [1]_: :math:`|x|^p` over its decayed mean so far, which chance exceeds
       :math:`c`-fold at most once in :math:`c` steps whatever the distribution, with powers of 3, 3, 4, 6 and 8, one
       fifth of the mean being of both sides and the rest of the value's own; half-life 7 days, at least 60 steps. The
       largest counts. A measured table turns it into the log of the mean number of steps until chance brings as much.
    5. *Other kinds*: the number of steps without a change of value, by the same e-value; missing values, by
       Shiryaev-Roberts bets on a larger share of them; a trend, by a Mann-Kendall test of 14 daily means with its
       variance corrected for autocorrelation. What comes to most, less the log of its share in the budget, is the
       evidence of the step.
    6. An incident opens at the log run length between false alarms that the budget grants, raised by 1/3 for each
       incident that the series had, which goes down again at the stated rate. It closes when evidence has been below a
       tenth of that, and residuals not far on one side, for 3 to 12 steps. After a day (7 steps of a day) its median
       residual is taken for a new level. What a person has `confirmed` is not learned; everything else is.

    The budget is kept as far as the future resembles the past: it is measured, not proven (`docs/adaptive.md`). A step
    costs about three microseconds in :func:`scan`.

    >>> rule = Adaptive(step=timedelta(hours=1), false_alarms_per_day=1 / 30)
    >>> hours = np.arange(24 * 40)
    >>> noise = np.random.default_rng(1).normal(size=960)
    >>> values = 100 + 30 * np.sin(hours * np.pi / 12) + noise
    >>> values[900:] += 15
    >>> _, readings = scan(start(rule), values)
    >>> readings.opened[800:].nonzero()[0].tolist(), readings[906].change, round(readings[900].baseline)
    ([100], <Change.LEVEL_SHIFT: 'level shift'>, 100)

    .. [1] V. Vovk, R. Wang, "E-values: calibration, combination and applications", Annals of Statistics 49, 2021.
    """

    step: timedelta
    false_alarms_per_day: float = 1 / 30

    def __post_init__(self) -> None:
        if self.step <= timedelta(0):
            raise SpecError(
                f"The step of an adaptive rule is the time between two values, above zero. Got {self.step}."
            )
        if not (isfinite(self.false_alarms_per_day) and self.false_alarms_per_day > 0):
            raise SpecError(
                f"A budget is a number of false alarms a day above zero. Got {self.false_alarms_per_day!r}."
            )
        if self.run_length < SHORTEST_RUN:
            raise SpecError(
                f"{self.false_alarms_per_day:g} false alarms a day are one in {self.run_length:.3g} steps. "
                f"A rule needs at least {SHORTEST_RUN} between them: allow fewer, or take steps below {self.step}."
            )

    @property
    def run_length(self) -> float:
        """Return the mean number of steps between false alarms that the budget allows."""
        return DAY / self.step / self.false_alarms_per_day

    @property
    def settings(self) -> Settings:
        """Return the rule in steps."""
        a_day = DAY / self.step
        short = max(round(a_day), 1)
        return Settings(
            short=short,
            long=7 * short if self.step <= DAY else 0,
            decay=2.0 ** (-1 / max(at.HALF_LIFE_DAYS * a_day, at.SHORTEST_HALF_LIFE)),
            forget=2.0 ** (-1 / max(at.FORECASTS_DAYS * a_day, at.SHORTEST_OF_FORECASTS)),
            accept=max(short, 7),
            close=min(max(round(short**0.5), 3), 12),
            threshold=log(self.run_length),
            ceiling=log(self.run_length) + log(10.0) - float(at.LOG_SHARES.min()),
        )


@dataclass(frozen=True, slots=True, eq=False)
class AdaptiveState:
    """What a rule has learned of one series: 160 kilobytes for steps of five minutes, 17 for hours."""

    rule: Adaptive
    arrays: State

    def to_bytes(self) -> bytes:
        """Return a portable form."""
        step = self.rule.step
        meta = {
            "step_microseconds": step // timedelta(microseconds=1),
            "false_alarms_per_day": self.rule.false_alarms_per_day,
        }
        return pack("adaptive state", 1, meta, self.arrays._asdict())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the state that `to_bytes` wrote."""
        meta, arrays = unpack(data, kind="adaptive state", version=1)
        step = timedelta(microseconds=meta["step_microseconds"])
        return cls(Adaptive(step=step, false_alarms_per_day=meta["false_alarms_per_day"]), State(**arrays))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the rule says of one value.

    `lower` and `upper` bound what is no spike (None before there is enough to tell); other kinds of change can raise an
    alarm within them. `evidence` is in nats, to be compared with the log of the rule's `run_length`; it is None before
    there is any. `change` is None while no incident is open.
    """

    baseline: float | None
    scale: float | None
    lower: float | None
    upper: float | None
    evidence: float | None
    change: Change | None
    opened: bool

    @property
    def open(self) -> bool:
        """Return whether an incident is open."""
        return self.change is not None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readings:
    """What the rule says of a run of values, as arrays; `readings[i]` is the `Reading` of one.

    NaN (-inf in `evidence`) stands for what is not known yet; `stream` is what speaks loudest, -1 while no
    incident is open.
    """

    baseline: Floats
    scale: Floats
    lower: Floats
    upper: Floats
    evidence: Floats
    stream: npt.NDArray[np.int64]
    open: Bools
    opened: Bools

    def __len__(self) -> int:
        return len(self.evidence)

    def __getitem__(self, i: int) -> Reading:
        def known(values: Floats) -> float | None:
            return float(values[i]) if isfinite(values[i]) else None

        return Reading(
            baseline=known(self.baseline),
            scale=known(self.scale),
            lower=known(self.lower),
            upper=known(self.upper),
            evidence=known(self.evidence),
            change=_CHANGES[self.stream[i]] if self.open[i] else None,
            opened=bool(self.opened[i]),
        )

    def changes(self) -> list[Change | None]:
        """Return the kind of the open incident at each step, None where there is none."""
        return [_CHANGES[k] if k >= 0 else None for k in self.stream.tolist()]


def start(rule: Adaptive) -> AdaptiveState:
    """Return the state before the first value."""
    return AdaptiveState(rule, at.empty_state(rule.settings))


def scan(
    state: AdaptiveState,
    values: npt.ArrayLike,
    *,
    standard_errors: npt.ArrayLike = 0.0,
    siblings: npt.ArrayLike = np.nan,
    confirmed: npt.ArrayLike = False,
) -> tuple[AdaptiveState, Readings]:
    """Return the state after `values`, and what was said of each, knowing only those before it.

    `values` are one a step, NaN where none came. `standard_errors` are their known sampling errors, `siblings` what
    similar series have at this phase, NaN where that is not known; `confirmed` says where a person has confirmed a
    trouble: such a value is judged and nothing is learned of it. Each is one or one a value. Scanning in parts
    gives exactly what scanning the whole gives. No values change nothing. Infinite values, and errors that are negative
    or not finite, raise MismatchError.
    """
    from barograph.rules.adaptive import kernels

    y = np.array(values, np.float64).reshape(-1)
    errors = np.broadcast_to(np.asarray(standard_errors, np.float64), y.shape)
    beside = np.broadcast_to(np.asarray(siblings, np.float64), y.shape)
    told = np.broadcast_to(np.asarray(confirmed, np.bool_), y.shape)
    if np.isinf(y).any() or np.isinf(beside).any():
        raise MismatchError("A value of a series is a finite number, or NaN where none came. Got an infinite one.")
    if not (np.isfinite(errors).all() and (errors >= 0).all()):
        raise MismatchError("A standard error is a finite number of at least zero. Leave it out where it is not known.")
    arrays = at.map_arrays(state.arrays, np.copy)
    out = kernels.scanner()(arrays, state.rule.settings, y, errors.copy(), beside.copy(), told.copy())
    column = {name: out[:, i] for i, name in enumerate(kernels.NAMES)}
    return AdaptiveState(state.rule, arrays), Readings(
        baseline=column["baseline"],
        scale=column["scale"],
        lower=column["lower"],
        upper=column["upper"],
        evidence=column["evidence"],
        stream=column["stream"].astype(np.int64),
        open=column["open"] > 0,
        opened=column["opened"] > 0,
    )


def step(
    state: AdaptiveState, value: float | None, *, standard_error: float = 0.0, sibling: float | None = None
) -> tuple[AdaptiveState, Reading]:
    """Return the state after one value (None: it did not come), and what the rule says of it.

    >>> state, reading = step(start(Adaptive(step=timedelta(days=1))), 12.5)
    >>> round(reading.baseline, 6), reading.evidence, reading.open
    (12.5, None, False)
    """
    state, readings = scan(
        state,
        [np.nan if value is None else value],
        standard_errors=standard_error,
        siblings=np.nan if sibling is None else sibling,
    )
    return state, readings[0]


@dataclass(frozen=True, slots=True, eq=False)
class AdaptiveStates:
    """What was learned of several series."""

    series: tuple[AdaptiveState, ...]

    def to_bytes(self) -> bytes:
        """Return a portable form."""
        arrays = {str(i): np.frombuffer(state.to_bytes(), np.uint8) for i, state in enumerate(self.series)}
        return pack("adaptive states", 1, {}, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the states that `to_bytes` wrote."""
        _, arrays = unpack(data, kind="adaptive states", version=1)
        return cls(tuple(AdaptiveState.from_bytes(arrays[str(i)].tobytes()) for i in range(len(arrays))))


@dataclass(frozen=True, slots=True, eq=False)
class AdaptiveSeries:
    """The rule `Adaptive` for the values of several monitors: it learns from the chunks themselves as they come."""

    rules: tuple[Adaptive, ...]

    def start(self) -> AdaptiveStates:
        """Return the states before the first value."""
        return AdaptiveStates(tuple(start(rule) for rule in self.rules))

    def run(self, state: AdaptiveStates, feed: Feed, *, arl: Floats) -> tuple[AdaptiveStates, Judged]:
        """Scan each series; its run length was fixed when it was learned. Where it is not ready, it cannot tell."""
        assert feed.values is not None  # what it takes
        values = feed.values
        errors = np.zeros(values.shape) if feed.errors is None else np.nan_to_num(feed.errors)
        scanned = [scan(one, values[:, j], standard_errors=errors[:, j]) for j, one in enumerate(state.series)]
        readings = [reading for _, reading in scanned]
        change = [(j, reading.changes()) for j, reading in enumerate(readings)]
        evidence = np.column_stack([reading.evidence for reading in readings])
        return AdaptiveStates(tuple(one for one, _ in scanned)), Judged(
            breach=np.column_stack([reading.open for reading in readings]),
            known=np.isfinite(evidence),
            lower=np.column_stack([reading.lower for reading in readings]),
            upper=np.column_stack([reading.upper for reading in readings]),
            notes={(i, j): name.value for j, names in change for i, name in enumerate(names) if name is not None},
        )

    def smallest_change(self, feed: Feed, context: Context) -> Floats:
        """Return infinity: what it finds depends on what it will have learned by then."""
        return np.full(len(self.rules), np.inf)


@rule(
    takes="values",
    learns=False,
    finds="what is unusual for the hour and the week, learned from the chunks as they come",
)
def learn(reference: Feed, context: Context) -> AdaptiveSeries:
    """Return the rule for series of chunks of one length, within the run lengths of the context."""
    days = np.maximum(context.arl, SHORTEST_RUN * context.step)
    step = timedelta(days=context.step)
    return AdaptiveSeries(tuple(Adaptive(step=step, false_alarms_per_day=float(1 / d)) for d in days))
