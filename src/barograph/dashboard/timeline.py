"""A model over time: measured and estimated performance, limits, incidents, changes, labels and traffic on one axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from barograph.charts.words import bounds_of
from barograph.dashboard.readings import Reading
from barograph.dashboard.scales import Scale, ticks, time_ticks
from barograph.dashboard.sparkline import diamond
from barograph.dashboard.svg import area, drawing, number, path, rectangles, steps, tag, text, title
from barograph.metrics.facts import unit_of
from barograph.monitors.results import Result
from barograph.text.format import cut, quantity

LEFT = 46.0
RIGHT, RIGHT_NARROW = 124.0, 54.0  # room for the names of lines, or for their values alone
NARROW = 600.0
LANE, STRIP, TRAFFIC, AXIS = 18.0, 16.0, 26.0, 34.0
MOST_LANES = 4
LABEL_GAP = 13.0
CROWDED = 90  # points, above which only those that matter are drawn
LETTER = 6.6  # pixels that a letter of a label takes


_End = tuple[float, str, str, str]  # of a line: where it ends, its name, its last value, and its class


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """An incident on the axis of time; without an end it goes on. `state` is its severity, or "over"."""

    start_us: int
    end_us: int | None
    label: str
    state: str
    href: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A change on the axis of time."""

    at_us: int
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What the main panel shows: readings measured with labels and estimated without them, in the order of time."""

    name: str
    family: str
    measured: Sequence[Reading] = ()
    estimated: Sequence[Reading] = ()

    @property
    def unit(self) -> str:
        """Return the unit in which values are told."""
        return unit_of(self.name, self.family)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What is drawn. `[start_us, end_us)` is the axis of time, in the calendar of `zone`.

    `is_calm` says that nobody need act on its alarms: they are not red then.
    """

    start_us: int
    end_us: int
    zone: str
    metric: Metric
    spans: Sequence[Span] = ()
    marks: Sequence[Mark] = ()
    traffic: Sequence[Reading] = ()
    description: str = ""
    is_calm: bool = False


def timeline(found: Timeline, *, width: float = 1080.0, height: float = 210.0, prefix: str = "t") -> str:
    """Draw it. `prefix` tells the ids of this drawing from those of others on the page."""
    x = Scale(found.start_us, found.end_us, LEFT, width - (RIGHT if width >= NARROW else RIGHT_NARROW))
    spans, left_out = _packed(_inside(found.spans, found), x)
    marks = [mark for mark in found.marks if found.start_us <= mark.at_us < found.end_us]
    mark_labels = _placed_marks(marks, x, width)
    at = 6.0 + (14.0 if mark_labels else 0.0)
    parts = [_definitions(prefix, x, width)]
    lanes = max((lane for _, lane in spans), default=-1) + 1
    for span, lane in spans:
        parts.append(_span(span, x, at + lane * LANE, found.end_us))
    if left_out:
        lanes += 1
        parts.append(text(f"{left_out} more below", class_="label", x=LEFT, y=at + lanes * LANE - 6))
    top = at + lanes * LANE + 8.0
    bottom = top + height
    parts.append(_panel(found, x, top, bottom, prefix, width))
    end = bottom
    covered = [r for r in (found.metric.measured or found.metric.estimated) if r.coverage is not None]
    if any(r.coverage for r in covered) and _needs_labels(found.metric):
        end += 10.0
        parts.append(_coverage(covered, x, end, width))
        end += STRIP
    if found.traffic:
        end += 8.0
        parts.append(_traffic(found.traffic, x, end, width))
        end += TRAFFIC
    for mark in marks:
        parts.append(
            tag("line", title(mark.text), class_="change", x1=x(mark.at_us), y1=14.0, x2=x(mark.at_us), y2=end)
        )
    parts += mark_labels
    parts.append(_axis(found, x, end))
    parts.append(_hits(found, x, top, end))
    whole = drawing(
        "".join(parts), width=width, height=end + AXIS, label=found.description, class_="timeline", role="group"
    )
    data = f'data-from="{found.start_us}" data-to="{found.end_us}" data-left="{number(LEFT)}" '
    return whole.replace("<svg", f'<svg {data}data-right="{number(x.end)}"', 1)


def _needs_labels(metric: Metric) -> bool:
    """Return whether labels have a part in a metric."""
    return metric.family not in ("drift", "quality")


def _definitions(prefix: str, x: Scale, width: float) -> str:
    hatch = tag("path", class_="hatch", d="M0 6L6 0")
    pattern = tag("pattern", hatch, id=f"{prefix}-hatch", width=6, height=6, patternUnits="userSpaceOnUse")
    return tag(
        "defs",
        pattern + tag("clipPath", tag("rect", x=x.start, y=0, width=x.end - x.start, height=2000), id=f"{prefix}-clip"),
    )


def _inside(spans: Iterable[Span], found: Timeline) -> list[Span]:
    return [s for s in spans if s.start_us < found.end_us and (s.end_us is None or s.end_us > found.start_us)]


def _packed(spans: Sequence[Span], x: Scale) -> tuple[list[tuple[Span, int]], int]:
    """Return spans with the lane of each, those that matter most first; and how many found no place."""
    taken: list[list[tuple[float, float]]] = [[] for _ in range(MOST_LANES)]
    placed, left_out = [], 0
    for span in spans:
        start = max(x(span.start_us), x.start)
        end = x.end if span.end_us is None else x(span.end_us)
        end = max(end, start + 8) + 6
        for lane, there in enumerate(taken):
            if all(end <= a or start >= b for a, b in there):
                there.append((start, end))
                placed.append((span, lane))
                break
        else:
            left_out += 1
    return placed, left_out


def _span(span: Span, x: Scale, y: float, until_us: int) -> str:
    start = max(x(span.start_us), x.start)
    end = min(x.end if span.end_us is None else x(span.end_us), x.end)
    wide = max(end - start, 6.0)
    parts = [title(span.text), tag("rect", class_="bar", x=start, y=y, width=wide, height=LANE - 4, rx=3)]
    room = int((wide - 12) / LETTER)
    if room >= 6:
        parts.append(text(cut(span.label, length=room), class_="name", x=start + 6, y=y + 10.5))
    return f'<a class="span {escape(span.state)}" href="{escape(span.href)}">{"".join(parts)}</a>'


def _placed_marks(marks: Sequence[Mark], x: Scale, width: float) -> list[str]:
    parts, free = [], 0.0
    for mark in sorted(marks, key=lambda m: m.at_us):
        at, said = x(mark.at_us), cut(mark.label, length=34)
        wide = len(said) * LETTER
        flip = at + wide > width
        start = at - wide if flip else at
        if start < free:
            continue  # its line stands there all the same, with the words beside the pointer
        parts.append(text(said, class_="label change-name", x=at, y=11.0, text_anchor="end" if flip else "start"))
        free = start + wide + 12
    return parts


def _panel(found: Timeline, x: Scale, top: float, bottom: float, prefix: str, width: float) -> str:
    metric = found.metric
    everything = [*metric.measured, *metric.estimated]
    y, beyond = _value_scale(metric, top, bottom)
    parts = []
    for value in ticks(min(y.low, y.high), max(y.low, y.high), 4):
        parts.append(tag("line", class_="grid", x1=x.start, x2=x.end, y1=y(value), y2=y(value)))
        parts.append(
            text(
                quantity(value, metric.unit) if metric.unit == "share" else f"{value:g}",
                class_="label",
                x=x.start - 8,
                y=y(value) + 4,
                text_anchor="end",
            )
        )
    for start_us, end_us in _unjudged(found):
        left, right = x(start_us), x(end_us)
        parts.append(
            tag(
                "rect",
                title("Not judged here"),
                class_="unjudged",
                fill=f"url(#{prefix}-hatch)",
                x=left,
                y=top,
                width=right - left,
                height=bottom - top,
            )
        )
    ends: list[_End] = []
    judged = [r for r in metric.measured if r.value is not None]  # what waits for labels has another reference
    if (reference := _last(r.reference for r in judged or everything)) is not None:
        parts.append(tag("line", class_="reference", x1=x.start, x2=x.end, y1=y(reference), y2=y(reference)))
        ends.append((y(reference), "reference", quantity(reference, metric.unit), "reference-name"))
    parts.append(_limits(metric, x, y, ends))
    known = {r.start_us for r in metric.measured if r.value is not None}
    drawn = []
    for kind, rows in (("estimated", metric.estimated), ("measured", metric.measured)):
        drawn.append(_series(kind, rows, x, y, hidden=known if kind == "estimated" else set(), calm=found.is_calm))
        if (
            last := next((r for r in reversed(rows) if r.value is not None), None)
        ) is not None and last.value is not None:
            ends.append((y(last.value), kind, quantity(last.value, metric.unit), f"{kind}-name"))
    drawn += [
        tag("circle", class_="shown", cx=x(r.middle_us), cy=y(r.shown), r=2.4)
        for r in everything
        if r.shown is not None and min(y.low, y.high) <= r.shown <= max(y.low, y.high)
    ]
    parts.append(tag("g", "".join(drawn), clip_path=f"url(#{prefix}-clip)"))
    if beyond:
        parts.append(text(beyond, class_="label limit-name", x=x.start + 4, y=bottom - 5))
    parts.append(tag("line", class_="axis", x1=x.start, x2=x.end, y1=bottom, y2=bottom))
    parts += _end_names(ends, x.end + 8, top, bottom, room=int((width - x.end - 8) / LETTER))
    return "".join(parts)


def _value_scale(metric: Metric, top: float, bottom: float) -> tuple[Scale, str]:
    """Return the axis of values, and what is said of a limit that is too far away to be drawn."""
    everything = [*metric.measured, *metric.estimated]
    known = {r.start_us for r in metric.measured if r.value is not None}
    inside = [v for r in everything for v in (r.low, r.high, r.reference) if v is not None]
    inside += [v for r in metric.measured for v in (r.lower, r.upper) if v is not None]
    if not inside:
        return Scale(0.0, 1.0, bottom, top), ""
    low, high = min(inside), max(inside)
    span = high - low or abs(high) * 0.1 or 1.0
    for r in metric.estimated:  # their intervals are wide: where labels speak, they do not stretch the axis
        if r.start_us not in known and r.lower is not None and r.upper is not None:
            low, high = min(low, max(r.lower, low - span)), max(high, min(r.upper, high + span))
    beyond = ""
    span = high - low or span
    limits = {side: _last(getattr(r, side) for r in everything) for side in ("limit_lower", "limit_upper")}
    for side, limit in limits.items():
        if limit is None:
            continue
        if low - 0.6 * span <= limit <= high + 0.6 * span:
            low, high = min(low, limit), max(high, limit)
        elif (side == "limit_lower") == (limit < low):
            beyond = f"limit {quantity(limit, metric.unit)}, {'below' if limit < low else 'above'} this axis"
    margin = 0.07 * (high - low) or 0.05 * abs(high) or 0.5
    least, most = bounds_of(
        Result(
            model="",
            version="",
            monitor="",
            metric=metric.name,
            family=metric.family,
            column=None,
            segment=None,
            chunk="",
            chunk_start=None,
            chunk_end=None,
            n=0,
        )
    )
    low, high = max(low - margin, min(least, low)), min(high + margin, max(most, high))
    return Scale(low, high, bottom - 2, top + 2), beyond


def _last(values: Iterable[float | None]) -> float | None:
    return next((value for value in reversed(list(values)) if value is not None), None)


def _unjudged(found: Timeline) -> list[tuple[int, int]]:
    """Return the stretches in which nothing is known: no label speaks, and no estimate."""
    metric = found.metric
    of: dict[int, tuple[int, bool]] = {}
    for r in (*metric.measured, *metric.estimated):
        end, known = of.get(r.start_us, (r.end_us, False))
        of[r.start_us] = (max(end, r.end_us), known or r.value is not None)
    stretches: list[tuple[int, int]] = []
    for known, group in groupby(sorted(of.items()), key=lambda item: item[1][1]):
        if not known:
            items = list(group)
            stretches.append((max(items[0][0], found.start_us), min(items[-1][1][0], found.end_us)))
    return [(a, b) for a, b in stretches if a < b]


def _limits(metric: Metric, x: Scale, y: Scale, ends: list[_End]) -> str:
    rows = metric.measured if any(r.value is not None for r in metric.measured) else metric.estimated
    parts = []
    for side in ("limit_lower", "limit_upper"):
        found = [(r, value) for r in rows if (value := getattr(r, side)) is not None and y.low <= value <= y.high]
        if found:
            parts.append(
                tag("path", class_="limit", d=steps(_level((x(r.start_us), x(r.end_us), y(v)) for r, v in found)))
            )
            value = next((v for r, v in reversed(found) if r.value is not None), found[-1][1])
            ends.append((y(value), "limit", quantity(value, metric.unit), "limit-name"))
    return "".join(parts)


def _level(pieces: Iterable[tuple[float, float, float]]) -> Iterator[tuple[float, float, float]]:
    """Yield pieces of one height as one."""
    last: tuple[float, float, float] | None = None
    for a, b, y in pieces:
        if last is not None and abs(last[1] - a) < 0.1 and abs(last[2] - y) < 0.1:
            last = (last[0], b, last[2])
            continue
        if last is not None:
            yield last
        last = (a, b, y)
    if last is not None:
        yield last


def _series(kind: str, rows: Sequence[Reading], x: Scale, y: Scale, *, hidden: set[int], calm: bool) -> str:
    """Return band, line and points of one series; in `hidden` chunks it is not judged by, and bears no alarm."""
    parts = []
    few = sum(r.value is not None for r in rows) <= CROWDED
    for known, group in groupby(rows, key=lambda r: r.value is not None):
        run = list(group)
        if not known:
            continue
        band = [r for r in run if r.lower is not None and r.upper is not None]
        if len(band) > 1:
            upper = [(x(r.middle_us), y(r.upper or 0.0)) for r in band]
            parts.append(
                tag("path", class_=f"band {kind}", d=area(upper, [(x(r.middle_us), y(r.lower or 0.0)) for r in band]))
            )
        elif band:
            at = x(band[0].middle_us)
            parts.append(
                tag(
                    "line",
                    class_=f"whisker {kind}",
                    x1=at,
                    x2=at,
                    y1=y(band[0].lower or 0.0),
                    y2=y(band[0].upper or 0.0),
                )
            )
        if any(r.chunks > 1 for r in run) and len(run) > 1:
            upper = [(x(r.middle_us), y(r.high or 0.0)) for r in run]
            parts.append(
                tag("path", class_=f"extremes {kind}", d=area(upper, [(x(r.middle_us), y(r.low or 0.0)) for r in run]))
            )
        if len(run) > 1:
            parts.append(tag("path", class_=f"line {kind}", d=path([(x(r.middle_us), y(r.value or 0.0)) for r in run])))
        for r in run:
            place = (x(r.middle_us), y(r.value or 0.0))
            if r.is_alarm and r.start_us not in hidden:
                parts.append(tag("path", class_="alarm calm" if calm else "alarm", d=diamond(*place, 4.5)))
            elif few or len(run) == 1:
                parts.append(tag("circle", class_=f"dot {kind}", cx=place[0], cy=place[1], r=2.4))
    return "".join(parts)


def _end_names(ends: list[_End], x: float, top: float, bottom: float, *, room: int) -> list[str]:
    """Return names and values of lines at their right ends, pushed apart where they would overlap."""
    placed: list[_End] = []
    for y, name, value, kind in sorted(ends):
        y = max(y, placed[-1][0] + LABEL_GAP if placed else top + 4)
        placed.append((y, name, value, kind))
    overflow = placed[-1][0] - bottom if placed else 0.0
    for i in range(len(placed) - 1, -1, -1):
        y, name, value, kind = placed[i]
        if overflow > 0:
            y -= overflow
            overflow = max(0.0, LABEL_GAP - (y - placed[i - 1][0])) if i else 0.0
        placed[i] = (y, name, value, kind)
    return [
        text(f"{name} {value}" if room > 12 else value, class_=f"label {kind}", x=x, y=y + 4)
        for y, name, value, kind in placed
    ]


def _coverage(rows: Sequence[Reading], x: Scale, top: float, width: float) -> str:
    y = Scale(0.0, 1.0, top + STRIP, top)
    boxes = [_box(r, x, y(r.coverage), top + STRIP) for r in rows if r.coverage]
    name = "labels arrived" if width >= NARROW else "labels"
    return (
        tag("rect", class_="strip", x=x.start, y=top, width=x.end - x.start, height=STRIP)
        + tag("path", class_="covered", d=rectangles(boxes))
        + text(name, class_="label", x=x.end + 8, y=top + STRIP / 2 + 4)
    )


def _traffic(rows: Sequence[Reading], x: Scale, top: float, width: float) -> str:
    amounts = [(r, r.n if r.value is None else r.value) for r in rows]
    most = max((amount for _, amount in amounts), default=0) or 1
    y = Scale(0.0, most, top + TRAFFIC, top)
    boxes = [_box(r, x, y(amount), top + TRAFFIC) for r, amount in amounts if amount]
    return (
        tag("path", class_="bar", d=rectangles(boxes))
        + tag("line", class_="axis", x1=x.start, x2=x.end, y1=top + TRAFFIC, y2=top + TRAFFIC)
        + text("rows", class_="label", x=x.end + 8, y=top + TRAFFIC - 4)
    )


def _box(r: Reading, x: Scale, top: float, bottom: float) -> tuple[float, float, float, float]:
    """Return the rectangle of one reading, with a gap to the next where there is room for it."""
    left, right = x(r.start_us), min(x(r.end_us), x.end)
    wide = right - left
    return left, top, max(wide - 0.6 if wide > 3 else wide, 0.4), bottom - top


def _axis(found: Timeline, x: Scale, top: float) -> str:
    parts = []
    most = max(2, int((x.end - x.start) / 64))
    for tick in time_ticks(found.start_us, found.end_us, zone=found.zone, most=most):
        at = x(tick.at_us)
        parts.append(tag("line", class_="axis", x1=at, x2=at, y1=top, y2=top + 4))
        parts.append(text(tick.label, class_="label", x=at, y=top + 16, text_anchor="middle"))
        if tick.within:
            parts.append(text(tick.within, class_="label", x=at, y=top + 29, text_anchor="middle"))
    return "".join(parts)


def _hits(found: Timeline, x: Scale, top: float, bottom: float) -> str:
    """Return a place for the pointer over each chunk, that says all there is to say of it."""
    said: dict[tuple[int, int], list[str]] = {}
    for name, rows in (("measured", found.metric.measured), ("estimated", found.metric.estimated)):
        for r in rows:
            said.setdefault((r.start_us, r.end_us), []).append(f"{name} {r.text}")
            if name == "measured" and r.coverage is not None:
                said[r.start_us, r.end_us].append(f"labels arrived: {quantity(r.coverage, 'share')}")
    for r in found.traffic:
        if (there := said.get((r.start_us, r.end_us))) is not None and not found.metric.measured:
            there.append(f"{r.n:,} rows")
    parts = []
    for (start_us, end_us), lines in said.items():
        left, right = max(x(start_us), x.start), min(x(end_us), x.end)
        parts.append(
            tag(
                "rect",
                title("\n".join(lines)),
                class_="hit",
                x=left,
                y=top,
                width=max(right - left, 0.5),
                height=bottom - top,
            )
        )
    return tag("g", "".join(parts), class_="hits")
