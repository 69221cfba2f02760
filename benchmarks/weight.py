"""What an installation weighs: the disk that each extra takes, and the time until the first answer.

    python benchmarks/weight.py [--write]

installs the package with each of its extras in a virtual environment of its own, at the versions of `requirements.lock`
(it needs a package index), and measures the size of what was installed and the CPU time of new processes: the middle
one of several, compiled files being there already. `--write` puts the tables into docs/install.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "install.md"
BEGIN, END = "<!-- measured by benchmarks/weight.py -->", "<!-- end -->"
RUNS = 7
ROWS = 2_000
COMMAND = "from barograph.cli import main; main()"  # what the script `barograph` does


@dataclass(frozen=True, slots=True)
class Start:
    """A new process to time: what it is called, the extra that it needs, and its arguments after the interpreter."""

    what: str
    extra: str
    arguments: tuple[str, ...]


def starts(files: Path) -> list[Start]:
    """Return the processes that are timed, on the small files in `files`."""
    check = ("-c", COMMAND, "check", f"{files}/reference.csv", f"{files}/current.csv", "--quiet")
    saved = ("-c", COMMAND, "check", f"{files}/reference.barograph", f"{files}/current.csv", "--quiet")
    return [
        Start("Python itself", "", ("-c", "pass")),
        Start("`import barograph`", "", ("-c", "import barograph")),
        Start("the client that sends bytes", "", ("-c", "import barograph.client.http")),
        Start("`barograph --help`", "", ("-c", COMMAND, "--help")),
        Start("`barograph.fit`, imported", "", ("-c", "import barograph; barograph.fit")),
        Start("`barograph.check`, imported", "", ("-c", "import barograph; barograph.check")),
        Start(f"`barograph check`, {ROWS:,} + {ROWS:,} rows", "", check),
        Start("the same with a saved reference", "", saved),
        Start("the same with `--html`", "report", (*check, "--html", f"{files}/report.html")),
        Start("the server, imported", "server", ("-c", "import barograph.server.start, barograph.worker.worker")),
    ]


DATA = f"""
import sys
import numpy as np, polars as pl, barograph
def rows(seed):
    rng = np.random.default_rng(seed)
    x, colour = rng.normal(size={ROWS}), rng.choice(["red", "green", "blue"], {ROWS})
    score = 1 / (1 + np.exp(-x))
    return pl.DataFrame({{"x": x, "colour": colour, "score": score, "label": (rng.random({ROWS}) < score).astype(int)}})
rows(1).write_csv(sys.argv[1] + "/reference.csv")
rows(2).write_csv(sys.argv[1] + "/current.csv")
barograph.fit(rows(1)).save(sys.argv[1] + "/reference.barograph")
"""


def install(extra: str, folder: Path, constraints: Path) -> Path:
    """Return the Python of a new environment that holds the package with one extra."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    what = f"{ROOT}[{extra}]" if extra else str(ROOT)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--constraint", str(constraints), what], check=True)
    return python


def weigh(folder: Path) -> tuple[float, int]:
    """Return how many MB of packages an environment holds without compiled Python, and how many packages."""
    packages = next(folder.glob("lib/python*/site-packages"))
    files = (path for path in packages.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".nbi", ".nbc"))
    return sum(path.stat().st_size for path in files) / 1e6, len(list(packages.glob("*.dist-info"))) - 1


def cpu_seconds(command: Sequence[str]) -> float:
    """Return the CPU time of a new process. It must end with 0: one that fails is fast."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def middle(command: Sequence[str]) -> float:
    """Return the middle CPU time of several runs, after one that compiles."""
    cpu_seconds(command)
    return statistics.median(cpu_seconds(command) for _ in range(RUNS))


def measure(scratch: Path) -> str:
    """Return both tables."""
    locked = (ROOT / "requirements.lock").read_text("utf-8")
    constraints = scratch / "constraints.txt"
    constraints.write_text("\n".join(re.findall(r"(?m)^[A-Za-z0-9._-]+==[^\s\\]+(?: ; [^\\\n]+)?", locked)), "utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    sizes, times = [], []
    alone = 0.0
    for extra in ("", *(name for name in extras if name != "dev")):
        python = install(extra, scratch / "venv", constraints)
        megabytes, count = weigh(scratch / "venv")
        alone = alone or megabytes
        name = f"`barograph[{extra}]`" if extra else "`barograph`"
        more = f"+{megabytes - alone:,.0f}" if extra else ""
        sizes.append(f"| {name} | {count} | {megabytes:,.0f} | {more} |")
        print(sizes[-1], flush=True)
        if not extra:
            subprocess.run([str(python), "-c", DATA, str(scratch)], check=True)
        for start in starts(scratch):
            if start.extra == extra:
                times.append(f"| {start.what} | {middle([str(python), *start.arguments]):.2f} |")
                print(times[-1], flush=True)
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return "\n".join(
        [
            f"Measured on {day} with {version} and the versions of `requirements.lock`.",
            "",
            "| installed | packages | MB on disk | more than `barograph` |",
            "|---|---|---|---|",
            *sizes,
            "",
            f"| new process | CPU seconds, middle of {RUNS} |",
            "|---|---|",
            *times,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/install.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tables = measure(Path(scratch))
    if arguments.write:
        text = PAGE.read_text("utf-8")
        head, _, rest = text.partition(BEGIN)
        _, _, tail = rest.partition(END)
        PAGE.write_text(f"{head}{BEGIN}\n{tables}\n{END}{tail}", "utf-8")


if __name__ == "__main__":
    main()
