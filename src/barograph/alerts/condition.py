"""The state of a model: where it is in its life, and how it is. One function gives it to all who tell of it.

Two words say it: the lifecycle whether the model is watched, the judgement what was seen. Verdict and severity come out
of the same function as both, so that they cannot say different things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from barograph.alerts.alert import State
from barograph.alerts.breaches import NEARLY_ALL
from barograph.alerts.incident import Incident
from barograph.alerts.severity import Severity
from barograph.alerts.silence import heard
from barograph.chunks import PART
from barograph.metrics.broken import Broken
from barograph.metrics.facts import capital, foretells, what_breaks
from barograph.text.format import count


class Lifecycle(StrEnum):
    """Where a model is in its life."""

    NEW = "new"  # there is nothing to compare, or nothing to compare with
    BACK_FILLING = "back-filling"  # what has come so far is history: nobody knows yet how its events come
    LIVE = "live"  # its events come as they happen, and it is noticed when they stop
    PAUSED = "paused"  # by a person, for a while: nothing is raised
    RETIRED = "retired"  # by a person, for good: nothing is raised


class Judgement(StrEnum):
    """How a model is, as far as that is known."""

    WELL = "well"  # it was judged, and nothing that harms was found
    ATTENTION = "attention"  # something is broken, a part of it is worse, or its trouble is over
    IN_TROUBLE = "in trouble"  # it is materially worse, or no usable predictions come
    NOT_KNOWN = "not known"  # there is too little to judge it by, or nobody wants it to be judged
    CANNOT_BE_EVALUATED = "cannot be evaluated"  # the evaluation itself fails


# An alarm of labels ends when its evidence has fallen to a tenth, which shows nothing by itself (`checks/recovery.py`);
# one of estimates when these are within their limits.
AGAIN = "is within its limits again"
AS_ESTIMATED = "its estimates are within their limits again: that it is well is not shown until labels come"
NOT_SHOWN = "its alarm is over, but that it is as good as before is not shown yet"
OF_LABELS = ("performance", "concept")  # families that can show that it is as good as before
HELD = (Lifecycle.PAUSED, Lifecycle.RETIRED)  # those that a person chooses


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """By what the performance of `rows` in `chunks` was judged, as part of a sentence; and why that is not enough.

    `how` is empty where nothing was judged, `doubt` where there is none. `lost` counts the last chunks of which nothing
    is known but what is estimated, if that, although there were labels before, once patience is over: that is at least
    a warning. `noun` is what a chunk is called, `blind` says what loss would not be seen, where that is a large one.
    """

    rows: int
    chunks: int
    how: str = ""
    doubt: str = ""
    lost: int = 0
    noun: str = PART
    blind: str = ""

    @property
    def is_enough(self) -> bool:
        """Return whether it can be said that the model is all right."""
        return bool(self.how) and not self.doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An incident, as far as the state of its model follows from it.

    `family`, `metric`, `column` and `segment` are those of its root alert; `unusable` is the share of predictions that
    could not be used at worst, where that is what it is about; `is_over` says that all of its gravest alerts are
    resolved, `is_shown` that the chunks since show the model to be as good as before, and `by_itself` that the root is
    one of them: else it explains what is graver than it.
    """

    severity: Severity
    title: str
    family: str
    metric: str = ""
    column: str | None = None
    segment: str | None = None
    unusable: float | None = None
    is_over: bool = False
    is_shown: bool = False
    by_itself: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Who has paused or retired a model, when (UTC), and why."""

    lifecycle: Lifecycle
    since: datetime
    by: str
    reason: str

    def __str__(self) -> str:
        return f"The model is {self.lifecycle.value} since {_time(self.since)}, by {self.by}: {_ended(self.reason)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a model cannot be evaluated: since when (UTC) all attempts fail, and what the last one said."""

    since: datetime
    reason: str

    def __str__(self) -> str:
        return f"The model cannot be evaluated since {_time(self.since)}: {_ended(self.reason)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A source that cannot be read: since when (UTC) all attempts fail, and what the last one said."""

    name: str
    since: datetime
    reason: str

    def __str__(self) -> str:
        return f"The source {self.name!r} cannot be read since {_time(self.since)}: {_ended(self.reason)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The state of a model. `verdict` is for people; `severity` is None where nothing is wrong that is heard."""

    lifecycle: Lifecycle
    judgement: Judgement
    severity: Severity | None
    verdict: str


def lifecycle_of(*, held: Held | None, has_reference: bool, events: int, is_live: bool) -> Lifecycle:
    """Return where a model is in its life. What a person chose comes first.

    `events` is the number that was counted, `is_live` says whether some of them came soon after they happened.

    >>> lifecycle_of(held=None, has_reference=True, events=5_000, is_live=False).value
    'back-filling'
    """
    if held is not None:
        return held.lifecycle
    if not has_reference or not events:
        return Lifecycle.NEW
    return Lifecycle.LIVE if is_live else Lifecycle.BACK_FILLING


def condition(
    *,
    lifecycle: Lifecycle,
    judged: Judged | None,
    troubles: Sequence[Trouble] = (),
    silenced: int = 0,
    held: Held | None = None,
    failure: Failure | None = None,
    has_reference: bool = True,
    rejected: int = 0,
    outside: int = 0,
    unread: Sequence[Unread] = (),
) -> Condition:
    """Return the state of a model, with its verdict and severity.

    `judged` is None before it was evaluated. `troubles` are those that are heard, the gravest first; `silenced` counts
    those that are not. `held` says who has paused or retired it, `failure` why evaluating it fails. Rows that were
    `rejected`, or are `outside` as they have no usable time, are none that the verdict is about, and it says so; so it
    does of sources that are `unread`.

    A model that is paused or retired has no severity. One that cannot be evaluated keeps the severity of what was found
    before it could not, and the verdict says both.

    >>> calm = condition(lifecycle=Lifecycle.LIVE, judged=Judged(rows=900, chunks=3, noun="week", how="by its labels"))
    >>> calm.judgement.value, calm.severity
    ('well', None)
    >>> calm.verdict
    'The model is all right by its labels (900 rows in 3 weeks): nothing is beyond its limits.'
    """
    if held is not None:
        said = f"{held} Nothing is raised."
        return Condition(lifecycle=lifecycle, judgement=Judgement.NOT_KNOWN, severity=None, verdict=said)
    judgement, severity, verdict = _judged(lifecycle, judged, troubles, silenced, has_reference)
    verdict += _apart_from(rejected, f"that {'was' if rejected == 1 else 'were'} rejected")
    verdict += _apart_from(outside, "without a usable time") + "".join(f" {source}" for source in unread)
    if failure is not None:
        before = f" Before that: {verdict}" if severity and severity > Severity.NOTICE else ""
        judgement, verdict = Judgement.CANNOT_BE_EVALUATED, f"{failure}{before}"
    return Condition(lifecycle=lifecycle, judgement=judgement, severity=severity, verdict=verdict)


def trouble_of(incident: Incident, *, is_shown: bool) -> Trouble:
    """Return what of an incident the state of its model follows from; `is_shown` as in `Trouble`."""
    root, loud = incident.root.last_breach, heard(incident.root, incident.alerts) or incident.alerts
    gravest = [alert for alert in loud if alert.severity is incident.severity]
    return Trouble(
        severity=incident.severity,
        title=incident.title,
        family=root.family,
        metric=root.metric,
        column=root.column,
        segment=root.segment,
        unusable=unusable_share(incident),
        is_over=all(alert.state is State.RESOLVED for alert in gravest),
        is_shown=is_shown,
        by_itself=incident.root.severity is incident.severity,
    )


def unusable_share(incident: Incident) -> float | None:
    """Return which share of the predictions could not be used at worst; None where that is not what it is about.

    It is about them where nothing graver was found with them.
    """
    gravest = [a for a in incident.alerts if a.severity is max(b.severity for b in incident.alerts)]
    shares = [
        a.worst.value or 0.0 for a in gravest if what_breaks(a.worst.metric, a.worst.family) is Broken.PREDICTIONS
    ]
    return max(shares, default=None)


def _judged(
    lifecycle: Lifecycle, judged: Judged | None, troubles: Sequence[Trouble], silenced: int, has_reference: bool
) -> tuple[Judgement, Severity | None, str]:
    """Return judgement, severity and verdict of a model that nobody holds, as of its last evaluation."""
    if judged is not None and not judged.rows and lifecycle is not Lifecycle.NEW:
        said = "No predictions came: the production data has no rows."
        return Judgement.IN_TROUBLE, Severity.CRITICAL, said
    severity = max((trouble.severity for trouble in troubles), default=None)
    worst = [trouble for trouble in troubles if trouble.severity is Severity.CRITICAL]
    broken = [trouble for trouble in troubles if trouble.severity is Severity.WARNING]
    if worst:
        is_over = all(trouble.is_over for trouble in worst)  # drift that came with it may last
        more = len(worst) + len(broken) - 1
        also = f" (and {more} more {'incident' if more == 1 else 'incidents'})" if more else ""
        is_shown = all(trouble.is_shown for trouble in worst)
        verdict = f"{_in_trouble(worst[0], is_over, is_shown, judged)}: {worst[0].title}{also}{_besides(silenced)}."
        return Judgement.ATTENTION if is_over else Judgement.IN_TROUBLE, severity, verdict
    if lifecycle is Lifecycle.NEW:
        missing = "no event has come" if has_reference else "it has no reference to be compared with"
        return Judgement.NOT_KNOWN, severity, f"Nothing is known of the model yet: {missing}."
    if judged is None:
        judged = Judged(rows=0, chunks=0, doubt="it has not been evaluated yet")
    if broken:
        first = broken[0]
        if first.family == "drift":  # what it would cost says more than what moved
            first = next((trouble for trouble in broken if foretells(trouble.metric, trouble.family)), first)
        return Judgement.ATTENTION, severity, f"{_broken(first, judged)}{_besides(silenced)}."
    judgement = Judgement.WELL if judged.is_enough else Judgement.NOT_KNOWN
    if judged.lost:
        severity = max(severity or Severity.WARNING, Severity.WARNING)
    return judgement, severity, _calm(troubles, judged, silenced)


def _apart_from(rows: int, which: str) -> str:
    return f" Apart from {count(rows, 'row')} {which}." if rows else ""


def _in_trouble(worst: Trouble, is_over: bool, is_shown: bool, judged: Judged | None) -> str:
    if what_breaks(worst.metric, worst.family) is Broken.NO_ROWS and worst.segment is None:
        rest = judged.how if judged and judged.is_enough else ""
        rest = f"; apart from that, the model is all right {rest}" if rest else ""
        return f"Rows come again after an outage{rest}" if is_over else "Rows are missing"  # some may come by now
    if worst.family == "operations":
        return "The model is silent"
    # Of columns, only the model's outputs are critical by themselves.
    if worst.family == "quality" and ((worst.column is not None and worst.by_itself) or worst.unusable is not None):
        few = worst.unusable is not None and worst.unusable < NEARLY_ALL
        return f"{worst.unusable:.0%} of the predictions cannot be used" if few else "No usable predictions come"
    if is_over and worst.family == "estimation":
        return f"The model was in trouble, and {AS_ESTIMATED}"
    return f"The model was in trouble, and {AGAIN if is_shown else NOT_SHOWN}" if is_over else "The model is in trouble"


def _broken(trouble: Trouble, judged: Judged) -> str:
    if trouble.family == "operations":
        rest = f"no loss of performance is seen {judged.how}" if judged.is_enough else ""
        rest = rest or f"whether performance suffers cannot be told, as {judged.doubt}"
        return f"{capital(trouble.title)}; apart from that, {rest}"
    if foretells(trouble.metric, trouble.family):
        worse = "was worse for a while" if trouble.is_over else "has become worse"
        unknown = "is not known until labels come, as the kind of shift is uncertain"
        return f"Whether the model {worse} {unknown}: {trouble.title}"
    if trouble.family in ("performance", "estimation", "concept") and not trouble.segment:
        if trouble.is_over:
            again = AGAIN if trouble.is_shown else NOT_SHOWN
            again = AS_ESTIMATED if trouble.family == "estimation" else again
            return f"The model was worse for a while, and {again}: {trouble.title}"
        return f"The model has become worse, by how much is not certain yet: {trouble.title}"
    if trouble.family in ("performance", "estimation"):
        return f"The model as a whole is within its limits, but a part of it is not: {trouble.title}"
    if judged.is_enough:
        return f"No loss of performance is seen {judged.how}, but something is broken: {trouble.title}"
    return f"Something is broken, and whether performance suffers cannot be told, as {judged.doubt}: {trouble.title}"


def _calm(noticed: Sequence[Trouble], judged: Judged, silenced: int) -> str:
    """Return the verdict where nothing is wrong. That nothing was found is said only of what was judged and heard."""
    more = f" (and {count(len(noticed) - 1, 'more notice')})" if len(noticed) > 1 else ""
    moved = f"noticed: {noticed[0].title}{more}" if noticed else ""
    size = count(judged.rows, "row")
    if judged.chunks > 1 or judged.noun != PART:
        size += f" in {count(judged.chunks, judged.noun)}"
    apart = f"Apart from {count(silenced, 'silenced incident')}, " if silenced else ""
    if judged.is_enough:
        rest = f"; {moved}" if moved else f": nothing {'else ' if silenced else ''}is beyond its limits"
        rest += f"; {judged.blind}" if judged.blind else ""
        verdict = f"the model is all right {judged.how} ({size}){rest}."
    else:
        nothing = f"nothing {'else ' if silenced else ''}that was checked is beyond its limits ({size})"
        if not judged.rows:
            nothing = "nothing was checked"
        verdict = f"whether the model is all right cannot be told, as {judged.doubt}; {moved or nothing}."
    return apart + verdict if apart else verdict[:1].upper() + verdict[1:]


def _besides(silenced: int) -> str:
    return f" ({count(silenced, 'incident')} {'is' if silenced == 1 else 'are'} silenced)" if silenced else ""


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _ended(reason: str) -> str:
    return reason.strip().rstrip(".") + "."
