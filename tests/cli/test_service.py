"""`barograph serve`, `worker`, `keys`, `migrate` and `ingest`, as a person runs them."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from barograph.store.catalog.database import newest_revision

Barograph = Callable[..., Any]
CODE = "import sys; from barograph.cli import main; sys.argv = sys.argv[1:]; main()"


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Put back what a command that ran in this process has set."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


@contextmanager
def started(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run a command in a process of its own; give it, and the lines that it has said so far."""
    command = [sys.executable, "-W", "error", "-c", CODE, "barograph", *map(str, arguments)]
    lines: list[str] = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stderr is not None
        try:
            lines.append(process.stderr.readline())
            reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()))
            reader.start()
            yield process, lines
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()  # only if it did not end
                reader.join()


def served_url(lines: list[str]) -> str:
    match = re.search(r"http://\S+", lines[0])
    assert match, lines
    return match[0].rstrip('",')


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_well_when_it_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    with started("serve", "--data", tmp_path / "d", "--port", 0, "--workers", 1) as (process, lines):
        url = served_url(lines)
        assert httpx.get(f"{url}/readyz").json()["status"] == "ready"
        assert httpx.put(f"{url}/v1/models/m", json={}).status_code == 201
        process.send_signal(number)
        assert process.wait(60) == 0
    said = [json.loads(line) for line in lines if line.startswith("{")]
    assert said[-1]["event"] == "ended"
    assert {line["event"] for line in said} >= {"serving", "request"}
    assert (tmp_path / "d").stat().st_mode & 0o077 == 0  # nobody else's business


def test_serve_refuses_other_addresses_without_an_admin_key(tmp_path: Path, barograph: Barograph) -> None:
    data = ("--data", tmp_path)
    refused = barograph("serve", *data, "--host", "0.0.0.0", "--port", 0, "--workers", 0)
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "barograph keys create --role admin" in refused.err
    assert barograph("keys", "create", *data, "--role", "editor").code == 0
    assert barograph("serve", *data, "--host", "0.0.0.0", "--port", 0, "--workers", 0).code == 2
    token = barograph("keys", "create", *data, "--role", "admin").out.strip()
    with started("serve", *data, "--host", "0.0.0.0", "--port", 0, "--workers", 0) as (_, lines):
        url = served_url(lines).replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/v1/models").status_code == 401
        assert httpx.get(f"{url}/v1/models", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_serve_asks_for_keys_on_this_machine_if_it_is_told_to(tmp_path: Path) -> None:
    with started("serve", "--data", tmp_path, "--port", 0, "--workers", 0, "--require-keys") as (_, lines):
        assert httpx.get(f"{served_url(lines)}/v1/models").status_code == 401


def test_a_folder_is_served_by_one_process(tmp_path: Path, barograph: Barograph) -> None:
    with started("serve", "--data", tmp_path, "--port", 0, "--workers", 0):
        second = barograph("serve", "--data", tmp_path, "--port", 0)
        assert second.code == 2
        assert f"Another `barograph serve` serves the folder '{tmp_path}'" in second.err
    with started("serve", "--data", tmp_path, "--port", 0, "--workers", 0) as (_, lines):
        assert httpx.get(f"{served_url(lines)}/healthz").status_code == 200


def test_serve_says_what_is_wrong_with_an_address(tmp_path: Path, barograph: Barograph) -> None:
    wrong = barograph("serve", "--data", tmp_path, "--host", "192.0.2.1", "--port", 0)
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "192.0.2.1" in wrong.err
    with started("serve", "--data", tmp_path, "--port", 0, "--workers", 0) as (_, lines):
        port = served_url(lines).rsplit(":", 1)[1]
        taken = barograph("serve", "--data", tmp_path / "another", "--port", port)
        assert taken.code == 2
        assert f"127.0.0.1:{port}" in taken.err
    assert barograph("serve", "--data", tmp_path, "--log-level", "loud").code == 2


def test_an_older_catalog_must_be_migrated_by_hand(tmp_path: Path, barograph: Barograph) -> None:
    assert f"form {newest_revision()} now" in barograph("migrate", "--data", tmp_path).out
    assert "already" in barograph("migrate", "--data", tmp_path).out
    with sqlite3.connect(tmp_path / "catalog.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for command in ("serve", "migrate"):
        refused = barograph(command, "--data", tmp_path)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert "9999" in refused.err


def test_keys_are_made_listed_and_revoked(tmp_path: Path, barograph: Barograph) -> None:
    data = ("--data", tmp_path)
    assert barograph("keys", "list", *data).code == 2  # there is no catalog to make one in by looking
    made = barograph("keys", "create", *data, "--role", "ingest", "--name", "scoring job", "--expires", "90d")
    token = made.out.strip()
    assert re.fullmatch(r"baro_[A-Za-z0-9]{12}_[A-Za-z0-9_-]{43}", token)
    listed = barograph("keys", "list", *data).out
    assert token[:17] in listed
    assert token not in listed
    assert "scoring job" in listed
    assert " ends " in listed
    assert "Revoked" in barograph("keys", "revoke", token, *data).out
    assert "revoked" in barograph("keys", "list", *data).out
    unknown = barograph("keys", "revoke", "baro_nobody", *data)
    assert (unknown.code, "barograph keys list" in unknown.err) == (2, True)
    assert barograph("keys", "create", *data, "--role", "viewer", "--expires", "soon").code == 2
    assert "'default'" in barograph("keys", "create", *data, "--role", "viewer", "--project", "other").err


def test_ingest_sends_files(tmp_path: Path, barograph: Barograph, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with started("serve", "--data", tmp_path / "d", "--port", 0) as (_, lines):
        url = served_url(lines)
        assert httpx.put(f"{url}/v1/models/m", json={"label": "label"}).status_code == 201
        refused = barograph("ingest", files / "calm.parquet", "--model", "m", "--url", url)
        assert (refused.code, "reference" in refused.err) == (2, True)
        kind = {"Content-Type": "application/vnd.apache.parquet"}
        data = (files / "reference.parquet").read_bytes()
        sent = httpx.post(f"{url}/v1/models/m/references?wait=60", content=data, headers=kind, timeout=90)
        assert sent.json()["active"]
        assert barograph("ingest", files / "calm.parquet", "--model", "m", "--url", url).out == "Sent 3,000 events.\n"
        monkeypatch.setenv("BAROGRAPH_KEY", "baro_" + "x" * 12 + "_" + "y" * 43)
        wrong = barograph("ingest", files / "calm.csv", "--model", "m", "--url", url)
        assert wrong.code == 2
        assert "yyy" not in wrong.err


def test_a_worker_works_in_a_process_of_its_own(tmp_path: Path) -> None:
    with started("worker", "--data", tmp_path) as (process, lines):
        assert json.loads(lines[0])["event"] == "working"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert json.loads(lines[-1])["event"] == "ended"


@pytest.mark.parametrize("command", ["serve", "worker", "keys list", "migrate", "ingest x --model m"])
def test_a_missing_package_is_one_message(command: str, tmp_path: Path) -> None:
    hide = (
        "import sys; sys.modules.update({name: None for name in ('sqlalchemy', 'fastapi', 'msgspec', 'zstandard')}); "
    )
    arguments = [*command.split(), *(() if command.startswith("ingest") else ("--data", str(tmp_path)))]
    done = subprocess.run(
        [sys.executable, "-c", hide + CODE, "barograph", *arguments], capture_output=True, text=True, timeout=60
    )
    if command.startswith("ingest"):
        assert done.returncode == 2  # it needs no server's packages: the file is not there
        return
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'barograph[server]'" in done.stderr


def test_projects_are_made_renamed_and_used(tmp_path: Path, barograph: Barograph) -> None:
    data = ("--data", tmp_path)
    assert barograph("projects", "create", "fraud", *data).out == "Made default/fraud.\n"
    made = barograph("projects", "create", "theft", "--organisation", "acme", *data)
    assert made.out == "Made acme/theft, and the organisation.\n"
    assert barograph("projects", "create", "a/b", *data).code == 2
    assert "named 'fraud' already" in barograph("projects", "create", "fraud", *data).err
    assert barograph("projects", "rename", "acme/theft", "scams", *data).out == "acme/theft is now acme/scams.\n"
    listed = barograph("projects", "list", *data).out.split()
    assert listed == ["1", "default/default", "2", "default/fraud", "3", "acme/scams"]
    assert barograph("keys", "create", "--role", "admin", "--project", "acme/scams", *data).code == 0
    assert "'acme/scams'" in barograph("keys", "list", "--project", "scams", *data).err  # it says what there is
    assert barograph("keys", "list", *data).out == ""
    assert barograph("keys", "create", "--role", "editor", "--act", "labels", "--model", "m", *data).code == 0
    assert "--act must be one of" in barograph("keys", "create", "--role", "editor", "--act", "all", *data).err
    verified = barograph("audit", "verify", *data)
    assert [line.split(",")[0] for line in verified.out.splitlines()] == [
        "default/default: 1 record",
        "default/fraud: 1 record",
        "acme/scams: 3 records",
    ]
    digest = verified.out.split()[-1]
    assert barograph("audit", "verify", "--expect", digest, *data).code == 0
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection, connection:
        connection.execute("DELETE FROM audit WHERE id = (SELECT max(id) FROM audit WHERE project_id = 3)")
    assert "were cut off" in barograph("audit", "verify", "--expect", digest, *data).err
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection, connection:
        connection.execute("UPDATE audit SET target = 'x' WHERE project_id = 2")
    assert "default/fraud is broken: record 1 " in barograph("audit", "verify", *data).err


def test_users_are_made_given_roles_and_deleted(tmp_path: Path, barograph: Barograph) -> None:
    data = ("--data", tmp_path)
    made = barograph("users", "create", "Ada@example.org", "--role", "operator", *data)
    assert re.fullmatch(r"http://127.0.0.1:8321/link/[A-Za-z0-9_-]{43}\n", made.out)
    assert "already" in barograph("users", "create", "ada@example.org", "--role", "viewer", *data).err
    assert barograph("users", "create", "bob", "--role", "viewer", *data).code == 0
    assert barograph("users", "create", "c d", "--role", "viewer", *data).code == 2
    risen = barograph("users", "role", "bob", "owner", *data).out.splitlines()
    assert (risen[0], "is void" in risen[1], "/link/" in risen[2]) == ("bob is owner in default.", True, True)
    assert barograph("users", "role", "bob", "owner", *data).out == "bob is owner in default.\n"  # as before
    listed = barograph("users", "list", *data).out.splitlines()
    assert listed == [
        "ada@example.org  (never signed in)  operator",
        "bob  (never signed in)  owner in default/default",
    ]
    assert barograph("users", "link", "bob", *data).out != barograph("users", "link", "bob", *data).out
    assert barograph("users", "role", "bob", "none", *data).code == 0
    assert barograph("users", "list", *data).out.splitlines()[1].endswith("nothing")
    assert barograph("users", "delete", "bob", *data).out == "Deleted bob.\n"
    gone = barograph("users", "link", "bob", *data)
    assert (gone.code, "barograph users list" in gone.err) == (2, True)
    with started("serve", *data, "--host", "0.0.0.0", "--port", 0, "--workers", 0) as (_, lines):
        assert served_url(lines)  # a user who may make others is a way in
