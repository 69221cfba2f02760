"""Add the e-values of one chunk to the evidence, and decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from barograph.arrays import Bools, Floats, Ints
from barograph.rules.evidence import CALM, CEILING, Evidence


class Bets(Protocol):
    """What says of a rule's bets what they are on."""

    def meaning(self, bet: Ints) -> tuple[Ints, Ints]:
        """Return the group (cut point, category, cell) and the direction, 1 or -1, of the bets at positions `bet`."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Decision:
    """What is decided for each monitor after one chunk. Arrays are (monitors,), logarithms are natural.

    A monitor is in breach when its evidence is at least its ARL, and calm when it is below a tenth of it: between the
    two an open alert stays open and a closed one closed. `direction` is 1 when the leading bet says that something is
    above what is allowed, -1 for below, 0 without evidence; `group` is what the leading bet is on. `reason` says why a
    chunk was not counted; nothing has changed then.
    """

    state: Evidence
    log_evidence: Floats
    log_threshold: Floats
    breach: Bools
    calm: Bools
    direction: Ints
    group: Ints
    reason: str = ""


def observe(
    rule: Bets,
    state: Evidence,
    log_e: Floats,
    *,
    chunk: int,
    arl: npt.ArrayLike,
    step: float | Floats = 1.0,
) -> Decision:
    """Add the e-values of one chunk to the evidence, and decide.

    `arl` (one, or one a monitor) is the mean number of steps that may pass until a false alarm; `step` is what this
    chunk counts for. A chunk that was counted before changes nothing, and the decision says so. The evidence is kept
    below ten times the ARL.

    >>> from barograph.rules.bets import bet_sizes
    >>> from barograph.rules.share import share
    >>> rule = share([[30], [25], [35], [28]], [[1000]] * 4, sizes=bet_sizes(1000, longest=30))
    >>> decision = observe(rule, Evidence.start(*rule.shape), rule.log_e([[300]], [1000]), chunk=1, arl=1000)
    >>> decision.breach.item(), decision.direction.item()
    (True, 1)
    >>> observe(rule, decision.state, rule.log_e([[300]], [1000]), chunk=1, arl=1000).reason
    'chunk 1 was counted before'
    """
    threshold = np.broadcast_to(np.log(np.asarray(arl, np.float64)), state.elapsed.shape)
    reason = state.refusal(chunk)
    if not reason:
        state = state.add(log_e, chunk=chunk, step=step, log_ceiling=threshold + np.log(CEILING))
    evidence = state.log_mean()
    group, direction = rule.meaning(state.log_m.argmax(axis=1))
    return Decision(
        state=state,
        log_evidence=evidence,
        log_threshold=threshold,
        breach=evidence >= threshold,
        calm=evidence < threshold + np.log(CALM),
        direction=np.where(np.isneginf(evidence), 0, direction),
        group=group,
        reason=reason,
    )
