"""An incident's page, and what people do there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import median

from starlette.responses import Response

from barograph.dashboard.incident import (
    AlertLine,
    Amount,
    Happening,
    IncidentData,
    TraceLine,
    decisions_name,
    incident_page,
)
from barograph.dashboard.incidents import span_of
from barograph.dashboard.page_exports import of_incident
from barograph.dashboard.timeline import Mark
from barograph.dashboard.words import chunk_noun
from barograph.metrics.facts import row_counts, title_of
from barograph.server.catalog_lookup import audited, rule_of
from barograph.server.pages.cause import OF_LABELS, made_of
from barograph.server.pages.fleet import MAIN
from barograph.server.pages.incidents import lines, of_model
from barograph.server.pages.lists import asked_of
from barograph.server.pages.model import zone_of
from barograph.server.pages.results import readings_of, results
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem, not_found
from barograph.server.routes import handling
from barograph.server.traces import example_traces
from barograph.sketches.cells import RegressionCells
from barograph.sketches.scores import NONE, YES, ScoreTable
from barograph.spec.file import seconds_of
from barograph.store.catalog import handling as handling_of
from barograph.store.catalog import incidents as stored
from barograph.store.catalog import overview
from barograph.store.catalog.changes import list_changes
from barograph.store.catalog.incidents import StoredAlert, StoredIncident
from barograph.store.catalog.models import Model, get_model
from barograph.store.catalog.profiles import read_profiles_at
from barograph.store.catalog.results import Point, Series
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.silenced import see_incidents
from barograph.times import SECOND_US, to_microseconds
from barograph.worker.chunk_profile import ChunkProfile

AROUND = 30  # chunks before an incident that its chart shows
MOST_CHUNKS = 200
MOST_PROFILES = 8  # of an incident, from which decisions are counted
MOST_COMMENTS = 1000
MOST_CHANGES = 50
SILENCES = ("2h", "8h", "1d", "7d")


def incident(visit: Visit) -> Response:
    """Return the page of an incident."""
    with visit.read() as scope:
        found = _found(scope, visit.parts["incident"])
        model = get_model(scope, found.model_id)
        assert model is not None  # its incidents go with it
        data = _read(visit, scope, found, model)
    page = incident_page(data)
    return visit.page("incident.html", page, exports=partial(of_incident, data, page))


def acknowledge(visit: Visit) -> Response:
    """Say that somebody has seen to it, or take that back."""
    with visit.write() as scope:
        found = _found(scope, visit.parts["incident"])
        is_seen = visit.form.get("acknowledged") != "no"
        by = visit.caller.actor if is_seen else None
        stored.acknowledge(scope, found.model_id, found.id, by=by, now_us=visit.now_us)
        detail = {"acknowledged": is_seen}
        audited(scope, visit.caller, "acknowledge incident", found.id, detail, now_us=visit.now_us)
    return visit.go("/incidents/{incident}", incident=found.id)


def comment(visit: Visit) -> Response:
    """Write a comment to it."""
    asked = asked_of(lambda: handling.CommentAsked(text=visit.form.get("text", "")))
    handling.comment(visit.parts["incident"], asked, visit.service, visit.caller)
    return visit.go("/incidents/{incident}", incident=visit.parts["incident"])


def resolve(visit: Visit) -> Response:
    """Say that it is over and, where that is known, whether it was real."""
    reason, verdict = visit.form.get("reason", "").strip() or None, visit.form.get("verdict") or None
    asked = asked_of(lambda: handling.ResolveAsked.model_validate({"reason": reason, "verdict": verdict}))
    handling.resolve(visit.parts["incident"], visit.service, visit.caller, asked)
    return visit.go("/incidents/{incident}", incident=visit.parts["incident"])


def reopen(visit: Visit) -> Response:
    """Say that it is not over."""
    handling.reopen(visit.parts["incident"], visit.service, visit.caller)
    return visit.go("/incidents/{incident}", incident=visit.parts["incident"])


def judge(visit: Visit) -> Response:
    """Say whether it was real, or take that back."""
    verdict = visit.form.get("verdict") or None
    asked = asked_of(lambda: handling.VerdictAsked.model_validate({"verdict": verdict}))
    handling.verdict(visit.parts["incident"], asked, visit.service, visit.caller)
    return visit.go("/incidents/{incident}", incident=visit.parts["incident"])


def silence(visit: Visit) -> Response:
    """Silence what it is about for a while: its model, and its column or family."""
    reason, length = visit.form.get("reason", "").strip(), visit.form.get("duration", "")
    if length not in SILENCES:
        raise Problem("invalid", f"A silence lasts one of {', '.join(SILENCES)}. Got {length[:20]!r}.")
    if not reason or len(reason) > 1000:
        raise Problem("invalid", "A silence needs a reason: whoever looks next should know why nobody was woken.")
    now_us = visit.now_us
    with visit.write() as scope:
        found = _found(scope, visit.parts["incident"])
        model = get_model(scope, found.model_id)
        assert model is not None
        members = overview.alerts_of(scope, found.model_id, found.id)
        for matchers in _matchers(model, found, members):
            made = stored.add_silence(
                scope,
                model_id=found.model_id,
                matchers=matchers,
                starts_us=now_us,
                ends_us=now_us + round(seconds_of(length) * SECOND_US),
                reason=reason,
                created_by=visit.caller.actor,
                now_us=now_us,
            )
            detail = {"incident": found.id, "reason": reason, "duration": length}
            audited(scope, visit.caller, "create silence", str(made.id), detail, now_us=now_us)
    return visit.go("/incidents/{incident}", incident=found.id)


def _matchers(model: Model, found: StoredIncident, members: Sequence[StoredAlert]) -> list[tuple[tuple[str, str], ...]]:
    """Return what silences an incident and no more: each of its monitors by its name."""
    monitors = dict.fromkeys(member.monitor for member in members if member.monitor)
    if not monitors:
        return [(("model", model.name), ("family", found.family))]
    return [(("model", model.name), ("monitor", name)) for name in monitors]


def _found(scope: Scope, incident_id: str) -> StoredIncident:
    found = stored.get_incident(scope, incident_id) if len(incident_id) <= 200 else None
    if found is None:
        raise not_found("incident", incident_id[:200])
    return found


def _read(visit: Visit, scope: Scope, found: StoredIncident, model: Model) -> IncidentData:
    (seen,) = see_incidents(scope, [found], now_us=visit.now_us)
    (line,) = lines([seen], {model.id: model.name})
    members = overview.alerts_of(scope, model.id, found.id)
    root = members[0] if members else None
    of = [one for _, one in overview.series_of(scope, [model.id])] if root else []
    rows = next((one for one in of if one.metric in row_counts() and one.column is None), None)
    of_root = [one for one in of if root is not None and _same(one, root)]
    start_us, end_us = _span(scope, rows or next(iter(of_root), None), line.since_us, line.until_us, model)
    main = {one.family: one for one in of if one.metric == _main(of) and not one.column and not one.segment}
    main = {family: one for family, one in main.items() if family in ("performance", "estimation")}
    kept = list({one.id: one for one in (*of_root, *main.values(), *([rows] if rows else []))}.values())
    points = overview.newest_points(scope, kept, count=MOST_CHUNKS, start_us=start_us, end_us=end_us)
    by = {one.family: points[one.id] for one in of_root}
    first = (
        by.get("performance", ()) if root and root.family == "estimation" else by.get(root.family if root else "", ())
    )
    guess = by.get("estimation", ())

    def within(one: Series | None) -> list[Point]:
        """Return the points of a series in the time of the incident."""
        until_us = line.until_us or end_us
        return [p for p in points[one.id] if line.since_us <= p.chunk_us < until_us] if one else []

    inside = within(rows)
    before = [p for p in points[rows.id] if p.chunk_us < line.since_us] if rows else []
    decisions, name = _decisions(visit, scope, model, [p.chunk_us for p in inside])
    every = of_model(scope, model, now_us=visit.now_us)
    others = [one for one in every if one.id != line.id and one.severity != "notice"]
    chunk = (root.body.get("worst") or {}).get("chunk") or "" if root else ""
    return IncidentData(
        line=line,
        chunk=model.chunk,
        zone=zone_of(model),
        alerts=[_alert(member, is_root=member is root) for member in members],
        happenings=_happenings(scope, found, model, members),
        opened_us=found.opened_us,
        acknowledged_us=found.acknowledged_us,
        cause=made_of(visit, scope, model, chunk) if root and root.family in OF_LABELS else "",
        main=results(within(main.get("performance")), model.name),
        main_estimated=results(within(main.get("estimation")), model.name),
        decisions=decisions,
        decisions_name=name,
        rows_before=_median(before[-8:]),
        rows_now=_median(inside),
        root_rows=results(first, model.name),
        root_estimated=results(guess, model.name),
        root_readings=readings_of(first, model.name),
        root_estimated_readings=readings_of(guess, model.name),
        traffic=readings_of(points[rows.id], model.name) if rows else (),
        spans=[
            span_of(one, visit.site.url("/incidents/{incident}", incident=one.id))
            for one in (line, *sorted(others, key=lambda i: i.order))
        ],
        marks=[
            Mark(at_us=c.at_us, label=c.title, text=f"{c.kind}: {c.title}")
            for c in list_changes(scope, model_id=model.id, limit=200)
        ],
        start_us=start_us,
        end_us=end_us,
        traces=[
            TraceLine(event=t.event, at_us=t.at_us, trace_id=t.trace_id, error=t.error or "", url=t.url or "")
            for t in example_traces(visit.service.settings, model, found, root.segment if root else None)
        ],
    )


def _median(points: Sequence[Point]) -> float | None:
    known = [p.value for p in points if p.value is not None]
    return median(known) if known else None


def _same(one: Series, root: StoredAlert) -> bool:
    """Return whether a series is that of an alert, or says the same metric with labels where it says it without."""
    families = ("performance", "estimation") if root.family in ("performance", "estimation") else (root.family,)
    return (
        one.metric == root.metric
        and one.family in families
        and one.column == root.column
        and one.segment == root.segment
    )


def _main(of: Sequence[Series]) -> str:
    names = {one.metric for one in of if one.family in ("performance", "estimation")}
    return next((name for name in MAIN if name in names), "")


def _span(scope: Scope, one: Series | None, since_us: int, until_us: int | None, model: Model) -> tuple[int, int]:
    """Return the span that the chart shows: some chunks before it began, and some after its end."""
    every = overview.bounds(scope, [one.id]) if one is not None else None
    if every is None:
        return since_us, since_us
    chunk = max((every.end_us - every.first_us) // max(every.chunks, 1), 1)
    start = max(every.first_us, since_us - AROUND * chunk)
    end = every.end_us if until_us is None else min(every.end_us, until_us + AROUND // 2 * chunk)
    return start, max(end, start + 1)


def _alert(member: StoredAlert, *, is_root: bool) -> AlertLine:
    worst = member.body.get("worst") or {}
    return AlertLine(
        metric=member.metric,
        family=member.family,
        column=member.column,
        segment=member.segment,
        severity=member.severity,
        state=member.state,
        first_us=member.first_us,
        until_us=member.resolved_us,
        text=worst.get("text") or "",
        is_root=is_root,
        value=worst.get("value"),
        reference=worst.get("reference_value"),
        evidence=worst.get("evidence"),
        n=worst.get("n"),
        chunk=worst.get("chunk") or "",
    )


def _decisions(visit: Visit, scope: Scope, model: Model, starts: Sequence[int]) -> tuple[Amount | None, str]:
    """Return the share of positive decisions, or the mean prediction, in the reference and in the incident's chunks."""
    if model.reference_id is None or not starts:
        return None, ""
    reference = visit.reference(scope, model.reference_id)
    if reference is None:
        return None, ""
    kept = starts[-MOST_PROFILES:]
    found = read_profiles_at(scope, model.reference_id, "chunk", kept)
    profiles = [ChunkProfile.of(reference, one).profiles.at(0) for one in found]
    schema = reference.schema
    note = f"reference, and the newest {len(profiles)} in it"
    if schema.task.has_positive:

        def share(tables: Sequence[object]) -> float | None:
            known = [t for t in tables if isinstance(t, ScoreTable)]
            said = sum(int(t.counts[:NONE].sum()) for t in known)
            return sum(int(t.counts[YES].sum()) for t in known) / said if said else None

        before, now = share([reference.total.outcomes]), share([p.outcomes for p in profiles])
        return Amount(before=before, now=now, unit="share", note=note), decisions_name(schema.positive)
    if schema.task.numeric and schema.prediction is not None and isinstance(reference.total.outcomes, RegressionCells):
        column = schema.prediction
        before = reference.total.moments(column).mean
        moments = [p.moments(column) for p in profiles]
        n = sum(m.n for m in moments)
        now = sum(m.mean * m.n for m in moments if m.n) / n if n else None
        return Amount(before=before, now=now, note=note), decisions_name(None)
    return None, ""


def _happenings(scope: Scope, found: StoredIncident, model: Model, members: Sequence[StoredAlert]) -> list[Happening]:
    """Return the course of an incident: alarms, what was changed around its beginning, what people did, its end."""
    chunk_us, noun = _chunk_us(model, found.since_us), chunk_noun(model.chunk)
    happened = [
        Happening(
            at_us=found.since_us,
            kind="alarm",
            said=f"It began: the first {noun} in which {_what(members[0])} is in alarm." if members else "It began.",
        )
    ]
    fired = min((m.fired_us for m in members if m.fired_us is not None), default=None)
    if fired is not None and fired != found.since_us:
        happened.append(Happening(at_us=fired, kind="alarm", said=f"An alarm could be raised: the {noun} had ended."))
    happened.append(Happening(at_us=found.opened_us, kind="alarm", said="barograph found it."))
    for change in list_changes(scope, model_id=model.id, start_us=found.since_us - 2 * chunk_us, limit=MOST_CHANGES):
        happened.append(
            Happening(
                at_us=change.at_us,
                kind="change",
                said=f"{change.kind}: {change.title}",
                by=str(change.created_by or ""),
            )
        )
    for said in stored.list_comments(scope, model.id, found.id, limit=MOST_COMMENTS):
        happened.append(Happening(at_us=said.at_us, kind="person", said=said.text, by=said.author.name))
    if found.acknowledged_us is not None:
        happened.append(
            Happening(
                at_us=found.acknowledged_us, kind="person", said="has seen to it.", by=str(found.acknowledged_by or "")
            )
        )
    for at_us, by, text in (
        (found.assigned_us, found.assigned_by, f"gave it to {found.assigned_to or 'nobody'}."),
        (found.verdict_us, found.verdict_by, f"said: {found.verdict}." if found.verdict else "took the verdict back."),
        (found.said_us, found.said_by, _said(found)),
    ):
        if at_us is not None:
            happened.append(Happening(at_us=at_us, kind="person", said=text, by=str(by or "")))
    if found.until_us is not None:
        happened.append(Happening(at_us=found.until_us, kind="end", said="It was over."))
    return happened


def _said(found: StoredIncident) -> str:
    word = "said that it is over" if found.said_state == handling_of.RESOLVED else "said that it is not over"
    return f"{word}: {found.said_reason}" if found.said_reason else f"{word}."


def _what(member: StoredAlert) -> str:
    of, where = f" of {member.column}" if member.column else "", f" in {member.segment}" if member.segment else ""
    return title_of(member.metric) + of + where


def _chunk_us(model: Model, at_us: int) -> int:
    from barograph.times import from_microseconds

    rule = rule_of(model)
    start = rule.floor(from_microseconds(at_us))
    return to_microseconds(rule.next(start)) - to_microseconds(start)
