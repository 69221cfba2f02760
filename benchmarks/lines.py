"""Count the lines of code of the package: those that hold a token which is no comment and no docstring.

    python benchmarks/lines.py [FOLDER]

prints the lines of each folder of `src/barograph` and their sum. Docstrings, comments and blank lines do not count, so
that explaining costs nothing.
"""

from __future__ import annotations

import argparse
import ast
import tokenize
from collections import Counter
from io import StringIO
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "barograph"
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(source: str) -> int:
    r"""Return how many lines of a Python source hold code; a text over three lines that is used as a value is three.

    >>> code_lines('"Say what."\n\n# why\nx = 1  # one\n')
    1
    >>> code_lines('def f():\n    "Say what."\n    return (\n        1\n    )\n')
    4
    """
    lines: set[int] = set()
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - _docstring_lines(source))


def _docstring_lines(source: str) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            lines.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the lines of code without docstrings, comments and blanks.")
    parser.add_argument("folder", nargs="?", type=Path, default=SOURCE)
    folder: Path = parser.parse_args().folder
    counts: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.py")):
        counts[path.relative_to(folder).parts[0]] += code_lines(path.read_text("utf-8"))
    for part, lines in counts.most_common():
        print(f"{lines:7,}  {part}")
    print(f"{counts.total():7,}  in all")


if __name__ == "__main__":
    main()
