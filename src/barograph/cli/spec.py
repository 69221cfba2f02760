"""`barograph spec`: look at a specification with everything that it leaves to defaults."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Look at specification files.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `show` a subcommand though it is the only one."""


@app.command("show")
def show(path: Annotated[str, typer.Argument(help="A specification file (TOML).")]) -> None:
    """Print a specification with every default filled in."""
    from barograph.metrics import catalogue
    from barograph.spec.file import load_spec
    from barograph.spec.write import spec_text

    print(spec_text(load_spec(path, metrics=[name for _, name in catalogue()])), end="")
