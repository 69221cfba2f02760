"""Telling an incident once, and again for a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.alerts.alert import State
from barograph.alerts.breach import Breach
from barograph.alerts.dedupe import Told, Why, tell, why
from barograph.alerts.incident import Incident
from barograph.alerts.lifecycle import watch
from barograph.alerts.severity import Severity
from barograph.alerts.silence import Silence
from barograph.chunks import Chunk

History = Callable[..., list[Breach]]
Weeks = Callable[[int], list[Chunk]]
NOW = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SILENT = (Silence(matchers=(("model", "*"),), reason="planned"),)


@pytest.fixture(name="stand")
def stand_fixture(history: History, weeks: Weeks) -> Callable[..., Incident]:
    """Return the only incident of a drawn history as it stands after its last week."""

    def stand(text: str, silences: tuple[Silence, ...] = ()) -> Incident:
        lines = text.strip().splitlines()
        _, (incident,) = watch(history(text), weeks(len(lines[0].split()[1])), silences=silences)
        return incident

    return stand


AUC = "performance.roc_auc"


def test_each_reason(stand: Callable[..., Incident]) -> None:
    first = stand("quality.missing_share.age .w")
    told = tell(first, None, now=NOW)
    resolved = stand("quality.missing_share.age .w..")
    after = tell(resolved, told, now=NOW)
    cases: list[tuple[Incident, Told | None, timedelta, Why]] = [
        (first, None, HOUR, Why.NEW),
        (first, told, HOUR, Why.UNCHANGED),
        (stand("quality.missing_share.age .ww"), told, HOUR, Why.UNCHANGED),
        (first, told, timedelta(days=1), Why.REMINDER),
        (stand("quality.missing_share.age .wc"), told, HOUR, Why.WORSE),
        (stand("quality.missing_share.age .w\nquality.missing_share.city .w"), told, HOUR, Why.GREW),
        (stand("quality.missing_share.age .w\ndrift.psi.age .n"), told, HOUR, Why.UNCHANGED),  # explained, and mild
        (resolved, told, HOUR, Why.RESOLVED),
        (resolved, after, HOUR, Why.UNCHANGED),
        (resolved, None, HOUR, Why.NEVER_TOLD),
        (first, after, HOUR, Why.BACK),
        (first, None, HOUR, Why.NEW),
        (stand("drift.psi.age .n"), None, HOUR, Why.TOO_MILD),
        (stand("quality.missing_share.age .w", SILENT), None, HOUR, Why.SILENCED),
        (stand("quality.missing_share.age .w", SILENT), told, HOUR, Why.SILENCED),
        (stand("quality.missing_share.age .w..", SILENT), told, HOUR, Why.RESOLVED),
        (stand("quality.missing_share.age .w..", SILENT), None, HOUR, Why.SILENCED),
    ]
    for incident, before, later, expected in cases:
        assert why(incident, before, now=NOW + later) is expected
    assert {case[3] for case in cases} == set(Why)


def test_reminders_can_be_switched_off(stand: Callable[..., Incident]) -> None:
    incident = stand(f"{AUC} .c")
    told = tell(incident, None, now=NOW)
    assert why(incident, told, now=NOW + timedelta(days=900), again_after=None) is Why.UNCHANGED


def test_who_is_told_of_notices_is_told(stand: Callable[..., Incident]) -> None:
    assert why(stand("drift.psi.age .n"), None, now=NOW, least=Severity.NOTICE) is Why.NEW


marks = st.text("..nwc", min_size=10, max_size=10)


@given(marks, marks, st.booleans())
def test_an_incident_is_told_when_it_begins_when_it_ends_and_never_twice_for_one_reason(
    history: History, weeks: Weeks, first: str, second: str, silent: bool
) -> None:
    breaches = history(f"{AUC} {first}\nquality.missing_share.age {second}")
    known: dict[str, Told] = {}
    said: dict[str, list[Why]] = {}
    for n in range(1, 11):
        past = [b for b in breaches if b.position < n]
        now = NOW + n * timedelta(weeks=1)
        _, incidents = watch(past, weeks(n), silences=SILENT if silent else ())
        for incident in incidents:
            reason = why(incident, known.get(incident.id), now=now, again_after=None)
            if reason.tells:
                known[incident.id] = tell(incident, known.get(incident.id), now=now)
                said.setdefault(incident.id, []).append(reason)
            # asking again at once gives no reason
            assert not why(incident, known.get(incident.id), now=now, again_after=None).tells
            due = not silent and incident.severity >= Severity.WARNING and incident.state is State.FIRING
            assert (incident.id in known) or not due
    if silent:
        assert not said
    for reasons in said.values():
        assert reasons[0] is Why.NEW
        assert reasons.count(Why.NEW) == 1
        assert reasons.count(Why.RESOLVED) <= reasons.count(Why.BACK) + 1
