"""Evidence: for each monitor, chunk by chunk, how strongly the past speaks against "nothing has changed".

Monitors of one kind are weighed together, as arrays. A row whose monitor has evidence is in breach when the evidence
reaches what the false-alarm budget asks for; a chunk that is only beyond its own limits is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import log
from typing import Any  # Any: a share is counted from one of several sketches

import numpy as np
import numpy.typing as npt

from barograph.chunks import Chunk
from barograph.monitors.defaults import CATEGORICAL_DRIFT, MODEL_DRIFT, NUMERIC_DRIFT
from barograph.monitors.evaluate import WITHOUT_LIMITS, novelty, typical_rows
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.outcome import Estimate
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.profiles.yardstick import CategoricalBins
from barograph.reference.measure import least_tolerance, measure, sketch
from barograph.reference.reference import Reference
from barograph.rules import observe
from barograph.rules.bets import bet_sizes
from barograph.rules.budget import Budget, describe_detectable, divide
from barograph.rules.category_share import category_share
from barograph.rules.cdf_cut import CdfCut
from barograph.rules.evidence import Evidence
from barograph.rules.limits import Status, default_tolerance
from barograph.rules.share import Share, share
from barograph.rules.summary import Summary

Floats = npt.NDArray[np.float64]
AnyRule = CdfCut | Share | Summary

LITTLE = 0.5  # weight of the family; see rules.budget.FAMILIES
ENOUGH = 50  # rows, of which it is no chance that they are all alike
MOSTLY = 0.5  # of the labels have arrived
LONGEST_DAYS = 30.0  # a change that takes longer than this to show is not bet on
SHARES: Mapping[str, Callable[[Any], tuple[int, int]]] = {
    "missing_share": lambda c: (c.missing, c.rows),
    "unseen_share": lambda c: (c.unseen, c.present),
    "out_of_range_share": lambda c: (c.below + c.above + c.negative_inf + c.positive_inf, c.present),
    "type_error_share": lambda c: (c.type_errors, c.rows),
    "unusable_prediction_share": lambda c: (c.unusable, c.rows),
}
USEFUL = {"cdf_cut": 1.0, "category_share": 0.3, "share": 0.5, "summary": 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What a monitor with evidence can do: its rule, its ARL in days, and the smallest change that it can find.

    `change` is that change in the unit of the rule (infinite: it can find none), `detectable` says it in words.
    """

    monitor: str
    rule: str
    arl_days: float
    log_threshold: float
    change: float
    detectable: str

    @property
    def is_useful(self) -> bool:
        """Return whether anybody would want to wait for a change to become as large as that."""
        return self.change <= USEFUL[self.rule]


def weigh(
    reference: Reference, profiles: Profiles, monitors: Sequence[Monitor], results: Sequence[Result], budget: Budget
) -> tuple[list[Result], list[Watch]]:
    """Return the results with their evidence and the status that follows from it, and what each monitor can see.

    `monitors` are those that alert; they share the budget. Without timestamps a chunk counts as a day.
    """
    rows: dict[str, dict[str, Result]] = {}
    names = {m.name for m in monitors}
    for row in results:
        if row.monitor in names:
            rows.setdefault(row.monitor, {})[row.chunk] = row
    watched = [m for m in monitors if m.name in rows and _kind(m)]
    if not watched or not profiles.chunks:
        return list(results), []
    # All segments of a metric together get as much of the budget as the model as a whole.
    segments = max(len({m.segment for m in watched} - {ALL}), 1)
    own = [1.0 if m.segment == ALL else 1.0 / segments for m in watched]
    labelled = [profile.label_coverage or 0.0 for profile in profiles.select()]
    # Where labels are there to judge by, estimates hardly need to.
    weights = {"estimation": LITTLE} if float(np.mean(labelled)) >= MOSTLY else None
    shares = divide(budget, [m.family for m in watched], weights=weights, own=own)
    arl = dict(zip((m.name for m in watched), shares.tolist(), strict=True))
    days = _days(profiles.chunks)
    found: dict[tuple[str, str], tuple[float, bool]] = {}
    watches: dict[str, Watch] = {}
    for (kind, segment), group in groupby(sorted(watched, key=_order), key=_order):
        members = list(group)
        weighed = _Group(reference, profiles, kind, segment, members, rows, [arl[m.name] for m in members], days)
        found |= weighed.run()
        watches |= {w.monitor: w for w in weighed.watches()}
    judged = [_judged(row, found.get((row.monitor, row.chunk))) for row in results]
    return judged, [watches[m.name] for m in watched if m.name in watches]


def _judged(row: Result, found: tuple[float, bool] | None) -> Result:
    if found is None or row.status is Status.UNDEFINED:
        return row
    evidence, breach = found
    beyond = row.status in (Status.BREACH, Status.WARNING)
    status = Status.BREACH if breach else Status.WARNING if beyond else Status.OK
    return replace(row, evidence=evidence if np.isfinite(evidence) else None, status=status)


def _kind(monitor: Monitor) -> str | None:
    """Return the rule that weighs a monitor; None: its limits alone decide."""
    metric = monitor.metric
    if metric.family == "performance" and metric.name not in (*WITHOUT_LIMITS, "error_quantile"):
        return "summary"
    if metric.name in SHARES:
        return "share"
    if metric.name == NUMERIC_DRIFT and monitor.column:
        return "cdf_cut"
    return "category_share" if metric.name in (CATEGORICAL_DRIFT, MODEL_DRIFT) else None


def _order(monitor: Monitor) -> tuple[str, str]:
    return _kind(monitor) or "", monitor.segment


def _days(chunks: Sequence[Chunk]) -> Floats:
    spans = [(c.end - c.start).total_seconds() / 86_400 if c.start and c.end else 1.0 for c in chunks]
    return np.maximum(np.array(spans, np.float64), 1e-6)


class _Group:
    """The monitors of one rule and segment, weighed as one array."""

    def __init__(
        self,
        reference: Reference,
        profiles: Profiles,
        kind: str,
        segment: str,
        monitors: Sequence[Monitor],
        rows: Mapping[str, Mapping[str, Result]],
        arl_days: Sequence[float],
        days: Floats,
    ) -> None:
        self.kind, self.monitors, self.rows, self.days = kind, monitors, rows, days
        self.arl = np.array(arl_days)
        self.current = list(profiles.select(segment))
        step = float(np.median(days))
        self.sizes = bet_sizes(max(float(self.arl.min()) / step, 2.0), longest=max(LONGEST_DAYS / step, 2.0))
        self.n = float(typical_rows(self.current))
        self.blocks = [b for b in reference.blocks.select(segment) if b.n]
        like = reference.blocks_like(typical_rows(list(profiles.select())))
        self.like = [b for b in like.select(segment) if b.n]
        self.step = step
        self.reference = reference
        self.rule = self._learn() if self.blocks else None
        self.constant = {m.name for m in monitors if kind == "summary" and self._is_constant(m, segment)}

    def _is_constant(self, monitor: Monitor, segment: str) -> bool:
        """Return whether the reference's rows, enough of them, do not vary in what a metric is the mean of."""
        whole = measure(monitor.metric, self.reference.total_of(segment), options=monitor.options)
        return isinstance(whole, Estimate) and whole.standard_error is None and whole.n >= ENOUGH

    def run(self) -> dict[tuple[str, str], tuple[float, bool]]:
        """Return the log evidence and whether it is a breach, by monitor and chunk."""
        if self.rule is None:
            return {}
        state = Evidence.start(*self.rule.shape)
        found: dict[tuple[str, str], tuple[float, bool]] = {}
        for i, profile in enumerate(self.current):
            if not profile.n:
                continue
            log_e = self._log_e(profile)
            # An alarm takes at least the evidence of one step: a long chunk is not a short wait.
            arl = np.maximum(self.arl, 2 * self.days[i])
            decision = observe(self.rule, state, log_e, chunk=i, arl=arl, step=float(self.days[i]))
            assert decision.state is not None
            assert decision.log_evidence is not None
            state = decision.state
            mute = self._mute(profile)
            for j, monitor in enumerate(self.monitors):
                if mute[j]:
                    continue
                found[monitor.name, profile.chunk.key] = (float(decision.log_evidence[j]), bool(decision.breach[j]))
        return found

    def _mute(self, profile: Profile) -> npt.NDArray[np.bool_]:
        """Return of which monitors evidence cannot speak in a chunk, so that the limits alone decide.

        A bet needs to know how much a value varies. Errors that are all alike, in a reference without any error or in a
        chunk, have no standard error: not because there are few rows, but because there is nothing to vary.
        """
        mute = np.zeros(len(self.monitors), np.bool_)
        if self.kind != "summary":
            return mute
        for j, monitor in enumerate(self.monitors):
            row = self.rows[monitor.name].get(profile.chunk.key)
            if row is None or row.value is None:
                continue
            alike = row.standard_error is None and row.n >= ENOUGH
            mute[j] = alike or monitor.name in self.constant
        return mute

    def watches(self) -> list[Watch]:
        """Return what each monitor can find."""
        if self.rule is None:
            return []
        changes, unit = self._detectable()
        arl = np.maximum(self.arl, 2 * self.step)
        texts = [describe_detectable(float(c), unit=unit, days=LONGEST_DAYS, useful=USEFUL[self.kind]) for c in changes]
        return [
            Watch(
                monitor=m.name,
                rule=self.kind,
                arl_days=float(a),
                log_threshold=log(a),
                change=float(c),
                detectable=text,
            )
            for m, a, c, text in zip(self.monitors, arl, changes, texts, strict=True)
        ]

    # What differs from rule to rule: what it learns from, what it is fed, and the unit of what it finds.

    def _learn(self) -> AnyRule:
        tolerances = np.array([_mass_tolerance(m) for m in self.monitors])
        if self.kind == "cdf_cut":
            counts = np.stack([self._binned(b) for b in self.blocks])
            return CdfCut.learn(counts, sizes=self.sizes, tolerance=tolerances, chunk_rows=self.n)
        if self.kind == "category_share":
            counts = np.stack([self._binned(b) for b in self.blocks])
            return category_share(counts, sizes=self.sizes, tolerance=tolerances, chunk_rows=self.n)
        if self.kind == "share":
            pairs = np.array([self._pairs(b) for b in self.blocks])
            # The reference knows all of its own categories; of later rows some are new by nature.
            pairs[:, :, 0] += pairs[:, :, 1] * np.array([self._novelty(m) for m in self.monitors])
            return share(pairs[:, :, 0], pairs[:, :, 1], sizes=self.sizes, tolerance=tolerances, chunk_rows=self.n)
        return self._learn_summary()

    def _learn_summary(self) -> Summary:
        """Return the rule for performance: worse than the reference by more than the tolerance, in one direction."""
        values, errors = self._measured(self.blocks)
        normal, _ = self._measured(self.like)
        tolerances, shift = np.zeros(len(self.monitors)), np.zeros(len(self.monitors))
        for j, monitor in enumerate(self.monitors):
            known, like = values[np.isfinite(values[:, j]), j], normal[np.isfinite(normal[:, j]), j]
            if len(known) and len(like):
                shift[j] = like.mean() - known.mean()
            default = max(
                default_tolerance(monitor.metric, float(like.mean()) if len(like) else 0.0),
                least_tolerance(monitor.metric, self.reference.total),
            )
            tolerances[j] = default if monitor.tolerance is None else monitor.tolerance
        rule = Summary.learn(values, errors, sizes=self.sizes, tolerance=tolerances)
        better = [m.metric.better for m in self.monitors]
        # Only a change for the worse is a trouble.
        # What is normal for a chunk is what blocks as long as a chunk show: the metric of a week is not the mean
        # of the metrics of its days. What varies from block to block averages out over a chunk of several blocks.
        lower = np.where([b == "lower" for b in better], -np.inf, rule.lower + shift)
        upper = np.where([b == "higher" for b in better], np.inf, rule.upper + shift)
        block_rows = float(np.mean([b.n for b in self.blocks]))
        return replace(rule, lower=lower, upper=upper, spread=rule.spread * min(1.0, block_rows / self.n) ** 0.5)

    def _measured(self, blocks: Sequence[Profile]) -> tuple[Floats, Floats]:
        values = np.full((len(blocks), len(self.monitors)), np.nan)
        errors = values.copy()
        for j, monitor in enumerate(self.monitors):
            for i, block in enumerate(blocks):
                outcome = measure(monitor.metric, block, options=monitor.options)
                if isinstance(outcome, Estimate) and outcome.standard_error:
                    values[i, j], errors[i, j] = outcome.value, outcome.standard_error
        return values, errors

    def _log_e(self, profile: Profile) -> Floats:
        rule = self.rule
        if isinstance(rule, CdfCut):
            return rule.log_e(self._binned(profile))
        if isinstance(rule, Summary):
            cells = [self.rows[m.name].get(profile.chunk.key) for m in self.monitors]
            values = [np.nan if c is None or c.value is None else c.value for c in cells]
            errors = [np.nan if c is None or c.standard_error is None else c.standard_error for c in cells]
            return rule.log_e(values, errors)
        assert isinstance(rule, Share)
        if self.kind == "share":
            pairs = self._pairs(profile)
            return rule.log_e(pairs[:, :1], pairs[:, 1])
        counts = self._binned(profile)
        return rule.log_e(counts, counts.sum(axis=1))

    def _detectable(self) -> tuple[Floats, str]:
        rule, steps = self.rule, max(LONGEST_DAYS / self.step, 1.0)
        arl = self.arl / self.step
        if isinstance(rule, CdfCut):
            return rule.smallest_shift(self.n, arl, steps), "σ"
        if isinstance(rule, Summary):
            cells = [self.rows[m.name].values() for m in self.monitors]
            errors = [np.median([r.standard_error or np.nan for r in c] or [np.nan]) for c in cells]
            return rule.smallest_detectable(errors, arl, steps), ""
        assert isinstance(rule, Share)
        changes = rule.smallest_detectable(self.n, arl, steps)
        return np.asarray(changes.min(axis=(1, 2))), " of the rows"

    def _binned(self, profile: Profile) -> Floats:
        """Return the coarse counts of each monitor's column, padded to the same number of bins."""
        counts = [_coarse(profile, m.column) for m in self.monitors]
        padded = np.zeros((len(counts), max(len(c) for c in counts)))
        for i, c in enumerate(counts):
            padded[i, : len(c)] = c
        return padded

    def _novelty(self, monitor: Monitor) -> float:
        yardstick = self.reference.yardstick
        if monitor.column is None:
            return 0.0
        return novelty(yardstick.columns[yardstick.position[monitor.column]], monitor.metric)

    def _pairs(self, profile: Profile) -> Floats:
        sketches = [sketch(m.metric, profile, m.column) for m in self.monitors]
        return np.array([SHARES[m.metric.name](s) for m, s in zip(self.monitors, sketches, strict=True)], np.float64)


def _coarse(profile: Profile, column: str | None) -> npt.NDArray[np.int64]:
    if column is not None:
        counts = profile.binned(column, "coarse").counts
        bins = profile.yardstick.columns[profile.yardstick.position[column]]
        if isinstance(bins, CategoricalBins) and bins.novelty:
            # Where new categories are normal, they are rare ones that have not been seen; their share is watched apart.
            counts = np.concatenate((counts[:-2], [counts[-2:].sum(), 0]))
        return counts
    cells = profile.cells
    if cells:
        return np.asarray(cells[0].counts.sum(axis=(1, 2)))
    regression = profile.cells_of_regression
    assert regression is not None
    return np.asarray(regression.counts.sum(axis=(1, 2)))


def _mass_tolerance(monitor: Monitor) -> float:
    """Return the tolerance of a share of rows: the monitor's, or the rule's 0.02 of the mass."""
    if monitor.tolerance is not None:
        return min(monitor.tolerance, 0.99)
    return max(monitor.metric.tolerance, 0.01) if monitor.metric.name in SHARES else 0.02
