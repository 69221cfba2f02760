"""The file of an installation, `barograph.toml`: receivers, routes, where requests may go, who vouches for people."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # Any: what stands in a file, before it is checked

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from barograph.delivery import routes as tree
from barograph.delivery.addresses import Network, networks_of, place_of
from barograph.delivery.digest import Digest
from barograph.delivery.digest import problems as digest_problems
from barograph.delivery.identity import Group, Identity
from barograph.delivery.receivers import Receiver, kinds
from barograph.delivery.routes import Route
from barograph.errors import SpecError, did_you_mean

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.IGNORECASE)
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the file says. `url` is where people reach this installation; `outages` names the receivers that hear of it
    when another cannot be reached, by default the first other one; `allow` are networks besides public addresses;
    `oidc` is who vouches for people.
    """

    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    routes: Sequence[Route] = ()
    digests: Sequence[Digest] = ()
    url: str = ""
    allow: Sequence[Network] = ()
    outages: Sequence[str] = ()
    oidc: Identity | None = None

    def told_of_outage(self, name: str) -> list[str]:
        """Return who hears that a receiver cannot be reached."""
        named = [other for other in (self.outages or self.receivers) if other != name]
        return named if self.outages else named[:1]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = ""
    allow: tuple[str, ...] = ()
    outages: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    delivery: _Settings = Field(default_factory=_Settings)
    receivers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    digests: tuple[Digest, ...] = ()
    oidc: Identity | None = None


def read_delivery(path: Path) -> Delivery:
    """Read the file; without one, nobody is told of anything. Raises SpecError with all that is wrong."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES).decode()
    except FileNotFoundError:
        return Delivery()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot be read: {error}. It must be UTF-8.", where=str(path)) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"this is not TOML: {error}.", where=str(path)) from None
    return delivery_of(data, where=str(path))


def delivery_of(data: Mapping[str, Any], *, where: str = "barograph.toml") -> Delivery:
    """Return what plain values say, as they stand in TOML; see `read_delivery`."""
    try:
        said = _File.model_validate(data)
    except ValidationError as error:
        raise SpecError([_problem(dict(one)) for one in error.errors()], where=where) from None
    wrong: list[str] = []
    allow: tuple[Network, ...] = ()
    receivers = {name: made for name, one in said.receivers.items() if (made := _receiver(name, one, wrong))}
    for i, text in enumerate(said.delivery.allow):
        try:
            allow += networks_of([text])
        except SpecError as error:
            wrong.append(f"$.delivery.allow[{i}]: {error}")
    if said.delivery.url:
        try:
            place_of(said.delivery.url)
        except SpecError as error:
            wrong.append(f"$.delivery.url: {error}")
    wrong += [
        f"$.delivery.outages: there is no receiver {name!r}.{did_you_mean(name, said.receivers)}"
        for name in said.delivery.outages
        if name not in said.receivers
    ]
    if said.routes or not said.digests:
        wrong += tree.problems(said.routes, said.receivers)
    wrong += digest_problems(said.digests, said.receivers, receivers)
    if wrong:
        raise SpecError(wrong, where=where)
    return Delivery(
        receivers=receivers,
        routes=said.routes,
        digests=said.digests,
        url=said.delivery.url.rstrip("/"),
        allow=allow,
        outages=said.delivery.outages,
        oidc=said.oidc,
    )


def _receiver(name: str, said: Mapping[str, Any], wrong: list[str]) -> Receiver | None:
    here = f"$.receivers.{name}"
    if not NAME.fullmatch(name):
        wrong.append(f"{here}: a receiver's name has letters, digits, - and _, up to 63.")
        return None
    rest = dict(said)
    kind = rest.pop("type", None)
    cls = kinds().get(kind) if isinstance(kind, str) else None
    if cls is None:
        hint = did_you_mean(str(kind), kinds()) if kind is not None else ""
        wrong.append(f"{here}.type: this must be one of {', '.join(kinds())}.{hint}")
        return None
    try:
        return cls.model_validate(rest)
    except ValidationError as error:
        fields = [info.alias or key for key, info in cls.model_fields.items()]
        wrong += [here + _problem(dict(one), fields)[1:] for one in error.errors()]
        return None


def _problem(error: Mapping[str, Any], known: Sequence[str] = ()) -> str:
    """Turn one of pydantic's errors into a line. The value is not repeated: it may be a secret at a wrong place."""
    location = [step for step in error["loc"] if step not in ("[key]", "str") and not str(step).startswith("function-")]
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    match error["type"]:
        case "extra_forbidden":
            return f"{path}: there is no such key.{did_you_mean(str(location[-1]), known or _keys_at(location))}"
        case "missing":
            return f"{path}: this is needed."
        case "value_error":
            return f"{path}: {error['ctx']['error']}"
        case "model_type" | "dict_type":
            return f"{path}: This must be a table."
        case "tuple_type" | "list_type":
            return f"{path}: This must be a list."
    return f"{path}: {error['msg']}."


def _keys_at(location: Sequence[str | int]) -> list[str]:
    if len(location) == 1:
        return list(_File.model_fields)
    if location[0] == "delivery":
        return list(_Settings.model_fields)
    if location[0] == "oidc":
        return list((Group if "groups" in location else Identity).model_fields)
    model = Digest if location[0] == "digests" else Route
    return [info.alias or name for name, info in model.model_fields.items()]
