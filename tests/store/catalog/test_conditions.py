"""The state of a model as it is read: what is silenced now, held by a person, failing, and what follows from it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from two_projects import ADA, DAY, NOW, SECOND, START, Catalog, day_us

from barograph.alerts.breach import Breach
from barograph.alerts.condition import Judgement, Lifecycle
from barograph.alerts.lifecycle import watch
from barograph.alerts.severity import Severity
from barograph.chunks import Chunk
from barograph.store.catalog import conditions, incidents, models, silenced, states, work
from barograph.store.catalog.alerts import OperationsIncident, write_alerts, write_operations
from barograph.store.catalog.conditions import LIVE, ModelCondition
from barograph.store.catalog.models import Model

HOUR = 3600 * SECOND
CHUNKS = [
    Chunk(key=f"day {i}", start=START + timedelta(days=i), end=START + timedelta(days=i + 1)) for i in range(3)
]  # long before NOW
JUDGED = {"rows": 900, "chunks": 3, "how": "by its labels", "doubt": ""}


def breach(metric: str, severity: Severity, column: str | None = None, *, day: int = 0) -> Breach:
    family = "performance" if column is None else "quality"
    return Breach(
        model="flights",
        monitor=f"{family}.{metric}" + (f".{column}" if column else ""),
        metric=metric,
        family=family,
        column=column,
        segment=None,
        chunk=CHUNKS[day].key,
        position=day,
        start=CHUNKS[day].start,
        end=CHUNKS[day].end,
        severity=severity,
        text="it is bad",
        value=1.0,
        reference_value=0.0,
        limit=0.1,
    )


WORSE = [breach("roc_auc", Severity.CRITICAL, day=day) for day in range(3)]
MISSING = [breach("missing_share", Severity.WARNING, "age", day=day) for day in range(3)]
ODD = [breach("out_of_range_share", Severity.NOTICE, "weight", day=day) for day in range(3)]


@pytest.fixture
def model(catalog: Catalog) -> Model:
    """Return a model whose events come live, and which was found well."""
    made = catalog.model()
    reference = catalog.reference(made)
    with catalog.write() as scope:
        models.activate_reference(scope, made.id, reference.id, schema={}, now_us=NOW)
        states.count_rows(scope, made.id, events=900)
        states.set_state(scope, made.id, judged=JUDGED, detail={LIVE: {"last_us": NOW, "first_us": NOW, "gaps": {}}})
    return made


def found(catalog: Catalog, model: Model, breaches: list[Breach]) -> None:
    """Write what an evaluation found."""
    alerts, grouped = watch(breaches, CHUNKS)
    with catalog.write() as scope:
        write_alerts(scope, model.id, alerts, grouped, since_us=day_us(0), now_us=NOW)


def silence(catalog: Catalog, of: Model | None, start: int, end: int, **matchers: str) -> int:
    with catalog.write() as scope:
        return incidents.add_silence(
            scope,
            model_id=of.id if of else None,
            matchers=tuple(matchers.items()),
            starts_us=start,
            ends_us=end,
            reason="it is known",
            created_by=ADA,
            now_us=NOW,
        ).id


def told(catalog: Catalog, model: Model, now: int = NOW) -> ModelCondition:
    with catalog.read() as scope:
        one = conditions.condition_of(scope, model.id, now_us=now)
        assert conditions.conditions(scope, now_us=now)[model.id] == one
    assert one is not None
    return one


def said(catalog: Catalog, model: Model, now: int = NOW) -> tuple[str, str | None, int, int, int]:
    one = told(catalog, model, now)
    severity = one.condition.severity
    return one.condition.judgement.value, severity and severity.value, one.firing, one.incidents, one.silenced


def test_a_silence_holds_by_the_clock_whatever_the_time_of_the_chunks(catalog: Catalog, model: Model) -> None:
    found(catalog, model, WORSE)
    assert said(catalog, model) == ("in trouble", "critical", 1, 1, 0)
    name = silence(catalog, model, NOW, NOW + HOUR, metric="roc_auc")
    assert said(catalog, model, NOW - 1) == ("in trouble", "critical", 1, 1, 0)
    assert said(catalog, model, NOW) == said(catalog, model, NOW + HOUR - 1) == ("well", None, 0, 0, 1)
    assert told(catalog, model).condition.verdict.startswith("Apart from 1 silenced incident, the model is all right")
    assert said(catalog, model, NOW + HOUR) == ("in trouble", "critical", 1, 1, 0)
    with catalog.write() as scope:
        incidents.change_silence(scope, name, ends_us=NOW + 2 * HOUR)
    assert said(catalog, model, NOW + HOUR) == ("well", None, 0, 0, 1)
    with catalog.write() as scope:
        incidents.end_silence(scope, name, now_us=NOW + HOUR)
    assert said(catalog, model, NOW + HOUR) == ("in trouble", "critical", 1, 1, 0)


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        ({"metric": "roc_auc"}, ("attention", "warning", 1, 1, 1)),
        ({"column": "a*"}, ("in trouble", "critical", 1, 1, 1)),
        ({"family": "*"}, ("well", None, 0, 0, 2)),
        ({"model": "flights"}, ("well", None, 0, 0, 2)),
        ({"model": "other"}, ("in trouble", "critical", 2, 2, 0)),
        ({"monitor": "quality.missing_share.age"}, ("in trouble", "critical", 1, 1, 1)),
        ({"segment": "?*"}, ("in trouble", "critical", 2, 2, 0)),
    ],
)
def test_what_matches_is_out_of_everything(
    catalog: Catalog, model: Model, matchers: dict[str, str], expected: tuple[str, str | None, int, int, int]
) -> None:
    late = breach("missing_share", Severity.WARNING, "age", day=2)  # a trouble of its own
    early = breach("roc_auc", Severity.CRITICAL, day=0)
    chunks = CHUNKS
    alerts, grouped = watch([early, late], chunks, quiet=5)
    with catalog.write() as scope:
        write_alerts(scope, model.id, alerts, grouped, since_us=day_us(0), now_us=NOW)
    assert said(catalog, model)[2:] == (2, 2, 0)
    silence(catalog, None, 0, NOW + HOUR, **matchers)
    assert said(catalog, model) == expected


def test_a_silenced_cause_leaves_the_harm(catalog: Catalog, model: Model) -> None:
    found(catalog, model, [*MISSING, *WORSE])
    assert said(catalog, model) == ("in trouble", "critical", 2, 1, 0)
    silence(catalog, model, 0, NOW + HOUR, column="age")
    assert said(catalog, model) == ("in trouble", "critical", 1, 1, 0)
    with catalog.read() as scope:
        (one,) = silenced.list_seen_incidents(scope, now_us=NOW, limit=9)
        muted = {
            seen.stored.metric: bool(seen.silenced_by) for seen in silenced.list_seen_alerts(scope, now_us=NOW, limit=9)
        }
    assert (one.severity, one.silenced_by) == (Severity.CRITICAL, ())
    assert muted == {"missing_share": True, "roc_auc": False}


def test_lists_are_sifted_by_what_is_seen(catalog: Catalog, model: Model) -> None:
    found(catalog, model, [*MISSING, *WORSE])
    name = silence(catalog, model, 0, NOW + HOUR, metric="roc_auc")

    def severities(now: int, **asked: object) -> list[str]:
        with catalog.read() as scope:
            seen = silenced.list_seen_incidents(scope, now_us=now, limit=9, **asked)  # type: ignore[arg-type]  # of a test
        return [one.severity.value for one in seen]

    assert severities(NOW) == ["warning"]  # the gravest that is heard
    assert (severities(NOW, severity="warning"), severities(NOW, severity="critical")) == (["warning"], [])
    assert (severities(NOW + HOUR, severity="warning"), severities(NOW + HOUR, severity="critical")) == (
        [],
        ["critical"],
    )
    assert (severities(NOW, silenced=True), severities(NOW, silenced=False)) == ([], ["warning"])
    silence(catalog, None, 0, NOW + HOUR, column="age")
    assert (severities(NOW, silenced=True), severities(NOW, silenced=False)) == (["critical"], [])
    with catalog.read() as scope:
        (one,) = silenced.list_seen_incidents(scope, now_us=NOW, silenced=True, limit=9)
        alerts = silenced.list_seen_alerts(scope, now_us=NOW, silenced=True, limit=9)
    assert {mute.id for mute in one.silenced_by} == {name, name + 1}
    assert {(mute.reason, mute.ends_us) for mute in one.silenced_by} == {("it is known", NOW + HOUR)}
    assert len(alerts) == 2


def test_pages_of_a_sifted_list_miss_nothing(catalog: Catalog, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(7):
        one = OperationsIncident(
            id=f"i{i}",
            state="firing",
            severity="critical",
            metric="loud" if i % 2 else "quiet",
            title="t",
            since_us=i,
            body={},
        )
        with catalog.write() as scope:
            write_operations(scope, model.id, one, now_us=NOW + i)
    silence(catalog, model, 0, NOW + HOUR, metric="quiet")
    monkeypatch.setattr(silenced, "READ", 2)
    with catalog.read() as scope:
        heard = silenced.list_seen_incidents(scope, now_us=NOW, silenced=False, limit=9)
        first = silenced.list_seen_incidents(scope, now_us=NOW, silenced=False, limit=2)
        place = (first[-1].stored.opened_us, first[-1].stored.model_id, first[-1].stored.id)
        rest = silenced.list_seen_incidents(scope, now_us=NOW, silenced=False, limit=9, after=place)
        alerts = silenced.list_seen_alerts(scope, now_us=NOW, silenced=True, limit=9)
    assert [one.stored.id for one in heard] == ["i5", "i3", "i1"]
    assert [*first, *rest] == heard
    assert [one.stored.id for one in alerts] == ["i6", "i4", "i2", "i0"]


@pytest.mark.parametrize("lifecycle", [Lifecycle.PAUSED, Lifecycle.RETIRED])
def test_a_model_that_is_held_raises_nothing_and_is_listed(
    catalog: Catalog, model: Model, lifecycle: Lifecycle
) -> None:
    found(catalog, model, WORSE)
    with catalog.write() as scope:
        now = models.set_lifecycle(scope, model.id, lifecycle, by=ADA, reason="the season is over", now_us=NOW)
    assert now.held is not None
    assert said(catalog, model) == ("not known", None, 0, 0, 1)
    condition = told(catalog, model).condition
    assert condition.lifecycle is lifecycle
    assert condition.verdict.startswith(
        f"The model is {lifecycle.value} since 2023-11-14 22:13 UTC, by ada: the season"
    )
    with catalog.read() as scope:
        (one,) = silenced.list_seen_incidents(scope, now_us=NOW, state="firing", limit=9)
    assert [mute.reason for mute in one.silenced_by] == [f"the model is {lifecycle.value}: the season is over"]
    with catalog.write() as scope:
        models.set_lifecycle(scope, model.id, None, by=ADA, reason=None, now_us=NOW + 1)
    assert said(catalog, model) == ("in trouble", "critical", 1, 1, 0)


def test_what_fails_stands_in_the_state_until_it_does_not(catalog: Catalog, model: Model) -> None:
    found(catalog, model, WORSE)
    with catalog.write() as scope:
        work.mark(scope, model.id, due_us=NOW)
        work.fail(scope, model.id, due_us=NOW + 5 * SECOND, reason="no column 'age'", now_us=NOW)
        work.fail(scope, model.id, due_us=NOW + 15 * SECOND, reason="no column 'weight'", now_us=NOW + 5 * SECOND)
    one = told(catalog, model)
    assert (one.failures, one.failed_us, one.reason) == (2, NOW, "no column 'weight'")
    assert one.condition.judgement is Judgement.CANNOT_BE_EVALUATED
    assert one.condition.severity is Severity.CRITICAL
    expected = "The model cannot be evaluated since 2023-11-14 22:13 UTC: no column 'weight'. Before that: The model"
    assert one.condition.verdict.startswith(expected)
    with catalog.write() as scope:
        work.later(scope, model.id, marks=1, due_us=NOW + DAY)
    one = told(catalog, model)
    assert (one.failures, one.failed_us, one.reason) == (0, None, None)
    assert one.condition.judgement is Judgement.IN_TROUBLE
    with catalog.write() as scope:
        work.fail(scope, model.id, due_us=NOW, reason="again", now_us=NOW + DAY)
    assert told(catalog, model).failed_us == NOW + DAY


def test_the_states_of_several_models_are_their_own(catalog: Catalog, model: Model) -> None:
    other, new = catalog.model("other"), catalog.model("new")
    found(catalog, model, WORSE)
    silence(catalog, other, 0, NOW + HOUR, family="*")
    foreign = catalog.model("theirs", project=catalog.other)
    with catalog.read() as scope:
        all_of_them = conditions.conditions(scope, now_us=NOW)
        assert conditions.conditions(scope, now_us=NOW, model_ids=[foreign.id]) == {}
    assert set(all_of_them) == {model.id, other.id, new.id}
    assert all_of_them[model.id].condition.severity is Severity.CRITICAL
    assert all_of_them[new.id].condition.lifecycle is Lifecycle.NEW
    assert all_of_them[new.id].condition.verdict.endswith("it has no reference to be compared with.")


def test_events_that_came_after_an_evaluation_of_nothing_are_not_judged_yet(catalog: Catalog, model: Model) -> None:
    nothing = {**JUDGED, "rows": 0, "chunks": 0}
    with catalog.write() as scope:
        states.set_state(scope, model.id, judged=nothing, evaluated_us=NOW, last_received_us=NOW + 1)
        first = conditions.condition_of(scope, model.id, now_us=NOW + 2)
        states.set_state(scope, model.id, evaluated_us=NOW + 2)
        then = conditions.condition_of(scope, model.id, now_us=NOW + 3)
    assert first is not None
    assert then is not None
    assert (first.condition.judgement, first.condition.severity) == (Judgement.NOT_KNOWN, None)
    assert "has not been" in first.condition.verdict
    assert (then.condition.judgement, then.condition.severity) == (Judgement.IN_TROUBLE, Severity.CRITICAL)
