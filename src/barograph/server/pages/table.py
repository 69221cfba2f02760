"""Which function answers which page of `route_table.PAGES`."""

from __future__ import annotations

from barograph.server.pages import assets, fleet, incident, incidents, model, session, start
from barograph.server.pages.visit import Handlers

HANDLERS: Handlers = {
    ("GET", "/"): fleet.fleet,
    ("GET", "/static/{file}"): assets.static,
    ("GET", "/sign-in"): session.form,
    ("POST", "/sign-in"): session.sign_in,
    ("POST", "/sign-out"): session.sign_out,
    ("GET", "/incidents"): incidents.listed,
    ("GET", "/incidents/{incident}"): incident.incident,
    ("POST", "/incidents/{incident}/acknowledge"): incident.acknowledge,
    ("POST", "/incidents/{incident}/comment"): incident.comment,
    ("POST", "/incidents/{incident}/silence"): incident.silence,
    ("GET", "/models/{model}"): model.model,
    ("GET", "/start"): start.start,
    ("POST", "/start"): start.create,
    ("GET", "/start/{model}"): start.model_start,
    ("GET", "/start/{model}/progress"): start.progress,
    ("POST", "/start/{model}/reference"): start.upload,
    ("POST", "/start/{model}/roles"): start.roles,
    ("POST", "/start/{model}/watching"): start.watching,
}
