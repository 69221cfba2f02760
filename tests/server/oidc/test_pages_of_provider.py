"""Signing in by a real provider: who comes in, as what, and what attacks on the way meet with."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from office import GOOD, csrf_of
from real_provider import PUBLIC, SECRET, Vouched, vouched_office

from barograph.server.oidc.flow import LIFE_US
from barograph.server.oidc.provider import AGAIN_US, KEEP_US
from barograph.server.pages.oidc import COOKIE as FLOW
from barograph.server.pages.viewers import COOKIE
from barograph.store.catalog.database import reading, writing
from barograph.store.catalog.sessions import KEY_US
from barograph.store.catalog.users import create_user, find_subject, find_user


@pytest.fixture(scope="module")
def vouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vouched]:
    with vouched_office(tmp_path_factory.mktemp("vouched")) as made:
        yield made


def roles(vouched: Vouched, name: str) -> dict[str, str]:
    found = {}
    for project in ("default/default", "default/other"):
        headers = {"Authorization": f"Bearer {vouched.office.key}", "Barograph-Project": project}
        users = vouched.office.served.client.get("/v1/users", headers=headers).json()["items"]
        for user in users:
            if user["name"] == name and user["role"]:
                found[project] = user["role"]
    return found


def refused(answer: httpx.Response, status: int = 401) -> bool:
    return answer.status_code == status and COOKIE not in answer.headers.get("Set-Cookie", "")


def test_who_is_vouched_for_comes_in_as_what_their_groups_are(vouched: Vouched) -> None:
    vouched.provider.tell(groups={"ada": ["editors", "viewers", "others", "elsewhere"]})
    browser = vouched.office.browser()
    page = browser.get("/sign-in?to=/incidents").text
    assert "Sign in with the test&#39;s provider" in page
    assert "/base/oidc/start?to=%2Fincidents" in page
    answer = vouched.signed_in(browser, "ada", "/incidents?page=2")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/base/incidents?page=2")
    assert FLOW not in browser.cookies
    assert browser.get("/").status_code == 200
    assert roles(vouched, "ada") == {"default/default": "editor", "default/other": "viewer"}  # the higher of two
    audit = vouched.office.api("GET", "/v1/audit").json()["items"]
    assert {(one["action"], one["target"]) for one in audit} >= {("sign in", "ada"), ("change user", "ada")}
    # What the groups are at the next time holds, and nothing that was given by hand.
    vouched.provider.tell(groups={"ada": ["viewers"]})
    vouched.signed_in(vouched.office.browser(), "ada")
    assert roles(vouched, "ada") == {"default/default": "viewer"}
    vouched.provider.tell(groups={"ada": ["owners"]})
    vouched.signed_in(vouched.office.browser(), "ada")
    assert roles(vouched, "ada") == {"default/default": "owner", "default/other": "owner"}
    vouched.provider.tell(groups={"ada": []})
    assert refused(vouched.signed_in(vouched.office.browser(), "ada"), 403)
    assert browser.get("/", follow_redirects=False).status_code == 401  # and is signed out everywhere
    with reading(vouched.office.served.service.engine) as connection:
        assert find_subject(connection, f"{vouched.provider.url} ada") is not None


def test_who_is_in_no_group_gets_no_account(vouched: Vouched) -> None:
    answer = vouched.signed_in(vouched.office.browser(), "stranger")
    assert refused(answer, 403)
    assert "none of your groups" in answer.text
    with reading(vouched.office.served.service.engine) as connection:
        assert find_user(connection, "stranger") is None


def test_nobody_becomes_another_user_by_a_name(vouched: Vouched) -> None:
    engine = vouched.office.served.service.engine
    with writing(engine) as connection:
        boss = create_user(connection, "boss", now_us=vouched.office.clock())
    vouched.provider.tell(groups={"evil|boss": ["owners"]})
    assert refused(vouched.signed_in(vouched.office.browser(), "evil%7Cboss"))
    with reading(engine) as connection:
        assert find_user(connection, "boss") == boss


def test_an_account_of_a_provider_has_no_password_and_gets_none(vouched: Vouched) -> None:
    vouched.provider.tell(groups={"bea": ["viewers"]})
    browser = vouched.office.browser()
    vouched.signed_in(browser, "bea")
    (bea,) = [one for one in vouched.office.api("GET", "/v1/users").json()["items"] if one["name"] == "bea"]
    assert vouched.office.api("POST", f"/v1/users/{bea['id']}/link").status_code == 409
    assert "Change the password" not in browser.get("/account").text
    fields = {"csrf": csrf_of(browser), "old": "", "password": GOOD, "again": GOOD}
    assert browser.post("/account/password", data=fields).status_code == 403
    # A session ends within the day, so that who has left the provider has left here, too.
    vouched.office.clock.ahead_us += KEY_US // 2
    assert browser.get("/").status_code == 200
    vouched.office.clock.ahead_us += KEY_US // 2
    assert browser.get("/").status_code == 401
    vouched.office.clock.ahead_us = 0


def test_signing_out_offers_to_leave_the_provider_too(vouched: Vouched) -> None:
    vouched.provider.tell(groups={"carl": ["viewers"]})
    browser = vouched.office.browser()
    vouched.signed_in(browser, "carl")
    left = browser.post("/sign-out", data={"csrf": csrf_of(browser)})
    assert left.headers["Location"] == "/base/sign-in?left=1"
    assert "/base/oidc/out" in browser.get("/sign-in?left=1").text
    to = browser.get("/oidc/out").headers["Location"]
    assert to.startswith(f"{vouched.provider.url}/session/end?")
    assert parse_qs(urlsplit(to).query)["post_logout_redirect_uri"] == [f"{PUBLIC}/sign-in"]
    assert httpx.get(to).status_code == 200
    assert browser.get("/").status_code == 401


@pytest.mark.parametrize(
    "to", ["//evil.test/", "https://evil.test", "/\\evil.test", "javascript:alert(1)", "/a\r\nX: y"]
)
def test_the_way_on_stays_on_this_site(vouched: Vouched, to: str) -> None:
    vouched.provider.tell(groups={"dora": ["viewers"]})
    answer = vouched.signed_in(vouched.office.browser(), "dora", to)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/base/")


def test_a_session_that_somebody_else_chose_is_not_taken_over(vouched: Vouched) -> None:
    vouched.provider.tell(groups={"eve": ["viewers"], "dan": ["viewers"]})
    first = vouched.office.browser()
    vouched.signed_in(first, "eve")
    planted = first.cookies[COOKIE]
    victim = vouched.office.browser()
    victim.cookies.set(COOKIE, planted)
    answer = vouched.signed_in(victim, "dan")
    set_to = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(COOKIE + "="))
    assert planted not in set_to
    assert first.get("/").status_code == 401  # it ended, and is nobody's


def test_an_answer_is_good_once_and_for_the_browser_that_asked(vouched: Vouched) -> None:
    vouched.provider.tell(groups={"finn": ["viewers"]})
    thief, browser = vouched.office.browser(), vouched.office.browser()
    asked = vouched.begun(browser)
    sent = parse_qs(urlsplit(asked).query)
    assert sent["code_challenge_method"] == ["S256"]
    assert len(sent["code_challenge"][0]) == len(sent["nonce"][0]) == len(sent["state"][0]) == 43
    kept = browser.cookies[FLOW]
    back = vouched.provider.lets(asked, "finn")
    assert "iss=" in back
    assert refused(vouched.back(thief, back))  # without the cookie
    vouched.begun(thief)
    assert refused(vouched.back(thief, back))  # with that of another sign-in
    bare = parse_qs(urlsplit(vouched.begun(thief)).query)["state"][0]
    assert refused(thief.get("/oidc/callback", params={"state": bare}))  # what has no code
    foreign = back.replace(httpx.URL(vouched.provider.url).host, "evil.test")
    assert refused(vouched.back(browser, foreign))  # mix-up: the answer of another issuer
    copied = vouched.office.browser()
    copied.cookies.set(FLOW, kept)
    assert refused(vouched.back(copied, back))  # that answer counts as used: it may have been read on its way
    again = vouched.provider.lets(vouched.begun(browser), "finn")
    kept = browser.cookies[FLOW]
    assert vouched.back(browser, again).status_code == 303
    copied = vouched.office.browser()
    copied.cookies.set(FLOW, kept)
    assert refused(vouched.back(copied, again))


def test_a_code_that_was_made_for_somebody_else_or_without_pkce_is_worth_nothing(vouched: Vouched) -> None:
    victim, attacker = vouched.office.browser(), vouched.office.browser()
    back = urlsplit(vouched.provider.lets(vouched.begun(victim), "finn"))
    stolen = parse_qs(back.query)
    mine = parse_qs(urlsplit(vouched.begun(attacker)).query)["state"][0]
    query = {"code": stolen["code"][0], "state": mine, "iss": stolen["iss"][0]}
    assert refused(attacker.get("/oidc/callback", params=query))
    # The same at the provider: without the verifier, or where PKCE was left out of the request.
    stolen = parse_qs(urlsplit(vouched.provider.lets(vouched.begun(victim), "finn")).query)
    form = {"grant_type": "authorization_code", "code": stolen["code"][0], "redirect_uri": f"{PUBLIC}/oidc/callback"}
    basic = httpx.BasicAuth("barograph", SECRET.replace("%", "%25").replace(" ", "%20").replace(":", "%3A"))
    assert httpx.post(f"{vouched.provider.url}/token", data=form, auth=basic).json()["error"] == "invalid_grant"
    parts = urlsplit(vouched.begun(attacker))
    fields = {k: v[0] for k, v in parse_qs(parts.query).items() if not k.startswith("code_challenge")}
    bare = httpx.get(parts._replace(query="").geturl(), params=fields).headers["Location"]
    assert "error=invalid_request" in bare
    assert refused(vouched.back(attacker, bare))


def test_a_sign_in_that_took_too_long_is_begun_again(vouched: Vouched) -> None:
    browser = vouched.office.browser()
    back = vouched.provider.lets(vouched.begun(browser), "finn")
    vouched.office.clock.ahead_us += LIFE_US + 1
    assert refused(vouched.back(browser, back))
    vouched.office.clock.ahead_us = 0


def test_new_keys_of_the_provider_are_found_at_once_or_within_a_minute(vouched: Vouched) -> None:
    vouched.provider.tell(groups={"gus": ["viewers"]})
    assert vouched.signed_in(vouched.office.browser(), "gus").status_code == 303
    vouched.provider.tell(rotate=True)
    vouched.office.clock.ahead_us += AGAIN_US
    assert AGAIN_US < KEEP_US
    assert vouched.signed_in(vouched.office.browser(), "gus").status_code == 303
    vouched.office.clock.ahead_us = 0


def test_guessed_answers_are_slowed_down(vouched: Vouched) -> None:
    with vouched.office.browser() as browser:
        vouched.office.clock.stopped_us = vouched.office.clock()
        statuses = []
        for _ in range(40):
            state = parse_qs(urlsplit(vouched.begun(browser)).query)["state"][0]
            query = {"code": "guess", "state": state, "iss": "https://elsewhere.test"}
            statuses.append(browser.get("/oidc/callback", params=query).status_code)
        assert set(statuses) == {401, 429}
        vouched.office.clock.stopped_us = None
