"""The file of an installation as it is now: read again when it has changed, and the last good one while it is wrong."""

from __future__ import annotations

import threading
from pathlib import Path

from barograph.delivery.file import Delivery, read_delivery
from barograph.errors import SpecError
from barograph.logs import logger

log = logger(__name__)


class LiveFile:
    """What the file says at any time. `problem` is what is wrong with it as it stands; None: nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: str | None = None
        self._seen: object = ()
        self._said = Delivery()
        self._lock = threading.Lock()

    def now(self) -> Delivery:
        """Return what the file says. A wrong one is logged once, and what it said before holds."""
        with self._lock:
            seen = self._stamp()
            if seen != self._seen:
                self._seen = seen
                try:
                    self._said, self.problem = read_delivery(self.path), None
                except SpecError as error:
                    self.problem = "; ".join(error.problems)
                    log.error("delivery file is wrong: what it said before holds", reason=str(error))
            return self._said

    def _stamp(self) -> object:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
