"""The report as HTML: one file that opens without a network, and a shorter piece of it for notebooks.

Charts are drawn to SVG here, so that the page is whole in mail, on paper and without JavaScript; the few lines of
JavaScript add tooltips, sorting and a search, and nothing depends on them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from functools import cache
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from barograph.alerts.alert import State
from barograph.alerts.breaches import known_metrics, main_metric
from barograph.alerts.incident import Incident
from barograph.alerts.severity import Severity
from barograph.alerts.told import told
from barograph.charts.style import Chart
from barograph.checks.not_checked import NotChecked
from barograph.errors import InputError
from barograph.extras import needs
from barograph.metrics.facts import heading_of, unit_of
from barograph.report.before_after import Line, before_after
from barograph.report.explanations import unlabelled_since, why, why_heading
from barograph.report.figures import MAX_CHUNKS, Figures, figures
from barograph.report.ranking import Digest, digest, which_moved
from barograph.report.report import Report
from barograph.report.svg import Drawing, draw
from barograph.report.tables import Table, detectable_table, drift_table, performance_table, quality_table
from barograph.report.terminal import as_text
from barograph.text.format import count, number, percent, printable, quantity, unbroken

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_CODE = re.compile(r"`([^`]+)`")
_DATE = re.compile(r"\b\d{4}-(?:\d\d(?:-\d\d)?|Q\d)\b")
MAX_INCIDENTS = 20
OPEN_NOTICES = 3  # notices that are shown open; more are folded away
MAX_EXPLAINED = 8
CALM, NO_DATA = "calm", "nodata"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of the numbers at the top. `state` is "breach" or ""."""

    label: str
    value: str
    note: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """An incident as the page shows it. `span` says when; `explains` are the first of the other alerts.

    `figures` are what changed: what, before and after.
    """

    id: str
    severity: str
    title: str
    advice: str
    span: str
    ongoing: bool
    figures: tuple[Line, ...]
    explains: tuple[str, ...]
    more: int
    harm: str
    silenced: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """All that the templates get: every field is used in `page.html`, most in `fragment.html`.

    `severity` is "critical", "warning", "notice", "calm" or, without rows, "nodata". `incidents` are the ones to act
    on, `notices` the rest.
    """

    model: str
    model_version: str
    verdict: str
    severity: str
    rows: int
    figures: tuple[Figure, ...]
    incidents: tuple[IncidentView, ...]
    notices: tuple[IncidentView, ...]
    notices_open: bool
    notices_left_out: int
    labels_stopped: str
    incidents_left_out: int
    why: tuple[str, ...]
    why_heading: str
    main: Drawing | None
    performance: tuple[Drawing, ...]
    performance_table: Table | None
    reliability: Drawing | None
    drift: Drawing | None
    drift_table: Table | None
    harm_known: bool
    harm_seen: bool
    moved: int
    distributions: tuple[Drawing, ...]
    quality: Drawing | None
    quality_table: Table | None
    segments: Drawing | None
    has_segments: bool
    evidence: tuple[Drawing, ...]
    detectable_table: Table | None
    hygiene: tuple[str, ...]
    not_checked: tuple[NotChecked, ...]
    decisions: tuple[str, ...]
    chunks_left_out: int
    version: str


def check_packages() -> None:
    """Raise InputError, which says what to install, where what draws pages is not installed."""
    with needs("report", "A report as a page"):
        import jinja2  # noqa: F401  # only whether they are there
        import vl_convert  # noqa: F401


def page(report: Report) -> str:
    """Return the report as a page: complete, self-contained, the same for the same report.

    Raises InputError where the packages that draw pages are not installed.
    """
    check_packages()
    return _environment().get_template("page.html").render(_as_dict(context(report)))


def fragment(report: Report) -> str:
    """Return the report for a notebook: verdict, incidents, the main chart and what moved, without JavaScript.

    Where the packages that draw it are not installed, it is the text of the terminal, and says what to install.
    """
    try:
        check_packages()
    except InputError as error:
        return f"<pre>{escape(as_text(report))}</pre>\n<p>{escape(str(error))}</p>"
    return _environment().get_template("fragment.html").render(_as_dict(context(report, brief=True)))


def context(report: Report, *, brief: bool = False) -> PageContext:
    """Return what the templates show of a report."""
    ranked = digest(report)
    drawn = figures(report, ranked, brief=brief)
    found = told(report.incidents)
    views = tuple(_incident(incident, report) for incident in found.loud[:MAX_INCIDENTS])
    notices = tuple(replace(_incident(n.latest, report), title=printable(n.title)) for n in found.notices)
    sizes = {profile.chunk.key: profile.n for profile in report.profiles.select()}
    return PageContext(
        model=printable(report.model),
        model_version=printable(report.rows[0].version) if report.rows else "",
        verdict=printable(report.verdict),
        severity=report.severity.value if report.severity else CALM if ranked.rows else NO_DATA,
        rows=ranked.rows,
        figures=tuple(_figures(report, ranked)),
        incidents=views,
        notices=notices,
        notices_open=len(notices) <= OPEN_NOTICES,
        notices_left_out=found.more,
        labels_stopped=printable(unlabelled_since(report)),
        incidents_left_out=len(found.loud) - len(views),
        why=tuple(map(printable, why(report))),
        why_heading=why_heading(report),
        main=_draw(drawn.main, "performance"),
        performance=_draw_all(drawn, "performance"),
        performance_table=None if brief else performance_table(ranked, sizes),
        reliability=_draw(drawn.reliability, "reliability"),
        drift=_draw(drawn.drift, "drift"),
        drift_table=None if brief else drift_table(ranked),
        harm_known=ranked.harm_known,
        harm_seen=ranked.harm_seen,
        moved=sum(1 for drift in ranked.drift if drift.breached),
        distributions=_draw_all(drawn, "distributions"),
        quality=_draw(drawn.quality, "quality"),
        quality_table=None if brief else quality_table(ranked),
        segments=_draw(drawn.segments, "segments"),
        has_segments=bool(report.profiles.segments),
        evidence=_draw_all(drawn, "evidence"),
        detectable_table=None if brief else detectable_table(report.watches),
        hygiene=tuple(printable(f"`{f.monitor or 'the model'}`: {f.seen} {f.proposal}") for f in report.hygiene),
        not_checked=tuple(report.not_checked),
        decisions=tuple(dict.fromkeys((*report.read, *report.reference.decisions))),
        chunks_left_out=max(0, len(ranked.keys) - MAX_CHUNKS),
        version=_version(),
    )


def _as_dict(found: PageContext) -> dict[str, object]:
    return {field.name: getattr(found, field.name) for field in fields(found)}


def _draw(chart: Chart | None, prefix: str) -> Drawing | None:
    return draw(chart, prefix=prefix) if chart else None


def _draw_all(drawn: Figures, name: str) -> tuple[Drawing, ...]:
    return tuple(draw(chart, prefix=f"{name}{i}") for i, chart in enumerate(getattr(drawn, name)))


def _figures(report: Report, ranked: Digest) -> list[Figure]:
    outside = f"{ranked.outside:,} more without a time" if ranked.outside else ""
    size = f"in {count(len(ranked.keys), ranked.noun)}" + (f", {outside}" if outside else "")
    found = [Figure(label="Rows", value=f"{ranked.rows:,}", note=size)]
    if ranked.keys not in ((), ("all",)):
        found.append(Figure(label="Period", value=printable(ranked.period)))
    if ranked.label_coverage is not None:
        since = unlabelled_since(report)
        note = f"none since {since}" if since else "of all rows"
        found.append(Figure(label="Labels arrived", value=percent(ranked.label_coverage), note=note))
    main = ranked.main
    latest = main.latest_of(ranked.incomplete) if main else None
    if main and latest and latest.value is not None:
        unit = unit_of(latest.metric, latest.family)
        guess = latest.family == "estimation"
        reference = "" if latest.reference_value is None else f"reference {quantity(latest.reference_value, unit)}, "
        found.append(
            Figure(
                label=f"{heading_of(main.metric)}{', estimated' if guess else ''}",
                value=("" if guess else latest.mark) + quantity(latest.value, unit),
                note=f"{reference}latest: {printable(latest.chunk)}",
                state="breach" if latest.status == "breach" else "",
            )
        )
    if ranked.drift:
        now = [drift for drift in ranked.drift if drift.now]
        note = f"in the latest {ranked.noun}" + (f": {which_moved(now, ranked.drift)}" if now else "")
        found.append(Figure(label="Columns that moved", value=f"{len(now)} of {len(ranked.drift)}", note=note))
    firing = sum(incident.state is State.FIRING for incident in report.incidents)
    note = f"{firing} ongoing" if report.incidents else ""
    found.append(Figure(label="Incidents", value=str(len(report.incidents)), note=note))
    return found


def _incident(incident: Incident, report: Report) -> IncidentView:
    told = [alert.worst.text for alert in incident.explains]
    ongoing = incident.state is State.FIRING
    if ongoing:
        span = f"since {incident.since}, ongoing"
    else:
        span = incident.since if incident.until == incident.since else f"{incident.since} to {incident.until}"
        span += ", over"
    figures = _lines(incident, report)
    return IncidentView(
        id=incident.id,
        severity=incident.severity.value,
        title=printable(incident.title),
        advice=printable(incident.advice),
        span=printable(span),
        ongoing=ongoing,
        figures=figures,
        explains=tuple(printable(text) for text in told[:MAX_EXPLAINED]),
        more=max(0, len(told) - MAX_EXPLAINED),
        harm="" if figures else _harm(incident, report),  # they say it, on average: two numbers contradict each other
        silenced=printable("; ".join(silence.reason for silence in incident.silenced_by)),
    )


def _lines(incident: Incident, report: Report) -> tuple[Line, ...]:
    if incident.severity is Severity.NOTICE:
        return ()
    return tuple(replace(one, what=printable(one.what)) for one in before_after(report, incident))


def _harm(incident: Incident, report: Report) -> str:
    """Return the harm of an incident in words; "" where it is unknown, or not material."""
    if incident.harm is None or incident.harm <= 0 or incident.severity is Severity.NOTICE:
        return ""
    task = report.reference.schema.task
    main = main_metric(known_metrics(report.rows, task), task)
    return f"{heading_of(main)} worse by {number(incident.harm)}" if main else ""


def _version() -> str:
    try:
        return version("barograph")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return ""


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("barograph.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    return environment


def _prose(text: str) -> Markup:
    """Return text, escaped, with names in `backticks` as code, in which a line does not end within a date."""
    from markupsafe import Markup, escape

    plain = _DATE.sub(r'<span class="nb">\g<0></span>', str(escape(unbroken(text))))
    return Markup(_CODE.sub(r"<code>\1</code>", plain))
