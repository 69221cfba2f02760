"""The registry of decoders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from barograph.errors import SpecError
from barograph.ingest.decoders import _REGISTERED, catalogue, register


@pytest.fixture(autouse=True)
def only_here() -> Iterator[None]:
    """Forget what a test has registered."""
    before = dict(catalogue())
    yield
    _REGISTERED.clear()
    _REGISTERED.update(before)
    catalogue.cache_clear()


def test_one_that_is_registered_is_known() -> None:
    own = list(catalogue())
    new = register(replace(catalogue()["application/json"], content_type="application/a"))
    assert list(catalogue()) == sorted([*own, "application/a"])
    assert catalogue()["application/a"] is new
    assert register(new) is new  # again


def test_a_content_type_has_one_decoder() -> None:
    with pytest.raises(SpecError, match="There is a decoder of 'application/json' already"):
        register(replace(catalogue()["application/json"]))


@pytest.mark.parametrize(
    "name", ["", "json", "application/", "/json", "Application/json", "a/b; charset=utf-8", "a/b,c/d"]
)
def test_what_is_no_content_type_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="A content type is as in 'application/json'"):
        replace(catalogue()["application/json"], content_type=name)


def test_each_says_how_openapi_describes_it() -> None:
    row = {"type": "object", "example": {"id": "a"}}
    for decoder in catalogue().values():
        assert "schema" in decoder.described(row)
