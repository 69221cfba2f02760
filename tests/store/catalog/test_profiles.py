"""Profiles, how far they have got, and the marks of those to build again."""

from __future__ import annotations

import pytest
from two_projects import NOW, Catalog, day_us, profile

from barograph.errors import ConflictError, NotFoundError
from barograph.store.catalog import profiles
from barograph.store.catalog.profiles import DirtyChunk, Position


def test_profiles_are_replaced_by_chunk_and_read_in_order(catalog: Catalog) -> None:
    model = catalog.model()
    reference = catalog.reference(model)
    with catalog.write() as scope:
        profiles.write_profiles(scope, model.id, reference.id, "chunk", [profile(2), profile(0)], now_us=NOW)
        profiles.write_profiles(scope, model.id, reference.id, "day", [profile(0, data=b"day")], now_us=NOW)
        newer = profile(2, data=bytes(range(256)))
        profiles.write_profiles(scope, model.id, reference.id, "chunk", [profile(1), newer], now_us=NOW + 1)
        profiles.write_profiles(scope, model.id, reference.id, "chunk", [], now_us=NOW + 1)
    with catalog.read() as scope:
        assert profiles.read_profiles(scope, reference.id, "chunk") == [profile(0), profile(1), newer]
        assert profiles.read_profiles(scope, reference.id, "day") == [profile(0, data=b"day")]
        span = {"start_us": day_us(1), "end_us": day_us(2)}
        assert profiles.read_profiles(scope, reference.id, "chunk", **span) == [profile(1)]
        assert profiles.read_profiles_at(scope, reference.id, "chunk", [day_us(2), day_us(9)]) == [newer]
        heads = profiles.profile_heads(scope, reference.id, "chunk", start_us=day_us(1))
        assert [(h.start_us, h.revision, h.updated_us) for h in heads] == [
            (day_us(1), 1, NOW + 1),
            (day_us(2), 2, NOW + 1),
        ]
    with catalog.write() as scope:
        assert profiles.delete_profiles(scope, reference.id, "chunk", [day_us(0), day_us(9)]) == 1
        assert len(profiles.profile_heads(scope, reference.id, "chunk")) == 2


def test_a_position_moves_only_from_where_the_work_began(catalog: Catalog) -> None:
    model = catalog.model()
    reference = catalog.reference(model)

    def move(to: Position, expected: Position) -> None:
        with catalog.write() as scope:
            profiles.set_position(scope, model.id, reference.id, to, expected=expected)

    first = Position(events_version=3, labels_version=-1)
    move(first, Position())
    with pytest.raises(ConflictError, match="another has built them"):
        move(Position(events_version=4, labels_version=0), Position())
    with catalog.read() as scope:
        assert profiles.get_position(scope, model.id, reference.id) == first
        assert profiles.get_position(scope, model.id, 99) == Position()
    move(Position(events_version=4, labels_version=0), first)


def test_a_position_that_cannot_move_takes_the_profiles_back(catalog: Catalog) -> None:
    model = catalog.model()
    reference = catalog.reference(model)
    with pytest.raises(ConflictError), catalog.write() as scope:  # noqa: PT012 - one transaction
        profiles.write_profiles(scope, model.id, reference.id, "chunk", [profile()], now_us=NOW)
        moved = Position(events_version=1)
        profiles.set_position(scope, model.id, reference.id, moved, expected=Position(events_version=7))
    with catalog.read() as scope:
        assert profiles.read_profiles(scope, reference.id, "chunk") == []


def test_a_mark_that_is_set_again_is_not_cleared(catalog: Catalog) -> None:
    model = catalog.model()
    reference = catalog.reference(model)
    with catalog.write() as scope:
        profiles.mark_dirty(scope, model.id, reference.id, [3, 1, 2, 1], now_us=NOW)
        found = profiles.list_dirty(scope, reference.id, limit=2)
        assert found == [DirtyChunk(start_us=s, since_us=NOW, marks=1) for s in (1, 2)]
        assert profiles.list_dirty(scope, reference.id, limit=2, after=2)[0].start_us == 3
        profiles.mark_dirty(scope, model.id, reference.id, [2], now_us=NOW + 5)
        profiles.clear_dirty(scope, reference.id, found)
        profiles.clear_dirty(scope, reference.id, [])
        left = profiles.list_dirty(scope, reference.id, limit=9)
        assert left == [DirtyChunk(start_us=2, since_us=NOW, marks=2), DirtyChunk(start_us=3, since_us=NOW, marks=1)]
        assert profiles.count_dirty(scope, reference.id) == 2


def test_an_unknown_reference_is_an_error(catalog: Catalog) -> None:
    model = catalog.model()
    for act in (
        lambda scope: profiles.write_profiles(scope, model.id, 99, "chunk", [profile()], now_us=NOW),
        lambda scope: profiles.set_position(scope, model.id, 99, Position(events_version=1), expected=Position()),
        lambda scope: profiles.mark_dirty(scope, model.id, 99, [1], now_us=NOW),
    ):
        with pytest.raises(NotFoundError), catalog.write() as scope:
            act(scope)
