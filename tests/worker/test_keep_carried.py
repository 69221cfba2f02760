"""What one process has carried from chunk to chunk, another goes on from: with the same results, and less work."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from plant import PROJECT, Plant, plant_in
from test_pipeline import CURRENT, REFERENCE, assert_equal

from barograph.checks.carried import ANY
from barograph.errors import Stopping
from barograph.store.catalog import carried, incidents, models, work
from barograph.worker import evaluate_model as evaluating
from barograph.worker import keep_carried
from barograph.worker.context import ModelCache
from barograph.worker.keep_carried import look

BAD = CURRENT.with_columns(score=1 - CURRENT["score"])  # as good as before, the other way round: there are incidents


def judged_here(plant: Plant) -> list[str]:
    """Return the chunks whose rows this process has made itself."""
    kept = plant.ctx.remembered.get(plant.live.learned, ModelCache).kept
    return [one.chunk.key for one in kept.carried.known if one.digest != ANY]


def test_processes_take_turns_and_find_what_one_check_finds(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    parts = np.array_split(rng.permutation(len(BAD)), 4)
    labels = BAD.select("event_id", "label").sample(fraction=0.8, seed=4, shuffle=True)
    with plant_in(tmp_path / "data") as first, plant_in(tmp_path / "data") as second:
        first.register(REFERENCE)
        second.model_id = first.model_id
        seen = BAD.clear()
        for i, part in enumerate(parts):
            plant = (first, second)[i % 2]
            plant.now_us = max(first.now_us, second.now_us)
            plant.send(BAD[part].drop("label"))
            plant.send(labels[i * 400 : (i + 1) * 400], "labels")
            plant.work()
            seen = seen.vstack(BAD[part])
            told = labels[: (i + 1) * 400]
            assert_equal(plant, seen.drop("label").join(told, on="event_id", how="left").sort("timestamp"))
        found = _incidents(second)
        with second.ctx.write(PROJECT) as scope:
            carried.void(scope, second.model_id)
            work.mark(scope, second.model_id, due_us=second.now_us)
        second.work()  # everything anew
        assert judged_here(second) == [f"2024-01-{day:02d}" for day in range(1, 21)]
        assert found == _incidents(second)
        assert found


def _incidents(plant: Plant) -> set[tuple[str, str, str]]:
    with plant.ctx.read(PROJECT) as scope:
        found = incidents.list_incidents(scope, model_id=plant.model_id, limit=1000)
    return {(i.id, i.body["title"], i.state) for i in found}


def test_a_new_process_judges_only_the_chunks_that_a_change_concerns(tmp_path: Path) -> None:
    with plant_in(tmp_path / "data") as first:
        first.register(REFERENCE)
        first.send(CURRENT.head(1_900))
        first.work()
        model_id, now_us = first.model_id, first.now_us
        assert len(judged_here(first)) == 19
    with plant_in(tmp_path / "data") as second:
        second.model_id, second.now_us = model_id, now_us
        second.send(CURRENT.tail(100))
        second.work()
        assert judged_here(second) == ["2024-01-20"]
        assert_equal(second, CURRENT)


def test_rules_that_carry_nothing_are_gone_on_from_too(tmp_path: Path) -> None:
    limits = [
        {"metric": "accuracy", "lower": 0.6},
        {"metric": "log_loss", "rule": "relative", "options": {"rise": 0.5}},
    ]
    with plant_in(tmp_path / "data") as first:
        first.register(REFERENCE, monitors=limits)
        first.send(CURRENT.head(1_900))
        first.work()
        model_id, now_us = first.model_id, first.now_us
    with plant_in(tmp_path / "data") as second:
        second.model_id, second.now_us = model_id, now_us
        second.send(CURRENT.tail(100))
        second.work()
        assert judged_here(second) == ["2024-01-20"]
        assert_equal(second, CURRENT)


def test_what_another_version_carried_is_not_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with plant_in(tmp_path / "data") as plant:
        plant.register(REFERENCE)
        plant.send(CURRENT.head(1_000))
        plant.work()
        live, kept = plant.live, plant.ctx.remembered.get(plant.live.learned, ModelCache).kept
        with plant.ctx.read(PROJECT) as scope:
            assert look(scope, live.model_id, live.learned, str(live.rule), kept) is kept
            monkeypatch.setattr(keep_carried, "_version", lambda: "another")
            assert look(scope, live.model_id, live.learned, str(live.rule), kept).serial == 0
        plant.send(CURRENT.tail(1_000))
        plant.work()
        assert_equal(plant, CURRENT)


@pytest.mark.parametrize("head", [b"", b"\x00", msgspec.msgpack.encode(["of", "another", "form"])])
def test_a_head_that_cannot_be_read_is_none(head: bytes, tmp_path: Path) -> None:
    with plant_in(tmp_path / "data") as plant:
        plant.register(REFERENCE)
        plant.send(CURRENT.head(500))
        plant.work()
        with plant.ctx.write(PROJECT) as scope:
            carried.write(scope, plant.model_id, head, new={}, gone={})
        plant.send(CURRENT.tail(1_500))
        plant.work()
        assert_equal(plant, CURRENT)


def test_results_that_were_half_replaced_by_another_specification_are_all_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(*_: object) -> None:
        raise Stopping("the process ends between two transactions")

    with plant_in(tmp_path / "data") as first, plant_in(tmp_path / "data") as second:
        first.register(REFERENCE)
        second.model_id = first.model_id
        first.send(CURRENT)
        first.work()
        said = first.model.spec
        monkeypatch.setattr(evaluating, "keep", stops)
        _say(first, {**said, "tolerance": {"roc_auc": 0.2}})
        with pytest.raises(Stopping):
            first.work()
        monkeypatch.undo()
        second.now_us = first.now_us + 3_600_000_000
        _say(second, said)
        second.work()
        assert_equal(second, CURRENT)


def _say(plant: Plant, spec: dict[str, object]) -> None:
    with plant.ctx.write(PROJECT) as scope:
        models.update_model(scope, plant.model_id, spec=spec, now_us=plant.now_us)
        work.mark(scope, plant.model_id, due_us=plant.now_us)
