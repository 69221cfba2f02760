"""Load on the whole service: `python benchmarks/load ingest`, `sustained`, `queries` or `memory`.

Each starts `barograph serve` as users do and drives it over HTTP on this machine, whose cores server and client share.
What is found is kept in a folder; `--write` makes docs/load.md of all that is there.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import document
import memory
import queries
import sustained

import ingest

PROGRAMS = {"ingest": ingest, "sustained": sustained, "queries": queries, "memory": memory}


def main() -> None:
    """Run one program."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    programs = parser.add_subparsers(dest="program", required=True)
    for name, module in PROGRAMS.items():
        one = programs.add_parser(name, help=module.__doc__, description=module.__doc__)
        one.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "barograph-load")
        one.add_argument("--write", action="store_true", help="write docs/load.md")
        module.add_options(one)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    found = PROGRAMS[arguments.program].main(arguments)
    name = arguments.program + ("-" + found["variant"] if found.get("variant") else "")
    (arguments.folder / f"{name}.json").write_text(json.dumps({"machine": document.machine(), **found}, indent=1))
    if arguments.write:
        document.write(arguments.folder)


if __name__ == "__main__":
    main()
