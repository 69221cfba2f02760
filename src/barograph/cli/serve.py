"""`barograph serve`: take events and labels over HTTP, watch the models, answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from barograph.cli import needs


def serve(
    data: needs.Data = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; only this machine's own needs no keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 for any that is free.")] = 8321,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Threads that evaluate; 0 leaves it to others.")] = 1,
    public_url: Annotated[
        str | None, typer.Option(help="Address under which people reach it, if a proxy stands in front.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="File of certificates: speak TLS with them.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="File of the key of the first of them.")] = None,
    require_keys: Annotated[bool, typer.Option("--require-keys", help="Ask for a key on this machine, too.")] = False,
    log_level: needs.LogLevel = "info",
) -> None:
    """Serve the HTTP API, and do the work behind it. Ends on Ctrl-C or SIGTERM, after what has begun."""
    with needs.packages("serve"):
        from barograph.server import start
        from barograph.worker.worker import run_workers
    needs.write_logs(log_level)
    start.serve(
        needs.settings(data, public_url=public_url, tls_cert=tls_cert, tls_key=tls_key),
        host=host,
        port=port,
        threads=workers,
        require_keys=require_keys,
        run_workers=run_workers,
        started=lambda url: print(f"barograph serves at {url}", file=sys.stderr, flush=True),
    )
