"""Two windows of a model side by side: what it was worth in each, and which columns differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

from barograph.charts.distribution import distribution
from barograph.dashboard.distribution_view import Drawn, draw_distribution
from barograph.errors import MismatchError
from barograph.metrics.facts import heading_of, unit_of
from barograph.outcome import Estimate, Outcome
from barograph.sketches.histogram import Binned
from barograph.text.format import quantity

MOST_COLUMNS, MOST_DRAWN = 12, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One window: how it is called, its ends as days, its rows, and the share of them with a label."""

    name: str
    first: str
    last: str
    chunks: int
    rows: int
    coverage: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A metric in both windows; `before` and `after` are outcomes of all rows of a window together."""

    metric: str
    before: Outcome
    after: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPair:
    """How far a column is from itself in the other window, by the metric that speaks for it."""

    name: str
    metric: str
    distance: float
    before: Binned
    after: Binned


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """A metric in the table. `differs` says that chance alone would not make the two differ so much."""

    name: str
    before: str
    before_span: str
    after: str
    after_span: str
    difference: str
    differs: bool
    before_value: float | None
    after_value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRow:
    """A column in the table."""

    name: str
    metric: str
    distance: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage:
    """The page `/models/{model}/compare`. `versions` are pairs of windows to choose: a label, and where it leads."""

    title: str
    name: str
    sentence: str
    sides: Sequence[Side]
    rows: Sequence[PairRow]
    columns: Sequence[ColumnRow]
    drawn: Sequence[Drawn]
    versions: Sequence[tuple[str, str]]
    segment: str
    segment_names: Sequence[str]
    problem: str = ""


def pair_row(pair: Pair) -> PairRow:
    """Return a metric in the table.

    The interval of the difference takes the two windows as independent: its half width is the root of the sum of their
    squares.
    """
    unit = unit_of(pair.metric, "performance")
    a, b = pair.before, pair.after
    difference, differs = "", False
    if isinstance(a, Estimate) and isinstance(b, Estimate):
        change = b.value - a.value
        difference = f"{change:+.3g}"
        if None not in (a.lower, a.upper, b.lower, b.upper):
            low = hypot(b.value - (b.lower or 0.0), (a.upper or 0.0) - a.value)
            high = hypot((b.upper or 0.0) - b.value, a.value - (a.lower or 0.0))
            differs = not change - low <= 0.0 <= change + high
            difference += f" ({change - low:+.3g} to {change + high:+.3g})"
    return PairRow(
        name=heading_of(pair.metric),
        before=_value(a, unit),
        before_span=_span(a, unit),
        after=_value(b, unit),
        after_span=_span(b, unit),
        difference=difference,
        differs=differs,
        before_value=a.value if isinstance(a, Estimate) else None,
        after_value=b.value if isinstance(b, Estimate) else None,
    )


def compared_sentence(rows: Sequence[PairRow], columns: Sequence[ColumnPair]) -> str:
    """Return what differs, in a sentence: the first metric that has a value, and the column that is farthest."""
    first = next((row for row in rows if row.before_value is not None and row.after_value is not None), None)
    said = "No performance is known in both windows"
    if first is not None:
        verdict = "more than chance would make it" if first.differs else "no more than chance would make it"
        said = f"{first.name} was {first.before} in the first window and {first.after} in the second: {verdict}"
    if columns:
        said += f"; the column that differs most is {columns[0].name}"
    return said + "."


def column_rows(columns: Sequence[ColumnPair]) -> list[ColumnRow]:
    """Return columns in the table, those that differ most first."""
    return [
        ColumnRow(
            name=one.name,
            metric=heading_of(one.metric),
            distance=quantity(one.distance, unit_of(one.metric, "drift")),
            value=one.distance,
        )
        for one in columns[:MOST_COLUMNS]
    ]


def drawings(columns: Sequence[ColumnPair]) -> list[Drawn]:
    """Return the distributions of the columns that differ most; the first window is grey."""
    found = []
    for one in columns[:MOST_DRAWN]:
        try:
            chart = distribution(one.before, one.after, name=one.name, when="second window")
        except MismatchError:
            continue
        drawn = draw_distribution(chart)
        found.append(
            Drawn(
                title=drawn.title,
                note=drawn.note.replace("Grey: reference", "Grey: first window"),
                svg=drawn.svg,
                shares=drawn.shares,
            )
        )
    return found


def _value(outcome: Outcome, unit: str) -> str:
    return quantity(outcome.value, unit) if isinstance(outcome, Estimate) else "–"


def _span(outcome: Outcome, unit: str) -> str:
    if not isinstance(outcome, Estimate) or outcome.lower is None or outcome.upper is None:
        return "" if isinstance(outcome, Estimate) else outcome.reason
    return f"{quantity(outcome.lower, unit)} to {quantity(outcome.upper, unit)}"
