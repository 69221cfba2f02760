"""How far the metrics of another time lie from their estimates: what the reference's own history says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from barograph.arrays import Bools, Floats, Number

MIN_BLOCKS = 5
HORIZON = 1.0  # lengths of the reference: no two of its blocks are further apart, so beyond it nothing was learned
LEVEL = 0.95
THETA = 0.08  # lengths of the reference within which what comes and goes is still much the same: a block and a half
KAPPA = np.geomspace(0.002, 2.0, 14)
OMEGA = np.array([0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64])
PSI = np.array([0.05, 0.35, 0.8, 1.6])
KAPPA_0, OMEGA_0, PSI_0 = 0.01, 0.02, 0.5
RISE, FALL = 0.5, 0.3  # powers of the prior of kappa below and above KAPPA_0: heavy above, as many streams drift
NEGLIGIBLE = 1e-4  # of the largest weight: hypotheses below it change no interval
_Z = 1.959963984540054


class Expectation(NamedTuple):
    """A metric of labels to come: `mean`, its standard deviation `sd`, and the part of it that is `chance` alone.

    The other part is what the reference's rates may be off by. NaN where the metric has no value.
    """

    mean: Number
    sd: Number
    chance: Number

    @property
    def calibration(self) -> Number:
        """Return the standard deviation that the reference's rates add."""
        return np.sqrt(np.maximum(self.sd**2 - self.chance**2, 0.0))


class When(NamedTuple):
    """Where a chunk lies in time, in lengths of the reference: `middle` (1 is where that ends), and `length`."""

    middle: Number
    length: Number


class Residual(NamedTuple):
    """What a block of the reference, estimated from all others, missed, and the standard deviations it should have."""

    value: float
    chance: float
    calibration: float
    rows: int
    middle: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Experience:
    r"""What the residuals of the reference's blocks say of the time after it, for M metrics and G hypotheses.

    With u the time in lengths of the reference, and s the chance that one row adds, a residual is taken for

    .. math:: r_j = c(u_j) + o(u_j) + e_j - \text{mean}

    of chance with :math:`\mathrm{Var}\,e_j = \phi s_j^2`, a part that comes and goes, with the covariance
    :math:`(\omega s)^2 e^{-|\Delta u| / 0.08}`, and a random walk with :math:`(\kappa s)^2 \min(u, u')`. Each
    hypothesis (:math:`\kappa, \omega, \phi`) has a posterior weight; given it, a later chunk is predicted by ordinary
    kriging [1]_, and the interval is that of the mixture.

    `weight`, `drift`, `swing` (M, G) are the weights and :math:`(\kappa s)^2, (\omega s)^2`; `phi` (G,); `shift` and
    `base` (2 or 3, M, G) the residual to be expected and its variance, as polynomials of
    :math:`d = e^{-(u - 1) / 0.08}`; `calibration` (M,) what the residuals hold of it already; `block` a block's length.

    .. [1] N. Cressie, "Statistics for Spatial Data", Wiley 1993, section 3.2.
    """

    names: tuple[str, ...]
    weight: Floats
    phi: Floats
    drift: Floats
    swing: Floats
    shift: Floats
    base: Floats
    calibration: Floats
    block: float

    def excess(self, found: Mapping[str, Expectation], when: When) -> dict[str, Number]:
        """Return, by metric, the standard deviation beyond `sd` with which a normal interval of 95 % holds.

        Metrics without any value, or that nothing was learned of, are left out; of many chunks, some may have none.
        """
        at = [i for i, name in enumerate(self.names) if name in found and np.any(np.isfinite(found[name].mean))]
        if not at:
            return {}
        given = [found[self.names[i]] for i in at]
        known = np.stack([np.isfinite(e.mean) for e in given], axis=-1)
        chance = np.stack([np.square(e.chance) for e in given], axis=-1)[..., None]
        off = np.stack([np.square(e.calibration) for e in given], axis=-1)
        added = np.maximum(off - self.calibration[at], 0.0)[..., None]
        middle, length = (np.asarray(x)[..., None, None] for x in when)
        d = np.exp(-(np.maximum(middle, 1.0) - 1) / THETA)
        own = self.swing[at] * (_averaged(length / THETA) / _averaged(self.block / THETA))
        kriged = self.base[0, at] + d * self.base[1, at] + d**2 * self.base[2, at] + self.drift[at] * middle
        variance = np.maximum(kriged + own + self.phi * chance, chance) + added
        sd = np.sqrt(variance + (self.shift[0, at] + d * self.shift[1, at]) ** 2)
        half = half_widths(self.weight[at], sd, known=known)
        return {
            self.names[i]: np.sqrt(np.maximum((half[..., j] / _Z) ** 2 - np.square(e.sd), 0.0))
            for j, (i, e) in enumerate(zip(at, given, strict=True))
        }


def learn(residuals: Mapping[str, Sequence[Residual]]) -> Experience | None:
    """Return what the blocks' residuals say; None where no metric has five blocks with a value."""
    enough = {name: found for name, found in residuals.items() if len(found) >= MIN_BLOCKS}
    parts = [_learn_one(found) for found in enough.values()]
    if not parts:
        return None
    weight, drift, swing, shift, base, calibration = (np.stack([part[i] for part in parts]) for i in range(6))
    kept = (weight >= NEGLIGIBLE * weight.max(axis=1, keepdims=True)).any(axis=0)
    weight = weight[:, kept]
    return Experience(
        names=tuple(enough),
        weight=weight / weight.sum(axis=1, keepdims=True),
        phi=_hypotheses()[0][kept],
        drift=drift[:, kept],
        swing=swing[:, kept],
        shift=np.moveaxis(shift[:, :, kept], 0, 1),
        base=np.moveaxis(base[:, :, kept], 0, 1),
        calibration=calibration,
        block=1 / max(len(found) for found in enough.values()),
    )


@cache
def _hypotheses() -> tuple[Floats, Floats, Floats, Floats]:
    """Return phi, kappa, omega and the prior of each hypothesis (G,)."""
    kappa, omega, psi = (grid.ravel() for grid in np.meshgrid(KAPPA, OMEGA, PSI, indexing="ij"))
    k, o = kappa / KAPPA_0, omega / OMEGA_0
    swings = np.where(omega == 0, 1.0, o / (1 + o**2))
    return 1 + psi**2, kappa, omega, swings * np.exp(-((psi / PSI_0) ** 2) / 2) / (k**-RISE + k**FALL)


def _learn_one(found: Sequence[Residual]) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """Return weight, drift, swing (G,), shift (2, G), base (3, G) and the calibration variance of one metric."""
    r, chance, calibration, n, u = np.array(found, np.float64).T
    z = r * (1 - 1 / len(r))
    s = float(np.sqrt(np.mean(chance**2 * n)))
    if not s:  # a reference without any error, so without any chance: what it missed is the only scale there is
        s = float(np.sqrt(np.mean(z**2 * n))) or float(np.finfo(np.float64).tiny ** 0.25)
    chance = np.maximum(chance, 0.01 * s / np.sqrt(n))
    phi, kappa, omega, prior = _hypotheses()
    drift, swing = (kappa * s) ** 2, (omega * s) ** 2
    covariance = (
        phi[:, None, None] * np.diag(chance**2)
        + drift[:, None, None] * np.minimum.outer(u, u)
        + swing[:, None, None] * np.exp(-np.abs(np.subtract.outer(u, u)) / THETA)
    )
    inverse = np.linalg.inv(covariance)
    total = inverse.sum(axis=(1, 2))
    mean = (inverse @ z).sum(axis=1) / total
    misfit = np.einsum("i,gij,j->g", z, inverse, z) - mean**2 * total
    log = -(np.linalg.slogdet(covariance)[1] + np.log(total) + misfit) / 2
    weight = prior * np.exp(log - log.max())
    # The covariance of a later chunk with the blocks is k[0] + d k[1].
    k = np.stack([drift[:, None] * u, swing[:, None] * np.exp(-(1 - u) / THETA)])
    solved = np.einsum("gij,agj->agi", inverse, k)
    free = np.stack([1 - solved[0].sum(axis=1), -solved[1].sum(axis=1)])
    dot = np.einsum("agi,bgi->abg", k, solved)
    solved = solved + free[:, :, None] * inverse.sum(axis=2) / total[:, None]
    shift = np.stack([(solved[0] - n / n.sum()) @ z, solved[1] @ z])
    base = np.stack(
        [
            free[0] ** 2 / total - dot[0, 0],
            2 * (free[0] * free[1] / total - dot[0, 1]),
            free[1] ** 2 / total - dot[1, 1],
        ]
    )
    return weight, drift, swing, shift, base, np.array(np.mean(calibration**2) * (1 - 1 / len(r)))


def _averaged(x: Number) -> Number:
    """Return the variance of the mean over x correlation lengths, as a share of the variance at one time."""
    long = np.maximum(x, 1e-4)
    return np.where(np.greater(x, 1e-4), 2 * (long - 1 + np.exp(-long)) / long**2, 1.0)


def half_widths(weight: Floats, sd: Floats, *, known: Bools | bool = True, level: float = LEVEL) -> Floats:
    r"""Return the h of each row (M, G) with :math:`\sum_g w_g (2 \Phi(h / \sigma_g) - 1)` = `level`.

    The sum is concave in h, so Newton's steps from below rise to the solution and never pass it. Where `sd` (C, M, G)
    is that of many chunks, each stops by itself, so that it does not matter which others are with it; rows that are
    not `known` are not waited for.

    >>> half_widths(np.array([[0.5, 0.5]]), np.array([[1.0, 1.0]])).round(3).tolist()
    [1.96]
    """
    from scipy.special import ndtr

    shape = sd.shape[:-1]
    sd = np.maximum(sd, np.finfo(np.float64).tiny).reshape(-1, *sd.shape[-2:])
    counts = np.broadcast_to(known, shape).reshape(sd.shape[:2])
    h = _Z * sd.min(axis=-1)
    going = np.arange(len(h))
    for _ in range(60):
        t = h[going][..., None] / sd[going]
        missing = np.where(counts[going], level - (weight * (2 * ndtr(t) - 1)).sum(axis=-1), 0.0)
        still = (missing > 1e-6).any(axis=-1)
        if not still.any():
            break
        going, t, missing = going[still], t[still], missing[still]
        slope = (weight * np.exp(-(t**2) / 2) / sd[going]).sum(axis=-1) * np.sqrt(2 / np.pi)
        # Where most of the weight is far wider, the slope here says little: no step more than doubles.
        now = h[going]
        steps = np.minimum(missing / np.maximum(slope, np.finfo(np.float64).tiny), now)
        h[going] = now + np.where(missing > 0, steps, 0.0)
    return np.asarray(h.reshape(shape))
