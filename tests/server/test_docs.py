"""docs/api.md: its commands run as they stand, and it names what there is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from serving import ended, wait_for

from barograph.server.permissions import PERMISSIONS, ROLES
from barograph.server.problems import KINDS
from logged import events

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
CODE = "import sys; from barograph.cli import main; sys.argv = sys.argv[1:]; main()"


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="needs bash and curl")
def test_its_commands_lead_from_nothing_to_results(tmp_path: Path) -> None:
    events(3000, seed=1).write_parquet(tmp_path / "reference.parquet")
    events(3000, seed=2).with_columns(score=1 - events(3000, seed=2)["score"]).write_parquet(
        tmp_path / "events.parquet"
    )
    program = tmp_path / "bin" / "barograph"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{CODE}" barograph "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    serve = [str(program), "serve", "--data", "barograph-data", "--port", "0", "--log-level", "error"]
    with subprocess.Popen(serve, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            said = server.stderr.readline()
            threading.Thread(target=server.stderr.read, daemon=True).start()  # or the pipe could fill up
            url = said.split()[-1]
            assert said == f"barograph serves at {url}\n"  # as it is documented, but for the port
            for i, block in enumerate(BLOCKS):
                if "/incidents" in block:
                    wait_for(lambda: told(url) > 0, "there is an incident", 60)
                script = f"set -euo pipefail\n{block.replace('http://127.0.0.1:8321', url)}"
                done = subprocess.run(
                    ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
                )
                assert done.returncode == 0, (block, done.stdout, done.stderr, i)
                if '"event_id": "f-2"' in block:
                    assert json.loads(done.stdout) == documented_answer()
            assert httpx.get(f"{url}/v1/models/flights/changes?kind=deployment").json()["items"][0]["version"] == "7"
        finally:
            server.terminate()
            assert ended(server) == 0


def told(url: str) -> int:
    return len(httpx.get(f"{url}/v1/incidents").json()["items"])


def documented_answer() -> object:
    return json.loads(next(block for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL) if "accepted" in block))


def test_it_names_every_role_and_kind_of_error() -> None:
    assert all(f"| `{role}` |" in TEXT for role in ROLES)
    assert {kind for kind in KINDS if f"`{kind}`" not in TEXT} == {"method-not-allowed", "not-acceptable"}


def test_the_table_of_permissions_is_that_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    for permission, what in PERMISSIONS.items():
        cells = " | ".join("yes" if permission in may else "" for may in ROLES.values())
        line = re.sub(r" +", " ", f"| `{permission}` | {cells} | {what} |")
        assert line in page, line


def test_the_tests_that_the_asvs_page_names_are_there() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "asvs.md").read_text("utf-8")
    paths = set(re.findall(r"`(tests/[\w/.]+)`", page))
    assert len(paths) > 30
    assert {path for path in paths if not (root / path).exists()} == set()
    every = "".join(file.read_text("utf-8") for file in (root / "tests").rglob("test_*.py"))
    files = {file.name for file in (root / "tests").rglob("test_*.py")}
    names = set(re.findall(r"`(test_\w+)(?:\.py)?`", page))
    assert {name for name in names if f"def {name}(" not in every and f"{name}.py" not in files} == set()
