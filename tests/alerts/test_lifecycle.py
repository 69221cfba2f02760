"""Watching a whole history."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from math import log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.alerts.alert import Alert, Moment, State, key_of, step
from barograph.alerts.breach import Breach
from barograph.alerts.lifecycle import replay, watch
from barograph.alerts.severity import Severity
from barograph.chunks import Chunk
from barograph.errors import MismatchError, SpecError

History = Callable[..., list[Breach]]
Weeks = Callable[[int], list[Chunk]]
N = 12
MONITORS = (
    "quality.row_count",
    "quality.missing_share.age",
    "quality.constant_column.age",
    "quality.missing_share.city",
    "quality.unseen_share.city",
    "drift.psi.age",
    "drift.psi.city@region=A",
    "drift.cell_drift",
    "estimation.roc_auc",
    "performance.roc_auc",
    "performance.roc_auc@region=A",
)
texts = st.lists(st.text("....nnwc", min_size=N, max_size=N), min_size=len(MONITORS), max_size=len(MONITORS)).map(
    lambda marks: "\n".join(f"{name} {mark}" for name, mark in zip(MONITORS, marks, strict=True))
)


@given(texts, st.integers(0, 2), st.integers(1, 3), st.randoms(use_true_random=False))
def test_the_order_of_breaches_does_not_matter(
    history: History, weeks: Weeks, text: str, hold: int, quiet: int, random: Random
) -> None:
    breaches = history(text)
    breaches += [replace(b, value=0.99) for b in breaches[::3]]  # some twice, with another value
    shuffled = random.sample(breaches, len(breaches))
    assert watch(shuffled, weeks(N), hold=hold, quiet=quiet) == watch(breaches, weeks(N), hold=hold, quiet=quiet)


@given(texts, st.integers(0, 2))
def test_nothing_is_lost(history: History, weeks: Weeks, text: str, hold: int) -> None:
    breaches = history(text)
    alerts, incidents = watch(breaches, weeks(N), hold=hold)
    fired = [alert for alert in alerts if alert.has_fired]
    listed = [alert for incident in incidents for alert in incident.alerts]
    assert sorted(a.id for a in fired) == sorted(a.id for a in listed)
    assert len({i.id for i in incidents}) == len(incidents)
    for incident in incidents:  # harm is not hidden either
        assert incident.severity == max(alert.severity for alert in incident.alerts)
        assert not incident.silenced_by
    if hold == 0:
        assert sum(alert.breaches for alert in alerts) == len(breaches)


@given(texts, st.integers(0, 2), st.integers(1, 3))
def test_what_was_known_at_the_time_is_what_is_known_later(
    history: History, weeks: Weeks, text: str, hold: int, quiet: int
) -> None:
    breaches, chunks = history(text), weeks(N)
    later = {a.id: a for a in replay(breaches, chunks, hold=hold, quiet=quiet)}
    for n in range(1, N):
        now = replay([b for b in breaches if b.position < n], chunks[:n], hold=hold, quiet=quiet)
        for alert in now:
            if alert.state is State.RESOLVED:
                assert later[alert.id] == alert
            elif alert.state is State.FIRING:
                assert (later[alert.id].first, later[alert.id].fired) == (alert.first, alert.fired)


@given(texts, st.integers(0, 2), st.integers(1, 3))
def test_batch_and_live_agree(history: History, weeks: Weeks, text: str, hold: int, quiet: int) -> None:
    breaches, chunks = history(text), weeks(N)
    of = {(key_of(b), b.position): b for b in breaches}
    live: list[Alert] = []
    for key in {key_of(b) for b in breaches}:
        alert: Alert | None = None
        for i, chunk in enumerate(chunks):
            before = alert
            alert = step(alert, of.get((key, i)), now=Moment(i, chunk), hold=hold, quiet=quiet)
            if before is not None and before.state is State.RESOLVED and alert is not before:
                live.append(before)
        live += [alert] if alert is not None else []
    assert sorted(live, key=lambda a: (a.first.position, a.key)) == replay(breaches, chunks, hold=hold, quiet=quiet)


@given(texts)
def test_a_cause_that_is_inhibited_names_an_alert_of_its_incident(history: History, weeks: Weeks, text: str) -> None:
    _, incidents = watch(history(text), weeks(N), outputs=("score",))
    for incident in incidents:
        ids = {alert.id for alert in incident.alerts}
        assert incident.root.inhibited_by is None
        assert all(a.inhibited_by.by in ids - {a.id} for a in incident.alerts if a.inhibited_by)
        assert all(a.inhibited_by is None for a in incident.alerts if a.severity is Severity.CRITICAL)


def test_what_does_not_hold_never_fires(history: History, weeks: Weeks) -> None:
    alerts, incidents = watch(history("drift.psi.age nn.nn.nn\ndrift.psi.city n......n"), weeks(8), hold=2)
    assert not incidents
    assert [(a.last_breach.column, a.breaches) for a in alerts] == [("age", 2), ("city", 1)]
    assert {a.state for a in alerts} == {State.PENDING}  # in the last chunk: it may yet hold


def test_one_calm_chunk_is_no_second_alert(history: History, weeks: Weeks) -> None:
    (alert,), _ = watch(history("drift.psi.age n.n.n.n.n.n."), weeks(12))
    assert (alert.breaches, alert.state) == (6, State.FIRING)


def test_of_two_breaches_of_one_monitor_in_one_chunk_the_graver_counts(history: History, weeks: Weeks) -> None:
    mild, grave = history("drift.psi.age n", value=0.3), history("drift.psi.age n", value=0.6)
    (alert,), _ = watch([*mild, *grave, *mild], weeks(1))
    assert (alert.breaches, alert.last_breach.value) == (1, 0.6)


def test_what_is_unsettled_keeps_an_alert_open(history: History, weeks: Weeks) -> None:
    breaches = history("performance.roc_auc cc........", evidence=log(1000))
    name = ("flights", "performance.roc_auc")
    (alert,), _ = watch(breaches, weeks(7), unsettled={(*name, 2): None, (*name, 3): None, (*name, 4): log(500)})
    assert alert.resolved is not None
    assert alert.resolved.position == 6
    (alert,), _ = watch(breaches, weeks(7))
    assert alert.resolved is not None
    assert alert.resolved.position == 3


def test_rows_without_times(history: History) -> None:
    chunks = [Chunk(key=f"rows {1000 * i}-{1000 * i + 999}") for i in range(3)]
    breaches = [
        replace(b, chunk=chunks[b.position].key, start=None, end=None) for b in history("performance.roc_auc ccc")
    ]
    (alert,), (incident,) = watch(breaches, chunks)
    assert alert.fired_at is None
    assert incident.since_at is None
    assert incident.title == (
        "ROC AUC fell from 0.735 to 0.636 at worst in rows 0-999; in alarm in all 3 parts since rows 0-999"
    )
    json.dumps([alert.to_dict(), incident.to_dict()], allow_nan=False)


def test_no_breaches(weeks: Weeks) -> None:
    assert watch([], weeks(3)) == watch([], []) == ([], [])


def test_a_report_of_everything_is_plain(history: History, weeks: Weeks) -> None:
    alerts, incidents = watch(history("\n".join(f"{name} ..ww..n" for name in MONITORS)), weeks(N))
    json.dumps([x.to_dict() for x in (*alerts, *incidents)], allow_nan=False, default=datetime.isoformat)


def test_bad_input(history: History, weeks: Weeks) -> None:
    with pytest.raises(MismatchError, match="position 2"):
        watch(history("drift.psi.age ..n"), weeks(2))
    with pytest.raises(SpecError, match="quiet=0"):
        watch([], [], quiet=0)
    with pytest.raises(SpecError, match="hold=-1"):
        watch([], [], hold=-1)
