"""What is public is listed, exists, and is documented."""

from __future__ import annotations

import inspect
from importlib.resources import files
from typing import get_args

import barograph


def test_every_public_name_exists_and_lives_where_it_says() -> None:
    for name in barograph.__all__:
        value = getattr(barograph, name)
        assert get_args(value) or value.__module__ == barograph._HOMES[name], name


def test_every_public_name_is_documented() -> None:
    for name in barograph.__all__:
        value = getattr(barograph, name)
        assert get_args(value) or inspect.getdoc(value), name


def test_the_list_is_sorted_and_complete() -> None:
    assert list(barograph.__all__) == sorted(barograph.__all__)
    annotated = {
        line.split()[-1] for line in inspect.getsource(barograph).splitlines() if " import " in line and " as " in line
    }
    assert annotated == set(barograph.__all__)


def test_types_are_for_users_of_the_package_too() -> None:
    assert (files("barograph") / "py.typed").is_file()
