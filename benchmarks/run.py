"""Speed and memory of the main jobs as ratios to what merely reading the data costs, all measured in one run.

`make bench`, or `python benchmarks/run.py --rows 10000000 --folder /tmp/barograph-bench`. Each job runs in a process of
its own, once to warm the caches and then three times; the median counts. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from data import write

NUMERIC = [f"numeric_{i}" for i in range(12)] + [f"integer_{i}" for i in range(4)]
CATEGORICAL = [f"categorical_{i}" for i in range(4)]
FEATURES = NUMERIC + CATEGORICAL
TARGETS = {
    "profile of all features": 2.0,
    "full default plan": 3.5,
}


def read_and_sum(current: Path) -> Callable[[], object]:
    """The floor: Polars reads the file and sums its columns (of text: its lengths)."""
    import polars as pl

    columns = [pl.col(NUMERIC).sum(), pl.col(CATEGORICAL).str.len_bytes().sum()]
    return lambda: pl.scan_parquet(current).select(columns).collect(engine="streaming")


def profile_features(current: Path) -> Callable[[], object]:
    """Profiles of 20 features in 20 daily chunks, without predictions or labels."""
    import barograph

    reference = barograph.fit(
        current.with_name("reference.parquet"),
        features=FEATURES,
        ignore=["score", "label", "event_id"],
        timestamp="timestamp",
    )
    return lambda: reference.profile(current, chunk="1d")


def profile_all(current: Path) -> Callable[[], object]:
    """The same with cells, calibration and performance tables, ids and samples."""
    import barograph

    reference = barograph.fit(current.with_name("reference.parquet"), features=FEATURES)
    return lambda: reference.profile(current, chunk="1d")


def evaluate_metrics(current: Path) -> Callable[[], object]:
    """All default metrics of 20 features and the model in 20 chunks, limits included."""
    import barograph
    from barograph.monitors.defaults import default_monitors
    from barograph.monitors.evaluate import evaluate

    reference = barograph.fit(current.with_name("reference.parquet"), features=FEATURES)
    profiles = reference.profile(current, chunk="1d")
    monitors = default_monitors(reference.yardstick)
    return lambda: evaluate(reference, profiles, monitors)


JOBS: dict[str, Callable[[Path], Callable[[], object]]] = {
    "Polars reads and sums": read_and_sum,
    "profile of all features": profile_features,
    "full default plan": profile_all,
    "default metrics": evaluate_metrics,
}


def peak_bytes() -> int:
    """Return the most memory that this process has held, from /proc: `ru_maxrss` would count the parent's too."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def run_job(name: str, current: Path) -> None:
    """Run one job in this process and print its times and peak memory as JSON."""
    job = JOBS[name](current)
    job()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(times), "peak_bytes": peak_bytes()}))


def command_seconds(*command: str) -> float:
    """Return the median wall time of a command."""
    times = []
    for _ in range(4):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "barograph-bench")
    parser.add_argument("--job", choices=JOBS)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    current = write(arguments.folder / f"current-{arguments.rows}.parquet", arguments.rows)
    if arguments.job:
        run_job(arguments.job, current)
        return
    write(arguments.folder / "reference.parquet", min(1_000_000, arguments.rows), seed=3)
    print(f"{arguments.rows:,} rows x {len(FEATURES)} features x 20 chunks, {os.cpu_count()} cores\n")
    print(f"{'job':<28}{'seconds':>9}{'ratio':>8}{'target':>8}{'peak MB':>9}")
    floor = None
    for name in JOBS:
        command = [
            sys.executable,
            __file__,
            "--job",
            name,
            "--rows",
            str(arguments.rows),
            "--folder",
            str(arguments.folder),
        ]
        done = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        floor = floor or done["seconds"]
        target = f"{TARGETS[name]:.1f}" if name in TARGETS else "0.5 s" if name == "default metrics" else ""
        ratio = done["seconds"] / floor
        print(f"{name:<28}{done['seconds']:>9.2f}{ratio:>8.2f}{target:>8}{done['peak_bytes'] / 1e6:>9.0f}", flush=True)
    bare = command_seconds(sys.executable, "-c", "pass")
    imported = command_seconds(sys.executable, "-c", "import barograph") - bare
    helped = command_seconds(str(Path(sys.executable).with_name("barograph")), "--help")
    print(f"\nimport barograph {imported:.3f} s (target 0.3); barograph --help {helped:.2f} s (target 0.5)")


if __name__ == "__main__":
    main()
