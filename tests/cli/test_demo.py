"""`barograph demo`, as a person starts and ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

Barograph = Callable[..., Any]
CODE = "from barograph.cli import main; main()"


def test_a_folder_that_is_in_use_is_refused_and_left_alone(barograph: Barograph, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("mine")
    run = barograph("demo", "--data", tmp_path)
    assert run.code == 2
    assert "is not empty" in run.err
    assert not run.out
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.db"]


@pytest.mark.skipif(sys.platform == "win32", reason="there a process that is told to end does so at once")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_with_the_demo(number: signal.Signals, tmp_path: Path) -> None:
    production = "postgresql://nobody@127.0.0.1:9/production"  # which is none of the demo's business
    command = [sys.executable, "-W", "error", "-c", CODE, "demo", "--data", str(tmp_path / "data"), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "DATABASE_URL": production}
    ) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().removeprefix("The dashboard is at ").strip()
            assert httpx.get(f"{url}healthz").status_code == 200
            process.send_signal(number)
            said = process.stdout.read()
            assert process.wait(60) == 130  # the story was not told to its end
        finally:
            process.kill()
    assert "The demo has ended." in said
    assert f"barograph serve --data {tmp_path / 'data'}" in said
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
