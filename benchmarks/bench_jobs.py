"""What `run.py` measures inside of one process: jobs, each once to warm the caches and then several times."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

NUMERIC = [f"numeric_{i}" for i in range(12)] + [f"integer_{i}" for i in range(4)]
CATEGORICAL = [f"categorical_{i}" for i in range(4)]
FEATURES = NUMERIC + CATEGORICAL
RUNS = 3
Job = Callable[[], object]


def floor(current: Path, _reference: Path) -> Job:
    """The floor: Polars reads the file and sums its columns (of text: its lengths)."""
    import polars as pl

    columns = [pl.col(NUMERIC).sum(), pl.col(CATEGORICAL).str.len_bytes().sum()]
    return lambda: pl.scan_parquet(current).select(columns).collect(engine="streaming")


def features(current: Path, reference: Path) -> Job:
    """Profiles of 20 features in 20 daily chunks, without predictions or labels."""
    import barograph

    out = ["score", "label", "event_id"]
    fitted = barograph.fit(reference, features=FEATURES, ignore=out, timestamp="timestamp")
    return lambda: fitted.profile(current, chunk="1d")


def full(current: Path, reference: Path) -> Job:
    """The same with cells, calibration and performance tables, ids and samples."""
    import barograph

    fitted = barograph.fit(reference, features=FEATURES)
    return lambda: fitted.profile(current, chunk="1d")


def texts(current: Path, reference: Path) -> Job:
    """Profiles of text features alone."""
    import barograph

    fitted = barograph.fit(reference, features=CATEGORICAL, ignore=["score", "label"], timestamp="timestamp")
    return lambda: fitted.profile(current, chunk="1d")


def metrics(current: Path, reference: Path) -> Job:
    """All default metrics of 20 features and the model in 20 chunks, limits included."""
    import barograph
    from barograph.monitors.defaults import default_monitors
    from barograph.monitors.evaluate import evaluate

    fitted = barograph.fit(reference, features=FEATURES)
    profiles, monitors = fitted.profile(current, chunk="1d"), default_monitors(fitted.yardstick)
    return lambda: evaluate(fitted, profiles, monitors)


def opened(_current: Path, reference: Path) -> Job:
    """A saved reference is opened."""
    from barograph.reference.reference import Reference

    return lambda: Reference.load(reference)


def peak_bytes() -> int:
    """Return the most memory that this process has held, from /proc: `ru_maxrss` would count the parent's too."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def main() -> None:
    """Run the job that is named, on a current and a reference file, and print its medians and peak memory as JSON."""
    name, current, reference = sys.argv[1:4]
    job = {f.__name__: f for f in (floor, features, full, texts, metrics, opened)}[name](Path(current), Path(reference))
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else RUNS
    if runs > 1:
        job()
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        job()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    found = {"wall_s": statistics.median(walls), "cpu_s": statistics.median(cpus), "peak_bytes": peak_bytes()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
