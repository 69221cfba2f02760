"""What happens to the clients of a process when it forks, ends, or is told to end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Client

_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def register(client: Client) -> None:
    """Remember a client, as long as somebody else does."""
    _clients.add(client)


def new_prefix() -> str:
    """Return what begins the ids of one process: 60 random bits, so that no two processes give the same."""
    return os.urandom(8).hex()[:15] + "-"


def flush_in_children() -> None:
    """See to it that a process of `multiprocessing`, which ends without `atexit`, delivers before it does."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None or process.parent_process() is None:
        return
    util.Finalize(None, _close_all, exitpriority=100)


def flush_on_sigterm() -> None:
    """Deliver before SIGTERM ends the process, where it would end it at once."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def end(number: int, _frame: Any) -> None:
        _close_all()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, end)


def _close_all() -> None:
    for client in list(_clients):
        client.close()


def _after_fork() -> None:
    for client in list(_clients):
        client.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
