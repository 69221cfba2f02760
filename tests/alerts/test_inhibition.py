"""Which alerts another one explains."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from barograph.alerts.alert import Alert
from barograph.alerts.breach import Breach
from barograph.alerts.inhibition import explained, root_reason
from barograph.alerts.lifecycle import replay, watch
from barograph.alerts.severity import Severity
from barograph.chunks import Chunk
from barograph.metrics.broken import Broken

History = Callable[..., list[Breach]]
Weeks = Callable[[int], list[Chunk]]


@pytest.fixture(name="causes")
def causes_fixture(history: History, weeks: Weeks) -> Callable[..., dict[str, str]]:
    """Return what explains what, by the names of monitors."""

    def causes(text: str, *, outputs: tuple[str, ...] = (), quiet: int = 2) -> dict[str, str]:
        alerts: list[Alert] = replay(history(text), weeks(20), quiet=quiet)
        names = [alert.last_breach.monitor for alert in alerts]
        return {names[i]: names[j] for i, j in explained(alerts, outputs=outputs).items()}

    return causes


@pytest.mark.parametrize(
    ("name", "severity", "changes", "expected"),
    [
        ("quality.row_count", Severity.CRITICAL, {}, Broken.NO_ROWS),
        ("quality.missing_share.age", Severity.WARNING, {}, Broken.MISSING),
        ("quality.type_error_share.age", Severity.WARNING, {}, Broken.TYPE_ERRORS),
        ("quality.constant_column.age", Severity.NOTICE, {}, Broken.CONSTANT),
        ("quality.out_of_range_share.age", Severity.WARNING, {}, Broken.OUT_OF_RANGE),
        ("quality.unseen_share.age", Severity.WARNING, {}, Broken.UNSEEN),
        ("quality.missing_share.age", Severity.NOTICE, {"value": 0.4, "reference_value": 0.1}, Broken.MISSING),
        ("quality.missing_share.age", Severity.NOTICE, {"value": 0.4, "reference_value": 0.3}, None),
        ("quality.duplicate_share", Severity.WARNING, {}, None),
        ("drift.psi.age", Severity.WARNING, {}, None),
        ("performance.roc_auc", Severity.CRITICAL, {}, None),
    ],
)
def test_causes(
    breach: Callable[..., Breach],
    weeks: Weeks,
    name: str,
    severity: Severity,
    changes: dict[str, float],
    expected: Broken | None,
) -> None:
    (alert,) = replay([breach(name, 0, severity, **changes)], weeks(1))
    assert root_reason(alert) is expected


def test_a_broken_column_explains_its_own_and_the_whole(causes: Callable[..., dict[str, str]]) -> None:
    text = """
        quality.missing_share.age   ..wwww
        quality.unseen_share.age    ..nnnn
        drift.psi.age               ..nnnn
        drift.psi.income            ..nnnn
        quality.unseen_share.city   ..nnnn
        drift.psi.score             ..nnnn
        drift.cell_drift            ..wwww
        performance.roc_auc         ...ccc
        estimation.roc_auc@origin=A ...www
        quality.duplicate_share     ..nnnn
    """
    cause = "quality.missing_share.age"
    expected = ["quality.unseen_share.age", "drift.psi.age", "drift.psi.score", "drift.cell_drift"]
    expected += ["performance.roc_auc", "estimation.roc_auc@origin=A"]
    assert causes(text, outputs=("score",)) == dict.fromkeys(expected, cause)


def test_a_dead_feed_explains_everything(causes: Callable[..., dict[str, str]]) -> None:
    text = """
        quality.row_count           ..cc
        quality.missing_share.age   ..ww
        drift.psi.income            ..nn
        performance.roc_auc         ..cc
    """
    found = ["quality.missing_share.age", "drift.psi.income", "performance.roc_auc"]
    assert causes(text) == dict.fromkeys(found, "quality.row_count")


def test_a_segment_explains_itself_alone(causes: Callable[..., dict[str, str]]) -> None:
    text = """
        quality.missing_share.age@city=A  .ww
        drift.psi.age@city=A              .nn
        drift.psi.age@city=B              .nn
        drift.psi.age                     .nn
        performance.roc_auc@city=A        .ww
    """
    cause = "quality.missing_share.age@city=A"
    assert causes(text) == {"drift.psi.age@city=A": cause, "performance.roc_auc@city=A": cause}


@pytest.mark.parametrize(
    ("cause", "consequence", "expected"),
    [
        ("....www", "..ccccc", False),  # began two chunks before its cause
        ("....www", "...cccc", True),  # one chunk of slack: it can be seen a little earlier
        ("www.....", "...cc", True),
        ("www.....", "....c", False),  # the cause had ended
        ("w.w.w...", "....c", True),
    ],
)
def test_a_cause_comes_first_and_has_not_ended(
    causes: Callable[..., dict[str, str]], cause: str, consequence: str, expected: bool
) -> None:
    found = causes(f"quality.missing_share.age {cause}\nperformance.roc_auc {consequence}")
    assert bool(found) is expected


def test_the_latest_of_several_causes_counts(causes: Callable[..., dict[str, str]]) -> None:
    text = """
        quality.missing_share.age     wwwwwwww
        quality.missing_share.income  ....wwww
        quality.missing_share.city    ..ww....
        performance.roc_auc           .....ccc
    """
    assert causes(text) == {"performance.roc_auc": "quality.missing_share.income"}


def test_an_ended_cause_does_not_stand_before_an_open_one(causes: Callable[..., dict[str, str]]) -> None:
    text = """
        quality.missing_share.age     wwwwwwwwww
        quality.missing_share.city    ..ww......
        performance.roc_auc           .......ccc
    """
    assert causes(text) == {"performance.roc_auc": "quality.missing_share.age"}


def test_harm_is_never_hidden(history: History, weeks: Weeks) -> None:
    text = """
        quality.missing_share.age  ww
        drift.psi.age              nn
        performance.roc_auc        cc
        performance.roc_auc@city=A ww
    """
    alerts, (incident,) = watch(history(text), weeks(2))
    inhibited = {a.last_breach.monitor: a.inhibited_by for a in alerts}
    assert inhibited["quality.missing_share.age"] is None
    assert inhibited["performance.roc_auc"] is None
    for name in ("drift.psi.age", "performance.roc_auc@city=A"):
        why = inhibited[name]
        assert why is not None
        assert (why.reason, why.by) == (Broken.MISSING, incident.root.id)
    assert (incident.root.last_breach.monitor, incident.severity) == ("quality.missing_share.age", Severity.CRITICAL)
    (said,) = [a.to_dict() for a in alerts if a.last_breach.monitor == "drift.psi.age"]
    assert said["inhibited_by"] == {"reason": "the column is missing", "by": incident.root.id}


def test_an_outage_explains_only_the_chunks_without_rows(causes: Callable[..., dict[str, str]]) -> None:
    text = """
        quality.row_count      ...c........
        drift.psi.age          ...n........
        performance.roc_auc    ....cccccccc
        performance.log_loss   ...ccccccccc
    """
    assert causes(text) == {"drift.psi.age": "quality.row_count"}


@pytest.mark.parametrize(
    ("onset", "expected"),
    [((2, 4), True), ((3, 3), True), ((0, 0), False), ((5, 8), False), (None, True)],
)
def test_a_cause_began_when_the_loss_may_have_begun(
    history: History, weeks: Weeks, onset: tuple[int, int] | None, expected: bool
) -> None:
    breaches = history("quality.missing_share.age ...wwwwwww") + history("performance.roc_auc ......cccc", onset=onset)
    alerts = replay(breaches, weeks(10))
    assert bool(explained(alerts)) is expected


def test_what_has_long_been_broken_is_no_cause_of_what_comes_now(causes: Callable[..., dict[str, str]]) -> None:
    cause = "quality.missing_share.age "
    assert causes(f"{cause} {'w' * 20}\nperformance.roc_auc {'.' * 12}cccccccc") == {}
    again = f"{cause} {'w' * 20}\nperformance.roc_auc cc{'.' * 12}cccccc"  # what it has explained once comes again
    assert set(causes(again)) == {"performance.roc_auc"}


@pytest.mark.parametrize(("blame", "expected"), [(None, True), (1.0, True), (0.5, True), (0.3, False), (0.0, False)])
def test_a_column_explains_what_it_can_be_blamed_for(
    history: History, weeks: Weeks, blame: float | None, expected: bool
) -> None:
    breaches = history("quality.missing_share.age ..ww", blame=blame) + history(
        "performance.roc_auc ..cc\ndrift.psi.age ..nn"
    )
    alerts = replay(breaches, weeks(4))
    found = {alerts[i].last_breach.monitor for i in explained(alerts)}
    assert found == {"drift.psi.age", *(["performance.roc_auc"] if expected else [])}  # of its own column in any case


def test_a_cause_that_bears_the_loss_may_be_seen_after_its_onset(history: History, weeks: Weeks) -> None:
    loss = history("performance.roc_auc .....ccc", onset=(1, 2))
    for blame, expected in ((0.9, 1), (None, 0)):
        alerts = replay(history("quality.missing_share.age ....wwww", blame=blame) + loss, weeks(8))
        assert len(explained(alerts)) == expected


@pytest.mark.parametrize(
    ("known", "expected"), [({}, False), ({"blame": 0.8}, True), ({"factor": 10.9}, True), ({"blame": 0.2}, False)]
)
def test_other_values_explain_a_loss_only_where_that_shows(
    history: History, weeks: Weeks, known: dict[str, float], expected: bool
) -> None:
    seen = history("quality.out_of_range_share.age ..wwww", value=0.8, reference_value=0.0, **known)
    alerts = replay(seen + history("performance.roc_auc ..cccc"), weeks(6))
    assert bool(explained(alerts)) is expected
