"""What differs between two starts, and how it is said."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from barograph.ingest.environments import GROUPS, differences, title

_facts = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"), max_size=6)
_environments = st.dictionaries(st.sampled_from(GROUPS), _facts)


@given(_environments, _environments)
def test_the_differences_turn_one_into_the_other(before: dict[str, Any], now: dict[str, Any]) -> None:
    result = {group: dict(before.get(group, {})) for group in GROUPS}
    for found in differences(before, now):
        assert result[found.group].get(found.name) == found.before
        if found.now is None:
            del result[found.group][found.name]
        else:
            result[found.group][found.name] = found.now
    assert result == {group: dict(now.get(group, {})) for group in GROUPS}


@given(_environments)
def test_nothing_differs_from_itself(environment: dict[str, Any]) -> None:
    assert differences(environment, environment) == ()


def test_the_title_names_the_most_telling_first() -> None:
    before = {
        "system": {"python": "3.11.4", "cpu_flags": "avx avx2"},
        "packages": {"numpy": "1.26.4", "six": "1.16"},
        "files": {"model.onnx": "sha256:1"},
    }
    now = {
        "system": {"python": "3.12.1", "cpu_flags": "avx"},
        "packages": {"numpy": "2.4.0", "scipy": "1.15"},
        "files": {"model.onnx": "sha256:2"},
    }
    found = differences(before, now)
    assert title("scorer", found) == (
        "scorer: model.onnx changed, python 3.11.4 → 3.12.1, numpy 1.26.4 → 2.4.0, and 3 more"
    )
    assert [str(one) for one in found[3:]] == ["scipy 1.15 is new", "six is gone", "cpu_flags avx avx2 → avx"]
    assert len(title("x" * 200, differences({}, {"variables": {"v" * 200: "1", "w" * 200: "2"}}))) <= 500
