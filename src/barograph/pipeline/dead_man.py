"""The dead man's switch: an incident when the events of a model stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: JSON values

from barograph.pipeline.evaluating import MOST_FIRING, gravest
from barograph.spec.file import ModelSpec, seconds_of
from barograph.store.catalog import incidents, models, states
from barograph.store.catalog.alerts import OperationsIncident, write_operations
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds

TIMES = 3  # as long as the longest gap between events of the last days, before silence is an incident
SHORTEST_S = 900.0  # however dense the events are: a deployment takes its time
KNOWN_EVENTS = 100  # before which a stream has no habits


def allowed_silence_us(spec: ModelSpec, detail: Mapping[str, Any], events: int) -> int | None:
    """Return for how long no event may come, in microseconds; None while the stream has no habits.

    Three times the longest gap between receipts of the last seven days on which any came, and at least 15 minutes,
    unless the specification says how long.

    >>> allowed_silence_us(ModelSpec(), {"gaps": {"19000": 600_000_000}}, 1000) / 60e6
    30.0
    """
    if spec.service.silence is not None:
        return round(seconds_of(spec.service.silence) * 1e6)
    gaps = detail.get("gaps", {})
    if events < KNOWN_EVENTS or not gaps:
        return None
    return max(TIMES * int(max(gaps.values())), round(SHORTEST_S * 1e6))


def watch_silence(scope: Scope, model_id: int, *, now_us: int) -> bool:
    """Open an incident if no event has come for too long, resolve it once one has; return whether one fires."""
    model, state = models.get_model(scope, model_id), states.get_state(scope, model_id)
    if model is None or state is None or state.last_received_us is None:
        return False
    allowed = allowed_silence_us(ModelSpec.model_validate(model.spec), state.detail, state.events)
    last, since = state.last_received_us, state.detail.get("silent_since_us")
    is_silent = allowed is not None and now_us - last > allowed
    ended = since is not None and since != last
    begins = is_silent and since != last
    if not ended and not begins:
        return is_silent
    detail = dict(state.detail)
    if since is not None and ended:
        _write(scope, model_id, model.name, since=since, until=last, allowed=allowed, now_us=now_us)
        del detail["silent_since_us"]
    if begins:
        _write(scope, model_id, model.name, since=last, until=None, allowed=allowed, now_us=now_us)
        detail["silent_since_us"] = last
    firing = incidents.list_incidents(scope, model_id=model_id, state="firing", limit=MOST_FIRING)
    states.set_state(scope, model_id, detail=detail, severity=gravest(firing), incidents=len(firing))
    return is_silent


def _write(
    scope: Scope, model_id: int, name: str, *, since: int, until: int | None, allowed: int | None, now_us: int
) -> None:
    at = f"{from_microseconds(since):%Y-%m-%d %H:%M} UTC"
    minutes = None if allowed is None else round(allowed / 60e6, 1)
    write_operations(
        scope,
        model_id,
        OperationsIncident(
            id=f"silent-{model_id}-{since}",
            state="firing" if until is None else "resolved",
            severity="critical",
            metric="freshness",
            title=f"no events have come since {at}" if until is None else f"no events came from {at} on",
            since_us=since,
            until_us=until,
            body={
                "model": name,
                "allowed_minutes": minutes,
                "advice": "See whether the model still answers, and whether what sends its events still runs.",
            },
        ),
        now_us=now_us,
    )
