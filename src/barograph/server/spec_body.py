"""Specifications out of requests, as TOML or JSON: every mistake is told of, each with its path."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from typing import Any, cast  # Any: JSON values

from barograph.chunks import UNITS, TimeChunks, parse_chunk_rule
from barograph.errors import SpecError
from barograph.metrics import catalogue
from barograph.server.problems import Problem, Wrong
from barograph.sources import check_sources
from barograph.spec.file import ModelSpec, spec_of

TOML = "application/toml"
JSON = "application/json"
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


def check_name(name: str) -> str:
    """Return a name of a new model; raise Problem if it cannot be one: it stands in URLs and folders."""
    if not re.fullmatch(NAME, name):
        message = (
            "A model's name is up to 100 letters (a-z), digits, dots, dashes and underscores, a letter or digit first."
        )
        raise Problem("invalid", f"{message} Got {name[:200]!r}.", [Wrong("path.model", message)])
    return name


def specification(body: bytes, content_type: str, *, model: str, readable: Sequence[str]) -> ModelSpec:
    """Return the specification in a body. Its name is the model's: another one is a mistake.

    `readable` are the places that its sources may read.

    Raises Problem with everything that is wrong.
    """
    kind = content_type.partition(";")[0].strip().lower() or JSON
    if kind not in (JSON, TOML):
        raise Problem("unsupported", f"A specification is {JSON} or {TOML}. Got {content_type[:100]!r}.")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem("malformed", f"The specification must be UTF-8: {error.reason} at byte {error.start}.") from None
    spec = spec_of(_plain(text, kind), metrics=[name for _, name in catalogue()])
    if "name" in spec.model_fields_set and spec.name != model:
        raise SpecError(f"$.name: This must be the model's name in the URL, or left out. Got {spec.name!r}.")
    if spec.chunk is not None and not isinstance(parse_chunk_rule(spec.chunk), TimeChunks):
        raise SpecError(
            f"$.chunk: The service cuts time: a number and a unit ({', '.join(UNITS)}), as in 1d. Got {spec.chunk!r}."
        )
    check_sources(spec.sources, readable)
    return spec.model_copy(update={"name": model})


def _plain(text: str, kind: str) -> dict[str, Any]:
    try:
        data = tomllib.loads(text) if kind == TOML else json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Problem("malformed", f"The body is not {kind}: {error}") from None
    if not isinstance(data, dict):
        raise SpecError(f"$: A specification is a table of keys. Got {type(data).__name__}.")
    return cast(dict[str, Any], data)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
