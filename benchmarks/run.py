"""Speed and memory, row by row against their targets, all in one run on one machine.

    python benchmarks/run.py [part ...] [--rows 10000000] [--folder FOLDER] [--peers FOLDER] [--write]

What is measured inside of a process runs in one of its own, once to warm the caches and then three times, and the
median counts; commands are measured as whole processes, from the typed command to the result on disk. The other tools
get environments of their own in the folder of `--peers` (made where they are not there; a package index is needed);
without it they are left out. What was measured is kept in the folder, so that parts can be run one by one; `--write`
puts all that is there into docs/benchmarks.md. Nothing else should run on the machine. This script uses the standard
library only: a child process would inherit its memory.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any  # JSON

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- bench: written by benchmarks/run.py -->", "<!-- end of bench -->"
BAROGRAPH = str(Path(sys.executable).with_name("barograph"))
CODECS = ("zstd", "snappy")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what it is of, its unit, and what it should be at most (None: for comparison only)."""

    what: str
    value: float
    unit: str = ""
    target: float | None = None

    def cells(self) -> tuple[str, str, str, str]:
        """Return what is printed: the figure, its target, and whether it is met."""
        said = "" if self.target is None else "met" if self.value <= self.target else "**missed**"
        return (
            self.what,
            _number(self.value, self.unit),
            "" if self.target is None else _number(self.target, self.unit),
            said,
        )


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the data are, how many rows the large file has, and where the environments of other tools are."""

    folder: Path
    rows: int
    peers: Path | None

    def data(self, function: str, name: str, *arguments: object, **options: object) -> Path:
        """Return a file of rows, written in a process of its own if it is not there."""
        path = self.folder / name
        if not path.exists():
            given = ", ".join([*map(repr, arguments), *(f"{k}={v!r}" for k, v in options.items())])
            code = f"from pathlib import Path; import data; data.{function}(Path({str(path)!r}), {given})"
            subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE)
        return path

    def current(self, rows: int, codec: str = "zstd") -> Path:
        """Return rows of 20 features in 20 days."""
        return self.data("write", f"current-{rows}-{codec}.parquet", rows, compression=codec)

    def reference(self, rows: int = 1_000_000) -> Path:
        """Return the reference's rows of 20 features."""
        return self.data("write", f"reference-{rows}.parquet", rows, seed=3)

    def job(self, name: str, current: Path, reference: Path, *options: str) -> dict[str, float]:
        """Return what a job of `bench_jobs.py` took."""
        command = [sys.executable, str(HERE / "bench_jobs.py"), name, str(current), str(reference), *options]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found

    def check(self, reference: Path, current: Path, *options: str, runs: int = 1) -> dict[str, float]:
        """Return what a check took, from the command to the JSON on disk."""
        out = str(self.folder / "check.json")
        return timed([BAROGRAPH, "check", str(reference), str(current), "--quiet", "--json", out, *options], runs=runs)


def timed(command: list[str], *, runs: int = 1, allowed: tuple[int, ...] = (0, 1), **options: Any) -> dict[str, float]:
    """Return the median wall and CPU seconds of a command, and the most memory that it held."""
    walls, cpus, peaks = [], [], []
    for _ in range(runs):
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in allowed:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {said[-2_000:]!r}")
        walls.append(time.perf_counter() - began)
        cpus.append(used.ru_utime + used.ru_stime)
        peaks.append(used.ru_maxrss * 1024)
    return {"wall_s": statistics.median(walls), "cpu_s": statistics.median(cpus), "peak_bytes": max(peaks)}


# The parts: each yields its rows as they are measured


def kernel(bench: Bench) -> Iterator[Row]:
    """Profiles against what merely reading the file costs, in CPU time, with both codecs."""
    targets = {("features", "zstd"): 1.6, ("features", "snappy"): 2.2, ("full", "zstd"): 2.4}
    names = {"features": "profile of all features : floor", "full": "full default plan : floor"}
    for codec in CODECS:
        current = bench.current(bench.rows, codec)
        unit = bench.job("floor", current, bench.reference())
        yield Row(f"floor: Polars reads and sums, {codec}", unit["cpu_s"], "CPU s")
        for name, what in names.items():
            found = bench.job(name, current, bench.reference())
            yield Row(f"{what}, CPU, {codec}", found["cpu_s"] / unit["cpu_s"], "", targets.get((name, codec)))
            yield Row(f"{what}, wall, {codec}", found["wall_s"] / unit["wall_s"])
            yield Row(f"{what.split(' : ')[0]}, peak, {codec}", found["peak_bytes"] / 1e6, "MB")


def rows(bench: Bench) -> Iterator[Row]:
    """Ten times as many rows: the same time a row, in bounded memory. The rows are made for it, and deleted."""
    one = bench.job("features", bench.current(bench.rows), bench.reference(), "1")
    pieces = bench.folder / "pieces"
    pieces.mkdir(exist_ok=True)
    try:
        for i in range(10):
            name = f"pieces/{i}.parquet"
            bench.data("write", name, bench.rows, seed=20 + i, start=i * bench.rows, total=10 * bench.rows)
        ten = bench.job("features", pieces, bench.reference(), "1")
    finally:
        shutil.rmtree(pieces)
    yield Row(f"{10 * bench.rows:,} : {bench.rows:,} rows, CPU a row", ten["cpu_s"] / one["cpu_s"] / 10, "", 1.1)
    yield Row(f"{10 * bench.rows:,} : {bench.rows:,} rows, wall a row", ten["wall_s"] / one["wall_s"] / 10, "", 1.1)
    yield Row(f"{10 * bench.rows:,} rows, peak", ten["peak_bytes"] / 1e6, "MB", 1_000.0)


def features(bench: Bench) -> Iterator[Row]:
    """A check of 100,000 + 100,000 rows of many features."""
    found = {}
    for k in (200, 1_000):
        both = [bench.data("write_wide", f"wide-{k}-{seed}.parquet", k, seed=seed) for seed in (1, 2)]
        found[k] = bench.check(*both)
        large = k == 1_000
        yield Row(f"check of {k:,} features × 100,000 rows", found[k]["cpu_s"], "CPU s", 25.0 if large else None)
        yield Row(f"the same, peak, {k:,} features", found[k]["peak_bytes"] / 1e6, "MB", 1_500.0 if large else None)
    yield Row("1,000 : 200 features", found[1_000]["cpu_s"] / found[200]["cpu_s"], "", 5.0)


def chunks(bench: Bench) -> Iterator[Row]:
    """A check of a year, 100 rows an hour, cut into ever more chunks."""
    both = [bench.data("write_year", f"year-{seed}.parquet", seed=seed) for seed in (1, 2)]
    found = {}
    for rule, n in (("18d", 21), ("1d", 365), ("1h", 8_760)):
        found[n] = bench.check(*both, "--chunk", rule)
        yield Row(f"check of {n:,} chunks", found[n]["cpu_s"], "CPU s", 40.0 if n == 8_760 else None)
    yield Row("check of 8,760 chunks, peak", found[8_760]["peak_bytes"] / 1e6, "MB", 1_500.0)
    further = (found[8_760]["cpu_s"] - found[365]["cpu_s"]) / (8_760 - 365)
    yield Row("a further chunk in `check`", 1_000 * further, "ms", 3.0)


def segments(bench: Bench) -> Iterator[Row]:
    """The same rows in daily chunks, watched in segments."""
    both = [bench.data("write_year", f"year-{seed}.parquet", seed=seed) for seed in (1, 2)]
    for n in (0, 5, 50):
        found = bench.check(*both, "--chunk", "1w", *(["--segment", f"of_{n}"] if n else []))
        yield Row(f"check of 53 chunks × {n} segments" if n else "check of 53 chunks", found["cpu_s"], "CPU s")


def levels(bench: Bench) -> Iterator[Row]:
    """Profiles of four text features of ever more levels."""
    for n in (10, 1_000, 100_000):
        current, reference = (bench.data("write_levels", f"levels-{n}-{s}.parquet", n, seed=s) for s in (2, 1))
        found = bench.job("texts", current, reference)
        yield Row(f"profile of 4 text features of {n:,} levels, 1,000,000 rows", found["cpu_s"], "CPU s")


def history(_bench: Bench, *, lengths: tuple[int, ...] = (100, 1_000)) -> Iterator[Row]:
    """20 events into the newest hour of a watched model, from the body's decoding until results can be read."""
    command = [sys.executable, str(HERE / "history.py"), *map(str, lengths)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = [ast.literal_eval(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for one in found:
        at = one["chunks"]
        yield Row(f"update at {at:,} chunks", one["update_cpu_s"], "CPU s", {1_000: 0.1, 8_760: 0.15}.get(at))
        what = f"{at:,} chunks back-filled to visible"
        yield Row(what, one["filled_wall_s"], "s", 60.0 if at == 8_760 else None)
    if len(found) > 1:
        ratio = found[-1]["update_cpu_s"] / found[0]["update_cpu_s"]
        yield Row(f"update at {lengths[-1]:,} : at {lengths[0]:,} chunks", ratio, "", 1.15)


def start(bench: Bench) -> Iterator[Row]:
    """What is there before any row is read."""
    bare = timed([sys.executable, "-c", "pass"], runs=5)["wall_s"]
    imported = timed([sys.executable, "-c", "import barograph"], runs=5)["wall_s"]
    yield Row("import barograph", imported - bare, "s", 0.3)
    yield Row("barograph --help", timed([BAROGRAPH, "--help"], runs=5)["wall_s"], "s", 0.5)
    saved = _saved(bench, 1_000_000)
    found = bench.job("opened", saved, saved)
    yield Row("a saved reference is opened", 1_000 * found["wall_s"], "ms", 50.0)
    found = bench.job("metrics", bench.current(1_000_000), bench.reference())
    yield Row("default metrics, 20 chunks × 20 features", found["wall_s"], "s", 0.5)


def _saved(bench: Bench, rows: int) -> Path:
    path = bench.folder / f"saved-{rows}.barograph"
    timed([BAROGRAPH, "fit", str(bench.reference(rows)), "--out", str(path)], allowed=(0,))
    return path


def peers(bench: Bench) -> Iterator[Row]:
    """Whole processes of barograph and of other tools that are asked the same, each from files to results on disk."""
    if bench.peers is None:
        return
    bench.peers.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(HERE / "peers"))
    from run import ENVIRONMENT, python_of  # of peers/

    def other(tool: str, rows: int) -> dict[str, float]:
        script = str(HERE / "peers" / f"whole_{tool}.py")
        files = [str(bench.reference(1_000_000)), str(bench.current(rows)), str(bench.folder)]
        return timed([str(python_of(tool, bench.peers)), script, *files], allowed=(0,), env=ENVIRONMENT)

    chunk = ("--chunk", "1d")
    million, ten = 1_000_000, 10_000_000
    own = {n: bench.check(bench.reference(), bench.current(n), *chunk, runs=3) for n in (million, ten)}
    again = bench.check(_saved(bench, million), bench.current(million), *chunk, runs=3)
    yield Row("check of 1 M + 1 M rows", own[million]["wall_s"], "s")
    yield Row("check of 1 M rows with a saved reference", again["wall_s"], "s")
    yield Row("check of 1 M + 10 M rows", own[ten]["wall_s"], "s")
    evidently = other("evidently", million)
    yield Row("Evidently's drift preset, 1 M + 1 M", evidently["wall_s"], "s")
    yield Row("1 M check : Evidently's drift preset, wall", own[million]["wall_s"] / evidently["wall_s"], "", 1 / 30)
    nannyml = {n: other("nannyml", n) for n in (million, ten)}
    for n, name in ((million, "1 M"), (ten, "10 M")):
        yield Row(f"NannyML's same question, 1 M + {name}", nannyml[n]["wall_s"], "s")
        yield Row(f"the same, peak, {name}", nannyml[n]["peak_bytes"] / 1e6, "MB")
    yield Row("1 M check : NannyML, wall", own[million]["wall_s"] / nannyml[million]["wall_s"], "", 1 / 10)
    yield Row("the same with a saved reference", again["wall_s"] / nannyml[million]["wall_s"], "", 1 / 20)
    yield Row("10 M check : NannyML, wall", own[ten]["wall_s"] / nannyml[ten]["wall_s"], "", 1 / 20)


Part = Callable[[Bench], Iterator[Row]]
PARTS: dict[str, Part] = {
    **{f.__name__: f for f in (start, kernel, features, chunks, segments, levels, history, peers, rows)},
    "year": partial(history, lengths=(8_760,)),
}
ALWAYS = [name for name in PARTS if name != "year"]  # which takes some minutes by itself


# What is printed and written


def _number(value: float, unit: str) -> str:
    if not unit and 0 < value < 0.5:
        return f"1 : {1 / value:.1f}"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3
    return f"{value:,.{digits}f} {unit}".strip()


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("polars", "pyarrow", "numba"))
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {packages}"


def document(parts: dict[str, Any]) -> str:
    """Return what was measured as Markdown."""
    lines = [f"{parts['machine']}.", ""]
    for name, part in PARTS.items():
        if name in parts:
            about = (part.func if isinstance(part, partial) else part).__doc__ or ""
            lines += [f"**{name}** ({parts[name]['on']}, load before {parts[name]['load']:.1f}): {about.strip()}", ""]
            lines += ["| row | measured | target | |", "|---|---:|---:|---|"]
            lines += [f"| {' | '.join(Row(**row).cells())} |" for row in parts[name]["rows"]] + [""]
    return "\n".join(lines)


def main() -> None:
    """Measure the parts that are named, print them, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: all but year")
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the large file")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "barograph-bench")
    parser.add_argument("--peers", type=Path, help="where environments of other tools are, or are to be made")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    given.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(given.folder, given.rows, given.peers)
    kept = given.folder / "measured.json"
    measured: dict[str, Any] = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    for name in given.parts or ALWAYS:
        load, began = os.getloadavg()[0], time.perf_counter()
        print(f"\n{name}", flush=True)
        found = []
        for row in PARTS[name](bench):
            found.append(asdict(row))
            what, value, target, said = row.cells()
            print(f"  {what:<62}{value:>14}{target:>12}  {said.strip('*')}", flush=True)
        print(f"  ({time.perf_counter() - began:.0f} s)", flush=True)
        if found:
            measured |= {
                "machine": _machine(),
                name: {"on": f"{datetime.now(UTC):%Y-%m-%d}", "load": load, "rows": found},
            }
            kept.write_text(json.dumps(measured, indent=1), "utf-8")
    if given.write:
        text = DOCUMENT.read_text("utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{document(measured)}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
