"""Who may see and do what: sessions, forms, and what answers bear."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest
from fleet_of_tests import Watched
from serving import Served, serving

from barograph.server.pages.table import HANDLERS
from barograph.server.pages.viewers import COOKIE
from barograph.server.route_table import PAGES, Routes, Rule

HTML = {"Accept": "text/html"}
KNOWN = {"model": "flights", "file": "style.css"}
NUMBERS = count()


def path_of(rule: Rule, watched: Watched) -> str:
    token = ""
    if "{token}" in rule.path:
        invited = {"name": f"user{next(NUMBERS)}", "role": "viewer"}
        token = watched.served.client.post("/v1/users", json=invited).json()["link"].split("/")[-1]
    path = rule.path.format_map(defaultdict(lambda: "1", KNOWN, incident=watched.incident, token=token))
    asks = {"/feature": "?column=x", "/segment": "?segment=colour%3Dred", "/replay": "?monitor=performance.roc_auc"}
    return path + asks.get(path[path.rindex("/") :], "")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Served]:
    """Return a server that knows nobody without a key."""
    with serving(tmp_path, local=False) as served:
        served.client.headers.update(HTML)
        yield served


def sign_in(served: Served, token: str, **fields: str) -> httpx.Response:
    return served.client.post("/sign-in", data={"key": token, **fields})


def test_the_table_and_the_functions_agree() -> None:
    assert set(HANDLERS) == {(rule.method, rule.path) for rule in PAGES}
    doors = ("/static/{file}", "/sign-in", "/sign-out", "/link/{token}")
    open_to_all = [rule.path for rule in PAGES if rule.permission is None and not rule.path.startswith("/oidc/")]
    assert set(open_to_all) == set(doors)
    assert not [rule for rule in PAGES if Routes().knows(rule.path.replace("{", "").replace("}", ""))]


def test_every_page_loads_nothing_from_elsewhere_and_has_nothing_inline(watched: Watched) -> None:
    for rule in PAGES:
        # Who needs no key has no account, and no provider vouches for anybody here.
        if rule.method != "GET" or rule.path in ("/live", "/account") or rule.path.startswith("/oidc/"):
            continue
        got = watched.served.client.get(path_of(rule, watched), headers=HTML)
        assert got.status_code == 200, (rule.path, got.text[:500])
        policy = got.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        if rule.path.startswith("/static"):
            continue
        assert not re.search(r"<[^>]* (style|on[a-z]+)=", got.text), rule.path
        assert not re.search(r"<script(?![^>]* src=)|<style", got.text), rule.path
        assert not re.search(r"(src|href|action)=\"(https?:)?//", got.text), rule.path


def test_a_page_that_is_not_there_says_so_as_a_page(watched: Watched) -> None:
    for path in ("/models/gone", "/incidents/gone", "/nowhere", "/models/a/b/c"):
        got = watched.served.client.get(path, headers=HTML)
        assert (got.status_code, got.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert "To the fleet" in got.text
    assert watched.served.client.get("/nowhere").json()["status"] == 404  # a program gets what programs read
    assert watched.served.client.get("/v1/nowhere", headers=HTML).json()["status"] == 404


def test_head_is_answered_as_get_without_the_body(watched: Watched) -> None:
    for path in ("/", "/models/flights", "/static/style.css", "/models/gone"):
        got = watched.served.client.get(path, headers=HTML)
        head = watched.served.client.head(path, headers=HTML)  # over the same connection: a body would break the next
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["Content-Type"] == got.headers["Content-Type"]


def test_requests_for_pages_are_counted_by_their_route(watched: Watched) -> None:
    watched.served.client.get("/models/flights")
    said = watched.served.client.get("/metrics").text
    assert 'route="/models/{model}"' in said


def test_a_form_from_elsewhere_is_refused(watched: Watched) -> None:
    client, path = watched.served.client, f"/incidents/{watched.incident}/comment"
    for fields in (
        {"text": "x"},
        {"text": "x", "csrf": ""},
        {"text": "x", "csrf": "0" * 64},
        {"text": "x", "csrf": "é"},
    ):
        assert client.post(path, data=fields).status_code == 403
    csrf = re.search(r'data-csrf="(\w+)"', client.get("/").text)
    assert csrf is not None
    right = {"text": "from here", "csrf": csrf[1]}
    assert client.post(path, data=right, headers={"Origin": "http://elsewhere.example"}).status_code == 401
    assert client.post(path, data=right).status_code == 303


def test_a_key_is_exchanged_for_a_session(guarded: Served) -> None:
    asked = guarded.client.get("/models/x?metric=f1")
    assert asked.status_code == 401
    assert 'name="to" value="/models/x?metric=f1"' in asked.text
    assert sign_in(guarded, "baro_wrong").status_code == 401
    assert sign_in(guarded, guarded.key("ingest")).status_code == 403
    answer = sign_in(guarded, guarded.key("viewer"), to="/incidents")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/incidents")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    page = guarded.client.get("/incidents")
    assert page.status_code == 200
    assert "Sign out" in page.text
    assert guarded.client.get("/v1/models").status_code == 401  # a session is for pages alone


def test_where_to_go_on_is_never_elsewhere(guarded: Served) -> None:
    for to in ("//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "", "x\r\nSet-Cookie: a=b"):
        assert sign_in(guarded, guarded.key("viewer"), to=to).headers["Location"] == "/"


def test_a_session_ends_with_its_key_and_on_request(guarded: Served) -> None:
    guarded_key = guarded.key("viewer")
    sign_in(guarded, guarded_key)
    csrf = re.search(r'data-csrf="(\w+)"', guarded.client.get("/").text)
    assert csrf is not None
    assert guarded.client.post("/sign-out", data={"csrf": csrf[1]}).status_code == 303
    assert guarded.client.get("/").status_code == 401
    other = guarded.key("viewer")
    sign_in(guarded, other)
    assert guarded.client.get("/").status_code == 200
    admin = {"Authorization": f"Bearer {guarded.key('admin')}"}
    with httpx.Client(base_url=guarded.url) as client:
        found = client.get("/v1/keys?limit=1000", headers=admin).json()["items"]
        id = next(key["id"] for key in found if key["prefix"] == other.split("_")[1])
        assert client.delete(f"/v1/keys/{id}", headers=admin).status_code == 204
    again = guarded.client.get("/")
    assert again.status_code == 401
    assert "Your session is over" in again.text


def test_what_a_key_may_not_do_is_not_shown_and_is_refused(watched: Watched) -> None:
    read = {"Authorization": f"Bearer {watched.served.key('viewer')}", **HTML}
    with httpx.Client(base_url=watched.url, headers=read) as client:
        page = client.get(f"/incidents/{watched.incident}")
        assert page.status_code == 200
        assert 'method="post"' not in page.text
        csrf = re.search(r'data-csrf="(\w+)"', page.text)
        assert csrf is not None
        fields = {"csrf": csrf[1], "text": "x"}
        assert client.post(f"/incidents/{watched.incident}/comment", data=fields).status_code == 403


def test_under_a_path_behind_a_proxy_links_and_cookies_name_it(tmp_path: Path) -> None:
    with serving(tmp_path, local=False, public_url="https://example.org/watch") as served:
        served.client.headers.update(HTML)
        answer = sign_in(served, served.key("viewer"), to="/incidents")
        assert answer.headers["Location"] == "/watch/incidents"
        assert {"Path=/watch/", "Secure"} <= set(answer.headers["Set-Cookie"].split("; "))
        cookie = {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}
        for path in ("/watch/", "/"):  # the proxy may take the path away, or not
            page = served.client.get(path, headers=cookie)
            assert page.status_code == 200
            links = re.findall(r'(?:href|src|action)="([^"#]*)"', page.text)
            assert links
            assert all(link.startswith("/watch/") for link in links)
