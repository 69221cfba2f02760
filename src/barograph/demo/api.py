"""What the demo asks of its server: the HTTP API that everybody else has, too."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any  # Any: JSON values
from urllib.parse import urlencode

from barograph.client.http import Client, service_of
from barograph.errors import StoreError

if TYPE_CHECKING:
    import polars as pl

TIMEOUT_S = 180.0  # of one request: a reference is learned in one
IDLE_S = 300.0  # that the server may take for what was sent
POLL_S = 0.25
ARROW, LINES = "application/vnd.apache.arrow.stream", "application/x-ndjson"
BODY_ROWS = 20_000
_WAITING = ("barograph_queue_requests", "barograph_spool_rows")
_WORK, _FAILED = "barograph_model_work_waiting", "barograph_model_failures"


class Api:
    """A connection to a server that needs no key."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._service = service_of(url)
        self._client = Client(self._service, key=None, stop=threading.Event())

    def ask(self, method: str, path: str, body: Mapping[str, Any] | bytes | None = None, kind: str = "") -> bytes:
        """Send one request and return the body of the answer. Raises StoreError unless it succeeds."""
        content = json.dumps(body).encode() if isinstance(body, Mapping) else body
        connection = http.client.HTTPConnection(self._service.host, self._service.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, content, {"Content-Type": kind or "application/json"})
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(f"The server of the demo does not answer: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if response.status not in (200, 201):
            raise StoreError(f"{method} {path} was answered with {response.status}: {answer[:500].decode()}")
        return answer

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return a JSON answer."""
        found: dict[str, Any] = json.loads(self.ask("GET", f"{path}?{urlencode(query)}"))
        return found

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Return all items of a list, page by page."""
        page = self.get(path, limit="1000", **query)
        found: list[dict[str, Any]] = page["items"]
        while page["next"]:
            page = json.loads(self.ask("GET", page["next"]))
            found += page["items"]
        return found

    def register(self, model: str, spec: str, reference: pl.DataFrame) -> None:
        """Make a model with a specification in TOML, and learn its reference."""
        self.ask("PUT", f"/v1/models/{model}", spec.encode(), "application/toml")
        answer = self.ask("POST", f"/v1/models/{model}/references?wait=120", arrow(reference), ARROW)
        if (said := json.loads(answer))["state"] != "ready":
            raise StoreError(f"The reference of {model} is not ready: {said['reason'] or 'its turn has not come'}")

    def send(self, model: str, kind: str, rows: pl.DataFrame, *, as_lines: bool) -> None:
        """Send events or labels, as lines of JSON or as Arrow; all of them must be taken."""
        for part in rows.iter_slices(BODY_ROWS):
            body, content = (lines(part), LINES) if as_lines else (arrow(part), ARROW)
            answer = self._client.post(f"/v1/models/{model}/{kind}", body, content)
            if answer["accepted"] != len(part):
                raise StoreError(f"Not all of {len(part)} {kind} of {model} were taken: {answer}")

    def wait_idle(self, models: Sequence[str]) -> None:
        """Wait until all that was sent is filed, counted and evaluated."""
        end = time.monotonic() + IDLE_S
        while time.monotonic() < end:
            waits = 0.0
            for line in self.ask("GET", "/metrics").decode().splitlines():
                name, _, value = line.rpartition(" ")
                if name.startswith(_WAITING) or any(name == f'{_WORK}{{model="{model}"}}' for model in models):
                    waits += float(value)
                elif any(name == f'{_FAILED}{{model="{model}"}}' for model in models) and float(value):
                    raise StoreError("The server could not evaluate a model; server.log in its folder says why.")
            if not waits:
                return
            time.sleep(POLL_S)
        raise StoreError(f"The server has work left after {IDLE_S:g} s.")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def arrow(rows: pl.DataFrame) -> bytes:
    """Return rows as an Arrow stream."""
    import polars as pl

    file = BytesIO()
    rows.write_ipc_stream(file, compat_level=pl.CompatLevel.oldest())
    return file.getvalue()


def lines(rows: pl.DataFrame) -> bytes:
    """Return rows as lines of JSON, times in UTC as ISO 8601 writes them."""
    import polars.selectors as cs

    return rows.with_columns(cs.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")).write_ndjson().encode()
