"""What a process runs on: sent once at its start, so that the server can say what is another one than before."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from .tell import warn

_CHUNK = 1024 * 1024
HASHED_BYTES = 4 * 1024**3  # of a file; of a larger one size and time stand for what is in it


def snapshot(
    producer: str, *, version: str | None, files: Iterable[str] = (), variables: Iterable[str] = ()
) -> dict[str, Any]:
    """Return what this process runs on.

    Of environment variables only those named in `variables`, and that are set; of `files` what is in them, as a hash.
    """
    return {
        "producer": producer,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "version": version,
        "system": system(),
        "packages": packages(),
        "files": {os.path.basename(path) or path: content_hash(path) for path in files},
        "variables": {name: os.environ[name] for name in variables if name in os.environ},
    }


def system() -> dict[str, str]:
    """Return the interpreter, the operating system, the processor, and the revision of the code in this folder."""
    found = {"python": sys.version.split()[0], "implementation": sys.implementation.name, "platform": sys.platform}
    if hasattr(os, "uname"):
        uname = os.uname()
        found["kernel"], found["machine"] = f"{uname.sysname} {uname.release}", uname.machine
    release = _lines("/etc/os-release", "=")
    if "PRETTY_NAME" in release:
        found["os"] = release["PRETTY_NAME"].strip('"')
    processor = _lines("/proc/cpuinfo", ":")
    if "model name" in processor:
        found["cpu"] = processor["model name"]
    flags = processor.get("flags") or processor.get("Features")
    if flags:
        found["cpu_flags"] = " ".join(sorted(flags.split()))
    revision = git_revision(os.getcwd())
    if revision:
        found["git"] = revision
    return found


def packages() -> dict[str, str]:
    """Return the installed packages with their versions."""
    from importlib.metadata import distributions

    found = {}
    for distribution in distributions():
        try:
            name = distribution.metadata["Name"]
            if name and name not in found:  # the first on the path is the one that is imported
                found[name] = distribution.version
        except Exception as error:  # of what others have put there
            warn("barograph cannot read the version of an installed package: %s", error)
    return dict(sorted(found.items()))


def content_hash(path: str) -> str:
    """Return what is in a file, or below a folder, as a hash; or why it cannot be said."""
    import hashlib

    hash = hashlib.sha256()
    try:
        if os.path.isdir(path):
            names = sorted(os.path.join(where, name) for where, _, inside in os.walk(path) for name in inside)
            for name in names:
                hash.update(f"{os.path.relpath(name, path)}\0{content_hash(name)}\n".encode("utf-8", "replace"))
            return f"sha256:{hash.hexdigest()}"
        status = os.stat(path)
        if status.st_size > HASHED_BYTES:
            return f"size:{status.st_size} modified:{status.st_mtime_ns}"
        with open(path, "rb") as file:
            while True:
                part = file.read(_CHUNK)
                if not part:
                    return f"sha256:{hash.hexdigest()}"
                hash.update(part)
    except OSError as error:
        return f"unreadable: {error.strerror}"


def git_revision(folder: str) -> str | None:
    """Return the commit that is checked out in a folder or above it, None if there is none."""
    while True:
        head = os.path.join(folder, ".git")
        if os.path.isfile(head):  # a worktree
            head = _text(head).partition("gitdir:")[2].strip()
        if os.path.isdir(head):
            return _revision(head)
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _revision(git: str) -> str | None:
    said = _text(os.path.join(git, "HEAD")).strip()
    if not said.startswith("ref:"):
        return said or None
    name = said[4:].strip()
    common = os.path.join(git, _text(os.path.join(git, "commondir")).strip() or ".")
    for place in (git, common):
        found = _text(os.path.join(place, name)).strip()
        if found:
            return found
        for line in _text(os.path.join(place, "packed-refs")).splitlines():
            if line.endswith(f" {name}"):
                return line.split()[0]
    return None


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _lines(path: str, separator: str) -> Mapping[str, str]:
    """Return the first value of each name in a file of names and values."""
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        name, _, value = line.partition(separator)
        found.setdefault(name.strip(), value.strip())
    return found
