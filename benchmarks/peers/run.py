"""The same job in barograph, Evidently and NannyML: seconds and peak memory, each job in a process of its own.

    python benchmarks/peers/run.py [--rows 1000000] [--folder FOLDER] [--tools evidently nannyml] [--repeats 3]

Run it with the Python that has barograph. The other tools get virtual environments of their own in the folder (kept for
the next run), with the versions of `requirements-*.txt`. This script itself uses the standard library only: a child
process would inherit its memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any  # JSON

from measuring import WARM_ROWS, data_files

HERE = Path(__file__).resolve().parent
TOOLS = ("barograph", "evidently", "nannyml")
WRITE = "import sys; from pathlib import Path; from data import write; write(Path(sys.argv[1]), {rows}, seed={seed})"
# Neither tool should wait for its telemetry.
ENVIRONMENT = {**os.environ, "DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}


def python_of(tool: str, folder: Path) -> Path:
    """Return the Python of the tool's environment; create it and install what the tool needs if it is not there."""
    if tool == "barograph":
        return Path(sys.executable)
    home = folder / f"venv-{tool}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = home / "installed"
    requirements = HERE / f"requirements-{tool}.txt"
    if not done.exists() or done.read_text() != requirements.read_text():
        print(f"installing {tool} ...", file=sys.stderr, flush=True)
        venv.create(home, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
        subprocess.run(pip, check=True, capture_output=True, text=True)
        done.write_text(requirements.read_text())
    return python


def call(python: Path, tool: str, *arguments: str) -> dict[str, Any]:
    """Run a tool's script and return the JSON of its last line."""
    command = [str(python), str(HERE / f"{tool}_jobs.py"), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def processor() -> str:
    """Return the name of the processor, as far as the system tells."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def table_row(tool: str, job: str, measured: list[dict[str, Any]]) -> str:
    """Return one row of the table: medians of the repetitions, and the largest peak."""

    def median(kind: str, phase: str) -> str:
        return f"{statistics.median(m[kind][phase] for m in measured):.2f}"

    peak = max(m["peak_bytes"] for m in measured) / 1e6
    cells = [tool, job, median("wall_s", "run"), median("cpu_s", "run"), median("wall_s", "fit")]
    return "| " + " | ".join([*cells, median("wall_s", "read"), f"{peak:,.0f}", f"{measured[0]['numbers']:,}"]) + " |"


def main() -> None:
    """Measure everything and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the reference, and of the current data")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "barograph-peers")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=TOOLS)
    parser.add_argument("--repeats", type=int, default=1, help="runs of each job; the median time counts")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for rows in (WARM_ROWS, arguments.rows):
        for path, seed in zip(data_files(arguments.folder, rows), (3, 7), strict=True):
            code = WRITE.format(rows=rows, seed=seed)
            subprocess.run([sys.executable, "-c", code, path], check=True, cwd=HERE.parent)

    print(f"{arguments.rows:,} reference rows, {arguments.rows:,} current rows, 20 features.", end=" ")
    print(f"{os.cpu_count()} cores ({processor()}), Python {platform.python_version()}.\n")
    print("| tool | job | seconds | CPU seconds | fit, seconds | read, seconds | peak MB | numbers |")
    print("|---|---|---:|---:|---:|---:|---:|---:|", flush=True)
    versions = []
    for tool in arguments.tools:
        job = ""
        try:
            python = python_of(tool, arguments.folder)
            about = call(python, tool)
            versions.append(f"- {tool}: " + ", ".join(f"{name} {v}" for name, v in about["versions"].items()))
            for job in about["jobs"]:
                options = ["--job", job, "--rows", str(arguments.rows), "--folder", str(arguments.folder)]
                measured = [call(python, tool, *options) for _ in range(arguments.repeats)]
                print(table_row(tool, job, measured), flush=True)
        except subprocess.CalledProcessError as error:
            last = (error.stderr or "").strip().splitlines()[-1:] or [str(error)]
            print(f"| {tool} | {job or 'could not be installed'}: {last[0]} | | | | | | |", flush=True)
    print("\nVersions:\n\n" + "\n".join(versions))


if __name__ == "__main__":
    main()
