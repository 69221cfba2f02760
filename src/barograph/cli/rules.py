"""`barograph rules`: try rules before they are switched on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.errors import BarographError
from barograph.text.format import count

if TYPE_CHECKING:
    from barograph.scenarios.scenario import ScenarioResult

EXIT_FAILED = 1
EXIT_WRONG_FILE = 2

app = typer.Typer(help="Try rules before they are switched on.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `test` a subcommand though it is the only one."""


@app.command("test")
def run(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Scenarios (TOML): what comes, what happens.")],
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only what is not as expected.")] = False,
) -> None:
    """Run scenarios. Ends with 0: all is as expected; 1: something is not; 2: a file is wrong."""
    results: list[tuple[Path, ScenarioResult]] = []
    wrong: list[str] = []
    for path in files:
        try:
            results.append((path, _run(path)))
        except BarographError as error:
            wrong.append(str(error))
    for path, result in results:
        _print(path, result, quiet=quiet)
    lines = [line for _, result in results for line in result.lines]
    passed = sum(line.passed for line in lines)
    if results:
        good = sum(result.passed for _, result in results)
        scenarios = f"{good} of {count(len(results), 'scenario')}"
        print(f"{scenarios} passed, {passed} of {len(lines)} expectations met.")
    for message in wrong:
        print(f"barograph: {message}", file=sys.stderr)
    if wrong:
        raise typer.Exit(EXIT_WRONG_FILE)
    if passed < len(lines):
        raise typer.Exit(EXIT_FAILED)


def _run(path: Path) -> ScenarioResult:
    from barograph.errors import InputError, SpecError
    from barograph.scenarios.scenario import run_scenario

    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}. A scenario is a TOML file.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: this is not UTF-8 text: {error.reason} at byte {error.start}.") from error
    result = run_scenario(text, where=str(path))
    if not result.lines:  # it would pass whatever the rules do
        raise SpecError("nothing is expected. Give at least one of the [[steps]] an `expect`.", where=str(path))
    return result


def _print(path: Path, result: ScenarioResult, *, quiet: bool) -> None:
    if quiet and result.passed:
        return
    print(f"{'ok  ' if result.passed else 'FAIL'} {result.title}")
    for line in result.lines:
        if not (quiet and line.passed):
            print(f"  {'ok  ' if line.passed else 'FAIL'} {path}:{line.at}: {line.text}")
