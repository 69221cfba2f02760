"""Scenarios: what should happen to alerts and incidents, as text that anybody can write, and whether it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any  # Any: what is expected is a text, a number or a list

from barograph.alerts.alert import Alert, State
from barograph.alerts.breach import Breach
from barograph.alerts.breaches import severity
from barograph.alerts.incident import Incident, worst
from barograph.alerts.lifecycle import watch
from barograph.alerts.wording import subject
from barograph.chunks import Chunk, TimeChunks
from barograph.metrics import catalogue
from barograph.metrics.facts import value_of
from barograph.monitors.results import Result
from barograph.scenarios.rules import Judgement, judge, tried
from barograph.scenarios.text import NAMES, QUIET, Monitored, Scenario, length_of, parse_scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One comparison. `at` is the line in the file, `after` the number of chunks that have passed."""

    at: int
    after: int
    passed: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """What came of a scenario."""

    title: str
    lines: tuple[Line, ...]

    @property
    def passed(self) -> bool:
        """Return whether everything was as expected."""
        return all(line.passed for line in self.lines)

    def __str__(self) -> str:
        head = f"{'ok  ' if self.passed else 'FAIL'} {self.title}"
        return "\n".join([head, *(f"  {'ok  ' if line.passed else 'FAIL'} {line.text}" for line in self.lines)])


def run_scenario(text: str, *, where: str = "scenario") -> ScenarioResult:
    """Run the scenario that `text` describes (TOML), and return what was as expected and what was not.

    Monitors have a rule with its settings, and the value of each chunk; steps let chunks pass and say what is expected
    then: the state of a monitor's alert (quiet, pending, firing, resolved), the number of `incidents` that fire, the
    highest `severity`, words of a `title`, and which monitors are `silenced` or `explained` by others. Rules, alerts
    and incidents are those that run in production. Raises SpecError with all problems of the text, each with line and
    path; `where` names the file.

    >>> print(run_scenario('''
    ... title = "A column goes missing"
    ... [monitors.missing]
    ... metric = "missing_share"
    ... column = "weather"
    ... rule = "constant"
    ... upper = 0.05
    ... values = "0.02 x 3, 1 x 2"
    ... [[steps]]
    ... advance = 3
    ... expect = { missing = "quiet", incidents = 0 }
    ... [[steps]]
    ... advance = 1
    ... expect = { missing = "firing", title = "weather is missing" }
    ... '''))
    ok   A column goes missing
      ok   after 3 chunks (2024-01-03): missing is quiet
      ok   after 3 chunks (2024-01-03): incidents is 0
      ok   after 4 chunks (2024-01-04): missing is firing
      ok   after 4 chunks (2024-01-04): title has 'weather is missing'
    """
    scenario = parse_scenario(text, where=where)
    total = sum(step.advance for step in scenario.steps)
    chunks = _chunks(scenario.chunk, scenario.start, total)
    breaches: list[Breach] = []
    unsettled: dict[tuple[str, str, int], float | None] = {}
    for monitor in scenario.monitors:
        kind, length = tried()[monitor.rule], length_of(scenario.chunk)
        judged = judge(kind, monitor.settings, monitor.values, length, better=_better(monitor.metric))
        for i, (chunk, judgement) in enumerate(zip(chunks, judged, strict=False)):
            if judgement.breach:
                breaches.append(_breach(monitor, judgement, i, chunk))
            elif not judgement.known or judgement.evidence is not None:
                unsettled["scenario", monitor.name, i] = judgement.evidence if judgement.known else None
    lines: list[Line] = []
    passed = 0
    for step in scenario.steps:
        passed += step.advance
        found = _Found(scenario, breaches, unsettled, chunks[:passed])
        when = f"after {passed} {'chunk' if passed == 1 else 'chunks'}"
        when += f" ({chunks[passed - 1].key})" if passed else ""
        for key, expected in step.expect.items():
            ok, said = found.compare(key, expected)
            lines.append(Line(at=step.line, after=passed, passed=ok, text=f"{when}: {said}"))
    return ScenarioResult(title=scenario.title or where, lines=tuple(lines))


def _better(metric: str) -> str:
    """Return the direction in which a metric is better; that of one that only the scenario knows is not known."""
    return next((known.better for (_, name), known in catalogue().items() if name == metric), "neither")


def _chunks(rule: TimeChunks, start: datetime, n: int) -> list[Chunk]:
    chunks, begin = [], rule.floor(start)
    for _ in range(n):
        end = rule.next(begin)
        chunks.append(Chunk(key=rule.key(begin), start=begin, end=end))
        begin = end
    return chunks


def _breach(monitor: Monitored, judgement: Judgement, position: int, chunk: Chunk) -> Breach:
    came = monitor.values[position]
    value = came.number if came else None
    row = Result(
        model="scenario",
        version="",
        monitor=monitor.name,
        metric=monitor.metric,
        family=monitor.family,
        column=monitor.column,
        segment=monitor.segment,
        chunk=chunk.key,
        chunk_start=chunk.start,
        chunk_end=chunk.end,
        n=came.rows if came else 0,
        value=value,
    )
    what = subject(monitor.metric, monitor.family) + (f" of `{monitor.column}`" if monitor.column else "")
    said = "did not come" if value is None else f"is {value_of(value, monitor.metric, monitor.family)}"
    return Breach(
        model=row.model,
        monitor=row.monitor,
        metric=row.metric,
        family=row.family,
        column=row.column,
        segment=row.segment,
        chunk=row.chunk,
        position=position,
        start=row.chunk_start,
        end=row.chunk_end,
        severity=monitor.severity or severity(row),
        text=f"{what} {said}{judgement.note}",
        value=value,
        reference_value=judgement.reference,
        limit=judgement.limit,
        evidence=judgement.evidence,
        harm=monitor.harm,
        n=row.n,
    )


class _Found:
    """Alerts and incidents as they stand when the last of `chunks` has passed."""

    def __init__(
        self,
        scenario: Scenario,
        breaches: Sequence[Breach],
        unsettled: Mapping[tuple[str, str, int], float | None],
        chunks: Sequence[Chunk],
    ) -> None:
        alerts, self.incidents = watch(
            [breach for breach in breaches if breach.position < len(chunks)],
            chunks,
            hold=scenario.hold,
            quiet=scenario.quiet,
            silences=scenario.silences,
            outputs=scenario.outputs,
            unsettled=unsettled,
        )
        self.latest = {alert.last_breach.monitor: alert for alert in alerts}
        self.hold = scenario.hold

    @property
    def open(self) -> list[Incident]:
        return [i for i in self.incidents if i.state is State.FIRING and not i.silenced_by]

    def compare(self, key: str, expected: Any) -> tuple[bool, str]:
        """Return whether an expectation is met, and a sentence about it."""
        if key == "title":
            titles = [incident.title for incident in self.incidents]
            if any(expected in title for title in titles):
                return True, f"title has {expected!r}"
            return False, f"title: expected one with {expected!r}, got {'; '.join(titles) or 'no incident'}"
        got: str | int | list[str]
        if key in NAMES:
            expected, got = sorted(expected), sorted(self._marked(key))
        elif key == "incidents":
            got = len(self.open)
        elif key == "severity":
            highest = worst(self.open)
            got = highest.value if highest else "none"
        else:
            got = self.latest[key].state.value if key in self.latest else QUIET
        if got == expected:
            return True, f"{key} is {_said(got)}"
        return False, f"{key}: expected {_said(expected)}, got {_said(got)}{self._why(key)}"

    def _marked(self, key: str) -> list[str]:
        alerts = {alert.id: alert for alert in self.latest.values()}
        alerts |= {alert.id: alert for incident in self.incidents for alert in incident.alerts}
        marked = [a for a in alerts.values() if (a.silenced_by if key == "silenced" else a.inhibited_by)]
        return list({alert.last_breach.monitor for alert in marked})

    def _why(self, key: str) -> str:
        if key == "incidents":
            return "".join(f"\n         {incident.title}" for incident in islice(self.open, 5))
        alert = self.latest.get(key)
        if alert is None:
            return "" if key in NAMES or key == "severity" else " (never in breach)"
        return f" ({_history(alert, self.hold)})"


def _history(alert: Alert, hold: int) -> str:
    chunks = (
        f"in breach in {alert.breaches} {'chunk' if alert.breaches == 1 else 'chunks'} since {alert.first.chunk.key}"
    )
    waits = f"; hold is {hold}" if alert.state is State.PENDING else ""
    calm = f"; calm for {alert.calm}" if alert.calm else ""
    return f"{chunks}{waits}{calm}: {alert.last_breach.text}"


def _said(value: Any) -> str:
    return ", ".join(value) or "nobody" if isinstance(value, list) else str(value)
