"""Users, what they are where, their sessions and links, and how fast somebody may try to be them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from two_projects import EVE, NOW, SECOND, Catalog

from barograph.errors import ConflictError, SpecError
from barograph.store.catalog import keys, links, projects, sessions, throttle, users
from barograph.store.catalog.schema import attempts
from barograph.store.catalog.users import Standing, User


def made(catalog: Catalog, name: str = "ada") -> User:
    with catalog.write() as scope:
        return users.create_user(scope.connection, name, now_us=NOW)


def linked(connection: Connection, user: User) -> str:
    return links.make_link(connection, user.id, project_id=1, made_by=EVE, now_us=NOW)


def test_a_user_has_one_name_whatever_the_size_of_its_letters(catalog: Catalog) -> None:
    ada = made(catalog, " Ada@Example.org")
    assert ada.name == "ada@example.org"
    assert "password" not in repr(ada)
    with pytest.raises(ConflictError, match="already"):
        made(catalog, "ADA@example.org")
    for wrong in ("", " ", "a b", "a/b", "-a", "é", "x" * 101, "a\nb"):
        with pytest.raises(SpecError):
            made(catalog, wrong)
    with catalog.read() as scope:
        assert users.find_user(scope.connection, "ADA@example.org ") == ada
        assert users.find_user(scope.connection, "nobody") is None


def test_a_name_is_one_user_in_each_organisation(catalog: Catalog) -> None:
    first = made(catalog)
    with catalog.write() as scope:
        c = scope.connection
        acme = projects.add_organisation(c, "acme")
        second = users.create_user(c, "ada", organisation_id=acme, now_us=NOW)
        assert (first.path, second.path) == ("ada", "acme/ada")
        assert users.place_of(c, " Ada ") == users.place_of(c, "default/ADA") == (1, "ada")
        assert users.place_of(c, "acme/Ada") == (acme, "ada")
        assert users.place_of(c, "nowhere/ada") == (None, "ada")
        assert [users.find_user(c, "ADA", organisation_id=id) for id in (1, acme, None)] == [first, second, None]
        assert users.standing_of(c, second).organisation_id == acme


def test_the_highest_role_counts_and_deletion_takes_all(catalog: Catalog) -> None:
    ada = made(catalog)
    with catalog.write() as scope:
        c = scope.connection
        mine, other = (projects.get_project(c, id) for id in (catalog.mine, catalog.other))
        assert mine is not None
        assert other is not None
        foreign = projects.add_project(c, "x", organisation_id=projects.add_organisation(c, "acme"), now_us=NOW)

        def roles() -> list[str | None]:
            user = users.get_user(c, ada.id)
            assert user is not None
            standing = users.standing_of(c, user)
            return [standing.role_in(project) for project in (mine, other, foreign)]

        assert roles() == [None, None, None]
        users.set_member(c, ada.id, mine.id, "viewer")
        users.set_member(c, ada.id, mine.id, "editor")
        assert roles() == ["editor", None, None]
        assert [user.name for user in users.list_users(c, project=mine)] == ["ada"]
        assert users.list_users(c, project=other) == []
        assert users.standing_of(c, ada) == Standing(roles={mine.id: "editor"})
        users.set_owner(c, ada.id, 1, True)
        users.set_owner(c, ada.id, 1, True)
        assert roles() == ["owner", "owner", None]
        users.set_operator(c, ada.id, True)
        assert roles() == ["operator"] * 3
        users.set_operator(c, ada.id, False)
        users.set_owner(c, ada.id, 1, False)
        users.set_member(c, ada.id, mine.id, None)
        assert roles() == [None, None, None]
        users.set_member(c, ada.id, mine.id, "viewer")
        sessions.open_session(c, user_id=ada.id, now_us=NOW)
        linked(c, ada)
        users.delete_user(c, ada.id)
        assert users.list_users(c, project=mine) == []
        assert sessions.list_sessions(c, user_ids=[ada.id], now_us=NOW) == []


def test_a_session_ends_when_it_is_idle_and_when_it_is_old(catalog: Catalog) -> None:
    ada = made(catalog)
    with catalog.write() as scope:
        c = scope.connection
        token, session = sessions.open_session(c, user_id=ada.id, agent="a\nb" + "x" * 999, now_us=NOW)
        assert (session.agent[:3], len(session.agent)) == ("abx", 200)
        assert sessions.find_session(c, token, now_us=NOW + sessions.IDLE_US - 1) == session
        assert sessions.find_session(c, token, now_us=NOW + sessions.IDLE_US) is None
        assert sessions.find_session(c, token[:-1], now_us=NOW) is None
        assert sessions.find_session(c, "", now_us=NOW) is None
        at = NOW
        while at < NOW + sessions.USER_US:  # used all the time, it ends nevertheless
            assert sessions.find_session(c, token, now_us=at) is not None
            sessions.touch_session(c, session.id, now_us=at)
            at += sessions.IDLE_US - 1
        assert sessions.find_session(c, token, now_us=NOW + sessions.USER_US) is None


def test_a_session_of_a_key_ends_with_it(catalog: Catalog) -> None:
    with catalog.write() as scope:
        c = scope.connection
        key = keys.create_key(scope, name="k", role="viewer", expires_us=NOW + 9 * SECOND, now_us=NOW).key
        token, session = sessions.open_session(c, key_id=key.id, now_us=NOW)
        assert sessions.key_of_session(c, session) == key
        assert sessions.find_session(c, token, now_us=NOW + 8 * SECOND) == session
        assert sessions.find_session(c, token, now_us=NOW + 9 * SECOND) is None
        keys.revoke_key(scope, key.id, now_us=NOW)
        assert sessions.find_session(c, token, now_us=NOW + 1) is None
        assert sessions.list_sessions(c, key_ids=[key.id], now_us=NOW + 1) == []


def test_a_link_works_once_and_the_newest_alone(catalog: Catalog) -> None:
    ada, eve = made(catalog), made(catalog, "eve")
    with catalog.write() as scope:
        c = scope.connection
        first, hers = linked(c, ada), linked(c, eve)
        second, link = linked(c, ada), links.Link(user_id=ada.id, project_id=1, made_by=EVE)
        assert links.find_link(c, first, now_us=NOW) is None
        assert links.find_link(c, second, now_us=NOW + links.LINK_US - 1) == link
        assert links.find_link(c, second, now_us=NOW + links.LINK_US) is None
        kept, _ = sessions.open_session(c, user_id=eve.id, now_us=NOW)
        ended, _ = sessions.open_session(c, user_id=ada.id, now_us=NOW)
        device = throttle.know(c, ada.id, now_us=NOW)
        assert links.use_link(c, second, "hash", now_us=NOW) == link
        assert links.use_link(c, second, "other", now_us=NOW) is None
        now = users.get_user(c, ada.id)
        assert now is not None
        assert now.password == "hash"
        assert sessions.find_session(c, ended, now_us=NOW) is None
        assert not throttle.is_known(c, ada.id, device)
        assert sessions.find_session(c, kept, now_us=NOW) is not None
        assert links.find_link(c, hers, now_us=NOW) is not None


def test_no_link_outlives_a_change_of_what_its_user_is(catalog: Catalog) -> None:
    ada = made(catalog)
    with catalog.write() as scope:
        c = scope.connection
        for change in (
            lambda: users.set_member(c, ada.id, catalog.mine, "viewer"),
            lambda: users.set_member(c, ada.id, catalog.mine, None),
            lambda: users.set_owner(c, ada.id, 1, True),
            lambda: users.set_operator(c, ada.id, True),
            lambda: users.set_password(c, ada.id, "hash"),
        ):
            token = linked(c, ada)
            assert links.find_link(c, token, now_us=NOW) is not None
            change()
            assert links.find_link(c, token, now_us=NOW) is None


def test_waits_grow_and_are_counted_by_name_and_address(catalog: Catalog) -> None:
    with catalog.write() as scope:
        c = scope.connection
        guess = throttle.counted_by("ada", "10.0.0.1", None)
        assert throttle.counted_by(" ADA ", "10.0.0.1", None) == guess
        assert "ada" not in repr(guess)
        assert [throttle.charge(c, guess, now_us=NOW) for _ in range(7)] == [0] * 5 + [SECOND] * 2
        assert throttle.charge(c, guess, now_us=NOW + SECOND) == 0  # the sixth failure
        assert throttle.charge(c, guess, now_us=NOW + SECOND) == 2 * SECOND
        # Another address, and another name from the same one, are free.
        assert throttle.charge(c, throttle.counted_by("ada", "10.0.0.2", None), now_us=NOW) == 0
        assert throttle.charge(c, throttle.counted_by("eve", "10.0.0.1", None), now_us=NOW) == 0
        # What was good is forgiven, and only that.
        throttle.forgive(c, throttle.counted_by("eve", "10.0.0.1", None))
        names = [throttle.counted_by(f"user{i}", "10.0.0.1", None) for i in range(30)]
        waits = [throttle.charge(c, name, now_us=NOW) for name in names]
        assert waits.index(SECOND) == throttle.FREE["address"] - 6
        assert throttle.charge(c, guess, now_us=NOW + throttle.FORGET_US + SECOND) == 0


def test_a_network_of_ipv6_is_one_guesser_and_who_comes_from_nowhere_another(catalog: Catalog) -> None:
    with catalog.write() as scope:
        c = scope.connection
        for addresses in ([f"2001:db8::{i:x}:1" for i in range(40)], [None] * 40):
            waits = [
                throttle.charge(c, throttle.counted_by(f"user{i}", one, None), now_us=NOW)
                for i, one in enumerate(addresses)
            ]
            assert [wait > 0 for wait in waits] == [False] * throttle.FREE["address"] + [True] * 10
        other = throttle.counted_by("user", "2001:db8:0:1::1", None)
        assert throttle.charge(c, other, now_us=NOW) == 0


def test_what_is_kept_of_attempts_is_bounded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST_ROWS", 30)
    with catalog.write() as scope:
        c = scope.connection
        for i in range(50):
            throttle.charge(c, throttle.counted_by(f"user{i}", f"10.0.{i}.1", None), now_us=NOW + i)
            assert (c.execute(sa.select(sa.func.count()).select_from(attempts)).scalar() or 0) <= 30
        newest = throttle.counted_by("user49", "10.0.49.1", None)
        assert c.execute(sa.select(attempts.c.what).where(attempts.c.what.in_(newest))).fetchall()


def test_many_addresses_make_nobody_wait_who_is_known(catalog: Catalog) -> None:
    ada = made(catalog)
    with catalog.write() as scope:
        c = scope.connection
        device = throttle.know(c, ada.id, now_us=NOW)
        for i in range(150):
            throttle.charge(c, throttle.counted_by("ada", f"10.0.{i}.1", None), now_us=NOW)
        assert throttle.charge(c, throttle.counted_by("ada", "10.1.0.1", None), now_us=NOW) > 0
        assert throttle.is_known(c, ada.id, device)
        assert throttle.charge(c, throttle.counted_by("ada", "10.1.0.1", device), now_us=NOW) == 0
        for i in range(throttle.MOST_DEVICES):
            throttle.know(c, ada.id, now_us=NOW + 1 + i)
        assert not throttle.is_known(c, ada.id, device)
