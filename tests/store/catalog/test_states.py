"""The newest state of each model, of which several writers each set a part."""

from __future__ import annotations

import threading

import pytest
from two_projects import NOW, Catalog

from barograph.errors import NotFoundError
from barograph.store.catalog import states


def test_what_is_not_set_stays(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        assert states.get_state(scope, model.id) is None
        states.set_state(scope, model.id, verdict="ok", detail={"a": [1, None, "é"]})
        states.set_state(scope, model.id, severity="warning", missing_columns=["x"])
        state = states.get_state(scope, model.id)
    assert state is not None
    assert (state.verdict, state.severity, state.missing_columns) == ("ok", "warning", ["x"])
    assert (state.detail, state.unknown_columns, state.events) == ({"a": [1, None, "é"]}, {}, 0)


def test_counts_of_several_writers_add_up_and_times_only_grow(catalog: Catalog) -> None:
    model = catalog.model()

    def count(worker: int) -> None:
        for i in range(10):
            with catalog.write() as scope:
                states.count_rows(scope, model.id, events=3, rejected=1, last_event_us=NOW + (worker + i) % 7)

    threads = [threading.Thread(target=count, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with catalog.read() as scope:
        state = states.get_state(scope, model.id)
    assert state is not None
    assert (state.events, state.rejected, state.labels) == (120, 40, 0)
    assert (state.last_event_us, state.last_received_us) == (NOW + 6, None)


def test_the_overview_has_every_model_of_the_project(catalog: Catalog) -> None:
    models = [catalog.model(name) for name in ("b", "a")]
    catalog.model("c", project=catalog.other)
    with catalog.write() as scope:
        states.set_state(scope, models[0].id, verdict="bad", firing=2)
        found = states.newest_states(scope)
    assert [(s.name, s.verdict, s.firing, s.detail) for s in found] == [("a", "unknown", 0, {}), ("b", "bad", 2, {})]
    assert {s.project_id for s in found} == {catalog.mine}


def test_a_wrong_name_or_model_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError), catalog.write() as scope:
        states.set_state(scope, 99, verdict="ok")
    model = catalog.model()
    with pytest.raises(TypeError, match="A state has no verdigt"), catalog.write() as scope:
        states.set_state(scope, model.id, verdigt="ok")  # type: ignore[call-arg]  # what is tested
