"""What all rules that bet have in common: evidence that is carried from chunk to chunk."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from barograph.arrays import Floats, Ints
from barograph.rules import Feed, Judged
from barograph.rules.evidence import NEVER, Evidence
from barograph.rules.observe import observe


class BetRule(ABC):
    """A rule whose chunks become e-values, whatever it has learned."""

    __slots__ = ()

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Return the numbers of monitors and bets."""

    @abstractmethod
    def meaning(self, bet: Ints) -> tuple[Ints, Ints]:
        """Return the group (cut point, category, cell) and the direction, 1 or -1, of the bets at positions `bet`."""

    @abstractmethod
    def bets_on(self, feed: Feed, i: int) -> Floats:
        """Return the log e-values, (monitors, bets), of the chunk at position `i`."""

    def start(self) -> Evidence:
        """Return the evidence before the first chunk."""
        return Evidence.start(*self.shape)

    def run(self, state: Evidence, feed: Feed, *, arl: Floats) -> tuple[Evidence, Judged]:
        """Return the evidence after the chunks, and where it was enough. A chunk in which nothing came is not counted.

        An alarm takes at least the evidence of one step: a long chunk is not a short wait.
        """
        shape = (len(feed), self.shape[0])
        breach, known = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        evidence = np.full(shape, NEVER)
        for i in np.flatnonzero(feed.came).tolist():
            days = float(feed.days[i])
            decision = observe(
                self,
                state,
                self.bets_on(feed, i),
                chunk=int(feed.order[i]),
                arl=np.maximum(arl, 2 * days),
                step=days,
            )
            state = decision.state
            breach[i], known[i], evidence[i] = decision.breach, True, decision.log_evidence
        return state, Judged(breach=breach, known=known, evidence=evidence)
