"""Incidents: which alerts are one trouble, in what order and words people are told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.alerts.alert import State
from barograph.alerts.breach import Breach
from barograph.alerts.incident import Incident, worst
from barograph.alerts.levels import Level
from barograph.alerts.lifecycle import watch
from barograph.alerts.severity import Severity
from barograph.chunks import Chunk

History = Callable[..., list[Breach]]
Weeks = Callable[[int], list[Chunk]]
Incidents = Callable[..., list[Incident]]


@pytest.fixture(name="incidents")
def incidents_fixture(history: History, weeks: Weeks) -> Incidents:
    def incidents(text: str, *, n: int = 12, outputs: tuple[str, ...] = ()) -> list[Incident]:
        return watch(history(text), weeks(n), outputs=outputs)[1]

    return incidents


def names(incident: Incident) -> set[str]:
    return {alert.last_breach.monitor for alert in incident.alerts}


def test_a_column_that_goes_missing_is_one_incident(incidents: Incidents) -> None:
    text = """
        quality.missing_share.dep_delay  ...wwwww
        drift.psi.dep_delay              ...nnnnn
        drift.psi.dep_delay@origin=JFK   ...nnnnn
        drift.cell_drift                 ...wwwww
        drift.psi.score                  ...nnnnn
        estimation.roc_auc               ...ccccc
        performance.roc_auc              ...ccccc
        performance.roc_auc@origin=JFK   ....ww.w
    """
    (incident,) = incidents(text, n=8, outputs=("score",))
    assert (incident.severity, incident.state, incident.since) == (Severity.CRITICAL, State.FIRING, "2013-09-16")
    assert incident.title == (
        "dep_delay is missing in 100 % of the rows (reference 2 %) since 2013-09-16; "
        "explains ROC AUC 0.735 → 0.636, the drift of the rows, the drift of dep_delay and 1 more"
    )
    assert incident.root.last_breach.monitor == "quality.missing_share.dep_delay"
    assert len(incident.explains) == 7
    assert incident.columns == ("dep_delay", "score")
    assert incident.segments == ("origin=JFK",)
    assert incident.harm == pytest.approx(0.099)


def test_troubles_at_different_times_are_different_incidents(incidents: Incidents) -> None:
    text = """
        quality.missing_share.age     ww..........
        performance.roc_auc           .....ccc....
        quality.type_error_share.city ..........ww
    """
    found = incidents(text)
    assert [names(i) for i in found] == [
        {"performance.roc_auc"},
        {"quality.type_error_share.city"},
        {"quality.missing_share.age"},
    ]


def test_unlike_troubles_at_one_time_are_different_incidents(incidents: Incidents) -> None:
    found = incidents("quality.unseen_share.age nnn\nquality.duplicate_share nnn\nperformance.roc_auc ccc", n=3)
    assert len(found) == 3


def test_all_of_performance_is_one_incident(incidents: Incidents) -> None:
    text = """
        performance.roc_auc             ..cccc......
        performance.log_loss            ...cc.......
        performance.roc_auc@origin=JFK  .....www....
        estimation.roc_auc@origin=EWR   ........ww..
        concept.concept_residual        ..ww........
    """
    (incident,) = incidents(text)
    assert incident.root.last_breach.monitor == "performance.roc_auc"
    also = "; also in origin=EWR and origin=JFK; the inputs are as before, what comes true is not"
    assert incident.title.endswith(also)
    assert (incident.since, incident.until) == ("2013-09-09", "2013-10-28")


def test_performance_after_a_pause_is_a_new_incident(incidents: Incidents) -> None:
    assert len(incidents("performance.roc_auc cc......cc..")) == 2


def test_a_monitor_that_comes_back_at_once_stays_one_incident(incidents: Incidents) -> None:
    (incident,) = incidents("performance.roc_auc cc..c..cc...")
    assert len(incident.alerts) == 3
    assert "in alarm in 5 weeks from 2013-08-26 to 2013-10-21" in incident.title


def test_drift_without_harm_is_one_incident(incidents: Incidents) -> None:
    text = """
        drift.psi.age     ..nnn.....
        drift.psi.income  ...n......
        drift.psi.city    .....n....
        drift.psi.day     ..n.......
        drift.psi.score   ..n.......
        drift.psi.month   .........n
    """
    during, later = sorted(incidents(text, n=10, outputs=("score",)), key=lambda i: i.first_position)
    assert during.title == (
        "4 features moved, without harm seen: age, day, income and 1 more, from 2013-09-09 to 2013-09-30; so did score"
    )
    assert (during.severity, during.harm, during.state) == (Severity.NOTICE, None, State.RESOLVED)
    assert later.title == "month moved, without harm seen, since 2013-10-28"


def test_drift_of_a_troubled_column_belongs_to_its_trouble(incidents: Incidents) -> None:
    found = incidents("quality.unseen_share.city ..nn\ndrift.psi.city .nnn\ndrift.psi.age .nnn", n=4)
    assert sorted(map(sorted, map(names, found))) == [
        ["drift.psi.age"],
        ["drift.psi.city", "quality.unseen_share.city"],
    ]


def test_drift_with_harm_belongs_to_the_loss_it_comes_with(history: History, weeks: Weeks) -> None:
    breaches = history("drift.cell_drift .ww.", harm=0.04) + history("estimation.roc_auc ..cc")
    _, (incident,) = watch(breaches, weeks(4))
    assert incident.root.last_breach.family == "estimation"
    _, both = watch(
        history("drift.cell_drift ww.......", harm=0.04) + history("estimation.roc_auc .......cc"), weeks(9)
    )
    assert len(both) == 2


def test_columns_that_break_at_once_are_one_incident(incidents: Incidents) -> None:
    text = """
        quality.missing_share.age     .www
        quality.missing_share.income  .www
        quality.missing_share.city    ...w
    """
    first, second = incidents(text, n=4)
    assert first.title == "2 columns are missing: age and income, since 2013-09-02"
    assert first.columns == ("age", "income")
    assert second.columns == ("city",)
    (both,) = incidents("quality.missing_share.age ww\nquality.constant_column.city ww", n=2)
    assert both.title == "2 columns broke at once: age and city, since 2013-08-26"


@pytest.mark.parametrize(
    ("cells", "others", "n"),
    [((1, 2, 3), (2, 3, 4), 1), ((1, 2, 3), (3, 4, 5), 2), ((1, 2), (), 2), ((), (), 2)],
)
def test_alerts_about_the_same_rows_are_one_incident(
    history: History, weeks: Weeks, cells: tuple[int, ...], others: tuple[int, ...], n: int
) -> None:
    breaches = history("drift.psi.age ww", cells=frozenset(cells))
    breaches += history("quality.unseen_share.city .n", cells=frozenset(others))
    assert len(watch(breaches, weeks(2))[1]) == n


def test_the_same_rows_at_another_time_are_another_incident(history: History, weeks: Weeks) -> None:
    breaches = history("drift.psi.age ww......\nquality.unseen_share.city ......nn", cells=frozenset({1}))
    assert len(watch(breaches, weeks(8))[1]) == 2


def test_models_are_apart(history: History, weeks: Weeks) -> None:
    breaches = history("performance.roc_auc cc") + history("performance.roc_auc cc", model="hotels")
    _, found = watch(breaches, weeks(2))
    assert sorted(i.model for i in found) == ["flights", "hotels"]
    assert found[0].id != found[1].id


def test_order_is_by_severity_then_harm_then_size(breach: Callable[..., Breach], weeks: Weeks) -> None:
    w, n = Severity.WARNING, Severity.NOTICE
    breaches = [
        breach("quality.unseen_share.a", 0, n, value=0.04),
        breach("quality.unseen_share.b", 1, n, value=0.10),
        breach("drift.psi.c", 4, w, harm=0.01),
        breach("drift.psi.d", 4, w, harm=0.05),
        breach("performance.roc_auc", 8, Severity.CRITICAL, harm=0.02),
    ]
    _, found = watch(breaches, weeks(10))
    assert [i.root.last_breach.column for i in found] == [None, "d", "c", "b", "a"]
    assert worst(found) is Severity.CRITICAL
    assert worst([]) is None


def test_the_fall_of_a_metric_in_words(breach: Callable[..., Breach], weeks: Weeks) -> None:
    places = [0, 1, 3, 4, 6, 7, 9]
    values = [0.70, 0.69, 0.68, 0.67, 0.636, 0.66, 0.68]
    breaches = [
        breach("performance.roc_auc", p, Severity.CRITICAL, value=v, harm=0.735 - v)
        for p, v in zip(places, values, strict=True)
    ]
    _, (incident,) = watch(breaches, weeks(11))
    assert incident.title == (
        "ROC AUC fell from 0.735 to 0.636 at worst in the week of 2013-10-07; in alarm in 7 weeks since 2013-08-26"
    )
    assert incident.until is None
    assert "roll back" in incident.advice


def test_what_was_measured_is_told_on_average_and_the_chunks_that_were_judged_are_counted(
    breach: Callable[..., Breach], weeks: Weeks
) -> None:
    name = "performance.roc_auc"
    values = {0: (0.70, 100), 2: (0.65, 300), 3: (0.60, 100), 5: (0.68, 500)}  # of 1 and 4 there are no labels
    breaches = [breach(name, p, Severity.CRITICAL, value=values[p][0]) for p in (0, 2, 5)]
    levels = {(name, p): Level(value, n, 0.735) for p, (value, n) in values.items()}
    (incident,) = watch(breaches, weeks(6), levels=levels, quiet=9)[1]
    # (0.70 * 100 + 0.65 * 300 + 0.60 * 100 + 0.68 * 500) / 1000 = 0.665; the worst week raised no alarm by itself
    assert incident.title == (
        "ROC AUC fell from 0.735 to 0.665 on average, 0.600 at worst in the week of 2013-09-16; "
        "in alarm in 3 of 4 judged weeks since 2013-08-26"
    )
    broken = [breach("quality.missing_share.age", p, Severity.WARNING) for p in range(6)]
    (incident,) = watch([*broken, *breaches], weeks(6), levels=levels, quiet=9)[1]
    assert incident.title.endswith("explains ROC AUC 0.735 → 0.665")
    well = {**levels, (name, 3): Level(0.9, 9_000, 0.735)}  # the average is better than the reference
    (incident,) = watch(breaches, weeks(6), levels=well, quiet=9)[1]
    assert incident.title.startswith("ROC AUC fell from 0.735 to 0.650 at worst in the week of 2013-09-09; ")


def test_how_many_rows_are_missing_is_told(breach: Callable[..., Breach], weeks: Weeks) -> None:
    name = "quality.row_count"
    breaches = [breach(name, p, Severity.CRITICAL) for p in (1, 2)]
    levels = {(name, p): Level(0.0, 0, 1234.0) for p in (1, 2)} | {(name, 3): Level(900.0, 900, 1234.0)}
    (incident,) = watch(breaches, weeks(4), levels=levels)[1]
    assert incident.title == "No rows came from 2013-09-02 to 2013-09-09, about 2,500 fewer than usual"
    (incident,) = watch(breaches, weeks(4), levels={**levels, (name, 1): Level(0.0, 0, None)})[1]
    assert incident.title == "No rows came from 2013-09-02 to 2013-09-09"


@pytest.mark.parametrize(
    ("text", "n", "title"),
    [
        ("quality.row_count ..cc.", 8, "No rows came from 2013-09-09 to 2013-09-16"),
        ("quality.constant_column.age ...w", 4, "age has only one value since 2013-09-16"),
        (
            "quality.unseen_share.age@city=A .n..",
            4,
            "Unseen share of age (city=A) rose from 0 % to 4 % in the week of 2013-09-02",
        ),
        ("estimation.roc_auc c", 1, "Estimated ROC AUC fell from 0.735 to 0.650 in the week of 2013-08-26"),
        ("drift.psi.age .w....", 6, "PSI of age was 0.500 in the week of 2013-09-02"),
        ("drift.cell_drift nnn", 3, "The mix of the rows moved, without harm seen, since 2013-08-26"),
        ("operations.deploy w", 1, "deploy is beyond its limit, since 2013-08-26"),
    ],
)
def test_titles(incidents: Incidents, text: str, n: int, title: str) -> None:
    (incident,) = incidents(text, n=n)
    assert incident.title == title


MONITORS = (
    "quality.missing_share.age",
    "quality.unseen_share.city",
    "quality.row_count",
    "quality.constant_column.age",
    "drift.psi.age",
    "drift.psi.city",
    "drift.cell_drift",
    "performance.roc_auc",
    "performance.roc_auc@city=A",
    "estimation.roc_auc",
    "concept.concept_residual",
)


@settings(deadline=None, derandomize=True, database=None, max_examples=100)
@given(marks=st.lists(st.text("..nwc", min_size=6, max_size=6), min_size=len(MONITORS), max_size=len(MONITORS)))
def test_a_title_and_since_name_one_onset(history: History, weeks: Weeks, marks: list[str]) -> None:
    text = "\n".join(f"{name} {mark}" for name, mark in zip(MONITORS, marks, strict=True))
    for incident in watch(history(text), weeks(6))[1]:
        assert incident.since == min(a.first.chunk.key for a in incident.alerts)
        assert incident.since in incident.title, incident.title
        assert set(re.findall(r"since (\S+?)(?:[,;]|$)", incident.title)) <= {incident.since}, incident.title
        assert incident.since == f"{incident.since_at:%Y-%m-%d}"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (
            "quality.missing_share.age ..ww\ndrift.psi.age .nnn",
            (
                "age is missing in 100 % of the rows (reference 2 %) from 2013-09-09 on, after the drift of age since "
                "2013-09-02; explains the drift of age"
            ),
        ),
        (
            "performance.roc_auc ..cc\nperformance.roc_auc@city=A .www",
            (
                "ROC AUC fell from 0.735 to 0.636 at worst in the week of 2013-09-09; in alarm in 2 weeks "
                "since 2013-09-02, first in city=A, in all rows in the week of 2013-09-09; also in city=A"
            ),
        ),
    ],
)
def test_what_a_title_says_when_another_alert_was_first(incidents: Incidents, text: str, title: str) -> None:
    (incident,) = incidents(text, n=4)
    assert (incident.title, incident.since) == (title, "2013-09-02")


def test_a_column_that_is_bad_in_part_is_not_said_to_explain(history: History, weeks: Weeks) -> None:
    breaches = history("quality.missing_share.age nn", value=0.4) + history("performance.roc_auc cc")
    _, (incident,) = watch(breaches, weeks(2))
    assert incident.title == (
        "age is missing in 40 % of the rows (reference 2 %) since 2013-08-26; together with ROC AUC 0.735 → 0.636"
    )


def test_the_id_stays_while_an_incident_grows(history: History, weeks: Weeks) -> None:
    text = """
        performance.roc_auc@city=A  .w.......
        performance.roc_auc         ..cccc...
        quality.missing_share.age   ..ww.....
    """
    breaches = history(text)
    ids = []
    for n in range(2, 10):
        _, found = watch([b for b in breaches if b.position < n], weeks(n))
        ids.append({i.id for i in found if "performance.roc_auc@city=A" in names(i)})
    assert len(set.union(*ids)) == 1


def test_to_dict_is_plain(incidents: Incidents) -> None:
    (incident,) = incidents("performance.roc_auc .cc\nperformance.roc_auc@city=A ..w", n=3)
    said = json.loads(json.dumps(incident.to_dict(), allow_nan=False, default=datetime.isoformat))
    assert said["root"] == incident.root.id
    assert said["explains"] == [incident.explains[0].id]
    assert said["segments"] == ["city=A"]
    assert said["since_at"] == "2013-09-02T00:00:00+00:00"
    assert (said["until"], said["until_at"]) == (None, None)


@pytest.mark.parametrize(
    ("value", "limit", "words"),
    [
        (-0.1, -0.02, "accuracy is 0.1 less"),
        (0.1, -0.02, "accuracy is 0.1 more"),
        (-4.38, 1.2, "the mean error is 4.38 less"),
    ],
)
def test_a_change_of_the_rule_is_told_in_what_the_task_is_judged_by(
    history: History, weeks: Weeks, value: float, limit: float, words: str
) -> None:
    """Of a classifier the accuracy is limited from below, of a regression the error from above."""
    found = history("concept.concept_residual ..ww..", value=value, limit=limit, reference_value=0.0)
    (incident,) = watch(found, weeks(6))[1]
    assert f"{words} than the reference expects of these rows" in incident.title


def test_drift_that_began_with_a_loss_belongs_to_it(history: History, weeks: Weeks) -> None:
    drift = history("drift.psi.age ....nnnn\ndrift.psi.city ........nn")
    drift += history("drift.psi.score ...nn...", is_feature=False)
    _, found = watch(drift + history("performance.roc_auc ...ccccc..", onset=(3, 3)), weeks(20), outputs=("score",))
    assert [names(i) for i in found] == [{"performance.roc_auc", "drift.psi.age", "drift.psi.score", "drift.psi.city"}]
    assert found[0].title.endswith("; score, age and city moved at the same time")
    assert found[0].advice.startswith("First see where age and city came from")


def test_what_moved_long_before_a_loss_is_no_part_of_it(history: History, weeks: Weeks) -> None:
    _, found = watch(
        history("drift.psi.age nnnnnnnn") + history("performance.roc_auc .....ccc", onset=(4, 5)), weeks(8)
    )
    loss, moved = found
    assert (names(loss), names(moved)) == ({"performance.roc_auc"}, {"drift.psi.age"})
    assert moved.title == "age moved, since 2013-08-26"
    assert "Nothing needs to be done" not in moved.advice
    assert "graver incident" in moved.advice
    _, (alone,) = watch(history("drift.psi.age nnnnnnnn"), weeks(8))
    assert alone.title == "age moved, without harm seen, since 2013-08-26"


def test_an_improvement_is_called_one(breach: Callable[..., Breach], weeks: Weeks) -> None:
    better = breach("performance.roc_auc", 0, Severity.NOTICE, value=0.80, limit=0.76, harm=None)
    (found,) = watch([better], weeks(1))[1]
    assert found.title.startswith("ROC AUC improved from 0.735 to 0.8")
    assert "for the better" in found.advice
    residual = {"value": 0.04, "reference_value": 0.0, "limit": -0.02}
    (rule,) = watch([breach("concept.concept_residual", 0, Severity.NOTICE, **residual)], weeks(1))[1]
    assert rule.title.startswith("The model has become better: accuracy is 0.04 more than the reference expects")
