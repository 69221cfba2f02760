"""What an incident says: its title, and what to do first.

The first chunk of an incident is its onset, `since` in its fields: a title that says "since" or "from … to" names no
other. Where what it is told by came later, the title says what came first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

from barograph.alerts.alert import Alert, Moment, State
from barograph.alerts.breach import Breach
from barograph.alerts.grouping import is_harmless_drift
from barograph.alerts.inhibition import ENOUGH, OTHER_VALUES, PERFORMANCE, root_reason
from barograph.alerts.levels import NO_LEVELS, Levels, average, between, missing_rows
from barograph.alerts.severity import Severity
from barograph.alerts.wording import heading, in_chunk, shown, subject_of
from barograph.chunks import Chunk, noun_of
from barograph.metrics.broken import Broken
from barograph.metrics.facts import foretells, heading_of, worse_by
from barograph.text.format import count, listed, number

MOST_NAMES = 3  # in a title
_WHAT = {
    Broken.MISSING: ("is missing", "are missing"),
    Broken.TYPE_ERRORS: ("has another type", "have another type"),
    Broken.CONSTANT: ("has only one value", "have only one value"),
    Broken.OUT_OF_RANGE: ("is out of the reference's range", "are out of the reference's range"),
    Broken.UNSEEN: ("has categories that the reference has not", "have categories that the reference has not"),
    Broken.PREDICTIONS: ("cannot be used", "cannot be used"),
}


_ANOTHER_RULE = (
    "The same inputs have other outcomes than before: see whether the model, or what its labels mean, was changed. If "
    "not, the rule behind the labels has changed: train with recent data."
)


def title(
    root: Alert,
    others: Sequence[Alert],
    chunks: Sequence[Chunk],
    *,
    outputs: Collection[str] = (),
    beside: bool = False,
    levels: Levels = NO_LEVELS,
) -> str:
    """Return an incident in one sentence, without a full stop: what, from where to where, when, and what came of it.

    `outputs` are the columns that the model makes: no features. What is `beside` a graver incident is not said to be
    without harm. `levels` are what was measured: with them it is told what a metric was on average, else only at worst.
    """
    reason = root_reason(root)
    if reason is not None:
        told = _Told.of((root, *others), levels)
        alike = [a for a in others if root_reason(a) is not None and a.inhibited_by is None]
        rest = [a for a in others if root_reason(a) is None or a.inhibited_by is not None]
        onset = first_of((root, *others))
        if root.swapped_with is not None:
            return f"{_swapped((root,))} have changed places, {_since((root, *alike), onset)}" + _explains(
                root, rest, told
            )
        return _broken(root, reason, alike, onset, levels) + _explains(root, rest, told)
    if is_harmless_drift(root):
        return _moved((root, *others), outputs, beside=beside)
    return _worse(root, others, chunks, outputs, levels)


@dataclass(frozen=True, slots=True)
class _Told:
    """What was measured in the chunks of an incident, from its first in breach to its last."""

    levels: Levels
    first: int
    last: int

    @classmethod
    def of(cls, alerts: Sequence[Alert], levels: Levels) -> Self:
        return cls(levels, min(a.first.position for a in alerts), max(a.last.position for a in alerts))

    def average(self, breach: Breach) -> float | None:
        """Return the mean of a breach's metric; None where it is not known, or looks no worse than the reference."""
        found = between(self.levels, breach.monitor, self.first, self.last).values()
        mean = average((level.value, level.n) for level in found)
        if mean is None or breach.value is None or breach.reference_value is None or len(found) == 1:
            return None
        is_so = (mean - breach.reference_value) * (breach.value - breach.reference_value) > 0
        return mean if is_so and shown(mean, breach) != shown(breach.reference_value, breach) else None

    def farthest(self, breach: Breach, *, better: bool) -> tuple[int, float]:
        """Return the position and value of the worst (or best) chunk, whether or not it alone raised the alarm."""
        assert breach.value is not None
        found = {i: level.value for i, level in between(self.levels, breach.monitor, self.first, self.last).items()}
        found[breach.position] = breach.value
        if breach.metric == "concept_residual":
            sign = 1 if breach.value > 0 else -1
            return max(found.items(), key=lambda one: one[1] * sign)
        sign = -1 if better else 1
        return max(
            found.items(), key=lambda one: worse_by(one[1], breach.value or 0.0, breach.metric, breach.family) * sign
        )


def first_of(alerts: Sequence[Alert]) -> Alert:
    """Return the alert that an incident begins with."""
    return min(alerts, key=lambda alert: (alert.first.position, alert.key))


def advice(root: Alert, others: Sequence[Alert], *, outputs: Collection[str] = (), beside: bool = False) -> str:
    """Return what to do first, in one or two sentences; `beside`: a graver incident was there at the time."""
    breach, reason = root.worst, root_reason(root)
    if reason is Broken.NO_ROWS:
        if root.calm:
            return "Find out why none came, and whether they can be sent later: nothing is known of that time."
        return "Look at what sends the events: nothing can be said of the model until they come again."
    if reason is Broken.PREDICTIONS:
        return "Look at what the model answers, and at what was deployed then: these rows have no decision."
    first = _places((root, *others)) or _units((root, *others))
    if first and not (reason is None and is_harmless_drift(root)):
        return f"{first} Until that is clear, do not rely on the predictions."
    if reason is not None:
        names = _names(_columns((root, *(a for a in others if root_reason(a)))))
        new = reason in OTHER_VALUES
        text = (
            f"See if {names} came in another unit or code" if new else f"Ask whoever delivers {names} what changed then"
        )
        text += ": if not, the model has never seen such values and guesses." if new else "."
        critical = any(a.severity is Severity.CRITICAL for a in (root, *others))
        return f"{text} Until that is clear, do not rely on the predictions." if critical else text
    if is_harmless_drift(root):
        if first:
            return first
        if beside:
            return "Find out first if it has to do with the graver incident of that time."
        return "Nothing needs to be done now. If it lasts, take it into the reference at the next training."
    if breach.family in PERFORMANCE and not is_improvement(breach):
        if _labels_moved(others, outputs):
            return (
                "Some outcomes come more often than before, others less: ask why. If the labels are right, move the "
                "threshold or recalibrate the scores now, then train with recent data."
            )
        if _is_another_rule((root, *others)):
            return _ANOTHER_RULE
    return _suspects(others) + _of_the_model(breach)


def _labels_moved(alerts: Sequence[Alert], outputs: Collection[str]) -> bool:
    """Return whether the labels moved: columns that are neither features nor made by the model."""
    return any(
        is_harmless_drift(a) and not a.last_breach.is_feature and a.last_breach.column not in outputs for a in alerts
    )


def _is_another_rule(alerts: Sequence[Alert]) -> bool:
    """Return whether the same inputs have other outcomes: labels are not as expected, and no feature has moved."""
    moved = any(a.last_breach.family in ("drift", "quality") and a.last_breach.is_feature for a in alerts)
    return not moved and any(a.last_breach.family == "concept" and not is_improvement(a.worst) for a in alerts)


def _places(alerts: Sequence[Alert]) -> str:
    """Return which features to suspect of having changed places."""
    names = _swapped(alerts)
    said = f"Suspect that {names} have changed places, each is now as the other was: see how they are filled."
    return said if names else ""


def _swapped(alerts: Sequence[Alert]) -> str:
    for alert in alerts:
        if (other := alert.swapped_with) is not None:
            return _names([f"`{name}`" for name in sorted((other, alert.last_breach.column or ""))])
    return ""


def _units(alerts: Sequence[Alert]) -> str:
    """Return which feature to suspect of another unit: its numbers are all a certain number of times as large."""
    for alert in alerts:
        if alert.factor is not None:
            size = f"× {number(alert.factor)}" if alert.factor > 1 else f"÷ {number(1 / alert.factor)}"
            return f"Suspect {alert.last_breach.column}, {size} since then: check its unit first."
    return ""


def _suspects(others: Sequence[Alert]) -> str:
    """Return what to look at before all else: features that moved when the loss began."""
    columns = _columns([a for a in others if is_harmless_drift(a) and a.last_breach.is_feature])
    return f"First see where {_names(columns)} came from: that moved at the same time. " if columns else ""


def _of_the_model(breach: Breach) -> str:
    if is_improvement(breach):
        return "This is for the better: find out what it comes from, and learn a new reference if it lasts."
    match breach.family:
        case "performance":
            where = f"the rows of {breach.segment}" if breach.segment else "the segments that lost most"
            return f"Look at {where}, and at what changed when it began. If the labels are right, retrain or roll back."
        case "estimation":
            return "This is an estimate: get labels for some of these rows, and look at what changed when it began."
        case "concept":
            return _ANOTHER_RULE
        case "drift" if foretells(breach.metric, breach.family):
            return (
                "Labels of some of these rows would say which kind of shift this is: if the inputs alone have moved, "
                "what is estimated holds instead."
            )
        case "drift":
            return f"Look at where {breach.column or 'the rows'} came from: the change is likely to cost performance."
        case "quality":
            return f"Ask how {breach.column or 'the feed'} is made, and whether the change was meant."
    return "Look at what was changed or deployed when it began."


def _broken(root: Alert, reason: Broken, alike: Sequence[Alert], onset: Alert, levels: Levels) -> str:
    breach = root.worst
    columns = _columns((root, *alike))
    when = _since((root, *alike), onset)
    where = f" ({breach.segment})" if breach.segment else ""
    if reason is Broken.NO_ROWS:
        some = breach.value
        came = f"Only {count(round(some), 'row')}" if some else "No rows"
        if root.calm:  # they come again, though the alert has yet to end
            when = _until(root.first, root.last) + _after((root,), onset)
        return f"{came} came{where} {when}{_missing(root, levels)}"
    if len(columns) > 1:
        same = all(root_reason(a) is reason for a in alike)
        what = _WHAT[reason][1] if same else "broke at once"
        return f"{count(len(columns), 'column')} {what}: {_names(columns)}{where}, {when}"
    text = f"{breach.column or 'what the model says'} {_WHAT[reason][0]}{where}"
    if reason is not Broken.CONSTANT and breach.value is not None:
        latest = root.last_breach.value  # the worst chunk is told, where they differ
        most = "" if latest is None or shown(latest, breach) == shown(breach.value, breach) else "up to "
        text += f" in {most}{shown(breach.value, breach)} of the rows"
        if breach.reference_value is not None:
            text += f" (reference {shown(breach.reference_value, breach)})"
    return f"{text} {when}"


def _missing(root: Alert, levels: Levels) -> str:
    """Return how many rows are missing, in two digits: more are not known."""
    found = between(levels, root.last_breach.monitor, root.first.position, root.last.position)
    lost = missing_rows(found.values()) or 0.0
    return f", about {float(f'{lost:.2g}'):,.0f} fewer than usual" if lost >= 1 else ""


def _explains(root: Alert, others: Sequence[Alert], told: _Told) -> str:
    if not others:
        return ""
    first: dict[tuple[str, str], str] = {}  # the gravest says it, for its segments and the estimate too
    for alert in others:
        breach = alert.worst
        what = breach.metric if breach.family in PERFORMANCE else breach.family
        first.setdefault((what, breach.column or ""), short(breach, told.average(breach)))
    names = list(first.values())
    return f"; {'explains' if _is_certain(root) else 'together with'} {_names(names)}"


def _is_certain(root: Alert) -> bool:
    """Return whether a cause is known to be one: what bears the loss, and else what is broken by itself.

    Of a column of which only a part is bad it is not known, and other values may be no more than other traffic.
    """
    by_itself = root.severity is not Severity.NOTICE and root_reason(root) not in OTHER_VALUES
    return by_itself or (root.blame or 0.0) >= ENOUGH


def short(breach: Breach, average: float | None = None) -> str:
    """Return what a breach is in a few words: `the drift of age`, `ROC AUC 0.73 → 0.66`.

    With the `average` of the incident, it is told instead of the value in the breach.
    """
    if breach.family == "drift":
        return f"the drift of {breach.column or 'the rows'}" + (f" ({breach.segment})" if breach.segment else "")
    name = subject_of(breach)
    if breach.family in PERFORMANCE and breach.value is not None and breach.reference_value is not None:
        value = breach.value if average is None else average
        return f"{name} {shown(breach.reference_value, breach)} → {shown(value, breach)}"
    return name


def _moved(alerts: Sequence[Alert], outputs: Collection[str], *, beside: bool) -> str:
    columns = _columns(alerts)
    harm = "" if beside else ", without harm seen"
    features = [column for column in columns if column not in outputs]
    when = _since(alerts, first_of(alerts))
    if len(features) > 1:
        also = [column for column in columns if column in outputs]
        text = f"{count(len(features), 'feature')} moved{harm}: {_names(features)}, {when}"
        return text + (f"; so did {_names(also)}" if also else "")
    return f"{_names(columns) if columns else 'The mix of the rows'} moved{harm}, {when}"


def _worse(
    root: Alert, others: Sequence[Alert], chunks: Sequence[Chunk], outputs: Collection[str], levels: Levels
) -> str:
    breach, better = root.worst, is_improvement(root.worst)
    if breach.value is None:
        return f"{breach.text.rstrip('.')}, {_since((root,), first_of((root, *others)))}"
    same = [root, *(a for a in others if a.labels == root.labels)]
    begin = first_of((root, *others)).first.position
    firing = any(a.state is State.FIRING for a in same)
    end = len(chunks) - 1 if firing else max(a.last.position for a in same)
    told = _Told.of((root, *others), levels)
    if begin == end:
        text = _level(breach, _amount(breach.value, breach), better=better) + f" {in_chunk(chunks[breach.position])}"
    else:
        where, value = told.farthest(breach, better=better)
        worst, mean = _amount(value, breach), told.average(breach)
        at = f"{'best' if better else 'worst'} {in_chunk(chunks[where])}"
        if mean is None:
            text = _level(breach, worst, better=better)
            is_long = breach.metric == "concept_residual" or foretells(breach.metric, breach.family)
            text += f", {at}" if is_long else f" at {at}"
        else:
            usual = _amount(mean, breach)
            text = _level(breach, usual, better=better) + " on average"
            text += f", {worst} at {at}" if worst != usual else ""
        judged = len(between(levels, root.last_breach.monitor, begin, end))
        span = f"since {chunks[begin].key}" if firing else f"from {chunks[begin].key} to {chunks[end].key}"
        text += f"; {_in_alarm(sum(a.breaches for a in same), judged, end - begin + 1, noun_of(chunks))} {span}"
        text += _seen_first(first_of((root, *others)), same)
    found = {a.last_breach.segment for a in others if a.last_breach.family in PERFORMANCE} - {breach.segment}
    segments = sorted(segment for segment in found if segment is not None)
    text += f"; also in {_names(segments)}" if segments else ""
    return text + _with_it(root, others, outputs)


def _seen_first(onset: Alert, same: Sequence[Alert]) -> str:
    """Return in what part of the rows a loss began, where all rows followed; `same` are the alerts that tell it."""
    own = min((a.first for a in same), key=lambda moment: moment.position)
    where = onset.last_breach.segment
    if where is None or own.position <= onset.first.position or same[0].last_breach.segment is not None:
        return ""
    return f", first in {where}, in all rows {in_chunk(own.chunk)}"


def _with_it(root: Alert, others: Sequence[Alert], outputs: Collection[str]) -> str:
    """Return what came with a loss: columns that changed places or moved, labels first, or other outcomes alone."""
    if swapped := _swapped((root, *others)):
        return f"; {swapped} have changed places"
    drifted = [a for a in others if is_harmless_drift(a)]
    drifted.sort(key=lambda a: a.last_breach.is_feature or a.last_breach.column in outputs)
    if moved := _columns(drifted):
        return f"; {_names(moved)} moved at the same time"
    same = root.last_breach.family == "performance" and not is_improvement(root.worst) and _is_another_rule(others)
    return "; the inputs are as before, what comes true is not" if same else ""


def is_improvement(breach: Breach) -> bool:
    """Return whether a breach of performance is for the better."""
    if breach.value is None or breach.family not in PERFORMANCE:
        return False
    if breach.metric == "concept_residual":
        return breach.value < 0 if (breach.limit or 0.0) > 0 else breach.value > 0
    sides = [side for side in (breach.reference_value, breach.limit) if side is not None]
    return bool(sides) and all(worse_by(breach.value, side, breach.metric, breach.family) < 0 for side in sides)


def _amount(value: float, breach: Breach) -> str:
    return f"{abs(value):.3g}" if breach.metric == "concept_residual" else shown(value, breach)


def _level(breach: Breach, value: str, *, better: bool) -> str:
    """Return what a metric came to, from where."""
    assert breach.value is not None
    name, was = heading(breach), breach.reference_value
    if breach.metric == "concept_residual":
        name = "the mean error" if (breach.limit or 0.0) > 0 else "accuracy"  # which side is limited tells
        way = "less" if breach.value < 0 else "more"
        text = "The model has become better" if better else "The rule behind the labels has changed"
        return f"{text}: {name} is {value} {way} than the reference expects of these rows"
    if foretold := foretells(breach.metric, breach.family):
        instead = "" if was is None else f" instead of {shown(was, breach)}"
        kept = None if breach.otherwise is None else shown(breach.otherwise, breach)
        text = f"{heading_of(foretold)} would be {value}{instead} if the share of positives has moved"
        return text + (f", and {kept} if only the inputs have" if kept else "")
    if was is None or shown(was, breach) == value:
        return f"{name} was {value}"
    verb = "improved" if better else "fell" if breach.value < was else "rose"
    return f"{name} {verb} from {shown(was, breach)} to {value}"


def _in_alarm(breaches: int, judged: int, n: int, noun: str) -> str:
    """Return in how many of `n` chunks it was in alarm, of those that were `judged`; 0 where these are not known.

    >>> _in_alarm(8, 0, 8, "day"), _in_alarm(21, 21, 25, "day"), _in_alarm(7, 0, 8, "week")
    ('in alarm on all 8 days', 'in alarm on all 21 judged days', 'in alarm in 7 weeks')
    >>> _in_alarm(11, 21, 25, "day"), _in_alarm(11, 25, 25, "day")
    ('in alarm on 11 of 21 judged days', 'in alarm on 11 of 25 days')
    """
    on = "on" if noun == "day" else "in"
    if breaches >= n:
        return f"in alarm {on} all {count(n, noun)}"
    if judged < breaches:
        return f"in alarm {on} {count(breaches, noun)}"
    some = "all" if breaches == judged else f"{breaches:,} of"
    return f"in alarm {on} {some} {count(judged, noun if judged == n else f'judged {noun}')}"


def _since(alerts: Sequence[Alert], onset: Alert) -> str:
    """Return when `alerts` were, of an incident that begins with `onset`."""
    first = min((a.first for a in alerts), key=lambda moment: moment.position)
    if first.chunk.key == "all":
        return in_chunk(first.chunk)
    last = max((a.last for a in alerts), key=lambda moment: moment.position)
    if not any(a.state is State.FIRING for a in alerts):
        return _until(first, last) + _after(alerts, onset)
    if first.position == onset.first.position:
        return f"since {first.chunk.key}"
    return f"from {first.chunk.key} on{_after(alerts, onset)}"


def _after(alerts: Sequence[Alert], onset: Alert) -> str:
    """Return what the incident began with, where that was not one of `alerts`."""
    if min(a.first.position for a in alerts) == onset.first.position:
        return ""
    return f", after {short(onset.worst)} since {onset.first.chunk.key}"


def _until(first: Moment, last: Moment) -> str:
    same = first.position == last.position
    return in_chunk(first.chunk) if same else f"from {first.chunk.key} to {last.chunk.key}"


def _columns(alerts: Sequence[Alert]) -> list[str]:
    return list(dict.fromkeys(a.last_breach.column for a in alerts if a.last_breach.column is not None))


def _names(names: Sequence[str]) -> str:
    return listed(names, most=MOST_NAMES, last=" and ")
