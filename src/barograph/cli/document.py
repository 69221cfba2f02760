"""Write the reference of all settings: ``python -m barograph.cli.document docs/settings.md``.

The page is made from the models of the specification and of the service, and a test fails when it is stale, or when the
source reads an environment variable that is not on it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any  # Any: defaults are of any type

from pydantic import BaseModel

from barograph.delivery.identity import Group, Identity
from barograph.sources import kinds
from barograph.spec.file import ModelSpec, MonitorSpec, ServiceSpec, Value
from barograph.spec.write import MEANING
from barograph.store.settings import GIB, KIB, MIB, PREFIX, Settings

HEAD = """# Settings

<!-- Written by `make docs` from the models: change those. -->

A model is described by a specification, an installation of the service by environment variables. `barograph COMMAND
--help` has the options of each command; they come before both.
"""
_TABLES: Mapping[str, type[BaseModel]] = {"value": Value, "service": ServiceSpec, "monitors": MonitorSpec}

# Variables that no field of `Settings` stands for: default and meaning.
VARIABLES: Mapping[str, tuple[str, str]] = {
    "BAROGRAPH_DATA": ("`barograph-data`", "the folder of the data; `--data` comes before it"),
    "DATABASE_URL": ("SQLite in the folder of the data", "where the catalog is, as in `postgresql://user@host/name`"),
    "STORAGE_URL": ("the folder of the data", "where the tables are, as in `s3://bucket/prefix`"),
    "BAROGRAPH_CONFIG": (
        "`barograph.toml` in the folder of the data",
        "who is told of incidents; see docs/delivery.md",
    ),
    "BAROGRAPH_PUBLIC_URL": ("none", "under which address people reach it, as in `https://example.org/barograph`"),
    "BAROGRAPH_TLS_CERT": ("none", "the certificates with which the server speaks TLS; `--tls-cert` comes before it"),
    "BAROGRAPH_TLS_KEY": ("none", "the key of the first of them; `--tls-key` comes before it"),
    "BAROGRAPH_PROXY_HOPS": ("0", "how many proxies in front add who asks to X-Forwarded-For; see docs/security.md"),
    "BAROGRAPH_TRACE_URL": (
        "none",
        "where a trace is shown, to which incidents link: `https://tempo.example.org/trace/{trace_id}`, `{span_id}`",
    ),
    "BAROGRAPH_SOURCES": (
        "none",
        "what `[sources]` may read: folders, `postgresql://host`, … with spaces between; secrets: `BAROGRAPH_SOURCE_…`",
    ),
    "BAROGRAPH_KEY": (
        "none",
        "the key that `barograph ingest`, `barograph probe` and the client show to the service",
    ),
    "BAROGRAPH_TRACEBACK": ("none", "set to anything: a fault of barograph itself ends with its traceback"),
    "AWS_ACCESS_KEY_ID": ("none", "of the object storage"),
    "AWS_SECRET_ACCESS_KEY": ("none", "of the object storage"),
    "AWS_SESSION_TOKEN": ("none", "of the object storage"),
    "AWS_REGION": ("`AWS_DEFAULT_REGION`", "of the object storage"),
    "AWS_DEFAULT_REGION": ("none", "of the object storage"),
    "AWS_ENDPOINT_URL": ("Amazon's own", "where the object storage is"),
    "AWS_ENDPOINT_URL_S3": ("`AWS_ENDPOINT_URL`", "where the object storage is"),
    "AWS_ALLOW_HTTP": ("`true` where the address begins with http", "whether the object storage is asked unencrypted"),
    "STORAGE_EMULATOR_HOST": ("Google's own", "where `gs://…` is, if another program plays it; unencrypted, no key"),
    "AZURE_STORAGE_ACCOUNT_NAME": ("none", "the account in which `az://CONTAINER/…` is"),
    "AZURE_STORAGE_ACCOUNT_KEY": ("this machine's identity", "its key"),
    "AZURE_STORAGE_SAS_TOKEN": ("none", "or a token of it"),
    "AZURE_STORAGE_ENDPOINT": ("Azure's own", "where `az://…` is, as in `https://host:port`"),
    "AWS_CONDITIONAL_PUT": ("`etag`", "how the object storage is asked to put only what does not exist"),
    "XDG_CACHE_HOME": ("`~/.cache`", "Linux: below it, `barograph ingest` keeps how far a file has been sent"),
    "LOCALAPPDATA": ("`~/.cache`", "Windows: the same"),
    "DISPLAY": ("none", "Linux: where it is set, `barograph demo --batch` opens the page in a browser"),
    "CI": ("none", "where it is set, `barograph demo` ends with its story, as without a terminal"),
}


def document() -> str:
    """Return the page, in Markdown."""
    return "\n".join([HEAD, *_specification(), *_variables(), *_identity()])


def _specification() -> Iterator[str]:
    yield "## The specification\n"
    yield "TOML. `barograph spec show` prints it with all defaults, `barograph init` writes the start of one.\n"
    yield "| key | default | meaning |"
    yield "|---|---|---|"
    for name, default in _defaults(ModelSpec):
        link = f"see [below](#{name})" if name in (*_TABLES, "sources") else default
        yield f"| `{name}` | {link} | {_cell(MEANING[name])} |"
    yield '\n<a id="sources"></a>'
    tables = {**{f"sources.{kind}": model for kind, model in kinds().items()}, **_TABLES}
    for name, model in tables.items():
        yield f'\n<a id="{name}"></a>\n\n### {f"[[{name}]]" if name == "monitors" else f"[{name}]"}\n'
        yield from _keys(model)
    yield ""


def _keys(model: type[BaseModel]) -> Iterator[str]:
    """Yield what a table is for, and its keys."""
    yield from _paragraphs(model)
    yield "| key | default |"
    yield "|---|---|"
    yield from (f"| `{key}` | {default} |" for key, default in _defaults(model))


def _paragraphs(model: type[BaseModel]) -> Iterator[str]:
    for block in (inspect.getdoc(model) or "").split("\n\n"):
        yield " ".join(block.split()) + "\n"


def _defaults(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for name, info in model.model_fields.items():
        if info.is_required():
            yield name, "must be given"
        else:
            yield name, _plain(info.get_default(call_default_factory=True))


def _plain(value: Any) -> str:
    if value is None:
        return "from the data, or none"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | Mapping):
        return "none" if not value else _cell(f"`{value!r}`")
    return f"`{value}`"


def _variables() -> Iterator[str]:
    yield "## Environment variables\n"
    yield "Numbers are above zero; sizes are in bytes, times in seconds.\n"
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for name, (default, meaning) in VARIABLES.items():
        yield f"| `{name}` | {default} | {_cell(meaning)} |"
    for setting in fields(Settings):
        if setting.default is not MISSING and "meaning" in setting.metadata:
            unit = setting.name.rsplit("_", 1)[-1]
            meaning = f"{unit} {setting.metadata['meaning']}"
            yield f"| `{PREFIX}{setting.name.upper()}` | {_amount(setting.default, unit)} | {_cell(meaning)} |"
    yield ""


def _identity() -> Iterator[str]:
    yield "## Signing in by a provider\n"
    place = "[security](security.md#a-provider-of-openid-connect)"
    yield f"`[oidc]` of the installation's file (`BAROGRAPH_CONFIG`); see {place}.\n"
    tables: Mapping[str, type[BaseModel]] = {"[oidc]": Identity, "[[oidc.groups]]": Group}
    for name, model in tables.items():
        yield f"### {name}\n"
        yield from _keys(model)
        yield ""


def _amount(value: float, unit: str) -> str:
    if unit == "bytes":
        for size, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
            if value % size == 0:
                return f"{value:.0f} ({value // size:.0f} {name})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: Iterable[str]) -> None:
    """Write the page to the one path that is given."""
    (path,) = arguments
    Path(path).write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
