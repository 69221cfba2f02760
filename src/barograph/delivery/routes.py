"""Routes: a tree from the labels of an incident to those who are told of it, and when."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Annotated, Any, TypeAlias  # Any: what stands in a file

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from barograph.alerts.severity import Severity
from barograph.delivery.hours import Quiet
from barograph.errors import did_you_mean
from barograph.spec.file import Span, seconds_of

LABELS = ("model", "project", "severity", "family", "segment", "owner")
Labels: TypeAlias = Mapping[str, Sequence[str]]  # an incident can be of several segments; "" is the whole
NEVER = "never"
SEVERITIES = tuple(severity.value for severity in Severity)
_FROZEN = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _patterns(value: Any) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not values or not all(isinstance(one, str) for one in values):
        raise ValueError("This must be a text, or a list of texts of which one matches.")
    return tuple(values)


def _repeat(value: Any) -> str:
    if value == NEVER:
        return NEVER
    if not isinstance(value, str) or not seconds_of(value):
        raise ValueError(f"This must be a duration as in '4h', or {NEVER!r}.")
    return value


def _wait(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("This must be a duration as in '30s'.")
    seconds_of(value)
    return value


def severity_of(value: Any) -> Severity:
    """Return a severity by its name; raise ValueError for another."""
    if value not in SEVERITIES:
        raise ValueError(f"This must be one of {', '.join(SEVERITIES)}.{did_you_mean(str(value), SEVERITIES)}")
    return Severity(value)


Names = Annotated[tuple[str, ...], Field(min_length=1)]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_patterns)]


class Escalation(BaseModel):
    """Who is told if nobody has acknowledged it `after` this time since it was told first."""

    model_config = _FROZEN

    after: Span
    receivers: Names


class Route(BaseModel):
    """One route. What is left out is that of the route above it; at the top it is the default.

    An incident takes the first route that matches, and with `continue` the ones after it, too. Where routes inside of
    it match, these are taken instead. It is told after `wait` (30s), together with others of the same `group_by`
    labels, from the severity `least` (warning) on; again after `repeat` (1d, or "never") as long as it fires and nobody
    has acknowledged it; not in `quiet` hours, but when these end.
    """

    model_config = _FROZEN

    match: dict[str, Patterns] = Field(default_factory=dict)
    receivers: Names | None = None
    go_on: bool = Field(default=False, alias="continue")
    least: Annotated[Severity, BeforeValidator(severity_of)] | None = None
    wait: Annotated[str, BeforeValidator(_wait)] | None = None
    repeat: Annotated[str, BeforeValidator(_repeat)] | None = None
    group_by: tuple[str, ...] | None = None
    quiet: tuple[Quiet, ...] | None = None
    escalate: tuple[Escalation, ...] | None = None
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A route with all that holds for it. `path` is where it stands, as in `$.routes[0]`; spans are in seconds."""

    path: str = "$"
    receivers: tuple[str, ...] = ()
    least: Severity = Severity.WARNING
    wait_s: float = 30.0
    repeat_s: float | None = 86_400.0
    group_by: tuple[str, ...] = ()
    quiet: tuple[Quiet, ...] = ()
    escalate: tuple[Escalation, ...] = ()

    def group_of(self, labels: Labels) -> str | None:
        """Return what incidents have in common that are told together; None where each is told by itself."""
        if not self.group_by:
            return None
        return "\x1f".join(",".join(sorted(labels.get(name, ()))) for name in self.group_by)


def targets(routes: Sequence[Route], labels: Labels) -> list[Target]:
    """Return the routes that an incident takes, in the order of the file; none where none matches.

    >>> ops = Route(match={"severity": ["critical"]}, receivers=("pager",))
    >>> [t.receivers for t in targets([ops, Route(receivers=("mail",))], {"severity": ["warning"]})]
    [('mail',)]
    """
    return _taken(routes, labels, Target())


def all_targets(routes: Sequence[Route], above: Target | None = None) -> Iterator[Target]:
    """Return every route of a tree with all that holds for it, a route before those inside of it."""
    above = above or Target()
    for i, route in enumerate(routes):
        here = _inherited(route, above, i)
        yield here
        yield from all_targets(route.routes, here)


def problems(routes: Sequence[Route], receivers: Collection[str]) -> list[str]:
    """Return what is wrong with a tree: unknown names, contradictions, and routes that nothing can take."""
    found = list(_problems(routes, receivers, Target(), {}))
    if receivers and not routes:
        found.append("$.routes: there are receivers and no [[routes]]: nobody would be told.")
    return found


def _taken(routes: Sequence[Route], labels: Labels, above: Target) -> list[Target]:
    found: list[Target] = []
    for i, route in enumerate(routes):
        if not matches(route.match, labels):
            continue
        here = _inherited(route, above, i)
        found += _taken(route.routes, labels, here) or [here]
        if not route.go_on:
            break
    return found


def matches(match: Mapping[str, Sequence[str]], labels: Labels) -> bool:
    """Return whether each label that is asked for has a value that one of its patterns is."""
    return all(
        any(fnmatchcase(value, pattern) for value in labels.get(name) or ("",) for pattern in patterns)
        for name, patterns in match.items()
    )


def _inherited(route: Route, above: Target, number: int) -> Target:
    own: dict[str, Any] = {
        name: value
        for name in ("receivers", "least", "group_by", "quiet", "escalate")
        if (value := getattr(route, name)) is not None
    }
    if route.wait is not None:
        own["wait_s"] = seconds_of(route.wait)
    if route.repeat is not None:
        own["repeat_s"] = None if route.repeat == NEVER else seconds_of(route.repeat)
    return replace(above, path=f"{above.path}.routes[{number}]", **own)


def _problems(
    routes: Sequence[Route], receivers: Collection[str], above: Target, asked: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    for i, route in enumerate(routes):
        here = _inherited(route, above, i)
        yield from _unknown(route, here, receivers)
        yield from _contradictions(route, here, asked)
        for j, earlier in enumerate(routes[:i]):
            if not earlier.go_on and _covers(earlier.match, route.match):
                before = f"{above.path}.routes[{j}]"
                yield f"{here.path}: nothing takes this route: {before} takes it all. Put it before, or add continue."
                break
        yield from _problems(route.routes, receivers, here, {**asked, **route.match})


def _unknown(route: Route, here: Target, receivers: Collection[str]) -> Iterator[str]:
    for name in route.match:
        if name not in LABELS:
            yield f"{here.path}.match.{name}: there is no such label.{did_you_mean(name, LABELS)}"
    for name in route.group_by or ():
        if name not in LABELS:
            yield f"{here.path}.group_by: there is no label {name!r}.{did_you_mean(name, LABELS)}"
    named = [(f"{here.path}.receivers", name) for name in route.receivers or ()]
    for k, step in enumerate(route.escalate or ()):
        named += [(f"{here.path}.escalate[{k}].receivers", name) for name in step.receivers]
    for path, name in named:
        if name not in receivers:
            yield f"{path}: there is no receiver {name!r}.{did_you_mean(name, receivers)}"
    if not here.receivers and not route.routes:
        yield f"{here.path}.receivers: this is needed: nobody would be told."
    spans = [seconds_of(step.after) for step in route.escalate or ()]
    if spans != sorted(set(spans)):
        yield f"{here.path}.escalate: each step must come later than the one before."
    for severity in route.match.get("severity", ()):
        if not any(fnmatchcase(known, severity) for known in SEVERITIES):
            yield f"{here.path}.match.severity: it is never {severity!r}.{did_you_mean(severity, SEVERITIES)}"


def _contradictions(route: Route, here: Target, asked: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for name, patterns in route.match.items():
        outer = asked.get(name)
        if outer and name != "segment" and not any(_meet(p, q) for p in patterns for q in outer):
            yield (
                f"{here.path}.match.{name}: nothing takes this route: a route above it asks for "
                f"{' or '.join(map(repr, outer))}."
            )
    severities = [s for s in SEVERITIES if _all_match({**asked, **route.match}.get("severity", ("*",)), s)]
    if severities and max(map(Severity, severities)) < here.least and not route.routes:
        yield f"{here.path}.least: nobody is told below {here.least.value}, and the route takes nothing else."


def _all_match(patterns: Sequence[str], value: str) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _is_plain(pattern: str) -> bool:
    return not any(c in pattern for c in "*?[")


def _meet(one: str, other: str) -> bool:
    """Return whether a value can match both; where both are patterns, they are taken to."""
    if _is_plain(one):
        return fnmatchcase(one, other)
    return fnmatchcase(other, one) if _is_plain(other) else True


def _covers(wide: Mapping[str, tuple[str, ...]], narrow: Mapping[str, tuple[str, ...]]) -> bool:
    """Return whether all that matches `narrow` certainly matches `wide`."""
    return all(
        name in narrow and all(any(_includes(p, q) for p in patterns) for q in narrow[name])
        for name, patterns in _asking(wide).items()
    )


def _asking(match: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {name: patterns for name, patterns in match.items() if "*" not in patterns}


def _includes(wide: str, narrow: str) -> bool:
    return wide == narrow or (_is_plain(narrow) and fnmatchcase(narrow, wide))
