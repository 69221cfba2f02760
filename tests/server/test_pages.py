"""Cursors of pages."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.server.pagination import cursor, cut, link, read_cursor
from barograph.server.problems import Problem


@given(st.integers(-(2**63), 2**63 - 1), st.text(st.characters(categories=["L", "N", "P"]), max_size=50))
def test_a_cursor_comes_back(number: int, text: str) -> None:
    assert read_cursor(cursor([number, text]), (int, str)) == (number, text)


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%%%",
        "a",
        "é",
        "x" * 5000,
        _encoded({}),
        _encoded([1]),
        _encoded(["1", "a"]),
        _encoded([True, "a"]),
        _encoded([2**63, "a"]),
        _encoded([1.0, "a"]),
        _encoded([1, "a\0"]),
        _encoded([1, "\ud800"]),
        "[" * 2000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        read_cursor(text, (int, str))
    assert refused.value.errors[0].path == "query.after"


@given(st.text(max_size=100))
def test_no_text_does_harm(text: str) -> None:
    with suppress(Problem):
        assert len(read_cursor(text, (int, str))) == 2


def test_pages_are_cut() -> None:
    rows, after = cut([1, 2, 3], 2, lambda n: (n,))
    assert rows == [1, 2]
    assert after is not None
    assert read_cursor(after, (int,)) == (2,)
    assert cut([1, 2], 2, lambda n: (n,)) == ([1, 2], None)
    assert cut([], 2, lambda n: (n,)) == ([], None)


def test_links_keep_the_query() -> None:
    assert link("/v1/x", {"state": ["a", "b"]}, "c") == "/v1/x?state=a&state=b&after=c"
    assert link("/v1/x", {}, None) is None
