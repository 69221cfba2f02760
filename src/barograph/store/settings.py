"""What an installation is told from outside: where things are kept, and how much is taken at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar  # Any: values of several types, by the name of their field

from barograph.errors import SpecError

KIB, MIB, GIB = 2**10, 2**20, 2**30
PREFIX = "BAROGRAPH_"

T = TypeVar("T", int, float)


def _number(default: T, meaning: str) -> T:
    found: T = field(default=default, metadata={"meaning": meaning})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where an installation keeps its data, and its limits.

    `folder` holds everything unless `database_url` puts the catalog on PostgreSQL and `storage_url` the tables on
    object storage. `config_file` (BAROGRAPH_CONFIG) says who is told of incidents, `sources` (BAROGRAPH_SOURCES) what
    the service may read for models that fetch their events. Sizes are in bytes, times in
    seconds. Each number can be set by an environment variable of its name in capitals, as in BAROGRAPH_BODY_BYTES; its
    meaning is for docs/settings.md.
    """

    folder: Path
    database_url: str | None = None
    storage_url: str | None = None
    config_file: Path | None = None  # who is told of incidents; else `barograph.toml` in the folder
    sources: tuple[str, ...] = ()  # folders and addresses that sources of specifications may read
    public_url: str | None = None  # under which people reach it, where a proxy stands in front
    tls_cert: Path | None = None  # the chain of certificates, and the key, with which the server speaks TLS itself
    tls_key: Path | None = None
    proxy_hops: int = 0  # proxies in front that each add the address of who asks to X-Forwarded-For
    trace_url: str | None = (
        None  # of a trace in the tracing system, with {trace_id} in it, and {span_id} if it is to be
    )
    # One request
    body_bytes: int = _number(32 * MIB, "of a request, as it comes over the wire")
    expanded_bytes: int = _number(256 * MIB, "of a request, after decompression")
    body_rows: int = _number(100_000, "of a request")
    body_columns: int = _number(2_000, "of a request")
    text_bytes: int = _number(64 * KIB, "of one value")
    # Connections
    connections: int = _number(4_000, "at once; one more, and that gives way which has kept the server waiting longest")
    head_seconds: float = _number(10.0, "that the head of a request may take, the first one from its connection on")
    # All requests at once
    memory_bytes: int = _number(2 * GIB, "that bodies take up while they are read: as they came, expanded, and as rows")
    # Waiting for the disk, and on it
    queue_bytes: int = _number(256 * MIB, "of the requests that wait for the disk; more are asked to come again")
    queue_requests: int = _number(10_000, "that wait for the disk; more are asked to come again")
    spool_bytes: int = _number(4 * GIB, "that are acknowledged and not filed; more are refused")
    # Requests and responses that come apart
    pairing_seconds: float = _number(3600.0, "that a request waits for its response, or the other way round")
    pairing_bytes: int = _number(256 * MIB, "of requests and responses that wait for each other; more are refused")
    # Filing and evaluating
    filing_rows: int = _number(500_000, "of one model, in one commit of its table")
    filing_seconds: float = _number(1.0, "from one commit to the next")
    evaluation_seconds: float = _number(5.0, "from one evaluation of a model to the next")
    resolution_seconds: float = _number(600.0, "for which a result is replaced; an older one is restated")
    lease_seconds: float = _number(30.0, "after which the work of a worker that says nothing more goes to another")
    start_seconds: float = _number(60.0, "that a process which starts waits for a database that does not answer")
    rejected_rows: int = _number(100_000, "that the quarantine keeps of a model")
    # Telling people
    delivery_seconds: float = _number(15.0, "that one attempt to deliver a message may take")
    delivery_retry_seconds: float = _number(5.0, "from a first attempt that failed to the next; then ever longer")
    delivery_give_up_seconds: float = _number(86_400.0, "after which no more attempts to deliver a message are made")

    @property
    def catalog(self) -> str:
        """Return the database URL of the catalog."""
        return self.database_url or f"sqlite:///{self.folder / 'catalog.db'}"

    @property
    def tables(self) -> str:
        """Return the folder or URL under which the tables are."""
        return (self.storage_url or str(self.folder / "tables")).rstrip("/")

    @property
    def config(self) -> Path:
        """Return the file that says who is told of incidents; it need not be there."""
        return self.config_file or self.folder / "barograph.toml"

    @property
    def spool(self) -> Path:
        """Return the spool's file."""
        return self.folder / "spool.db"

    @property
    def index(self) -> Path:
        """Return the folder of what can be derived from the tables again."""
        return self.folder / "index"


_NUMBERS = {f.name: int if f.type == "int" else float for f in fields(Settings) if "meaning" in f.metadata}


def settings_from(environment: Mapping[str, str], *, folder: Path | None = None) -> Settings:
    """Return the settings that environment variables give; the rest has defaults.

    >>> settings = settings_from({"BAROGRAPH_BODY_BYTES": "1000", "DATABASE_URL": "postgresql://db/barograph"})
    >>> settings.body_bytes, settings.catalog, settings.tables
    (1000, 'postgresql://db/barograph', 'barograph-data/tables')

    Raises SpecError for a number that cannot be read, or is not above zero.
    """
    settings = Settings(
        folder=folder or Path(environment.get("BAROGRAPH_DATA") or "barograph-data"),
        database_url=environment.get("DATABASE_URL") or None,
        storage_url=environment.get("STORAGE_URL") or None,
        config_file=Path(path) if (path := environment.get("BAROGRAPH_CONFIG")) else None,
        sources=tuple(environment.get("BAROGRAPH_SOURCES", "").split()),
        public_url=environment.get("BAROGRAPH_PUBLIC_URL") or None,
        trace_url=environment.get("BAROGRAPH_TRACE_URL") or None,
        tls_cert=Path(path) if (path := environment.get("BAROGRAPH_TLS_CERT")) else None,
        tls_key=Path(path) if (path := environment.get("BAROGRAPH_TLS_KEY")) else None,
    )
    found: dict[str, Any] = {}
    problems = _wrong_url(settings.public_url) + _wrong_template(settings.trace_url)
    if (settings.tls_cert is None) != (settings.tls_key is None):
        problems.append("TLS needs both: a certificate (--tls-cert) and its key (--tls-key).")
    hops = environment.get("BAROGRAPH_PROXY_HOPS") or "0"
    if re.fullmatch(r"\d{1,2}", hops, re.ASCII):
        found["proxy_hops"] = int(hops)
    else:
        problems.append(f"{PREFIX}PROXY_HOPS must be a number of proxies. Got {hops!r}.")
    for name, number in _NUMBERS.items():
        text = environment.get(PREFIX + name.upper())
        if text is None:
            continue
        try:
            found[name] = number(text)
        except ValueError:
            found[name] = 0
        if not found[name] > 0:
            problems.append(f"{PREFIX + name.upper()} must be a number above zero. Got {text!r}.")
    if problems:
        raise SpecError(problems, where="environment")
    return replace(settings, **found)


def _wrong_url(url: str | None) -> list[str]:
    """Return what is wrong with the address under which people are to reach the service."""
    if url is None or re.fullmatch(r"https?://[^/?#\s@]+(/[A-Za-z0-9._~-]+)*/?", url):
        return []
    return [f"{PREFIX}PUBLIC_URL must be as in 'https://example.org/barograph'. Got {url!r}."]


def _wrong_template(url: str | None) -> list[str]:
    """Return what is wrong with the address of a trace."""
    rest = None if url is None else url.replace("{trace_id}", "x").replace("{span_id}", "x")
    if rest is None or url is None or ("{trace_id}" in url and re.fullmatch(r"https?://[^/\s@{}]+(/[^\s{}]*)?", rest)):
        return []
    return [f"{PREFIX}TRACE_URL must be as in 'https://tempo.example.org/trace/{{trace_id}}'. Got {url!r}."]
