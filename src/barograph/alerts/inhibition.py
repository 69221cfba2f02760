"""Inhibition: alerts that another alert explains. A dead feed or a broken column is told once, not a hundred times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any  # JSON values

from barograph.alerts.alert import Alert, Labels
from barograph.alerts.severity import Severity
from barograph.metrics.broken import Broken
from barograph.metrics.facts import what_breaks

BROKEN = 0.2  # of the values are bad, beyond those that are in the reference: the column explains other troubles
SLACK = 1  # chunks that a cause may be seen later than its consequence
LATE = 7  # chunks that a change may have lasted before it is seen, where its onset is not estimated
ENOUGH = 0.5  # of a loss: who explains less of it is not its cause
PERFORMANCE = ("performance", "estimation", "concept")
CONSEQUENCES = ("drift", *PERFORMANCE)  # families that the state of the whole input can bring about


OTHER_VALUES = (Broken.OUT_OF_RANGE, Broken.UNSEEN)  # they may be no more than other traffic
BREAKS_THE_MODEL = (Broken.MISSING, Broken.TYPE_ERRORS, Broken.PREDICTIONS, *OTHER_VALUES)


@dataclass(frozen=True, slots=True)
class Inhibition:
    """The alert with the id `by` explains this one, for a named reason."""

    reason: Broken
    by: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"reason": self.reason.value, "by": self.by}


def root_reason(alert: Alert) -> Broken | None:
    """Return what makes an alert a cause of others, None if it is none.

    No rows at all; or a column that is broken by itself: constant, or at least a warning, or with `BROKEN` of its
    values bad. A few more missing values than usual explain nothing.
    """
    breach = alert.last_breach
    if breach.family not in ("quality", "operations"):
        return None
    reason = what_breaks(breach.metric, breach.family)
    if reason is None or reason.is_of_rows is not (breach.column is None):
        return None
    if reason.is_of_rows or reason is Broken.CONSTANT or alert.severity is not Severity.NOTICE:
        return reason
    worst = alert.worst
    return reason if (worst.value or 0.0) - (worst.reference_value or 0.0) >= BROKEN else None


def explained(alerts: Sequence[Alert], *, outputs: Collection[str] = ()) -> dict[int, int]:
    """Return which alerts are explained by which, as positions in `alerts`: consequence to cause.

    A cause began before its consequence, or at most `SLACK` chunks later, and had not ended when that began; among
    several the latest to begin counts, one of all rows before one of a segment, a dead feed before a broken column. It
    explains alerts of its own segment, and of all segments if it concerns all rows:

    - no rows: everything but another dead feed, as far as it was seen in these very chunks;
    - a broken column: all else about the same column; and what comes of the whole input: drift of the cells and of the
      columns in `outputs` (the model's own, such as its score), performance, estimated or realised, and concept. For
      that it must have begun when they did (`began_with`), and not be known to explain less than half of the loss; what
      it has explained once it explains when it comes again. A constant column explains no others, and other ranges and
      categories only where it shows that they bear the loss, or are of another unit.

    Predictions that cannot be used are explained by a broken column among the `outputs`; where none is broken by
    itself, they explain what else is seen in these columns, and what comes of the whole input. A broken column is
    explained by a dead feed alone, but for one of the `outputs` that says the same of all rows, as a model does that is
    given broken input; a dead feed is explained by nothing. `alerts` are of one model.
    """
    reasons = [root_reason(alert) for alert in alerts]
    by_begin = sorted(range(len(alerts)), key=lambda i: (alerts[i].first.position, alerts[i].key))
    roots = [i for i in by_begin if reasons[i]]
    open_now = _Open(alerts)
    causes: dict[int, int] = {}
    before: dict[Labels, int] = {}
    added = 0
    for i in by_begin:
        while added < len(roots) and alerts[roots[added]].first.position <= alerts[i].first.position + SLACK:
            open_now.add(roots[added], reasons[roots[added]])
            added += 1
        if reasons[i] is Broken.NO_ROWS:
            continue
        breach = alerts[i].last_breach
        cause = open_now.latest("rows", alerts[i])
        if cause is None and reasons[i] is Broken.PREDICTIONS:
            found = [c for column in outputs if (c := open_now.latest(("column", column), alerts[i])) is not None]
            cause = max(found, key=lambda c: alerts[c].first.position, default=None)
        said = reasons[i] is Broken.CONSTANT and breach.column in outputs and alerts[i].severity is Severity.NOTICE
        if cause is None and (reasons[i] is None or said):
            cause = None if said else open_now.latest(("column", breach.column), alerts[i])
            if cause is None and breach.column in outputs:
                cause = open_now.latest(("column", None), alerts[i])
            whole = breach.column is None or breach.column in outputs
            if cause is None and whole and (said or breach.family in CONSEQUENCES):
                cause = open_now.latest("columns", alerts[i])
                known = before.get(alerts[i].labels)
                if cause is None and known is not None and _is_open(alerts[known], alerts[i]):
                    cause = known
                if cause is not None:
                    before[alerts[i].labels] = cause
        if cause is not None:
            causes[i] = cause
    return causes


def onset_of(alert: Alert) -> tuple[int, int]:
    """Return the positions from the first to the last chunk in which what an alert tells of may have begun."""
    return alert.onset or (alert.first.position - LATE, alert.first.position)


def began_with(cause: Alert, alert: Alert) -> bool:
    """Return whether one alert may have begun when another one did, give or take `SLACK` chunks.

    A cause that is known to explain most of the loss may have been seen later than that began.
    """
    earliest, latest = onset_of(alert)
    last = alert.first.position if (cause.blame or 0.0) >= ENOUGH else latest
    return earliest - SLACK <= cause.first.position <= last + SLACK


def _may_cost(cause: Alert, reason: Broken | None) -> bool:
    """Return whether a broken column can have cost performance: other values only if that shows, or in another unit."""
    if cause.blame is None:
        return reason not in OTHER_VALUES or cause.factor is not None
    return cause.blame >= ENOUGH


def _is_open(cause: Alert, alert: Alert) -> bool:
    """Return whether a cause has not ended when another alert begins."""
    return cause.last.position + SLACK >= alert.first.position


def _explains(scope: Hashable, cause: Alert, alert: Alert) -> bool:
    if not _is_open(cause, alert):
        return False
    if scope == "rows":
        return alert.last.position <= cause.last.position
    return scope != "columns" or began_with(cause, alert)


class _Open:
    """The causes that have begun, the latest last. Consequences are asked for in the order of their beginnings."""

    def __init__(self, alerts: Sequence[Alert]) -> None:
        self.alerts = alerts
        self.stacks: defaultdict[tuple[Hashable, str | None], list[int]] = defaultdict(list)

    def add(self, i: int, reason: Broken | None) -> None:
        breach = self.alerts[i].last_breach
        if reason is Broken.NO_ROWS:
            self.stacks["rows", breach.segment].append(i)
        else:
            self.stacks[("column", breach.column), breach.segment].append(i)
            if reason in BREAKS_THE_MODEL and _may_cost(self.alerts[i], reason):
                self.stacks["columns", breach.segment].append(i)

    def latest(self, scope: Hashable, alert: Alert) -> int | None:
        """Return the latest cause that explains `alert`, one of all rows before one of its segment."""
        for segment in dict.fromkeys((None, alert.last_breach.segment)):
            stack = self.stacks.get((scope, segment), [])
            while stack and not _is_open(self.alerts[stack[-1]], alert):
                stack.pop()  # later beginnings cannot need it either
            found = next((i for i in reversed(stack) if _explains(scope, self.alerts[i], alert)), None)
            if found is not None:
                return found
        return None
