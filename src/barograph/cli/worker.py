"""`barograph worker`: more threads for the work behind the API, in a process or on a machine of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from barograph.cli import needs


def worker(
    data: needs.Data = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Worker threads.")] = 1,
    log_level: needs.LogLevel = "info",
) -> None:
    """Profile and evaluate what `barograph serve` takes. Needs the same catalog and tables."""
    with needs.packages("worker"):
        from barograph.server import start
        from barograph.worker.worker import run_workers
    needs.write_logs(log_level)
    start.work(needs.settings(data), threads=threads, run_workers=run_workers)
