"""Reading a scenario: TOML to what is to be run, or all that is wrong with it at once."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any  # what stands in a file, before it is checked
from zlib import crc32

import numpy as np

from barograph.alerts.alert import State
from barograph.alerts.severity import Severity
from barograph.alerts.silence import Silence
from barograph.chunks import TimeChunks
from barograph.errors import SpecError, did_you_mean
from barograph.metrics import catalogue
from barograph.rules import RuleKind
from barograph.rules.budget import FAMILIES
from barograph.scenarios.reader import (
    Reader,
    chunk_of,
    number,
    one_of,
    or_one_of,
    positive,
    severity_of,
    text_of,
    texts,
    time_of,
    values_of,
    whole,
)
from barograph.scenarios.rules import settings_of, tried
from barograph.scenarios.values import Value, with_noise

QUIET = "quiet"  # of a monitor without an alert
STATES = (QUIET, *(state.value for state in State))
NUMBERS, NAMES = ("incidents",), ("silenced", "explained")
RESERVED = (*NUMBERS, "severity", "title", *NAMES)
TOP = ("title", "start", "chunk", "hold", "quiet", "outputs", "seed", "monitors", "silences", "steps")
OF_MONITOR = ("metric", "family", "column", "segment", "rule", "values", "severity", "harm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """One monitor of a scenario. `settings` are its rule's, complete."""

    name: str
    metric: str
    family: str
    column: str | None
    segment: str | None
    rule: str
    settings: Mapping[str, Any]
    values: tuple[Value | None, ...]
    severity: Severity | None
    harm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Let `advance` chunks pass, then compare. `expect` is by name of a monitor or by one of `RESERVED`."""

    advance: int
    expect: Mapping[str, Any]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario that holds together."""

    title: str
    start: datetime
    chunk: TimeChunks
    hold: int
    quiet: int
    outputs: tuple[str, ...]
    monitors: tuple[Monitored, ...]
    silences: tuple[Silence, ...]
    steps: tuple[Step, ...]


def parse_scenario(text: str, *, where: str = "scenario") -> Scenario:
    """Return the scenario that `text` describes; raise SpecError with every problem, each with its line and path."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(
            f"this is not TOML: {error}. Texts stand in quotes, tables in [brackets].", where=where
        ) from None
    reader = Reader(text)
    scenario = _scenario(reader, data)
    if reader.problems:
        raise SpecError([problem for _, problem in sorted(reader.problems, key=lambda p: p[0])], where=where)
    return scenario


def _scenario(reader: Reader, data: Mapping[str, Any]) -> Scenario:
    reader.unknown(data, TOP, "")
    chunk = reader.read(data, "chunk", "", chunk_of, TimeChunks("d"))
    seed = reader.read(data, "seed", "", whole, 0)
    monitors = reader.table(data, "monitors")
    found = [_monitor(reader, name, table, seed) for name, table in monitors.items()]
    if not monitors:
        reader.problem("monitors", "a scenario needs at least one monitor: [monitors.a_name_of_yours].")
    steps = [_step(reader, i, table, monitors) for i, table in enumerate(reader.tables(data, "steps"))]
    if not steps:
        reader.problem("steps", "a scenario needs at least one step: [[steps]] with advance and expect.")
    total = sum(step.advance for step in steps)
    for monitor in found:
        if monitor and monitor.values and len(monitor.values) < total:
            reader.problem(
                f"monitors.{monitor.name}.values",
                f"there are {len(monitor.values)} values, but the steps advance {total} chunks. "
                "Add values, or '- x n' for chunks without one.",
            )
    return Scenario(
        title=reader.read(data, "title", "", text_of, ""),
        start=reader.read(data, "start", "", time_of, datetime(2024, 1, 1, tzinfo=UTC)),
        chunk=chunk,
        hold=reader.read(data, "hold", "", whole, 0),
        quiet=reader.read(data, "quiet", "", positive, 2),
        outputs=reader.read(data, "outputs", "", texts, ()),
        monitors=tuple(monitor for monitor in found if monitor),
        silences=tuple(filter(None, (_silence(reader, i, t) for i, t in enumerate(reader.tables(data, "silences"))))),
        steps=tuple(steps),
    )


def _monitor(reader: Reader, name: str, table: object, seed: int) -> Monitored | None:
    path = f"monitors.{name}"
    if not isinstance(table, dict):
        reader.problem(path, f"this must be a table, [{path}].")
        return None
    if name in RESERVED:
        reader.problem(path, f"this name has a meaning in `expect`. Call the monitor something else than {name!r}.")
    rule = reader.read(table, "rule", path, one_of("rule", tried()), "")
    if "rule" not in table:
        reader.problem(path, f"`rule` is missing: one of {', '.join(tried())}.")
    tested = tried().get(rule)
    reader.unknown(table, (*OF_MONITOR, *(settings_of(tested) if tested else (k for k in table))), path)
    family = reader.read(table, "family", path, one_of("family", FAMILIES), "")
    metric, family = _metric(reader, table, path, family)
    nothing: list[Value | None] = []
    values = reader.read(table, "values", path, values_of, nothing)
    if "values" not in table:
        reader.problem(path, "`values` is missing: what came in each chunk, such as '0.02 x 5, 0.08 x 3'.")
    if tested and tested.takes == "parts" and any(value and not value.rows for value in values):
        reader.problem(f"{path}.values", f"the rule {rule} counts rows: write '30/1000', so many of so many rows.")
    return Monitored(
        name=name,
        metric=metric,
        family=family,
        column=reader.read(table, "column", path, text_of, None),
        segment=reader.read(table, "segment", path, text_of, None),
        rule=rule,
        settings=_settings(reader, table, path, rule, tested) if tested else {},
        values=tuple(with_noise(values, np.random.default_rng([seed, crc32(name.encode())]))),
        severity=reader.read(table, "severity", path, severity_of, None),
        harm=reader.read(table, "harm", path, number, None),
    )


def _metric(reader: Reader, table: Mapping[str, Any], path: str, family: str) -> tuple[str, str]:
    known = sorted({name for _, name in catalogue()})
    if "metric" not in table:
        reader.problem(path, "`metric` is missing: what is watched, such as 'missing_share'.")
    metric = reader.read(table, "metric", path, text_of, "")
    if family == "operations" or not metric:
        return metric, family
    if metric not in known:
        reader.problem(f"{path}.metric", f"there is no metric {metric!r}.{did_you_mean(metric, known)}")
        return metric, family
    families = [of for of, name in catalogue() if name == metric]
    if "performance" in families:
        families.append("estimation")
    if family and family not in families:
        reader.problem(f"{path}.family", f"{metric} is of the family {' or '.join(families)}, not {family!r}.")
    return metric, family or families[0]


def _settings(reader: Reader, table: Mapping[str, Any], path: str, rule: str, tested: RuleKind) -> dict[str, Any]:
    settings = {}
    for key, setting in settings_of(tested).items():
        if key not in table and setting.default is ...:
            reader.problem(path, f"the rule {rule} needs `{key}`.")
        settings[key] = reader.read(table, key, path, setting.read, setting.default)
    if tested.one_of and not any(key in table for key in tested.one_of):
        reader.problem(path, f"the rule {rule} needs {' or '.join(f'`{key}`' for key in tested.one_of)}.")
    low, high = settings.get("lower"), settings.get("upper")
    if low is not None and high is not None and low > high:
        reader.problem(f"{path}.lower", f"`lower` must not be above `upper`, got {low!r} and {high!r}.")
    return settings


def _silence(reader: Reader, i: int, table: Mapping[str, Any]) -> Silence | None:
    path = f"silences[{i}]"
    reader.unknown(table, ("match", "reason", "start", "end"), path)
    match = table.get("match", {})
    if not isinstance(match, dict) or not all(isinstance(pattern, str) for pattern in match.values()):
        reader.problem(f"{path}.match", 'labels and patterns are expected, such as { column = "dep_*" }.')
        return None
    start, end = (reader.read(table, key, path, time_of, None) for key in ("start", "end"))
    try:
        return Silence(matchers=tuple(match.items()), reason=str(table.get("reason", "")), start=start, end=end)
    except SpecError as error:
        for problem in error.problems:
            reader.problem(path, problem)
        return None


def _step(reader: Reader, i: int, table: Mapping[str, Any], monitors: Collection[str]) -> Step:
    path = f"steps[{i}]"
    reader.unknown(table, ("advance", "expect"), path)
    if "advance" not in table:
        reader.problem(path, "`advance` is missing: how many chunks pass before the comparison.")
    expect = table.get("expect", {})
    if not isinstance(expect, dict):
        reader.problem(
            f"{path}.expect", 'names and states are expected, such as { a_monitor = "firing", incidents = 1 }.'
        )
        expect = {}
    for key, value in expect.items():
        if message := _wrong_expectation(key, value, monitors):
            reader.problem(f"{path}.expect.{key}", message)
    advance = reader.read(table, "advance", path, whole, 0)
    return Step(advance=advance, expect=expect, line=reader.line(path))


def _wrong_expectation(key: str, value: object, monitors: Collection[str]) -> str:
    if key in NUMBERS:
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return "" if whole else f"a number of incidents that fire is expected, got {value!r}."
    if key == "severity":
        known = ("none", *(severity.value for severity in Severity))
        return "" if value in known else f"one of {', '.join(known)} is expected, got {value!r}."
    if key == "title":
        return "" if isinstance(value, str) and value else f"words of an incident's title are expected, got {value!r}."
    if key in NAMES:
        if not isinstance(value, list):
            return f"a list of monitors is expected, got {value!r}."
        wrong = [name for name in value if name not in monitors]
        return f"there is no monitor {wrong[0]!r}.{or_one_of(str(wrong[0]), monitors)}" if wrong else ""
    if key not in monitors:
        known_keys = (*monitors, *RESERVED)
        return f"there is no monitor {key!r}.{or_one_of(key, known_keys)}"
    if value not in STATES:
        return f"a state is expected: {', '.join(STATES)}. Got {value!r}.{did_you_mean(str(value), STATES)}"
    return ""


def length_of(chunk: TimeChunks) -> timedelta:
    """Return the usual length of a chunk."""
    return timedelta(seconds=chunk.seconds)
