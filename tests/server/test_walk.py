"""Every route and every page × everybody who may ask × their own project, another one, and another organisation's.

What is expected follows from the two tables in code, `permissions` and `route_table`; what is walked, from the OpenAPI
document and from the links and forms of the pages themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import httpx
import pytest
from serving import Served, serving

from barograph.server import members
from barograph.server.pages.viewers import COOKIE, PROJECT_COOKIE
from barograph.server.permissions import ROLES
from barograph.server.route_table import PAGES, RULES, Routes, Rule
from barograph.store.catalog import keys, projects, sessions, users
from barograph.store.catalog.database import writing
from barograph.store.catalog.scope import Scope
from barograph.store.clock import wall_clock_us

HTML = {"Accept": "text/html"}
OWN, OTHER, FOREIGN = "default/default", "default/other", "acme/foreign"
PLACES = (OWN, OTHER, FOREIGN)
PEOPLE = ("viewer", "editor", "admin", "owner", "operator")
REFUSED = ("anonymous", "expired", "revoked")


@dataclass(frozen=True)
class World:
    """A server with three projects, and how everybody asks: by key for programs, by session for browsers."""

    served: Served
    ids: dict[str, int]
    keys: dict[str, dict[str, str]]
    browsers: dict[str, dict[str, str]]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("walk")
    more = {}
    if request.param == "postgresql":
        from databases import new_database

        more = {"database_url": new_database(request.getfixturevalue("postgres_server"))}
    with serving(folder, local=False, **more) as served:
        with writing(served.service.engine) as connection:
            now_us = wall_clock_us()
            acme = projects.add_organisation(connection, "acme")
            other = projects.add_project(connection, "other", now_us=now_us)
            foreign = projects.add_project(connection, "foreign", organisation_id=acme, now_us=now_us)
            scope = Scope(connection, 1)

            def bearer(role: str, **more: int) -> dict[str, str]:
                made = keys.create_key(scope, name=role, role=role, now_us=now_us, **more)  # type: ignore[arg-type]  # of a test
                return {"Authorization": f"Bearer {made.token}"}

            by_key = {role: bearer(role) for role in ROLES} | {"anonymous": {}}
            by_key["expired"] = bearer("operator", expires_us=now_us - 1)
            by_key["revoked"] = bearer("operator")
            newest = max(key.id for key in keys.list_keys(scope, limit=1000))
            keys.revoke_key(scope, newest, now_us=now_us)

            def session(name: str, role: str, *, at_us: int = now_us) -> tuple[int, dict[str, str]]:
                user = users.create_user(connection, name, now_us=now_us)
                members.give(scope, user, role)  # type: ignore[arg-type]  # of a test
                token, made = sessions.open_session(connection, user_id=user.id, now_us=at_us)
                return made.id, {COOKIE: token}

            by_session: dict[str, dict[str, str]] = {"anonymous": {}}
            revoked, by_session["revoked"] = session("revoked", "operator")
            sessions.close_session(connection, revoked)
            for role in PEOPLE:
                _, by_session[role] = session(role, role)
            _, by_session["expired"] = session("expired", "operator", at_us=now_us - sessions.USER_US)
        for place in PLACES:
            name = place.split("/")[1]
            headers = {**by_key["operator"], "Barograph-Project": place}
            assert served.client.put(f"/v1/models/in-{name}", json={}, headers=headers).status_code == 201
        yield World(served, {OWN: 1, OTHER: other.id, FOREIGN: foreign.id}, by_key, by_session)


def reaches(role: str, place: str) -> bool:
    """Return whether somebody of the own project may be in another one: the table of the brief, written by hand."""
    return {"owner": place in (OWN, OTHER), "operator": True}.get(role, place == OWN)


def path_of(rule: Rule, model: str) -> str:
    """Return a path of a route: of a model that is there, and of things that are not, so that nothing is harmed."""
    return re.sub(r"\{(\w+)\}", lambda m: model if m[1] == "model" else "999999", rule.path)


def asked(world: World, rule: Rule, headers: dict[str, str], model: str) -> httpx.Response:
    # Deleting and changing is asked of a model that is not there: whether one may ask is found out before.
    kind = {} if rule.method == "GET" else {"Content-Type": "application/json"}
    name = model if rule.method == "GET" else "nobody"
    content = None if rule.method == "GET" else b'{"nonsense": 1}'
    return world.served.client.request(rule.method, path_of(rule, name), headers={**headers, **kind}, content=content)


def test_every_route_answers_everybody_as_the_table_says(world: World) -> None:
    document = world.served.client.get("/v1/openapi.json").json()["paths"]
    walked = {(method.upper(), path) for path, item in document.items() for method in item}
    assert walked == {(rule.method, rule.path) for rule in RULES}
    for rule in RULES:
        if rule.permission is None:
            continue
        for who in REFUSED:
            assert asked(world, rule, world.keys[who], "in-default").status_code == 401, (rule, who)
        for role in ROLES:
            for place in PLACES:
                headers = {**world.keys[role], "Barograph-Project": place}
                answer = asked(world, rule, headers, "in-" + place.split("/")[1])
                where = (rule.method, rule.path, role, place, answer.text[:300])
                if not reaches(role, place):
                    assert (answer.status_code, "There is no project" in answer.text) == (404, True), where
                elif rule.permission in ROLES[role]:
                    assert answer.status_code not in (401, 403), where
                    assert answer.status_code < 500, where
                else:
                    assert answer.status_code == 403, where


def test_things_of_other_projects_are_not_there_under_any_route(world: World) -> None:
    for rule in RULES:
        if rule.method != "GET" or "{model}" not in rule.path:
            continue
        for role in ("viewer", "admin", "owner", "operator"):
            if rule.permission not in ROLES[role]:
                continue
            for model in ("in-other", "in-foreign"):
                answer = asked(world, rule, world.keys[role], model)
                assert answer.status_code in (404, 422), (rule, role, model, answer.text[:300])
                assert f"There is no model '{model}'" in answer.text or answer.status_code == 422


def test_lists_have_what_is_of_their_project(world: World) -> None:
    for role in ("viewer", "editor", "admin", "owner", "operator"):
        for place in PLACES:
            if not reaches(role, place):
                continue
            headers = {**world.keys[role], "Barograph-Project": place}
            names = [m["name"] for m in world.served.client.get("/v1/models", headers=headers).json()["items"]]
            assert names == ["in-" + place.split("/")[1]]


def browser_of(world: World, who: str, place: str = OWN) -> httpx.Client:
    cookies = {**world.browsers[who], PROJECT_COOKIE: str(world.ids[place])}
    return httpx.Client(base_url=world.served.url, headers=HTML, cookies=cookies, timeout=30)


def visited(browser: httpx.Client, rule: Rule, model: str, csrf: str = "") -> int:
    path = path_of(rule, model if rule.method == "GET" else "nobody")
    if rule.method == "GET":
        with browser.stream("GET", path) as answer:
            return answer.status_code
    return browser.post(path, data={"csrf": csrf, "nonsense": "1"}).status_code


def test_every_page_answers_everybody_as_the_table_says(world: World) -> None:
    guarded = [rule for rule in PAGES if rule.permission is not None]
    for who in REFUSED:
        with browser_of(world, who) as browser:
            for rule in guarded:
                assert visited(browser, rule, "in-default") == 401, (rule, who)
    for role in PEOPLE:
        for place in PLACES:
            # Who may not be there stays where they are, and sees nothing of it.
            model = "in-" + place.split("/")[1]
            with browser_of(world, role, place) as browser:
                there = reaches(role, place)
                page = browser.get("/").text
                assert (f"/models/{model}" in page) == there, (role, place)
                assert browser.get(f"/models/{model}").status_code == (200 if there else 404)
                found = re.search(r'data-csrf="(\w+)"', page)
                assert found is not None
                for rule in guarded:
                    if rule.path == "/live" or rule.body.value == "stream":
                        continue
                    status = visited(browser, rule, "in-default", found[1])
                    if rule.permission in ROLES[role]:
                        # Forms are asked with nonsense: they are refused for that, not for who asks.
                        own = rule.path.startswith("/settings/users") or rule.path in ("/account/password",)
                        assert status != 401, (rule, role, place)
                        assert own or status != 403, (rule, role, place)
                        assert status < 500, (rule, role, place)
                    else:
                        assert status == 403, (rule, role, place, status)
                    if rule.method == "POST":
                        assert visited(browser, rule, "in-default", "0" * 64) == 403, (rule, role)


def test_nobody_is_shown_what_they_may_not_do(world: World) -> None:
    """Every link and form of every page that can be reached from the front is one that its reader may follow."""
    table = Routes(PAGES)
    for role in PEOPLE:
        seen, waiting, forms = {"/"}, ["/"], set()
        with browser_of(world, role) as browser:
            while waiting:
                page = browser.get(waiting.pop())
                assert page.status_code == 200, (role, page.url, page.text[:300])
                for kind, address in re.findall(r'(href|action)="([^"]+)"', page.text):
                    path = unescape(address).split("?")[0].split("#")[0]
                    if not path or path.startswith(("/static", "/v1", "http", "data:")):
                        continue
                    is_form = kind == "action" and f'method="post" action="{address}"' in page.text
                    rule, _ = table.find("POST" if is_form else "GET", path)
                    assert rule.permission is None or rule.permission in ROLES[role], (role, path)
                    if is_form:
                        forms.add(rule.path)
                    elif path not in seen:
                        seen.add(path)
                        waiting.append(path)
        assert len(seen) >= 8
        if role != "viewer":
            assert "/models/{model}/changes" in forms
