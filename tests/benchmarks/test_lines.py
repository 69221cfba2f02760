"""The count of code lines, against sources whose lines were counted by hand."""

from __future__ import annotations

import pytest

from lines import code_lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("", 0),
        ("# only why\n\n", 0),
        ('"""A module.\n\nThat says more.\n"""\n', 0),
        ('class A:\n    """Say what."""\n\n    x = 1  # one\n', 2),
        ('async def f():\n    """Say what.\n\n    And why.\n    """\n    return 1\n', 2),
        ('TEXT = """one\n\nthree\n"""\n', 4),
        ('def f():\n    x = 1\n    """no docstring, for it is not the first"""\n', 3),
        ("x = [\n    1,\n    # why\n\n    2,\n]\n", 4),
    ],
)
def test_only_code_counts(source: str, lines: int) -> None:
    assert code_lines(source) == lines
