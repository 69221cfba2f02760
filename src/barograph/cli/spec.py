"""`barograph spec`: look at a specification with everything that it leaves to defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from barograph.errors import SpecError

if TYPE_CHECKING:
    from barograph.spec.file import ModelSpec

app = typer.Typer(help="Look at specification files.", no_args_is_help=True)


@app.command("show")
def show(path: Annotated[str, typer.Argument(help="A specification file (TOML).")]) -> None:
    """Print a specification with every default filled in."""
    from barograph.spec.write import spec_text

    print(spec_text(_loaded(path)), end="")


@app.command("check")
def check(path: Annotated[str, typer.Argument(help="A specification file (TOML).")]) -> None:
    """Say what is wrong with a specification, as the service would; whether it fits the data is told by `check`."""
    _loaded(path)
    print("The specification can be used.")


def _loaded(path: str) -> ModelSpec:
    from barograph.metrics import catalogue
    from barograph.sources import check_sources
    from barograph.spec.file import load_spec

    spec = load_spec(path, metrics=[name for _, name in catalogue()])
    try:
        check_sources(spec.sources)
    except SpecError as error:
        raise SpecError(error.problems, where=path) from None
    return spec
