"""The page on which a change of a monitor is replayed over the past before it is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import unified_diff
from functools import partial
from typing import Any  # Any: values of any key of a monitor

from starlette.responses import Response

from barograph.checks.spec_check import plan_of
from barograph.dashboard.exports import Export, of_records
from barograph.dashboard.lists import Field
from barograph.dashboard.replay import ReplayedLine, ReplayPage, over, replayed_lines
from barograph.dashboard.words import chunk_noun
from barograph.errors import BarographError
from barograph.metrics.facts import heading_of
from barograph.monitors.monitor import Monitor
from barograph.server.catalog_lookup import model_named
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem, not_found, of_error
from barograph.server.replayed import compared, verdicts_of
from barograph.server.routes import models as model_routes
from barograph.spec.change_monitor import change_monitor
from barograph.spec.file import ModelSpec, spec_of
from barograph.spec.write import spec_text
from barograph.store.catalog.models import Model
from barograph.store.catalog.results import Series, list_series

_NUMBERS = {"hold": int, "tolerance": float, "weight": float}
_FIELDS = (
    ("hold", "{spans} more before it is told"),
    ("tolerance", "Change that matters"),
    ("weight", "Part of the false-alarm budget (1 is usual)"),
)


def replay(visit: Visit, *, given: Mapping[str, str] | None = None, problem: str = "", status: int = 200) -> Response:
    """Return the page: the change that is asked for, and what it would have done."""
    asked = {name: visit.asked(name, most=50) for name in (*_NUMBERS, "off")} if given is None else dict(given)
    name = visit.asked("monitor", most=2000) or (given or {}).get("monitor", "")
    found, one = _monitor(visit, name)
    about = name_of(one)
    page = ReplayPage(
        title=f"Replay of {found.name}",
        name=found.name,
        sentence=f"What would another way of watching {about} have told over the past?",
        about=about,
        fields=_fields(found, asked),
        given=[(key, value) for key, value in asked.items() if value and key != "monitor"],
        monitor=name,
        problem=problem,
    )
    if problem or not page.given:
        return visit.page("replay.html", page, status=status)
    try:
        spec = _changed(visit, found, one, asked)
        comparison, then = compared(visit.service, visit.caller, found.name, spec)
    except BarographError as error:
        wrong = of_error(error)
        page = replace(page, problem=_plain(wrong))
        return visit.page("replay.html", page, status=wrong.status)
    except Problem as wrong:
        page = replace(page, problem=wrong.first)
        return visit.page("replay.html", page, status=wrong.status)
    verdicts = verdicts_of(visit.service, visit.caller, found.name)
    lines = replayed_lines(comparison, verdicts)
    page = replace(
        page,
        sentence=comparison.sentence(verdicts, over=over(then.chunks, found.chunk)),
        lines=lines,
        difference=_difference(found, spec),
    )
    return visit.page("replay.html", page, exports=partial(_exports, lines))


def save(visit: Visit) -> Response:
    """Put a change in force."""
    given = {name: visit.form.get(name, "")[:50] for name in (*_NUMBERS, "off")}
    name = visit.form.get("monitor", "")[:2000]
    found, one = _monitor(visit, name)
    try:
        spec = _changed(visit, found, one, given)
        plain = spec.model_dump(mode="json", exclude_defaults=True)
        model_routes.put_plain(found.name, plain, visit.request, visit.service, visit.caller, create=False)
    except BarographError as error:
        wrong = of_error(error)
        return replay(visit, given={**given, "monitor": name}, problem=_plain(wrong), status=wrong.status)
    except Problem as wrong:
        return replay(visit, given={**given, "monitor": name}, problem=wrong.first, status=wrong.status)
    return visit.go("/models/{model}/monitors", model=found.name)


def name_of(one: Series) -> str:
    """Return what a monitor watches, in words."""
    of, where = f" of {one.column}" if one.column else "", f" in {one.segment}" if one.segment else ""
    return heading_of(one.metric) + of + where


def _monitor(visit: Visit, name: str) -> tuple[Model, Series]:
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        one = next((one for one in list_series(scope, found.id) if one.monitor == name), None)
    if one is None:
        raise not_found("monitor", name[:200])
    return found, one


def _fields(found: Model, asked: Mapping[str, str]) -> list[Field]:
    spans = f"{chunk_noun(found.chunk)}s".capitalize()
    fields = [Field(name=name, label=label.format(spans=spans), value=asked.get(name, "")) for name, label in _FIELDS]
    choices = (("", "goes on"), ("yes", "is not watched at all"))
    return [*fields, Field(name="off", label="It", choices=choices, value=asked.get("off", ""))]


def _changed(visit: Visit, found: Model, one: Series, asked: Mapping[str, str]) -> ModelSpec:
    """Return the specification with the change; raise Problem for what is no number, SpecError for what cannot be."""
    change: dict[str, Any] = {}
    for name, kind in _NUMBERS.items():
        if text := asked.get(name, "").strip():
            try:
                change[name] = kind(text)
            except ValueError:
                raise Problem("invalid", f"{name}: this must be a number. Got {text!r}.") from None
    if asked.get("off"):
        change = {"off": True}
    before = ModelSpec.model_validate(found.spec)
    every, default = _planned(visit, found, before), _planned(visit, found, before.model_copy(update={"monitors": ()}))
    same = [m for m in every if m.metric.name == one.metric and m.segment == (one.segment or "")]
    if one.monitor not in {m.name for m in every}:
        detail = "This number follows from others, and is not asked for by itself: change the metric that is measured."
        raise Problem("invalid", detail)
    spec = change_monitor(
        before,
        metric=one.metric,
        column=one.column,
        segment=one.segment,
        columns=[m.column for m in same if m.column is not None],
        is_default=one.monitor in {m.name for m in default},
        **change,
    )
    return spec_of(spec.model_dump(mode="json", exclude_defaults=True))


def _planned(visit: Visit, found: Model, spec: ModelSpec) -> list[Monitor]:
    with visit.read() as scope:
        segments = [one.segment for one in list_series(scope, found.id) if one.segment is not None]
        reference = None if found.reference_id is None else visit.reference(scope, found.reference_id)
    if reference is None:
        raise Problem("not-ready", f"The model {found.name!r} has no reference yet, so there is no past to replay.")
    return plan_of(spec).monitors(reference.yardstick, segments=list(dict.fromkeys(segments)))


def _difference(found: Model, spec: ModelSpec) -> str:
    old, new = spec_text(ModelSpec.model_validate(found.spec)).splitlines(), spec_text(spec).splitlines()
    return "\n".join(unified_diff(old, new, "now", "then", lineterm="", n=0)) or "It would say the same."


def _exports(lines: list[ReplayedLine]) -> Mapping[str, Export]:
    return {"incidents": of_records(lines, change=str, severity=str, title=str, span=str, verdict=str)}


def _plain(wrong: Problem) -> str:
    return "\n".join(f"{one.path}: {one.message}" for one in wrong.errors) or wrong.detail
