"""Secrets: the file of an installation says where they are, never what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any  # Any: what stands in a file, before it is checked

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from barograph.errors import DeliveryError

MOST_BYTES = 64 * 1024


class Secret(BaseModel):
    """Where a secret is: in an environment variable, or in a file. It is read each time that it is used.

    >>> Secret(env="TOKEN").reveal({"TOKEN": "x"})
    'x'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: Annotated[str, Field(min_length=1)] | None = None
    file: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError('A secret is {env = "NAME"} or {file = "/path"}.')
        return self

    def reveal(self, environment: Mapping[str, str]) -> str:
        """Return the secret, without spaces and line breaks around it. Raises DeliveryError if it is not there."""
        if self.env is not None:
            text = environment.get(self.env)
            where = f"the environment variable {self.env}"
        else:
            where = f"the file {self.file}"
            try:
                with Path(str(self.file)).open("rb") as file:
                    text = file.read(MOST_BYTES).decode()
            except (OSError, UnicodeDecodeError):
                text = None
        if text is None or not text.strip():
            raise DeliveryError(f"Its secret cannot be read: there is nothing in {where}.")
        return text.strip()


def _only_reference(value: Any) -> Any:
    if isinstance(value, str):  # pydantic would repeat the value in its message
        raise ValueError('This is a secret: write {env = "NAME"} or {file = "/path"}, not the secret itself.')
    return value


SecretRef = Annotated[Secret, BeforeValidator(_only_reference)]


def reveal(value: str | Secret, environment: Mapping[str, str]) -> str:
    """Return a plain text as it is, and a secret as it is now."""
    return value if isinstance(value, str) else value.reveal(environment)
