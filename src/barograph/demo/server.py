"""A server of the demo's own: `barograph serve` as a process, on this machine alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from barograph.errors import InputError

STARTING_S = 60.0
ENDING_S = 10.0
POLL_S = 0.05
# A day of the story passes in seconds, so the server may not rest for five between evaluations.
SHORT_RESTS = {"BAROGRAPH_FILING_SECONDS": "0.3", "BAROGRAPH_EVALUATION_SECONDS": "1.5"}
ELSEWHERE = ("DATABASE_URL", "STORAGE_URL")  # where a real installation keeps its data: no place for a demo
_CODE = "from barograph.cli import main; main()"
_SAID = "barograph serves at "


@contextmanager
def served(folder: Path, *, port: int) -> Iterator[str]:
    """Run a server on an empty folder and give its URL. Where the port is taken, any other that is free is used.

    What it logs is in `server.log` of the folder. Raises InputError for a folder with something in it, or if the server
    does not start.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{str(folder)!r} is not empty. The demo needs an empty folder: name another with --data.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = folder / "server.log"
    command = [sys.executable, "-c", _CODE, "serve", "--data", str(folder), "--log-level", "warning"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BAROGRAPH_") and k not in ELSEWHERE}
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--port", str(port if _is_free(port) else 0)],
            env={**environment, **SHORT_RESTS},
            stderr=written,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield address_of(process, log)
    finally:
        _end(process)


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def address_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until a server serves, and return where, as its log says; raise InputError if it does not start."""
    end = time.monotonic() + STARTING_S
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text("utf-8", errors="replace").splitlines():
            if line.startswith(_SAID):
                return line.removeprefix(_SAID).strip()
        time.sleep(POLL_S)
    raise InputError(f"The server did not start: {log.read_text('utf-8', errors='replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Tell the server to end, and wait until it has. Ctrl-C in a terminal has told it already."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
