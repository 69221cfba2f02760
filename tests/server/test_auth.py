"""Who asks, and who is a person on this machine."""

from __future__ import annotations

from typing import get_args

import pytest

from barograph.server.auth import Caller, Sent, is_local, is_loopback, sent, token_of
from barograph.server.permissions import PERMISSIONS, ROLES
from barograph.server.problems import Problem
from barograph.store.catalog.actor import LOCAL
from barograph.store.catalog.roles import Role

HOME = Sent(host=("127.0.0.1:8321",))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:80",
        "localhost.",
        "127.0.0.1",
        "127.9.9.9:1",
        "[::1]",
        "[::1]:8321",
        "::1",
    ],
)
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "localhost.evil.org",
        "127.0.0.1.evil.org",
        "evil.org:8321",
        "[::1].evil.org",
        "localhost@evil.org",
        "2130706433",
        "0x7f.1",
    ],
)
def test_other_machines(host: str) -> None:
    assert not is_loopback(host)


def test_a_person_on_this_machine_is_local() -> None:
    assert is_local(HOME, client="127.0.0.1", method="GET") is None
    page = Sent(host=("localhost:8321",), origin=("http://localhost:8321",), site="same-origin")
    assert is_local(page, client="::1", method="POST") is None
    link = Sent(host=("localhost:8321",), site="cross-site", mode="navigate")
    assert is_local(link, client="::1", method="GET") is None


@pytest.mark.parametrize(
    ("request_", "client", "method"),
    [
        (HOME, "10.0.0.7", "GET"),
        (HOME, None, "GET"),
        (Sent(), "127.0.0.1", "GET"),
        (Sent(host=("evil.org",)), "127.0.0.1", "GET"),
        (Sent(host=("127.0.0.1", "127.0.0.1")), "127.0.0.1", "GET"),
        (Sent(host=("127.0.0.1",), forwarded=True), "127.0.0.1", "GET"),
        (Sent(host=("127.0.0.1:1",), origin=("http://evil.org",)), "127.0.0.1", "POST"),
        (Sent(host=("127.0.0.1:1",), origin=("http://127.0.0.1:2",)), "127.0.0.1", "POST"),
        (Sent(host=("127.0.0.1:1",), origin=("null",)), "127.0.0.1", "POST"),
        (Sent(host=("127.0.0.1:1",), site="cross-site"), "127.0.0.1", "GET"),
        (Sent(host=("127.0.0.1:1",), site="same-site", mode="no-cors"), "127.0.0.1", "GET"),
        (Sent(host=("127.0.0.1:1",), site="cross-site", mode="navigate"), "127.0.0.1", "POST"),
    ],
)
def test_others_are_not(request_: Sent, client: str | None, method: str) -> None:
    assert is_local(request_, client=client, method=method)


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"forwarded", b"via", b"x-real-ip", b"x-forwarded-host"])
def test_what_a_proxy_passes_on_is_seen(name: bytes) -> None:
    assert sent([(b"host", b"127.0.0.1"), (name, b"1.2.3.4")]).forwarded


def test_a_key_in_another_form_is_refused_and_not_repeated() -> None:
    good = "baro_" + "a" * 12 + "_" + "b" * 43
    assert token_of((f"Bearer {good}",)) == good
    assert token_of((f"bearer {good}",)) == good
    assert token_of(()) is None
    for wrong in (good, f"Basic {good}", f"Bearer {good}x", "Bearer", f"Bearer {good[:-1]}é", ""):
        with pytest.raises(Problem) as refused:
            token_of((wrong,))
        assert refused.value.status == 401
        assert "bbb" not in str(refused.value)
    with pytest.raises(Problem):
        token_of((f"Bearer {good}", f"Bearer {good}"))


def test_what_roles_may() -> None:
    def may(role: str) -> str:
        caller = Caller(project_id=1, organisation_id=1, role=role, actor=LOCAL)
        return " ".join(permission for permission in PERMISSIONS if caller.may(permission))

    assert {role: may(role) for role in ROLES} == {
        "ingest": "events labels tell",
        "viewer": "read",
        "editor": "events labels tell read edit",
        "admin": "events labels tell read edit admin",
        "owner": "events labels tell read edit admin own",
        "operator": "events labels tell read edit admin own operate",
    }
    assert set(ROLES) == set(get_args(Role))
