"""What a reference cannot support: it is said when it is learned, and beside each verdict that rests on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from barograph.chunks import parse_chunk_rule
from barograph.metrics.facts import title_of
from barograph.monitors.feeds import feed_of_history, feed_of_whole
from barograph.monitors.monitor import Monitor
from barograph.reference.history import History, headline, headlines
from barograph.reference.reference import Reference
from barograph.rules import Context
from barograph.rules.predictive import learn
from barograph.rules.trend import steadiness
from barograph.text.format import count

WANDERS = 0.5  # weight of the hypothesis that a metric wanders: it is then the likeliest
TREND = 2.5  # Student's t: less than one steady reference in a hundred has more
ENOUGH = 20  # blocks: with fewer, how they vary is a guess
WEEKS, YEAR = 14.0, 365.0  # days
LONG_AS_IT_IS = "Give a longer reference, or a more recent one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What cannot be told by a reference, and why; `verdict` is the same as part of the verdict, where it matters."""

    what: str
    why: str
    verdict: str = ""


class _Series(NamedTuple):
    """A headline metric over the reference: its name, whether it wanders, t of its slope, and its halves' means."""

    name: str
    wanders: float
    t: float
    first: float
    second: float


def review(reference: Reference, history: History | None) -> list[Doubt]:
    """Return what this reference, cut like the chunks into `history`, does not support; [] where nothing is known."""
    if history is None or not len(history) or not history.series:
        return []
    return [*_unsteady(reference, history), *_short(history), *_season(history)]


def finest(reference: Reference) -> History | None:
    """Return the history to look at where it is not known how production is cut: by the day, or else the longest."""
    by_length = {history.chunk: history for history in reference.histories}
    return by_length.get("1d") or max(by_length.values(), key=len, default=None)


def _unsteady(reference: Reference, history: History) -> Iterator[Doubt]:
    found = _series(reference, history)
    worse = [s for s in found if s.t > TREND]
    better = [s for s in found if s.t < -TREND]
    wandering = [s for s in found if s.wanders > WANDERS and s not in worse and s not in better]
    for group, way in ((worse, "worse"), (better, "better")):
        if group:
            names = ", ".join(title_of(s.name) for s in group)
            halves = "; ".join(f"{s.first:.3g} in its first half, {s.second:.3g} in its second" for s in group[:1])
            said = f"the reference itself gets {way}"
            yield Doubt(
                what=f"slow changes of {names}",
                why=f"{said}, a trend from its begin to its end ({halves}), and what comes is compared with all of it. "
                f"{LONG_AS_IT_IS}",
                verdict=f"{said} from its begin to its end" if way == "worse" else "",
            )
    if wandering:
        names = ", ".join(title_of(s.name) for s in wandering)
        why = f"they drift within the reference itself: only a sudden change is told. {LONG_AS_IT_IS}"
        verdict = f"the reference itself drifts ({names}), and slow changes cannot be told from that"
        yield Doubt(what=f"slow changes of {names}", why=why, verdict=verdict)


def _series(reference: Reference, history: History) -> list[_Series]:
    names = [n for n in headlines(reference.schema.task) if history.has(n, "")]
    if not names:
        return []
    monitors = [Monitor(metric=headline(name)) for name in names]
    feed = feed_of_history(history, monitors, zone=reference.schema.timezone)
    context = Context(
        arl=np.full(len(names), 30.0),
        step=history.days or 1.0,
        rows=1.0,
        tolerance=np.zeros(len(names)),
        better=tuple(m.metric.better for m in monitors),
        whole=feed_of_whole(reference.total, monitors),
        scales=tuple(m.metric.scale for m in monitors),
    )
    rule = learn(feed, context)
    y, s2, _ = rule.scaled(feed)
    steady = steadiness(y.T, s2.T)
    assert feed.values is not None
    half = len(feed) // 2
    return [
        _Series(
            name,
            float(steady.wanders[j]),
            float(steady.t[j]),
            float(np.nanmean(feed.values[:half, j])),
            float(np.nanmean(feed.values[half:, j])),
        )
        for j, name in enumerate(names)
        if np.isfinite(feed.values[:half, j]).any() and np.isfinite(feed.values[half:, j]).any()
    ]


def _short(history: History) -> Iterator[Doubt]:
    if len(history) < ENOUGH:
        noun = "block" if " " in history.chunk else parse_chunk_rule(history.chunk).noun  # of several, put together
        blocks = count(len(history), noun)
        why = f"the reference has {blocks}, and how much they vary is not certain: what is told needs more evidence"
        yield Doubt(what="small losses of performance", why=f"{why}. {ENOUGH} or more are better")


def _season(history: History) -> Iterator[Doubt]:
    if not history.days:
        return
    days = float(history.ends.max() - history.starts.min()) / 86_400e6
    if history.days <= 1.1 and days < WEEKS:
        why = f"the reference has {days:.0f} days: that weekends are always so cannot be known. Give two weeks or more"
        yield Doubt(what="the rhythm of the week", why=why)
    elif days < YEAR:
        why = f"the reference has {days:.0f} days: a season that comes again each year looks like a change"
        yield Doubt(what="the rhythm of the year", why=why)


def as_sentences(doubts: Sequence[Doubt]) -> list[str]:
    """Return doubts as they are printed."""
    return [f"{doubt.what} cannot be told: {doubt.why}" for doubt in doubts]
