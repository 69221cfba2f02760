"""Start and end a server: the catalog made or checked, the address bound, the worker threads, a graceful end."""

from __future__ import annotations

import gc
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any  # Any: options of uvicorn, of several types

import sqlalchemy as sa
import uvicorn

from barograph.delivery.file import read_delivery
from barograph.errors import InputError, SpecError, StoreError
from barograph.logs import logger
from barograph.plugins import load_plugins
from barograph.server.app import create_app
from barograph.server.auth import is_loopback
from barograph.server.connections import Connections, most_connections
from barograph.server.http import protocol
from barograph.server.permissions import ROLES
from barograph.server.service import Service, open_service
from barograph.store.catalog.database import check_migrated, migrate, open_database, reading, revision
from barograph.store.catalog.keys import Key, list_keys
from barograph.store.catalog.projects import list_projects
from barograph.store.catalog.row_security import is_void
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.users import somebody_may
from barograph.store.settings import Settings
from barograph.store.spool import Spool

TICKS = 600  # of a tenth of a second, from one look at the certificate to the next
GRACE_S = 2  # for requests that run when the server is told to end
END_S = 4.5  # after which a process that was told to end does so, whatever its threads are doing
KEEP_ALIVE_S = 75  # longer than the proxies in front, which otherwise send to a connection that just closed
SWITCH_S = 0.001  # that a worker thread may hold the interpreter while requests wait; Python's own default is 5 ms
GARBAGE = (20_000, 20, 50)  # new objects, and collections of each generation, before the next older one is looked at
_BACKLOG = 2048

_log = logger("barograph.server")
RunWorkers = Callable[..., None]


def prepare(settings: Settings) -> None:
    """Make the catalog if there is none; raise StoreError if there is one of another version, or none answers.

    Raises SpecError if the file that says who is told of incidents is wrong.
    """
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if read_delivery(settings.config).oidc is not None and settings.public_url is None:
        raise SpecError("[oidc] needs BAROGRAPH_PUBLIC_URL: the address to which a provider sends people back.")
    engine = open_database(settings.catalog)
    try:
        _wait_for(engine, settings.start_seconds)
        if revision(engine) is None:
            migrate(engine)
        check_migrated(engine)
        with reading(engine) as connection:
            if is_void(connection):
                _log.warning(
                    "row-level security is void: PostgreSQL lets this user past it. Connect as one that is no superuser"
                )
    finally:
        engine.dispose()


def _wait_for(engine: sa.Engine, seconds: float) -> None:
    """Wait until the catalog answers: after a power cut, its server may start later than this process."""
    until, rest = time.monotonic() + seconds, 0.5
    while True:
        try:
            with reading(engine):
                return
        except StoreError as error:
            if engine.dialect.name == "sqlite" or time.monotonic() + rest > until:
                raise
            _log.warning("waiting for the catalog", reason=str(error))
        time.sleep(rest)
        rest = min(2 * rest, 5.0)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuse to serve a folder that another process serves; the lock goes with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        yield
        return
    path = folder / "serve.lock"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"Another `barograph serve` serves the folder {str(folder)!r}. Stop it first, or name another folder "
                "with --data."
            ) from None
        yield


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise InputError if the address cannot be had."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, number)
    except OSError as error:
        raise InputError(f"--host {host!r} is no address of this machine: {error.strerror or error}.") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise InputError(
            f"The address {host}:{port} cannot be used: {error.strerror or error}. Give another --port or --host."
        ) from error
    return listening


def check_keys(engine: sa.Engine, *, now_us: int) -> None:
    """Raise SpecError unless somebody could use a server that needs keys."""
    with reading(engine) as connection:
        for project in list_projects(connection):
            if any(_is_good_admin(key, now_us) for key in _keys(Scope(connection, project.id))):
                return
        if somebody_may(connection, ["admin"]):
            return
    raise SpecError(
        "On an address that others can reach, every request needs a key or a user, and there is none that may make "
        "others. Make one first: `barograph users create NAME --role operator` or `barograph keys create --role admin`."
    )


def _is_good_admin(key: Key, now_us: int) -> bool:
    over = key.expires_us is not None and key.expires_us <= now_us
    return ROLES["admin"] <= ROLES[key.role] and key.revoked_us is None and not over


def _keys(scope: Scope) -> Iterator[Key]:
    after: int | None = None
    while page := list_keys(scope, limit=1000, after=after):
        yield from page
        after = page[-1].id


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    threads: int,
    require_keys: bool,
    run_workers: RunWorkers | None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. `started` is called with the URL when requests are taken.

    At the end no new requests are taken, those that run are answered if that takes no longer than `GRACE_S`, what they
    brought is committed, and the workers finish their step or give it back. What has not ended after `END_S` is left:
    what was acknowledged is on the disk, and all else is done again. Raises BarographError if it cannot start.
    """
    load_plugins()  # what is wrong with one is said now, not at the first request
    prepare(settings)
    with _alone(settings.folder), bind(host, port) as listening, open_service(settings) as service:
        address = listening.getsockname()
        local = is_loopback(address[0])
        if not local:
            check_keys(service.engine, now_us=service.now_us())
        scheme = "http" if settings.tls_cert is None else "https"
        url = f"{scheme}://{f'[{address[0]}]' if ':' in address[0] else address[0]}:{address[1]}"
        most = most_connections(settings.connections)
        server = _Server(configuration(service, local=local and not require_keys, most_connections=most))
        if started is not None:
            server.ready = lambda: started(url)
        _log.info("serving", url=url, folder=str(settings.folder), threads=threads, keys=require_keys or not local)
        _tune()
        stop, ended = threading.Event(), threading.Event()
        server.told_to_end = lambda: _end_soon(stop)
        workers = _workers(settings, service.spool, threads, run_workers, server, stop)
        with _signals(lambda: _end(server, ended)), workers:
            server.run(sockets=[listening])
            ended.set()
        _log.info("ended")
        if server.broken:
            raise InputError("The workers ended by themselves; the log says why.")


def _tune() -> None:
    """Keep the interpreter from stopping all requests at once: for the whole process, which serves and nothing else.

    Modules and caches live as long as the process, and to look through them for garbage takes a tenth of a second: what
    is there now is left out, and the rest is looked through seldom. Reference counts free nearly everything.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    sys.setswitchinterval(SWITCH_S)


def _end(server: _Server, ended: threading.Event) -> None:
    """End the server, also one that has not begun yet; if it has ended and waits for workers, end at once.

    What was acknowledged is on the disk, so that nothing is lost if a person cannot wait.
    """
    if ended.is_set():
        os._exit(1)
    server.should_exit = True
    server.told_to_end()


def _end_soon(stop: threading.Event) -> None:
    """Tell the workers to end, and see to it that the process does: some code cannot be told to."""
    if stop.is_set():
        return
    stop.set()

    def end() -> None:
        _log.warning("ended with work left, which is given to the next process")
        os._exit(0)

    timer = threading.Timer(END_S, end)
    timer.daemon = True
    timer.start()


class _Server(uvicorn.Server):
    """A server that says when it is ready, and ends when its workers do."""

    ready: Callable[[], None] | None = None
    told_to_end: Callable[[], None] = staticmethod(lambda: None)
    broken = False
    tls_of: tuple[int, int] | None = None  # when the files of the certificate in use were written

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.told_to_end()

    async def on_tick(self, counter: int) -> bool:
        """Look once a minute whether there is a new certificate; the old one holds until it can be used."""
        if counter % TICKS == 0 and isinstance(self.config.ssl, ssl.SSLContext):
            self._renew(self.config.ssl)
        return await super().on_tick(counter)

    def _renew(self, context: ssl.SSLContext) -> None:
        cert, key = str(self.config.ssl_certfile), str(self.config.ssl_keyfile)
        try:
            now = os.stat(cert).st_mtime_ns, os.stat(key).st_mtime_ns
            if now != self.tls_of and self.tls_of is not None:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
                context.load_cert_chain(cert, key, password=lambda: "")
                _log.info("a new certificate is used")
            self.tls_of = now
        except (OSError, ValueError) as error:
            _log.warning("the certificate cannot be read: the one before is used on", reason=str(error))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.ready is not None and self.started:
            self.ready()


def configuration(service: Service, *, local: bool, most_connections: int) -> uvicorn.Config:
    """Return how uvicorn is to serve; `local` as for `create_app`."""
    tls = _tls(service.settings)
    connections = Connections(most=most_connections, head_seconds=service.settings.head_seconds)
    options: Mapping[str, Any] = {"loop": "uvloop"} if sys.platform != "win32" else {}
    return uvicorn.Config(
        create_app(service, local=local),
        http=protocol(connections),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # who asks is told by keys, and a header that anybody can send must not say otherwise
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        backlog=_BACKLOG,
        ssl_certfile=tls[0],
        ssl_keyfile=tls[1],
        **options,
    )


def _tls(settings: Settings) -> tuple[str | None, str | None]:
    """Return the files with which to speak TLS, if any; raise InputError if they cannot be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None, None
    files = str(settings.tls_cert), str(settings.tls_key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files, password=lambda: "")
    except (OSError, ValueError) as error:
        said = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise InputError(f"TLS cannot be spoken with {files[0]!r} and {files[1]!r}: {said}.") from None
    return files


@contextmanager
def _workers(
    settings: Settings,
    spool: Spool,
    threads: int,
    run_workers: RunWorkers | None,
    server: _Server,
    stop: threading.Event,
) -> Iterator[None]:
    """Run the workers while the server runs. Also without `threads`, they file what this server takes."""
    if run_workers is None:
        yield
        return

    def run() -> None:
        try:
            run_workers(settings, threads=threads, stop=stop, spool=spool)
        except BaseException as error:  # a thread has nobody to raise to: the log has it, and the process ends
            _log.critical("workers failed", exc_info=error)
        if not stop.is_set():
            server.broken = True
            server.should_exit = True

    thread = threading.Thread(target=run, name="workers")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _signals(handler: Callable[[], None]) -> Iterator[None]:
    """Call `handler` on SIGTERM and SIGINT, instead of ending at once.

    Uvicorn raises the signal that ended it once more when it is done; there is still work to do then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: handler()) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def work(settings: Settings, *, threads: int, run_workers: RunWorkers) -> None:
    """Run worker threads alone, until SIGTERM or SIGINT. What a server takes is filed by that server's process."""
    load_plugins()
    prepare(settings)
    stop = threading.Event()
    with _signals(lambda: _end_soon(stop)):
        _log.info("working", folder=str(settings.folder), threads=threads)
        run_workers(settings, threads=threads, stop=stop, spool=None)
    _log.info("ended")
