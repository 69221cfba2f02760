"""The report of a model as a page."""

from __future__ import annotations

from typing import Any  # Any: OpenAPI is JSON

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from barograph.server.api_models import CallerOf, ServiceOf, etag, problems, unchanged
from barograph.server.catalog_lookup import model_named
from barograph.server.model_report import check_installed, kept_of, page_of
from barograph.server.problems import Problem
from barograph.store.catalog.conditions import condition_of
from barograph.store.catalog.silenced import mutes_at

router = APIRouter(tags=["results"])
_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A page that is whole in itself", "content": {"text/html": {"schema": {"type": "string"}}}},
    304: {"description": "If-None-Match names the state that it has"},
}
# Nothing in it comes from elsewhere, and what models and columns are called does nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


@router.get(
    "/v1/models/{model}/report",
    operation_id="get_report",
    summary="Get the report of a model as a page",
    response_class=HTMLResponse,
    responses=_PAGE,
    openapi_extra=problems("not-ready", "not-installed", "busy"),
)
def get(model: str, request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Get the page that `barograph check --html` writes, of all chunks that are kept, as they are now."""
    check_installed()
    now_us = service.now_us()
    with service.read(caller) as scope:
        found = model_named(scope, model)
        if found.reference_id is None:
            raise Problem("not-ready", f"The model {model!r} has no reference yet, so nothing can be reported.")
        told = condition_of(scope, found.id, now_us=now_us)
        assert told is not None  # it has just been read
        mutes = [silence.id for silence, _ in mutes_at(scope, now_us).silences]
        tag = etag("report", found.id, found.revision, found.results_us, told, mutes)
        if (same := unchanged(request, tag)) is not None:
            return same
        kept = kept_of(scope, found, told.condition, now_us=now_us)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Content-Security-Policy": _POLICY}
    return HTMLResponse(service.pages.get(tag, lambda: page_of(kept, now_us=now_us)), headers=headers)
