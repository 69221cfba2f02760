"""Pictures of the pages: those of the README from the data of the demo, or every page to look through.

    python benchmarks/screenshots.py --write            # runs the demo (minutes); renews docs/dashboard-*.png
    python benchmarks/screenshots.py --data demo-data   # with what a demo has left in this folder
    python benchmarks/screenshots.py --all pictures     # each page, light, dark and, of some, as on a phone

Needs Chromium, as tests of the pages do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any  # Any: JSON values; Playwright is loaded late

import httpx

from barograph.demo.server import address_of

DOCS = Path(__file__).parents[1] / "docs"
DESKTOP, PHONE = {"width": 1200, "height": 1010}, {"width": 390, "height": 844}
PATIENCE_MS = 20_000
_CODE = "from barograph.cli import main; main()"


def main() -> None:
    """Serve what the demo has left, and take pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of a demo; default: the demo is run first")
    parser.add_argument("--write", action="store_true", help="renew the pictures of the documentation")
    parser.add_argument("--all", type=Path, help="folder for pictures of every page")
    given = parser.parse_args()
    if not (given.write or given.all):
        parser.error("Say --write, --all FOLDER, or both.")
    with _demo(given.data) as folder, _served(folder) as url, _browser() as browser:
        incident = _gravest(url)
        model = incident["model"]
        of_model = f"/models/{model}"
        if given.write:
            _take(browser, url, f"{of_model}?theme=dark", DOCS / "dashboard-model.png")
            _take(browser, url, f"/incidents/{incident['id']}?theme=dark", DOCS / "dashboard-incident.png")
        if given.all:
            given.all.mkdir(parents=True, exist_ok=True)
            pages = {
                "fleet": "/",
                "incidents": "/incidents?state=all",
                "incident": f"/incidents/{incident['id']}",
                "model": of_model,
                **{part: f"{of_model}/{part}" for part in ("labels", "monitors", "changes", "quarantine", "settings")},
                **_details(url, model),
                "jobs": "/jobs",
                "audit": "/audit",
                "keys": "/settings",
                "start": "/start",
                "start-model": f"/start/{model}",
                "not-found": "/models/nobody",
            }
            for name, path in pages.items():
                for theme in ("light", "dark"):
                    _take(browser, url, _with(path, theme), given.all / f"{name}-{theme}.png", whole=True)
            for name in ("fleet", "incident", "model"):
                path = given.all / f"{name}-phone.png"
                _take(browser, url, _with(pages[name], "light"), path, whole=True, size=PHONE)


@contextmanager
def _demo(data: Path | None) -> Iterator[Path]:
    """Give a folder in which a demo has come to its end."""
    if data is not None:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="barograph-pictures-") as home:
        folder = Path(home) / "data"
        command = [sys.executable, "-c", _CODE, "demo", "--data", str(folder), "--port", "0"]
        subprocess.run(command, env={**os.environ, "CI": "true"}, check=True)
        yield folder


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder as it is: nothing is evaluated while pictures are taken."""
    command = [sys.executable, "-c", _CODE, "serve", "--data", str(folder), "--port", "0", "--workers", "0"]
    log = folder / "pictures.log"
    with log.open("wb") as written:
        process = subprocess.Popen(command, stderr=written, stdin=subprocess.DEVNULL)
    try:
        yield address_of(process, log)
    finally:
        process.terminate()
        process.wait(30)
        log.unlink()


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        sys.exit("There is no Chromium: apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def _take(
    browser: Any, url: str, path: str, to: Path, *, whole: bool = False, size: dict[str, int] | None = None
) -> None:
    context = browser.new_context(base_url=url, viewport=size or DESKTOP, timezone_id="UTC", locale="en-GB")
    page = context.new_page()
    answer = page.goto(path, timeout=PATIENCE_MS)
    if answer is None or (answer.status >= 400 and "nobody" not in path):
        sys.exit(f"{path} cannot be shown: {page.inner_text('main')[:500]}")
    page.screenshot(path=to, full_page=whole)
    context.close()
    print(to, flush=True)


def _gravest(url: str) -> dict[str, Any]:
    """Return the critical incident that goes on and explains most."""
    found = httpx.get(f"{url}/v1/incidents", params={"state": "firing", "severity": "critical", "limit": 1000})
    return max(found.json()["items"], key=lambda one: (one["family"] == "performance", len(one["body"]["explains"])))


def _details(url: str, model: str) -> dict[str, str]:
    """Return the pages of a column and of a segment."""
    monitors = httpx.get(f"{url}/v1/models/{model}/monitors", params={"limit": 1000}).json()["items"]
    columns = [one["column"] for one in monitors if one["column"] and one["family"] == "drift"]
    segments = [one["segment"] for one in monitors if one["segment"]]
    found = {"feature": f"/models/{model}/feature?column={columns[0]}"} if columns else {}
    return found | ({"segment": f"/models/{model}/segment?segment={segments[0]}"} if segments else {})


def _with(path: str, theme: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}theme={theme}"


if __name__ == "__main__":
    main()
