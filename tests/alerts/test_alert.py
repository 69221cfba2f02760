"""The state machine of one alert."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.alerts.alert import Alert, Moment, State, exceedance, fingerprint, step
from barograph.alerts.breach import Breach
from barograph.alerts.severity import Severity
from barograph.chunks import Chunk

History = Callable[..., list[Breach]]
BREACH = Breach(
    model="m",
    monitor="drift.psi.age",
    metric="psi",
    family="drift",
    column="age",
    segment=None,
    chunk="0",
    position=0,
    start=None,
    end=None,
    severity=Severity.NOTICE,
    text="PSI of age is 0.5",
)
LETTERS = {State.PENDING: "P", State.FIRING: "F", State.RESOLVED: "R"}


def at(i: int) -> Moment:
    return Moment(i, Chunk(key=str(i)))


def run(pattern: str, *, hold: int = 0, quiet: int = 2, repeat: int = 1) -> Iterator[Alert | None]:
    """Yield the alert after each chunk: `b` in breach, `.` calm, `?` not known."""
    alert: Alert | None = None
    for i, mark in enumerate(pattern):
        for _ in range(repeat):
            alert = step(alert, BREACH if mark == "b" else None, now=at(i), hold=hold, quiet=quiet, defined=mark != "?")
        yield alert


@pytest.mark.parametrize(
    ("pattern", "hold", "quiet", "states"),
    [
        ("....", 0, 2, "----"),
        ("b....", 0, 2, "FFRRR"),
        ("b.b.b..", 0, 2, "FFFFFFR"),  # one calm chunk is not the end
        ("bb.bbb", 2, 2, "PP-PPF"),  # a calm chunk ends what has not fired
        ("bbb.b", 2, 1, "PPFRP"),  # after its end, a breach has to hold again
        ("b???..", 0, 2, "FFFFFR"),  # what is not known is not calm
        ("b??bb", 2, 2, "PPPFF"),
        ("b.?.", 0, 2, "FFFR"),
    ],
)
def test_states(pattern: str, hold: int, quiet: int, states: str) -> None:
    found = ["-" if alert is None else LETTERS[alert.state] for alert in run(pattern, hold=hold, quiet=quiet)]
    assert "".join(found) == states


def fired_spans(alerts: Iterator[Alert | None]) -> list[tuple[int, int]]:
    """Return the first and last chunk in breach of each alert that fired."""
    spans: dict[int, int] = {}
    for alert in alerts:
        if alert is not None and alert.has_fired:
            spans[alert.first.position] = alert.last.position
    return list(spans.items())


@given(st.text("bbb..", max_size=60), st.integers(0, 3), st.integers(1, 3))
def test_an_alert_lasts_from_a_held_breach_to_the_last_before_enough_quiet(text: str, hold: int, quiet: int) -> None:
    # The same said by a regular expression: so many breaches in a row, then more, with fewer than `quiet` gaps.
    expected = re.finditer(rf"b{{{hold + 1}}}(?:\.{{0,{quiet - 1}}}b)*", text)
    assert fired_spans(run(text, hold=hold, quiet=quiet)) == [(m.start(), m.end() - 1) for m in expected]


@given(st.text("bb.?", max_size=40), st.integers(0, 3), st.integers(1, 3))
def test_a_chunk_never_counts_twice(text: str, hold: int, quiet: int) -> None:
    once, thrice = (run(text, hold=hold, quiet=quiet, repeat=repeat) for repeat in (1, 3))
    assert list(once) == list(thrice)


def test_an_older_chunk_changes_nothing() -> None:
    *_, alert = run("bb.bb")
    assert alert is not None
    assert step(alert, BREACH, now=at(2)) is alert
    assert step(alert, None, now=at(4)) is alert


def test_evidence_has_to_fall_below_a_tenth(history: History) -> None:
    first, *_ = history("drift.psi.age nnn", evidence=log(1000))
    alert = step(None, first, now=at(0), quiet=1)
    still = step(alert, None, now=at(1), quiet=1, evidence=log(200))
    assert still is not None
    assert still.state is State.FIRING
    over = step(still, None, now=at(2), quiet=1, evidence=log(90))
    assert over is not None
    assert (over.state, over.resolved) == (State.RESOLVED, at(2))


def test_evidence_that_holds_starts_the_quiet_anew(history: History) -> None:
    alert = step(None, history("drift.psi.age n", evidence=log(1000))[0], now=at(0), quiet=2)
    for i, evidence in enumerate([log(50), log(200), log(50)], start=1):
        alert = step(alert, None, now=at(i), quiet=2, evidence=evidence)
        assert alert is not None
        assert alert.state is State.FIRING


def test_what_an_alert_remembers(history: History, breach: Callable[..., Breach]) -> None:
    values = [("n", 0.3), ("w", 0.4), ("w", 0.6), ("n", 0.9), ("w", 0.5)]
    marks = {"n": Severity.NOTICE, "w": Severity.WARNING}
    alert = None
    for i, (mark, value) in enumerate(values):
        alert = step(alert, breach("drift.psi.age", i, marks[mark], value=value), now=at(i), hold=1)
    assert alert is not None
    assert (alert.breaches, alert.severity, alert.worst.value, alert.last_breach.value) == (5, "warning", 0.6, 0.5)
    assert (alert.first, alert.fired, alert.last) == (at(0), at(1), at(4))


def test_times_are_those_of_the_chunks(history: History, weeks: Callable[[int], list[Chunk]]) -> None:
    chunks, alert = weeks(5), None
    for i, b in enumerate([*history("drift.psi.age nnn"), None, None]):
        alert = step(alert, b, now=Moment(i, chunks[i]), hold=1)
    assert alert is not None
    assert (alert.active_at, alert.fired_at) == (chunks[0].start, chunks[1].end)
    assert (alert.resolved_at, alert.until) == (chunks[4].end, 4)


def test_identity_outlives_changes_of_state() -> None:
    alerts = [alert for alert in run("bb.b..b") if alert is not None]
    assert len({alert.labels for alert in alerts}) == 1
    assert len({alert.id for alert in alerts[:-1]}) == 1
    assert alerts[-1].id != alerts[0].id


def test_to_dict_is_plain() -> None:
    *_, alert = run("bb")
    assert alert is not None
    said = json.loads(json.dumps(alert.to_dict(), allow_nan=False))
    assert (said["state"], said["severity"], said["column"], said["segment"]) == ("firing", "notice", "age", None)
    assert said["last"]["text"] == "PSI of age is 0.5"


@pytest.mark.parametrize(
    ("value", "reference", "limit", "expected"),
    [(0.9, 0.5, 0.6, 3.0), (0.2, None, 0.1, 1.0), (3.0, 0.0, 0.0, 3.0), (None, 0.5, 0.6, 0.0), (0.2, 0.1, None, 0.0)],
)
def test_exceedance(
    breach: Callable[..., Breach],
    value: float | None,
    reference: float | None,
    limit: float | None,
    expected: float,
) -> None:
    b = breach("drift.psi.age", 0, Severity.NOTICE, value=value, reference_value=reference, limit=limit)
    assert exceedance(b) == pytest.approx(expected)


@given(st.lists(st.text("ab", max_size=3), max_size=3), st.lists(st.text("ab", max_size=3), max_size=3))
def test_fingerprints_differ_where_their_parts_do(a: list[str], b: list[str]) -> None:
    if len(a) == len(b):
        assert (fingerprint(*a) == fingerprint(*b)) == (a == b)
