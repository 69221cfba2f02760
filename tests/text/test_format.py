"""How numbers, names and lists are written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.text.format import count, cut, cut_apart, in_quotes, listed, number, percent, printable, unbroken

names = st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=4), max_size=9)


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "a\u202eb", "a\u2028b", "a\x1bb"])
def test_what_cannot_be_drawn_becomes_a_space(text: str) -> None:
    assert printable(text) == "a b"


@pytest.mark.parametrize("length", [8, 28, 60])
def test_a_cut_name_keeps_its_ends_and_is_not_too_long(length: int) -> None:
    name = "abcdefghij" * 10 + "z"
    short = cut(name, length=length)
    assert len(short) <= length
    assert short[0] == "a"
    assert short[-1] == "z"
    assert cut("short", length=8) == "short"


def test_different_names_stay_different_when_cut() -> None:
    names = [f"feature_number_{i:03d}_with_a_rather_long_name" for i in range(300)]
    short = cut_apart(names)
    assert len(set(short)) == 300
    assert max(map(len, short)) <= 29
    assert cut_apart(["b", "a"]) == ["b", "a"]


def test_percent_never_says_none_or_all_of_what_is_some_or_most() -> None:
    assert percent(1e-9) != percent(0.0)
    assert percent(1 - 1e-9) != percent(1.0)


@given(st.floats(0.0001, 0.9995))
def test_percent_reads_back_as_the_share(share: float) -> None:
    assert float(percent(share).removesuffix(" %")) / 100 == pytest.approx(
        share, abs=0.000501 if share > 0.01 else 5.01e-5
    )


@given(st.floats(-1e8, 1e8).filter(lambda x: x == 0 or abs(x) > 1e-3))
def test_a_number_reads_back_to_three_digits(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.005)


@given(names, st.integers(1, 9), st.sampled_from([", ", " and "]))
def test_a_list_shows_its_first_names_and_counts_the_rest(names: list[str], most: int, last: str) -> None:
    text = listed(names, most=most, last=last)
    more = re.search(r" and (\d+) more$", text) if len(names) > most else None
    shown = [name for name in re.split(r", | and ", text[: more.start()] if more else text) if name]
    assert shown == names[:most]
    assert (int(more[1]) if more else 0) == len(names) - len(shown)


def test_names_in_quotation_marks_say_what_they_hold() -> None:
    assert in_quotes(["a, b", "c"]) == "'a, b', 'c'"
    assert in_quotes([]) == ""


def test_one_is_no_plural() -> None:
    assert [count(n, "match", "matches") for n in (0, 1, 2)] == ["0 matches", "1 match", "2 matches"]


def test_a_line_does_not_end_before_the_sign() -> None:
    assert unbroken("from 2 % to over 99.9 %; 5 of % and x %") == "from 2\u00a0% to over 99.9\u00a0%; 5 of % and x %"
