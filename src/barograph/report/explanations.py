"""Why, in sentences: what the worst loss is made of, whether estimates can be trusted, how small a loss shows."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from statistics import fmean, variance

from barograph.alerts.inhibition import PERFORMANCE
from barograph.alerts.told import told
from barograph.alerts.wording import in_chunk
from barograph.causes.explain import Trust, causes_in_words
from barograph.checks.loss import Loss
from barograph.checks.power import power_in_words
from barograph.checks.verdict import unlabelled
from barograph.chunks import noun_of
from barograph.labels.trust import TrustState
from barograph.metrics.facts import harm_metrics, heading_of, title_of, value_of, worse_by
from barograph.report.report import Report
from barograph.tasks import Task
from barograph.text.format import count, listed

FEWEST_IN_THIRD = 3  # chunks of a loss, to say how it goes on
CERTAIN = 3.0  # standard errors
SAID_OF_COVERAGE = 5  # chunks with labels, before anything is said of how often intervals held


def why(report: Report) -> tuple[str, ...]:
    """Return what is known of causes, a sentence each; nothing without labels."""
    return tuple(_sentences(report))


def why_heading(report: Report) -> str:
    """Return what `why` is about: a loss that people are told of, or how well the numbers are known."""
    return "Why" if report.loss is not None and _is_told(report.loss, report) else "What the numbers rest on"


def _sentences(report: Report) -> Iterator[str]:
    if (loss := report.loss) is not None and _is_told(loss, report):
        yield _loss(loss, report)
        if loss.harms:
            harms = listed([f"`{name}` ({value:.2g})" for name, value in loss.harms])
            yield f"What the drift of single features should cost there, each as if it were the only cause: {harms}."
    if since := unlabelled_since(report):
        yield (
            f"No labels came for rows since {since}. What is said of them is estimated, and no estimate sees a change "
            "of the rule behind the labels: find out why no labels arrive."
        )
    if report.trust is not None and report.trust.labels:
        yield _trust(report.trust, report.loss)
    yield from _intervals(report)
    if report.trust is not None and report.trust.labels and (power := power_in_words(report.watches, _task(report))):
        yield power


def _intervals(report: Report) -> Iterator[str]:
    """Yield how often the intervals of estimates held; nothing of estimates that are not to be trusted anyway."""
    if report.trust is not None and report.trust.state is TrustState.CONTRADICTED:
        return
    for name in harm_metrics(_task(report)):
        audit = report.audits.get(name)
        if audit is None or len(audit.held) < SAID_OF_COVERAGE:
            continue
        chunks = f"last {count(len(audit.held), noun_of(report.profiles.chunks))} with labels"
        said = f"The 95 % intervals of the estimated {title_of(name)} held in {sum(audit.held)} of the {chunks}"
        missed = len(audit.held) - sum(audit.held)
        if missed and audit.factor > 1.05:
            said += (
                "; each miss widens the next ones for a while: now they are "
                f"{audit.factor:.1f} times as wide as the rows alone would make them"
            )
        yield f"{said}."
        return


def _task(report: Report) -> Task:
    return report.reference.schema.task


def unlabelled_since(report: Report) -> str:
    """Return from which chunk on labels have stopped, "" where they have not."""
    profiles = list(report.profiles.select())
    stopped = unlabelled([bool(p.label_coverage) for p in profiles], [p.n > 0 for p in profiles])
    return profiles[len(profiles) - stopped].chunk.key if stopped else ""


def _is_told(loss: Loss, report: Report) -> bool:
    """Return whether people are told of a loss in that chunk: the worst of many is else worse by chance."""
    position = next(i for i, chunk in enumerate(report.profiles.chunks) if chunk.key == loss.chunk)
    return worse_by(loss.parts.change.value, 0.0, loss.metric, "performance") > 0 and any(
        incident.first_position <= position <= incident.last_position
        for incident in told(report.incidents).loud
        if any(alert.last_breach.family in PERFORMANCE for alert in incident.alerts)
    )


def _course(report: Report, metric: str) -> str:
    """Return that a loss grows, where the last third of its judged chunks is worse than the first beyond chance."""
    for incident in told(report.incidents).loud:
        chunks = report.profiles.chunks[incident.first_position : incident.last_position + 1]
        keys = {chunk.key for chunk in chunks}
        rows = [r for r in report.rows if r.monitor == f"performance.{metric}" and r.chunk in keys and r.is_judged]
        values = [r.value for r in rows if r.value is not None]
        third = len(values) // 3
        if third >= FEWEST_IN_THIRD:
            first, last = values[:third], values[-third:]
            before, now = fmean(first), fmean(last)
            error = sqrt((variance(first) + variance(last)) / third)
            if worse_by(now, before, metric, "performance") > CERTAIN * error:
                shown = [value_of(value, metric, "performance") for value in (before, now)]
                said = f" The loss grows: {title_of(metric)} is {shown[0]} in the first third of the incident"
                return f"{said}, {shown[1]} in the last."
    return ""


def _loss(loss: Loss, report: Report) -> str:
    name, parts = heading_of(loss.metric), loss.parts
    change = parts.change.value
    way = "higher" if change > 0 else "lower"
    when = next(in_chunk(chunk) for chunk in report.profiles.chunks if chunk.key == loss.chunk)
    said = f"{name} is worst {when}, {abs(change):.3g} {way} than in the reference"
    return f"{said}: {causes_in_words(parts)}.{_course(report, loss.metric)}"


def _trust(trust: Trust, loss: Loss | None) -> str:
    match trust.state:
        case TrustState.CONTRADICTED:
            alike = loss is None or loss.parts.is_comparable
            rule = "the same inputs have other outcomes than before, and " if alike else ""
            return (
                f"The labels contradict what the reference expects of these rows (after {trust.contradicted_after:,} "
                f"labels): {rule}estimates without labels cannot be trusted."
            )
        case TrustState.CONFIRMED:
            return f"The {trust.labels:,} labels that have arrived confirm the estimates."
    return f"The {trust.labels:,} labels that have arrived are too few to confirm the estimates or to contradict them."
