"""An office: a server that knows nobody without a key or a password, and the people who come to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from serving import Served, serving

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


@contextmanager
def office_in(folder: Path) -> Iterator[Office]:
    clock = Clock()
    with serving(folder, local=False, clock=clock) as served:
        yield (made := Office(served, clock, served.key("operator")))
        for browser in made.browsers:
            browser.close()
