"""Which function answers which page of `route_table.PAGES`."""

from __future__ import annotations

from asyncio import wrap_future
from collections.abc import Callable

from starlette.responses import Response

from barograph.server.pages import (
    account,
    assets,
    compare,
    details,
    events,
    fleet,
    incident,
    incidents,
    labels,
    lists,
    live,
    model,
    monitors,
    oidc,
    people,
    replay,
    session,
    start,
)
from barograph.server.pages.visit import Handler, Handlers, Visit
from barograph.server.passwords import TURNS, Turns

_PROVIDER = Turns()  # a provider that answers slowly keeps nobody from signing in with a password


def _in_turn(handler: Callable[[Visit], Response], turns: Turns = TURNS) -> Handler:
    """Return a handler that works with passwords or asks a provider, in threads that no other request needs."""

    async def handled(visit: Visit) -> Response:
        return await wrap_future(turns.take(handler, visit))

    return handled


HANDLERS: Handlers = {
    ("GET", "/"): fleet.fleet,
    ("GET", "/static/{file}"): assets.static,
    ("GET", "/sign-in"): session.form,
    ("POST", "/sign-in"): _in_turn(session.sign_in),
    ("POST", "/sign-out"): session.sign_out,
    ("POST", "/project"): session.go_to_project,
    ("GET", "/oidc/start"): _in_turn(oidc.start, _PROVIDER),
    ("GET", "/oidc/callback"): _in_turn(oidc.back, _PROVIDER),
    ("GET", "/oidc/out"): _in_turn(oidc.out, _PROVIDER),
    ("GET", "/link/{token}"): account.link,
    ("POST", "/link/{token}"): _in_turn(account.use_link),
    ("GET", "/account"): account.account,
    ("POST", "/account/password"): _in_turn(account.change_password),
    ("POST", "/account/sessions/{session}/end"): account.end_session,
    ("GET", "/settings/users"): people.users,
    ("POST", "/settings/users"): people.invite,
    ("POST", "/settings/users/{user}/role"): people.change_role,
    ("POST", "/settings/users/{user}/link"): people.make_link,
    ("POST", "/settings/users/{user}/delete"): people.delete,
    ("POST", "/settings/sessions/{session}/end"): people.end_session,
    ("GET", "/live"): live.stream,
    ("GET", "/live/now"): live.now,
    ("GET", "/incidents"): incidents.listed,
    ("GET", "/incidents/{incident}"): incident.incident,
    ("POST", "/incidents/{incident}/acknowledge"): incident.acknowledge,
    ("POST", "/incidents/{incident}/comment"): incident.comment,
    ("POST", "/incidents/{incident}/silence"): incident.silence,
    ("POST", "/incidents/{incident}/resolve"): incident.resolve,
    ("POST", "/incidents/{incident}/reopen"): incident.reopen,
    ("POST", "/incidents/{incident}/verdict"): incident.judge,
    ("GET", "/models/{model}"): model.model,
    ("GET", "/models/{model}/feature"): details.feature,
    ("GET", "/models/{model}/segment"): details.segment,
    ("GET", "/models/{model}/compare"): compare.compare,
    ("GET", "/models/{model}/events"): events.sample,
    ("GET", "/models/{model}/labels"): labels.labels,
    ("POST", "/models/{model}/labels/answers"): labels.answers,
    ("GET", "/models/{model}/monitors"): monitors.monitors,
    ("GET", "/models/{model}/monitors/replay"): replay.replay,
    ("POST", "/models/{model}/monitors/replay"): replay.save,
    ("GET", "/models/{model}/changes"): lists.changes,
    ("POST", "/models/{model}/changes"): lists.add_change,
    ("GET", "/models/{model}/quarantine"): lists.quarantine,
    ("POST", "/models/{model}/quarantine/replay"): lists.replay,
    ("GET", "/models/{model}/settings"): details.settings,
    ("POST", "/models/{model}/settings"): details.change_settings,
    ("POST", "/models/{model}/settings/{word}"): details.hold,
    ("GET", "/jobs"): lists.jobs,
    ("POST", "/jobs/{job}/cancel"): lists.cancel_job,
    ("GET", "/audit"): lists.audit,
    ("GET", "/settings"): lists.keys,
    ("POST", "/settings/keys"): lists.add_key,
    ("POST", "/settings/keys/{key}/revoke"): lists.revoke_key,
    ("GET", "/start"): start.start,
    ("POST", "/start"): start.create,
    ("GET", "/start/{model}"): start.model_start,
    ("GET", "/start/{model}/progress"): start.progress,
    ("POST", "/start/{model}/reference"): start.upload,
    ("POST", "/start/{model}/roles"): start.roles,
    ("POST", "/start/{model}/watching"): start.watching,
}
