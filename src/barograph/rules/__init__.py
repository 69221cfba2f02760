"""Rules: when what is measured is a breach. One rule a file, found by its decorator.

A rule is learned from the reference for many monitors at once, and run over chunks in the order of time. Its state
after any chunk can be kept (`to_bytes`), and running on from it gives what running over everything gives::

    kind = catalogue()["share"]
    rule = kind.learn(feed_of_the_reference, context)
    state, judged = rule.run(rule.start(), feed, arl=days)

What it is fed follows from what it `takes`:

=========== ========================================================================= ===============================
takes       the feed holds, with axes (chunks, monitors, …)                           of
=========== ========================================================================= ===============================
`values`    `values` and their standard `errors`, NaN where there is none             any metric
`parts`     `counts` (…, 1) of rows among `rows`                                      metrics with a `part`: shares
`bins`      `counts` (…, bins) of rows, padded with zeros                             distributions of columns
`cells`     `counts` (…, cells) of errors among `rows` (…, cells)                     binary models
=========== ========================================================================= ===============================

To add a rule, add a file with a function `learn(reference, context)` under the decorator `@rule`, and its test. The
file may be one of a plug-in: see `barograph.plugins`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, Protocol, Self  # Any: options are of the type that their setting says

import numpy as np

from barograph.arrays import Bools, Floats, Ints
from barograph.errors import SpecError
from barograph.metrics.scales import Scale
from barograph.plugins import load_all
from barograph.rules.bets import bet_sizes

Takes = Literal["values", "parts", "bins", "cells"]
LONGEST_DAYS = 30.0  # a change that takes longer than this to show is not bet on


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Feed:
    """What a rule is fed: blocks of the reference, or chunks, in the order of time.

    `days` (chunks,) is how long each lasts, `came` whether any row came in it; `order` are ascending numbers by which
    chunks are told apart. `phase` numbers the hour of the day, or the day of the week, that a chunk falls in; None
    where there is no such rhythm. Of the other fields those are there that the rule takes; `rows` are the rows behind
    each value, or behind each count.
    """

    days: Floats
    came: Bools
    order: Ints
    values: Floats | None = None
    errors: Floats | None = None
    counts: Floats | None = None
    rows: Floats | None = None
    phase: Ints | None = None

    def __len__(self) -> int:
        return len(self.days)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Context:
    """What a rule is learned for.

    `arl` (monitors,) are the mean days between false alarms of each monitor, `step` the days and `rows` the rows of a
    typical chunk, `tolerance` (monitors,) the change that does not matter, `better` the direction of each metric
    (lower, higher, zero, neither). `like` is the reference in blocks as long as the chunks, `whole` all of it as one.
    `scales` are those of the metrics (None: as they are); monitors with one number in `together` share one alarm (None:
    each has its own). `options` are those that the user gave.
    """

    arl: Floats
    step: float
    rows: float
    tolerance: Floats
    better: tuple[str, ...]
    like: Feed | None = None
    whole: Feed | None = None
    scales: tuple[Scale, ...] | None = None
    together: Ints | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sizes(self) -> Floats:
        """Return the sizes of bets for these run lengths; see `rules.bets.bet_sizes`."""
        return bet_sizes(max(float(self.arl.min()) / self.step, 2.0), longest=max(LONGEST_DAYS / self.step, 2.0))

    @property
    def steps(self) -> float:
        """Return within how many chunks a change should show."""
        return max(LONGEST_DAYS / self.step, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How much worse a metric is since it changed, in its own unit: the mean since then, and 95 % bounds of it.

    `since` is the number of the chunk (see `Feed.order`) from which on it changed, as estimated; `earliest` and
    `latest` are its 95 % bounds. The bounds of the change hold after every chunk at which they are looked at.
    `is_material` says whether more than the tolerance is certain.
    """

    since: int
    earliest: int
    latest: int
    value: float
    lower: float
    upper: float
    is_material: bool


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Judged:
    """What a rule says of chunks, as arrays (chunks, monitors).

    `known` is False where it could not tell, `beyond` says where a chunk by itself is beyond its limits. `evidence` is
    its natural logarithm (-inf: none at all), None for a rule without evidence; `lower` and `upper` are limits of the
    rule's own, NaN where there is none. `usual` (monitors,) is what a value is compared with, where that is not the
    reference's as a whole: a metric of all rows is not the usual metric of a chunk of them. `notes` are words for a
    breach, by chunk and monitor; `changes` say of a breach since when and by how much, where that is known.
    """

    breach: Bools
    known: Bools
    evidence: Floats | None = None
    lower: Floats | None = None
    upper: Floats | None = None
    beyond: Bools | None = None
    usual: Floats | None = None
    notes: Mapping[tuple[int, int], str] = field(default_factory=dict)
    changes: Mapping[tuple[int, int], Change] = field(default_factory=dict)


class State(Protocol):
    """What a rule carries from chunk to chunk."""

    def to_bytes(self) -> bytes:
        """Return a portable form."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the state that `to_bytes` wrote."""


class Rule(Protocol):
    """What was learned. The state that `run` takes is one that `start` or an earlier `run` of the same rule gave."""

    def start(self) -> Any:
        """Return the state before the first chunk."""

    def run(self, state: Any, feed: Feed, *, arl: Floats) -> tuple[Any, Judged]:
        """Return the state after the chunks of `feed`, and what the rule says of each, knowing only those before it.

        `arl` (monitors,) are the mean days between false alarms. No chunks change nothing.
        """

    def smallest_change(self, feed: Feed, context: Context) -> Floats:
        """Return the smallest lasting change, (monitors,), that shows within `context.steps` chunks; inf: none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """An option of a rule: how it is read (raises SpecError for a wrong value), its default, and what it means.

    Without a default it has to be given.
    """

    read: Callable[[object], Any]
    meaning: str
    default: Any = ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleKind:
    """A rule as it can be chosen by name.

    `unit` is that of the smallest change, and a monitor is `useful` if it finds one of that size. `has_evidence` is
    False for rules that keep no stated rate of false alarms: they take no part of the budget. `learns` is False for
    those that learn nothing from the reference. Of the options in
    `one_of` at least one has to be given. `tolerance` replaces that of the metric where the rule counts in another
    unit. `finds` are words for what it can find, where no smallest change says it. `by_chunk` says that it learns from
    blocks of the reference that are cut like the chunks, where there are such.
    """

    name: str
    takes: Takes
    learn: Callable[[Feed, Context], Rule]
    unit: str
    useful: float
    has_evidence: bool
    learns: bool
    options: Mapping[str, Setting]
    one_of: tuple[str, ...]
    tolerance: float | None
    finds: str
    by_chunk: bool

    @property
    def summary(self) -> str:
        """Return the first line of the docstring of the rule's module."""
        return (import_module(self.learn.__module__).__doc__ or "").split("\n", 1)[0]


_REGISTERED: dict[str, RuleKind] = {}
Learn = Callable[[Feed, Context], Any]


def rule(
    *,
    takes: Takes,
    unit: str = "",
    useful: float = np.inf,
    has_evidence: bool = True,
    learns: bool = True,
    options: Mapping[str, Setting] | None = None,
    one_of: tuple[str, ...] = (),
    tolerance: float | None = None,
    finds: str = "",
    by_chunk: bool = False,
    name: str = "",
) -> Callable[[Learn], Learn]:
    """Register a rule under the name of its module (or `name`), and return its `learn` unchanged.

    To register a rule again from the same module replaces it. Raises SpecError for a name that another module has.
    """

    def register(learn: Learn) -> Learn:
        called = name or learn.__module__.rpartition(".")[2]
        if not learn.__module__.startswith(f"{__name__}."):
            taken = catalogue().get(called)
            if taken is not None and taken.learn.__module__ != learn.__module__:
                raise SpecError(f"There is a rule {called!r} already. Give yours another name.")
            catalogue.cache_clear()
        _REGISTERED[called] = RuleKind(
            name=called,
            takes=takes,
            learn=learn,
            unit=unit,
            useful=useful,
            has_evidence=has_evidence,
            learns=learns,
            options=MappingProxyType(dict(options or {})),
            one_of=one_of,
            tolerance=tolerance,
            finds=finds,
            by_chunk=by_chunk,
        )
        return learn

    return register


@cache
def catalogue() -> Mapping[str, RuleKind]:
    """Return every rule by name, those of plug-ins too.

    >>> sorted(name for name, kind in catalogue().items() if not kind.has_evidence)
    ['constant', 'relative']
    """
    load_all(__name__, __path__)
    return MappingProxyType(dict(sorted(_REGISTERED.items())))
