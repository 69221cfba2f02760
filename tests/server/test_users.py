"""People: invited, signed in, let choose a password, signed out; and those who try to be somebody else."""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from serving import Served, serving

from barograph.server.pages.viewers import COOKIE, DEVICE_COOKIE, Viewers
from barograph.server.passwords import AT_ONCE, TURNS, WAITING, hashed, is_old, matches, why_refused
from barograph.store.catalog import throttle
from barograph.store.catalog.database import writing
from barograph.store.catalog.links import LINK_US
from barograph.store.catalog.sessions import IDLE_US
from barograph.store.clock import wall_clock_us

HTML = {"Accept": "text/html"}
GOOD = "the rain in spain stays"


@dataclass
class Clock:
    """The time, moved on by hand."""

    ahead_us: int = 0
    stopped_us: int | None = None

    def __call__(self) -> int:
        return (self.stopped_us or wall_clock_us()) + self.ahead_us


@dataclass
class Office:
    """A server that knows nobody without a key or a password, its clock, and an operator's key."""

    served: Served
    clock: Clock
    key: str
    browsers: list[httpx.Client] = field(default_factory=list)

    def api(self, method: str, path: str, **options: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.served.client.request(method, path, headers=headers, **options)  # type: ignore[arg-type]  # of a test

    def browser(self) -> httpx.Client:
        browser = httpx.Client(base_url=self.served.url, headers=HTML, timeout=30)
        self.browsers.append(browser)
        return browser

    def invite(self, name: str, role: str = "viewer") -> str:
        made = self.api("POST", "/v1/users", json={"name": name, "role": role})
        assert made.status_code == 201, made.text
        return str(made.json()["link"])

    def user(self, name: str, role: str = "viewer", password: str = GOOD) -> None:
        link = self.invite(name, role)
        with self.browser() as browser:
            chosen = browser.post(link, data={"password": password, "again": password})
            assert (chosen.status_code, chosen.headers["Location"]) == (303, "/sign-in")

    def signed_in(self, name: str, password: str = GOOD) -> httpx.Client:
        browser = self.browser()
        assert sign_in(browser, name, password).status_code == 303
        return browser


def sign_in(browser: httpx.Client, name: str, password: str, **more: str) -> httpx.Response:
    return browser.post("/sign-in", data={"name": name, "password": password, **more})


def csrf_of(browser: httpx.Client, path: str = "/") -> str:
    found = re.search(r'data-csrf="(\w+)"', browser.get(path).text)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    clock = Clock()
    with serving(tmp_path_factory.mktemp("office"), local=False, clock=clock) as served:
        yield (made := Office(served, clock, served.key("operator")))
        for browser in made.browsers:
            browser.close()


def test_somebody_is_invited_chooses_a_password_and_signs_in(office: Office) -> None:
    link = office.invite("Ada@Example.org", "editor")
    assert link.startswith("/link/")
    browser = office.browser()
    for _ in range(2):  # to look at it, as a scanner of mail does, does not use it up
        shown = browser.get(link)
        assert (shown.status_code, "ada@example.org" in shown.text) == (200, True)
        assert (shown.headers["Cache-Control"], shown.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    for wrong, again, why in (
        (GOOD, "another one entirely", "two different"),
        ("short", "short", "12 to 200"),
        ("Password2024!!", "Password2024!!", "many choose"),
        ("ada-example-1815", "ada-example-1815", "your name"),
    ):
        refused = browser.post(link, data={"password": wrong, "again": again})
        assert (refused.status_code, why in refused.text) == (422, True), refused.text
    chosen = browser.post(link, data={"password": GOOD, "again": GOOD})
    assert chosen.headers["Location"] == "/sign-in"
    assert browser.post(link, data={"password": GOOD, "again": GOOD}).status_code == 404
    assert sign_in(browser, "ada@example.org", "the rain in spain").status_code == 401
    entered = sign_in(browser, "ADA@example.org", GOOD, to="/incidents")
    assert (entered.status_code, entered.headers["Location"]) == (303, "/incidents")
    cookies = [one for answer in (entered, chosen) for one in answer.headers.get_list("Set-Cookie")]
    assert [cookie.split("=")[0] for cookie in cookies] == [COOKIE, DEVICE_COOKIE]
    assert all({"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; ")) for cookie in cookies)
    assert "ada@example.org" in browser.get("/").text
    assert browser.get("/settings/users").status_code == 403  # an editor
    assert browser.get("/v1/models").status_code == 401  # a session is for pages alone
    change = {"title": "New glasses", "csrf": csrf_of(browser)}
    assert office.api("PUT", "/v1/models/flights", json={}).status_code == 201
    assert browser.post("/models/flights/changes", data=change).status_code == 303
    (told,) = office.api("GET", "/v1/models/flights/changes").json()["items"]
    assert (told["created_by"]["kind"], told["created_by"]["name"]) == ("user", "ada@example.org")
    acts = {act["action"]: act["actor"] for act in office.api("GET", "/v1/audit").json()["items"]}
    assert acts["sign in"] == acts["tell change"] == told["created_by"]
    assert GOOD not in office.api("GET", "/v1/audit").text
    assert link.split("/")[-1] not in office.api("GET", "/v1/audit").text


def test_a_forgotten_password_is_chosen_anew_and_old_sessions_end(office: Office) -> None:
    office.user("bob")
    browser = office.signed_in("bob")
    (bob,) = [u for u in office.api("GET", "/v1/users").json()["items"] if u["name"] == "bob"]
    first = office.api("POST", f"/v1/users/{bob['id']}/link").json()["link"]
    second = office.api("POST", f"/v1/users/{bob['id']}/link").json()["link"]
    assert browser.get(first).status_code == 404  # a newer one takes its place
    assert browser.get("/").status_code == 200
    other = GOOD + " mainly"
    assert browser.post(second, data={"password": other, "again": other}).status_code == 303
    assert browser.get("/").status_code == 401
    assert sign_in(browser, "bob", GOOD).status_code == 401
    assert sign_in(browser, "bob", other).status_code == 303


def test_a_link_ends_after_three_days(office: Office) -> None:
    link = office.invite("late")
    with office.browser() as browser:
        assert browser.get(link).status_code == 200
        office.clock.ahead_us += LINK_US
        try:
            assert browser.get(link).status_code == 404
            assert browser.post(link, data={"password": GOOD, "again": GOOD}).status_code == 404
        finally:
            office.clock.ahead_us -= LINK_US


def test_a_link_is_no_good_once_its_user_may_do_more_or_its_maker_less(office: Office) -> None:
    office.user("liam", "admin")
    names = ("rises", "remains", "keyed")
    for name in names:
        office.user(name)
    ids = {user["name"]: user["id"] for user in office.api("GET", "/v1/users").json()["items"]}
    liam = office.signed_in("liam")
    csrf = csrf_of(liam, "/settings/users")

    def link(name: str) -> str:
        shown = liam.post(f"/settings/users/{ids[name]}/link", data={"csrf": csrf}).text
        found = re.search(r"/link/[\w-]{43}", shown)
        assert found is not None
        return found[0]

    def tried(path: str) -> list[int]:
        with office.browser() as browser:
            taken = GOOD + " taken"
            shown = browser.get(path).status_code
            return [shown, browser.post(path, data={"password": taken, "again": taken}).status_code]

    kept = link("rises")
    assert office.api("PATCH", f"/v1/users/{ids['rises']}", json={"role": "owner"}).status_code == 200
    assert tried(kept) == [404, 404]
    kept = link("remains")
    assert office.api("PATCH", f"/v1/users/{ids['liam']}", json={"role": "editor"}).status_code == 200
    assert tried(kept) == [404, 404]
    assert office.api("PATCH", f"/v1/users/{ids['liam']}", json={"role": "admin"}).status_code == 200
    assert tried(kept) == [200, 303]
    made = office.api("POST", "/v1/keys", json={"name": "k", "role": "admin"}).json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    for revoked in (False, True):
        answer = office.served.client.post(f"/v1/users/{ids['keyed']}/link", headers=bearer)
        if revoked:
            assert office.api("DELETE", f"/v1/keys/{made['id']}").status_code == 204
        assert tried(answer.json()["link"]) == ([404, 404] if revoked else [200, 303])


def test_a_session_is_new_at_each_sign_in_and_ends_when_it_should(office: Office) -> None:
    office.user("carl")
    browser = office.browser()
    fixed = "A" * 43
    browser.cookies.set(COOKIE, fixed)  # what somebody else has put there is not taken over
    assert sign_in(browser, "carl", GOOD).status_code == 303
    first = next(c.value for c in browser.cookies.jar if c.name == COOKIE and c.value != fixed)
    assert httpx.get(office.served.url, headers={**HTML, "Cookie": f"{COOKIE}={fixed}"}).status_code == 401
    assert httpx.get(office.served.url, headers={**HTML, "Cookie": f"{COOKIE}={first}"}).status_code == 200
    again = httpx.post(
        f"{office.served.url}/sign-in",
        data={"name": "carl", "password": GOOD},
        headers={**HTML, "Cookie": f"{COOKIE}={first}"},
    )
    second = again.headers.get_list("Set-Cookie")[0].split(";")[0]
    assert second != f"{COOKIE}={first}"
    assert httpx.get(office.served.url, headers={**HTML, "Cookie": f"{COOKIE}={first}"}).status_code == 401
    assert httpx.get(office.served.url, headers={**HTML, "Cookie": second}).status_code == 200
    office.clock.ahead_us += IDLE_US
    try:
        over = httpx.get(office.served.url, headers={**HTML, "Cookie": second})
        assert (over.status_code, "Your session is over" in over.text) == (401, True)
    finally:
        office.clock.ahead_us -= IDLE_US


def test_sessions_are_listed_and_ended_by_their_user_and_by_an_administrator(office: Office) -> None:
    office.user("dora")
    here, there, third = (office.signed_in("dora") for _ in range(3))
    page = here.get("/account").text
    ends = re.findall(r"/account/sessions/(\d+)/end", page)
    assert len(ends) == 2
    csrf = csrf_of(here, "/account")
    assert here.post(f"/account/sessions/{ends[0]}/end", data={"csrf": csrf}).status_code == 303
    assert [browser.get("/").status_code for browser in (here, there, third)] == [200, 200, 401]
    listed = [one for one in office.api("GET", "/v1/sessions").json()["items"] if one["user"] == "dora"]
    assert len(listed) == 2
    assert listed[0]["address"] == "127.0.0.1"
    office.user("eric")
    eric = office.signed_in("eric")
    theirs = {"csrf": csrf_of(eric, "/account")}
    assert eric.post(f"/account/sessions/{listed[0]['id']}/end", data=theirs).status_code == 404
    assert office.api("DELETE", f"/v1/sessions/{listed[0]['id']}").status_code == 204
    assert there.get("/").status_code == 401
    new = {"old": GOOD, "password": GOOD + "!", "again": GOOD + "!", "csrf": csrf}
    assert here.post("/account/password", data={**new, "old": "not this one"}).status_code == 403
    kept = office.signed_in("dora")
    assert here.post("/account/password", data=new).status_code == 200
    assert (here.get("/").status_code, kept.get("/").status_code) == (200, 401)


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


def test_fields_that_nobody_asked_for_change_nothing(office: Office) -> None:
    for more in ({"is_operator": True}, {"password": "x"}, {"id": 1}, {"project_id": 2}):
        sent = office.api("POST", "/v1/users", json={"name": "mass", "role": "viewer", **more})
        assert sent.status_code == 422
    office.user("hugo", "editor")
    browser = office.signed_in("hugo")
    more = {"title": "t", "created_by": "user:1:ada", "project_id": "2", "csrf": csrf_of(browser)}
    assert browser.post("/models/flights/changes", data=more).status_code == 422


def test_nobody_gives_or_takes_a_role_above_their_own_nor_reaches_who_may_do_more(office: Office) -> None:
    api = office.api
    acme = api("POST", "/v1/projects", json={"name": "acme", "organisation": "acme"}).json()
    in_acme = {"Authorization": f"Bearer {office.key}", "Barograph-Project": "acme/acme"}
    client = office.served.client
    assert api("POST", "/v1/projects", json={"name": "beside"}).status_code == 201
    beside = {"Authorization": f"Bearer {office.key}", "Barograph-Project": "beside"}
    for name, role in (("ivan", "admin"), ("jane", "owner"), ("kurt", "operator"), ("lena", "viewer")):
        office.user(name, role)
    joined = client.post("/v1/users", json={"name": "lena", "role": "viewer"}, headers=beside)
    assert joined.status_code == 201
    chosen = office.browser().post(joined.json()["link"], data={"password": GOOD, "again": GOOD})
    assert chosen.status_code == 303
    ids = {user["name"]: user["id"] for user in api("GET", "/v1/users").json()["items"]}
    browser = office.signed_in("ivan")
    csrf = csrf_of(browser, "/settings/users")
    page = browser.get("/settings/users").text
    assert f"/settings/users/{ids['lena']}/role" in page
    assert f"/settings/users/{ids['lena']}/link" not in page  # she could do things beside that he may not
    assert f"/settings/users/{ids['jane']}/" not in page
    assert "kurt" not in page  # an operator is nothing here that an administrator must know of

    def post(path: str, **data: str) -> int:
        return browser.post(path, data={**data, "csrf": csrf}).status_code

    assert post("/settings/users", name="lena", role="owner") == 403
    assert post("/settings/users", name="jane", role="viewer") == 403
    assert post("/settings/users", name="kurt", role="viewer") in (403, 404)
    assert post(f"/settings/users/{ids['jane']}/role", role="viewer") == 403
    assert post(f"/settings/users/{ids['jane']}/link") == 403
    assert post(f"/settings/users/{ids['kurt']}/link") in (403, 404)
    assert post(f"/settings/users/{ids['lena']}/link") == 403
    assert post(f"/settings/users/{ids['lena']}/delete") == 403
    assert post(f"/settings/users/{ids['ivan']}/role", role="operator") == 403
    assert post(f"/settings/users/{ids['lena']}/role", role="editor") == 303
    assert post(f"/settings/users/{ids['lena']}/role", role="") == 303
    # She is still what she was elsewhere, and sees that alone.
    lena = office.signed_in("lena")
    assert lena.get("/models/flights").status_code == 404
    assert lena.get("/").status_code == 200
    assert acme["organisation"] == "acme"
    # Of whom he may not see to, an administrator is told nothing but name and role here, and invites none.
    key = api("POST", "/v1/keys", json={"name": "admin", "role": "admin"}).json()["token"]
    own = {"Authorization": f"Bearer {key}"}
    seen = {user["name"]: user for user in client.get("/v1/users", headers=own).json()["items"]}
    hidden = ("has_password", "created_at", "signed_in_at")
    assert [seen["jane"][name] for name in hidden] == [None, None, None]
    assert None not in [seen["ivan"][name] for name in hidden]
    refused = client.post("/v1/users", json={"name": "lena", "role": "viewer"}, headers=own)
    assert (refused.status_code, set(refused.json())) == (403, set(api("GET", "/v1/users/x").json()))
    # A user of the same name in another organisation is another user.
    other = client.post("/v1/users", json={"name": "jane", "role": "viewer"}, headers=in_acme).json()
    assert (other["signs_in_as"], other["id"] != ids["jane"]) == ("acme/jane", True)
    assert api("PATCH", f"/v1/users/{other['id']}", json={"role": "admin"}).status_code == 422


def test_who_was_first_to_make_a_user_owns_nobody(office: Office) -> None:
    client, operator = office.served.client, {"Authorization": f"Bearer {office.key}"}

    def admin_of(organisation: str, project: str, role: str = "admin") -> dict[str, str]:
        asked = {"name": project, "organisation": organisation}
        assert office.api("POST", "/v1/projects", json=asked).status_code == 201
        place = {**operator, "Barograph-Project": f"{organisation}/{project}"}
        made = client.post("/v1/keys", json={"name": "k", "role": role}, headers=place)
        return {"Authorization": f"Bearer {made.json()['token']}"}

    def invited(headers: dict[str, str], role: str) -> httpx.Response:
        return client.post("/v1/users", json={"name": "carol@corp", "role": role}, headers=headers)

    def choose(link: str, password: str) -> None:
        with office.browser() as browser:
            assert browser.post(link, data={"password": password, "again": password}).status_code == 303

    evil, beside, owner = admin_of("evil", "evil"), admin_of("corp", "beside"), admin_of("corp", "main", "owner")
    stolen, chosen = "the password of a thief", "what carol herself chose"
    # Of another organisation: it is another user, whom nobody there ever meets.
    choose(invited(evil, "admin").json()["link"], stolen)
    thief = office.signed_in("evil/carol@corp", stolen)
    hers = invited(owner, "owner").json()
    assert hers["link"] is not None
    assert sign_in(office.browser(), "corp/carol@corp", stolen).status_code == 401
    assert client.delete(f"/v1/users/{hers['id']}", headers=owner).status_code == 204
    assert client.get("/v1/users", headers=owner).json()["items"] == []
    # Of another project of the same organisation: what its administrator has chosen is void once the owner vouches.
    choose(invited(beside, "admin").json()["link"], stolen)
    thief = office.signed_in("corp/carol@corp", stolen)
    assert thief.get("/").status_code == 200
    hers = invited(owner, "owner").json()
    assert thief.get("/").status_code == 401
    assert sign_in(office.browser(), "corp/carol@corp", stolen).status_code == 401
    choose(hers["link"], chosen)
    assert office.signed_in("corp/carol@corp", chosen).get("/settings/users").status_code == 200
    assert invited(owner, "viewer").status_code == 409
    # One who is raised to owner where they are chooses anew, too; who is not raised so far signs in as before.
    made = client.post("/v1/users", json={"name": "dan", "role": "viewer"}, headers=beside).json()
    choose(made["link"], stolen)
    thief = office.signed_in("corp/dan", stolen)
    for headers, role, is_void in ((beside, "admin", False), ({**owner, "Barograph-Project": "beside"}, "owner", True)):
        risen = client.patch(f"/v1/users/{made['id']}", json={"role": role}, headers=headers)
        assert (risen.status_code, risen.json()["link"] is not None) == (200, is_void)
        assert thief.get("/").status_code == (401 if is_void else 200)
    assert client.delete(f"/v1/users/{made['id']}", headers=beside).status_code == 403
    assert client.delete(f"/v1/users/{made['id']}", headers=owner).status_code == 204


def test_who_is_a_member_of_nothing_is_told_so(office: Office) -> None:
    office.user("nora")
    (nora,) = [u for u in office.api("GET", "/v1/users").json()["items"] if u["name"] == "nora"]
    browser = office.signed_in("nora")
    assert office.api("PATCH", f"/v1/users/{nora['id']}", json={"role": None}).status_code == 200
    page = browser.get("/")
    assert (page.status_code, "member of no project" in page.text) == (403, True)
    assert office.api("DELETE", f"/v1/users/{nora['id']}").status_code == 204
    assert browser.get("/").status_code == 401
    assert sign_in(office.browser(), "nora", GOOD).status_code == 401


def test_a_new_role_holds_from_the_next_request_on(office: Office) -> None:
    office.user("olga", "admin")
    (olga,) = [u for u in office.api("GET", "/v1/users").json()["items"] if u["name"] == "olga"]
    browser = office.signed_in("olga")
    assert browser.get("/audit").status_code == 200
    assert office.api("PATCH", f"/v1/users/{olga['id']}", json={"role": "viewer"}).status_code == 200
    assert browser.get("/audit").status_code == 403


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


def test_nobody_ends_what_is_above_them(office: Office) -> None:
    client, keys = office.served.client, {}
    for role in ("admin", "owner", "operator"):
        keys[role] = office.api("POST", "/v1/keys", json={"name": f"above {role}", "role": role}).json()
        assert office.browser().post("/sign-in", data={"key": keys[role]["token"]}).status_code == 303
    own = {"Authorization": f"Bearer {keys['admin']['token']}"}
    every = office.api("GET", "/v1/sessions").json()["items"]
    seen = client.get("/v1/sessions", headers=own).json()["items"]
    for role, code in (("owner", 403), ("operator", 403)):
        assert client.delete(f"/v1/keys/{keys[role]['id']}", headers=own).status_code == code
        (session,) = [one for one in every if one["key"] == f"above {role}"]
        assert session not in seen
        assert client.delete(f"/v1/sessions/{session['id']}", headers=own).status_code == 404
        page = client.get("/settings", headers={**HTML, **own}).text
        assert f"/settings/keys/{keys[role]['id']}/revoke" not in page
    assert f"/settings/keys/{keys['admin']['id']}/revoke" in page
    assert client.delete(f"/v1/keys/{keys['admin']['id']}", headers=own).status_code == 204


def test_what_people_do_with_their_own_account_is_in_the_audit(office: Office) -> None:
    office.user("rosa")
    here, _ = office.signed_in("rosa"), office.signed_in("rosa")
    csrf, (end,) = csrf_of(here, "/account"), re.findall(r"/account/sessions/\d+/end", here.get("/account").text)
    assert here.post(end, data={"csrf": csrf}).status_code == 303
    new = {"old": GOOD, "password": GOOD + "!", "again": GOOD + "!", "csrf": csrf}
    assert here.post("/account/password", data=new).status_code == 200
    told = [act for act in office.api("GET", "/v1/audit").json()["items"] if act["actor"]["name"] == "rosa"]
    acts = ["change password", "end session", "sign in", "sign in", "choose password"]
    assert [(act["action"], act["target"]) for act in told] == [(act, "rosa") for act in acts]


def test_what_is_shown_once_is_kept_nowhere(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    key = office.api("POST", "/v1/keys", json={"name": "once", "role": "admin"})
    invited = office.api("POST", "/v1/users", json={"name": "sven", "role": "viewer"})
    linked = office.api("POST", f"/v1/users/{invited.json()['id']}/link")
    risen = office.api("PATCH", f"/v1/users/{invited.json()['id']}", json={"role": "owner"})
    office.user("tara", "operator")
    browser = office.signed_in("tara")
    csrf = csrf_of(browser)
    pages = [
        browser.post("/settings/keys", data={"name": "once", "role": "viewer", "csrf": csrf}),
        browser.post("/settings/users", data={"name": "ulla", "role": "viewer", "csrf": csrf}),
        browser.post(f"/settings/users/{invited.json()['id']}/link", data={"csrf": csrf}),
    ]
    assert [("baro_" in page.text, "/link/" in page.text) for page in pages][1:] == [(False, True)] * 2
    for answer in (key, invited, linked, risen, *pages):
        assert answer.status_code in (200, 201), answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    link = re.findall(r"/link/[\w-]{43}", pages[-1].text)[0]
    caplog.set_level("DEBUG")
    for path, status in ((link, 200), (link + "/", 404), ("/below" + link, 404), (link + "/more?a=b", 404)):
        for headers in (HTML, {"Accept": "application/json"}):
            assert office.served.client.get(path, headers=headers).status_code == status
        assert office.served.client.post(path, data={"password": "short"}).status_code in (404, 422)
    said = "".join(
        str(record.msg) + str(record.args) + str(record.__dict__) for record in caplog.records if record.name != "httpx"
    )
    assert "not-found" in said or "There is nothing" in said
    assert link.removeprefix("/link/") not in said


def test_a_key_that_is_limited_does_that_alone(office: Office) -> None:
    api, client = office.api, office.served.client
    assert api("PUT", "/v1/models/mine", json={}).status_code == 201
    asked = {"name": "k", "role": "editor", "models": ["mine"], "acts": ["labels", "read"]}
    made = api("POST", "/v1/keys", json=asked)
    assert (made.json()["models"], made.json()["acts"]) == (["mine"], ["labels", "read"])
    headers = {"Authorization": f"Bearer {made.json()['token']}"}

    def status(method: str, path: str) -> int:
        body = {"event_id": "1"} if method == "POST" else None
        return client.request(method, path, headers=headers, json=body).status_code

    assert status("POST", "/v1/models/mine/labels") == 409  # it has no reference yet
    assert status("GET", "/v1/models/mine") == 200
    for method, path in (
        ("POST", "/v1/models/mine/events"),
        ("POST", "/v1/models/flights/labels"),
        ("GET", "/v1/models/flights"),
        ("GET", "/v1/models"),
        ("GET", "/v1/incidents"),
        ("GET", "/metrics"),
        ("DELETE", "/v1/models/mine"),
        ("PUT", "/v1/models/mine"),
    ):
        assert status(method, path) == 403, path
    assert office.browser().post("/sign-in", data={"key": made.json()["token"]}).status_code == 403
    # It stays in its project, whatever its role: elsewhere a model of the same name is another.
    assert api("POST", "/v1/projects", json={"name": "namesake"}).status_code == 201
    there = {"Barograph-Project": "namesake"}
    every = {"Authorization": f"Bearer {office.key}", **there}
    assert client.put("/v1/models/mine", json={}, headers=every).status_code == 201
    for limits, reached in (({}, 200), ({"models": ["mine"]}, 404), ({"acts": ["read"]}, 404)):
        token = api("POST", "/v1/keys", json={"name": "k", "role": "owner", **limits}).json()["token"]
        own = {"Authorization": f"Bearer {token}"}
        assert client.get("/v1/models/mine", headers=own).status_code == 200
        assert client.get("/v1/models/mine", headers={**own, **there}).status_code == reached, limits
    assert api("POST", "/v1/keys", json={**asked, "acts": ["admin"]}).status_code == 422
