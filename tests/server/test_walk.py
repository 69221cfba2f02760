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
from neighbours import SECRET, furnish, least, rows
from serving import Served, serving

from barograph.server import members
from barograph.server.pages.viewers import COOKIE, PROJECT_COOKIE
from barograph.server.permissions import ROLES
from barograph.server.route_table import PAGES, RULES, Routes, Rule
from barograph.store.catalog import jobs, keys, projects, sessions, users
from barograph.store.catalog.database import writing
from barograph.store.catalog.models import find_model
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
    things: dict[str, dict[str, object]]  # by project: the ids of what is there


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
        ids = {OWN: 1, OTHER: other.id, FOREIGN: foreign.id}
        engine = served.service.engine
        things = {
            place: furnish(engine, ids[place], acme if place == FOREIGN else 1, model_of(place), now_us=now_us)
            for place in PLACES
        }
        yield World(served, ids, by_key, by_session, things)


def model_of(place: str) -> str:
    return "in-" + place.split("/")[1]


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


ABSENT: dict[str, object] = {"incident": "nothing"}  # else 999999, which nothing is


def filled(rule: Rule, ids: dict[str, object]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: str(ids.get(m[1], ABSENT.get(m[1], 999999))), rule.path)


def plain(text: str, *told: object) -> str:
    """Return an answer without the id that was asked for, and that of the request."""
    text = re.sub(r'"request_id": ?"[^"]*"', "", text)
    for one in told:
        text = re.sub(rf"\b{re.escape(str(one))}\b", "ID", text)
    return re.sub(r"</?q>|&#3[49];", "", text)


def test_an_id_that_was_guessed_is_answered_as_one_of_nothing(world: World) -> None:
    document = world.served.client.get("/v1/openapi.json").json()
    engine, others = world.served.service.engine, {world.ids[OTHER], world.ids[FOREIGN]}
    before, tried = rows(engine, others), set()
    for rule in RULES:
        named = set(re.findall(r"\{(\w+)\}", rule.path)) & (world.things[OWN].keys() - {"model"})
        if not named:
            continue
        asked_for = document["paths"][rule.path][rule.method.lower()].get("requestBody", {}).get("content", {})
        schema = asked_for.get("application/json", {}).get("schema")
        body = None if schema is None else least(schema, document["components"]["schemas"])
        for role in ("viewer", "editor", "admin", "owner"):
            for place in (OTHER, FOREIGN):
                if rule.permission not in ROLES[role] or (named == {"project"} and reaches(role, place)):
                    continue
                theirs = {**world.things[place], "model": "in-default"}
                last = rule.path.rstrip("/").rpartition("{")[2].partition("}")[0]
                inside = {**world.things[OWN], last: theirs[last]}  # of theirs, below what is one's own
                guesses = ((theirs, {"model": "in-default"}), (inside, {**inside, last: ABSENT.get(last, 999999)}))
                for guess in guesses[: len(named)]:
                    answers = [
                        world.served.client.request(rule.method, filled(rule, ids), headers=world.keys[role], json=body)
                        for ids in guess
                    ]
                    told = [[ids.get(name, ABSENT.get(name, 999999)) for name in named] for ids in guess]
                    where = (rule.method, rule.path, role, place, answers[0].text[:300])
                    assert answers[0].status_code == answers[1].status_code, where
                    assert answers[0].status_code in (404, 422), where
                    assert plain(answers[0].text, *told[0]) == plain(answers[1].text, *told[1]), where
                    tried.add((rule.method, rule.path))
    assert len(tried) > 25
    assert rows(engine, others) == before


def test_lists_cursors_and_streams_of_one_project_hold_nothing_of_another(world: World) -> None:
    client, tried = world.served.client, 0
    operator = {**world.keys["operator"], "Barograph-Project": FOREIGN}
    for rule in RULES:
        if rule.method != "GET" or rule.permission is None or "{event}" in rule.path:
            continue
        path = filled(rule, {"model": "in-foreign"})
        theirs = client.get(path, params={"limit": 1}, headers=operator)
        following = theirs.json().get("next") if "json" in theirs.headers["Content-Type"] else None
        cursor = re.search(r"after=([^&]+)", following or "")
        own = filled(rule, {"model": "in-default"})
        for role in ("viewer", "admin", "owner"):
            for query in ("", f"?after={cursor[1]}" if cursor else ""):
                answer = client.get(own + query, headers=world.keys[role])
                assert answer.status_code in (200, 400, 403, 404, 409, 422), (own, answer.text[:300])
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"], own
                assert answer.headers["X-Content-Type-Options"] == "nosniff", own
                items = answer.json().get("items", []) if "json" in answer.headers["Content-Type"] else []
                foreign = {str(one) for name, one in world.things[FOREIGN].items() if name != "model"}
                assert not [item for item in items if isinstance(item.get("id"), str) and item["id"] in foreign], own
                assert "in-foreign" not in answer.text, (own, role)
                assert f"p{world.ids[FOREIGN]}-" not in answer.text, (own, role)
        tried += cursor is not None
    assert tried >= 6
    with browser_of(world, "admin") as browser:
        said = browser.get("/live/now").json()
        things = furnish_more(world)
        assert browser.get("/live/now").json() == said
        with browser.stream("GET", "/live") as stream:
            assert stream.status_code == 200
            assert f"p{world.ids[FOREIGN]}" not in next(stream.iter_text())
    assert things


def furnish_more(world: World) -> object:
    """Let something happen in a foreign project."""
    with writing(world.served.service.engine) as connection:
        scope = Scope(connection, world.ids[FOREIGN])
        model = find_model(scope, "in-foreign")
        assert model is not None
        return jobs.add_job(scope, model.id, "fit", detail={}, now_us=wall_clock_us())


def test_links_of_another_project_lead_nowhere(world: World) -> None:
    """A permalink, an export or a form of a page that somebody sends who may see it, opened by who may not."""
    for role in ("viewer", "admin", "owner"):
        for place in (OTHER, FOREIGN):
            with browser_of(world, role) as browser:
                csrf = re.search(r'data-csrf="(\w+)"', browser.get("/").text)
                assert csrf is not None
                for rule in PAGES:
                    if rule.permission not in ROLES[role] or "{" not in rule.path or rule.body.value == "stream":
                        continue
                    answers = []
                    for ids in (world.things[place], {"model": "nobody"}):
                        path = filled(rule, ids)
                        if rule.method == "GET":
                            answers.append(browser.get(path, params={"export": "list.csv"}).status_code)
                            page = browser.get(path)
                            assert SECRET not in page.text, (rule, role, place)
                        else:
                            page = browser.post(path, data={"csrf": csrf[1], "role": "viewer", "text": "x"})
                        answers.append(page.status_code)
                    assert answers[: len(answers) // 2] == answers[len(answers) // 2 :], (rule, role, place, answers)
                    assert set(answers) <= {404, 422}, (rule, role, place, answers)


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
                assert "default-src 'none'" in page.headers["Content-Security-Policy"]
                assert not re.search(r'(?:href|src|action)="(?:https?:)?//|<[^>]* on\w+=|<script>', page.text), page.url
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
