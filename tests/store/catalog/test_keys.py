"""Keys: found by their token alone, useless when over or revoked, and never shown again."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from two_projects import NOW, SECOND, Catalog

from barograph.store.catalog import keys
from barograph.store.catalog.keys import Key, NewKey
from barograph.store.catalog.schema import keys as table


def create(catalog: Catalog, *, expires_us: int | None = None) -> NewKey:
    with catalog.write() as scope:
        return keys.create_key(scope, name="producer", role="ingest", expires_us=expires_us, now_us=NOW)


def find(catalog: Catalog, token: str, *, at: int = NOW) -> Key | None:
    with catalog.read(catalog.other) as scope:
        return keys.find_key(scope.connection, token, now_us=at)


def test_a_token_finds_its_key_and_project(catalog: Catalog) -> None:
    new = create(catalog)
    assert re.fullmatch(r"baro_[A-Za-z0-9]{12}_[A-Za-z0-9_-]{43}", new.token)
    assert find(catalog, new.token) == new.key
    assert (new.key.project_id, new.key.role, new.key.prefix) == (catalog.mine, "ingest", new.token[5:17])
    assert create(catalog).token != new.token


def test_the_secret_is_nowhere(catalog: Catalog) -> None:
    new = create(catalog)
    secret = new.token[18:]
    with catalog.read() as scope:
        stored = repr(scope.connection.execute(sa.select(table)).all())
        shown = repr(keys.list_keys(scope, limit=9))
    for text in (repr(new), str(new), repr(new.key), stored, shown):
        assert secret not in text


@pytest.mark.parametrize("wrong", ["secret", "prefix", "empty", "short", "odd", "long"])
def test_a_wrong_token_finds_nothing(catalog: Catalog, wrong: str) -> None:
    token = create(catalog).token
    other = "A" if token[-5] != "A" else "B"
    tokens = {
        "secret": token[:-5] + other + token[-4:],
        "prefix": "baro_" + "z" * 12 + token[17:],
        "empty": "",
        "short": token[:-1],
        "odd": token[:-1] + "é",
        "long": token + "A",
    }
    assert find(catalog, tokens[wrong]) is None
    assert find(catalog, token) is not None


def test_a_key_ends_at_its_time(catalog: Catalog) -> None:
    token = create(catalog, expires_us=NOW + SECOND).token
    assert find(catalog, token, at=NOW + SECOND - 1) is not None
    assert find(catalog, token, at=NOW + SECOND) is None


def test_a_revoked_key_finds_nothing_and_keeps_the_time(catalog: Catalog) -> None:
    new = create(catalog)
    with catalog.write() as scope:
        assert keys.revoke_key(scope, new.key.id, now_us=NOW + 1)
        assert keys.revoke_key(scope, new.key.id, now_us=NOW + 2)
        assert not keys.revoke_key(scope, 99, now_us=NOW)
        found = keys.get_key(scope, new.key.id)
    assert find(catalog, new.token) is None
    assert found is not None
    assert found.revoked_us == NOW + 1


def test_the_last_use_is_written_once_a_minute(catalog: Catalog) -> None:
    new = create(catalog)
    seen = []
    for second in (0, 30, 59, 60, 61):
        with catalog.write() as scope:
            keys.touch_key(scope, new.key.id, now_us=NOW + second * SECOND)
            found = keys.get_key(scope, new.key.id)
            assert found is not None
            assert found.last_used_us is not None
            seen.append((found.last_used_us - NOW) // SECOND)
    assert seen == [0, 0, 0, 60, 60]


def test_keys_are_listed_in_pages(catalog: Catalog) -> None:
    made = [create(catalog).key for _ in range(3)]
    with catalog.read() as scope:
        assert keys.list_keys(scope, limit=2) == made[:2]
        assert keys.list_keys(scope, limit=2, after=made[1].id) == made[2:]
