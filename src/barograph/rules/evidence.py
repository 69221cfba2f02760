"""The one e-detector: a mixture Shiryaev-Roberts recursion over bets, for many monitors at once."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from barograph.arrays import Bools, Floats
from barograph.errors import MismatchError
from barograph.sketches.serial import pack, unpack

REMEMBERED_CHUNKS = 512  # how far back a late chunk can still be told from one that was counted
CALM = 0.1  # evidence below this share of the ARL closes an alert: opening and closing levels differ on purpose
CEILING = 10.0  # evidence is kept below this multiple of the ARL, so that it can fall soon after a repair
NEVER = -np.inf  # the logarithm of no evidence at all


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    r"""Log evidence that something has changed, for `monitors` × `bets`, and the chunks that it has counted.

    A rule turns chunk `t` into e-values: the wealth :math:`E_{k}` that bet `k` returns for a stake of one, whose
    mean is at most one while nothing has changed. A new stake of `step` is put on each bet before each chunk,

    .. math:: M_{t,k} = (M_{t-1,k} + c_t) \, E_{t,k}, \qquad M_{0,k} = 0,

    and there is an alarm when the mean over bets, :math:`\bar M_t = \frac1K \sum_k M_{t,k}`, reaches `arl`. Because
    :math:`\bar M_t - \sum_{s \le t} c_s` is a supermartingale, the mean sum of steps until a false alarm is at
    least `arl`, for any dependence between rows, chunks and bets [1]_. The unit of the run length is the unit of the
    steps :math:`c_t`, which may vary but must be known before the chunk is: 1 for chunks, the number of rows for rows,
    the length of the chunk for days. An alarm counted in rows from windows of `n` rows therefore takes `step=n`; a
    window restarts only at its beginning, so that it finds a change later than single rows would, never more falsely.

    A monitor for which all e-values are exactly one had no data: its evidence stays, and no step is counted. Chunks are
    told apart by a whole number that orders them (the start in microseconds, the first row). Each is counted once; a
    late one is new evidence on top of what is there, since a bet that has been settled cannot be undone. The last
    `REMEMBERED_CHUNKS` numbers are kept, and what is older than all of them is refused.

    `log_m` is kept in logarithms (natural), `elapsed` is the sum of the steps of each monitor since its last reset.

    >>> evidence = Evidence.start(monitors=1, bets=2)
    >>> heads = np.log([[1.5, 1.2]])  # two bets on heads that pay 1.5 or 0.5, and 1.2 or 0.8
    >>> for toss in range(10):
    ...     evidence = evidence.add(heads, chunk=toss)
    >>> float(np.exp(evidence.log_mean()[0]))  # ten heads: a fair coin takes at least 100 tosses on average
    100.57...
    >>> evidence.refusal(9)
    'chunk 9 was counted before'

    .. [1] J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
       New England Journal of Statistics in Data Science, 2024.
    """

    log_m: Floats  # (monitors, bets)
    elapsed: Floats  # (monitors,)
    chunks: tuple[int, ...] = ()  # counted, ascending
    forgotten: int | None = None  # numbers up to this one can no longer be told from counted ones

    @classmethod
    def start(cls, monitors: int, bets: int) -> Self:
        """Return the state before the first chunk."""
        return cls(np.full((monitors, bets), NEVER), np.zeros(monitors))

    def refusal(self, chunk: int) -> str:
        """Return why `chunk` cannot be counted, or an empty string."""
        if self.forgotten is not None and chunk <= self.forgotten:
            return f"chunk {chunk} is older than the last {len(self.chunks)} counted chunks"
        at = bisect_left(self.chunks, chunk)
        return f"chunk {chunk} was counted before" if self.chunks[at : at + 1] == (chunk,) else ""

    def add(
        self, log_e: Floats, *, chunk: int, step: float | Floats = 1.0, log_ceiling: float | Floats | None = None
    ) -> Self:
        """Return the evidence after one more chunk, with log e-values `log_e` of shape (monitors, bets).

        `log_ceiling` bounds the evidence from above (which no alarm can come from, and which lets it fall again soon
        after a repair). Raises MismatchError when :meth:`refusal` has a reason, or when the shapes differ.
        """
        if reason := self.refusal(chunk):
            raise MismatchError(f"The evidence was not changed: {reason}. Look at `refusal(chunk)` before `add`.")
        if log_e.shape != self.log_m.shape:
            raise MismatchError(
                f"Evidence of {self.log_m.shape[0]} monitors with {self.log_m.shape[1]} bets cannot take e-values of "
                f"shape {log_e.shape}. Start new evidence when monitors or bets change."
            )
        steps = np.where(log_e.any(axis=1), step, 0.0)
        log_m = _log_add(self.log_m, steps)
        log_m += log_e
        if log_ceiling is not None:
            # The excess comes off all bets alike, so that what leads still leads.
            log_m -= np.maximum(_log_mean(log_m) - log_ceiling, 0.0)[:, None]
        chunks, forgotten = list(self.chunks), self.forgotten
        insort(chunks, chunk)
        if len(chunks) > REMEMBERED_CHUNKS:
            forgotten = chunks.pop(0)
        return replace(self, log_m=log_m, elapsed=self.elapsed + steps, chunks=tuple(chunks), forgotten=forgotten)

    def log_mean(self) -> Floats:
        """Return the logarithm of the mean over bets, (monitors,): what is compared with the logarithm of the ARL."""
        return _log_mean(self.log_m)

    def reset(self, which: Bools) -> Self:
        """Return the evidence with the monitors `which` back at the start: after an alarm that was dealt with."""
        return replace(
            self, log_m=np.where(which[:, None], NEVER, self.log_m), elapsed=np.where(which, 0.0, self.elapsed)
        )

    def to_bytes(self) -> bytes:
        """Return a portable form."""
        meta = {"forgotten": self.forgotten}
        chunks = np.array(self.chunks, np.int64)
        return pack("evidence", 1, meta, {"log_m": self.log_m, "elapsed": self.elapsed, "chunks": chunks})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the evidence that `to_bytes` wrote."""
        meta, arrays = unpack(data, kind="evidence", version=1)
        return cls(arrays["log_m"], arrays["elapsed"], tuple(arrays["chunks"].tolist()), meta["forgotten"])


def _log_add(log_m: Floats, steps: Floats) -> Floats:
    # log(M + c): numpy's logaddexp is exact too, but five times slower.
    with np.errstate(divide="ignore"):
        log_steps = np.log(steps)[:, None]
    high: Floats = np.maximum(log_m, log_steps)
    with np.errstate(invalid="ignore"):  # -inf - -inf: no evidence and no step
        low = np.minimum(log_m, log_steps) - high
    low[np.isnan(low)] = NEVER
    high += np.log1p(np.exp(low, out=low), out=low)
    return high


def _log_mean(log_m: Floats) -> Floats:
    top = log_m.max(axis=1, keepdims=True)
    top[np.isneginf(top)] = 0.0
    with np.errstate(divide="ignore"):
        mean: Floats = np.log(np.exp(log_m - top).mean(axis=1)) + top[:, 0]
    return mean
