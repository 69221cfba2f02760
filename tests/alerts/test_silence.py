"""Silences."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from barograph.alerts.breach import Breach
from barograph.alerts.incident import worst
from barograph.alerts.lifecycle import watch
from barograph.alerts.severity import Severity
from barograph.alerts.silence import Silence, silences_at
from barograph.chunks import Chunk
from barograph.errors import SpecError

History = Callable[..., list[Breach]]
Weeks = Callable[[int], list[Chunk]]
AGE = (("column", "age"),)


def day(month: int, day: int) -> datetime:
    return datetime(2013, month, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        ((("column", "age"),), True),
        ((("column", "a*"), ("metric", "psi")), True),
        ((("column", "a*"), ("metric", "missing_share")), False),
        ((("column", "Age"),), False),
        ((("segment", ""),), True),
        ((("segment", "?*"),), False),
    ],
)
def test_all_matchers_must_match(matchers: tuple[tuple[str, str], ...], expected: bool) -> None:
    labels = frozenset({("column", "age"), ("metric", "psi")})
    assert Silence(matchers=matchers, reason="r").matches(labels) is expected


def test_a_name_with_brackets_matches_itself() -> None:
    assert Silence(matchers=(("column", "x[0]"),), reason="r").matches(frozenset({("column", "x[0]")}))


@pytest.mark.parametrize(
    ("start", "end", "now", "expected"),
    [
        (None, None, day(8, 20), True),
        (None, None, None, True),
        (day(9, 1), None, day(9, 1), True),
        (day(9, 1), None, None, False),
        (None, day(9, 1), day(9, 1), False),
        (day(9, 1), day(9, 3), day(9, 2), True),
        (day(9, 1), day(9, 3), day(12, 31), False),
    ],
)
def test_a_silence_holds_by_the_clock_on_the_wall(
    start: datetime | None, end: datetime | None, now: datetime | None, expected: bool
) -> None:
    silence = Silence(matchers=AGE, reason="r", start=start, end=end)
    assert silence.holds_at(now) is expected
    assert bool(silences_at([silence], frozenset(AGE), now)) is expected
    assert not silences_at([silence], frozenset({("column", "origin")}), now)


def test_a_silence_from_now_on_mutes_what_was_in_breach_before(history: History, weeks: Weeks) -> None:
    breaches = history("drift.psi.age nnn")
    silence = Silence(matchers=AGE, reason="r", start=day(12, 24), end=day(12, 25))
    for now, expected in ((day(12, 23), False), (day(12, 24), True), (day(12, 25), False)):
        (alert,), (incident,) = watch(breaches, weeks(3), silences=[silence], now=now)
        assert bool(alert.silenced_by) is bool(incident.silenced_by) is (worst([incident]) is None) is expected


def test_without_a_clock_the_end_of_the_last_chunk_is_now(history: History, weeks: Weeks) -> None:
    chunks = weeks(3)
    end = chunks[-1].end
    assert end is not None
    silence = Silence(matchers=AGE, reason="r", start=end)
    assert watch(history("drift.psi.age nnn"), chunks, silences=[silence])[0][0].silenced_by == (silence,)
    assert watch(history("drift.psi.age nn."), chunks[:2], silences=[silence])[0][0].silenced_by == ()


def test_rows_without_times_are_under_endless_silences_alone(history: History, weeks: Weeks) -> None:
    breaches, chunks = history("drift.psi.age n"), [Chunk(key=chunk.key) for chunk in weeks(1)]
    for silence, expected in (
        (Silence(matchers=AGE, reason="r"), True),
        (Silence(matchers=AGE, reason="r", end=day(12, 31)), False),
    ):
        (alert,), _ = watch(breaches, chunks, silences=[silence])
        assert bool(alert.silenced_by) is expected


def test_holds_from_its_start_to_before_its_end() -> None:
    silence = Silence(matchers=AGE, reason="r", start=day(9, 1), end=day(9, 2))
    assert [silence.holds_at(t) for t in (day(8, 31), day(9, 1), day(9, 2))] == [False, True, False]


def test_a_silenced_alert_is_listed_with_the_reason(history: History, weeks: Weeks) -> None:
    breaches = history("drift.psi.age nnn")
    silence = Silence(matchers=AGE, reason="the survey changed its question")
    (alert,), (incident,) = watch(breaches, weeks(3), silences=[silence])
    assert alert.silenced_by == (silence,)
    assert alert.to_dict()["silenced_by"] == [{"reason": "the survey changed its question", "end": None}]
    assert incident.to_dict()["silenced_by"] == alert.to_dict()["silenced_by"]
    assert incident.silenced_by == (silence,)
    assert worst([incident]) is None


def test_an_alert_that_outlasts_its_silence_is_heard(history: History, weeks: Weeks) -> None:
    breaches = history("drift.psi.age nnnn")
    silence = Silence(matchers=AGE, reason="r", end=day(9, 10))  # a day after the end of the second of the four weeks
    (during,), _ = watch(breaches[:2], weeks(2), silences=[silence])
    (after,), (incident,) = watch(breaches, weeks(4), silences=[silence])
    assert during.silenced_by == (silence,)
    assert after.silenced_by == incident.silenced_by == ()


def test_a_silence_changes_no_state(history: History, weeks: Weeks) -> None:
    breaches = history("drift.psi.age n.n...nn\nquality.missing_share.age ..ww....\nperformance.roc_auc ..cc....")
    loud, _ = watch(breaches, weeks(8))
    quiet, incidents = watch(breaches, weeks(8), silences=[Silence(matchers=(("model", "*"),), reason="r")])
    assert [(a.id, a.state, a.breaches, a.inhibited_by) for a in loud] == [
        (a.id, a.state, a.breaches, a.inhibited_by) for a in quiet
    ]
    assert all([s.reason for s in incident.silenced_by] == ["r"] for incident in incidents)
    assert sum(len(incident.alerts) for incident in incidents) == len(loud)


def test_a_silenced_cause_does_not_hide_the_harm(history: History, weeks: Weeks) -> None:
    breaches = history("quality.missing_share.age ww\nperformance.roc_auc cc")
    _, (incident,) = watch(breaches, weeks(2), silences=[Silence(matchers=AGE, reason="known")])
    assert (incident.silenced_by, incident.severity) == ((), Severity.CRITICAL)


def test_what_a_silenced_cause_explains_is_silent_too(history: History, weeks: Weeks) -> None:
    breaches = history("quality.missing_share.age ww\ndrift.cell_drift ww")
    silence = Silence(matchers=AGE, reason="known")
    _, (incident,) = watch(breaches, weeks(2), silences=[silence])
    assert worst([incident]) is None
    assert [s.reason for s in incident.silenced_by] == ["known"]


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        Silence(matchers=(("colum", "age"),), reason=" ", start=day(1, 1).replace(tzinfo=None))
    assert len(caught.value.problems) == 3
    assert "Did you mean 'column'?" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"matchers": ()}, "at least one matcher"), ({"start": day(9, 2), "end": day(9, 2)}, "ends after it starts")],
)
def test_bad_input(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Silence(**{"matchers": AGE, "reason": "r", **changes})  # type: ignore[arg-type]  # wrong on purpose
