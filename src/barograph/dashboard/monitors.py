"""What is watched of a model: each monitor, how often it was right, and what to change about those that were not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barograph.dashboard.lists import ListPage

FALSE_ALARMS = 3  # by people's verdicts, from which on a change is proposed


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What to change about a monitor: what was seen, and ways out, each with where it is replayed."""

    monitor: str
    seen: str
    ways: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorsPage(ListPage):
    """The page `/models/{model}/monitors`. `look` leads to what takes seconds to find out; "" where it is shown."""

    proposals: Sequence[Proposal] = ()
    findings: Sequence[Proposal] = ()
    look: str = ""
    looked: bool = False
