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
        states.set_state(scope, model.id, judged={"rows": 3}, detail={"a": [1, None, "é"]})
        states.set_state(scope, model.id, evaluated_us=NOW, missing_columns=["x"])
        state = states.get_state(scope, model.id)
    assert state is not None
    assert (state.judged, state.evaluated_us, state.missing_columns) == ({"rows": 3}, NOW, ["x"])
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


def test_states_of_several_models(catalog: Catalog) -> None:
    models = [catalog.model(name) for name in "abc"]
    with catalog.write() as scope:
        states.set_state(scope, models[0].id, evaluated_us=NOW)
        states.count_rows(scope, models[1].id, labels=2, last_label_us=NOW)
        states.count_rows(scope, models[1].id, labels=1, last_label_us=NOW - 1)
        found = states.states_of(scope, [model.id for model in models])
    assert {id: (s.evaluated_us, s.labels, s.last_label_us) for id, s in found.items()} == {
        models[0].id: (NOW, 0, None),
        models[1].id: (None, 3, NOW),
    }
    assert states.new_state(7, 1) == states.ModelState(
        model_id=7, project_id=1, unknown_columns={}, missing_columns=[], detail={}
    )


def test_a_wrong_name_or_model_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError), catalog.write() as scope:
        states.set_state(scope, 99, events=1)
    model = catalog.model()
    with pytest.raises(TypeError, match="A state has no verdigt"), catalog.write() as scope:
        states.set_state(scope, model.id, verdigt="ok")  # type: ignore[call-arg]  # what is tested
