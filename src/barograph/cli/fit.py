"""`barograph fit`: learn a reference once, and keep it in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from barograph.cli import options


@options.with_roles
def fit(
    reference: Annotated[
        list[str], typer.Argument(help=f"Good data: {options.PATHS}. Several are one after the other.")
    ],
    out: Annotated[Path, typer.Option(help="Where the reference is saved.")] = Path("reference.barograph"),
    spec: options.Spec = None,
    labels: options.Labels = None,
    on: options.On = None,
    given: options.Given = options.NO_ROLES,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Learn a reference from good data and save it: `check` takes the file instead of the data, and is faster."""
    from barograph.checks.reference_review import as_sentences, finest, review
    from barograph.checks.spec_check import plan_of
    from barograph.report.check import learn
    from barograph.spec.file import load_spec

    options.check_places({"--out": out})
    with options.progress("reading", quiet=quiet) as bar:
        learned = learn(
            reference if len(reference) > 1 else reference[0], spec=spec, labels=labels, on=on, progress=bar, **given
        )
    if spec is not None:
        plan_of(load_spec(spec), where=spec).monitors(learned.yardstick)  # what `check` would refuse of this reference
    learned.save(out)
    if not quiet:
        for decision in learned.decisions:
            print(f"  {decision}")
        for sentence in as_sentences(review(learned, finest(learned))):
            print(f"  {sentence}")
        print(f"Saved {learned.total.n:,} rows as {out} ({out.stat().st_size / 1e6:.1f} MB).")
