"""The `barograph` command: its subcommands, and how errors end."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

import typer

from barograph.cli import (
    audit,
    check,
    consume,
    deliveries,
    demo,
    erase,
    fit,
    ingest,
    init,
    keys,
    metrics,
    migrate,
    poison,
    probe,
    projects,
    purge,
    removals,
    replay,
    routes,
    rules,
    serve,
    spec,
    users,
    worker,
)
from barograph.errors import BarographError

EXIT_FIRING = 1
EXIT_BAD_INPUT = 2

app = typer.Typer(
    name="barograph",
    help="Watch machine-learning models in production: is one going wrong, how much does it cost, and why?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("check")(check.check)
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("fit")(fit.fit)
app.command("replay")(replay.replay)
app.command("metrics")(metrics.metrics)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("ingest")(ingest.ingest)
app.command("consume")(consume.consume)
app.command("probe")(probe.probe)
app.command("migrate")(migrate.migrate)
app.add_typer(deliveries.app, name="deliveries")
app.command("purge")(purge.purge)
app.command("erase")(erase.erase)
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(projects.app, name="projects")
app.add_typer(removals.app, name="removals")
app.add_typer(poison.app, name="poison")
app.add_typer(routes.app, name="routes")
app.add_typer(rules.app, name="rules")
app.add_typer(spec.app, name="spec")
app.add_typer(users.app, name="users")


@app.callback(invoke_without_command=True)
def _options(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"barograph {installed('barograph')}")
        raise typer.Exit


def main() -> None:
    """Run the command line; end with 0, 1 (something fires) or 2 (bad input), never with a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that cannot show a letter shows a question mark instead
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="barograph")
    except BarographError as error:
        _fail(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_BAD_INPUT)
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}")
    except Exception as error:  # the edge: whatever happens, a person reads one message, and can ask for the rest
        if os.environ.get("BAROGRAPH_TRACEBACK"):
            raise
        _fail(
            f"barograph itself failed: {type(error).__name__}: {error}. Set BAROGRAPH_TRACEBACK=1 for the "
            "traceback, and report it with the data's column types if you can."
        )


def _fail(message: str) -> None:
    print(f"barograph: {message}", file=sys.stderr)
    sys.exit(EXIT_BAD_INPUT)
