"""Write docs/rules.md, the list of all rules, from what the rules say of themselves."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Iterable
from importlib import import_module
from math import isinf
from pathlib import Path

from barograph.metrics import catalogue as metrics
from barograph.metrics.facts import capital
from barograph.rules import RuleKind, Setting, Takes, catalogue
from barograph.text.docstrings import paragraphs
from barograph.text.format import listed

HEAD = """# Rules

<!-- Written by `make docs` from the docstrings: change those. -->

A rule says when the values of a monitor are an alarm. Each metric has one of its own; `rule` and `options` under
`[[monitors]]` of a specification choose another ([settings](settings.md)), `barograph rules test` tries it
([scenarios](scenarios.md)), and [certification.md](certification.md) has the measured rates. Rules with evidence share
the false-alarm budget of the model; those without compare, and promise nothing.
"""
TAKES: dict[Takes, str] = {
    "values": "values of any metric, and their errors",
    "parts": "shares: how many rows of how many",
    "bins": "the bins of a column",
    "cells": "the cells of a model with labels",
}


def document() -> str:
    """Return the page, in Markdown."""
    own = [kind for kind in catalogue().values() if kind.learn.__module__.startswith("barograph.")]
    lines = [HEAD, "| rule | watches | takes | evidence | learns from the reference | of its own for |"]
    lines.append("|---|---|---|---|---|---|")
    for kind in own:
        cells = (f"[`{kind.name}`](#{kind.name})", kind.summary.removesuffix("."), TAKES[kind.takes])
        users = listed([f"`{m.name}`" for m in metrics().values() if m.rule == kind.name and m.is_own], most=3)
        yes = ("yes" if fact else "no" for fact in (kind.has_evidence, kind.learns))
        lines.append("| " + " | ".join((*cells, *yes, users)) + " |")
    for kind in own:
        lines += _rule(kind)
    return "\n".join(lines) + "\n"


def _rule(kind: RuleKind) -> list[str]:
    lines = ["", f"## {kind.name}", ""]
    learned = typing.get_type_hints(kind.learn).get("return")
    texts = (
        import_module(kind.learn.__module__).__doc__,
        inspect.getdoc(kind.learn),
        learned and inspect.getdoc(learned),
    )
    for text in dict.fromkeys(filter(None, texts)):
        lines += [*paragraphs(text), ""]
    if kind.options:
        lines += ["| option | default | meaning |", "|---|---|---|"]
        lines += [
            f"| `{name}` | {_default(kind, name, option)} | {option.meaning} |" for name, option in kind.options.items()
        ]
        lines.append("")
    return [*lines, f"*{_facts(kind)}*"]


def _default(kind: RuleKind, name: str, option: Setting) -> str:
    if option.default is ...:
        return "to be given"
    if name in kind.one_of:
        return "one of them is to be given"
    return "none" if option.default is None else f"`{option.default!r}`"


def _facts(kind: RuleKind) -> str:
    facts = [f"takes {TAKES[kind.takes]}"]
    facts.append("with evidence, at the stated rate of false alarms" if kind.has_evidence else "without evidence")
    if not kind.learns:
        facts.append("learns nothing from the reference")
    if kind.by_chunk:
        facts.append("learns from blocks of the reference that are cut like the chunks")
    if kind.tolerance is not None:
        facts.append(f"its own tolerance: {kind.tolerance:g}")
    if not isinf(kind.useful):
        facts.append(f"useful where it finds a change of {kind.useful:g} {kind.unit.strip()}".rstrip())
    if kind.finds:
        facts.append(f"finds {kind.finds}")
    return capital("; ".join(facts))


def main(arguments: Iterable[str]) -> None:
    """Write the page to the one path that is given."""
    (path,) = arguments
    Path(path).write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
