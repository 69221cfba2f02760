"""Signing in: guessing is slow, nobody is locked out, and a flood holds nobody else up."""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections.abc import Iterator

import pytest
from office import GOOD, Office, office_in, sign_in
from serving import serving

from barograph.server.pages.viewers import COOKIE, DEVICE_COOKIE, Viewers
from barograph.server.passwords import AT_ONCE, TURNS, WAITING, hashed, is_old, matches, why_refused
from barograph.store.catalog import throttle
from barograph.store.catalog.database import writing
from barograph.store.clock import wall_clock_us


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office_in(tmp_path_factory.mktemp("office")) as made:
        yield made


def test_guessing_is_slowed_down_and_does_not_lock_the_owner_out(office: Office) -> None:
    office.user("frank")
    known = office.signed_in("frank")
    known.cookies.delete(COOKIE)  # signed out, and known as a browser of theirs
    office.clock.stopped_us = wall_clock_us()  # a guess may take a second on a busy machine
    with office.browser() as guesser:
        answers = [sign_in(guesser, "frank", f"guess number {i}") for i in range(7)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
        assert "Retry-After" in answers[-1].headers
        assert sign_in(guesser, "frank", GOOD).status_code == 429  # even the right one
        unknown = [sign_in(guesser, "nobody-here", f"guess number {i}") for i in range(7)]
        assert [a.status_code for a in unknown] == [401] * 5 + [429] * 2  # whether there is such a user is not told
        assert re.sub(r"\d+", "", answers[-1].text) == re.sub(r"\d+", "", unknown[-1].text)
        assert re.sub(r"\d+", "", answers[0].text) == re.sub(r"\d+", "", unknown[0].text)
        assert sign_in(known, "frank", GOOD).status_code == 303
        office.clock.ahead_us += 4_000_000
        assert sign_in(guesser, "frank", GOOD).status_code == 303  # after the wait
    office.clock.stopped_us = None


def test_a_link_lets_its_user_in_however_many_have_guessed(office: Office) -> None:
    office.user("quinn")
    (quinn,) = [u for u in office.api("GET", "/v1/users").json()["items"] if u["name"] == "quinn"]

    office.clock.stopped_us = wall_clock_us()
    now_us = office.clock()

    def guess() -> int:
        with writing(office.served.service.engine) as connection:
            by = [throttle.counted_by("1/quinn", f"10.0.{i}.1", None) for i in range(throttle.FREE["name"] + 20)]
            return max(throttle.charge(connection, one, now_us=now_us) for one in by)

    assert guess() > 0
    fresh = office.browser()
    assert sign_in(fresh, "quinn", GOOD).status_code == 429
    link, new = office.api("POST", f"/v1/users/{quinn['id']}/link").json()["link"], GOOD + " again"
    chosen = fresh.post(link, data={"password": new, "again": new})
    assert (chosen.status_code, DEVICE_COOKIE in fresh.cookies) == (303, True)
    assert sign_in(office.browser(), "quinn", new).status_code == 303  # what was counted is forgotten
    assert guess() > 0
    assert sign_in(office.browser(), "quinn", new).status_code == 429
    assert sign_in(fresh, "quinn", new).status_code == 303  # and guesses that follow do not count there
    office.clock.stopped_us = None


def test_it_takes_as_long_whether_there_is_such_a_user_or_not() -> None:
    stored = hashed(GOOD)

    def took(kept: str | None) -> float:
        def once() -> float:
            start = time.perf_counter()
            assert not matches("another password", kept)
            return time.perf_counter() - start

        return statistics.median(once() for _ in range(7))

    took(None)
    there, nobody = took(stored), took(None)
    assert 0.3 < there / nobody < 3
    assert matches(GOOD, stored)
    assert not matches(GOOD, None)
    assert not matches(GOOD, "no hash")
    assert stored.startswith("$argon2id$")
    assert not is_old(stored)
    assert is_old("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ")


def test_the_same_letters_typed_on_another_keyboard_are_the_same_password() -> None:
    assert matches("cafe\u0301 au lait bien chaud", hashed("caf\u00e9 au lait bien chaud"))


@pytest.mark.parametrize(
    "password",
    ["P@ssw0rd12345", "qwertyuiop12", "abcabcabcabc", "123456789012", "letmeinletmein", "iloveyou2023!!", "a" * 13],
)
def test_what_everybody_tries_first_is_refused(password: str) -> None:
    assert why_refused(password, "nobody")


def test_a_form_of_a_page_elsewhere_signs_nobody_in(office: Office) -> None:
    office.user("gina")
    data = {"name": "gina", "password": GOOD}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        with office.browser() as browser:
            assert browser.post("/sign-in", data=data, headers=headers).status_code == 403, headers
    with office.browser() as browser:
        own = {"Origin": office.served.url, "Sec-Fetch-Site": "same-origin"}
        assert browser.post("/sign-in", data=data, headers=own).status_code == 303


def test_a_proxy_is_believed_as_far_as_the_operator_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("proxied"), local=False, proxy_hops=2) as served:
        viewers = Viewers(served.service, local=False)

        def address(*headers: tuple[bytes, bytes]) -> str | None:
            return viewers.address({"client": ("127.0.0.1", 1), "headers": list(headers)})

        name = b"x-forwarded-for"
        assert address((name, b"6.6.6.6, 1.2.3.4, 10.0.0.1")) == "1.2.3.4"
        assert address((name, b"6.6.6.6"), (name, b"1.2.3.4"), (name, b"10.0.0.1")) == "1.2.3.4"
        assert address((name, b"10.0.0.1")) is None
        assert address() is None
        assert address((name, b"<script>, 10.0.0.1")) is None


def test_an_address_that_anybody_can_write_is_not_believed(office: Office) -> None:
    viewers = Viewers(office.served.service, local=False)
    headers = [(b"x-forwarded-for", b"1.2.3.4"), (b"forwarded", b"for=1.2.3.4")]
    assert viewers.address({"client": ("127.0.0.1", 1), "headers": headers}) == "127.0.0.1"


def test_who_floods_the_form_for_signing_in_holds_nobody_else_up(office: Office) -> None:
    office.user("pia")
    browser, end = office.browser(), threading.Event()
    held = [TURNS.take(end.wait, 60) for _ in range(AT_ONCE + WAITING)]
    try:
        for _ in range(50):  # more than there are threads for requests
            away = sign_in(browser, "pia", GOOD)
            assert (away.status_code, "Retry-After" in away.headers) == (503, True)
        assert office.api("GET", "/v1/models").status_code == 200
        assert browser.get("/sign-in").status_code == 200
        assert not any(one.done() for one in held)
    finally:
        end.set()
    assert all(one.result(60) for one in held)
    assert sign_in(browser, "pia", GOOD).status_code == 303
