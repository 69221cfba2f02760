"""A real process that is told to end while a large job runs, and jobs that are called off while they run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
from serving import PARQUET, ended, parquet, wait_for

CODE = "import sys; from barograph.cli import main; sys.argv = sys.argv[1:]; main()"
END_S = 5.0
BIG_COLUMNS, BIG_ROWS = 1500, 6_000


@contextmanager
def process(folder: Path, *command: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Run `serve` or `worker`; give the process and a client of it, which only `serve` answers."""
    words = [sys.executable, "-c", CODE, "barograph", *command, "--data", str(folder)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env={**os.environ}) as child:
        try:
            assert child.stderr is not None
            line = child.stderr.readline()
            threading.Thread(target=child.stderr.read, daemon=True).start()
            url = re.search(r"http://[0-9.:]+", line)
            with httpx.Client(base_url=url[0] if url else "http://127.0.0.1:9", timeout=60) as client:
                yield child, client
        finally:
            child.kill()
            ended(child)


def big() -> bytes:
    """Return reference data from which it takes long to learn."""
    rng = np.random.default_rng(3)
    columns = {f"c{i}": rng.normal(size=BIG_ROWS) for i in range(BIG_COLUMNS)}
    return parquet(pl.DataFrame({**columns, "score": rng.random(BIG_ROWS), "label": rng.integers(0, 2, BIG_ROWS)}))


def begin(client: httpx.Client, name: str, data: bytes) -> int:
    """Send reference data, wait until it is learned from, and return the job."""
    assert client.put(f"/v1/models/{name}", json={"task": "binary", "label": "label"}).status_code in (200, 201)
    sent = client.post(f"/v1/models/{name}/references", content=data, headers=PARQUET)
    assert sent.status_code == 202, sent.text
    job: int = client.get(f"/v1/jobs?model={name}").json()["items"][0]["id"]
    return job


def state(client: httpx.Client, job: int) -> str:
    found: str = client.get(f"/v1/jobs/{job}").json()["state"]
    return found


@pytest.mark.parametrize("separate", [False, True], ids=["serve", "worker"])
def test_who_is_told_to_end_does_so_and_the_next_one_goes_on(
    tmp_path: Path, reference_data: bytes, separate: bool
) -> None:
    serve = ("serve", "--port", "0", "--workers", "0" if separate else "1")
    data = big()
    with (
        process(tmp_path, *serve) as (server, client),
        process(tmp_path, "worker") if separate else nullcontext((server, client)) as (worker, _),
    ):
        large = begin(client, "large", data)
        wait_for(lambda: state(client, large) == "running", "the job runs")
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert ended(worker, 20) == 0
        assert time.monotonic() - began < END_S
    with process(tmp_path, "serve", "--port", "0", "--workers", "1") as (_, client):
        # At once, not after a lease has run out: it was given back, and that was no attempt.
        wait_for(lambda: state(client, large) == "running", "the job runs again", 15)
        assert client.get(f"/v1/jobs/{large}").json()["attempts"] == 1
        small = begin(client, "small", reference_data)
        wait_for(lambda: state(client, small) == "done", "a small job need not wait for a large one", 60)
        assert state(client, large) in ("running", "done")
        wait_for(lambda: state(client, large) == "done", "the large job is done", 120)


def test_a_running_job_is_called_off_and_its_worker_does_other_things(tmp_path: Path, reference_data: bytes) -> None:
    with process(tmp_path, "serve", "--port", "0", "--workers", "1") as (_, client):
        large = begin(client, "large", big())
        wait_for(lambda: state(client, large) == "running", "the job runs")
        assert client.delete(f"/v1/jobs/{large}").json()["state"] == "cancelled"
        reference = client.get("/v1/models/large/references/1").json()
        assert (reference["state"], reference["reason"]) == ("failed", "Learning from it was cancelled.")
        small = begin(client, "small", reference_data)
        wait_for(lambda: state(client, small) == "done", "the next job is done", 60)
        assert state(client, large) == "cancelled"
        assert not client.get("/v1/models/large/references/1").json()["active"]
