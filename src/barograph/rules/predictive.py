"""Performance against what the reference lets expect of a chunk like this one, with its own variation and rhythm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barograph.arrays import Bools, Floats, Ints
from barograph.metrics.scales import LEAST_VARIANCE, Scale, from_scale, slope, to_scale, width_of
from barograph.rules import Change, Context, Feed, Judged, rule
from barograph.rules.budget import evidence_needed, run_in_chunks
from barograph.rules.change import change_since
from barograph.rules.evidence import CALM, CEILING, NEVER
from barograph.rules.natural import FEWEST, Filter, phase_effects
from barograph.rules.predictive_state import Predicted, Suspicion

SIZES = (0.5, 0.91, 1.65, 3.0)  # of the changes that are bet on, in standard deviations of one chunk
LEARN = 100.0  # chunks: from then on the level is known well enough, and is learned no more
GATE = 3.0  # evidence from which on nothing is learned: what comes is suspect
OUTLANDISH = 8.0  # standard deviations: nothing does that by nature, and one such chunk is enough
ALPHA = 0.001  # a chunk's chance to be beyond its limit while nothing has changed
FEW_ROWS = 20.0  # n p (1 - p) below which rows are counted exactly


@dataclass(frozen=True, slots=True, eq=False)
class Predictive:
    r"""Bets that a metric has become worse for good, against what it does by nature.

    For each hypothesis of natural variation (`natural.py`) the surprise :math:`u` of a chunk, in standard deviations
    :math:`\sqrt F`, is bet on by changes of four sizes :math:`\delta_k`, none below the tolerance. Of a lasting change
    a filter has taken up a part; what is left of it, :math:`h`, is the signature that older bets follow:

    .. math:: M_k \leftarrow M_k\,e^{z u - z^2/2}\big|_{z = \delta_k h/\sqrt F}
                           + e^{z u - z^2/2}\big|_{z = \delta_k/\sqrt F}

    The evidence of a metric is the mean of the bets, weighted by how well each hypothesis has foretold all chunks. Few
    rows are bet on exactly, by likelihood ratios of beta-binomial counts. Metrics that are watched `together` share one
    alarm, when the mean of their evidence, weighted by `votes`, reaches what the run length asks for; a metric is in
    breach when its own evidence does, too. From the alarm on nothing is learned until the evidence is below a tenth of
    that.

    A series is a monitor and a direction: `of` and `sign` say which, a sign of 1 that a larger value is worse.
    `per_row` is the sampling variance of one row on the metric's scale, while nothing has changed. `copies` tells how
    many independent monitors those of a group are worth, and `votes` by how much each of them counts there: near-copies
    share one vote, so that what a single one sees is not drowned by three that see something else.
    """

    of: Ints  # (series,) monitors
    sign: Floats
    per_row: Floats
    effects: Floats  # (series, phases)
    learned: Filter
    counted: Floats  # (series,) chunks of the reference
    bets: Floats  # (series, hypotheses, sizes)
    exact: Bools
    middle: Floats  # (monitors,) value of the reference
    tolerance: Floats
    usable: Bools
    scales: tuple[Scale, ...]
    together: Ints
    copies: Floats
    votes: Floats
    step: float

    def start(self) -> Suspicion:
        """Return the state after the reference and before the first chunk."""
        return Suspicion.after(self.learned, self.counted, monitors=len(self.middle), bets=self.bets.shape[2])

    def run(self, state: Suspicion, feed: Feed, *, arl: Floats) -> tuple[Suspicion, Judged]:
        """Return the state after the chunks, and where the evidence was enough. What was counted before is not again.

        A chunk in which nothing came is not counted; for a monitor without a value there only time goes by.
        """
        shape = (len(feed), len(self.middle))
        breach, known = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        evidence = np.full(shape, NEVER)
        y, s2, rows = self.scaled(feed)
        threshold = self.threshold(arl)
        before: list[Predicted] = []
        changes: dict[tuple[int, int], Change] = {}
        for i in range(len(feed)):
            before.append(Predicted.of(state))
            if not feed.came[i] or not state.is_new(int(feed.order[i])):
                continue
            state = self._count(state, y[i], s2[i], rows[i], order=int(feed.order[i]), threshold=threshold)
            own = self._evidence(state)
            shared = self._shared(own)
            enough = np.where(state.held, CALM, 1.0) * threshold
            opens = (shared >= enough) & self.usable
            state = state.hold(opens, series=self.of)
            breach[i] = opens & (own >= enough)
            known[i] = self.usable & np.isfinite(feed.values[i]) if feed.values is not None else self.usable
            with np.errstate(divide="ignore"):
                evidence[i] = np.log(np.minimum(own, shared))
            for j in np.flatnonzero(breach[i]).tolist():
                if (found := self._change(state, j)) is not None:
                    changes[i, j] = found
        lower, upper = self._limits(before, s2, rows, feed)
        values = np.full(shape, np.nan) if feed.values is None else feed.values
        beyond = (values < lower) | (values > upper)
        return state, Judged(
            breach=breach & known,
            known=known,
            evidence=evidence,
            lower=lower,
            upper=upper,
            beyond=beyond,
            usual=self._usual(),
            changes=changes,
        )

    def _usual(self) -> Floats:
        """Return the value, (monitors,), of a usual chunk of the reference; NaN where the rule does not judge."""
        level, usual = self.learned.average().level, np.full(len(self.middle), np.nan)
        rows = np.full(1, 1e12)  # of a chunk so large that a share is itself
        for s, j in enumerate(self.of.tolist()):
            if self.usable[j] and np.isnan(usual[j]):
                y = self.sign[s] * level[s : s + 1]
                usual[j] = _off_scale(y, rows, self.scales[j], self.middle[j], self.exact[s])[0]
        return usual

    def threshold(self, arl: Floats) -> Floats:
        """Return the evidence, (monitors,), that an alarm takes for run lengths in days."""
        return np.asarray(evidence_needed(self.copies * run_in_chunks(arl, self.step)) / self.copies)

    def smallest_change(self, feed: Feed, context: Context) -> Floats:
        r"""Return the smallest lasting change that about nine of ten times shows within `context.steps` chunks.

        :math:`\min_k \sigma (\ln(4\,T) / n + z_k^2/2) / z_k` on the metric's scale, for a threshold of `T`, `n` chunks
        and a chunk's :math:`\sigma`, sampling and natural variation together; here in the metric's unit.
        """
        found = np.full(len(self.middle), np.inf)
        _, s2, _ = self.scaled(feed)
        average = self.learned.average()
        threshold = self.threshold(context.arl)
        for s, j in enumerate(self.of.tolist()):
            usual = s2[:, s][np.isfinite(s2[:, s])]
            if not self.usable[j] or not len(usual):
                continue
            sigma = float(np.sqrt(np.median(usual) + average.natural_var[s]))
            least = width_of(self.tolerance[j], self.middle[j], self.scales[j], self.sign[s]) / sigma
            z = np.maximum(SIZES, least)
            away = sigma * float(((np.log(4 * threshold[j]) / context.steps + z**2 / 2) / z).min())
            found[j] = min(found[j], self._worse(s, float(average.level[s]), away))
        return found

    def scaled(self, feed: Feed) -> tuple[Floats, Floats, Floats]:
        """Return values on their scales, without the effects of phases, and their sampling variances; and their rows.

        All are (chunks, series), a larger value is worse, and NaN stands for no value.
        """
        assert feed.values is not None  # what it takes
        assert feed.rows is not None
        values, rows = feed.values[:, self.of], feed.rows[:, self.of]
        y = np.empty(values.shape)
        for s, j in enumerate(self.of.tolist()):
            y[:, s] = self.sign[s] * _on_scale(values[:, s], rows[:, s], self.scales[j], self.middle[j], self.exact[s])
        s2 = self.per_row / np.maximum(rows, 1.0)
        y = np.where(rows > 0, y - self._effects_of(feed), np.nan)
        return y, np.where(np.isfinite(y), s2, np.nan), rows

    def _effects_of(self, feed: Feed) -> Floats:
        if feed.phase is None or self.effects.shape[1] == 1:
            return np.zeros((len(feed), len(self.of)))
        known = feed.phase < self.effects.shape[1]
        return np.where(known[:, None], self.effects.T[np.where(known, feed.phase, 0)], 0.0)

    def _count(
        self, state: Suspicion, y: Floats, s2: Floats, rows: Floats, *, order: int, threshold: Floats
    ) -> Suspicion:
        own = self._by_series(state)
        held = state.held[self.of]
        calm = ~held & (own < GATE)
        state = state.remember_clean(calm)
        learns = calm & (state.counted < LEARN)
        moved, surprise = state.filter.step(y, s2, learns=learns, weighs=~held)
        left = 1 - state.in_level - state.in_deviation  # of a change that has lasted, in a surprise
        u, sd = np.where(surprise.raw > OUTLANDISH, surprise.raw, surprise.u)[:, :, None], surprise.sd[:, :, None]
        older, newer = self.bets * left[:, :, None] / sd, self.bets / sd
        old, new = older * u - older**2 / 2, newer * u - newer**2 / 2
        for s in np.flatnonzero(self.exact & np.isfinite(y)).tolist():
            old[s], new[s] = self._exact(state.filter, s, y[s], rows[s], left[s])
        ceiling = CEILING * threshold[self.of]
        return state.add(moved, surprise, old, new, y=y, s2=s2, learns=learns, order=order, ceiling=ceiling)

    def _exact(self, before: Filter, s: int, y: float, rows: float, left: Floats) -> tuple[Floats, Floats]:
        """Return log likelihood ratios of counts for one series: of older and new changes, (hypotheses, sizes)."""
        level = self.middle[self.of[s]]
        usual = level if self.sign[s] > 0 else 1 - level
        k = (usual + (y - np.log(usual / (1 - usual))) * usual * (1 - usual)) * rows
        middle = (before.level[s] + before.deviation[s])[:, None]
        doubt = (before.level_var[s] + 2 * before.both[s] + before.deviation_var[s])[:, None]
        still = _log_counts(k, rows, middle, doubt)
        moved = [_log_counts(k, rows, middle + self.bets[s] * part, doubt) for part in (left[:, None], 1.0)]
        return moved[0] - still, moved[1] - still

    def _by_series(self, state: Suspicion) -> Floats:
        """Return the evidence of each series: the mean of its bets, weighted by the hypotheses."""
        return np.asarray((state.filter.weights() * np.exp(state.log_m).mean(axis=2)).sum(axis=1))

    def _evidence(self, state: Suspicion) -> Floats:
        """Return the evidence of each monitor: the mean of its directions."""
        return _mean_by(self._by_series(state), self.of, len(self.middle))

    def _shared(self, own: Floats) -> Floats:
        """Return for each monitor the mean evidence of those that it is watched with."""
        return np.asarray(np.bincount(self.together, own * self.votes)[self.together])

    def _change(self, state: Suspicion, j: int) -> Change | None:
        """Return since when and by how much a monitor is worse, in its worse direction."""
        average = state.filter.average()
        best: Change | None = None
        for s in np.flatnonzero(self.of == j).tolist():
            found = change_since(
                state.recent[s],
                state.recent_s2[s],
                level=float(average.level[s]),
                level_var=float(average.level_var[s]),
                natural_var=float(average.natural_var[s]),
                memory=float(average.memory[s]),
            )
            if found is None:
                continue
            level = float(average.level[s])
            worse = [self._worse(s, level, away) for away in (found.value, found.lower, found.upper)]
            change = Change(
                since=int(state.orders[found.at]),
                earliest=int(state.orders[found.earliest]),
                latest=int(state.orders[found.latest]),
                value=worse[0],
                lower=worse[1],
                upper=worse[2],
                is_material=worse[1] > self.tolerance[j],
            )
            best = change if best is None or change.lower > best.lower else best
        return best

    def _worse(self, s: int, level: float, away: float) -> float:
        """Return how much worse a value is, in its unit, that is `away` from `level` on the scale of a series."""
        scale, sign = self.scales[self.of[s]], self.sign[s]
        still, moved = from_scale(np.array([sign * level, sign * (level + away)]), scale).tolist()
        return float(sign * (moved - still))

    def _limits(self, before: list[Predicted], s2: Floats, rows: Floats, feed: Feed) -> tuple[Floats, Floats]:
        """Return the limits of each chunk, (chunks, monitors) each; NaN where no value is beyond what is normal."""
        lower, upper = np.full((2, len(feed), len(self.middle)), np.nan)
        if not before:
            return lower, upper
        usual = self.per_row / np.maximum(np.where(np.isfinite(s2), rows, 1.0), 1.0)
        y = Predicted.quantile(before, self.learned.natural_var, usual, ALPHA) + self._effects_of(feed)
        for s, j in enumerate(self.of.tolist()):
            if not self.usable[j]:
                continue
            limit = _off_scale(self.sign[s] * y[:, s], rows[:, s], self.scales[j], self.middle[j], self.exact[s])
            (upper if self.sign[s] > 0 else lower)[:, j] = np.where(np.isfinite(s2[:, s]), limit, np.nan)
        return lower, upper


@rule(takes="values", useful=0.5, by_chunk=True)
def learn(reference: Feed, context: Context) -> Predictive:
    """Return the rule for values that are worse for good than the reference's own variation explains.

    A monitor that has fewer than three values in the reference, or no sampling error, is not judged by it.
    """
    assert reference.values is not None  # what it takes
    assert reference.rows is not None
    assert reference.errors is not None
    monitors = len(context.arl)
    as_they_are: Scale = "identity"
    scales = context.scales or (as_they_are,) * monitors
    whole = context.whole or _pooled(reference)
    assert whole.values is not None
    assert whole.errors is not None
    assert whole.rows is not None
    directions = [(j, sign) for j, better in enumerate(context.better) for sign in _signs(better)]
    of = np.array([j for j, _ in directions], np.int64)
    sign = np.array([s for _, s in directions])
    rows = np.where(np.isfinite(reference.values), reference.rows, 0.0)
    middle, per_row = np.full((2, monitors), np.nan)
    exact = np.zeros(monitors, np.bool_)
    for j, scale in enumerate(scales):
        n, value, error = float(whole.rows[0, j]), float(whole.values[0, j]), float(whole.errors[0, j])
        if scale == "share" and n > 0:
            value = (value * n + 0.5) / (n + 1)
            per_row[j] = slope(value, scale)
            typical = float(np.median(rows[:, j][rows[:, j] > 0])) if (rows[:, j] > 0).any() else 0.0
            exact[j] = typical * value * (1 - value) < FEW_ROWS
        elif error > 0:
            per_row[j] = n * (error * slope(value, scale)) ** 2
        middle[j] = value
    usable = ((rows > 0).sum(axis=0) >= FEWEST) & np.isfinite(middle) & (per_row > 0)
    y = np.full((len(of), len(reference)), np.nan)
    for s, (j, direction) in enumerate(directions):
        if usable[j]:
            on_scale = _on_scale(reference.values[:, j], rows[:, j], scales[j], middle[j], exact[j])
            y[s] = direction * np.where(rows[:, j] > 0, on_scale, np.nan)
    per_row = np.where(usable, per_row, 1.0)
    effects = np.zeros((len(of), 1))
    if reference.phase is not None and len(reference):
        effects, y = phase_effects(y, reference.phase)
    s2 = per_row[of][:, None] / np.maximum(rows.T[of], 1.0)
    learned = Filter.through(y, np.where(np.isfinite(y), s2, np.nan))
    known = np.isfinite(y)
    sampling = np.where(known, s2, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    least = np.array([width_of(float(context.tolerance[j]), middle[j], scales[j], side) for j, side in directions])
    spread = np.sqrt(np.maximum(sampling[:, None] + learned.natural_var, LEAST_VARIANCE))
    together = np.arange(monitors) if context.together is None else context.together
    copies, votes = _copies(y, of, together, usable)
    return Predictive(
        of=of,
        sign=sign,
        per_row=per_row[of],
        effects=effects,
        learned=learned,
        counted=known.sum(axis=1).astype(np.float64),
        bets=np.maximum(np.array(SIZES) * spread[:, :, None], least[:, None, None]),
        exact=exact[of],
        middle=middle,
        tolerance=context.tolerance,
        usable=usable,
        scales=scales,
        together=together,
        copies=copies,
        votes=votes,
        step=context.step,
    )


def _signs(better: str) -> tuple[float, ...]:
    """Return the directions in which a metric becomes worse: 1 for up."""
    return {"higher": (-1.0,), "lower": (1.0,)}.get(better, (1.0, -1.0))


def _pooled(reference: Feed) -> Feed:
    """Return all blocks as one, where nothing else is known of the whole: means weighted by rows."""
    assert reference.values is not None
    assert reference.errors is not None
    assert reference.rows is not None
    known = np.isfinite(reference.values) & np.isfinite(reference.errors)
    n = np.where(known, reference.rows, 0.0)
    total = np.maximum(n.sum(axis=0), 1e-300)
    values = (n * np.where(known, reference.values, 0.0)).sum(axis=0) / total
    squares = (n * n * np.where(known, reference.errors, 0.0) ** 2).sum(axis=0)  # n s² is the variance of one row
    return Feed(
        days=reference.days.sum(keepdims=True),
        came=np.ones(1, np.bool_),
        order=np.zeros(1, np.int64),
        values=np.where(known.any(axis=0), values, np.nan)[None, :],
        errors=(np.sqrt(squares) / total)[None, :],
        rows=n.sum(axis=0)[None, :],
    )


def _copies(y: Floats, of: Ints, together: Ints, usable: Bools) -> tuple[Floats, Floats]:
    r"""Return, (monitors,) each, how many independent ones those of a group are worth, and the vote of each in it.

    By how the reference moves them: with the correlations `r`, the group is worth its squared number over
    :math:`\sum_{ij} r_{ij}^2`, 1 for copies of one, and votes are as :math:`1 / \sum_j r_{ij}^2`: copies share one.
    """
    copies, votes = np.ones(len(together)), np.zeros(len(together))
    first = [int(np.flatnonzero(of == j)[0]) for j in range(len(together))]
    for group in np.unique(together).tolist():
        members = np.flatnonzero((together == group) & usable)
        votes[members] = 1 / max(len(members), 1)
        own = y[[first[j] for j in members]]
        own = own[:, np.isfinite(own).all(axis=0)] if len(members) else own
        varying = len(members) > 1 and own.shape[1] > FEWEST and bool((own.std(axis=1) > 0).all())
        if varying:
            alike = np.corrcoef(own) ** 2
            copies[together == group] = min(max(len(members) ** 2 / float(alike.sum()), 1.0), len(members))
            votes[members] = 1 / alike.sum(axis=1)
            votes[members] /= votes[members].sum()
    return copies, votes


def _mean_by(values: Floats, of: Ints, size: int) -> Floats:
    return np.asarray(np.bincount(of, values, size) / np.maximum(np.bincount(of, minlength=size), 1))


def _on_scale(values: Floats, rows: Floats, scale: Scale, middle: float, exact: bool) -> Floats:
    """Return values on their scale: of few rows, as a straight line through the reference's value."""
    if not exact:
        return to_scale(values, rows, scale, middle)
    return np.asarray(np.log(middle / (1 - middle)) + (values - middle) / (middle * (1 - middle)))


def _off_scale(y: Floats, rows: Floats, scale: Scale, middle: float, exact: bool) -> Floats:
    """Return the values that are `y` on a scale; NaN where there is none in the metric's range."""
    n = np.maximum(rows, 1.0)
    if exact:
        value = middle + (y - np.log(middle / (1 - middle))) * middle * (1 - middle)
    elif scale == "share":
        value = (from_scale(y, scale) * (n + 1) - 0.5) / n
    elif scale == "logit":
        value = from_scale(y, scale)
        value = np.where((value < 0.5 / n) | (value > 1 - 0.5 / n), np.nan, value)
    else:
        return from_scale(y, scale)
    return np.where((value >= 0) & (value <= 1), value, np.nan)


def _log_counts(k: float, rows: float, log_odds: Floats, doubt: Floats) -> Floats:
    """Return the log likelihood of `k` of some rows, up to a constant: beta-binomial around uncertain log-odds."""
    from scipy.special import betaln

    p = np.clip(from_scale(log_odds, "logit"), 1e-9, 1 - 1e-9)
    pairs = 1 / np.clip(doubt * p * (1 - p), 1e-6, 0.5) - 1
    a, b = p * pairs, (1 - p) * pairs
    return np.asarray(betaln(k + a, rows - k + b) - betaln(a, b))
