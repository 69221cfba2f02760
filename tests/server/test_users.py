"""People: invited, signed in, let choose a password, signed out; and those who try to be somebody else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from office import GOOD, HTML, Office, csrf_of, office_in, sign_in

from barograph.server.pages.viewers import COOKIE, DEVICE_COOKIE
from barograph.store.catalog.links import LINK_US
from barograph.store.catalog.sessions import IDLE_US


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office_in(tmp_path_factory.mktemp("office")) as made:
        yield made


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
