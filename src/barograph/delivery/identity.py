"""The table `[oidc]` of an installation's file: who vouches for people, and what their groups may do here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from barograph.delivery.addresses import place_of
from barograph.delivery.secret import SecretRef
from barograph.errors import SpecError

Text = Annotated[str, Field(min_length=1, max_length=500)]


class Group(BaseModel):
    """What the people of one group may do: in a project, or as owners of the organisation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Text
    role: Literal["viewer", "editor", "admin", "owner"]
    project: Text | None = None

    @model_validator(mode="after")
    def _check(self) -> Group:
        if (self.project is None) != (self.role == "owner"):
            raise ValueError("A group has a role in a `project`, or the role 'owner' without one.")
        return self


class Identity(BaseModel):
    """A provider of OpenID Connect. `client` and `secret` are what it knows this installation by; without a secret it
    is a public client. `label` is its name for people, `claim` where it names somebody's groups. Who it vouches for
    belongs to `organisation`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Text
    client: Text
    secret: SecretRef | None = None
    label: Text = "single sign-on"
    scopes: tuple[Text, ...] = ("openid", "profile", "email")
    claim: Text = "groups"
    organisation: Text = "default"
    groups: tuple[Group, ...] = ()

    @field_validator("issuer")
    @classmethod
    def _is_place(cls, issuer: str) -> str:
        try:
            place = place_of(issuer)
        except SpecError as error:
            raise ValueError(str(error)) from None
        if "?" in place.target or "#" in issuer:
            raise ValueError("An issuer is a URL without a query.")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _asks_who(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError("Without the scope 'openid' nobody is vouched for.")
        return scopes
