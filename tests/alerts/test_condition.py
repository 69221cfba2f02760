"""The state of a model: every lifecycle beside every judgement, and a verdict and a severity that agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest

from barograph.alerts.condition import (
    HELD,
    Condition,
    Failure,
    Held,
    Judged,
    Judgement,
    Lifecycle,
    Trouble,
    condition,
    lifecycle_of,
)
from barograph.alerts.severity import Severity

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
WELL = Judged(rows=900, chunks=3, how="by its labels")
DOUBTED = Judged(rows=900, chunks=3, doubt="no labels have arrived")
FAILURE = Failure(since=NOON, reason="no such column: 'age'.")
OVER = Trouble(severity=Severity.CRITICAL, title="AUC fell", family="performance", is_over=True, is_shown=True)
GUESSED = replace(OVER, family="estimation")
WORSE = Trouble(severity=Severity.CRITICAL, title="AUC fell", family="performance")
SILENT = Trouble(severity=Severity.CRITICAL, title="no events have come since noon", family="operations")
UNUSABLE = Trouble(severity=Severity.CRITICAL, title="score is missing", family="quality", column="score")
BROKEN = Trouble(severity=Severity.WARNING, title="age is missing", family="quality", column="age")
PART = Trouble(severity=Severity.WARNING, title="AUC of JFK fell", family="performance", segment="origin=JFK")
EARLY = Trouble(severity=Severity.WARNING, title="AUC fell a little", family="performance")
CONCEPT = Trouble(severity=Severity.WARNING, title="the rule changed", family="concept")
MUTE = Trouble(severity=Severity.WARNING, title="no labels have come since noon", family="operations")
SHIFTED = Trouble(
    severity=Severity.WARNING, title="Accuracy would be 0.7", family="drift", metric="label_shift_accuracy"
)
MOVED = Trouble(severity=Severity.NOTICE, title="age moved", family="drift", column="age")


def held(lifecycle: Lifecycle) -> Held:
    return Held(lifecycle=lifecycle, since=NOON, by="ada", reason="season is over")


@pytest.mark.parametrize(
    ("is_held", "has_reference", "events", "is_live", "expected"),
    [
        (None, False, 0, False, Lifecycle.NEW),
        (None, True, 0, False, Lifecycle.NEW),
        (None, False, 9, True, Lifecycle.NEW),
        (None, True, 9, False, Lifecycle.BACK_FILLING),
        (None, True, 9, True, Lifecycle.LIVE),
        (Lifecycle.PAUSED, True, 9, True, Lifecycle.PAUSED),
        (Lifecycle.PAUSED, False, 0, False, Lifecycle.PAUSED),
        (Lifecycle.RETIRED, True, 9, True, Lifecycle.RETIRED),
    ],
)
def test_where_a_model_is_in_its_life(
    is_held: Lifecycle | None, has_reference: bool, events: int, is_live: bool, expected: Lifecycle
) -> None:
    by = None if is_held is None else held(is_held)
    assert lifecycle_of(held=by, has_reference=has_reference, events=events, is_live=is_live) is expected


@pytest.mark.parametrize(
    ("judged", "troubles", "judgement", "severity", "begins"),
    [
        (WELL, [], Judgement.WELL, None, "The model is all right by its labels (900 row"),
        (WELL, [MOVED], Judgement.WELL, Severity.NOTICE, "The model is all right by its labels (900 row"),
        (DOUBTED, [], Judgement.NOT_KNOWN, None, "Whether the model is all right cannot be told"),
        (DOUBTED, [MOVED], Judgement.NOT_KNOWN, Severity.NOTICE, "Whether the model is all right cannot be told"),
        (WELL, [BROKEN], Judgement.ATTENTION, Severity.WARNING, "No loss of performance is seen by its labels,"),
        (DOUBTED, [BROKEN, MOVED], Judgement.ATTENTION, Severity.WARNING, "Something is broken, and whether"),
        (WELL, [PART], Judgement.ATTENTION, Severity.WARNING, "The model as a whole is within its limits, bu"),
        (WELL, [CONCEPT], Judgement.ATTENTION, Severity.WARNING, "The model has become worse, by how much is not cer"),
        (WELL, [EARLY], Judgement.ATTENTION, Severity.WARNING, "The model has become worse, by how much is not cer"),
        (WELL, [WORSE], Judgement.IN_TROUBLE, Severity.CRITICAL, "The model is in trouble: AUC fell."),
        (WELL, [WORSE, BROKEN, MOVED], Judgement.IN_TROUBLE, Severity.CRITICAL, "The model is in trouble: AUC fell ("),
        (WELL, [OVER], Judgement.ATTENTION, Severity.CRITICAL, "The model was in trouble, and is within its l"),
        (WELL, [GUESSED], Judgement.ATTENTION, Severity.CRITICAL, "The model was in trouble, and its estimates are"),
        (WELL, [OVER, WORSE], Judgement.IN_TROUBLE, Severity.CRITICAL, "The model is in trouble: AUC fell ("),
        (WELL, [SILENT], Judgement.IN_TROUBLE, Severity.CRITICAL, "The model is silent: no events have come sinc"),
        (WELL, [UNUSABLE], Judgement.IN_TROUBLE, Severity.CRITICAL, "No usable predictions come: score is missing."),
        (
            WELL,
            [replace(UNUSABLE, title="age has only one value", column="age", by_itself=False)],
            Judgement.IN_TROUBLE,
            Severity.CRITICAL,
            "The model is in trouble: age has only one value.",
        ),
        (Judged(rows=0, chunks=0), [], Judgement.IN_TROUBLE, Severity.CRITICAL, "No predictions came"),
        (None, [], Judgement.NOT_KNOWN, None, "Whether the model is all right cannot be told"),
        (None, [SILENT], Judgement.IN_TROUBLE, Severity.CRITICAL, "The model is silent: "),
    ],
)  # fmt: skip
@pytest.mark.parametrize("lifecycle", [Lifecycle.LIVE, Lifecycle.BACK_FILLING])
def test_how_a_model_is_that_is_watched(
    lifecycle: Lifecycle,
    judged: Judged | None,
    troubles: list[Trouble],
    judgement: Judgement,
    severity: Severity | None,
    begins: str,
) -> None:
    found = condition(lifecycle=lifecycle, judged=judged, troubles=troubles)
    assert (found.lifecycle, found.judgement, found.severity) == (lifecycle, judgement, severity)
    assert found.verdict.startswith(begins)
    failing = condition(lifecycle=lifecycle, judged=judged, troubles=troubles, failure=FAILURE)
    before = f" Before that: {found.verdict}" if severity in (Severity.WARNING, Severity.CRITICAL) else ""
    verdict = f"The model cannot be evaluated since 2024-05-01 12:00 UTC: no such column: 'age'.{before}"
    assert failing == Condition(
        lifecycle=lifecycle, judgement=Judgement.CANNOT_BE_EVALUATED, severity=severity, verdict=verdict
    )


@pytest.mark.parametrize(("has_reference", "why"), [(False, "it has no reference"), (True, "no event has come")])
@pytest.mark.parametrize("judged", [None, Judged(rows=0, chunks=0)])
def test_a_new_model_is_neither_well_nor_in_trouble(judged: Judged | None, has_reference: bool, why: str) -> None:
    found = condition(lifecycle=Lifecycle.NEW, judged=judged, has_reference=has_reference)
    assert (found.judgement, found.severity) == (Judgement.NOT_KNOWN, None)
    assert why in found.verdict


@pytest.mark.parametrize("lifecycle", HELD)
@pytest.mark.parametrize("failure", [None, FAILURE])
@pytest.mark.parametrize("troubles", [[], [WORSE], [SILENT]])
def test_a_model_that_is_held_raises_nothing_and_says_so(
    lifecycle: Lifecycle, failure: Failure | None, troubles: list[Trouble]
) -> None:
    found = condition(lifecycle=lifecycle, judged=WELL, troubles=troubles, held=held(lifecycle), failure=failure)
    said = f"The model is {lifecycle.value} since 2024-05-01 12:00 UTC, by ada: season is over. Nothing is raised."
    assert found == Condition(lifecycle=lifecycle, judgement=Judgement.NOT_KNOWN, severity=None, verdict=said)


def test_what_is_silenced_is_said_and_not_counted() -> None:
    calm = condition(lifecycle=Lifecycle.LIVE, judged=WELL, silenced=1)
    assert (calm.judgement, calm.severity) == (Judgement.WELL, None)
    assert calm.verdict == (
        "Apart from 1 silenced incident, the model is all right by its labels (900 rows in 3 parts): "
        "nothing else is beyond its limits."
    )
    doubted = condition(lifecycle=Lifecycle.LIVE, judged=DOUBTED, silenced=2)
    assert doubted.verdict.startswith("Apart from 2 silenced incidents, whether the model is all right cannot be told")
    assert "nothing else that was checked" in doubted.verdict
    loud = condition(lifecycle=Lifecycle.LIVE, judged=WELL, troubles=[WORSE], silenced=2)
    assert loud.verdict == "The model is in trouble: AUC fell (2 incidents are silenced)."


def test_verdict_severity_and_judgement_never_disagree() -> None:
    troubles = [[], [MOVED], [BROKEN], [OVER], [WORSE], [SILENT, MOVED], [UNUSABLE, BROKEN]]
    for lifecycle, judged, found, silenced, failure in product(
        Lifecycle, [None, WELL, DOUBTED, Judged(rows=0, chunks=0)], troubles, [0, 2], [None, FAILURE]
    ):
        by = held(lifecycle) if lifecycle in HELD else None
        state = condition(
            lifecycle=lifecycle, judged=judged, troubles=found, silenced=silenced, held=by, failure=failure
        )
        if "is all right by" in state.verdict:
            assert state.severity in (None, Severity.NOTICE)
            assert state.judgement is Judgement.WELL
        if state.severity is Severity.CRITICAL:
            assert state.judgement not in (Judgement.WELL, Judgement.NOT_KNOWN)
        if state.judgement is Judgement.WELL:
            assert judged is WELL
            assert "all right" in state.verdict
        assert (state.judgement is Judgement.CANNOT_BE_EVALUATED) == (failure is not None and by is None)
        assert state.verdict.endswith(".")
        assert ".." not in state.verdict


def test_times_are_told_in_utc() -> None:
    since = NOON.astimezone(timezone(timedelta(hours=2)))
    assert "2024-05-01 12:00 UTC" in str(Failure(since=since, reason="r"))


def said(judged: Judged, *troubles: Trouble) -> str:
    return condition(lifecycle=Lifecycle.LIVE, judged=judged, troubles=troubles).verdict


def test_an_alarm_that_is_over_does_not_show_that_the_model_is_as_before() -> None:
    for severity in (Severity.CRITICAL, Severity.WARNING):
        shown = replace(OVER, severity=severity)
        assert "is within its limits again" in said(WELL, shown)
        assert "its alarm is over, but that it is as good as before is not shown yet" in said(
            WELL, replace(shown, is_shown=False)
        )


def test_what_the_service_itself_warns_of_is_told_by_its_own_words() -> None:
    assert said(WELL, MUTE).startswith(
        "No labels have come since noon; apart from that, no loss of performance is seen"
    )
    assert said(DOUBTED, MUTE).endswith("whether performance suffers cannot be told, as no labels have arrived.")


def test_a_shift_of_an_unknown_kind_is_told_before_what_moved_and_after_what_is_worse() -> None:
    moved = replace(MOVED, severity=Severity.WARNING)
    assert said(WELL, moved, SHIFTED) == said(WELL, SHIFTED, moved) == said(WELL, SHIFTED)
    assert said(WELL, EARLY, SHIFTED) == said(WELL, EARLY)
    assert "is not known until labels come" in said(DOUBTED, SHIFTED)
    assert "was worse for a while is not known" in said(WELL, replace(SHIFTED, is_over=True))
