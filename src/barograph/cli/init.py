"""`barograph init`: a specification file from a reference."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from barograph.cli import options
from barograph.errors import InputError


@options.with_roles
def init(
    reference: Annotated[
        list[str], typer.Argument(help=f"Good data: {options.PATHS}. Several are one after the other.")
    ],
    out: Annotated[Path, typer.Option(help="Where the specification is written; - prints it.")] = Path("model.toml"),
    name: Annotated[str, typer.Option(help="Name of the model.")] = "model",
    labels: options.Labels = None,
    on: options.On = None,
    given: options.Given = options.NO_ROLES,
) -> None:
    """Write a specification with the roles and types that are found in a reference."""
    from barograph.frames.labels import labelled
    from barograph.frames.read import open_rows, sample_rows
    from barograph.reference.fit import INFER_ROWS, NO_ROWS
    from barograph.spec.infer import infer_schema
    from barograph.spec.write import init_spec

    if str(out) != "-":
        options.check_places({"--out": out})
        if out.exists():
            raise InputError(f"{out} exists already. Choose another place with --out, or remove it.")
    rows = open_rows(reference)
    if labels is not None:
        rows, given = labelled(rows, labels, on, given)
    sample = sample_rows(rows, list(rows.schema.names), INFER_ROWS)
    if not sample.num_rows:
        raise InputError(NO_ROWS.format(rows.name))
    inferred = infer_schema(sample, **given)
    inferred = replace(inferred, decisions=(*rows.decisions, *inferred.decisions))
    files = " ".join(map(shlex.quote, reference))
    text = init_spec(inferred, name=name, reference=rows.name)
    if str(out) == "-":
        print(text, end="")
        return
    out.write_text(text, encoding="utf-8")
    for decision in inferred.decisions:
        print(f"  {decision}", file=sys.stderr)
    print(f"Wrote {out}. Look it over, then: barograph check {files} CURRENT --spec {out}")
