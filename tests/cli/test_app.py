"""The command as a whole: help, version, and that it starts fast because nothing heavy is imported to show help."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest

Barograph = Callable[..., Any]
COMMANDS = (
    *(
        "check",
        "init",
        "fit",
        "metrics",
        "demo",
        "spec",
        "spec show",
        "spec check",
        "replay",
        "rules",
        "rules test",
    ),
    *("serve", "worker", "ingest", "consume", "migrate", "keys", "keys create", "keys list", "keys revoke"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str, barograph: Barograph) -> None:
    run = barograph(*command.split(), "--help")
    assert (run.code, run.err) == (0, "")
    assert run.out.startswith("Usage: barograph " + command)
    options = [line for line in run.out.splitlines() if line.startswith("  --")]
    assert all(len(line.split("  ")) > 1 for line in options)


def test_help_lists_every_command(barograph: Barograph) -> None:
    run = barograph("--help")
    assert run.code == 0
    for command in COMMANDS:
        assert f"\n  {command.split()[0]} " in run.out


def test_check_offers_what_the_contract_names(barograph: Barograph) -> None:
    text = barograph("check", "--help").out
    roles = "--task --label --score --prediction --timestamp --id --features"
    for option in f"--spec {roles} --chunk --segment --json --parquet --html --quiet --fail-on".split():
        assert f"\n  {option} " in text, option
    assert "[default: warning]" in text


def test_version(barograph: Barograph) -> None:
    run = barograph("--version")
    assert (run.code, run.out) == (0, f"barograph {version('barograph')}\n")


def test_without_a_command_there_is_help(barograph: Barograph) -> None:
    run = barograph()
    assert run.code == 2
    assert "Usage: barograph" in run.out + run.err


def test_an_unknown_command(barograph: Barograph) -> None:
    run = barograph("chekc")
    assert run.code == 2
    assert "No such command 'chekc'" in run.err


def test_metrics_are_listed_and_explained(barograph: Barograph) -> None:
    listed = barograph("metrics")
    assert listed.code == 0
    assert "\nperformance\n" in listed.out
    assert "roc_auc" in listed.out
    one = barograph("metrics", "psi")
    assert one.out.startswith("drift.psi (PSI): from 0 to inf, in ")
    assert ".. [1]" in one.out
    wrong = barograph("metrics", "roc_auk")
    assert (wrong.code, wrong.err) == (2, "barograph: There is no metric 'roc_auk'. Did you mean 'roc_auc'?\n")


def test_help_imports_nothing_heavy() -> None:
    heavy = (
        "numpy",
        "polars",
        "pandas",
        "pyarrow",
        "scipy",
        "sklearn",
        "numba",
        "pydantic",
        "jinja2",
        "sqlalchemy",
        "fastapi",
    )
    program = (
        "import sys\nfrom barograph.cli import main\nsys.argv = ['barograph', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('HEAVY', [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert done.stderr == ""
