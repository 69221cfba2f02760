"""The application: observe ─► pages, or gate ─► ingest, or the routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from barograph.errors import BarographError, StoreError
from barograph.logs import logger
from barograph.server.access import Gate
from barograph.server.api_models import check_query, keys_of
from barograph.server.middleware import ANSWERED, FAULT, REQUEST_ID, Observe, told
from barograph.server.openapi import documented
from barograph.server.pages.front import Front
from barograph.server.pairing import sweep_for_ever
from barograph.server.problems import Problem, forget_frames, of_status, of_validation
from barograph.server.route_table import RULES
from barograph.server.routes import ROUTERS
from barograph.server.service import Service

NOTED_S = 15.0
_LOG = logger("barograph.server")
EVENTS, LABELS = "/v1/models/{model}/events", "/v1/models/{model}/labels"
QUIET = frozenset({EVENTS, LABELS, "/healthz", "/readyz", "/metrics", "/static/{file}", "/live", "/live/now"})


def create_app(service: Service, *, local: bool) -> ASGIApp:
    """Return the ASGI application.

    `local` says that a person on this machine needs no key: only if the server listens on a loopback address alone.
    """
    api = create_api(service)
    direct = {EVENTS: service.ingest.events, LABELS: service.ingest.labels}
    gate = Gate(api, service.keys, service.projects, now_us=service.now_us, local=local, direct=direct)
    return Observe(Front(gate, service, local=local), service.tally, quiet=QUIET)


def create_api(service: Service) -> FastAPI:
    """Return the routes without the gate in front of them: for the application above, and for its documentation."""

    @asynccontextmanager
    async def running(_api: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_note_use(service)), asyncio.create_task(sweep_for_ever(service.pairing))]
        async with service.commit:
            yield
        for task in tasks:
            task.cancel()
        await run_in_threadpool(_note_use_once, service)

    # The pages that show the documentation come from elsewhere with FastAPI: the document itself is served.
    api = FastAPI(lifespan=running, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    api.state.service = service
    for router in ROUTERS:
        api.include_router(router, dependencies=[Depends(check_query)])
    api.add_exception_handler(Problem, _on_problem)
    api.add_exception_handler(BarographError, _on_error)
    api.add_exception_handler(RequestValidationError, _on_validation)
    api.add_exception_handler(HTTPException, _on_status)
    api.add_exception_handler(Exception, _on_fault)
    documented(api, RULES)
    return api


async def _note_use(service: Service) -> None:
    """Write down from time to time when keys were used: requests need not wait for it."""
    while True:
        await asyncio.sleep(NOTED_S)
        await run_in_threadpool(_note_use_once, service)


def _note_use_once(service: Service) -> None:
    try:
        service.key_lookup.note_use()
    except StoreError as error:
        _LOG.warning("the last use of keys is not written down", reason=str(error))


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    forget_frames(error)
    return _answer(request, error)


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, BarographError)
    problem = told(error, request.scope)
    forget_frames(error)
    return _answer(request, problem)


async def _on_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problem = of_validation(error.errors(), keys=keys_of(request))
    forget_frames(error)
    return _answer(request, problem)


async def _on_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer(request, of_status(error.status_code, error.detail, error.headers))


async def _on_fault(request: Request, _error: Exception) -> Response:
    return _answer(request, Problem("internal", FAULT))  # the error itself goes on to `Observe`, which logs it


def _answer(request: Request, problem: Problem) -> Response:
    request.scope[ANSWERED] = problem
    body = problem.body(request.scope.get(REQUEST_ID, ""))
    response = Response(body, status_code=problem.status)
    response.raw_headers = problem.raw_headers(body)
    return response
