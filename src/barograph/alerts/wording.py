"""The words of alerts and incidents: what was measured of what, its values, and when."""

from __future__ import annotations

from datetime import timedelta

from barograph.alerts.breach import Breach
from barograph.chunks import Chunk
from barograph.metrics.facts import capital, title_of, value_of


def subject(metric: str, family: str, *, column: str | None = None, segment: str | None = None) -> str:
    """Return what was measured, of what, where, as it stands within a sentence. An estimate has the metric's own name.

    >>> subject("missing_share", "quality", column="age", segment="origin=JFK"), subject("roc_auc", "estimation")
    ('missing share of age (origin=JFK)', 'estimated ROC AUC')
    """
    name = ("estimated " if family == "estimation" else "") + title_of(metric)
    return name + (f" of {column}" if column else "") + (f" ({segment})" if segment else "")


def subject_of(breach: Breach) -> str:
    """Return what a breach is about, as `subject` says it."""
    return subject(breach.metric, breach.family, column=breach.column, segment=breach.segment)


def heading(breach: Breach) -> str:
    """Return the same as the beginning of a sentence: `Missing share of age (origin=JFK)`, `Estimated ROC AUC`."""
    return capital(subject_of(breach))


def shown(value: float, breach: Breach) -> str:
    """Return a value in the unit of the breach's metric."""
    return value_of(value, breach.metric, breach.family)


def in_chunk(chunk: Chunk) -> str:
    """Return when a chunk was, as part of a sentence.

    >>> in_chunk(Chunk(key="2013-06-03")), in_chunk(Chunk(key="2013-06")), in_chunk(Chunk(key="rows 0-1999"))
    ('on 2013-06-03', 'in 2013-06', 'in rows 0-1999')
    >>> in_chunk(Chunk(key="all"))
    'throughout'
    """
    key = chunk.key
    if key == "all":  # the one chunk of data that is not cut
        return "throughout"
    if key[:2].isdigit() and "T" in key:
        return f"at {key}"
    if len(key) != 10 or key.count("-") != 2:
        return f"in {key}"
    week = chunk.start is not None and chunk.end is not None and chunk.end - chunk.start > timedelta(days=3)
    return f"in the week of {key}" if week else f"on {key}"
