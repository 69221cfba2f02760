"""A server that takes what the client sends, and makes the trouble that a test asks for."""

from __future__ import annotations

import json
import socket
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

from barograph.ingest.decode import decode_events, decode_labels
from barograph.ingest.layouts import event_layout, label_layout
from barograph.store.clock import wall_clock_us

Answer = tuple[int, dict[str, str], dict[str, Any]]
MODEL = "a model/ü"


@dataclass
class Taker:
    """Decodes bodies as the service does. `trouble` may answer in its stead; 0 breaks the connection off."""

    given: ModuleType
    port: int = 0
    trouble: Callable[[int, str, bytes], Answer | None] = lambda n, path, body: None
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id: the first that came counts
    labels: list[tuple[str, str]] = field(default_factory=list)
    producers: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        packed = headers.get("Content-Encoding") == "gzip"
        data = zlib.decompress(body, 31) if packed else body
        with self.lock:
            self.requests.append((path, headers))
            told = self.trouble(len(self.requests), path, data)
            if told is not None:
                return told
            self.bodies.append(data)
            kind = path.rpartition("/")[2]
            if kind in ("producers", "probes"):
                self.producers.append(json.loads(data))
                return 201, {}, {}
            now_us = wall_clock_us()
            if kind == "labels":
                found = decode_labels(data, headers["Content-Type"], label_layout(self.given.SCHEMA), now_us=now_us)
                kept = self.given.kept(found, "labels")
                if kept.num_rows:
                    self.labels += list(zip(kept["id"].to_pylist(), kept["label"].to_pylist(), strict=True))
            else:
                found = decode_events(data, headers["Content-Type"], event_layout(self.given.SCHEMA), now_us=now_us)
                for row in self.given.kept(found).to_pylist():
                    self.events.setdefault(row["event_id"], row)
        body_told = {
            "accepted": found.accepted,
            "duplicates": found.duplicates,
            "rejected_rows": len(found.rejected),
            "rejected": [{"index": r.index, "reasons": r.reasons} for r in found.rejected],
        }
        return (200 if found.accepted or not found.rejected else 422), {}, body_told


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that are killed break off


class Running:
    """A server that can be away and come back at the same address."""

    def __init__(self, taker: Taker) -> None:
        self.taker = taker
        self._server: _Server | None = None
        self._open: set[socket.socket] = set()

    def start(self) -> None:
        taker, connections = self.taker, self._open

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                connections.add(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, told = taker.answer(self.path, dict(self.headers), body)
                if not status:
                    self.close_connection = True
                    return
                text = json.dumps(told).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", taker.port), Handler)
        taker.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        if self._server is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()
        self._server = None
