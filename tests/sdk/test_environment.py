"""What a process says of itself: what is true, what was asked for, and nothing else."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from taking import Answer, Taker

from barograph.sdk import Client
from barograph.sdk.environment import content_hash, git_revision, snapshot, system

Make = Callable[..., Client]


def test_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "eu")
    monkeypatch.setenv("PASSWORD", "secret")
    model = tmp_path / "model.bin"
    model.write_bytes(b"weights" * 1000)
    found = snapshot("scorer", version="7", files=[str(model), "/no/such"], variables=["REGION", "UNSET"])
    assert found["packages"]["numpy"] == importlib.metadata.version("numpy")
    assert found["system"]["python"] == platform.python_version()
    assert found["files"] == {
        "model.bin": "sha256:" + hashlib.sha256(b"weights" * 1000).hexdigest(),
        "such": "unreadable: No such file or directory",
    }
    assert found["variables"] == {"REGION": "eu"}
    assert "secret" not in json.dumps(found)


def test_a_folder_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "inside").mkdir(parents=True)
        (tmp_path / name / "inside" / "weights").write_bytes(b"1")
        (tmp_path / name / "config").write_bytes(b"2")
    assert content_hash(str(tmp_path / "a")) == content_hash(str(tmp_path / "b"))
    (tmp_path / "b" / "config").write_bytes(b"3")
    assert content_hash(str(tmp_path / "a")) != content_hash(str(tmp_path / "b"))


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_revision_of_the_code(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    (folder / "deep").mkdir(parents=True)
    assert git_revision(str(folder)) in (None, git_revision("/"))
    git(folder, "init", "-q")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    first = git(folder, "rev-parse", "HEAD")
    assert git_revision(str(folder / "deep")) == first
    git(folder, "pack-refs", "--all")
    assert git_revision(str(folder)) == first
    git(folder, "worktree", "add", "-q", str(tmp_path / "tree"))
    git(tmp_path / "tree", "commit", "-q", "--allow-empty", "-m", "two")
    assert git_revision(str(tmp_path / "tree")) == git(tmp_path / "tree", "rev-parse", "HEAD") != first
    git(folder, "checkout", "-q", "--detach")
    assert git_revision(str(folder)) == first


def test_what_cannot_be_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barograph.sdk.environment._text", lambda path: "")
    assert {"os", "cpu", "cpu_flags", "git"}.isdisjoint(system())
    assert system()["python"]


def test_it_goes_with_the_first_batch_once(make: Make, taker: Taker) -> None:
    client = make(environment=True, producer="scorer", version="7")
    for _ in range(3):
        client.log({"amount": 1})
        assert client.flush()
    (told,) = taker.producers
    assert (told["producer"], told["version"]) == ("scorer", "7")
    assert taker.requests[0][0].endswith("/producers")
    assert len(taker.events) == 3


@pytest.mark.parametrize("status", [404, 405, 422, 500])
def test_events_do_not_suffer_where_it_is_not_taken(make: Make, taker: Taker, status: int) -> None:
    def trouble(n: int, path: str, body: bytes) -> Answer | None:
        return (status, {}, {}) if path.endswith("producers") else None

    taker.trouble = trouble
    client = make(environment=True)
    client.log({"amount": 1}, id="a")
    assert client.flush(20)
    assert set(taker.events) == {"a"}
