"""Signing in by a provider of OpenID Connect: to it, back from it, and out of it."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import RedirectResponse, Response

from barograph.delivery.identity import Identity
from barograph.logs import logger
from barograph.server.oidc.accounts import admitted
from barograph.server.oidc.flow import LIFE_US, begun, flow_of
from barograph.server.oidc.provider import Refused, Vouched
from barograph.server.pages.session import caller_of, gone, inside, note, sign_in_form
from barograph.server.pages.viewers import cookie_in
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem
from barograph.store.catalog import throttle
from barograph.store.catalog.database import writing
from barograph.store.catalog.sessions import KEY_US
from barograph.store.catalog.users import signed_in

COOKIE = "barograph_sign_in"  # of one sign-in, while it is on its way
_LOG = logger("barograph.pages")


def start(visit: Visit) -> Response:
    """Send the browser to the provider."""
    identity, to = _identity(visit), inside(visit.asked("to"))
    flow = begun(to, now_us=visit.now_us)
    try:
        address = visit.shared.provider.address(identity, flow)
    except Refused as why:
        return _refused(visit, identity, to, str(why))
    response = RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
    response.headers["Set-Cookie"] = visit.shared.viewers.cookie(COOKIE, flow.cookie(), LIFE_US // 1_000_000)
    return response


def back(visit: Visit) -> Response:
    """Give the browser a session if the provider vouches for whoever comes back with it."""
    identity, flow = _identity(visit), flow_of(cookie_in(visit.request.scope, COOKIE), now_us=visit.now_us)
    if flow is None:
        return _refused(visit, identity, "/", "it was begun in another browser, or too long ago")
    to, viewers = inside(flow.to), visit.shared.viewers
    counted = [f"address {throttle.network_of(viewers.address(visit.request.scope))}"]
    with writing(visit.service.engine) as connection:
        if throttle.charge(connection, counted, now_us=visit.now_us):
            return _refused(visit, identity, to, "too many attempts", status=429)
    try:
        vouched = visit.shared.provider.vouched(identity, flow, visit.request.query_params)
        cookie = _admitted(visit, identity, vouched, counted)
    except Refused as why:
        return _refused(visit, identity, to, str(why))
    if cookie is None:
        said = f"{identity.label} knows you, but none of your groups may look at anything here."
        return _refused(visit, identity, to, "no group", status=403, said=said)
    return gone(visit, to, [cookie, viewers.cookie(COOKIE, "", 0)])


def out(visit: Visit) -> Response:
    """Send the browser to where it signs out of the provider, too."""
    identity = _identity(visit)
    to = (visit.service.settings.public_url or "").rstrip("/") + "/sign-in"
    try:
        address = visit.shared.provider.farewell(identity, to)
    except Refused as why:
        return _refused(visit, identity, "/", str(why))
    return visit.go("/sign-in") if address is None else RedirectResponse(address, status_code=303)


def _admitted(visit: Visit, identity: Identity, vouched: Vouched, counted: list[str]) -> str | None:
    """Return the cookie of a new session; None for who is nothing here."""
    with writing(visit.service.engine) as connection:
        throttle.forgive(connection, counted)
        user = admitted(connection, identity, vouched, now_us=visit.now_us)
        if user is None:
            return None
        # Whoever loses a group, or leaves, loses what it gave them within the day: then they come by again.
        caller = replace(caller_of(user), expires_us=visit.now_us + KEY_US)
        cookie = visit.shared.viewers.sign_in(visit.request.scope, caller, connection)
        signed_in(connection, user.id, now_us=visit.now_us)
        note(visit, user, connection, "sign in")
        return cookie


def _identity(visit: Visit) -> Identity:
    found = visit.service.delivery.now().oidc
    if found is None:
        raise Problem("not-found", "No provider vouches for people here. Sign in with a name and a password.")
    if visit.service.settings.public_url is None:
        raise Problem("unavailable", "BAROGRAPH_PUBLIC_URL is not set: a provider could not send anybody back.")
    return found


def _refused(visit: Visit, identity: Identity, to: str, why: str, *, status: int = 401, said: str = "") -> Response:
    """Return the form for signing in, with as much as anybody may know; the log has the rest."""
    _LOG.warning("sign-in by provider failed", reason=why, address=visit.shared.viewers.address(visit.request.scope))
    detail = said or f"You could not be signed in by {identity.label}. Begin again; if it stays so, the log says why."
    response = sign_in_form(visit, kind="wrong", detail=detail, to=to, status=status)
    response.headers["Set-Cookie"] = visit.shared.viewers.cookie(COOKIE, "", 0)
    return response
