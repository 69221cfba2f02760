"""Logs: one JSON object a line, or readable lines on a terminal.

Never a key; of what a request holds only what was wrong with it first, as it was answered.
"""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from typing import IO, Any, cast  # Any: a log line holds values of many types

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import Processor

_SECRET = re.compile(r"(baro_[A-Za-z0-9]{12})_[A-Za-z0-9_-]{20,}")
_SHARED: tuple[Processor, ...] = (
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.StackInfoRenderer(),
)
_QUIET = ("uvicorn", "httpx", "alembic", "sqlalchemy", "asyncio")  # they say at `info` what is said here already


def logger(name: str) -> BoundLogger:
    """Return a logger that writes through the standard library's logger of this name.

    Nothing global is set: without `write_to`, only warnings and errors reach the standard error stream.
    """
    wrapped = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, *_SHARED, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=BoundLogger,
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return cast(BoundLogger, wrapped)


def write_to(stream: IO[str], *, level: str = "info", readable: bool = False) -> None:
    """Send every log line of this process to `stream`; for the command line alone."""
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if readable
        else structlog.processors.JSONRenderer()
    )
    steps: list[Processor] = [ProcessorFormatter.remove_processors_meta]
    if not readable:
        steps.append(structlog.processors.format_exc_info)
    formatter = ProcessorFormatter(foreign_pre_chain=_SHARED, processors=[*steps, last, _without_secrets])
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _without_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any] | str | bytes) -> str:
    """Cut the secret part off any key that got into a line in spite of everything."""
    return _SECRET.sub(r"\1_…", str(line))
