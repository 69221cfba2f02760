"""The routes, one file a noun."""

from barograph.server.routes import (
    audit,
    changes,
    cloud_events,
    deliveries,
    events,
    handling,
    health,
    incidents,
    jobs,
    keys,
    models,
    otlp,
    poison,
    probes,
    producers,
    profiles,
    quarantine,
    references,
    removals,
    report,
    results,
    silences,
)

ROUTERS = tuple(
    module.router
    for module in (
        models,
        references,
        results,
        report,
        profiles,
        events,
        cloud_events,
        otlp,
        incidents,
        handling,
        silences,
        changes,
        producers,
        probes,
        quarantine,
        poison,
        deliveries,
        jobs,
        removals,
        keys,
        audit,
        health,
    )
)
