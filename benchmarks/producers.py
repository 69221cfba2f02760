"""Run the tests of all producers and sources against real servers, and write what came: `make producers`.

    python benchmarks/producers.py [tests/server/test_kafka.py …] [-- options of pytest]

Each test notes what it has sent, what arrived and what was rejected, which becomes a row of docs/producers/README.md.
With the names of tests, their rows alone are renewed; without, the table is written anew, and what was skipped is told.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "producers" / "README.md"
BEGIN, END = "<!-- producers: begin -->\n", "<!-- producers: end -->"
HEAD = "| from | with | sent by its test | arrived | rejected, with the reason |\n|---|---|---|---|---|\n"
TESTS = [
    *("tests/server/test_languages.py", "tests/server/test_cloud_events.py", "tests/server/test_otlp.py"),
    *("tests/server/test_kafka.py", "tests/server/test_every_source.py", "tests/server/test_sources.py"),
    *("tests/server/test_producers.py", "tests/server/test_probes.py", "tests/server/test_privacy.py"),
    *(
        "tests/server/test_sdk.py",
        "tests/server/test_traces.py",
        "tests/cli/test_probe.py",
        "tests/sdk",
        "tests/sources",
    ),
]


class Notes:
    """Takes note of the rows of the tests that pass."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test has noted, as pytest calls this."""
        if report.when == "call" and report.passed:
            self.rows += [list(row) for name, row in report.user_properties if name == "producers"]


def renewed(table: str, rows: list[list[str]]) -> str:
    """Return a table with rows in the place of those of the same name, and new ones at its end.

    >>> print(renewed(HEAD + "| a | b | 1 | 1 | 0 |\\n", [["a", "b", "2", "2", "0"]]).splitlines()[-1])
    | a | b | 2 | 2 | 0 |
    """
    lines = {line.split(" | ")[0]: line for line in table.splitlines()[2:] if line}
    lines |= {f"| {row[0]}": f"| {' | '.join(row)} |" for row in rows}
    return HEAD + "".join(f"{line}\n" for line in lines.values())


def main(asked: list[str]) -> int:
    """Run the tests, and renew the table."""
    tests = [one for one in asked if not one.startswith("-")] or TESTS
    options = [one for one in asked if one.startswith("-") and one != "--"]
    notes = Notes()
    os.environ["BAROGRAPH_PRODUCERS"] = "1"  # what takes too long for every run of all tests runs, too
    code = int(pytest.main(["-rs", *options, *(str(ROOT / one) for one in tests)], plugins=[notes]))
    text = DOCUMENT.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    rows = renewed(HEAD if tests is TESTS else table, notes.rows)
    DOCUMENT.write_text(f"{before}{BEGIN}{rows}{END}{after}", "utf-8")
    print(f"{len(notes.rows)} rows of {DOCUMENT.relative_to(ROOT)} are what was seen just now.")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
