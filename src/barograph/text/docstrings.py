"""Docstrings as Markdown, for pages that are written from the source."""

from __future__ import annotations

import re


def paragraphs(docstring: str) -> list[str]:
    """Return a docstring as Markdown: formulas in dollars, references as a list, and no examples."""
    lines: list[str] = []
    blocks = re.split(r"\n\s*\n", docstring)
    for block in blocks:
        if block.lstrip().startswith(">>>"):
            continue
        for text in re.split(r"(?m)^(?=\.\. )", block):
            if not text.strip():
                continue
            if lines and not (text.startswith(".. [") and lines[-1].startswith("- [")):
                lines.append("")
            lines.append(_block(text))
    return lines


def _block(text: str) -> str:
    if text.startswith(".. math::"):
        formula = " ".join(line.strip() for line in text.removeprefix(".. math::").splitlines()).strip()
        return f"$$\n{formula}\n$$"
    flat = " ".join(line.strip() for line in text.splitlines())
    if note := re.match(r"\.\. \[(\d+)\] (.*)", flat):
        return f"- [{note[1]}] {_inline(note[2])}"
    return _inline(flat)


def _inline(text: str) -> str:
    text = re.sub(r":math:`([^`]*)`", r"$\1$", text)
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    text = re.sub(r"``([^`]*)``", r"`\1`", text)
    return re.sub(r"\[(\d+)\]_", r"[\1]", text)
