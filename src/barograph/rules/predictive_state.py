"""What predictive evidence carries from chunk to chunk: filters, bets, what was known before anything was suspect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Self

import numpy as np

from barograph.arrays import Bools, Floats, Ints
from barograph.rules.evidence import NEVER
from barograph.rules.natural import Filter, Surprise, log_sum
from barograph.sketches.serial import pack, unpack

MEMORY_OF_CHUNKS = 64  # the last ones, among which the onset of a change is looked for
LARGEST_STEP = 50.0  # log-likelihood ratio of one chunk: more would be beyond what numbers hold, and changes nothing
STEPS_OF_SEARCH = 24


@dataclass(frozen=True, slots=True, eq=False)
class Suspicion:
    """The state of predictive evidence: (series, hypotheses), but for what says otherwise.

    `log_m` (series, hypotheses, sizes) are the bets; `in_level` and `in_deviation` say how much of a lasting change the
    filters have taken up. `clean` are log weights, levels and their covariance of the last time when nothing was
    suspect, (4, series, hypotheses). `held` (monitors,) are those in whose alarm nothing is learned. `recent` (series,
    chunks) are the last values without the effects of phases, `recent_s2` their sampling variances, `orders` (chunks,)
    the numbers of these chunks, -1 where there is none.
    """

    filter: Filter
    log_m: Floats
    in_level: Floats
    in_deviation: Floats
    clean: Floats
    counted: Floats
    held: Bools
    recent: Floats
    recent_s2: Floats
    orders: Ints

    @classmethod
    def after(cls, learned: Filter, counted: Floats, *, monitors: int, bets: int) -> Self:
        """Return the state after the reference."""
        series, hypotheses = learned.level.shape
        zeros = np.zeros((series, hypotheses))
        return cls(
            filter=learned,
            log_m=np.full((series, hypotheses, bets), NEVER),
            in_level=zeros,
            in_deviation=zeros,
            clean=_clean(learned),
            counted=counted,
            held=np.zeros(monitors, np.bool_),
            recent=np.full((series, MEMORY_OF_CHUNKS), np.nan),
            recent_s2=np.full((series, MEMORY_OF_CHUNKS), np.nan),
            orders=np.full(MEMORY_OF_CHUNKS, -1, np.int64),
        )

    def is_new(self, order: int) -> bool:
        """Return whether a chunk comes after all that were counted: bets that have been settled cannot be undone."""
        return order > int(self.orders[-1])

    def remember_clean(self, calm: Bools) -> Self:
        """Return the state with what is known of the series that are `calm` kept as clean."""
        return replace(self, clean=np.where(calm[:, None], _clean(self.filter), self.clean))

    def add(
        self,
        moved: Filter,
        surprise: Surprise,
        old: Floats,
        new: Floats,
        *,
        y: Floats,
        s2: Floats,
        learns: Bools,
        order: int,
        ceiling: Floats,
    ) -> Self:
        """Return the state after a chunk: `old` and `new` are log wealth of standing and of new bets."""
        known = np.isfinite(y)
        standing = self.log_m + np.minimum(old, LARGEST_STEP)
        fresh = np.minimum(new, LARGEST_STEP)
        log_m = np.where(known[:, None, None], np.logaddexp(standing, fresh), self.log_m)
        older, all_bets = log_sum(standing), log_sum(log_m)
        some = known[:, None] & np.isfinite(all_bets)
        share = np.where(some, np.exp(np.where(some, older, 0.0) - np.where(some, all_bets, 0.0)), 1.0)
        left = np.where(known[:, None], 1 - self.in_level - self.in_deviation, 0.0)
        in_level = share * (self.in_level + surprise.to_level * left) + (1 - share) * surprise.to_level
        in_deviation = share * (self.in_deviation + surprise.to_deviation * left) + (1 - share) * surprise.to_deviation
        total = (moved.weights() * np.exp(log_m).mean(axis=2)).sum(axis=1)
        over = np.log(np.maximum(total / ceiling, 1.0))
        return replace(
            self,
            filter=moved,
            log_m=log_m - over[:, None, None],  # off all bets alike: what leads still leads
            in_level=in_level,
            in_deviation=moved.memory * in_deviation,
            counted=self.counted + (known & learns),
            recent=_shift(self.recent, y),
            recent_s2=_shift(self.recent_s2, s2),
            orders=np.append(self.orders[1:], order),
        )

    def hold(self, opens: Bools, *, series: Ints) -> Self:
        """Return the state with the alarms that are open: those that begin go back to what was known before."""
        begins = (opens & ~self.held)[series][:, None]
        if not begins.any():
            return replace(self, held=opens)
        f, (weight, level, level_var, both) = self.filter, self.clean
        back = replace(
            f,
            log_weight=np.where(begins, weight, f.log_weight),
            level=np.where(begins, level, f.level),
            level_var=np.where(begins, level_var, f.level_var),
            both=np.where(begins, both, f.both),
        )
        return replace(self, filter=back, held=opens)

    def to_bytes(self) -> bytes:
        """Return a portable form."""
        arrays = {f"filter.{f.name}": getattr(self.filter, f.name) for f in fields(Filter)}
        arrays |= {f.name: getattr(self, f.name) for f in fields(self) if f.name != "filter"}
        return pack("suspicion", 1, {}, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the state that `to_bytes` wrote."""
        _, arrays = unpack(data, kind="suspicion", version=1)
        kept = Filter(**{f.name: arrays.pop(f"filter.{f.name}") for f in fields(Filter)})
        return cls(filter=kept, **arrays)


class Predicted(NamedTuple):
    """What was foretold of a chunk by each hypothesis, (series, hypotheses): as long as nothing has changed."""

    weights: Floats
    level: Floats
    level_var: Floats

    @classmethod
    def of(cls, state: Suspicion) -> Self:
        """Return what the state foretells of the next chunk; while an alarm is open, what was known before it."""
        return cls(state.filter.weights(), state.filter.level, state.filter.level_var)

    @staticmethod
    def quantile(before: Sequence[Predicted], natural_var: Floats, s2: Floats, alpha: float) -> Floats:
        """Return what a chunk's value exceeds with a chance of `alpha`, (chunks, series), on its scale.

        `s2` (chunks, series) are the sampling variances. The quantile of the mixture lies between the smallest and the
        largest one of its parts, where it is found by halving.
        """
        from scipy.special import ndtr, ndtri

        w, level, level_var = (np.stack(part) for part in zip(*before, strict=True))
        sd = np.sqrt(level_var + natural_var + s2[:, :, None])
        each = level + float(ndtri(1 - alpha)) * sd
        low, high = each.min(axis=2), each.max(axis=2)
        for _ in range(STEPS_OF_SEARCH):
            middle = (low + high) / 2
            above = (w * ndtr(-(middle[:, :, None] - level) / sd)).sum(axis=2)
            low, high = np.where(above > alpha, middle, low), np.where(above > alpha, high, middle)
        return np.asarray(high)


def _clean(f: Filter) -> Floats:
    return np.stack((f.log_weight, f.level, f.level_var, f.both))


def _shift(ring: Floats, last: Floats) -> Floats:
    return np.concatenate((ring[:, 1:], last[:, None]), axis=1)
