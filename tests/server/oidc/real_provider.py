"""npm's `oidc-provider`, in a process of its own, and an office whose people it vouches for."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any  # Any: JSON values
from urllib.parse import urlsplit

import httpx
import pytest
from office import Clock, Office
from serving import serving

HERE = Path(__file__).parent
SECRET = "a secret: of/tests%"
PUBLIC = "http://watch.test/base"  # where people reach it; the tests go straight to the server instead
FILE = """
[delivery]
allow = ["127.0.0.1"]

[oidc]
issuer = "{issuer}"
client = "barograph"
secret = {{file = "{secret}"}}
label = "the test's provider"

[[oidc.groups]]
name = "editors"
project = "default"
role = "editor"

[[oidc.groups]]
name = "viewers"
project = "default/default"
role = "viewer"

[[oidc.groups]]
name = "others"
project = "other"
role = "viewer"

[[oidc.groups]]
name = "owners"
role = "owner"
"""


@dataclass
class Provider:
    """A provider that runs."""

    process: subprocess.Popen[str]
    url: str

    def tell(self, **said: Any) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "{}\n"

    def lets(self, address: str, login: str) -> str:
        """Go through the provider as somebody, and return where it sends the browser back to."""
        with httpx.Client(timeout=30) as browser:
            answer = browser.get(f"{address}&login_hint={login}")
            while answer.status_code == 303 and not answer.headers["Location"].startswith(PUBLIC):
                answer = browser.get(httpx.URL(self.url).join(answer.headers["Location"]))
            assert answer.status_code == 303, answer.text
            return str(answer.headers["Location"])


@dataclass
class Vouched:
    """An office, and the provider that vouches for its people."""

    office: Office
    provider: Provider

    def begun(self, browser: httpx.Client, to: str = "/") -> str:
        """Begin to sign in, and return where the browser is sent."""
        answer = browser.get("/oidc/start", params={"to": to})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    def back(self, browser: httpx.Client, address: str) -> httpx.Response:
        """Come back from the provider."""
        parts = urlsplit(address)
        return browser.get(f"{parts.path.removeprefix('/base')}?{parts.query}")  # below `base_url`

    def signed_in(self, browser: httpx.Client, login: str, to: str = "/") -> httpx.Response:
        return self.back(browser, self.provider.lets(self.begun(browser, to), login))


@contextmanager
def provider_process() -> Iterator[Provider]:
    """Run the provider; skip the test only where there is no npm to install it with."""
    if shutil.which("npm") is None:
        pytest.skip("SIGNING IN BY A REAL PROVIDER IS NOT TESTED: npm is missing, which installs oidc-provider")
    if not (HERE / "node_modules" / "oidc-provider").is_dir():
        pytest.fail("oidc-provider is not installed: run `make provider`, or `npm ci --prefix tests/server/oidc`")
    words = ["node", "--disable-warning=ExperimentalWarning", str(HERE / "provider.mjs")]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["port"]
            made = Provider(process, f"http://127.0.0.1:{port}")
            made.tell(redirects=[f"{PUBLIC}/oidc/callback"])
            yield made
        finally:
            process.kill()


@contextmanager
def vouched_office(folder: Path) -> Iterator[Vouched]:
    with provider_process() as provider:
        (folder / "secret").write_text(SECRET + "\n")
        text = FILE.format(issuer=provider.url, secret=folder / "secret")
        (folder / "barograph.toml").write_text(text)
        clock = Clock()
        with serving(folder, local=False, clock=clock, public_url=PUBLIC) as served:
            served.project("other")
            office = Office(replace(served, url=f"{served.url}/base"), clock, served.key("operator"))
            yield Vouched(office, provider)
            for browser in office.browsers:
                browser.close()
