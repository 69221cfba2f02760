r"""How a metric varies while nothing has changed: a mixture of hypotheses, each a filter with two states.

Values are on the metric's own scale, where its error hardly depends on its level (`scales.py`). Under one hypothesis

.. math:: y_t = \mu + a_t + \varepsilon_t, \qquad \varepsilon_t \sim N(0, s_t^2), \qquad
          a_t = f a_{t-1} + N\bigl(0, (1 - f^2) \tau^2\bigr)

with the level :math:`\mu`, the natural deviation :math:`a_t` of a chunk, whose memory is :math:`f` and whose standard
deviation is :math:`\tau`, and the sampling error :math:`s_t` of the chunk. Nine hypotheses (three memories times three
sizes of the deviation) are weighted by how well they foretold the reference. All uncertainty is in there once, and no
caution is added.

References: R. E. Kalman, "A new approach to linear filtering and prediction problems", J. Basic Engineering 82, 1960;
C. R. Henderson, "Best linear unbiased estimation and prediction under a selection model", Biometrics 31, 1975 (shrunk
effects); R. DerSimonian, N. Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 7, 1986.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from barograph.arrays import Bools, Floats, Ints

MEMORY = (0.0, 0.4, 0.8)  # from one chunk to the next
PRIOR = (0.41, 0.35, 0.24)  # of the memories
WANDERING, PRIOR_OF_WANDERING = 0.98, 0.15  # nearly a random walk: in the check of the reference alone (`trend.py`)
QUANTILES = (-1.0, 0.5, 2.0)  # of the variance of a chunk, in standard errors of its logarithm
CLIP = 3.5  # a standardised surprise counts for no more: one wild chunk proves nothing
VAGUE = 1e4  # times the variance of a chunk: what is known of the level before the first one
LEAST_VARIANCE = 1e-12
FEWEST = 3  # chunks with a value: fewer say nothing of how they vary


class Surprise(NamedTuple):
    """What a chunk was to each hypothesis, (series, hypotheses): its surprise in standard deviations, these, and gains.

    `u` counts for no more than `CLIP`, `raw` is all of it. The gains say which part of the surprise the level and the
    deviation have taken up.
    """

    u: Floats
    raw: Floats
    sd: Floats
    to_level: Floats
    to_deviation: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """Where the filters stand after some chunks: (series, hypotheses), but for `memory` (hypotheses,).

    `log_weight` are posterior, up to a constant a series; `level_var`, `both` and `deviation_var` are the covariance
    of level and deviation.
    """

    memory: Floats
    natural_var: Floats
    log_weight: Floats
    level: Floats
    deviation: Floats
    level_var: Floats
    both: Floats
    deviation_var: Floats

    @classmethod
    def through(cls, y: Floats, s2: Floats, *, may_wander: bool = False) -> Self:
        """Return the filters after the reference: its values and their sampling variances, (series, chunks).

        NaN is a chunk without a value. The sizes that are tried are the sample variance, and how wrong that may be.
        With `may_wander` a memory that is nearly a random walk is a hypothesis, too. Evidence is not weighed by it: it
        explains any loss that has lasted, also one beyond all that the reference has shown.
        """
        memory = (*MEMORY, WANDERING) if may_wander else MEMORY
        chance = np.array((*PRIOR, PRIOR_OF_WANDERING) if may_wander else PRIOR)
        known = np.isfinite(y)
        n = np.maximum(known.sum(axis=1), FEWEST)[:, None]
        mean = np.where(known, y, 0.0).sum(axis=1, keepdims=True) / n
        variance = (np.where(known, y - mean, 0.0) ** 2).sum(axis=1, keepdims=True) / (n - 1)
        sampling = np.where(known, s2, 0.0).sum(axis=1, keepdims=True) / n
        f, q = np.repeat(memory, len(QUANTILES)), np.tile(QUANTILES, len(memory))
        # Deviations that resemble each other have moved the sample's own mean, which was taken off.
        total = variance + np.maximum(variance - sampling, 0.0) * (2 * f / (1 - f)) / n
        error = np.minimum(np.sqrt(2 / (n - 1) * (1 + f * f) / (1 - f * f)), 1.0)
        natural = np.maximum(total * np.exp(q * error) - sampling, LEAST_VARIANCE)
        shape = natural.shape
        prior = np.log(np.repeat(chance / chance.sum() / len(QUANTILES), len(QUANTILES)))
        start = cls(
            memory=f,
            natural_var=natural,
            log_weight=np.broadcast_to(prior, shape).copy(),
            level=np.broadcast_to(mean, shape).copy(),
            deviation=np.zeros(shape),
            level_var=np.broadcast_to(VAGUE * np.maximum(variance + sampling, LEAST_VARIANCE), shape).copy(),
            both=np.zeros(shape),
            deviation_var=natural.copy(),
        )
        begun = np.zeros(len(y), np.bool_)
        for t in range(y.shape[1]):
            start, _ = start.step(y[:, t], s2[:, t], learns=np.ones(len(y), np.bool_), weighs=begun)
            begun = begun | known[:, t]  # the first value is no surprise: its level was not known
        return replace(start, log_weight=start.log_weight - log_sum(start.log_weight)[:, None])

    def step(self, y: Floats, s2: Floats, *, learns: Bools, weighs: Bools) -> tuple[Self, Surprise]:
        """Return the filters after one more chunk, and what it was to them; all arguments are (series,).

        The level moves where it `learns`, the weights where they `weigh`. A series without a value (NaN) only forgets.
        """
        known = np.isfinite(y)[:, None]
        of_level, of_deviation = self.level_var + self.both, self.both + self.deviation_var
        foretold_var = np.maximum(of_level + of_deviation + np.where(known[:, 0], s2, 1.0)[:, None], LEAST_VARIANCE)
        sd = np.sqrt(foretold_var)
        away = np.where(known, np.nan_to_num(y)[:, None] - self.level - self.deviation, 0.0)
        raw = away / sd
        u = np.clip(raw, -CLIP, CLIP)
        e = u * sd
        k = np.where(known & learns[:, None], of_level / foretold_var, 0.0)
        j = np.where(known, of_deviation / foretold_var, 0.0)
        f = self.memory
        moved = replace(
            self,
            log_weight=self.log_weight - np.where(known & weighs[:, None], u * u / 2 + np.log(sd), 0.0),
            level=self.level + k * e,
            deviation=f * (self.deviation + j * e),
            # Joseph's form: the level's gain may be zero.
            level_var=self.level_var - 2 * k * of_level + k * k * foretold_var,
            both=f * (self.both - k * of_deviation - j * of_level + k * j * foretold_var),
            deviation_var=f * f * (self.deviation_var - 2 * j * of_deviation + j * j * foretold_var)
            + (1 - f * f) * self.natural_var,
        )
        return moved, Surprise(u, raw, sd, k, j)

    def weights(self) -> Floats:
        """Return the posterior weights, which sum to one for each series."""
        return np.asarray(np.exp(self.log_weight - log_sum(self.log_weight)[:, None]))

    def average(self) -> Average:
        """Return what is known of each series, averaged over the hypotheses."""
        w = self.weights()
        level = (w * self.level).sum(axis=1)
        natural = (w * self.natural_var).sum(axis=1)
        return Average(
            level=level,
            level_var=(w * (self.level_var + (self.level - level[:, None]) ** 2)).sum(axis=1),
            natural_var=natural,
            memory=(w * self.natural_var * self.memory).sum(axis=1) / np.maximum(natural, LEAST_VARIANCE),
        )


class Average(NamedTuple):
    """Level, its variance, the variance of natural deviations and their memory, (series,)."""

    level: Floats
    level_var: Floats
    natural_var: Floats
    memory: Floats


def log_sum(x: Floats) -> Floats:
    """Return the logarithm of the sum of exponentials over the last axis."""
    top = x.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(x - top).sum(axis=-1)) + top[..., 0])


def phase_effects(y: Floats, phase: Ints) -> tuple[Floats, Floats]:
    """Return shrunk effects of the phases, (series, phases), and the reference without them, (series, chunks).

    Random effects by the method of moments. Each chunk of the reference is judged by the effect that its phase has
    *without it*: what remains is then as wide as what the effects leave of later chunks, and how uncertain they are is
    in the variance that is learned next. A phase with one chunk has no effect there.

    >>> week = np.tile([0.0, 0, 0, 0, 0, 3, 3], 4)
    >>> effects, rest = phase_effects(week[None, :], np.tile(np.arange(7), 4))
    >>> effects.round(2).tolist(), float(np.abs(rest - rest.mean()).max().round(3))
    ([[-0.86, -0.86, -0.86, -0.86, -0.86, 2.14, 2.14]], 0.0)
    """
    phases = int(phase.max()) + 1
    known = np.isfinite(y)
    filled = np.where(known, y, 0.0)
    one = np.eye(phases)[phase]
    n = known.astype(np.float64) @ one
    least = np.maximum(n, 1)
    total, used = known.sum(axis=1, keepdims=True), (n > 0).sum(axis=1, keepdims=True)
    mean = filled.sum(axis=1, keepdims=True) / np.maximum(total, 1)
    raw = np.where(n > 0, (filled @ one) / least - mean, 0.0)
    rest = np.where(known, y - mean - raw[:, phase], 0.0)
    within = (rest**2).sum(axis=1, keepdims=True) / np.maximum(total - used, 1)
    between = (n * raw**2).sum(axis=1, keepdims=True) / np.maximum(used - 1, 1)
    of_phases = np.maximum(between - within, 0.0) * used / np.maximum(total, 1)
    effects = raw * of_phases / np.maximum(of_phases + within / least, 1e-300)
    others = np.maximum(least[:, phase] - 1, 1)
    without = np.where(least[:, phase] > 1, (least[:, phase] * raw[:, phase] - (filled - mean)) / others, 0.0)
    return effects, y - without * of_phases / np.maximum(of_phases + within / others, 1e-300)
