"""Removals are done once in effect, however often they are begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from plant import PROJECT, Plant, events

from barograph.errors import LeaseLost, StoreError
from barograph.store.catalog import removals
from barograph.store.catalog.removals import Removal
from barograph.store.model_files import delete_files
from barograph.worker import removals as working
from barograph.worker.lease_guard import hold
from barograph.worker.removals import run_next_removal
from barograph.worker.requests import request_deletion
from barograph.worker.upkeep import keep_up

REFERENCE, CURRENT = events(20, 100, seed=1), events(3, 100, seed=2)


def deleted(plant: Plant) -> Removal:
    plant.register(REFERENCE)
    plant.send(CURRENT)
    plant.work()
    with plant.ctx.write(PROJECT) as scope:
        return request_deletion(scope, plant.model, now_us=plant.now_us)


def found(plant: Plant, removal: Removal) -> Removal:
    with plant.ctx.read(PROJECT) as scope:
        now = removals.get_removal(scope, removal.id)
    assert now is not None
    return now


def files(plant: Plant) -> list[Path]:
    folder = plant.ctx.settings.folder
    return [p for top in ("tables", "index", "poison") for p in (folder / top).rglob("*") if p.is_file()]


def test_a_deletion_that_fails_in_the_middle_is_gone_on_with(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    removal = deleted(plant)
    count = len(files(plant))
    assert count > 5

    def half(settings: object, project_id: int, model_id: int, *, told: object) -> int:
        for path in files(plant)[: count // 2]:
            path.unlink()
        raise StoreError("the disk fails")

    monkeypatch.setattr(working, "delete_files", half)
    assert run_next_removal(plant.ctx, now_us=plant.now_us)
    now = found(plant, removal)
    assert (now.state, now.reason, now.failures) == ("waiting", "the disk fails", 1)
    assert not run_next_removal(plant.ctx, now_us=plant.now_us)  # not before a moment has passed
    monkeypatch.undo()
    plant.now_us = now.due_us
    assert run_next_removal(plant.ctx, now_us=plant.now_us)
    now = found(plant, removal)
    assert (now.state, now.reason, now.step) == ("done", None, "done")
    assert files(plant) == []
    assert not run_next_removal(plant.ctx, now_us=plant.now_us)


def test_nothing_is_removed_under_the_hands_of_a_worker(plant: Plant) -> None:
    removal = deleted(plant)
    for name in ("model/1", "tidy/1", "file/1/labels"):
        with hold(plant.ctx, name, now_us=plant.now_us) as lease:
            assert lease is not None
            assert not run_next_removal(plant.ctx, now_us=plant.now_us)
    assert found(plant, removal).state == "waiting"
    assert run_next_removal(plant.ctx, now_us=plant.now_us)
    assert found(plant, removal).state == "done"


def test_who_has_lost_the_lease_does_not_go_on(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    removal = deleted(plant)

    def lost(*args: object, told: object, **more: object) -> int:
        plant.now_us += 10**9  # long enough for another to take over
        with hold(plant.ctx, "model/1", now_us=plant.now_us) as lease:
            assert lease is not None
        assert callable(told)
        told(0, 1)
        raise AssertionError("it went on")

    monkeypatch.setattr(working, "delete_files", lost)
    with pytest.raises(LeaseLost):
        run_next_removal(plant.ctx, now_us=plant.now_us)
    assert found(plant, removal).state == "running"
    monkeypatch.undo()
    assert run_next_removal(plant.ctx, now_us=plant.now_us)
    assert found(plant, removal).state == "done"


def test_what_an_upload_leaves_behind_its_deleted_model_is_found(plant: Plant) -> None:
    deleted(plant)
    assert run_next_removal(plant.ctx, now_us=plant.now_us)
    late = plant.ctx.settings.folder / "tables" / "1" / "1" / "references" / "7.parquet"
    late.parent.mkdir(parents=True)
    late.write_bytes(b"x")
    keep_up(plant.ctx, now_us=plant.now_us + 60_000_000)
    assert files(plant) == []
    assert delete_files(plant.ctx.settings, 1, 1) == 0
