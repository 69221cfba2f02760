"""Which function answers which page of `route_table.PAGES`."""

from __future__ import annotations

from barograph.server.pages import assets, details, fleet, incident, incidents, lists, live, model, session, start
from barograph.server.pages.visit import Handlers

HANDLERS: Handlers = {
    ("GET", "/"): fleet.fleet,
    ("GET", "/static/{file}"): assets.static,
    ("GET", "/sign-in"): session.form,
    ("POST", "/sign-in"): session.sign_in,
    ("POST", "/sign-out"): session.sign_out,
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
    ("GET", "/models/{model}/labels"): details.labels,
    ("GET", "/models/{model}/monitors"): details.monitors,
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
