"""Measure one job in this process: its phases in wall and CPU time, and the peak memory of the whole process.

Runs in the environment of each tool, so it needs the standard library only (and pandas where `read_frames` is called).
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any  # frames and results of other tools

NUMERIC = [f"numeric_{i}" for i in range(12)] + [f"integer_{i}" for i in range(4)]
CATEGORICAL = [f"categorical_{i}" for i in range(4)]
FEATURES = NUMERIC + CATEGORICAL
CHUNKS = 20
WARM_ROWS = 20_000


class Clock:
    """Wall and CPU seconds by phase: "read" (file to frame), "fit" (learn from the reference), "run" (the job)."""

    def __init__(self) -> None:
        self.wall_s = {"read": 0.0, "fit": 0.0, "run": 0.0}
        self.cpu_s = {"read": 0.0, "fit": 0.0, "run": 0.0}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall_s[phase] += time.perf_counter() - wall
        self.cpu_s[phase] += time.process_time() - cpu


Job = Callable[[Path, Path, Clock], int]
"""Takes the files of the reference and of the current rows, and a clock; returns how many numbers it computed."""


def read_frames(*paths: Path, columns: list[str]) -> list[Any]:
    """Return the files as pandas frames."""
    import pandas as pd

    return [pd.read_parquet(path, columns=columns) for path in paths]


def peak_bytes() -> int:
    """Return the peak memory of this process. `ru_maxrss` can hold the parent's, so Linux's own figure goes first."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(jobs: Mapping[str, Job], *, packages: list[str]) -> None:
    """Run the job that the command line names and print what was measured as JSON; without a job, list the jobs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--job", choices=jobs)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if arguments.job is None:
        print(json.dumps({"jobs": list(jobs), "versions": {name: version(name) for name in packages}}))
        return
    job = jobs[arguments.job]
    # Imports, compiled kernels and caches are not what is compared: each tool does the job once on few rows.
    job(*data_files(arguments.folder, WARM_ROWS), Clock())
    clock = Clock()
    numbers = job(*data_files(arguments.folder, arguments.rows), clock)
    print(json.dumps({"wall_s": clock.wall_s, "cpu_s": clock.cpu_s, "numbers": numbers, "peak_bytes": peak_bytes()}))


def data_files(folder: Path, rows: int) -> tuple[Path, Path]:
    """Return where the reference and the current rows are."""
    return folder / f"reference-{rows}.parquet", folder / f"current-{rows}.parquet"
