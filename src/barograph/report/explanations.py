"""Why, in sentences: what the worst loss is made of, which drift should cost most, whether estimates can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

from barograph.causes.explain import Trust, causes_in_words
from barograph.checks.loss import Loss
from barograph.chunks import noun_of
from barograph.labels.trust import TrustState
from barograph.metrics.facts import harm_metrics, title_of
from barograph.report.report import Report
from barograph.text.format import count, listed, percent

SAID_OF_COVERAGE = 5  # chunks with labels, before anything is said of how often intervals held


def why(report: Report) -> tuple[str, ...]:
    """Return what is known of causes, a sentence each; nothing without labels."""
    return tuple(_sentences(report))


def _sentences(report: Report) -> Iterator[str]:
    if report.loss is not None:
        yield _loss(report.loss)
        if report.loss.harms:
            harms = listed([f"`{name}` ({value:.2g})" for name, value in report.loss.harms])
            yield f"What the drift of single features should cost there, each as if it were the only cause: {harms}."
    if report.trust is not None and report.trust.labels:
        yield _trust(report.trust)
    for name in harm_metrics(report.reference.schema.task):
        audit = report.audits.get(name)
        if audit is not None and len(audit.held) >= SAID_OF_COVERAGE and audit.coverage is not None:
            wider = f"; they are now {audit.factor:.1f} times as wide" if audit.factor > 1.05 else ""
            yield (
                f"The 95 % intervals of the estimated {title_of(name)} held in {percent(audit.coverage)} of the "
                f"last {count(len(audit.held), noun_of(report.profiles.chunks))} with labels{wider}."
            )
            break


def _loss(loss: Loss) -> str:
    name, parts = title_of(loss.metric), loss.parts
    change = parts.change.value
    way = "higher" if change > 0 else "lower"
    said = f"In {loss.chunk}, where {name} is worst, it is {abs(change):.3g} {way} than in the reference"
    return f"{said}: {causes_in_words(parts)}."


def _trust(trust: Trust) -> str:
    match trust.state:
        case TrustState.CONTRADICTED:
            return (
                f"The labels contradict what the reference expects of these rows (after {trust.contradicted_after:,} "
                "labels): the concept has changed, and estimates without labels cannot be trusted."
            )
        case TrustState.CONFIRMED:
            return f"The {trust.labels:,} labels that have arrived confirm the estimates."
    return f"The {trust.labels:,} labels that have arrived are too few to confirm the estimates or to contradict them."
