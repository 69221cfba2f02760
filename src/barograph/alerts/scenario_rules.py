"""The rules that a scenario can try: their settings, and what they say of each chunk.

To add one, write a function from settings and values to judgements and put it into `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias  # Any: settings are of the type that their kind says

import numpy as np

from barograph.alerts.scenario_reader import number
from barograph.alerts.scenario_values import Value, parse_values
from barograph.arrays import Floats
from barograph.errors import SpecError
from barograph.rules import Decision, Rule, observe
from barograph.rules.adaptive import Adaptive, scan, start
from barograph.rules.bets import bet_sizes
from barograph.rules.budget import in_chunks, parse_budget
from barograph.rules.constant import constant
from barograph.rules.evidence import Evidence
from barograph.rules.loss import Loss
from barograph.rules.rate import rate
from barograph.rules.relative import relative
from barograph.rules.share import Share, share

Settings: TypeAlias = Mapping[str, Any]
Values: TypeAlias = Sequence[Value | None]

LONGEST_DAYS = 30.0  # changes that take longer to show are not bet on
BUDGET = "1 false alarm per month"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a rule says of one chunk. `known` is False where it could not tell; `note` is added to the breach's text."""

    breach: bool
    known: bool = True
    evidence: float | None = None
    limit: float | None = None
    reference: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a rule: how to read it, and its default. Without a default it has to be given."""

    read: Callable[[object], Any]
    default: Any = ...


@dataclass(frozen=True, slots=True)
class TriedRule:
    """A rule as scenarios see it. Of `one_of` at least one must be given; `rows` says whether it counts rows."""

    judge: Callable[[Settings, Values, timedelta], list[Judgement]]
    settings: Mapping[str, Setting]
    one_of: tuple[str, ...] = ()
    rows: bool = False


def share_of_rows(value: object) -> float:
    """Return a number above 0 and below 1."""
    if not 0 < number(value) < 1:
        raise SpecError(f"a share above 0 and below 1 is expected, got {value!r}.")
    return number(value)


def budget(value: object) -> float:
    """Return the false alarms per day that a budget allows."""
    if not isinstance(value, str):
        raise SpecError(f"a budget such as {BUDGET!r} is expected, got {value!r}.")
    try:
        return parse_budget(value).per_day
    except SpecError as error:
        raise SpecError(error.problems) from None


def blocks(value: object) -> list[Value]:
    """Return what the reference had, block by block."""
    if not isinstance(value, str):
        raise SpecError(f"blocks such as '20/1000 x 8' are expected, got {value!r}.")
    found = parse_values(value)
    if len(found) < 2 or not all(block and block.rows for block in found):
        raise SpecError(f"at least two blocks such as '20/1000 x 8' are expected, got {value!r}.")
    return [block for block in found if block]


def _numbers(values: Values) -> Floats:
    return np.array([np.nan if value is None else value.number for value in values])


def _decided(decision: Decision, references: float | None, limits: Sequence[float | None]) -> list[Judgement]:
    known = decision.breach | decision.calm
    return [
        Judgement(bool(b), known=bool(k), limit=limits[0 if d < 0 else 1], reference=references)
        for b, k, d in zip(decision.breach, known, decision.direction, strict=True)
    ]


def _constant(settings: Settings, values: Values, step: timedelta) -> list[Judgement]:
    limits = settings["lower"], settings["upper"]
    return _decided(constant(_numbers(values), lower=limits[0], upper=limits[1]), None, limits)


def _relative(settings: Settings, values: Values, step: timedelta) -> list[Judgement]:
    reference, fall, rise = settings["reference"], settings["fall"], settings["rise"]
    decision = relative(_numbers(values), np.full(len(values), reference), fall=fall, rise=rise)
    limits = [
        None if fall is None else reference - fall * abs(reference),
        None if rise is None else reference + rise * abs(reference),
    ]
    return _decided(decision, reference, limits)


def _adaptive(settings: Settings, values: Values, step: timedelta) -> list[Judgement]:
    errors = [(v.number * (1 - v.number) / v.rows) ** 0.5 if v and v.rows else 0.0 for v in values]
    rule = Adaptive(step=step, false_alarms_per_day=settings["budget"])
    _, readings = scan(start(rule), _numbers(values), standard_errors=errors)
    found = []
    for i, value in enumerate(values):
        reading = readings[i]
        above = value is not None and reading.baseline is not None and value.number > reading.baseline
        found.append(
            Judgement(
                reading.open,  # the rule has its own hysteresis: its evidence is no matter of the alert
                limit=reading.upper if above else reading.lower,
                reference=reading.baseline,
                note=f" ({reading.change})" if reading.change else "",
            )
        )
    return found


def _weigh(
    rule: Rule, log_e: Callable[[Value], Floats], settings: Settings, values: Values, step: timedelta
) -> list[Judgement]:
    """Return the judgements of an e-detector; a chunk without a value adds nothing and tells nothing."""
    arl = _run_length(settings, step)
    state, found = Evidence.start(*rule.shape), []
    for i, value in enumerate(values):
        if value is None:
            found.append(Judgement(False, known=False))
            continue
        decision = observe(rule, state, log_e(value), chunk=i, arl=arl)
        assert decision.state is not None
        assert decision.log_evidence is not None
        state, evidence = decision.state, float(decision.log_evidence[0])
        found.append(Judgement(bool(decision.breach[0]), evidence=evidence if np.isfinite(evidence) else None))
    return found


def _run_length(settings: Settings, step: timedelta) -> float:
    return float(in_chunks(1 / settings["budget"], step / timedelta(days=1)))


def _sizes(settings: Settings, step: timedelta) -> Floats:
    return bet_sizes(_run_length(settings, step), longest=max(LONGEST_DAYS / (step / timedelta(days=1)), 2.0))


def _typical_rows(values: Values) -> float:
    return float(np.median([value.rows for value in values if value] or [1]))


def _rate(settings: Settings, values: Values, step: timedelta) -> list[Judgement]:
    rule = rate([settings["allowed"]], sizes=_sizes(settings, step), chunk_rows=_typical_rows(values))
    return _counted(rule, settings, values, step, settings["allowed"], None)


def _share(settings: Settings, values: Values, step: timedelta) -> list[Judgement]:
    reference = settings["reference"]
    hits, rows = [[round(b.number * b.rows)] for b in reference], [[b.rows] for b in reference]
    sizes, typical = _sizes(settings, step), _typical_rows(values)
    rule = share(hits, rows, sizes=sizes, tolerance=settings["tolerance"], chunk_rows=typical)
    mean = sum(hit for (hit,) in hits) / sum(n for (n,) in rows)
    return _counted(rule, settings, values, step, float(rule.upper.max()), mean)


def _loss(settings: Settings, values: Values, step: timedelta) -> list[Judgement]:
    """Judge the share of rows that are wrong: a loss of 0 or 1."""

    def counts(block: Value) -> list[list[int]]:
        wrong = round(block.number * block.rows)
        return [[block.rows - wrong, wrong]]

    reference = settings["reference"]
    rule = Loss.learn(
        [counts(block) for block in reference],
        [0.0, 1.0, 1.0],  # bins that begin at 0 and at 1
        sizes=_sizes(settings, step),
        allowed=None if settings["allowed"] is None else [settings["allowed"]],
        tolerance=settings["tolerance"],
        chunk_rows=_typical_rows(values),
    )
    mean = sum(b.number * b.rows for b in reference) / sum(b.rows for b in reference)
    found = _weigh(rule, lambda value: rule.log_e(counts(value)), settings, values, step)
    return [Judgement(j.breach, j.known, j.evidence, float(rule.upper.max()), mean) for j in found]


def _counted(
    rule: Share, settings: Settings, values: Values, step: timedelta, limit: float, reference: float | None
) -> list[Judgement]:
    def log_e(value: Value) -> Floats:
        return rule.log_e([[round(value.number * value.rows)]], [value.rows])

    found = _weigh(rule, log_e, settings, values, step)
    return [Judgement(j.breach, j.known, j.evidence, limit, reference) for j in found]


_EVIDENCE = {"budget": Setting(budget, parse_budget(BUDGET).per_day)}

RULES: Mapping[str, TriedRule] = {
    "constant": TriedRule(
        _constant, {"lower": Setting(number, None), "upper": Setting(number, None)}, ("lower", "upper")
    ),
    "relative": TriedRule(
        _relative,
        {"reference": Setting(number), "fall": Setting(number, None), "rise": Setting(number, None)},
        ("fall", "rise"),
    ),
    "adaptive": TriedRule(_adaptive, _EVIDENCE),
    "loss": TriedRule(
        _loss,
        {
            "reference": Setting(blocks),
            "allowed": Setting(share_of_rows, None),
            "tolerance": Setting(number, 0.0),
            **_EVIDENCE,
        },
        rows=True,
    ),
    "rate": TriedRule(_rate, {"allowed": Setting(share_of_rows), **_EVIDENCE}, rows=True),
    "share": TriedRule(
        _share, {"reference": Setting(blocks), "tolerance": Setting(number, 0.01), **_EVIDENCE}, rows=True
    ),
}
